package capture

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

func TestSniff(t *testing.T) {
	dir := t.TempDir()
	capt := capfile(t, pcapng.PcapNG, pkt{1, "one"})
	for _, tt := range []struct{ in, want string }{
		{`{"schema":"mcxdump/1","record":"message"}` + "\n", OwnJSON},
		{"<html>", "HTML"},
		{string(capt), ""},
		{string(capfile(t, pcapng.Pcap, pkt{1, "one"})), ""},
		{string(gz(t, capt)), ""},
		{string(zst(t, capt)), ""},
		{"", ""},
	} {
		for name, r := range map[string]io.Reader{"": strings.NewReader(tt.in), "with EOF": iotest.DataErrReader(strings.NewReader(tt.in))} {
			looks, again := Sniff(r)
			if looks != tt.want {
				t.Errorf("%.20q %s: %q, want %q", tt.in, name, looks, tt.want)
			}
			if b, err := io.ReadAll(again); err != nil || !bytes.Equal(b, []byte(tt.in)) {
				t.Errorf("%.20q %s: %d octets again, want %d: %v", tt.in, name, len(b), len(tt.in), err)
			}
		}
		if looks := SniffFile(save(t, dir, "x", []byte(tt.in))); looks != tt.want {
			t.Errorf("file %.20q: %q, want %q", tt.in, looks, tt.want)
		}
	}
	if SniffFile(dir) != "" || SniffFile(dir+"/none") != "" {
		t.Error("a directory looks like something")
	}
}
