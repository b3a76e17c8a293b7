package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tsharkMessage is what both programs say of a message: method or status, Call-ID, CSeq, From, To, Content-Type.
type tsharkMessage [6]string

// tsharkDiffers are the captures of which docs/differences.md says why the two disagree, with the number of messages that
// only mcxdump has and that only tshark has. A number that changes is to be explained there.
var tsharkDiffers = map[string][2]int{
	"tcp-segments.pcap":  {6, 0}, // keep-alives and several responses in a segment
	"tcp-disorder.pcap":  {6, 0}, // likewise
	"tcp-gap.pcap":       {3, 0}, // a lost segment
	"tcp-midstream.pcap": {2, 0}, // the capture begins inside a message
	"snort3-digium.pcap": {7, 7}, // header fields that end in a lone CR
}

// TestAgainstTshark compares message by message with tshark 4, over every capture at hand.
func TestAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tshark on every capture")
	}
	out, err := exec.Command("tshark", "--version").Output()
	if err != nil {
		t.Skip("tshark is not installed")
	}
	if !strings.Contains(string(out), "TShark (Wireshark) 4.") {
		t.Skip("another tshark than 4")
	}
	ours, err := filepath.Glob("../../testdata/pcaps/*.pcap*")
	if err != nil || len(ours) < 40 {
		t.Fatalf("%d captures in testdata, %v", len(ours), err)
	}
	theirs, err := filepath.Glob("../../../shared/pcaps/sip/*.pcap*")
	if err != nil {
		t.Fatal(err)
	}
	if len(theirs) == 0 && os.Getenv("CI") == "true" {
		t.Error("the captures of others are missing")
	}
	for _, path := range append(ours, theirs...) {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, its := mcxdumpMessages(t, path), tsharkMessages(t, path)
			missing, extra := without(mine, its), without(its, mine)
			want := tsharkDiffers[name]
			if got := [2]int{len(missing), len(extra)}; got != want {
				t.Errorf("%d messages only here, %d only in tshark; want %v\nhere:   %q\ntshark: %q", got[0], got[1], want, missing, extra)
			}
		})
	}
}

// without returns what a has more often than b.
func without(a, b []tsharkMessage) []tsharkMessage {
	b = slices.Clone(b)
	var out []tsharkMessage
	for _, m := range a {
		if i := slices.Index(b, m); i >= 0 {
			b = slices.Delete(b, i, i+1)
		} else {
			out = append(out, m)
		}
	}
	return out
}

func mcxdumpMessages(t *testing.T, path string) []tsharkMessage {
	t.Helper()
	// A cut-off capture ends with code 1 after printing what was read.
	stdout, stderr, code := call(t, nil, "read", "--json", path)
	if code != exitOK && code != exitFailed {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var out []tsharkMessage
	for line := range strings.Lines(stdout) {
		var r struct {
			Record string
			SIP    *struct {
				Type, Method string
				Status       int
				CallID       string `json:"call_id"`
				CSeq         *struct {
					Number uint64
					Method string
				}
				From, To struct{ URI string }
				Headers  []struct{ Name, Value string }
			}
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		if r.Record != "message" || r.SIP == nil {
			continue
		}
		m := tsharkMessage{r.SIP.Method, r.SIP.CallID, "", r.SIP.From.URI, r.SIP.To.URI}
		if r.SIP.Type == "response" {
			m[0] = fmt.Sprint(r.SIP.Status)
		}
		if r.SIP.CSeq != nil {
			m[2] = fmt.Sprintf("%d %s", r.SIP.CSeq.Number, r.SIP.CSeq.Method)
		}
		for _, h := range r.SIP.Headers {
			if n := strings.ToLower(h.Name); (n == "content-type" || n == "c") && m[5] == "" {
				m[5] = h.Value
			}
		}
		out = append(out, m)
	}
	return out
}

// tsharkMessages reads PDML. The dissection of a message/sip body stands beside that of the message which has it, and
// both are in one frame: what follows inside the octets of the one before is a part of it.
func tsharkMessages(t *testing.T, path string) []tsharkMessage {
	t.Helper()
	cmd := exec.Command("tshark", "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "esp.enable_null_encryption_decode_heuristic:TRUE", "-r", path, "-Y", "sip", "-T", "pdml", "-J", "sip")
	pdml, err := cmd.Output() // a cut-off capture is an error to tshark too, after printing
	if len(pdml) == 0 {
		t.Fatalf("tshark: %v", err)
	}
	names := [6]string{"", "sip.Call-ID", "sip.CSeq", "sip.from.addr", "sip.to.addr", "sip.Content-Type"}
	var out []tsharkMessage
	var m *tsharkMessage
	nested := false
	d := xml.NewDecoder(strings.NewReader(string(pdml)))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Name.Local] = a.Value
		}
		switch {
		case e.Name.Local == "packet":
			m, nested = nil, false
		case e.Name.Local == "proto" && attr["name"] == "sip":
			if m != nil && strings.HasPrefix(m[5], "multipart/") || nested {
				m, nested = nil, true // the parts of a third-party REGISTER
				continue
			}
			m = &tsharkMessage{}
		case m != nil && e.Name.Local == "field":
			if n := attr["name"]; n == "sip.Method" || n == "sip.Status-Code" {
				if m[0] == "" {
					m[0] = attr["show"]
					out = append(out, *m)
					m = &out[len(out)-1]
				}
			} else if i := slices.Index(names[1:], n); i >= 0 && m[i+1] == "" {
				m[i+1] = attr["show"]
			}
		}
	}
}
