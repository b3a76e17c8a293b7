package flow

// TLS is what is known of the TLS connection that a message came in, or that a finding speaks of. It is read only once
// it is handed out; what becomes known later is in a new one.
type TLS struct {
	Version   string // "1.0", "1.1", "1.2", "1.3"; "" before the ServerHello
	Suite     string // name of the IANA register; "" before the ServerHello
	SNI       string // host name that the client asked for (RFC 6066 3)
	ALPN      string // application protocol that the server chose (RFC 7301): "h2", "http/1.1"
	Resumed   bool   // keys go back to an earlier connection
	EarlyData bool   // the client sent, or this message came in, data before the handshake (RFC 8446 2.3)
	State     string // one of the TLS constants
	Alert     string // the fatal alert that ended the connection, in words
}

// The values of [TLS.State].
const (
	TLSDecrypted = "decrypted"
	TLSNoKey     = "no_key"
	TLSFailed    = "failed" // the handshake failed
)

// tlsConn is one TLS connection; both of its directions, and the streams inside them, point to it.
type tlsConn struct {
	in   [2]*stream // what is inside; index is streamData.side
	info *TLS
}

// tlsInfo is what is known of the TLS connection that a stream belongs to, nil for none.
func (s *streamData) tlsInfo() *TLS {
	if s.tls == nil {
		return nil
	}
	return s.tls.info
}

// wsTransport is the transport of what comes in WebSocket messages of the stream.
func (s *streamData) wsTransport() string {
	if s.outer != nil {
		return WSS
	}
	return WS
}

// peer is the other direction of a stream's connection; nil when it is not known or not looked at. For a stream inside
// TLS it is the one inside the other direction.
func (d *Decoder) peer(st *stream) *stream {
	if st.streamData == nil {
		return nil
	}
	if st.outer != nil {
		return st.tls.in[1-st.side]
	}
	if r := d.streams.m[st.key.reverse()]; r != nil && r.streamData != nil {
		return r
	}
	return nil
}
