package output

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

func response() *record.Record {
	r := &record.Record{Number: 8, Time: 1700000000_623456789, Frames: []uint64{13}, Transport: "tcp",
		Src: netip.MustParseAddrPort("10.0.0.2:5060"), Dst: netip.MustParseAddrPort("10.0.0.1:5060")}
	b := record.Builder{R: r, Want: record.All()}
	b.Open(fSIP, record.Place{})
	b.Num(fStatus, 403, record.Place{})
	b.Str(fReason, "Forbidden \x1b[5m漢字漢字漢字漢字漢字漢字漢字漢字漢字", record.Place{})
	b.Close()
	for _, id := range []string{"a", "b", "a", "c", "d"} {
		b.Finding(record.Finding{ID: id, Severity: record.Warning})
	}
	return r
}

func TestTable(t *testing.T) {
	stray := &record.Record{Type: record.FindingType, Time: 1700000001_000000000, Findings: []record.Finding{{ID: "tcp-gap", Severity: record.Note, Message: "12 octets are missing"}}}
	for _, c := range []struct {
		name string
		o    Options
		r    *record.Record
		want string
	}{
		{"pipe", Options{}, sample(), "    7 2023-11-14T22:13:20.123456789Z 10.0.0.1:5060         -> [2001:db8::2]:5061    udp  INVITE     D1E1V1 error(1):SEC-10 12    MCPTT <group> call"},
		{"pipe", Options{}, response(), "    8 2023-11-14T22:13:20.623456789Z 10.0.0.2:5060         -> 10.0.0.1:5060         tcp  403        -     warning(5):a,b,c,… 13    Forbidden \\x1b[5m漢字漢字漢字漢字漢字漢字漢字漢字漢字"},
		{"pipe", Options{}, stray, "    - 2023-11-14T22:13:21.000000000Z -                     -> -                     -    finding    -     note(1):tcp-gap -     12 octets are missing"},
		{"terminal", Options{Terminal: true, Width: 120}, response(), "    8     0.000000 10.0.0.2:5060         → 10.0.0.1:5060         tcp  403        -     warning(5):a,b,c,… 13    Forbidd…"},
		{"tight", Options{Terminal: true, Width: 80}, sample(), "   7    0.000 10.0.0.1     → 2001:db8::2  INVITE   D1E1V1 error(1):SEC-10 MCPTT…"},
		{"tight stray", Options{Terminal: true, Width: 80}, stray, "   -    0.000 -            → -            finding  -     note(1):tcp-gap 12 oct…"},
		{"no width", Options{Terminal: true, Time: TimeEpoch}, stray, "    - 1700000001.000000000 -                     → -                     -    finding    -     note(1):tcp-gap -     12 octets are missing"},
	} {
		f, err := New("table", c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(f.Append(nil, c.r)); got != c.want+"\n" {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want+"\n")
		}
	}
}

// On a pipe every line has the same ten columns before the words.
func TestTableColumns(t *testing.T) {
	f, _ := New("table", Options{})
	for seed := range uint64(400) {
		r := newGen(seed).record()
		r.Transport = "udp"
		for i := range r.Findings {
			r.Findings[i].ID = "id"
		}
		cols := strings.Fields(string(f.Append(nil, r)))
		if len(cols) < 10 || cols[3] != "->" || cols[5] != "udp" {
			t.Fatalf("seed %d: %q", seed, cols)
		}
	}
}

// addr makes an address of any kind, or none.
func (g *gen) addr() netip.Addr {
	var q [16]byte
	for i := range q {
		q[i] = byte(g.Uint32() >> g.IntN(9) & 0xff)
	}
	switch g.IntN(5) {
	case 0:
		return netip.Addr{}
	case 1:
		return netip.AddrFrom16(q)
	case 2:
		return netip.AddrFrom16(q).WithZone("eth0")
	}
	return netip.AddrFrom4([4]byte(q[:4]))
}

// The line that is appended column by column for a pipe is what the line with room for all terminals comes to.
func TestTablePipe(t *testing.T) {
	odd := []string{"", " ", "a", "udp", "tcp", "INVITE", "IN VITE", "a\x1b[2J", "漢字", "e\u0301", "\xff", "\\", "PUBLISH\n", "x ", strings.Repeat("long ", 12)}
	for seed := range uint64(4000) {
		g := newGen(seed)
		r := g.record()
		if r.Type == record.SummaryType {
			r.Type = record.Message
		}
		pick := func() string { return odd[g.IntN(len(odd))] }
		for i := range r.Nodes {
			if n := &r.Nodes[i]; n.Field.Kind == record.String && g.IntN(3) == 0 {
				n.Str = pick()
			}
		}
		if g.IntN(2) == 0 {
			r.Transport, r.Info = pick(), pick()+pick()
		}
		if g.IntN(2) == 0 {
			r.Src, r.Dst = netip.AddrPortFrom(g.addr(), uint16(g.IntN(1<<16))), netip.AddrPortFrom(g.addr(), uint16(g.IntN(1000)))
			r.Number, r.Frames = g.Uint64()>>g.IntN(64), []uint64{3, g.Uint64() >> g.IntN(64)}
		}
		if g.IntN(3) == 0 {
			r.Findings, r.Frames, r.Number = nil, nil, 0
		}
		for _, o := range []Options{{}, {Time: TimeEpoch}, {Time: TimeRelative, Clock: new(Clock)}} {
			f, err := New("table", o)
			if err != nil {
				t.Fatal(err)
			}
			l := line{max: unlimited}
			f.(*tableFormat).line(&l, r)
			if got, want := string(f.Append([]byte("before\n"), r)), "before\n"+string(l.dst)+"\n"; got != want {
				t.Fatalf("seed %d, %+v:\ngot  %q\nwant %q", seed, o, got, want)
			}
		}
	}
}

func TestDigits(t *testing.T) {
	g := newGen(3)
	for i := range 20000 {
		n := g.Uint64() >> g.IntN(64)
		if i < 1200 {
			n = uint64(i)
		}
		if i == 1200 {
			n = 0
		}
		for n := n; ; n /= 10 {
			if got, want := string(appendUint([]byte("x"), n)), "x"+strconv.FormatUint(n, 10); got != want {
				t.Fatalf("%s, not %s", got, want)
			}
			if n == 0 {
				break
			}
		}
		a := g.addr()
		if got, want := string(appendIP(nil, a)), a.WithZone("").String(); a.IsValid() && got != want {
			t.Fatalf("%s, not %s", got, want)
		}
		if got, want := string(appendAddrPort(nil, netip.AddrPortFrom(a, uint16(n)))), netip.AddrPortFrom(a.WithZone(""), uint16(n)).String(); a.IsValid() && got != want {
			t.Fatalf("%s, not %s", got, want)
		}
	}
	for _, n := range []int{-1, 0, 1, 31, 32, 33, 64, 100} {
		if got := string(appendBlanks([]byte("x"), n)); got != "x"+strings.Repeat(" ", max(0, n)) {
			t.Errorf("%d blanks are %q", n, got)
		}
	}
}

func TestTableWidth(t *testing.T) {
	for width := 1; width < 200; width++ {
		f, _ := New("table", Options{Terminal: true, Width: width})
		for _, r := range []*record.Record{sample(), response()} {
			out := strings.TrimSuffix(string(f.Append(nil, r)), "\n")
			if w := Width(out); w > width {
				t.Fatalf("width %d: %d columns: %q", width, w, out)
			}
		}
	}
}

func TestClock(t *testing.T) {
	c := new(Clock)
	c.Set(1700000000_000000000)
	c.Set(5)
	f, _ := New("table", Options{Terminal: true, Clock: c})
	if got := string(f.Append(nil, sample())); !strings.HasPrefix(got, "    7     0.123456 ") {
		t.Error(got)
	}
	c2 := new(Clock)
	c2.Set(1700000001_000000000)
	f, _ = New("table", Options{Time: TimeRelative, Clock: c2})
	if got := string(f.Append(nil, sample())); !strings.HasPrefix(got, "    7    -0.876543 ") {
		t.Error(got)
	}
}

func TestTableNeedsLittle(t *testing.T) {
	f, _ := New("table", Options{})
	w := f.Needs()
	for _, x := range []*record.Field{fMethod, fStatus, fReason, fRequestURI, fClientID, fSumFrames} {
		if !w.Has(x) {
			t.Errorf("%s is not asked for", x.Name)
		}
	}
	for _, x := range []*record.Field{fHeaders, fContact, fMikey, fXML, fCallID} {
		if w.Has(x) {
			t.Errorf("%s is asked for", x.Name)
		}
	}
}

func summary() *record.Record {
	r := &record.Record{Type: record.SummaryType}
	b := record.Builder{R: r, Want: record.All()}
	b.Open(fSummary, record.Place{})
	b.Num(fSumFrames, 120, record.Place{})
	b.Num(fSumMessages, 7, record.Place{})
	b.Open(fSumLimits, record.Place{})
	b.Entry(fSumLimits, "streams", "3", record.Place{})
	b.Close()
	b.Close()
	return r
}

func TestSummary(t *testing.T) {
	f, _ := New("table", Options{Terminal: true})
	want := "\nFrames        120\nSIP messages  7\nLimits that were reached\n  streams     3\n"
	if got := string(f.Append(nil, summary())); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	f, _ = New("table", Options{})
	if got := string(f.Append(nil, summary())); !strings.Contains(got, "summary") || !strings.HasSuffix(got, " frames=120 messages=7 *=3\n") {
		t.Errorf("got %q", got)
	}
}

func TestWriteTable(t *testing.T) {
	var b bytes.Buffer
	rows := [][]string{{"sip.method", "string", "Method"}, {"x\x1b[2J", "漢字", ""}, {"short"}}
	if err := WriteTable(&b, []string{"Field", "Kind", "Title"}, rows, Options{}); err != nil {
		t.Fatal(err)
	}
	want := "Field       Kind    Title\nsip.method  string  Method\nx\\x1b[2J    漢字\nshort\n"
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
	b.Reset()
	if err := WriteTable(&b, []string{"Field", "Kind", "Title"}, rows, Options{Terminal: true, Width: 60}); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "\x1b") || !strings.Contains(s, "sip.method") || !strings.Contains(s, `x\x1b[2J`) || !strings.Contains(s, "漢字") {
		t.Errorf("got\n%s", s)
	}
	t.Logf("\n%s", b.String())
	if err := WriteTable(&failing{0, bytes.ErrTooLarge}, []string{"a"}, rows, Options{}); err != bytes.ErrTooLarge {
		t.Errorf("write error: %v", err)
	}
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, true, 40)
	now := time.Unix(0, 0).Add(time.Hour)
	p.now = func() time.Time { return now }
	p.Update(50_000_000, 100_000_000, 3)
	p.Update(60_000_000, 100_000_000, 4) // too soon
	now = now.Add(time.Second)
	p.Update(2_500_000, 0, 5)
	p.Clear()
	p.Clear()
	want := "\r\x1b[K[##########..........]  50% of 100.0 MB\r\x1b[K2.5 MB, 5 messages\r\x1b[K"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	p = NewProgress(&b, false, 40)
	p.Update(1, 2, 3)
	p.Clear()
	if b.Len() != 0 {
		t.Errorf("a pipe got %q", b.String())
	}
}

func BenchmarkTable(b *testing.B) {
	usual := &record.Record{Number: 4711, Time: 1700000000_623456789, Frames: []uint64{10011, 10012, 10013}, Transport: "udp",
		Src: netip.MustParseAddrPort("10.45.0.2:5060"), Dst: netip.MustParseAddrPort("192.0.2.1:5060"),
		Info:  "CSK 2df70f08 (identities hidden), MCPTT authorisation, token encrypted (CSK 2df70f08, no key), poc-settings automatic, profile 1",
		Prots: []record.Protection{{Encrypted: true, State: record.NoKey}}}
	build := record.Builder{R: usual, Want: record.All()}
	build.Open(fSIP, record.Place{})
	build.Str(fMethod, "PUBLISH", record.Place{})
	build.Close()
	for _, c := range []struct {
		name string
		o    Options
		r    *record.Record
	}{{"pipe", Options{}, usual}, {"finding", Options{}, sample()}, {"terminal", Options{Terminal: true, Color: true, Width: 120}, sample()}} {
		b.Run(c.name, func(b *testing.B) {
			f, _ := New("table", c.o)
			r := c.r
			dst := f.Append(nil, r)
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				dst = f.Append(dst[:0], r)
			}
		})
	}
}

// The eight octets at a time of AppendSafe come to the same as one at a time.
func TestSafeRuns(t *testing.T) {
	slow := func(s string) (out []byte) {
		for i, r := range s {
			n := utf8.RuneLen(r)
			if r == utf8.RuneError {
				_, n = utf8.DecodeRuneInString(s[i:])
			}
			if r < utf8.RuneSelf && plain[r] || r >= utf8.RuneSelf && strconv.IsPrint(r) && !(r == utf8.RuneError && n == 1) {
				out = append(out, s[i:i+n]...)
			} else {
				out = appendEscape(out, s[i], r, n)
			}
		}
		return out
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	odd := []string{"\\", "\x7f", "\x1f", "\x00", "\x80", "\xff", "\xc3\xa9", "\u202e", "\ufffd", "\n", "~", " ", "[", "]"}
	for range 20000 {
		b := []byte(strings.Repeat("a", rnd.IntN(40)))
		for range rnd.IntN(3) {
			at := rnd.IntN(len(b) + 1)
			b = append(b[:at:at], append([]byte(odd[rnd.IntN(len(odd))]), b[at:]...)...)
		}
		s := string(b)
		if got, want := AppendSafe(nil, s), slow(s); !bytes.Equal(got, want) || isSafe(s) != (s == string(want)) {
			t.Fatalf("%q: %q, not %q", s, got, want)
		}
	}
}
