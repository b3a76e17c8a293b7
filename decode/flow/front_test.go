package flow_test

import (
	"os"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// passer gives back what it is lent a batch later, as the pipeline does.
type passer struct {
	n     int
	loans []*flow.Loan
}

func (p *passer) Unit(u *flow.Unit) {
	if l := u.Loan; l != nil && (len(p.loans) == 0 || p.loans[len(p.loans)-1] != l) {
		l.Hold()
		p.loans = append(p.loans, l)
	}
	if p.n++; p.n%256 == 0 {
		for _, l := range p.loans {
			l.GiveBack()
		}
		p.loans = p.loans[:0]
	}
}
func (*passer) Finding(record.Finding, flow.Context) {}

// BenchmarkFront is the road from the octets of a capture to framed messages, on the capture that MCXDUMP_BENCH names.
func BenchmarkFront(b *testing.B) {
	name := os.Getenv("MCXDUMP_BENCH")
	if name == "" {
		b.Skip("MCXDUMP_BENCH names no capture")
	}
	for _, lend := range []bool{true, false} {
		b.Run(map[bool]string{true: "lent", false: "kept"}[lend], func(b *testing.B) {
			b.ReportAllocs()
			messages := 0
			for b.Loop() {
				f, err := os.Open(name)
				if err != nil {
					b.Fatal(err)
				}
				r, err := pcapng.NewReader(f, pcapng.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				var h passer
				d := flow.New(flow.Config{Lend: lend}, &h)
				var p pcapng.Packet
				var frame flow.Frame
				for r.Next(&p) == nil {
					frame.Number++
					frame.Time, frame.Data, frame.Orig, frame.Link = p.Time, p.Data, p.Orig, p.Link
					d.Frame(&frame)
				}
				d.Flush()
				f.Close()
				messages = h.n
				b.SetBytes(r.Offset())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(messages, 1)), "ns/message")
		})
	}
}
