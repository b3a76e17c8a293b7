package sipparse

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// torture lists each message of RFC 4475 with every diagnostic that it must get, in order, as "severity name". Those of
// 3.1.1 are valid: no error. Those of 3.1.2 are not: the defect that the RFC names is there. stream is what the message
// becomes on a stream: m a message, t a truncated one, o pong, j junk.
var torture = []struct {
	name, clause, want, stream string
}{
	{"wsinv", "3.1.1.1", "note via-branch-cookie", "m"},
	{"intmeth", "3.1.1.2", "warning control-octet, warning nul-octet, note non-ascii", "m"}, // escaped in a quoted string, so legal
	{"esc01", "3.1.1.3", "", "m"},
	{"escnull", "3.1.1.4", "", "m"},
	{"esc02", "3.1.1.5", "", "m"},
	{"lwsdisp", "3.1.1.6", "", "m"},
	{"longreq", "3.1.1.7", "note via-no-branch", "m"},
	{"dblreq", "3.1.1.8", "warning content-length-short", "momj"},
	{"semiuri", "3.1.1.9", "", "m"},
	{"transports", "3.1.1.10", "", "m"},
	{"mpart01", "3.1.1.11", "", "m"},
	{"unreason", "3.1.1.12", "note non-ascii", "m"},
	{"noreason", "3.1.1.13", "", "m"},

	{"badinv01", "3.1.2.1", "warning param-empty, error via-syntax, warning list-empty-element, warning list-empty-element, warning param-empty", "m"},
	{"clerr", "3.1.2.2", "error content-length-too-large", "t"},
	{"ncl", "3.1.2.3", "error content-length-negative", "t"},
	{"scalar02", "3.1.2.4", "error cseq-range, error max-forwards-range, error number-range, error number-range", "m"},
	{"scalarlg", "3.1.2.5", "error cseq-range, error number-range, error warning-code", "m"},
	{"quotbal", "3.1.2.6", "error unbalanced-quotes", "m"},
	{"ltgtruri", "3.1.2.7", "error request-uri-angle, note via-no-branch", "m"},
	{"lwsruri", "3.1.2.8", "error request-uri-space", "m"},
	{"lwsstart", "3.1.2.9", "warning start-line-space", "m"},
	{"trws", "3.1.2.10", "warning start-line-trailing-space", "m"},
	{"escruri", "3.1.2.11", "warning request-uri-headers", "m"},
	{"baddate", "3.1.2.12", "warning date-zone", "m"},
	{"regbadct", "3.1.2.13", "error address-needs-angle", "m"},
	{"badaspec", "3.1.2.14", "warning angle-space", "m"},
	{"baddn", "3.1.2.15", "warning display-name, warning display-name, warning missing-empty-line", "t"},
	{"badvers", "3.1.2.16", "error version-unsupported, warning via-version", "m"},
	{"mismatch01", "3.1.2.17", "error cseq-method", "m"},
	{"mismatch02", "3.1.2.18", "error cseq-method", "m"},
	{"bigcode", "3.1.2.19", "error status-range", "m"},

	{"badbranch", "3.2.1", "warning via-branch-empty", "m"},

	{"insuf", "3.3.1", "error missing-from, error missing-to, error missing-call-id, note missing-max-forwards, warning missing-contact", "m"},
	{"unkscm", "3.3.2", "", "m"},
	{"novelsc", "3.3.3", "", "m"},
	{"unksm2", "3.3.4", "", "m"},
	{"bext01", "3.3.5", "", "m"},
	{"invut", "3.3.6", "", "m"},
	{"regaut01", "3.3.7", "", "m"},
	{"multi01", "3.3.8", "error duplicate-header, error duplicate-header, error duplicate-header, error duplicate-header, error duplicate-header", "m"},
	{"mcl01", "3.3.9", "error content-length-conflict", "t"},
	{"bcast", "3.3.10", "", "m"},
	{"zeromf", "3.3.11", "", "m"},
	{"cparam01", "3.3.12", "", "m"},
	{"cparam02", "3.3.13", "", "m"},
	{"regescrt", "3.3.14", "", "m"},
	{"sdp01", "3.3.15", "", "m"},

	{"inv2543", "3.4.1", "note via-no-branch, warning missing-tag, note missing-max-forwards, warning missing-contact", "mj"},
}

// sharedDir gives a folder of the data that is not in the repository. Without it the test is skipped, but not in CI.
func sharedDir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing, and CI needs it", name)
		}
		t.Skipf("%s is not there", name)
	}
	return dir
}

func tortureMessage(t testing.TB, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name+".dat"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func diagNames(ds []Diag) string {
	var names []string
	for _, d := range ds {
		names = append(names, d.Severity().String()+" "+d.ID.String())
	}
	return strings.Join(names, ", ")
}

func TestTortureMessages(t *testing.T) {
	dir := sharedDir(t, "rfc4475")
	files, err := filepath.Glob(filepath.Join(dir, "*.dat"))
	if err != nil || len(files) != 49 || len(torture) != 49 {
		t.Fatalf("%d files, %d rows, want 49 of each (%v)", len(files), len(torture), err)
	}
	seen := map[string]bool{}
	for _, tt := range torture {
		if seen[tt.name] {
			t.Errorf("%s is listed twice", tt.name)
		}
		seen[tt.name] = true
		t.Run(tt.name, func(t *testing.T) {
			raw := tortureMessage(t, dir, tt.name)
			if !LooksLikeStart(raw) || StartPrefix(raw) != Yes || FindStart(raw, 0) != 0 {
				t.Error("does not look like SIP")
			}
			var m Message
			if err := m.Parse(raw, Options{Datagram: true}); err != nil {
				t.Fatal(err)
			}
			checkMessage(t, &m, raw)
			if got := diagNames(m.Diags); got != tt.want {
				t.Errorf("RFC 4475 %s\n got %s\nwant %s", tt.clause, got, tt.want)
			}
			errs := strings.Contains(tt.want, "error ")
			bad := errs || strings.Contains(tt.want, "warning ")
			if strings.HasPrefix(tt.clause, "3.1.1.") && errs || strings.HasPrefix(tt.clause, "3.1.2.") && !bad {
				t.Errorf("the row contradicts the RFC: %s in %s", tt.want, tt.clause)
			}
			m.Parts(Limits{})

			stream := ""
			for _, fr := range frameAll(raw, len(raw)) {
				switch {
				case fr.Kind == FrameMessage && fr.Truncated:
					stream += "t"
				case fr.Kind == FrameMessage:
					stream += "m"
				case fr.Kind == FramePong:
					stream += "o"
				case fr.Kind == FrameJunk:
					stream += "j"
				default:
					stream += "?"
				}
			}
			if stream != tt.stream {
				t.Errorf("frames on a stream: %s, want %s", stream, tt.stream)
			}
		})
	}
}

// TestTortureRecovery puts a good message after each of the 49 on a stream: it must come out whole.
func TestTortureRecovery(t *testing.T) {
	dir := sharedDir(t, "rfc4475")
	good := []byte("OPTIONS sip:next@example.com SIP/2.0\r\nCall-ID: next\r\nl: 4\r\n\r\nbody")
	for _, tt := range torture {
		raw := append(tortureMessage(t, dir, tt.name), good...)
		raw = append(raw, good...)
		n := 0
		for _, fr := range frameAll(raw, 7) {
			if fr.Kind == FrameMessage && bytes.Equal(fr.Data, good) {
				n++
			}
		}
		want := 2
		if tt.name == "clerr" {
			want = 0 // its 9999 octets swallow them; nothing tells them from a body
		}
		if n != want {
			t.Errorf("after %s: %d good messages found, want %d", tt.name, n, want)
		}
	}
}

// TestTortureCuts tries every cut of every message.
func TestTortureCuts(t *testing.T) {
	dir := sharedDir(t, "rfc4475")
	var m Message
	for _, tt := range torture {
		raw := tortureMessage(t, dir, tt.name)
		for n := range raw {
			if err := m.Parse(raw[:n], Options{Datagram: true}); err == nil {
				checkMessage(t, &m, raw[:n])
				m.Parts(Limits{})
			} else if LooksLikeStart(raw[:n]) {
				t.Errorf("%s cut at %d looks like SIP, but: %v", tt.name, n, err)
			}
		}
	}
}

func TestTortureValues(t *testing.T) {
	dir := sharedDir(t, "rfc4475")
	parse := func(name string) *Message {
		m := new(Message)
		if err := m.Parse(tortureMessage(t, dir, name), Options{Datagram: true}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := parse("wsinv")
	if f, _ := m.From(); f.DisplayName() != `J Rosenberg \"` || f.Tag() != "98asjd8" {
		t.Errorf("wsinv From: %q %q", f.DisplayName(), f.Tag())
	}
	if n, method, ok := m.CSeq(); n != 9 || method != "INVITE" || !ok {
		t.Errorf("wsinv CSeq: %d %q", n, method)
	}
	var vias []string
	for v := range m.Vias() {
		vias = append(vias, v.Text(v.Transport)+" "+v.Text(v.Host)+" "+v.Branch())
	}
	if got, want := strings.Join(vias, "; "), "UDP 192.0.2.2 390skdjuw; TCP spindle.example.com z9hG4bK9ikj8; UDP 192.168.255.111 z9hG4bK30239"; got != want {
		t.Errorf("wsinv Via: %s", got)
	}
	for c := range m.Contacts() {
		if q, _ := c.Param("q"); string(q) != "0.33" || c.DisplayName() != `Quoted string ""` {
			t.Errorf("wsinv Contact: %q %q", c.DisplayName(), q)
		}
	}
	m = parse("intmeth")
	if got := m.Text(m.Method); got != "!interesting-Method0123456789_*+`.%indeed'~" {
		t.Errorf("intmeth method %q", got)
	}
	u := m.URI()
	if u.Text(u.User) != "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*" || u.Text(u.Host) != "example.com" ||
		u.Text(u.Password) != "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)" {
		t.Errorf("intmeth URI: %q %q %q", u.Text(u.User), u.Text(u.Password), u.Text(u.Host))
	}
	u = parse("semiuri").URI()
	if u.Text(u.User) != "user;par=u%40example.net" || u.Params.Len != 0 {
		t.Errorf("semiuri: %q", u.Text(u.User))
	}
	for c := range parse("cparam01").Contacts() {
		if _, ok := c.Param("unknownparam"); !ok || c.URI.Params.Len != 0 {
			t.Error("cparam01: the parameter is one of the header field")
		}
	}
	for c := range parse("cparam02").Contacts() {
		if _, ok := c.URI.Param("unknownparam"); !ok || c.Params.Len != 0 {
			t.Error("cparam02: the parameter is one of the URI")
		}
	}
	parts := parse("mpart01").Parts(Limits{})
	if len(parts) != 3 || string(parts[1].Data) != "Hello" || len(parts[2].Data) != 342 || bytes.IndexByte(parts[2].Data, 0) < 0 {
		t.Errorf("mpart01: %d parts", len(parts))
	}
}
