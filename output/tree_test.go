package output

import (
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

func TestTree(t *testing.T) {
	f, err := New("tree", Options{Hex: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `Frames 11-12: message 7, 2023-11-14T22:13:20.123456789Z, 10.0.0.1:5060 -> [2001:db8::2]:5061, gtpu, udp, 64 octets
    File: a.pcap
    Info: MCPTT <group> call
    Session Initiation Protocol [0..64)
        Method: INVITE [0..6)
        Request-URI: sip:psi@example.org [7..26)
        Call-ID: 1@a [30..33)
        CSeq [33..41)
            Sequence number: 3 [33..34)
            Method: INVITE [35..41)
        [From]
            [URI: sip:alice@example.org]
            [Display name: Alice Ü]
        [Contact: sip:alice@10.0.0.1]
            [URI: sip:alice@10.0.0.1]
            [Parameters]
                [expires: 60]
                [q: 0.5]
                [+g.3gpp.mcptt: ]
                [q: 0.7]
        [Path: sip:p1;lr]
    Body: 1 [5..55)
        [Path: 1]
        [Media type: application/vnd.3gpp.mcptt-info+xml]
        MCPTT information [5..45)
            MCPTT client ID: (encrypted, no key for 2abcdef0, AES-128-GCM, signed, signature verified) [8..18)
                [Error SEC-10 (TS 33.180 9.4): the digest of "x" differs; body 1; frame 12]
                [Length of the cipher text: 44]
            Groups: sip:group@example.org (decrypted with key 2abcdef0, variant ascii) [source 1: 0..21)
            Groups: sip:g2@example.org [30..34)
            [Access token: eyJh.eyJz.[withheld]]
                [Claims]
                    [mcptt_id: "sip:alice@example.org"]
                    [exp: 1700003600]
    [Body: 2]
        [Path: 2]
        [Media type: application/mikey]
        [MIKEY]
            [Timestamp: 2023-11-14T22:13:19.000000000Z]
            [RAND: 00ff10]
            [Verification message: true]
Source 0 (reassembled: SIP message), 64 octets, frame 11
    000000  49 4e 56 49 54 45 20 73  69 70 3a 70 73 69 40 65  INVITE sip:psi@e
    000010  78 61 6d 70 6c 65 2e 6f  72 67 20 53 49 50 2f 32  xample.org SIP/2
    000020  2e 30 0d 0a 41 75 74 68  6f 72 69 7a 61 74 69 6f  .0..Authorizatio
    000030  6e 3a 20 ·· ·· ·· ·· ··  ·· ·· ·· ·· 0d 0a 0d 0a  n: ·········....
Source 1 (decrypted: group), 21 octets from source 0 [22..30), frame 12
    000000  73 69 70 3a 67 72 6f 75  70 40 65 78 61 6d 70 6c  sip:group@exampl
    000010  65 2e 6f 72 67                                    e.org

`
	got := string(f.Append(nil, sample()))
	if got != want {
		g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Errorf("line %d\ngot  %s\nwant %s", i+1, g[i], w[i])
			}
		}
		t.Errorf("%d lines, want %d", len(g), len(w))
	}
}

func TestTreeProtectionWords(t *testing.T) {
	for _, c := range []struct {
		p    record.Protection
		want string
	}{
		{record.Protection{}, ""},
		{record.Protection{Signed: true}, ": (signed, not verified)"},
		{record.Protection{Signed: true, Verified: true}, ": (signed, signature verified)"},
		{record.Protection{Encrypted: true, State: record.NoKey, Reason: record.ReasonNoKey}, ": (encrypted, no key)"},
		{record.Protection{Encrypted: true, State: record.NoKey, Reason: record.ReasonP0Unknown, KeyID: "00000001"}, ": (encrypted, no key for 00000001: the MC service ID is not known)"},
		{record.Protection{Encrypted: true, State: record.Failed, Reason: record.ReasonTagMismatch, KeyID: "00000001", Algorithm: "A"}, ": (encrypted, decryption failed: the authentication tag does not match, key 00000001, A)"},
		{record.Protection{Encrypted: true, State: record.Failed, Reason: record.Reason(99)}, ": (encrypted, decryption failed: Reason(99))"},
		{record.Protection{Encrypted: true, State: record.Opened, Variant: "v\x1b"}, `: (decrypted, variant v\x1b)`},
		{record.Protection{Encrypted: true}, ": (encrypted)"},
	} {
		r := &record.Record{Type: record.SummaryType}
		b := record.Builder{R: r, Want: record.All()}
		b.Protect(b.Node(fClientID, record.Place{}), c.p)
		f, _ := New("tree", Options{})
		if got, want := string(f.Append(nil, r)), "Summary\n    MCPTT client ID"+c.want+"\n\n"; got != want {
			t.Errorf("%+v: got %q, want %q", c.p, got, want)
		}
	}
	for _, reason := range record.Reasons() {
		if reasonWords[reason] == "" {
			t.Errorf("reason %s has no words", reason)
		}
	}
}

func TestTreeBlocks(t *testing.T) {
	r := &record.Record{Type: record.FindingType}
	b := record.Builder{R: r, Want: record.All()}
	b.Open(fXML, record.Place{})
	b.Str(fXMLName, "<a>\n\t<b/>\x1b\r\n</a>\n", record.Place{})
	b.Str(fTokenHead, `{"alg":"RS256","kid":"a key identifier that is rather long for one line"}`, record.Place{})
	b.Close()
	b.Finding(record.Finding{ID: "x", Message: "no place", Severity: record.Note})
	b.Finding(record.Finding{ID: "y", Message: "by its field", Severity: record.Warning, Field: "xml.name"})
	f, _ := New("tree", Options{})
	want := "finding, 1970-01-01T00:00:00.000000000Z\n    XML\n        Element: 17 octets of text\n            | <a>\n            | \\t<b/>\\x1b\n            | </a>\n" +
		"            [Warning y: by its field]\n" +
		"        Header:\n            | {\n            |   \"alg\": \"RS256\",\n            |   \"kid\": \"a key identifier that is rather long for one line\"\n            | }\n" +
		"    [Note x: no place]\n\n"
	if got := string(f.Append(nil, r)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTreePairs(t *testing.T) {
	r := &record.Record{Type: record.SummaryType}
	b := record.Builder{R: r, Want: record.All()}
	header := func(name, value string) {
		b.Open(fHeaders, record.At(0, 0, 9))
		b.Str(fHeaderName, name, record.Place{})
		b.Str(fHeaderValue, value, record.Place{})
		b.Close()
	}
	header("Via", "SIP/2.0/UDP\x1b x")
	header("Subject", "a\nb")
	r.Nodes[2].Flags |= record.Withheld
	b.Finding(record.Finding{ID: "f", Message: "m", Field: "sip.headers.value"})
	f, _ := New("tree", Options{Hex: true})
	want := "Summary\n    Via: SIP/2.0/UDP\\x1b x[withheld] [0..9)\n        [Note f: m]\n" +
		"    Header field: Subject [0..9)\n        Name: Subject\n        Value: 3 octets of text\n            | a\n            | b\n\n"
	if got := string(f.Append(nil, r)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Each finding is shown exactly once.
func TestTreeFindingsOnce(t *testing.T) {
	f, _ := New("tree", Options{})
	for seed := range uint64(500) {
		r := newGen(seed).record()
		for i := range r.Findings {
			r.Findings[i].ID = "unique-" + string(rune('a'+i))
		}
		out := string(f.Append(nil, r))
		for i := range r.Findings {
			if n := strings.Count(out, r.Findings[i].ID); n != 1 {
				t.Fatalf("seed %d: finding %d is shown %d times", seed, i, n)
			}
		}
	}
}

func BenchmarkTree(b *testing.B) {
	f, _ := New("tree", Options{})
	r := big()
	dst := f.Append(nil, r)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = f.Append(dst[:0], r)
	}
}
