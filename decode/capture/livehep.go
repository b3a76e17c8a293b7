package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/hep"
)

// HEPOptions bound what a HEP listener holds. The zero value is useful.
type HEPOptions struct {
	Receive     int           // octets of the kernel's buffer for UDP; default 4 MiB, as far as the system allows
	Queue       int           // packets between the sockets and Next; default 256, of up to 64 KiB each
	Connections int           // TCP connections at a time; default 256: the one that was idle longest makes room
	Drain       time.Duration // how long Stop waits for what is on its way; default 200 ms
}

func (o HEPOptions) withDefaults() HEPOptions {
	for _, v := range []struct {
		p   *int
		def int
	}{{&o.Receive, 4 << 20}, {&o.Queue, 256}, {&o.Connections, 256}} {
		if *v.p <= 0 {
			*v.p = v.def
		}
	}
	if o.Drain <= 0 {
		o.Drain = 200 * time.Millisecond
	}
	return o
}

// hepListener is the Source over what proxies and agents send. A packet becomes a frame of raw IP with UDP, from the
// address that sent it to the one that listens, so that it is decoded, and written to files, as if it had been captured.
// What it holds is bounded by waiting: the kernel's buffers fill then, and it counts what it loses of UDP, while TCP
// makes the sender wait.
type hepListener struct {
	o    HEPOptions
	name string
	udp  *net.UDPConn
	tcp  *net.TCPListener

	queue   chan hepItem
	stop    chan struct{} // closed by Stop
	closed  chan struct{} // closed by Close
	stopped sync.Once
	ended   sync.Once
	work    sync.WaitGroup
	pool    sync.Pool

	mu    sync.Mutex // the connections, by last use
	conns map[*hepConn]struct{}

	last   *[]byte // of the frame given out last
	number uint64
	time   int64

	frames, octets, backward, received, dropped, strange, refused atomic.Uint64
}

type hepItem struct {
	data   *[]byte
	time   int64
	notice *Notice
}

type hepConn struct {
	c    *net.TCPConn
	used atomic.Int64
}

// OpenHEP listens for HEP version 3 at an address such as ":9060", over UDP and TCP.
func OpenHEP(addr string, o HEPOptions) (Live, error) {
	l := &hepListener{o: o.withDefaults(), stop: make(chan struct{}), closed: make(chan struct{}), conns: make(map[*hepConn]struct{})}
	l.queue = make(chan hepItem, l.o.Queue)
	l.pool.New = func() any { b := make([]byte, 0, 2048); return &b }
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		if l.udp, err = net.ListenUDP("udp", at); err != nil {
			return nil, err
		}
		own := l.udp.LocalAddr().(*net.UDPAddr)
		l.tcp, err = net.ListenTCP("tcp", &net.TCPAddr{IP: own.IP, Port: own.Port, Zone: own.Zone})
		if err == nil {
			break
		}
		l.udp.Close()
		if at.Port != 0 || try == 10 { // port 0 is any that is free for both
			return nil, err
		}
	}
	l.name = "hep " + l.udp.LocalAddr().String()
	prepareHEP(l.udp, l.o.Receive)
	l.work.Go(l.datagrams)
	l.work.Go(l.accept)
	go func() {
		l.work.Wait()
		close(l.queue)
	}()
	return l, nil
}

// put queues an item; false when nobody takes it any more.
func (l *hepListener) put(i hepItem) bool {
	select {
	case l.queue <- i:
		return true
	case <-l.closed:
		return false
	}
}

func (l *hepListener) tell(id string, s record.Severity, text string) bool {
	return l.put(hepItem{notice: &Notice{Time: time.Now().UnixNano(), Interface: l.name,
		Finding: record.Finding{ID: id, Severity: s, Clause: "mcxdump", Message: text}}})
}

// deliver queues a packet as a frame.
func (l *hepListener) deliver(from, to netip.AddrPort, b []byte) bool {
	buf := l.pool.Get().(*[]byte)
	*buf = appendDatagram((*buf)[:0], from, to, b)
	return l.put(hepItem{data: buf, time: time.Now().UnixNano()})
}

func (l *hepListener) datagrams() {
	b, oob := make([]byte, 65536), make([]byte, 256)
	to := l.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	var lost uint64
	for {
		n, k, _, from, err := l.udp.ReadMsgUDPAddrPort(b, oob)
		if err != nil {
			if passing(err) {
				continue // an ICMP error about something else
			}
			return
		}
		if d := overflow(oob[:k]); d > lost {
			l.dropped.Add(d - lost)
			if !l.tell("capture-drops", record.Warning, fmt.Sprintf("the kernel lost %d HEP packets that came by UDP, %d so far: decoding was too slow for them; sending by TCP, or a larger net.core.rmem_max, helps", d-lost, d)) {
				return
			}
			lost = d
		}
		l.received.Add(1)
		if !hep.Looks(b[:n]) {
			if c := l.strange.Add(1); tenfold(c) && !l.tell("hep-unknown", record.Warning, fmt.Sprintf("%s sends no HEP version 3%s (%d datagrams so far)", from, older(b[:n]), c)) {
				return
			}
			continue
		}
		if !l.deliver(from, to, b[:n]) {
			return
		}
	}
}

// older tells of the first versions, which proxies have as their default.
func older(b []byte) string {
	if len(b) >= 8 && (b[0] == 1 || b[0] == 2) && (b[2] == 2 || b[2] == 10) {
		return fmt.Sprintf(", but version %d: set it to 3 there (hep_version of Kamailio's siptrace)", b[0])
	}
	return ""
}

// tenfold reports whether n is 1, 10, 100 and so on.
func tenfold(n uint64) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// passing tells an error after which reading goes on.
func passing(err error) bool {
	return !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.EOF)
}

func (l *hepListener) accept() {
	for {
		c, err := l.tcp.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of files, or the like
			case <-l.stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		h := &hepConn{c: c}
		h.used.Store(time.Now().UnixNano())
		if !l.admit(h) {
			c.Close()
			return
		}
		l.work.Go(func() { l.stream(h) })
	}
}

// admit takes a connection into the table; the one that was idle longest goes if it is full. false after Stop.
func (l *hepListener) admit(h *hepConn) bool {
	l.mu.Lock()
	var idle *hepConn
	if len(l.conns) >= l.o.Connections {
		for c := range l.conns {
			if idle == nil || c.used.Load() < idle.used.Load() {
				idle = c
			}
		}
		idle.c.Close()
		delete(l.conns, idle)
	}
	select {
	case <-l.stop:
		l.mu.Unlock()
		return false
	default:
	}
	l.conns[h] = struct{}{}
	l.mu.Unlock()
	if idle != nil {
		if n := l.refused.Add(1); tenfold(n) {
			return l.tell("hep-connections", record.Warning, fmt.Sprintf("more than %d HEP connections at a time: the one of %s, idle longest, was closed (%d so far)", l.o.Connections, idle.c.RemoteAddr(), n))
		}
	}
	return true
}

// stream cuts packets out of a connection.
func (l *hepListener) stream(h *hepConn) {
	defer func() {
		h.c.Close()
		l.mu.Lock()
		delete(l.conns, h)
		l.mu.Unlock()
	}()
	from, to := h.c.RemoteAddr().(*net.TCPAddr).AddrPort(), h.c.LocalAddr().(*net.TCPAddr).AddrPort()
	r := bufio.NewReaderSize(h.c, 16<<10)
	b := make([]byte, 0, 2048)
	for {
		b = append(b[:0], 0, 0, 0, 0, 0, 0)
		n, err := io.ReadFull(r, b)
		size := hep.Size(b)
		if err == nil && size == 0 {
			if c := l.strange.Add(1); tenfold(c) {
				l.tell("hep-unknown", record.Warning, fmt.Sprintf("%s sends no HEP version 3 by TCP; the connection is closed (%d so far)", from, c))
			}
			return
		}
		if err == nil {
			if cap(b) < size {
				b = append(make([]byte, 0, size), b...)
			}
			var k int
			k, err = io.ReadFull(r, b[6:size])
			n += k
		}
		b = b[:max(n, 0)]
		if len(b) >= 6 { // a packet that is cut off is given out too: it says so itself
			l.received.Add(1)
			h.used.Store(time.Now().UnixNano())
			if !l.deliver(from, to, b) {
				return
			}
		}
		if err != nil {
			return
		}
		if cap(b) > 64<<10 {
			b = nil
		}
	}
}

// Next implements Source.
func (l *hepListener) Next(f *Frame) error {
	select {
	case <-l.closed:
		return errClosed
	default:
	}
	if l.last != nil {
		l.pool.Put(l.last)
		l.last = nil
	}
	var i hepItem
	var ok bool
	select {
	case i, ok = <-l.queue:
	case <-l.closed:
		return errClosed
	}
	switch {
	case !ok:
		return io.EOF
	case i.notice != nil:
		return i.notice
	}
	l.last = i.data
	l.number++
	*f = Frame{Number: l.number, Time: i.time, Data: *i.data, Orig: uint32(len(*i.data)), Link: linkRaw, Direction: Inbound, Interface: l.name}
	l.frames.Add(1)
	l.octets.Add(uint64(len(f.Data)))
	if f.Time < l.time {
		l.backward.Add(1)
	}
	l.time = f.Time
	return nil
}

// Stop implements Live.
func (l *hepListener) Stop() {
	l.stopped.Do(func() {
		close(l.stop)
		until := time.Now().Add(l.o.Drain)
		l.udp.SetReadDeadline(until)
		l.tcp.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for h := range l.conns {
			h.c.SetReadDeadline(until)
		}
	})
}

// Close implements Source.
func (l *hepListener) Close() error {
	l.ended.Do(func() {
		close(l.closed)
		l.Stop()
		l.udp.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for h := range l.conns {
			h.c.Close()
		}
	})
	return nil
}

// Stats implements Source.
func (l *hepListener) Stats() Stats {
	return Stats{Files: 1, Frames: l.frames.Load(), Octets: l.octets.Load(), Backward: l.backward.Load(), Drops: l.dropped.Load()}
}

// Devices implements Live.
func (l *hepListener) Devices() []Device {
	lost := l.dropped.Load()
	return []Device{{Name: l.name, Link: linkRaw, SnapLen: maxSnap, Received: l.received.Load() + lost, Dropped: lost}}
}

// appendDatagram appends b as UDP in IP. What is longer than IP can say has a length of 0, as segmentation offload leaves it.
func appendDatagram(dst []byte, from, to netip.AddrPort, b []byte) []byte {
	src, own := from.Addr().Unmap().WithZone(""), to.Addr().Unmap().WithZone("")
	if own.Is4() != src.Is4() { // listening at any address of both families
		if own = netip.IPv6Unspecified(); src.Is4() {
			own = netip.IPv4Unspecified()
		}
	}
	size := len(b) + 8
	var ip int // where the header begins
	if src.Is4() {
		ip = len(dst)
		dst = append(dst, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0)
		if total := size + 20; total <= 65535 {
			binary.BigEndian.PutUint16(dst[ip+2:], uint16(total))
		}
	} else {
		dst = append(dst, 0x60, 0, 0, 0, 0, 0, 17, 64)
		if size <= 65535 {
			binary.BigEndian.PutUint16(dst[len(dst)-4:], uint16(size))
		}
	}
	addrs := len(dst)
	dst = append(append(dst, src.AsSlice()...), own.AsSlice()...)
	if src.Is4() {
		binary.BigEndian.PutUint16(dst[ip+10:], ^fold(sum(0, dst[ip:])))
	}
	pseudo := sum(17+uint32(size), dst[addrs:])
	udp := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, from.Port())
	dst = binary.BigEndian.AppendUint16(dst, to.Port())
	if size > 65535 {
		size = 0
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	dst = append(append(dst, 0, 0), b...)
	check := ^fold(sum(pseudo, dst[udp:]))
	if check == 0 {
		check = 0xffff // RFC 768
	}
	binary.BigEndian.PutUint16(dst[udp+6:], check)
	return dst
}

// sum adds octets up as RFC 1071 has it.
func sum(s uint32, b []byte) uint32 {
	for len(b) >= 2 {
		s += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) > 0 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s>>16 != 0 {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
