package output

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

func printing(c rune) bool { return strconv.IsPrint(c) }

// every is each format with the options that change what it shows.
func every(t testing.TB) map[string]Format {
	all := map[string]Format{}
	names := []string{}
	for _, f := range record.Fields() {
		names = append(names, f.Name)
	}
	for name, c := range map[string]struct {
		format string
		o      Options
	}{
		"table":          {"table", Options{}},
		"table terminal": {"table", Options{Terminal: true, Width: 80}},
		"table narrow":   {"table", Options{Terminal: true, Width: 13}},
		"table epoch":    {"table", Options{Time: TimeEpoch}},
		"tree":           {"tree", Options{}},
		"tree hex":       {"tree", Options{Hex: true}},
		"json":           {"json", Options{}},
		"fields":         {"fields", Options{Fields: names, Separator: "|"}},
		"fields quoted":  {"fields", Options{Fields: names, Separator: ";", Quote: 'd', Occurrence: 'l'}},
		"redacted json":  {"json", Options{Redact: NewRedactor([]byte("seed"))}},
		"redacted tree":  {"tree", Options{Redact: NewRedactor([]byte("seed")), Hex: true}},
	} {
		f, err := New(c.format, c.o)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = f
	}
	return all
}

// Every format: UTF-8, whole lines, nothing that does not print, the same octets twice, the record untouched.
func TestConformance(t *testing.T) {
	formats := every(t)
	for _, want := range Formats() {
		found := false
		for name := range formats {
			found = found || strings.Contains(name, want)
		}
		if !found {
			t.Errorf("format %s is not tested", want)
		}
	}
	for seed := range uint64(600) {
		r, same := newGen(seed).record(), newGen(seed).record()
		for name, f := range formats {
			out := f.Append(nil, r)
			if !utf8.Valid(out) || len(out) == 0 || out[len(out)-1] != '\n' {
				t.Fatalf("seed %d, %s: not whole lines of UTF-8: %q", seed, name, out)
			}
			for i, c := range string(out) {
				if !printing(c) && c != '\n' {
					t.Fatalf("seed %d, %s: %U at %d of %q", seed, name, c, i, out)
				}
			}
			if again := f.Append([]byte("x"), r); string(again) != "x"+string(out) {
				t.Fatalf("seed %d, %s: differs the second time:\n%s%s", seed, name, out, again[1:])
			}
			if !reflect.DeepEqual(r, same) {
				t.Fatalf("seed %d, %s: changed the record", seed, name)
			}
			lines := bytes.Count(out, []byte("\n"))
			if lines != 1 && !strings.Contains(name, "tree") && !(r.Type == record.SummaryType && strings.Contains(name, "terminal")) &&
				!(r.Type == record.SummaryType && strings.Contains(name, "narrow")) {
				t.Fatalf("seed %d, %s: %d lines", seed, name, lines)
			}
		}
	}
}

// With colours the same holds once the program's own sequences are taken away.
func TestConformanceColor(t *testing.T) {
	for _, name := range []string{"table", "tree"} {
		f, err := New(name, Options{Terminal: true, Color: true, Width: 150})
		if err != nil {
			t.Fatal(err)
		}
		colored := false
		for seed := range uint64(300) {
			out := string(f.Append(nil, newGen(seed).record()))
			for _, sgr := range []string{red, green, yellow, blue, cyan, dim, bold, "0"} {
				colored = colored || strings.Contains(out, "\x1b["+sgr+"m")
				out = strings.ReplaceAll(out, "\x1b["+sgr+"m", "")
			}
			for _, c := range out {
				if !printing(c) && c != '\n' {
					t.Fatalf("seed %d, %s: %U in %q", seed, name, c, out)
				}
			}
		}
		if !colored {
			t.Errorf("%s has no colours", name)
		}
	}
}

// Formats are called by several workers at once (run with -race).
func TestConcurrent(t *testing.T) {
	r := sample()
	for name, f := range every(t) {
		want := f.Append(nil, r)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					if got := f.Append(nil, r); !bytes.Equal(got, want) {
						t.Errorf("%s differs", name)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// A withheld value is visibly marked, whatever its kind, and masked octets are in no dump.
func TestWithheldIsMarked(t *testing.T) {
	for name, f := range every(t) {
		if strings.Contains(name, "table") { // shows no values of the kind
			continue
		}
		for _, c := range []struct {
			field *record.Field
			value string
		}{{fCallID, "abc"}, {fCallID, ""}, {fMikeyRand, "\x01"}, {fMikeyRand, ""}, {fToken, "eyJ."}, {fToken, ""}, {fClientID, "x"}} {
			r := &record.Record{}
			b := record.Builder{R: r, Want: record.All()}
			n := b.Node(c.field, record.Place{})
			n.Str = c.value
			n.Flags |= record.Withheld
			if c.value != "" {
				n.Flags |= record.HasValue
			}
			out := string(f.Append(nil, r))
			if !strings.Contains(out, WithheldMark) {
				t.Errorf("%s: %s %q has no mark: %s", name, c.field.Name, c.value, out)
			}
		}
		out := string(f.Append(nil, sample()))
		for _, bad := range []string{"topsecret", hex.EncodeToString([]byte("topsecret")), "74 6f 70 73"} {
			if strings.Contains(out, bad) {
				t.Errorf("%s shows a secret: %s", name, out)
			}
		}
	}
	f, _ := New("tree", Options{Hex: true, Secrets: true})
	if out := string(f.Append(nil, sample())); !strings.Contains(out, "n: topsecret....") {
		t.Errorf("asked for, the secret is not shown:\n%s", out)
	}
}

// Masks may overlap and lie beyond the end.
func TestMasksOverlap(t *testing.T) {
	r := &record.Record{Sources: []record.Source{{Parent: -1, Data: []byte("abcdefghijklmnopqrst"),
		Masked: []record.Range{{Off: 10, Len: 2}, {Off: 2, Len: 8}, {Off: 3, Len: 1}, {Off: 18, Len: 1 << 31}, {Off: 18, Len: 1}}}}}
	f, _ := New("tree", Options{Hex: true})
	out := string(f.Append(nil, r))
	if !strings.Contains(out, "  ab··········mnop\n") || !strings.Contains(out, "  qr··\n") || !strings.Contains(out, "61 62 ·· ·· ·· ·· ·· ··  ·· ·· ·· ·· 6d 6e 6f 70") {
		t.Errorf("got\n%s", out)
	}
}

type failing struct {
	left int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, f.err
	}
	return len(b), nil
}

type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) / 2, nil }

func TestWriteErrors(t *testing.T) {
	full := errors.New("disk full")
	for name, f := range every(t) {
		w := &failing{1, full}
		p := NewPrinter(w, f)
		if err := p.Print(sample()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Print(sample()); err != full {
			t.Errorf("%s: %v", name, err)
		}
		w.left = 100
		if err := p.Print(sample()); err != full {
			t.Errorf("%s: the error did not stick: %v", name, err)
		}
		if err := p.Close(); err != full {
			t.Errorf("%s: close: %v", name, err)
		}
		if err := NewPrinter(short{}, f).Print(sample()); err != io.ErrShortWrite {
			t.Errorf("%s: short write: %v", name, err)
		}
	}
}

func TestNewErrors(t *testing.T) {
	for _, c := range []struct {
		format string
		o      Options
		want   string
	}{
		{"xml", Options{}, `unknown format "xml"; there are table, tree, json, fields`},
		{"fields", Options{}, "the format fields needs the names of fields"},
		{"fields", Options{Fields: []string{"sip.metod"}}, `unknown field "sip.metod"; did you mean sip.method`},
		{"fields", Options{Fields: []string{"sip.method"}, Quote: 'x'}, "unknown quote 'x'"},
		{"fields", Options{Fields: []string{"sip.method"}, Occurrence: 'x'}, "unknown occurrence 'x'"},
	} {
		if _, err := New(c.format, c.o); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v: got %v", c, err)
		}
	}
	var u *UnknownField
	if _, err := New("fields", Options{Fields: []string{"sip.metod"}}); !errors.As(err, &u) || !slices.Contains(u.Near, "sip.method") {
		t.Error("no near names")
	}
	for in, want := range map[string]TimeStyle{"": TimeAuto, "r": TimeRelative, "utc": TimeUTC, "epoch": TimeEpoch} {
		if got, err := ParseTimeStyle(in); got != want || err != nil {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	if _, err := ParseTimeStyle("x"); err == nil {
		t.Error("no error")
	}
}

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü 漢": "plain ü 漢", "a\tb\r\n": `a\tb\r\n`, "\x1b[0m": `\x1b[0m`, "\x00\x07\x7f": `\x00\x07\x7f`, `\`: `\\`, `\x1b`: `\\x1b`,
		"\u009b": `\u009b`, "\u202e": `\u202e`, "\ufeff": `\ufeff`, "\xff\xc3": `\xff\xc3`, "\U000e0001": `\U000e0001`, "\u00a0": `\u00a0`,
		"\xed\xa0\x80": `\xed\xa0\x80`, "\ufffd": "\ufffd", "": "",
	} {
		if got := Safe(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	if s := "clean"; len(s) == 0 || testing.AllocsPerRun(10, func() { Safe(s) }) != 0 {
		t.Error("a clean string is copied")
	}
}

// Safe prints, keeps what prints, and the original can be had back.
func FuzzSafe(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := Safe(s)
		for _, c := range out {
			if !printing(c) {
				t.Fatalf("%q holds %U", out, c)
			}
		}
		if (out == s) != isSafe(s) || string(AppendSafe([]byte("x"), s)) != "x"+out {
			t.Fatalf("%q: Safe, isSafe and AppendSafe disagree", s)
		}
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(out, `"`, `\"`) + `"`)
		if err != nil || back != s {
			t.Fatalf("%q became %q and came back as %q (%v)", s, out, back, err)
		}
		for max := range 12 {
			b, w := appendClip(nil, out, max)
			if Width(string(b)) != w || w > max {
				t.Fatalf("%q clipped to %d is %q, width %d", out, max, b, w)
			}
		}
	})
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "漢字": 4, "ü": 1, "e\u0301": 1, "한": 2, "🚓": 2, "ｶ": 1, "Ａ": 2, "": 0, "…": 1, "→": 1} {
		if got := Width(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
	for _, table := range [][][2]rune{zeroWidth[:], doubleWidth[:]} {
		for i, r := range table {
			if r[0] > r[1] || i > 0 && table[i-1][1] >= r[0] {
				t.Errorf("range %x is out of order", r)
			}
		}
	}
}
