package tlsopen

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// seen is a Sink that keeps everything.
type seen struct {
	data     [2]bytes.Buffer
	lost     [2]int
	problems []Problem
	alerts   []Alert
	end      Reason
	spans    [2][][2]int64
}

func (s *seen) Data(side int, b []byte, off, end int64) {
	s.data[side].Write(b)
	s.spans[side] = append(s.spans[side], [2]int64{off, end})
}
func (s *seen) Lost(side int)           { s.lost[side]++ }
func (s *seen) Problem(p Problem)       { s.problems = append(s.problems, p) }
func (s *seen) Alert(side int, a Alert) { s.alerts = append(s.alerts, a) }
func (s *seen) End(r Reason)            { s.end = r }

// replay gives what was recorded to a Conn, in pieces of a size (0: as written).
func replay(log []testkit.TLSWrite, k Keys, sess *Sessions, size int) (*Conn, *seen) {
	s := &seen{}
	c := New(k, s, sess, Limits{})
	var off [2]int64
	for _, w := range log {
		b := w.Octets
		for len(b) > 0 {
			n := len(b)
			if size > 0 {
				n = min(n, size)
			}
			c.Write(w.Side, b[:n], off[w.Side])
			off[w.Side] += int64(n)
			b = b[n:]
		}
	}
	c.Close(0)
	c.Close(1)
	return c, s
}

var lines = [][2]string{{"REGISTER one", "200 OK"}, {strings.Repeat("long ", 9000), strings.Repeat("answer ", 5000)}, {"bye", "200 OK"}}

func said(lines [][2]string) (v [2]string) {
	for _, l := range lines {
		v[0] += l[0]
		v[1] += l[1]
	}
	return v
}

func check(t *testing.T, name string, s *seen, c *Conn, want [2]string) {
	t.Helper()
	for side := range want {
		if got := s.data[side].String(); got != want[side] {
			t.Errorf("%s: side %d: %d octets, want %d; %+v, end %d, %+v", name, side, len(got), len(want[side]), s.problems, s.end, c.info)
		}
	}
	if len(s.problems) > 0 || s.end != 0 || s.lost != [2]int{} {
		t.Errorf("%s: %+v, end %d, lost %v", name, s.problems, s.end, s.lost)
	}
}

// goSuites lists every suite of crypto/tls that can be negotiated, with its version.
func goSuites() (list []*tls.CipherSuite) {
	return append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
}
