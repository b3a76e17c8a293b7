package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const lossesAreTold = runtime.GOOS == "linux"

// hepText is the smallest packet with a payload, by hand.
func hepText(payload string) []byte {
	b := []byte("HEP3\x00\x00\x00\x00\x00\x0b\x00\x07\x01\x00\x00\x00\x0f")
	b = binary.BigEndian.AppendUint16(b, uint16(6+len(payload)))
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

func openHEP(t *testing.T, addr string, o HEPOptions) *hepListener {
	t.Helper()
	l, err := OpenHEP(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*hepListener)
}

func dialHEP(t *testing.T, network string, l *hepListener) net.Conn {
	t.Helper()
	c, err := net.Dial(network, l.udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// collectHEP reads until the source ends.
func collectHEP(t *testing.T, l *hepListener) (frames []string, notices []string) {
	t.Helper()
	var f Frame
	for {
		err := l.Next(&f)
		var n *Notice
		switch {
		case errors.As(err, &n):
			notices = append(notices, n.ID+": "+n.Message)
		case err == io.EOF:
			return
		case err != nil:
			t.Fatal(err)
		default:
			frames = append(frames, string(f.Data))
		}
	}
}

func TestHEPListener(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l := openHEP(t, addr, HEPOptions{})
		u, c := dialHEP(t, "udp", l), dialHEP(t, "tcp", l)
		const n = 50
		for k := range n {
			u.Write(hepText(fmt.Sprintf("by UDP %d", k)))
		}
		var stream []byte
		for k := range n {
			stream = append(stream, hepText(fmt.Sprintf("by TCP %d", k))...)
		}
		long := hepText(strings.Repeat("x", 65535-19))
		stream = append(stream, long...)
		for at := 0; at < len(stream); at += 777 {
			c.Write(stream[at:min(at+777, len(stream))])
		}
		c.Write(long[:30]) // and then no more
		c.Close()
		for l.received.Load() < 2*n+2 {
			time.Sleep(time.Millisecond)
		}
		l.Stop()
		l.Stop()
		frames, notices := collectHEP(t, l)
		if len(frames) != 2*n+2 || len(notices) != 0 {
			t.Fatalf("%d frames, %v", len(frames), notices)
		}
		head := 28
		if addr[0] == '[' {
			head = 48
		}
		at := map[string]int{}
		for k, b := range frames {
			if !strings.HasPrefix(b[head:], "HEP3") {
				t.Fatalf("frame %d: %.100q", k, b)
			}
			switch b = b[head:]; {
			case b == string(long[:30]), b == string(long):
				at["long"]++
			default:
				p := b[19:]
				if p != fmt.Sprint(p[:7], at[p[:7]]) {
					t.Errorf("%.100q out of order", p)
				}
				at[p[:7]]++
			}
		}
		if at["long"] != 2 || at["by UDP "] != n || at["by TCP "] != n {
			t.Error(at)
		}
		if st := l.Stats(); st.Frames != 2*n+2 || st.Drops != 0 {
			t.Errorf("%+v", st)
		}
		d := l.Devices()[0]
		if !strings.HasPrefix(d.Name, "hep ") || d.Received != 2*n+2 || d.Link != linkRaw {
			t.Errorf("%+v", d)
		}
	}
}

// The frames are IP and UDP with right lengths and checksums.
func TestAppendDatagram(t *testing.T) {
	for _, tt := range []struct{ from, to, src, dst string }{
		{"192.0.2.1:40000", "192.0.2.2:9060", "192.0.2.1", "192.0.2.2"},
		{"[::ffff:192.0.2.1]:40000", "[::]:9060", "192.0.2.1", "0.0.0.0"},
		{"[2001:db8::1]:40000", "[2001:db8::2]:9060", "2001:db8::1", "2001:db8::2"},
		{"[fe80::1%eth0]:40000", "[::]:9060", "fe80::1", "::"},
	} {
		for _, n := range []int{0, 1, 1000, 65535} {
			payload := bytes.Repeat([]byte{0xa5}, n)
			b := appendDatagram([]byte("before"), netip.MustParseAddrPort(tt.from), netip.MustParseAddrPort(tt.to), payload)[6:]
			src, dst := netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst)
			var u, addrs []byte
			if src.Is4() {
				if fold(sum(0, b[:20])) != 0xffff || b[0] != 0x45 || b[9] != 17 || n < 1001 && int(binary.BigEndian.Uint16(b[2:])) != len(b) {
					t.Errorf("%x", b[:20])
				}
				u, addrs = b[20:], b[12:20]
			} else {
				if b[0] != 0x60 || b[6] != 17 || n < 1001 && int(binary.BigEndian.Uint16(b[4:])) != len(b)-40 {
					t.Errorf("%x", b[:40])
				}
				u, addrs = b[40:], b[8:40]
			}
			if !bytes.Equal(addrs, append(src.AsSlice(), dst.AsSlice()...)) || !bytes.HasSuffix(u, payload) || len(u) != n+8 {
				t.Errorf("%s: %x", tt.from, b[:min(len(b), 60)])
			}
			if c := fold(sum(sum(17+uint32(len(u)), addrs), u)); c != 0xffff {
				t.Errorf("checksum %x with %d octets", c, n)
			}
		}
	}
}

// What is not HEP version 3 is told of, with what helps.
func TestHEPStrangers(t *testing.T) {
	l := openHEP(t, "127.0.0.1:0", HEPOptions{})
	u, c := dialHEP(t, "udp", l), dialHEP(t, "tcp", l)
	for range 12 {
		u.Write([]byte("\x01\x10\x02\x11\x13\xc4\x13\xc4\x7f\x00\x00\x01\x7f\x00\x00\x01OPTIONS sip:a@b SIP/2.0\r\n"))
	}
	for l.strange.Load() < 12 {
		time.Sleep(time.Millisecond)
	}
	c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Read(make([]byte, 10)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection was not closed: %d, %v", n, err)
	}
	l.Stop()
	frames, notices := collectHEP(t, l)
	if len(frames) != 0 || len(notices) != 2 || !strings.Contains(notices[0], "but version 1: set it to 3 there") || !strings.Contains(notices[1], "(10 datagrams so far)") {
		t.Errorf("%d frames, %q", len(frames), notices)
	}
}

// Connections are bounded: the idle one goes.
func TestHEPConnections(t *testing.T) {
	l := openHEP(t, "127.0.0.1:0", HEPOptions{Connections: 4})
	var conns []net.Conn
	for k := range 9 {
		c := dialHEP(t, "tcp", l)
		c.Write(hepText(fmt.Sprint(k)))
		for l.received.Load() < uint64(k+1) {
			time.Sleep(time.Millisecond)
		}
		conns = append(conns, c)
	}
	l.mu.Lock()
	n := len(l.conns)
	l.mu.Unlock()
	if n != 4 || l.refused.Load() != 5 {
		t.Errorf("%d connections, %d closed", n, l.refused.Load())
	}
	conns[8].Write(hepText("still there"))
	for l.received.Load() < 10 {
		time.Sleep(time.Millisecond)
	}
	l.Stop()
	frames, notices := collectHEP(t, l)
	if len(frames) != 10 || len(notices) != 1 || !strings.HasPrefix(notices[0], "hep-connections: more than 4") {
		t.Errorf("%d frames, %q", len(frames), notices)
	}
}

// Nobody reads: the kernel loses what comes by UDP, and that is counted and told; what comes by TCP waits.
func TestHEPFull(t *testing.T) {
	l := openHEP(t, "127.0.0.1:0", HEPOptions{Queue: 2, Receive: 4096})
	u, c := dialHEP(t, "udp", l), dialHEP(t, "tcp", l)
	const sent = 2000
	for range sent {
		u.Write(hepText(strings.Repeat("u", 1000)))
	}
	var work sync.WaitGroup
	work.Go(func() {
		for range sent {
			c.Write(hepText(strings.Repeat("t", 1000)))
		}
		c.Close()
		u.Write(hepText("last")) // with it comes the count
		time.Sleep(50 * time.Millisecond)
		l.Stop()
	})
	frames, notices := collectHEP(t, l)
	work.Wait()
	byTCP := 0
	for _, f := range frames {
		if strings.HasSuffix(f, "t") && len(f) > 100 {
			byTCP++
		}
	}
	st := l.Stats()
	if byTCP != sent || st.Drops == 0 && lossesAreTold || st.Drops > 0 && (len(notices) == 0 || !strings.HasPrefix(notices[0], "capture-drops: the kernel lost ")) {
		t.Errorf("%d by TCP, %d lost, %q", byTCP, st.Drops, notices)
	}
	if udp := uint64(len(frames) - byTCP); lossesAreTold && udp+st.Drops != sent+1 {
		t.Errorf("%d by UDP and %d lost of %d", udp, st.Drops, sent+1)
	}
}

// Close ends a Next that waits.
func TestHEPClose(t *testing.T) {
	l := openHEP(t, "127.0.0.1:0", HEPOptions{})
	dialHEP(t, "tcp", l)
	end := make(chan error)
	go func() {
		var f Frame
		end <- l.Next(&f)
	}()
	l.Close()
	if err := <-end; err != errClosed && err != io.EOF {
		t.Error(err)
	}
	if _, err := OpenHEP("127.0.0.1:what", HEPOptions{}); err == nil {
		t.Error("a port without a number")
	}
}
