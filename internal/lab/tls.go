package lab

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// A TLSTalk is a recorded TLS connection: what each side sent at once, in order, and the lines of its key log.
type TLSTalk struct {
	Writes []TLSWrite
	Keys   []byte
}

// A TLSWrite is what one side of a connection sent at once.
type TLSWrite struct {
	Server bool
	Octets []byte
}

// tlsTalks are connections that were recorded once, since crypto/tls draws its own random numbers: go test -run
// TestRecordTLS -record-tls writes them anew.
//
//go:embed tls_talks.txt
var tlsTalks []byte

// ParseTLSTalks reads connections as AppendTLSTalk writes them.
func ParseTLSTalks(b []byte) ([]TLSTalk, error) {
	var list []TLSTalk
	for len(b) > 0 {
		var t TLSTalk
		writes, rest, _ := bytes.Cut(b, []byte("\n\n"))
		keys, rest, _ := bytes.Cut(rest, []byte("\n\n"))
		b = rest
		for line := range bytes.Lines(writes) {
			who, octets, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
			x, err := hex.DecodeString(string(octets))
			if err != nil || len(x) == 0 {
				return nil, fmt.Errorf("connection %d: a line that is no octets of a side: %w", len(list)+1, err)
			}
			t.Writes = append(t.Writes, TLSWrite{string(who) == "server", x})
		}
		t.Keys = append(bytes.Clone(keys), '\n')
		list = append(list, t)
	}
	return list, nil
}

// AppendTLSTalk writes one connection: a line for each write, an empty one, the key log, an empty one.
func AppendTLSTalk(dst []byte, t TLSTalk) []byte {
	for _, w := range t.Writes {
		who := "client"
		if w.Server {
			who = "server"
		}
		dst = fmt.Appendf(dst, "%s %x\n", who, w.Octets)
	}
	return append(append(append(dst, '\n'), bytes.TrimSpace(t.Keys)...), "\n\n"...)
}

// TLS sends a recorded connection from a to b, in segments of at most mss octets.
func (n *Net) TLS(a, b netip.AddrPort, isn uint32, t *TLSTalk, mss int) {
	s := n.Dial(a, b, isn)
	for _, w := range t.Writes {
		for _, send := range s.Send(!w.Server, w.Octets, mss) {
			send()
		}
		n.Clock = n.Clock.Add(8 * time.Millisecond)
	}
	s.Close()
}

// WriteTLS writes recorded connections to a pcapng file, with the keys of the first `known` of them in a decryption
// secrets block.
func WriteTLS(out io.Writer, talks []TLSTalk, known, mss int) error {
	w, err := pcapng.NewWriter(out, pcapng.WriterOptions{Interfaces: []pcapng.Interface{{Link: ethernet().Link, FCS: -1}}})
	if err != nil {
		return err
	}
	var keys []byte
	for _, t := range talks[:known] {
		keys = append(keys, t.Keys...)
	}
	if known > 0 {
		if err := w.WriteSecrets(pcapng.SecretsTLSKeyLog, keys); err != nil {
			return err
		}
	}
	n := &Net{Clock: Epoch, Shape: ethernet(), w: w}
	for i := range talks {
		n.TLS(netip.AddrPortFrom(addr("192.0.2.10:0").Addr(), uint16(40001+i)), addr("192.0.2.1:5061"), uint32(1000*(i+1)), &talks[i], mss)
		n.Clock = n.Clock.Add(time.Second)
	}
	if n.err != nil {
		return n.err
	}
	return w.Flush()
}

func tlsCapture(out io.Writer) error {
	talks, err := ParseTLSTalks(tlsTalks)
	if err != nil {
		return err
	}
	return WriteTLS(out, talks, 1, 1400)
}
