//go:build libpcap

package capture

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestPcapLive captures on the loopback interface through libpcap.
func TestPcapLive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("capturing needs root")
	}
	list, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	lo := ""
	for _, i := range list {
		if i.Loopback {
			lo = i.Name
		}
	}
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil || lo == "" {
		t.Fatal(err, list)
	}
	defer sink.Close()
	at := sink.LocalAddr().(*net.UDPAddr)
	src, err := OpenLive([]string{lo}, LiveOptions{Filter: "udp and dst port " + at.String()[strings.LastIndex(at.String(), ":")+1:]})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	c, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := time.Now()
	for range 5 {
		c.Write([]byte("OPTIONS sip:a@b SIP/2.0\r\n"))
	}
	var f Frame
	for k := range 5 {
		if err := src.Next(&f); err != nil {
			t.Fatal(err)
		}
		if f.Number != uint64(k+1) || !strings.HasSuffix(string(f.Data), "OPTIONS sip:a@b SIP/2.0\r\n") || f.Interface != lo || f.Time < before.UnixNano() || f.Link != linkEthernet && f.Link != 0 {
			t.Errorf("%+v", f)
		}
	}
	if f.Time%1000 == 0 {
		t.Log("times are in microseconds")
	}
	c.Write([]byte("one more"))
	time.Sleep(100 * time.Millisecond)
	src.Stop()
	n := 0
	for {
		if err := src.Next(&f); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if st := src.Stats(); n != 1 || st.Frames != 6 || st.Drops != 0 {
		t.Errorf("%d more, %+v", n, st)
	}
	// libpcap counts what loopback sends too.
	if d := src.Devices()[0]; d.Received < 6 || d.Name != lo {
		t.Errorf("%+v", d)
	}
	if _, err := OpenLive([]string{"nosuch0"}, LiveOptions{}); err == nil || errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := OpenLive([]string{lo}, LiveOptions{Filter: "udp porr"}); err == nil || !strings.Contains(err.Error(), "capture filter") {
		t.Error(err)
	}
}
