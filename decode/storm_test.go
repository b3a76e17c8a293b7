package decode

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/output"
)

// stormDamages change a message; other is one to take pieces from. A fault that needs several of them at once, a header field
// that hides a body's type, a tag that is none and an end that is missing, is out of reach for the damage of one octet.
var stormDamages = []func(r *rand.Rand, b, other []byte) []byte{
	func(r *rand.Rand, b, _ []byte) []byte { // an octet becomes one that means something
		const marks = "<>\"'/&=:;,.- \r\n\x00\xffYA09[]{}"
		b[r.IntN(len(b))] = marks[r.IntN(len(marks))]
		return b
	},
	func(r *rand.Rand, b, _ []byte) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b },
	func(r *rand.Rand, b, _ []byte) []byte { return b[:r.IntN(len(b)+1)] },
	func(r *rand.Rand, b, _ []byte) []byte { // a hole
		i := r.IntN(len(b))
		return append(b[:i], b[min(i+1<<r.IntN(9), len(b)):]...)
	},
	func(r *rand.Rand, b, other []byte) []byte { // a piece of another message, or of this one
		i, k := r.IntN(len(b)), r.IntN(len(other))
		piece := bytes.Clone(other[k:min(k+1<<r.IntN(11), len(other))])
		return append(b[:i:i], append(piece, b[i:]...)...)
	},
	func(r *rand.Rand, b, _ []byte) []byte { // a piece again and again
		i := r.IntN(len(b))
		piece := bytes.Clone(b[i:min(i+1+r.IntN(64), len(b))])
		return append(b[:i:i], append(bytes.Repeat(piece, 1+r.IntN(30)), b[i:]...)...)
	},
	func(r *rand.Rand, b, _ []byte) []byte { // something that is looked for is not there
		words := []string{"<?xml", "<mcpttinfo", "Content-Type", "Content-Length", "CipherValue", "EncryptedData", "KeyName", "mcptt-access-token", "\r\n\r\n", "\r\n--", "=", "\"", "<", ">", "</", "boundary", "Via", ":", ";", "xmlns"}
		w := []byte(words[r.IntN(len(words))])
		n := bytes.Count(b, w)
		if n == 0 {
			return b
		}
		at := 0
		for range 1 + r.IntN(n) {
			i := bytes.Index(b[at:], w)
			if i < 0 {
				break
			}
			at += i + 1
		}
		b[at-1] = "Yx\x8f<"[r.IntN(4)]
		return b
	},
	func(r *rand.Rand, b, _ []byte) []byte { // a body goes by another type
		types := []string{"text/plain", "application/json", "application/mikey", "message/sip", "application/sdp", "application/xml", "multipart/mixed;boundary=a", "application/poc-settings+xml", "application/x-www-form-urlencoded", "application/octet-stream"}
		old := []byte("Content-Type: ")
		n := bytes.Count(b, old)
		if n == 0 {
			return b
		}
		at := 0
		for range 1 + r.IntN(n) {
			if i := bytes.Index(b[at:], old); i >= 0 {
				at += i + len(old)
			}
		}
		end := at + max(bytes.IndexByte(b[at:], '\r'), 0)
		return append(b[:at:at], append([]byte(types[r.IntN(len(types))]), b[end:]...)...)
	},
}

// TestStorm damages the messages of the captures in testdata several times over: nothing panics, records are well-formed, JSON is JSON, and what a
// worker remembers of other messages changes nothing. MCXDUMP_STORM says for how long, such as 30m.
func TestStorm(t *testing.T) {
	var units [][]byte
	files, _ := filepath.Glob("../testdata/pcaps/*.pcap*")
	for _, f := range files {
		src, err := capture.Open([]string{f}, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		opt := Options{Workers: 1, Units: func(u *flow.Unit) {
			if u.HTTP == nil && len(u.Data) > 0 && len(u.Data) < 16<<10 {
				units = append(units, bytes.Clone(u.Data))
			}
		}}
		if _, err := Run(context.Background(), src, opt, discard{}); err != nil && !strings.Contains(err.Error(), "the file ends") {
			t.Fatal(err)
		}
		src.Close()
	}
	if len(units) < 100 {
		t.Fatalf("%d messages", len(units))
	}
	type view struct {
		opt  Options
		form output.Format
		w    *worker
	}
	var views []*view
	for _, name := range []string{"json", "tree", "table", "fields"} {
		for _, checks := range []*CheckConfig{nil, {Confidentiality: On, Integrity: On}} {
			form, err := output.New(name, output.Options{Hex: true, Fields: []string{"sip.method", "mcptt_info", "mikey.csb_id"}, Secrets: checks != nil})
			if err != nil {
				t.Fatal(err)
			}
			v := &view{opt: Options{Want: form.Needs(), Checks: checks, ShowSecrets: checks != nil, FieldsOnly: name == "fields" && checks == nil}, form: form}
			v.opt.Limits = v.opt.Limits.withDefaults()
			v.w = newWorker(&v.opt)
			views = append(views, v)
		}
	}
	seed, ends, rounds := uint64(1), time.Time{}, 3000
	if s := os.Getenv("MCXDUMP_STORM"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		seed, ends = uint64(time.Now().UnixNano()), time.Now().Add(d)
	}
	var data []byte
	var n int
	finished := false
	defer func() {
		if !finished {
			t.Logf("seed %d, round %d, %q", seed, n, data)
		}
	}()
	ctx := context.Background()
	var out []byte
	for n = 0; ends.IsZero() && n < rounds || time.Now().Before(ends); n++ {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		data = bytes.Clone(units[r.IntN(len(units))])
		for range r.IntN(7) {
			if len(data) > 0 && len(data) < 64<<10 {
				data = stormDamages[r.IntN(len(stormDamages))](r, data, units[r.IntN(len(units))])
			}
		}
		v := views[r.IntN(len(views))]
		u := &flow.Unit{Data: data, Time: noon, Transport: "udp", Frames: []uint64{1}, Stream: r.IntN(2) == 0, Truncated: r.IntN(4) == 0}
		got := v.w.message(ctx, u, uint64(n+1))
		if v.opt.Want.Everything() { // else what objects stand in may be missing
			checkTree(t, got)
		}
		out = v.form.Append(out[:0], got)
		if v.opt.Want.Everything() && len(out) > 0 && out[0] == '{' && !json.Valid(out) {
			t.Fatalf("no JSON: %q", out)
		}
		if r.IntN(8) == 0 {
			want := v.form.Append(nil, newWorker(&v.opt).message(ctx, u, uint64(n+1)))
			if !bytes.Equal(out, want) {
				t.Fatalf("%q\nby a new worker\n%q", out, want)
			}
		}
	}
	finished = true
	if !ends.IsZero() {
		fmt.Printf("%d messages\n", n)
	}
}
