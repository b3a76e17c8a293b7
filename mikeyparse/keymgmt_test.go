package mikeyparse

import (
	"fmt"
	"testing"
)

func TestKeyMgmt(t *testing.T) {
	sdp := "v=0\r\na=key-mgmt:mikey ARoFAQ==\r\na=key-mgmt: keyp1 xyz \r\nm=audio 1 RTP/AVP 0\r\na=key-mgmt:mikey\r\na=key-mgmt\nm=video 2 RTP/AVP 0\nA=KEY-MGMT:MIKEY \t ARoF"
	want := []string{
		"-1 mikey true ARoFAQ== 011a0501 <nil>",
		"-1 keyp1 false xyz",
		"0 mikey true  ",
		"1 MIKEY true ARoF 011a05 <nil>",
	}
	i := 0
	for l := range KeyMgmt([]byte(sdp)) {
		if i == len(want) {
			t.Fatalf("one too many: %+v", l)
		}
		got := fmt.Sprintf("%d %s %v %s", l.Media, l.Proto, l.Mikey(), l.Data)
		if l.Mikey() {
			raw, err := l.Decode()
			got += fmt.Sprintf(" %x", raw)
			if len(l.Data) > 0 || err == nil {
				got += fmt.Sprintf(" %v", err)
			}
		}
		if got != want[i] {
			t.Errorf("%q instead of %q", got, want[i])
		}
		if sdp[l.DataOff:l.DataEnd] != string(l.Data) || l.DataOff < l.Off || l.DataEnd > l.End {
			t.Errorf("data are at [%d,%d) of line [%d,%d)", l.DataOff, l.DataEnd, l.Off, l.End)
		}
		if c := sdp[l.Off:l.End]; c[0] != 'a' && c[0] != 'A' || c[len(c)-1] == '\n' {
			t.Errorf("line is %q", c)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d lines instead of %d", i, len(want))
	}
	for range KeyMgmt([]byte(sdp)) {
		i++
		break
	}
	if i != len(want)+1 {
		t.Error("the loop cannot be left")
	}
}

func FuzzKeyMgmt(f *testing.F) {
	f.Add([]byte("v=0\r\na=key-mgmt:mikey ARoFAQ==\r\nm=audio\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		at := 0
		for l := range KeyMgmt(b) {
			if l.Off < at || l.End < l.Off || l.End > len(b) || l.DataOff < l.Off || l.DataEnd < l.DataOff || l.DataEnd > l.End || string(b[l.DataOff:l.DataEnd]) != string(l.Data) {
				t.Fatalf("%+v after %d of %d", l, at, len(b))
			}
			at = l.End
		}
	})
}
