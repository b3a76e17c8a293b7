package lab_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/mcxdump/mcxdump/internal/lab"
)

// TestBulk reads a little of every kind of bulk traffic and opens all of it.
func TestBulk(t *testing.T) {
	for _, k := range lab.BulkKinds {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			var bs [2]bytes.Buffer
			var st lab.BulkStats
			dir := t.TempDir()
			for i := range bs {
				s, err := lab.NewSystem(lab.Options{Seed: 5, Users: 3})
				if err != nil {
					t.Fatal(err)
				}
				if st, err = s.Bulk(&bs[i], lab.BulkOptions{Kind: k.Name, Messages: 60}); err != nil {
					t.Fatal(err)
				}
				if err := s.WriteKeys(dir); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(bs[0].Bytes(), bs[1].Bytes()) {
				t.Error("the same seed gives other octets")
			}
			if st.Messages != 60 || st.Octets != int64(bs[0].Len()) || st.SIP/60 < 1900 || st.SIP/60 > 2600 {
				t.Errorf("%+v", st)
			}
			if sip := 100 * uint64(st.Messages); k.Name == "mixed" && (st.Frames < sip || st.Frames > sip+20) {
				t.Errorf("%d frames for %d messages", st.Frames, st.Messages)
			}
			pcap := filepath.Join(dir, "bulk.pcap")
			if err := os.WriteFile(pcap, bs[0].Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			msgs := read(t, pcap, filepath.Join(dir, string(lab.FormLog)))
			y := tallyOf(msgs)
			if len(msgs) != 60 || y.elements != 60 || y.opened != 60 || y.signatures != 30 || y.valid != 30 {
				t.Errorf("%d messages, %+v", len(msgs), y)
			}
		})
	}
	s, err := lab.NewSystem(lab.Options{Seed: 5, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bulk(io.Discard, lab.BulkOptions{Kind: "carrier pigeon", Messages: 1}); err == nil {
		t.Error("there is no such traffic")
	}
	if _, err := s.Bulk(io.Discard, lab.BulkOptions{Kind: "udp"}); err == nil {
		t.Error("no end was given")
	}
	if st, err := s.Bulk(io.Discard, lab.BulkOptions{Kind: "fragments", Octets: 1 << 20}); err != nil || st.Octets < 1<<20 || st.Octets > 1<<20+8192 {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := s.Bulk(full{}, lab.BulkOptions{Kind: "udp", Octets: 4 << 20}); err == nil {
		t.Error("a full disk is no error")
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// BenchmarkBulk says how fast a capture of fragments is written.
func BenchmarkBulk(b *testing.B) {
	b.ReportAllocs()
	s, err := lab.NewSystem(lab.Options{Seed: 5, Users: 20})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		st, err := s.Bulk(io.Discard, lab.BulkOptions{Kind: "fragments", Messages: 2000})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(st.Octets)
	}
}
