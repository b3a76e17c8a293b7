package flow

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// chunkSize reads the line that begins a chunk (RFC 9112 7.1): hexadecimal digits and extensions.
func (r *httpReader) chunkSize(line []byte) (n int64, err string) {
	if k := len(line); k > 0 && line[k-1] == '\r' {
		line = line[:k-1]
	} else {
		r.note("http-bare-lf", record.Warning, "RFC 9112 7.1", "the line of a chunk ends with a bare LF, which readers take differently", 0, 0)
	}
	digits, _, ext := bytes.Cut(line, []byte(";"))
	if ext && bytes.IndexByte(line, '\r') >= 0 {
		r.note("http-bare-cr", record.Warning, "RFC 9112 2.2", "a chunk extension has a CR inside, which readers take differently", 0, 0)
	}
	size := bytes.TrimRight(digits, " \t")
	if len(size) < len(digits) {
		r.note("http-chunk-space", record.Note, "RFC 9112 7.1.1", "white space follows the size of a chunk", 0, 0)
	}
	v, e := strconv.ParseUint(string(size), 16, 63)
	if e != nil || size[0] == '+' || size[0] == '-' || bytes.IndexByte(size, '_') >= 0 {
		return 0, fmt.Sprintf("the size of a chunk is %q, which is no hexadecimal number", clipped(size))
	}
	return int64(v), ""
}

func clipped(b []byte) string { return string(b[:min(len(b), 32)]) }

// length finds out how long the content is (RFC 9112 6.3): n octets when known, chunked, or else to the end of the
// stream. The rules that need the request are the caller's.
func (r *httpReader) length(h *HTTP) (n int64, chunked, known bool) {
	coded := false
	var codings []string
	for i := range h.Header {
		f := &h.Header[i]
		if !equalFold([]byte(f.Name), "transfer-encoding") {
			continue
		}
		coded = true
		for t := range strings.SplitSeq(f.Value, ",") {
			t, _, _ = strings.Cut(t, ";")
			if t = strings.ToLower(strings.TrimSpace(t)); t != "" && t != "identity" {
				codings = append(codings, t)
			}
		}
	}
	if k := len(codings); k > 0 {
		chunked = codings[k-1] == "chunked"
		for i, t := range codings {
			switch t {
			case "chunked":
				if i < k-1 {
					r.note("http-transfer-encoding", record.Warning, "RFC 9112 6.1", "chunked is not the last transfer coding, which readers take differently", 0, 0)
				}
			case "gzip", "x-gzip", "deflate", "compress", "x-compress":
			default:
				r.note("http-transfer-encoding", record.Warning, "RFC 9112 6.1", fmt.Sprintf("unknown transfer coding %q", clipped([]byte(t))), 0, 0)
			}
		}
		if h.Version == "1.0" {
			r.note("http-transfer-encoding", record.Warning, "RFC 9112 6.1", "HTTP/1.0 has no transfer codings", 0, 0)
		}
		if h.Request && !chunked {
			r.note("http-transfer-encoding", record.Error, "RFC 9112 6.3", "the last transfer coding of a request is not chunked, so that its end is not known", 0, 0)
		}
	}
	first := true
	for i := range h.Header {
		f := &h.Header[i]
		if !equalFold([]byte(f.Name), "content-length") {
			continue
		}
		if coded && len(codings) > 0 {
			r.note("http-length-conflict", record.Error, "RFC 9112 6.3", "Transfer-Encoding and Content-Length in one message: readers may take its end differently (request smuggling)", int(f.Off), int(f.Len))
			break
		}
		for t := range strings.SplitSeq(f.Value, ",") {
			v, err := strconv.ParseUint(strings.Trim(t, " \t"), 10, 63)
			switch {
			case err != nil || !digit(strings.Trim(t, " \t")[0]):
				r.note("http-length", record.Error, "RFC 9112 6.3", fmt.Sprintf("Content-Length %q is no number", clipped([]byte(t))), int(f.Off), int(f.Len))
			case first:
				n, known, first = int64(v), true, false
			case int64(v) != n:
				r.note("http-length-conflict", record.Error, "RFC 9112 6.3", "Content-Length occurs with differing values: readers may take the end of the message differently (request smuggling)", int(f.Off), int(f.Len))
			default:
				r.note("http-length-repeated", record.Warning, "RFC 9112 6.3", "Content-Length occurs more than once, with the same value", int(f.Off), int(f.Len))
			}
		}
	}
	if len(codings) > 0 {
		return 0, chunked, false
	}
	return n, false, known
}
