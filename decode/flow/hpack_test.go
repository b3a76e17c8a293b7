package flow

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

func fieldsOf(t testing.TB, h *hpackDecoder, b []byte) (out []string, err error) {
	err = h.decode(b, func(f hpackField) {
		s := f.name + ": " + f.value
		if f.unknown {
			s += " ?"
		}
		out = append(out, s)
	})
	if h.size > h.max || h.size < 0 {
		t.Fatalf("table of %d octets, at most %d", h.size, h.max)
	}
	return out, err
}

// TestHpackStatic compares the static table with the one of x/net.
func TestHpackStatic(t *testing.T) {
	for i := 1; i <= len(hpackStatic)+1; i++ {
		b := []byte{0x80 | byte(i)}
		want, err := hpack.NewDecoder(4096, nil).DecodeFull(b)
		h := &hpackDecoder{}
		h.reset(false)
		got, herr := fieldsOf(t, h, b)
		if (err != nil) != (herr != nil) {
			t.Fatalf("%d: %v, want %v", i, herr, err)
		}
		if err == nil && got[0] != want[0].Name+": "+want[0].Value {
			t.Errorf("%d: %q, want %v", i, got, want)
		}
	}
}

// TestHpackReference decodes what x/net encodes, block after block, with tables of several sizes.
func TestHpackReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var buf bytes.Buffer
		e := hpack.NewEncoder(&buf)
		h := &hpackDecoder{}
		h.reset(false)
		for block := range 20 {
			if r.IntN(4) == 0 {
				e.SetMaxDynamicTableSize(uint32(r.IntN(4096)))
			}
			buf.Reset()
			var want []string
			for range 1 + r.IntN(10) {
				f := hpack.HeaderField{Name: fmt.Sprintf("x-%d", r.IntN(20)), Value: strings.Repeat("v\x80", r.IntN(30)), Sensitive: r.IntN(5) == 0}
				if r.IntN(2) == 0 {
					f.Name = hpackStatic[r.IntN(61)].name
				}
				want = append(want, f.Name+": "+f.Value)
				if err := e.WriteField(f); err != nil {
					t.Fatal(err)
				}
			}
			got, err := fieldsOf(t, h, buf.Bytes())
			if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("block %d: %v %s\ngot  %q\nwant %q", block, err, h.broken, got, want)
			}
		}
	}
}

// TestHpackPartial: entries from before the capture are marked, those that were seen are found.
func TestHpackPartial(t *testing.T) {
	var buf bytes.Buffer
	e := hpack.NewEncoder(&buf)
	write := func(fs ...string) []byte {
		buf.Reset()
		for i := 0; i < len(fs); i += 2 {
			e.WriteField(hpack.HeaderField{Name: fs[i], Value: fs[i+1]})
		}
		return bytes.Clone(buf.Bytes())
	}
	write("x-old", "1", "x-older", "2")
	h := &hpackDecoder{}
	h.reset(true)
	got, err := fieldsOf(t, h, write("x-new", "3", "x-old", "1", "x-old", "other"))
	if err != nil || strings.Join(got, "|") != "x-new: 3|:  ?|: other ?" || h.unknown != 2 {
		t.Fatalf("%q %v %d", got, err, h.unknown)
	}
	got, err = fieldsOf(t, h, write("x-new", "3", ":method", "GET"))
	if err != nil || strings.Join(got, "|") != "x-new: 3|:method: GET" {
		t.Fatalf("%q %v", got, err)
	}
}

// resizedTwice reports whether a block begins with two updates of the table's size, the smallest and the last (RFC 7541 4.2). x/net takes
// the second for one that is not at the beginning.
func resizedTwice(b []byte) bool {
	h := &hpackDecoder{}
	for range 2 {
		if len(b) == 0 || b[0]&0xe0 != 0x20 {
			return false
		}
		var err error
		if _, b, err = h.integer(b, 5); err != nil {
			return false
		}
	}
	return true
}

// FuzzHpack compares the decoder with x/net's: both fail or both give the same fields, but for resizedTwice.
func FuzzHpack(f *testing.F) {
	f.Add([]byte("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), []byte("\x82\x86\x84\xbe\x58\x08no-cache"))
	f.Add([]byte("\x3f\xe1\x1f\x40\x01a\x01b"), []byte("\xbe"))
	f.Add([]byte("@\x80\x80"), []byte("@\x80\x00\x7f\x00\x80")) // an entry whose name is empty names another
	f.Add([]byte("\x40\x0acustom-key\x0dcustom-header"), []byte("\x20\xbe"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		h := &hpackDecoder{}
		h.reset(false)
		ref := hpack.NewDecoder(4096, nil)
		for _, block := range [][]byte{a, b} {
			want, err := ref.DecodeFull(block)
			got, herr := fieldsOf(t, h, block)
			if err != nil || herr != nil {
				if (err != nil) != (herr != nil) && !(herr == nil && resizedTwice(block)) {
					t.Fatalf("%x: %v %s, want %v", block, herr, h.broken, err)
				}
				break
			}
			if len(got) != len(want) {
				t.Fatalf("%x: %q, want %v", block, got, want)
			}
			for i := range want {
				if got[i] != want[i].Name+": "+want[i].Value {
					t.Fatalf("%x: %q, want %v", block, got[i], want[i])
				}
			}
		}
		p := &hpackDecoder{}
		p.reset(true)
		p.decode(a, func(hpackField) {})
	})
}
