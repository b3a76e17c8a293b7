package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

// Output that cannot be written ends every command: a full disk with a failure that is told, a reader that went away
// (| head) quietly and with success.
func TestOutputFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	const pcap, failures = "../../testdata/pcaps/lab-world.pcap", "../../testdata/pcaps/failures.pcap"
	for _, args := range [][]string{
		{"read", pcap}, {"read", pcap, "--json"}, {"read", pcap, "--tree"}, {"read", pcap, "-T", "fields", "-e", "number"},
		{"read", pcap, "--quiet"}, {"read", pcap, "-q", "-w", "-"}, {"read", pcap, "--json", "--keys", "../../testdata/pcaps/lab-world.mcxkeys"},
		{"sessions", pcap}, {"sessions", pcap, "--json"}, {"sessions", pcap, "--tree"}, {"ladder", pcap, "--session", "1"},
		{"check", failures}, {"check", failures, "--json"}, {"check", failures, "--sarif", "-"}, {"check", failures, "--junit", "-"},
		{"fields"}, {"keys", "show", "../../testdata/pcaps/lab-world.mcxkeys"}, {"decode", "--type", "sdp"}, {"lab", "-w", "-"},
	} {
		name := strings.Join(args, " ")
		in := strings.NewReader("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n")
		var errs bytes.Buffer
		if code := run(context.Background(), args, in, full, &errs); code != exitFailed || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s to a full disk: exit code %d, errors %q", name, code, errs.String())
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		errs.Reset()
		in.Seek(0, 0)
		if code := run(context.Background(), args, in, w, &errs); code != exitOK || strings.Contains(errs.String(), "pipe") {
			t.Errorf("%s to nobody: exit code %d, errors %q", name, code, errs.String())
		}
		w.Close()
	}
}
