package flow

import (
	"slices"
	"strings"
	"testing"
)

// FuzzHTTP: the framing does not depend on how the octets came in segments, for any octets on both directions; what is
// handed out holds together. The sizes of the segments are taken from the input as well, and how often the end of each
// direction is repeated, so that the limits of sections and blocks are reached.
func FuzzHTTP(f *testing.F) {
	for _, x := range http1Cases {
		var sides [2]string
		for _, l := range x.lines {
			sides[l.side] += l.s
		}
		f.Add(sides[0], sides[1], byte(7), uint16(0))
	}
	for i := range h2Cases {
		c, s := newH2Side(), newH2Side()
		h2Cases[i].do(c, s, func() {})
		f.Add(string(h2Preface)+c.take(), "\x00\x00\x00\x04\x00\x00\x00\x00\x00"+s.take(), byte(5), uint16(0))
	}
	for _, end := range []string{"a: bcdefghijklmn\r\n", " folded over line\n", "GET /a HTTP/1.1\n", "GET /a HTTP/1.1\r\n\r\n"} {
		f.Add("GET "+kmsInit+" HTTP/1.1\r\nHost: kms\r\n"+end, "HTTP/1.1 200 OK\r\n"+end, byte(100), uint16(4000))
	}
	f.Add(string(h2Preface)+"\x00\x00\x07\x00\x08\x00\x00\x00\x01\xc8\x00", "", byte(100), uint16(50))
	f.Fuzz(func(t *testing.T, client, server string, size byte, times uint16) {
		if len(client) > 8192 || len(server) > 8192 {
			return
		}
		if times > 0 { // 16 octets, up to beyond the limit of a section
			client += strings.Repeat(client[max(len(client)-16, 0):], int(times)%(maxHTTPHead/16+200))
			server += strings.Repeat(server[max(len(server)-16, 0):], int(times)%(maxHTTPHead/16+200))
		}
		run := func(mss int) *feed {
			k, f := newTalk(Config{AllHTTP: true})
			k.mss = mss
			k.open().client(client).server(server).close().end()
			checkHTTP(t, f)
			if f.d.streams.bytes() != 0 {
				t.Fatalf("%d octets held", f.d.streams.bytes())
			}
			return f
		}
		// Long streams go in segments of more octets, or one run would take a good part of a second.
		mss := max(int(size)+1, (len(client)+len(server))>>12)
		a, b := briefs(run(1<<16)), briefs(run(mss))
		// Out of step, the beginnings of segments are places to begin again, so only streams in step have to agree.
		lost := func(list []string) bool {
			return slices.ContainsFunc(list, func(s string) bool {
				return s == "finding stream-junk" || s == "finding h2-framing" || len(s) > 8 && s[:8] == "not HTTP" ||
					len(s) > 14 && s[len(s)-14:] == "!http-framing" || len(s) > 12 && s[len(s)-12:] == "http-framing"
			})
		}
		if httpPrefix([]byte(client)) != 1 || httpPrefix([]byte(server)) != 1 || lost(a) || lost(b) {
			return
		}
		if !slices.Equal(a, b) {
			t.Fatalf("in segments of %d:\n%q\nin one:\n%q", mss, b, a)
		}
	})
}

// BenchmarkHTTP frames exchanges that are handed out; BenchmarkHTTPOther a download that is not.
func BenchmarkHTTP(b *testing.B) {
	k, f := newTalk(Config{})
	text := get(kmsInit)
	answer := ok(string(make([]byte, 1000)))
	k.open()
	b.SetBytes(int64(len(text) + len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		k.client(text).server(answer)
		f.units, f.findings = f.units[:0], f.findings[:0]
	}
}

func BenchmarkHTTPOther(b *testing.B) {
	k, f := newTalk(Config{})
	k.open().client("GET /movie HTTP/1.1\r\nHost: www.example.org\r\n\r\n").server("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
	b.SetBytes(1400)
	b.ReportAllocs()
	seg := string(make([]byte, 1400))
	for b.Loop() {
		k.server(seg)
	}
	if len(f.units) > 0 {
		b.Fatal("handed out")
	}
}
