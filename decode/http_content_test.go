package decode

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// coded is b in a content coding.
func coded(t testing.TB, coding string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw deflate":
		w, _ = flate.NewWriter(&out, 9)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, _ = zstd.NewWriter(&out)
	default:
		t.Fatal(coding)
	}
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// httpRecord decodes an HTTP message that is given as its sections.
func httpRecord(head string, content []byte, opt Options) *record.Record {
	opt.Limits = opt.Limits.withDefaults()
	opt.Want = record.All()
	h := &flow.HTTP{Version: "1.1", Status: 200, Conn: 1, Exchange: 7, RequestMethod: "GET", RequestTarget: "/keymanagement/x?code=topsecret1", RequestHost: "kms.example.org"}
	data := "HTTP/1.1 200 OK\r\n"
	if first, rest, ok := strings.Cut(head, " HTTP/1.1\r\n"); ok {
		h.Request = true
		h.Method, h.Target, _ = strings.Cut(first, " ")
		h.RequestMethod, h.RequestTarget, h.RequestHost = "", "", ""
		data, head = first+" HTTP/1.1\r\n", rest
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(head, "\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Header = append(h.Header, flow.HTTPField{Name: name, Value: value, Off: uint32(len(data) + len(name) + 2), Len: uint32(len(value))})
			if name == "Host" {
				h.Authority = value
			}
		}
		data += line + "\r\n"
	}
	data += "\r\n"
	h.HeaderEnd = len(data)
	h.ContentEnd = len(data) + len(content)
	u := &flow.Unit{Data: append([]byte(data), content...), Transport: flow.TCP, Frames: []uint64{1}, Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), HTTP: h}
	return newWorker(&opt).message(context.Background(), u, 1)
}

func findingIDs(r *record.Record) (out []string) {
	for i := range r.Findings {
		out = append(out, r.Findings[i].ID)
	}
	return out
}

func hasValue(r *record.Record, name, value string) bool {
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Field.Name == name && string(r.Value(n).AppendText(nil)) == value {
			return true
		}
	}
	return false
}

// TestContentCodings: each coding and stacks of them lead to the same body, which is a source of its own.
func TestContentCodings(t *testing.T) {
	body := []byte(`{"expires_in":3600,"x":"` + strings.Repeat("y", 300) + `"}`)
	for _, x := range []struct{ header, how string }{
		{"", ""}, {"gzip", "gzip"}, {"x-gzip", "x-gzip"}, {"deflate", "deflate"}, {"deflate", "raw deflate"}, {"br", "br"}, {"zstd", "zstd"}, {"GZIP", "gzip"},
		{"gzip, br", "gzip br"}, {"identity", ""}, {"deflate, gzip, zstd", "deflate gzip zstd"},
	} {
		b := body
		for how := range strings.FieldsSeq(strings.Replace(x.how, "raw deflate", "raw_deflate", 1)) {
			b = coded(t, strings.Replace(how, "_", " ", 1), b)
		}
		r := httpRecord("Content-Type: application/json\r\nContent-Encoding: "+x.header+"\r\n", b, Options{})
		if len(r.Findings) > 0 || !hasValue(r, "bodies.length", itoa(len(body))) || !hasValue(r, "json", string(body)) {
			t.Errorf("%s: %v", x.how, r.Findings)
			continue
		}
		last := &r.Sources[len(r.Sources)-1]
		if !bytes.Equal(last.Data[len(last.Data)-len(body):], body) || len(r.Sources) != 1+len(strings.Fields(strings.Replace(x.how, "raw ", "", 1))) {
			t.Errorf("%s: %d sources", x.how, len(r.Sources))
		}
	}
	r := httpRecord("Content-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n", coded(t, "gzip", body), Options{})
	if len(r.Findings) > 0 || !hasValue(r, "json", string(body)) {
		t.Errorf("transfer coding: %v", r.Findings)
	}
}

// TestContentCodingFaults: what is wrong with a coding is told, and as much is shown as there is.
func TestContentCodingFaults(t *testing.T) {
	body := bytes.Repeat([]byte(`{"a":"0123456789"}`), 2000)
	gz := coded(t, "gzip", body)
	bomb := make([]byte, 100<<20)
	for _, x := range []struct {
		name, header string
		content      []byte
		want         []string
		size         int
	}{
		{"not gzip", "gzip", []byte("plain text"), []string{"http-coding"}, 10},
		{"not br", "br", []byte("plain text that is no brotli \xff\xff"), []string{"http-coding"}, 31},
		{"unknown", "rot13", []byte("plain"), []string{"http-coding"}, 5},
		{"damaged", "gzip", append(bytes.Clone(gz[:len(gz)-20]), bytes.Repeat([]byte{0xff}, 20)...), []string{"http-coding"}, -1},
		{"cut off", "gzip", gz[:len(gz)/2], []string{"http-coding"}, -1},
		{"too many", "gzip, gzip, gzip, gzip, gzip", gz, []string{"http-coding"}, len(gz)},
		{"ratio", "br", coded(t, "br", bomb), []string{"limit-expansion"}, minExpanded},
		{"absolute", "gzip", coded(t, "gzip", bomb), []string{"limit-expansion"}, maxExpanded},
		{"zstd ratio", "zstd", coded(t, "zstd", bomb), []string{"limit-expansion"}, -1},
	} {
		r := httpRecord("Content-Type: application/x-something\r\nContent-Encoding: "+x.header+"\r\n", x.content, Options{})
		if got := findingIDs(r); !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", x.name, r.Findings, x.want)
		}
		if x.size >= 0 && !hasValue(r, "bodies.length", itoa(x.size)) {
			t.Errorf("%s: not %d octets", x.name, x.size)
		}
		for i := range r.Findings {
			if f := &r.Findings[i]; f.HasRange && int(f.Off+f.Len) > len(r.Sources[f.Source].Data) {
				t.Errorf("%s: %+v", x.name, f)
			}
		}
	}
}

// FuzzContent: whatever the coding and the octets, findings and sources lie inside, and expansion is bounded.
func FuzzContent(f *testing.F) {
	for _, c := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(c, coded(f, c, []byte(`{"access_token":"x"}`)))
	}
	f.Fuzz(func(t *testing.T, coding string, b []byte) {
		if strings.ContainsAny(coding, "\r\n") || len(b) > 64<<10 {
			return
		}
		r := httpRecord("Content-Type: application/json\r\nContent-Encoding: "+coding+"\r\n", b, Options{})
		total := 0
		for i := range r.Sources {
			s := &r.Sources[i]
			if s.Parent >= i || s.Parent >= 0 && int(s.ParentOff+s.ParentLen) > len(r.Sources[s.Parent].Data) {
				t.Fatalf("source %d: %+v", i, s)
			}
			total += len(s.Data)
		}
		if total > maxExpanded+len(b)+1<<16 {
			t.Fatalf("%d octets", total)
		}
		for i := range r.Findings {
			if f := &r.Findings[i]; f.HasRange && int(f.Off+f.Len) > len(r.Sources[f.Source].Data) {
				t.Fatalf("%+v", f)
			}
		}
	})
}

func httpUnitOf(request bool, exchange uint64) *flow.HTTP {
	return &flow.HTTP{Request: request, Exchange: exchange}
}
