//go:build !libpcap

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcxdump/mcxdump/internal/bpf"
)

// inNamespace moves the test to a network namespace of its own, with a pair of interfaces va and vb that are up, and a
// loopback. The thread is thrown away with the test.
func inNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("iproute2 is not installed")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace: %v", err)
	}
	// Neither DAD nor router solicitations, so that no frame comes but those that the test sends.
	for _, name := range []string{"all", "default", "lo"} {
		os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	}
	ip(t, "link set lo up")
	ip(t, "link add va type veth peer name vb")
	ip(t, "link set va up")
	ip(t, "link set vb up")
}

// ip runs iproute2 in the namespace of the calling thread.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Skipf("ip %s: %v: %s", args, err, out)
	}
}

// sender gives a function that sends frames as they are on an interface.
func sender(t *testing.T, name string) func(b []byte) {
	t.Helper()
	index, _, err := identify(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return func(b []byte) {
		t.Helper()
		for {
			err := unix.Sendto(fd, b, 0, &unix.SockaddrLinklayer{Ifindex: index, Halen: 6})
			if err == unix.ENETDOWN {
				return
			}
			if err == unix.ENOBUFS || err == unix.EINTR {
				runtime.Gosched()
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

// datagram is an Ethernet frame with a UDP datagram, behind VLAN tags if any.
func datagram(dport uint16, text string, tags ...uint16) []byte {
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	for _, t := range tags {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 0), t)
	}
	b = append(b, 8, 0, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(28+len(text)))
	b = append(b, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0xc4)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(text)))
	return append(append(b, 0, 0), text...)
}

func openLive(t *testing.T, o LiveOptions, names ...string) *live {
	t.Helper()
	s, err := OpenLive(names, o)
	if err != nil {
		var p *PermissionError
		if errors.As(err, &p) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*live)
}

// settle waits until the kernel has handed on what was sent, which a busy machine puts off: until no processor has frames
// in its backlog (the twelfth figure of softnet_stat).
func settle() {
	for range 2000 {
		b, _ := os.ReadFile("/proc/net/softnet_stat")
		waiting := false
		for _, line := range strings.Split(string(b), "\n") {
			if f := strings.Fields(line); len(f) > 11 && strings.Trim(f[11], "0") != "" {
				waiting = true
			}
		}
		time.Sleep(5 * time.Millisecond)
		if !waiting {
			return
		}
	}
}

// rest stops the capture and gives what it had.
func rest(t *testing.T, l *live) (frames []Frame, notices []string) {
	t.Helper()
	settle()
	l.Stop()
	for {
		var f Frame
		err := l.Next(&f)
		if n, ok := err.(*Notice); ok {
			notices = append(notices, n.ID+": "+n.Message)
			continue
		}
		if err == io.EOF {
			return frames, notices
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Data = bytes.Clone(f.Data)
		frames = append(frames, f)
	}
}

func TestLive(t *testing.T) {
	inNamespace(t)
	l := openLive(t, LiveOptions{}, "vb")
	send := sender(t, "va")
	for k := range 100 {
		send(datagram(5060, fmt.Sprintf("datagram %d", k)))
	}
	frames, notices := rest(t, l)
	if len(frames) != 100 || len(notices) != 0 {
		t.Fatalf("%d frames, %q", len(frames), notices)
	}
	before := int64(0)
	for k, f := range frames {
		want := datagram(5060, fmt.Sprintf("datagram %d", k))
		if !bytes.Equal(f.Data, want) || f.Number != uint64(k+1) || f.Orig != uint32(len(want)) || f.Link != linkEthernet || f.Interface != "vb" || f.Direction != Inbound || f.Time < before || f.Time%1000 == 0 && frames[0].Time%1000 == 0 && frames[1].Time%1000 == 0 {
			t.Fatalf("frame %d: %+v", k, f)
		}
		before = f.Time
	}
	st := l.Stats()
	if st.Frames != 100 || st.Octets == 0 || st.Drops != 0 || st.Files != 1 || st.Truncated != 0 {
		t.Errorf("%+v", st)
	}
	if d := l.Devices(); len(d) != 1 || d[0].Received != 100 || d[0].Name != "vb" || d[0].Link != linkEthernet {
		t.Errorf("%+v", d)
	}
	var f Frame
	if err := l.Next(&f); err != io.EOF {
		t.Error(err)
	}
	l.Close()
	l.Close()
	if err := l.Next(&f); err != errClosed {
		t.Error(err)
	}
}

// What is sent to oneself comes once, on lo and on any; elsewhere both directions come.
func TestLiveLoopback(t *testing.T) {
	inNamespace(t)
	lo, anys, va := openLive(t, LiveOptions{Filter: "udp"}, "lo"), openLive(t, LiveOptions{Filter: "udp port 5060"}, Any), openLive(t, LiveOptions{}, "va")
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for range 5 {
		if err := unix.Sendto(fd, []byte("hello"), unix.MSG_NOSIGNAL, &unix.SockaddrInet4{Port: 5060, Addr: [4]byte{127, 0, 0, 1}}); err != nil && err != unix.ECONNREFUSED {
			t.Fatal(err)
		}
	}
	sender(t, "va")(datagram(5060, "out of va, into vb"))
	frames, _ := rest(t, lo)
	if len(frames) != 5 {
		t.Errorf("%d frames on lo, want 5", len(frames))
	}
	frames, _ = rest(t, va)
	if len(frames) != 1 || frames[0].Direction != Outbound {
		t.Errorf("on va: %+v", frames)
	}
	frames, _ = rest(t, anys)
	names := map[string]int{}
	for _, f := range frames {
		names[f.Interface]++
		if f.Link != linkSLL2 || binary.BigEndian.Uint16(f.Data) != 0x800 || f.Data[20] != 0x45 || f.Orig != uint32(len(f.Data)) {
			t.Errorf("%+v", f)
		}
	}
	if names["lo"] != 5 || names["va"] != 1 || names["vb"] != 1 || len(names) != 3 {
		t.Errorf("any: %v", names)
	}
}

// The kernel takes the outer tag off; it is put back, and filters find it.
func TestLiveVLAN(t *testing.T) {
	inNamespace(t)
	type source struct {
		l    *live
		want []int
	}
	sent := [][]byte{datagram(5060, "no tag"), datagram(5060, "one tag", 100), datagram(5060, "two tags", 100, 200), datagram(5061, "another", 0xe0c8), datagram(80, "last", 7)}
	sources := map[string]source{}
	for filter, want := range map[string][]int{
		"": {0, 1, 2, 3, 4}, "vlan": {1, 2, 3, 4}, "vlan 100": {1, 2}, "not vlan": {0}, "vlan 100 and vlan 200": {2}, "vlan and udp port 5061": {3},
		"udp port 80": {4}, "vlan 100 and vlan and udp port 5060": {2}, "udp port 5061 or (vlan 7)": {3, 4},
	} {
		sources["vb "+filter] = source{openLive(t, LiveOptions{Filter: filter, Ring: 1 << 20}, "vb"), want}
		if filter != "" {
			sources["any "+filter] = source{openLive(t, LiveOptions{Filter: filter, Ring: 1 << 20}, Any), want}
		}
	}
	send := sender(t, "va")
	for _, b := range sent {
		send(b)
	}
	for name, s := range sources {
		frames, _ := rest(t, s.l)
		var got []int
		for _, f := range frames {
			if f.Interface != "vb" {
				continue // the sending end, seen by any
			}
			for k, b := range sent {
				if bytes.Equal(f.Data, b) || f.Link == linkSLL2 && bytes.Equal(append(bytes.Clone(f.Data[:2]), f.Data[20:]...), b[12:]) {
					got = append(got, k)
					if f.Orig != uint32(len(f.Data)) {
						t.Errorf("%s: length %d of %d", name, f.Orig, len(f.Data))
					}
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(s.want) {
			t.Errorf("%s: frames %v, want %v", name, got, s.want)
		}
	}
}

func TestLiveSnapLen(t *testing.T) {
	inNamespace(t)
	l := openLive(t, LiveOptions{SnapLen: 60, Filter: "udp"}, "vb")
	sender(t, "va")(datagram(5060, strings.Repeat("long", 100)))
	frames, _ := rest(t, l)
	if len(frames) != 1 || len(frames[0].Data) != 60 || frames[0].Orig != 442 || l.Stats().Truncated != 1 {
		t.Errorf("%+v", frames)
	}
}

// More than the ring holds: what is lost is counted and told, nothing else is.
func TestLiveDrops(t *testing.T) {
	inNamespace(t)
	l := openLive(t, LiveOptions{Ring: 2 * blockSize, DropTick: time.Nanosecond}, "vb")
	send := sender(t, "va")
	b := datagram(5060, strings.Repeat("x", 1400))
	const sent = 2000
	for range sent {
		send(b)
	}
	frames, notices := rest(t, l)
	st := l.Stats()
	if st.Drops == 0 || st.Frames == 0 || st.Frames != uint64(len(frames)) || st.Frames+st.Drops != sent {
		t.Errorf("%d frames and %d drops of %d", st.Frames, st.Drops, sent)
	}
	if len(notices) == 0 || !strings.HasPrefix(notices[0], "capture-drops: the kernel lost ") || !strings.Contains(notices[0], "on vb") {
		t.Errorf("%q", notices)
	}
}

// Several interfaces at once give frames in the order of time.
func TestLiveSeveral(t *testing.T) {
	inNamespace(t)
	l := openLive(t, LiveOptions{}, "va", "vb", "va")
	if len(l.rings) != 2 {
		t.Fatalf("%d rings", len(l.rings))
	}
	a, b := sender(t, "va"), sender(t, "vb")
	for k := range 200 {
		a(datagram(5060, fmt.Sprint(2*k)))
		b(datagram(5060, fmt.Sprint(2*k+1)))
	}
	frames, _ := rest(t, l)
	if len(frames) != 800 || l.Stats().Backward != 0 {
		t.Errorf("%d frames of 800, %d out of order", len(frames), l.Stats().Backward)
	}
	if _, err := OpenLive([]string{"va", Any}, LiveOptions{}); err == nil {
		t.Error("va and any together")
	}
}

// An idle interface does not keep Close or Stop from ending Next.
func TestLiveIdle(t *testing.T) {
	inNamespace(t)
	for _, how := range []func(*live){func(l *live) { l.Close() }, func(l *live) { l.Stop() }} {
		l := openLive(t, LiveOptions{DropTick: time.Hour}, "vb")
		end := make(chan error)
		begun := make(chan struct{})
		go func() {
			var f Frame
			close(begun)
			end <- l.Next(&f)
		}()
		<-begun
		how(l)
		if err := <-end; err != io.EOF && err != errClosed {
			t.Error(err)
		}
		l.Close()
	}
}

// An interface goes down and comes up again, or goes away and is made anew: capturing goes on.
func TestLiveDownAndUp(t *testing.T) {
	inNamespace(t)
	l := openLive(t, LiveOptions{DropTick: time.Millisecond}, "vb")
	// Frames are sent until one has come, because a link that was just set up may drop the first ones; their copies
	// are passed over.
	last := ""
	next := func(want string) {
		t.Helper()
		for {
			var f Frame
			err := l.Next(&f)
			if err == nil {
				if strings.HasSuffix(string(f.Data), want) {
					last = want
					return
				}
				if last != "" && strings.HasSuffix(string(f.Data), last) {
					continue
				}
				t.Fatalf("frame %q, want %s", f.Data, want)
			}
			if n, ok := err.(*Notice); !ok || !strings.Contains(n.Message, want) {
				t.Fatalf("%v, want %s", err, want)
			}
			return
		}
	}
	arrive := func(want string) {
		t.Helper()
		send, stop, stopped := sender(t, "va"), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				send(datagram(5060, want))
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		}()
		next(want)
		close(stop)
		<-stopped
	}
	arrive("first")
	ip(t, "link set vb down")
	next("went down")
	ip(t, "link set vb up")
	next("is up again")
	arrive("second")
	ip(t, "link del vb")
	next("went down")
	next("is gone")
	ip(t, "link add va type veth peer name vb")
	ip(t, "link set va up")
	ip(t, "link set vb up")
	next("is up again")
	arrive("third")
}

func TestOpenLiveErrors(t *testing.T) {
	inNamespace(t)
	for _, tt := range []struct {
		names  []string
		filter string
		want   string
	}{
		{nil, "", "no interface named"},
		{[]string{"nosuch0"}, "", `no interface "nosuch0"`},
		{[]string{"a name that is too long"}, "", "cannot be the name"},
		{[]string{"lo"}, "udp porr", "capture filter"},
	} {
		_, err := OpenLive(tt.names, LiveOptions{Filter: tt.filter})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v %q: %v, want %s", tt.names, tt.filter, err, tt.want)
		}
	}
	var fe *bpf.Error
	if _, err := OpenLive([]string{"lo"}, LiveOptions{Filter: "port"}); !errors.As(err, &fe) {
		t.Errorf("%T", err)
	}
	e := &PermissionError{unix.EPERM}
	if !strings.Contains(e.Error(), "setcap cap_net_raw+ep") || !errors.Is(e, unix.EPERM) {
		t.Error(e)
	}
}

func TestInterfaces(t *testing.T) {
	inNamespace(t)
	ip(t, "addr add 192.0.2.7/24 dev va")
	list, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Interface{}
	for _, i := range list {
		found[i.Name] = i
	}
	if lo := found["lo"]; !lo.Loopback || !lo.Up || lo.Link != linkEthernet || lo.Index == 0 || fmt.Sprint(lo.Addrs) != "[127.0.0.1/8]" {
		t.Errorf("%+v", lo)
	}
	va := found["va"]
	if va.Loopback || !va.Up || va.Link != linkEthernet || fmt.Sprint(va.Addrs) != "[192.0.2.7/24]" {
		t.Errorf("%+v", va)
	}
	if s := va.String(); !strings.HasPrefix(s, "va [up, running] Ethernet (1)") || !strings.HasSuffix(s, "192.0.2.7/24") {
		t.Error(s)
	}
}
