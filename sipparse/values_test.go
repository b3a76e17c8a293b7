package sipparse

import (
	"strings"
	"testing"
)

// cuts calls f with each beginning of s, the whole of it last.
func cuts(s string, f func(b []byte)) {
	for n := range len(s) + 1 {
		f([]byte(s[:n]))
	}
}

func TestParseVia(t *testing.T) {
	for _, tt := range []struct {
		in, want string // protocol version transport host port branch
		err      DiagID
	}{
		{"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport", "SIP 2.0 UDP 192.0.2.1 5060 z9hG4bK1", DiagNone},
		{"SIP / 2.0 / TCP\r\n host ; branch = x", "SIP 2.0 TCP host -1 x", DiagNone},
		{"SIP/2.0/TLS [2001:db8::1]:5061;branch=x;received=2001:db8::2", "SIP 2.0 TLS [2001:db8::1] 5061 x", DiagNone},
		{"SIP/2.0/UNKNOWN h", "SIP 2.0 UNKNOWN h -1 ", DiagNone},
		{"SIP/2.0/UDP h : 5060 ;branch=x", "SIP 2.0 UDP h 5060 x", DiagNone},
		{"SIP/7.0/UDP h;branch=x", "SIP 7.0 UDP h -1 x", DiagViaVersion},
		{"HTTP/2.0/UDP h;branch=x", "HTTP 2.0 UDP h -1 x", DiagViaVersion},
		{"SIP/2.0/UDP", "SIP 2.0 UDP  -1 ", DiagViaSyntax},
		{"SIP/2.0/UDP ;branch=x", "SIP 2.0 UDP  -1 x", DiagViaSyntax},
		{"SIP/2.0 h;branch=x", "SIP 2.0 h  -1 x", DiagViaSyntax},
		{"SIP/2.0/UDP h x;branch=x", "SIP 2.0 UDP h -1 x", DiagViaSyntax},
		{"SIP/2.0/UDP h:x;branch=x", "SIP 2.0 UDP h -1 x", DiagURIPort},
		{"SIP/2.0/UDP h:65536;branch=x", "SIP 2.0 UDP h -1 x", DiagURIPort},
		{"SIP/2.0/UDP h;;branch=x", "SIP 2.0 UDP h -1 x", DiagParamEmpty},
		{"SIP/2.0/UDP h;", "SIP 2.0 UDP h -1 ", DiagParamEmpty},
		{"SIP/2.0/UDP [::1", "SIP 2.0 UDP [::1 -1 ", DiagViaSyntax},
		{"", "    -1 ", DiagViaSyntax},
	} {
		v, err := ParseVia([]byte(tt.in))
		port := "-1"
		if v.PortNum >= 0 {
			port = v.Text(v.Port)
		}
		if tt.in == "SIP/2.0/UDP [::1" {
			tt.want = strings.Replace(tt.want, "[::1 -1", "[ -1", 1)
		}
		got := strings.Join([]string{v.Text(v.Protocol), v.Text(v.Version), v.Text(v.Transport), v.Text(v.Host), port, v.Branch()}, " ")
		if got != tt.want {
			t.Errorf("ParseVia(%q) = %q, want %q", tt.in, got, tt.want)
		}
		checkError(t, tt.in, err, tt.err)
		cuts(tt.in, func(b []byte) { v, _ := ParseVia(b); v.Branch() })
	}
}

func TestParseCSeqAndRAck(t *testing.T) {
	for _, tt := range []struct {
		in, method string
		n          uint64
		err        DiagID
	}{
		{"1 INVITE", "INVITE", 1, DiagNone}, {"0009\r\n  INVITE", "INVITE", 9, DiagNone}, {"2147483647 A", "A", 2147483647, DiagNone},
		{"2147483648 A", "A", 2147483648, DiagCSeqRange}, {"36893488147419103232 A", "A", 1<<64 - 1, DiagCSeqRange},
		{"1", "", 1, DiagCSeqSyntax}, {"INVITE", "INVITE", 0, DiagCSeqSyntax}, {"1 A B", "A", 1, DiagCSeqSyntax}, {"1INVITE", "INVITE", 1, DiagCSeqSyntax}, {"", "", 0, DiagCSeqSyntax}, {"-1 A", "-1", 0, DiagCSeqSyntax},
	} {
		c, err := ParseCSeq([]byte(tt.in))
		if c.Number != tt.n || string(c.Method.In([]byte(tt.in))) != tt.method {
			t.Errorf("ParseCSeq(%q) = %d %q", tt.in, c.Number, c.Method.In([]byte(tt.in)))
		}
		checkError(t, tt.in, err, tt.err)
	}
	for _, tt := range []struct {
		in string
		ok bool
	}{{"776656 1 INVITE", true}, {"1 2", false}, {"1", false}, {"x 1 A", false}, {"1 x A", false}, {"4294967296 1 A", false}, {"12A", false}, {"", false}} {
		r, err := ParseRAck([]byte(tt.in))
		if (err == nil) != tt.ok || tt.ok && (r.RSeq != 776656 || r.CSeq != 1 || string(r.Method.In([]byte(tt.in))) != "INVITE") {
			t.Errorf("ParseRAck(%q) = %+v %v", tt.in, r, err)
		}
	}
}

func TestParseNumbers(t *testing.T) {
	for _, tt := range []struct {
		in  string
		n   uint32
		err DiagID
	}{{"70", 70, DiagNone}, {" 0068 ", 68, DiagNone}, {"4294967295", 1<<32 - 1, DiagNone}, {"4294967296", 1<<32 - 1, DiagNumberRange}, {"x", 0, DiagNumberSyntax}, {"", 0, DiagNumberSyntax}, {"1 2", 0, DiagNumberSyntax}} {
		n, err := ParseNumber([]byte(tt.in))
		if n != tt.n {
			t.Errorf("ParseNumber(%q) = %d", tt.in, n)
		}
		checkError(t, tt.in, err, tt.err)
	}
	for _, tt := range []struct {
		in, comment, refresher string
		n                      uint32
		err                    DiagID
	}{
		{"1800;refresher=uac", "", "uac", 1800, DiagNone}, {"120 (I'm in a (long) meeting) ;duration=60", "I'm in a (long) meeting", "", 120, DiagNone},
		{"949302838503028349304023988", "", "", 1<<32 - 1, DiagNumberRange}, {"10 (x", "x", "", 10, DiagUnbalancedComment}, {"10 x", "", "", 10, DiagNumberSyntax}, {"10;", "", "", 10, DiagParamEmpty}, {"", "", "", 0, DiagNumberSyntax},
	} {
		d, err := ParseExpires([]byte(tt.in))
		r, _ := d.Param("refresher")
		if d.Seconds != tt.n || string(d.Comment.In([]byte(tt.in))) != tt.comment || string(r) != tt.refresher {
			t.Errorf("ParseExpires(%q) = %+v", tt.in, d)
		}
		checkError(t, tt.in, err, tt.err)
		cuts(tt.in, func(b []byte) { ParseExpires(b) })
	}
}

func TestParseWarning(t *testing.T) {
	for _, tt := range []struct {
		in, agent, text, mcText string
		code, mc                int
		err                     DiagID
	}{
		{`399 mcptt.example.org "140 unable to decrypt XML content"`, "mcptt.example.org", "140 unable to decrypt XML content", "unable to decrypt XML content", 399, 140, DiagNone},
		{`399 [::1]:5060 "a \"b\""`, "[::1]:5060", `a "b"`, `a "b"`, 399, 0, DiagNone},
		{`399 - "1234 x"`, "-", "1234 x", "1234 x", 399, 0, DiagNone},
		{`399 - "140"`, "-", "140", "", 399, 140, DiagNone},
		{`1812 overture "In Progress"`, "overture", "In Progress", "In Progress", 1812, 0, DiagWarningCode},
		{`399 a 140 text`, "a", "140 text", "text", 399, 140, DiagWarningSyntax},
		{`399 a "open`, "a", "open", "open", 399, 0, DiagUnbalancedQuotes},
		{`399 a "x" y`, "a", "x", "x", 399, 0, DiagWarningSyntax},
		{`399 "x"`, "", "x", "x", 399, 0, DiagWarningSyntax},
		{`x`, "x", "", "", -1, 0, DiagWarningSyntax},
		{`99999999999999999999 a "x"`, "a", "x", "x", -1, 0, DiagWarningCode},
		{``, "", "", "", -1, 0, DiagWarningSyntax},
	} {
		w, err := ParseWarning([]byte(tt.in))
		mc, text, ok := w.MCCode()
		if w.Code != tt.code || w.AgentText() != tt.agent || w.WarnText() != tt.text || mc != tt.mc || ok != (tt.mc > 0) || text != tt.mcText {
			t.Errorf("ParseWarning(%q) = %d %q %q, MC %d %q", tt.in, w.Code, w.AgentText(), w.WarnText(), mc, text)
		}
		checkError(t, tt.in, err, tt.err)
		cuts(tt.in, func(b []byte) { w, _ := ParseWarning(b); w.MCCode() })
	}
}

func TestParseAuth(t *testing.T) {
	for _, tt := range []struct {
		in, scheme, token, realm string
		err                      DiagID
	}{
		{`Digest username="a", realm="x, y", nonce=n, uri="sip:a"`, "Digest", "", "x, y", DiagNone},
		{`Bearer eyJhbGciOiJub25lIn0.e30.`, "Bearer", "eyJhbGciOiJub25lIn0.e30.", "", DiagNone},
		{`Bearer a/b+c==`, "Bearer", "a/b+c==", "", DiagNone},
		{`NoOneKnowsThisScheme opaque-data=here`, "NoOneKnowsThisScheme", "", "", DiagNone},
		{`Digest`, "Digest", "", "", DiagNone},
		{`Digest realm="x`, "Digest", "", "x", DiagUnbalancedQuotes},
		{`Digest realm="x",,a=b`, "Digest", "", "x", DiagParamEmpty},
		{`Digest realm="x", loose`, "Digest", "", "x", DiagAuthSyntax},
		{`"x"`, "", "", "", DiagAuthSyntax},
		{``, "", "", "", DiagAuthSyntax},
	} {
		a, err := ParseAuth([]byte(tt.in))
		realm, _ := a.Param("realm")
		if a.SchemeText() != tt.scheme || string(a.Token.In([]byte(tt.in))) != tt.token || string(realm) != tt.realm {
			t.Errorf("ParseAuth(%q) = %q %q %q", tt.in, a.SchemeText(), a.Token.In([]byte(tt.in)), realm)
		}
		checkError(t, tt.in, err, tt.err)
		cuts(tt.in, func(b []byte) { ParseAuth(b) })
	}
}

func TestParseTokens(t *testing.T) {
	for _, tt := range []struct {
		in, token, id string
		err           DiagID
	}{
		{"presence.winfo;id=7", "presence.winfo", "7", DiagNone}, {"poc-settings", "poc-settings", "", DiagNone},
		{" x ; id = \"a;b\" ", "x", "a;b", DiagNone}, {"a b;id=1", "a", "1", DiagEventSyntax}, {"a b", "a", "", DiagEventSyntax}, {"a@b", "a@b", "", DiagEventSyntax}, {"", "", "", DiagEventSyntax}, {";id=1", "", "1", DiagEventSyntax}, {"a;", "a", "", DiagParamEmpty},
	} {
		e, err := ParseEvent([]byte(tt.in))
		id, _ := e.Param("ID")
		if e.Text() != tt.token || string(id) != tt.id {
			t.Errorf("ParseEvent(%q) = %q %q", tt.in, e.Text(), id)
		}
		checkError(t, tt.in, err, tt.err)
		cuts(tt.in, func(b []byte) { ParseEvent(b) })
	}
	s, err := ParseSecurity([]byte("ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1;port-s=5062"))
	if v, ok := s.Param("spi-c"); s.Text() != "ipsec-3gpp" || string(v) != "1" || !ok || err != nil {
		t.Error("ParseSecurity")
	}
	f, err := ParseFeatures([]byte(`*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt";require`))
	if v, ok := f.Param(ICSI); f.Text() != "*" || Unescape(v) != "urn:urn-7:3gpp-service.ims.icsi.mcptt" || !ok || err != nil {
		t.Error("ParseFeatures")
	}
	r, err := ParseReason([]byte(`SIP;cause=200;text="done"`))
	if v, _ := r.Param("text"); string(v) != "done" || err != nil {
		t.Error("ParseReason")
	}
	if ss, err := ParseSubscriptionState([]byte("active;expires=60")); ss.Text() != "active" || err != nil {
		t.Error("ParseSubscriptionState")
	}
	if tp, err := ParseToken([]byte("session;handling=required")); tp.Text() != "session" || err != nil {
		t.Error("ParseToken")
	}
}

func TestParseMediaType(t *testing.T) {
	for _, tt := range []struct {
		in, full, boundary string
		err                DiagID
	}{
		{"application/sdp", "application/sdp", "", DiagNone}, {"Multipart/Mixed;Boundary=\"a b\"", "multipart/mixed", "a b", DiagNone},
		{"multipart / mixed ; boundary=x", "multipart/mixed", "x", DiagNone}, {"multipart/mixed;boundary=\"a\\\"b\"", "multipart/mixed", `a"b`, DiagNone},
		{"sdp", "sdp", "", DiagMediaType}, {"a/", "", "", DiagMediaType}, {"/a", "a", "", DiagMediaType}, {"a/b c", "", "", DiagMediaType}, {"a/b/c", "", "", DiagMediaType}, {"", "", "", DiagMediaType}, {";x=y", "", "", DiagMediaType},
		{"a/b;", "a/b", "", DiagParamEmpty}, {strings.Repeat("a", 300) + "/b", "", "", DiagMediaType},
	} {
		mt, err := ParseMediaType([]byte(tt.in))
		b, _ := mt.Param("boundary")
		if tt.err == DiagMediaType && strings.Contains(mt.Full, "/") || tt.err != DiagMediaType && mt.Full != tt.full || tt.in == "sdp" && mt.Full != "sdp" || b != tt.boundary {
			t.Errorf("ParseMediaType(%q) = %q %q", tt.in, mt.Full, b)
		}
		if mt.Multipart() != (tt.full == "multipart/mixed") {
			t.Errorf("%q: Multipart", tt.in)
		}
		checkError(t, tt.in, err, tt.err)
		cuts(tt.in, func(b []byte) { ParseMediaType(b) })
	}
}

func TestParseDate(t *testing.T) {
	for _, tt := range []struct {
		in  string
		err DiagID
	}{
		{"Sat, 13 Nov 2010 23:29:00 GMT", DiagNone}, {"Fri, 01 Jan 2010 16:00:00 EST", DiagDateZone}, {"Fri, 1 Jan 2010 16:00:00 GMT", DiagDateSyntax},
		{"2010-11-13T23:29:00Z", DiagDateSyntax}, {"", DiagDateSyntax}, {"Sat, 13 Nov 2010 23:29:0x GMT", DiagDateSyntax}, {"Sat, 99 Nov 2010 23:29:00 GMT", DiagDateSyntax},
	} {
		d, err := ParseDate([]byte(tt.in))
		checkError(t, tt.in, err, tt.err)
		if err == nil && d.Unix() != 1289690940 {
			t.Errorf("%v", d)
		}
	}
}

func TestUnfold(t *testing.T) {
	for _, tt := range [][2]string{{"a", "a"}, {"a \t\r\n \tb", "a b"}, {"a\n b\r\n\tc", "a b c"}, {"", ""}, {"\r\n a", " a"}} {
		if got := string(Unfold([]byte(tt[0]))); got != tt[1] {
			t.Errorf("Unfold(%q) = %q", tt[0], got)
		}
	}
}
