package decode

import (
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// The TLS connection that a message came in, or that a finding speaks of.
var (
	fTLS        = reg("tls", "TLS connection", "RFC 8446 4", record.Object)
	fTLSVersion = reg("tls.version", "Version: 1.0 to 1.3", "RFC 8446 4.1.3", record.String)
	fTLSSuite   = reg("tls.cipher_suite", "Cipher suite", "RFC 8446 4.1.3", record.String)
	fTLSSNI     = reg("tls.sni", "Host name that the client asked for", "RFC 6066 3", record.String)
	fTLSALPN    = reg("tls.alpn", "Application protocol that the server chose", "RFC 7301 3.1", record.String)
	fTLSResumed = reg("tls.resumed", "Keys go back to an earlier connection", "RFC 8446 2.2", record.Bool)
	fTLSEarly   = reg("tls.early_data", "There are data from before the end of the handshake", "RFC 8446 2.3", record.Bool)
	fTLSState   = reg("tls.state", "decrypted, no_key or failed", "mcxdump", record.String)
	fTLSAlert   = reg("tls.alert", "Fatal alert that ended the connection", "RFC 8446 6.2", record.String)
)

// tls adds the TLS connection around a message or finding.
func (w *worker) tls(t *flow.TLS) {
	b := &w.b
	if t == nil || !b.Wants(fTLS) {
		return
	}
	var none record.Place
	str := func(f *record.Field, s string) {
		if s != "" {
			b.Str(f, s, none)
		}
	}
	b.Open(fTLS, none)
	str(fTLSVersion, t.Version)
	str(fTLSSuite, t.Suite)
	str(fTLSSNI, t.SNI)
	str(fTLSALPN, t.ALPN)
	if t.Resumed {
		b.Bool(fTLSResumed, true, none)
	}
	if t.EarlyData {
		b.Bool(fTLSEarly, true, none)
	}
	str(fTLSState, t.State)
	str(fTLSAlert, t.Alert)
	b.Close()
}
