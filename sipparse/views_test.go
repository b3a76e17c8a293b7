package sipparse

import (
	"strings"
	"testing"
)

func TestMessageViews(t *testing.T) {
	var m Message
	if err := m.Parse(mcpttInvite(), Options{Datagram: true}); err != nil {
		t.Fatal(err)
	}
	u := m.URI()
	from, _ := m.From()
	to, _ := m.To()
	n, method, ok := m.CSeq()
	if u.Text(u.User) != "mcptt-orig-part" || from.Tag() != "9fxced76sl" || to.Tag() != "" || n != 1 || method != "INVITE" || !ok ||
		m.CallID() != "3848276298220188511@192.0.2.11" || m.Branch() != "z9hG4bKnashds7" || m.MethodText() != "INVITE" {
		t.Error("views")
	}
	var routes []string
	for r := range m.Addresses(HdrRoute) {
		routes = append(routes, r.URI.Text(r.URI.Host))
	}
	if strings.Join(routes, " ") != "pcscf.ims.example.org scscf.ims.example.org" {
		t.Errorf("routes %q", routes)
	}
	var allow, named int
	for range m.Elements(HdrAllow) {
		allow++
	}
	for h := range m.Named("accept-CONTACT") {
		if h.ID != HdrAcceptContact {
			t.Error("Named")
		}
		named++
	}
	if allow != 10 || named != 2 {
		t.Errorf("%d methods allowed, %d Accept-Contact", allow, named)
	}
	if mt, ok := m.ContentType(); !ok || !mt.Multipart() {
		t.Error("Content-Type")
	}
	for c := range m.Contacts() {
		if v, ok := c.Param("+g.3gpp.mcptt"); !ok || len(v) != 0 {
			t.Error("feature tag")
		}
	}
	if _, ok := m.Event(); ok || m.Has(HdrEvent) || m.Value(HdrEvent) != nil || m.ValueText(HdrPrivacy) != "none" || m.Reaches(SevNote) {
		t.Error("what is not there")
	}
	if _, ok := m.Expires(); ok {
		t.Error("Expires")
	}
	if _, ok := m.First(HeaderID(250)); ok {
		t.Error("First of no header")
	}
	if got := string(Span{5, 100}.In([]byte("0123456"))) + string(Span{50, 1}.In([]byte("x"))); got != "56" {
		t.Errorf("Span.In gives %q", got)
	}
	parts := m.Parts(Limits{})
	if len(parts) != 3 || parts[2].Type.Full != "application/vnd.3gpp.mcptt-info+xml" {
		t.Error("parts")
	}

	reply := "SIP/2.0 403 Forbidden\r\nEvent: poc-settings\r\nExpires: 4294967296\r\nX-Y: 1\r\nx-y: 2\r\nCSeq: 5 PUBLISH\r\n" +
		"Warning: 399 a \"140 unable to decrypt XML content\", 399 b \"136 authentication of the MIKEY-SAKKE I_MESSAGE failed\"\r\n\r\n"
	if err := m.Parse([]byte(reply), Options{Datagram: true}); err != nil {
		t.Fatal(err)
	}
	var codes []int
	for w := range m.Warnings() {
		c, _, _ := w.MCCode()
		codes = append(codes, c)
	}
	other := 0
	for range m.Named("X-Y") {
		other++
	}
	if ev, _ := m.Event(); len(codes) != 2 || codes[0] != 140 || codes[1] != 136 || ev.Text() != "poc-settings" || m.MethodText() != "PUBLISH" || m.Status != 403 || m.Text(m.Reason) != "Forbidden" || other != 2 {
		t.Errorf("%v %d", codes, other)
	}
	if n, ok := m.Expires(); n != 1<<32-1 || !ok {
		t.Errorf("Expires %d", n)
	}
	if h, ok := m.First(HdrOther); !ok || m.Text(h.Name) != "X-Y" || !m.Reaches(SevError) {
		t.Error("First of the others")
	}
}

// TestDefects has each diagnostic of a message that RFC 4475 does not ask for.
func TestDefects(t *testing.T) {
	const good = "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
	const start = "OPTIONS sip:a@b SIP/2.0\r\n"
	for _, tt := range []struct{ name, in, want string }{
		{"good", start + good + "\r\n", ""},
		{"leading CRLF", "\r\n" + start + good + "\r\n", "note leading-crlf"},
		{"bare LF", strings.ReplaceAll(start+good+"\r\n", "\r\n", "\n"), "warning bare-lf"},
		{"bare CR", start + good + "X-A: a\rb\r\n\r\n", "warning bare-cr"},
		{"NUL", start + good + "X-A: a\x00b\r\n\r\n", "warning nul-octet"},
		{"UTF-8", start + good + "Subject: ä\r\nX-A: ö\r\n\r\n", "note non-ascii"},
		{"not UTF-8", start + good + "Subject: \xe4\r\n\r\n", "warning invalid-utf8"},
		{"no colon", start + good + "nonsense\r\n\r\n", "error header-no-colon"},
		{"bad name", start + good + "a b: c\r\n\r\n", "warning header-name"},
		{"empty name", start + good + ": c\r\n\r\n", "warning header-name"},
		{"fold first", start + " X-A: y\r\n" + good + "\r\n", "warning fold-without-header"},
		{"blank fold first", start + "  \r\n" + good + "\r\n", "error header-no-colon"},
		{"no empty line", start + good, "warning missing-empty-line"},
		{"bad version case", "OPTIONS sip:a@b sip/2.0\r\n" + good + "\r\n", "warning version-case"},
		{"no version", "OPTIONS sip:a@b\r\n" + good + "\r\n", "error version-missing"},
		{"cut start line", "OPTIONS sip:a@b", "warning start-line-cut, warning missing-empty-line, error missing-via, error missing-from, error missing-to, error missing-call-id, error missing-cseq, note missing-max-forwards"},
		{"no URI", "OPTIONS bob SIP/2.0\r\n" + good + "\r\n", "error request-uri-bad"},
		{"tab in the start line", "OPTIONS\tsip:a@b SIP/2.0\r\n" + good + "\r\n", "warning start-line-space"},
		{"second From", start + good + "f: <sip:a@b>;tag=1\r\n\r\n", "error duplicate-header"},
		{"second length", start + good + "l: 0\r\nl: 0\r\n\r\n", "error duplicate-header"},
		{"no length number", start + good + "l: abc\r\n\r\n", "error content-length-syntax"},
		{"empty length", start + good + "l:\r\n\r\n", "error content-length-syntax"},
		{"empty Event", start + good + "o:\r\n\r\n", "warning empty-value"},
		{"empty Supported", start + good + "k:\r\n\r\n", ""},
		{"CRLF after the body", start + good + "l: 0\r\n\r\n\r\n", "note extra-octets"},
		{"body without a type", start + good + "\r\nbody", "warning missing-content-type"},
		{"bad type", start + good + "c: sdp\r\n\r\n", "error media-type"},
		{"bad Max-Breadth", start + good + "Max-Breadth: x\r\n\r\n", "warning number-syntax"},
		{"bad RAck", start + good + "RAck: 1 PRACK\r\n\r\n", "error rack-syntax"},
		{"bad Security-Client", start + good + "Security-Client: ipsec-3gpp;;a=b, tls\r\n\r\n", "warning param-empty"},
		{"bad Reason", start + good + "Reason: SIP cause=1\r\n\r\n", "warning reason-syntax"},
		{"bad Event", start + good + "Event: a b\r\n\r\n", "warning event-syntax"},
		{"bad state", start + good + "Subscription-State: a b\r\n\r\n", "warning subscription-state-syntax"},
		{"bad credentials", start + good + "Authorization: Digest x\"\r\n\r\n", "warning param-syntax"},
		{"bad scheme of credentials", start + good + "Authorization: \"x\"\r\n\r\n", "warning auth-syntax"},
		{"bad security mechanism", start + good + "Security-Server: a b\r\n\r\n", "warning security-syntax"},
		{"bad CSeq", start + strings.Replace(good, "1 OPTIONS", "OPTIONS", 1) + "\r\n", "error cseq-syntax"},
		{"bad Warning", start + good + "Warning: x\r\n\r\n", "warning warning-syntax"},
		{"bad Date", start + good + "Date: today\r\n\r\n", "warning date-syntax"},
		{"no reason", "SIP/2.0 200\r\n" + good + "\r\n", "note reason-missing"},
		{"status 700", "SIP/2.0 700 x\r\n" + good + "\r\n", "error status-range"},
		{"unclosed bracket", start + good + "Route: <sip:a\r\n\r\n", "error unbalanced-angle"},
		{"unclosed comment", start + good + "Retry-After: 1 (x\r\n\r\n", "warning unbalanced-comment"},
		{"no address", start + good + "Reply-To: <>\r\n\r\n", "error address-empty"},
		{"no scheme", start + good + "Reply-To: <a@b>\r\n\r\n", "error uri-scheme"},
		{"no host", start + good + "Reply-To: <sip:a@>\r\n\r\n", "error uri-host"},
		{"bad port", start + good + "Reply-To: <sip:a@b:99999>\r\n\r\n", "error uri-port"},
		{"bad URI octet", start + good + "Reply-To: <sip:a^@b>\r\n\r\n", "warning uri-syntax"},
		{"star", start + good + "m: *\r\n\r\n", ""},
		{"empty element", start + good + "Route: <sip:a>,,<sip:b>\r\n\r\n", "warning list-empty-element"},
		{"two in From", start + strings.Replace(good, "tag=1", "tag=1, <sip:x>;tag=2", 1) + "\r\n", "error list-not-allowed"},
		{"list in To", start + strings.Replace(good, "<sip:c@d>", "<sip:c@d>, <sip:e@f>", 1) + "\r\n", "error list-not-allowed"},
	} {
		var m Message
		if err := m.Parse([]byte(tt.in), Options{Datagram: true}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := diagNames(m.Diags); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.name, got, tt.want)
		}
		checkMessage(t, &m, []byte(tt.in))
		for _, d := range m.Diags {
			if strings.Contains(d.Detail, "sip:") || strings.Contains(d.Detail, "Digest") {
				t.Errorf("%s: a diagnostic shows an identity or a credential: %v", tt.name, d)
			}
		}
	}
	var m Message
	if err := m.Parse([]byte(start+good+"c: a/b\r\n\r\nbody"), Options{}); err != nil || diagNames(m.Diags) != "error content-length-missing" || m.Body.Len != 0 || m.Extra.Len != 4 {
		t.Errorf("no length on a stream: %v, body of %d octets", m.Diags, m.Body.Len)
	}
	if err := m.Parse([]byte(start+good+strings.Repeat("x\r\n", 5000)), Options{Limits: Limits{Headers: 100, Diags: 10}}); err != nil || len(m.Headers) != 100 || len(m.Diags) != 11 || m.Diags[10].ID != DiagTooManyDiags {
		t.Errorf("limits: %d headers, %d diagnostics", len(m.Headers), len(m.Diags))
	}
}

// TestHeaderShapes has header lines of every shape, with enough octets after them for the fast look and without.
func TestHeaderShapes(t *testing.T) {
	for _, pad := range []string{"", "X-Pad: " + strings.Repeat("x", 64) + "\r\n"} {
		for _, tt := range []struct {
			line, name, value string
			id                HeaderID
			compact, folded   bool
		}{
			{"Subject: a", "Subject", "a", HdrSubject, false, false},
			{"Subject:a", "Subject", "a", HdrSubject, false, false},
			{"Subject:   a b  ", "Subject", "a b", HdrSubject, false, false},
			{"SUBJECT :\ta\t", "SUBJECT", "a", HdrSubject, false, false},
			{"Subject:", "Subject", "", HdrSubject, false, false},
			{"Subject:    ", "Subject", "", HdrSubject, false, false},
			{"Subject: a\r\n b", "Subject", "a\r\n b", HdrSubject, false, true},
			{"Subject:\r\n\ta\r\n ", "Subject", "a", HdrSubject, false, true},
			{"s: a", "s", "a", HdrSubject, true, false},
			{"S  : a", "S", "a", HdrSubject, true, false},
			{"Subjects: a", "Subjects", "a", HdrOther, false, false},
			{"Subjec: a", "Subjec", "a", HdrOther, false, false},
			{"To: sip:a", "To", "sip:a", HdrTo, false, false},
			{"Content-Transfer-Encoding: binary ", "Content-Transfer-Encoding", "binary", HdrContentTransferEncoding, false, false},
			{"P-Charging-Function-Addresses: a=b", "P-Charging-Function-Addresses", "a=b", HdrPChargingFunctionAddresses, false, false},
			{"P-Charging-Function-Addressez: a=b", "P-Charging-Function-Addressez", "a=b", HdrOther, false, false},
			{"A-Name-That-Is-Longer-Than-Any-Known-One: a", "A-Name-That-Is-Longer-Than-Any-Known-One", "a", HdrOther, false, false},
			{"Subject: a\tb", "Subject", "a\tb", HdrSubject, false, false},
			{"Subject: \xc3\xa4", "Subject", "ä", HdrSubject, false, false},
		} {
			// The second time there is a table to put the header field into.
			m := Message{Headers: make([]Header, 0, 16)}
			for range 2 {
				if err := m.Parse([]byte("OPTIONS sip:a SIP/2.0\r\n"+tt.line+"\r\n"+pad+"\r\n"), Options{}); err != nil {
					t.Fatal(err)
				}
				h := m.Headers[0]
				if m.Text(h.Name) != tt.name || m.Text(h.Value) != tt.value || h.ID != tt.id || h.Compact != tt.compact || h.Folded != tt.folded {
					t.Errorf("%q: %q %q %v compact %v folded %v", tt.line, m.Text(h.Name), m.Text(h.Value), h.ID, h.Compact, h.Folded)
				}
				m.Headers = nil
			}
		}
	}
}

// TestNoAllocation: a message that is used again costs nothing.
func TestNoAllocation(t *testing.T) {
	raw := mcpttInvite()
	var m Message
	m.Parse(raw, Options{})
	if n := testing.AllocsPerRun(100, func() { m.Parse(raw, Options{}) }); n != 0 {
		t.Errorf("Parse: %v allocations", n)
	}
	name := []byte("p-asserted-identity")
	if n := testing.AllocsPerRun(100, func() {
		LookupHeader(name)
		LooksLikeStart(raw)
		StartPrefix(raw)
		FindStart(raw, 1)
	}); n != 0 {
		t.Errorf("looks: %v allocations", n)
	}
}
