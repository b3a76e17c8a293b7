package filter

import "github.com/mcxdump/mcxdump/decode/record"

// An Alias is a name that Wireshark's users know, for one or more of ours.
type Alias struct {
	Name   string
	Fields []string
	// Transports restricts a port to messages of these transports.
	Transports []string
}

var (
	tcpLike = []string{"tcp", "tls", "ws", "wss"}
	ports   = []string{"src.port", "dst.port"}
	addrs   = []string{"src.ip", "dst.ip"}
)

// Aliases is the table of names taken over from Wireshark. A name of our own register always comes first; an alias is
// known only when a field it stands for is registered.
var Aliases = []Alias{
	{"frame.number", []string{"frames"}, nil},
	{"frame.time", []string{"time"}, nil},
	{"frame.interface_name", []string{"interface"}, nil},
	{"ip.src", []string{"src.ip"}, nil},
	{"ip.dst", []string{"dst.ip"}, nil},
	{"ip.addr", addrs, nil},
	{"ipv6.src", []string{"src.ip"}, nil},
	{"ipv6.dst", []string{"dst.ip"}, nil},
	{"ipv6.addr", addrs, nil},
	{"udp.port", ports, []string{"udp"}},
	{"udp.srcport", ports[:1], []string{"udp"}},
	{"udp.dstport", ports[1:], []string{"udp"}},
	{"tcp.port", ports, tcpLike},
	{"tcp.srcport", ports[:1], tcpLike},
	{"tcp.dstport", ports[1:], tcpLike},
	{"sctp.port", ports, []string{"sctp"}},
	{"sctp.srcport", ports[:1], []string{"sctp"}},
	{"sctp.dstport", ports[1:], []string{"sctp"}},
	{"sip.Method", []string{"sip.method"}, nil},
	{"sip.Status-Code", []string{"sip.status"}, nil},
	{"sip.r-uri", []string{"sip.request_uri"}, nil},
	{"sip.Call-ID", []string{"sip.call_id"}, nil},
	{"sip.CSeq.method", []string{"sip.cseq.method"}, nil},
	{"sip.CSeq.seq", []string{"sip.cseq.number"}, nil},
	{"sip.From", []string{"sip.from.uri"}, nil},
	{"sip.from.addr", []string{"sip.from.uri"}, nil},
	{"sip.from.display.info", []string{"sip.from.display"}, nil},
	{"sip.To", []string{"sip.to.uri"}, nil},
	{"sip.to.addr", []string{"sip.to.uri"}, nil},
	{"sip.to.display.info", []string{"sip.to.display"}, nil},
	{"sip.Contact", []string{"sip.contact.uri"}, nil},
	{"sip.Via.transport", []string{"sip.via.transport"}, nil},
	{"sip.Via.sent-by.address", []string{"sip.via.host"}, nil},
	{"sip.Via.sent-by.port", []string{"sip.via.port"}, nil},
	{"sip.Via.branch", []string{"sip.via.branch"}, nil},
	{"sip.P-Asserted-Identity", []string{"sip.p_asserted_identity"}, nil},
	{"sip.Path", []string{"sip.path"}, nil},
	{"sip.Route", []string{"sip.route"}, nil},
	{"sip.Record-Route", []string{"sip.record_route"}, nil},
	{"sip.Event", []string{"sip.event"}, nil},
	{"sip.Expires", []string{"sip.expires"}, nil},
	{"sip.ETag", []string{"sip.etag"}, nil},
	{"sip.Subscription-State", []string{"sip.subscription_state"}, nil},
	{"sip.Max-Forwards", []string{"sip.max_forwards"}, nil},
	{"sip.User-Agent", []string{"sip.user_agent"}, nil},
	{"sip.Server", []string{"sip.server"}, nil},
	{"sip.Warning", []string{"sip.warning.text"}, nil},
	{"sip.auth.scheme", []string{"sip.authorization.scheme"}, nil},
	{"sip.Content-Type", []string{"sip.content_type"}, nil},
	{"sip.Content-Length", []string{"sip.content_length"}, nil},
	{"http.request.method", []string{"http.method"}, nil},
	{"http.request.uri", []string{"http.target"}, nil},
	{"http.response.code", []string{"http.status"}, nil},
	{"http.response.phrase", []string{"http.reason"}, nil},
	{"mikey.type", []string{"mikey.data_type"}, nil},
	{"mikey.cs_count", []string{"mikey.num_cs"}, nil},
}

var aliasByName = func() map[string]*Alias {
	m := map[string]*Alias{}
	for i := range Aliases {
		m[Aliases[i].Name] = &Aliases[i]
	}
	return m
}()

// Resolve returns the name in the register of the one field that a name of Wireshark stands for; any other name comes
// back as it is.
func Resolve(name string) string {
	if _, ok := record.Lookup(name); ok {
		return name
	}
	if a := aliasByName[name]; a != nil && len(a.Fields) == 1 && a.Transports == nil {
		if _, ok := record.Lookup(a.Fields[0]); ok {
			return a.Fields[0]
		}
	}
	return name
}

// lookup resolves a name of the register or an alias.
func lookup(name string) ([]source, record.Kind, bool) {
	if ref, ok := record.Lookup(name); ok {
		return []source{{ref: ref}}, ref.Kind(), true
	}
	a := aliasByName[name]
	if a == nil {
		return nil, 0, false
	}
	var out []source
	for _, n := range a.Fields {
		if ref, ok := record.Lookup(n); ok {
			out = append(out, source{ref: ref, transports: a.Transports})
		}
	}
	if len(out) == 0 {
		return nil, 0, false
	}
	return out, out[0].ref.Kind(), true
}
