package output

import (
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A register like the decoder's, with every kind of field and every shape that the contract knows.

func reg(name, title string, k record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: "test", Kind: k})
}

func regList(name, title string, k record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: "test", Kind: k, List: true})
}

func regOf(name, title string, k, of record.Kind, list, identity bool) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: "test", Kind: k, Of: of, List: list, Identity: identity})
}

var (
	fSIP           = reg("sip", "Session Initiation Protocol", record.Object)
	fMethod        = reg("sip.method", "Method", record.String)
	fRequestURI    = regOf("sip.request_uri", "Request-URI", record.String, 0, false, true)
	fStatus        = reg("sip.status", "Status-Code", record.Uint)
	fReason        = reg("sip.reason", "Reason-Phrase", record.String)
	fCallID        = reg("sip.call_id", "Call-ID", record.String)
	fCSeq          = reg("sip.cseq", "CSeq", record.Object)
	fCSeqNumber    = reg("sip.cseq.number", "Sequence number", record.Uint)
	fCSeqMethod    = reg("sip.cseq.method", "Method", record.String)
	fFrom          = reg("sip.from", "From", record.Object)
	fFromURI       = regOf("sip.from.uri", "URI", record.String, 0, false, true)
	fFromDisplay   = regOf("sip.from.display", "Display name", record.String, 0, false, true)
	_              = reg("sip.from.tag", "Tag", record.String)
	fContact       = regList("sip.contact", "Contact", record.Object)
	fContactURI    = regOf("sip.contact.uri", "URI", record.String, 0, false, true)
	fContactParams = regOf("sip.contact.params", "Parameters", record.Map, record.String, false, false)
	fPath          = regList("sip.path", "Path", record.String)
	fHeaders       = regList("sip.headers", "Header field", record.Object)
	fHeaderName    = reg("sip.headers.name", "Name", record.String)
	fHeaderValue   = regOf("sip.headers.value", "Value", record.String, 0, false, true)

	fBodies   = regList("bodies", "Body", record.Object)
	fBodyPath = reg("bodies.path", "Path", record.String)
	fBodyType = reg("bodies.type", "Media type", record.String)
	_         = reg("bodies.length", "Length", record.Uint)

	fInfo       = reg("mcptt_info", "MCPTT information", record.Object)
	fClientID   = regOf("mcptt_info.client_id", "MCPTT client ID", record.Protected, record.String, false, true)
	fClientLen  = reg("mcptt_info.client_id.ciphertext_length", "Length of the cipher text", record.Uint)
	_           = regOf("mcptt_info.emergency", "Emergency", record.Protected, record.Bool, false, false)
	fGroups     = regOf("mcptt_info.groups", "Groups", record.Protected, record.String, true, true)
	fToken      = regOf("mcptt_info.access_token", "Access token", record.Protected, record.String, false, false)
	fClaims     = regOf("mcptt_info.access_token.claims", "Claims", record.Map, record.Raw, false, true)
	fTokenHead  = reg("mcptt_info.access_token.header", "Header", record.Raw)
	fTokenState = reg("mcptt_info.access_token.state", "A member that the contract uses", record.String)

	fMikey     = reg("mikey", "MIKEY", record.Object)
	fMikeyTime = reg("mikey.time", "Timestamp", record.Time)
	fMikeyRand = reg("mikey.rand", "RAND", record.Octets)
	fMikeyKeys = regList("mikey.parts", "Parts", record.Octets)
	fMikeyOff  = reg("mikey.offset", "Offset", record.Int)
	fMikeyV    = reg("mikey.v", "Verification message", record.Bool)
	_          = reg("mikey.responder_ip", "Responder address", record.Addr)
	fMikeyJSON = regList("mikey.notes", "Notes", record.Raw)
	fMikeyNums = regList("mikey.numbers", "Numbers", record.Uint)
	fMikeyMap  = regOf("mikey.counts", "Counts", record.Map, record.Uint, true, false)

	fXML      = reg("xml", "XML", record.Object)
	fXMLName  = reg("xml.name", "Element", record.String)
	fXMLKids  = regList("xml.children", "Child element", record.Object)
	fXMLKName = reg("xml.children.name", "Element", record.String)
	fXMLKText = regOf("xml.children.text", "Text", record.String, 0, false, true)

	fSummary     = reg("summary", "Summary", record.Object)
	fSumFrames   = reg("summary.frames", "Frames", record.Uint)
	fSumMessages = reg("summary.messages", "SIP messages", record.Uint)
	fSumLimits   = regOf("summary.limits", "Limits that were reached", record.Map, record.String, false, false)
)

// hostile holds everything that a terminal, a line, a column or a JSON parser might choke on.
var hostile = []string{
	"", "plain", "two words", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "bell\a back\b del\x7f nul\x00", "line\nfeed\r\n", "tab\there",
	"\u009b31m C1", "\u202eevil\u202c bidi", "\u2066isolate\u2069", "\u2028line\u2029para", "\ufeffbom", "zero\u200bwidth\u200d",
	"bad \xff\xfe utf8", "\xc3", "\xed\xa0\x80 surrogate", "\xf4\x90\x80\x80", "\U000e0001 tag", "\U0010ffff", "\ue000 private",
	`quote " back\slash / <>&'`, "ümlaut ß 漢字 かな 한국어 🚓 e\u0301", "\u00a0nbsp\u3000wide", strings.Repeat("long ", 50), "a;b,c|d",
	"[withheld]", "x[cut]", "eyJhbGciOiJ.eyJzdWIi.[12 characters withheld]", "1e999", "null",
}

// raws are JSON values that claims may hold.
var raws = []string{`"text"`, `{"a":[1,2.50,null,true],"b":"ü"}`, `[]`, `{}`, `-0.5e+10`, `"\u202e \ud83d\ude93"`, "\"raw \u202e \x7f bidi\"",
	"{ \"spaced\" :\n 1 }", `null`, "\"bad \xff\"", `123456789012345678901234567890`}

type gen struct {
	*rand.Rand
	b    record.Builder
	kids map[*record.Field][]*record.Field
	root []*record.Field
}

func newGen(seed uint64) *gen {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 7)), kids: map[*record.Field][]*record.Field{}}
	for _, f := range record.Fields() {
		switch {
		case f.Get != nil || strings.HasSuffix(f.Name, ".*"):
		case f.Parent() == nil:
			g.root = append(g.root, f)
		default:
			g.kids[f.Parent()] = append(g.kids[f.Parent()], f)
		}
	}
	return g
}

func (g *gen) str() string {
	s := hostile[g.IntN(len(hostile))]
	if g.IntN(3) == 0 {
		s += hostile[g.IntN(len(hostile))]
	}
	return s
}

func (g *gen) some(n int) bool { return g.IntN(n) == 0 }

// record makes a record in which every shape may occur, also those that only a hostile message has.
func (g *gen) record() *record.Record {
	r := &record.Record{Type: record.Type(g.IntN(3)), Time: g.Int64() - g.Int64()}
	if g.some(2) {
		r.Time = 1700000000_000000000 + g.Int64N(1e18)
	}
	r.Number = uint64(g.IntN(3)) * g.Uint64N(1e6)
	for range g.IntN(3) {
		r.Frames = append(r.Frames, g.Uint64N(1e9))
	}
	r.File, r.Interface, r.Transport, r.Info = g.str(), g.str(), g.str(), g.str()
	for range g.IntN(3) {
		r.Encap = append(r.Encap, g.str())
	}
	r.Quoted = g.some(4)
	addrs := []string{"10.0.0.1:5060", "[2001:db8::1]:5061", "[::ffff:1.2.3.4]:1", "[fe80::1%eth0]:0", "0.0.0.0:0"}
	if !g.some(4) {
		r.Src = netip.MustParseAddrPort(addrs[g.IntN(len(addrs))])
	}
	if !g.some(4) {
		r.Dst = netip.MustParseAddrPort(addrs[g.IntN(len(addrs))])
	}
	if g.some(8) {
		r.Dst = netip.AddrPortFrom(netip.MustParseAddr("fe80::2").WithZone("\x1b[2J"), 7)
	}
	g.b = record.Builder{R: r, Want: record.All()}
	for range g.IntN(4) {
		data := []byte(g.str() + g.str())
		s := record.Source{Kind: record.SourceKind(g.IntN(4)), Name: g.str(), Data: data, Parent: len(r.Sources) - 1}
		if len(data) > 4 && g.some(2) {
			s.Masked = []record.Range{{Off: 1, Len: 3}}
		}
		g.b.Source(s)
	}
	for range g.IntN(4) {
		g.node(g.root[g.IntN(len(g.root))], 0)
	}
	for range g.IntN(4) {
		f := record.Finding{ID: g.str(), Severity: record.Severity(g.IntN(3)), Clause: g.str(), Message: g.str(), Body: g.str()}
		if g.some(2) {
			f.Field = "sip.method"
		}
		if g.some(2) {
			f.HasRange, f.Source, f.Off, f.Len = true, uint16(g.IntN(3)), uint32(g.IntN(50)), uint32(g.IntN(50))
		}
		for range g.IntN(3) {
			f.Frames = append(f.Frames, g.Uint64N(100))
		}
		g.b.Finding(f)
	}
	return r
}

func (g *gen) place() record.Place {
	if g.some(3) {
		return record.Place{}
	}
	return record.At(g.IntN(3), g.IntN(100), g.IntN(100))
}

func (g *gen) flags(n *record.Node) {
	if g.some(6) {
		n.Flags |= record.Withheld
	}
	if g.some(8) {
		n.Flags |= record.Cut
	}
	if g.some(6) {
		n.Flags &^= record.HasValue
	}
}

func (g *gen) value(n *record.Node, k record.Kind) {
	switch k {
	case record.String:
		n.Str = g.str()
	case record.Octets:
		n.Str = g.str()
	case record.Addr:
		n.Str = []string{"10.0.0.1", "2001:db8::1", "not an address \x1b"}[g.IntN(3)]
	case record.Raw:
		n.Str = raws[g.IntN(len(raws))]
	case record.Bool:
		n.Num = int64(g.IntN(2))
	case record.Time, record.Int, record.Uint:
		n.Num = g.Int64() - g.Int64()
		if g.some(2) {
			n.Num = g.Int64N(1000)
		}
	}
	n.Flags |= record.HasValue
	g.flags(n)
}

func (g *gen) node(f *record.Field, depth int) {
	switch f.Kind {
	case record.Object, record.Protected:
		g.b.Open(f, g.place())
		n := g.b.Last()
		if f.Kind == record.Protected {
			g.value(n, f.Of)
			if f.Of != record.String {
				n.Flags &^= record.Withheld
			}
			if !g.some(5) {
				p := record.Protection{Encrypted: g.some(2), State: record.State(g.IntN(4)), Reason: record.Reason(g.IntN(14)), Signed: g.some(3)}
				p.Verified = p.Signed && g.some(2)
				if g.some(2) {
					p.KeyID, p.Algorithm, p.Variant = "2ddd5bf0", g.str(), g.str()
				}
				g.b.Protect(n, p)
			}
		}
		kids := g.kids[f]
		if depth < 6 && len(kids) > 0 {
			for range g.IntN(2 * len(kids)) {
				g.node(kids[g.IntN(len(kids))], depth+1)
			}
		}
		if f.Name == "bodies" && depth < 3 && g.some(2) {
			g.node(g.root[g.IntN(len(g.root))], depth+1)
		}
		if f.Name == "xml.children" && depth < 6 {
			g.node(f, depth+1)
		}
		g.b.Close()
	case record.Map:
		g.b.Open(f, g.place())
		for range g.IntN(6) {
			key := []string{"expires", "q", "+g.3gpp.mcptt", "x\xff", "x\xfe", "", "a\x1b"}[g.IntN(7)]
			g.value(g.b.Entry(f, key, "", g.place()), f.Entry().Kind)
		}
		if g.some(10) {
			for i := range 40 {
				g.value(g.b.Entry(f, strings.Repeat("k", i%35), "", g.place()), f.Entry().Kind)
			}
		}
		g.b.Close()
	default:
		g.value(g.b.Node(f, g.place()), f.Kind)
	}
}
