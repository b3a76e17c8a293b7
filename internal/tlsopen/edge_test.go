package tlsopen

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// TestEdges: how many records may be lost, how many in a row may not open, how many sessions are remembered.
func TestEdges(t *testing.T) {
	k := &testkit.KeyLog{}
	var talk [][2]string
	for i := range 150 {
		talk = append(talk, [2]string{fmt.Sprintf("request %d.", i), fmt.Sprintf("answer %d.", i)})
	}
	log, errs := testkit.Converse(&tls.Config{InsecureSkipVerify: true, KeyLogWriter: k, MinVersion: tls.VersionTLS13}, &tls.Config{Certificates: testkit.TLSCertificates(t)}, talk)
	if errs[0] != nil {
		t.Fatal(errs)
	}
	for lost, want := range map[int]bool{ahead - 1: true, ahead + 1: false} {
		got := &chunked{s: &session{}, learn: true}
		got.s.chunks[0], got.s.chunks[1] = map[string]bool{}, map[string]bool{}
		c := New(k, got, nil, Limits{})
		var off [2]int64
		nth, after := 0, 0
		for _, x := range log {
			if x.Side == 0 {
				nth++
			}
			switch {
			case x.Side == 0 && nth > 20 && nth <= 20+lost:
				c.Gap(0, 0) // nobody knows how many octets
			default:
				if x.Side == 0 && nth > 20+lost {
					after++
				}
				c.Write(x.Side, x.Octets, off[x.Side])
			}
			off[x.Side] += int64(len(x.Octets))
		}
		c.Close(0)
		c.Close(1)
		givenUp := 0
		for _, p := range got.problems {
			if p.Kind == ProblemGiveUp {
				givenUp++
			}
		}
		if found := strings.Contains(got.data[0].String(), "request 149."); found != want || (givenUp > 0) == want || !strings.Contains(got.data[1].String(), "answer 149.") || after < maxFails {
			t.Errorf("%d records lost: found again %v, given up %d times, %d writes after it", lost, found, givenUp, after)
		}
	}

	s := NewSessions(3)
	for i := range 4 {
		s.put([]byte{byte(i)}, []byte("master"))
		s.put([]byte{byte(i)}, []byte("master"))
	}
	if s.Len() != 3 || s.get([]byte{0}) != nil || s.get([]byte{1}) == nil || s.get([]byte{3}) == nil {
		t.Errorf("%d sessions are remembered", s.Len())
	}
}
