package decode

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

const (
	maxCodings     = 4        // content and transfer codings of one message
	maxExpanded    = 64 << 20 // octets that one message expands to, over all its codings
	maxExpandRatio = 1000     // a coding may expand to so many times its octets, and to minExpanded
	minExpanded    = 1 << 20
)

var errExpand = errors.New("it expands beyond the limit")

// httpCodings lists the codings of the content, the outermost first: what Transfer-Encoding names beside chunked, then
// Content-Encoding, each from its last to its first (RFC 9110 8.4, RFC 9112 6.1).
func httpCodings(h *flow.HTTP) (list []string) {
	for _, name := range [...]string{"transfer-encoding", "content-encoding"} {
		from := len(list)
		for i := range h.Header {
			f := &h.Header[i]
			if f.Trailer || !strings.EqualFold(f.Name, name) {
				continue
			}
			for t := range strings.SplitSeq(f.Value, ",") {
				t, _, _ = strings.Cut(t, ";")
				switch t = strings.ToLower(strings.TrimSpace(t)); t {
				case "", "identity", "chunked", "aws-chunked":
				default:
					list = append(list, t)
				}
			}
		}
		for i, j := from, len(list)-1; i < j; i, j = i+1, j-1 {
			list[i], list[j] = list[j], list[i]
		}
	}
	return list
}

// uncode undoes one coding. What could be decoded before an error is returned with it; budget is how many octets it may
// be, and known says whether the coding is one.
func uncode(coding string, b []byte, budget int) (out []byte, known bool, err error) {
	var r io.Reader
	known = true
	switch coding {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(b))
	case "deflate":
		// zlib by the specification; many senders leave its wrapping out (RFC 9110 8.4.1.2).
		if r, err = zlib.NewReader(bytes.NewReader(b)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(b)), nil
		}
	case "br":
		r = brotli.NewReader(bytes.NewReader(b))
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxExpanded), zstd.WithDecoderMaxWindow(8<<20)); err == nil {
			defer z.Close()
			r = z
		}
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	budget = min(budget, max(minExpanded, maxExpandRatio*len(b)))
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(r, int64(budget)+1))
	if n > int64(budget) {
		return buf.Bytes()[:budget], true, errExpand
	}
	return buf.Bytes(), true, err
}

// httpContent undoes the codings of the content and adds the bodies that are in it.
func (w *worker) httpContent(u *flow.Unit, m *message) {
	h := u.HTTP
	m.parts = m.parts[:0]
	if h.ContentEnd <= h.HeaderEnd || w.skim {
		return
	}
	raw, src, off := u.Data, 0, h.HeaderEnd
	data := u.Data[h.HeaderEnd:h.ContentEnd]
	budget := maxExpanded
	codings := httpCodings(h)
	if len(codings) > maxCodings {
		w.contentFinding("http-coding", record.Warning, fmt.Sprintf("content with %d codings, more than the limit; they were not undone", len(codings)), src, off, len(data))
		codings = nil
	}
	whole := true
	for _, c := range codings {
		out, known, err := uncode(c, data, budget)
		if !known {
			w.contentFinding("http-coding", record.Warning, fmt.Sprintf("content coding %q is not known; what is shown is coded", shorten(c)), src, off, len(data))
			whole = false
			break
		}
		switch {
		case err == nil:
		case errors.Is(err, errExpand):
			w.contentFinding("limit-expansion", record.Warning, fmt.Sprintf("%s content of %d octets expands to more than %d; the rest was left out", c, len(data), len(out)), src, off, len(data))
		case u.Truncated && len(out) > 0: // the end is missing
		case len(out) == 0:
			w.contentFinding("http-coding", record.Error, fmt.Sprintf("content is not coded in %s, as its header says; it is shown as it is", c), src, off, len(data))
		default:
			w.contentFinding("http-coding", record.Error, fmt.Sprintf("%s content is damaged after %d decoded octets", c, len(out)), src, off, len(data))
		}
		if err != nil && len(out) == 0 {
			break
		}
		budget -= len(out)
		s := w.b.Source(record.Source{Kind: record.Decoded, Name: c + "-decoded content", Data: out, Parent: src, ParentOff: uint32(off), ParentLen: uint32(len(data))})
		if s < 0 {
			break
		}
		raw, data, src, off = out, out, s, 0
	}
	ct := h.Get("content-type")
	if !whole {
		ct = "application/octet-stream"
	}
	m.src, m.base = src, 0
	outer := w.c.msg
	w.c.msg = m
	defer func() { w.c.msg = outer }()
	w.mime(m, m.split.Content(raw, sipparse.Span{Off: uint32(off), Len: uint32(len(data))}, []byte(ct), []byte(h.Get("content-id")), []byte(h.Get("content-disposition")), nil,
		sipparse.Limits{Parts: w.opt.Limits.Parts}))
}

func (w *worker) contentFinding(id string, sev record.Severity, text string, src, off, n int) {
	f := record.Finding{ID: id, Severity: sev, Clause: "RFC 9110 8.4", Message: text, Field: fHTTPContentEncoding.Name}
	if id == "limit-expansion" {
		f.Clause = "mcxdump"
	}
	if p := record.At(src, off, n); p.Known {
		f.Source, f.Off, f.Len, f.HasRange = uint16(p.Src), p.Off, p.Len, true
	}
	w.b.Finding(f)
}

// planContent is the decoded content of an HTTP message, for the stage that looks for the names of keys ahead.
func planContent(h *flow.HTTP, b []byte) []byte {
	b = b[h.HeaderEnd:h.ContentEnd]
	for i, c := range httpCodings(h) {
		out, known, _ := uncode(c, b, 4<<20)
		if !known || i >= maxCodings {
			return nil
		}
		b = out
	}
	return b
}
