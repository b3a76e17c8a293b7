//go:build !libpcap

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/bpf"
)

// live is the Source over AF_PACKET sockets, each with a memory-mapped ring (TPACKET_V3).
//
// A frame is copied out of the ring once. That costs less than a tenth of what decoding it does, and in return a block
// goes back to the kernel at once, Close can unmap at any time, and a frame stays valid as Source promises.
type live struct {
	o    LiveOptions
	wake int // eventfd that ends a poll
	poll []unix.PollFd

	stopping atomic.Bool
	closing  atomic.Bool

	mu      sync.Mutex // held by Next, and by Close to unmap
	rings   []*ring
	closed  bool
	err     error
	drain   time.Time // when draining gives up, once stopping
	ticked  time.Time // when losses were last asked for
	notices []*Notice
	buf     []byte
	number  uint64
	last    int64

	frames, octets, cut, backward atomic.Uint64
}

// ring is one socket and its blocks.
type ring struct {
	name  string
	index int // of the interface, 0 for any
	hw    uint16
	link  uint16
	fd    int
	mem   []byte
	block int // octets of a block
	count int // of blocks
	cur   int // block at hand
	left  int // frames left in it
	off   int // of the next frame in mem
	taken uint64
	down  bool
	gone  bool
	names map[int]string // of interfaces, for any
	lo    int            // index of the loopback interface, for any
	seen  uint64         // drops reported so far

	asking            sync.Mutex // for statistics, against close
	received, dropped atomic.Uint64
}

const (
	blockSize = 256 << 10
	sll2Len   = 20
	offSLL    = (unix.SizeofTpacket3Hdr + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1) // of the sockaddr_ll
	outgoing  = unix.PACKET_OUTGOING
)

// OpenLive captures on interfaces; Any stands for all of them. On other systems than Linux it gives ErrNoLive.
func OpenLive(ifaces []string, o LiveOptions) (Live, error) {
	if len(ifaces) == 0 {
		return nil, errors.New("no interface named")
	}
	o = o.withDefaults()
	l := &live{o: o, wake: -1, last: -1 << 63}
	var err error
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	for k, name := range ifaces {
		if slices.Contains(ifaces[:k], name) {
			continue
		}
		if name != Any && slices.Contains(ifaces, Any) {
			l.Close()
			return nil, fmt.Errorf("interface %q is part of %q: name one of them", name, Any)
		}
		r, err := openRing(name, &o)
		if err != nil {
			l.Close()
			if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
				return nil, &PermissionError{err}
			}
			return nil, err
		}
		l.rings = append(l.rings, r)
		l.poll = append(l.poll, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
	}
	l.poll = append(l.poll, unix.PollFd{Fd: int32(l.wake), Events: unix.POLLIN})
	l.ticked = time.Now()
	for _, r := range l.rings {
		if err := r.bind(); err != nil {
			l.Close()
			return nil, fmt.Errorf("interface %q: %w", r.name, err)
		}
	}
	return l, nil
}

// openRing makes a socket with its filter and its ring. It does not receive before bind.
func openRing(name string, o *LiveOptions) (_ *ring, err error) {
	r := &ring{name: name, fd: -1}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	typ := unix.SOCK_RAW
	if name != Any {
		if r.index, r.hw, err = identify(name); err != nil {
			return nil, err
		}
		var cooked bool
		if r.link, cooked = linkOf(r.hw); cooked {
			typ = unix.SOCK_DGRAM
		}
	} else {
		r.link, typ = linkSLL2, unix.SOCK_DGRAM
		r.names = make(map[int]string)
		r.lo, _, _ = identify("lo")
	}
	if r.fd, err = unix.Socket(unix.AF_PACKET, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	prog, err := bpf.Load(o.Filter, bpf.Target{Link: r.link, Kernel: true, SnapLen: uint32(o.SnapLen)})
	if err != nil {
		return nil, err
	}
	if err := r.attach(prog); err != nil {
		return nil, fmt.Errorf("interface %q: the kernel refuses the filter: %w", name, err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return nil, fmt.Errorf("interface %q: TPACKET_V3: %w", name, err)
	}
	if r.hw == unix.ARPHRD_LOOPBACK && name != Any {
		// What is sent there is received there: take it once. Kernels before 4.20 do without; see skip.
		unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	}
	if o.Promisc && name != Any {
		mr := unix.PacketMreq{Ifindex: int32(r.index), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mr); err != nil {
			return nil, fmt.Errorf("interface %q: promiscuous mode: %w", name, err)
		}
	}
	r.block, r.count = blockSize, max(2, o.Ring/blockSize)
	for ; ; r.count /= 2 { // locked memory may be short: a smaller ring is better than none
		err = unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
			Block_size: uint32(r.block), Block_nr: uint32(r.count), Frame_size: 2048, Frame_nr: uint32(r.block / 2048 * r.count),
			Retire_blk_tov: uint32(max(1, o.Retire.Milliseconds()))})
		if err == nil {
			break
		}
		if !errors.Is(err, unix.ENOMEM) || r.count <= 2 {
			return nil, fmt.Errorf("interface %q: ring of %d octets: %w", name, r.block*r.count, err)
		}
	}
	if r.mem, err = unix.Mmap(r.fd, 0, r.block*r.count, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("interface %q: mapping the ring: %w", name, err)
	}
	return r, nil
}

func (r *ring) bind() error {
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}) // in network order
	return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: r.index})
}

func (r *ring) attach(prog []bpf.Instruction) error {
	list := make([]unix.SockFilter, len(prog))
	for k, i := range prog {
		list[k] = unix.SockFilter{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K}
	}
	err := unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(list)), Filter: &list[0]})
	runtime.KeepAlive(list)
	return err
}

func (r *ring) close() {
	if r.mem != nil {
		unix.Munmap(r.mem)
		r.mem = nil
	}
	r.asking.Lock()
	defer r.asking.Unlock()
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

// desc is the header of a block.
func (r *ring) desc(block int) *unix.TpacketHdrV1 {
	d := (*unix.TpacketBlockDesc)(unsafe.Pointer(&r.mem[block*r.block]))
	return (*unix.TpacketHdrV1)(unsafe.Pointer(&d.Hdr))
}

// ready reports whether a frame is there, and takes the next block when one is handed over.
func (r *ring) ready() bool {
	for r.left == 0 {
		h := r.desc(r.cur)
		if atomic.LoadUint32(&h.Block_status)&unix.TP_STATUS_USER == 0 {
			return false
		}
		n, first := int(h.Num_pkts), int(h.Offset_to_first_pkt)
		if n > 0 && first < r.block {
			r.left, r.off = n, r.cur*r.block+first
			return true
		}
		r.release()
	}
	return true
}

// release hands the block back to the kernel.
func (r *ring) release() {
	atomic.StoreUint32(&r.desc(r.cur).Block_status, unix.TP_STATUS_KERNEL)
	r.cur = (r.cur + 1) % r.count
	r.left = 0
}

func (r *ring) hdr() *unix.Tpacket3Hdr { return (*unix.Tpacket3Hdr)(unsafe.Pointer(&r.mem[r.off])) }

func (r *ring) time() int64 {
	h := r.hdr()
	return int64(h.Sec)*1e9 + int64(h.Nsec)
}

// skip reports whether the frame is the sent copy of what a loopback interface also receives.
func (r *ring) skip() bool {
	ll := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&r.mem[r.off+offSLL]))
	return ll.Pkttype == outgoing && (r.hw == unix.ARPHRD_LOOPBACK || r.names != nil && r.lo != 0 && int(ll.Ifindex) == r.lo)
}

// take copies the frame at hand to buf, with what the kernel took off put back, and goes to the next.
func (r *ring) take(f *Frame, buf []byte) []byte {
	h := r.hdr()
	ll := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&r.mem[r.off+offSLL]))
	at := r.off + int(h.Mac)
	data := r.mem[at : at+int(h.Snaplen)]
	f.Time, f.Orig, f.Link, f.Interface = r.time(), h.Len, r.link, r.name
	f.Direction = Inbound
	if ll.Pkttype == outgoing {
		f.Direction = Outbound
	}
	tpid := uint16(unix.ETH_P_8021Q)
	tagged := h.Status&unix.TP_STATUS_VLAN_VALID != 0 || h.Hv1.Vlan_tci != 0
	if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		tpid = h.Hv1.Vlan_tpid
	}
	buf = buf[:0]
	switch {
	case r.link == linkSLL2:
		var net [2]byte // stored in network order
		binary.NativeEndian.PutUint16(net[:], ll.Protocol)
		proto := binary.BigEndian.Uint16(net[:])
		// The tag goes behind the cooked header, and the type of what it tags behind it. Since 6.11 the kernel looks for
		// that type behind all tags, while an inner tag is still in the data; and for a frame that is sent it names the
		// tag that is in the data.
		inner := tagged && startsWithTag(data, proto)
		switch {
		case inner && ll.Pkttype == outgoing && binary.BigEndian.Uint16(data) == uint16(h.Hv1.Vlan_tci):
			buf = appendSLL2(buf, tpid, ll)
		case tagged:
			if inner {
				proto = unix.ETH_P_8021Q
			}
			buf = appendSLL2(buf, tpid, ll)
			buf = binary.BigEndian.AppendUint16(buf, uint16(h.Hv1.Vlan_tci))
			buf = binary.BigEndian.AppendUint16(buf, proto)
			f.Orig += 4
		default:
			buf = appendSLL2(buf, proto, ll)
		}
		f.Orig += sll2Len
		if r.names != nil {
			f.Interface = r.nameOf(int(ll.Ifindex))
		}
		buf = append(buf, data...)
	case tagged && r.link == linkEthernet && len(data) >= 12:
		buf = append(buf, data[:12]...)
		buf = binary.BigEndian.AppendUint16(buf, tpid)
		buf = binary.BigEndian.AppendUint16(buf, uint16(h.Hv1.Vlan_tci))
		buf = append(buf, data[12:]...)
		f.Orig += 4
	default:
		buf = append(buf, data...)
	}
	r.next(h)
	return buf
}

// next goes behind the frame h.
func (r *ring) next(h *unix.Tpacket3Hdr) {
	r.taken++
	r.left--
	step := int(h.Next_offset)
	if r.left == 0 || step == 0 || r.off+step >= (r.cur+1)*r.block {
		r.release()
		return
	}
	r.off += step
}

// startsWithTag tells whether a tag stands before a packet of IP: one of its version does behind the tag, and not at once.
func startsWithTag(b []byte, proto uint16) bool {
	version := byte(4)
	switch proto {
	case unix.ETH_P_IP:
	case unix.ETH_P_IPV6:
		version = 6
	default:
		return false
	}
	if len(b) < 8 || b[4]>>4 != version {
		return false
	}
	switch binary.BigEndian.Uint16(b[2:]) {
	case proto:
		// An IPv4 packet of 2048 octets would look alike; then its own length decides.
		return b[0]>>4 != version || version == 6 || len(b) != int(proto)
	case unix.ETH_P_8021Q, unix.ETH_P_8021AD:
		return b[0]>>4 != version
	}
	return false
}

func appendSLL2(b []byte, proto uint16, ll *unix.RawSockaddrLinklayer) []byte {
	b = binary.BigEndian.AppendUint16(b, proto)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(ll.Ifindex))
	b = binary.BigEndian.AppendUint16(b, ll.Hatype)
	b = append(b, ll.Pkttype, ll.Halen)
	return append(b, ll.Addr[:]...)
}

// nameOf names an interface of "any" by its index. An interface that goes takes its name with it, so names are kept;
// the table is bounded against systems that make interfaces without end.
func (r *ring) nameOf(index int) string {
	if n, ok := r.names[index]; ok {
		return n
	}
	n := nameByIndex(r.fd, index)
	if n == "" {
		n = fmt.Sprintf("%s:%d", Any, index)
	}
	if len(r.names) >= 4096 {
		clear(r.names)
	}
	r.names[index] = n
	return n
}

// Next implements Source.
func (l *live) Next(f *Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.closed || l.closing.Load() {
			return errClosed
		}
		if len(l.notices) > 0 {
			n := l.notices[0]
			l.notices = l.notices[1:]
			return n
		}
		if l.err != nil {
			return l.err
		}
		if r := l.pick(); r != nil {
			if r.skip() {
				r.next(r.hdr())
				continue
			}
			l.number++
			*f = Frame{Number: l.number}
			l.buf = r.take(f, l.buf)
			f.Data = l.buf
			l.count(f)
			if l.number&0x3ff == 0 {
				l.tick()
			}
			return nil
		}
		l.wait()
	}
}

func (l *live) count(f *Frame) {
	l.frames.Add(1)
	l.octets.Add(uint64(len(f.Data)))
	if uint64(len(f.Data)) < uint64(f.Orig) {
		l.cut.Add(1)
	}
	if f.Time < l.last {
		l.backward.Add(1)
	}
	l.last = f.Time
}

// pick chooses the ring with the oldest frame. Of several rings one may still hold an older frame in a block that is not
// full: a frame waits for those until no block can be as old.
func (l *live) pick() *ring {
	if len(l.rings) == 1 {
		if l.rings[0].ready() {
			return l.rings[0]
		}
		return nil
	}
	var best *ring
	var at int64
	all := true
	for _, r := range l.rings {
		if !r.ready() {
			all = false
			continue
		}
		if t := r.time(); best == nil || t < at {
			best, at = r, t
		}
	}
	if best == nil || all {
		return best
	}
	if age := time.Now().UnixNano() - at; age >= 0 && age < int64(2*l.o.Retire) {
		return nil
	}
	return best
}

// wait sleeps until there may be something to do. It sets what Next is to give when there will never be.
func (l *live) wait() {
	timeout := l.o.DropTick
	if l.stopping.Load() {
		if l.drained() {
			l.tick()
			l.err = io.EOF
			return
		}
		timeout = l.o.Retire
	}
	held := false // a frame is here and waits for other rings: poll would return at once
	for _, r := range l.rings {
		held = held || r.left > 0
	}
	if held {
		timeout = min(timeout, l.o.Retire)
	}
	for k := range l.poll {
		l.poll[k].Revents = 0
	}
	list := l.poll
	switch {
	case held && l.stopping.Load():
		list = nil // the wake-up has been heard
	case held:
		list = list[len(list)-1:]
	case l.stopping.Load():
		list = list[:len(list)-1]
	}
	_, err := unix.Poll(list, int(max(1, timeout.Milliseconds())))
	if err != nil && err != unix.EINTR && err != unix.EAGAIN {
		l.err = fmt.Errorf("waiting for frames: %w", err)
		return
	}
	for k := range l.rings {
		if l.poll[k].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
			l.fault(l.rings[k])
		}
	}
	l.tick()
}

// drained reports whether all that was accepted before Stop has been given out.
func (l *live) drained() bool {
	if l.drain.IsZero() {
		l.drain = time.Now().Add(20*l.o.Retire + 200*time.Millisecond)
		for _, r := range l.rings {
			r.attach([]bpf.Instruction{{Op: unix.BPF_RET | unix.BPF_K}})
		}
	}
	if time.Now().After(l.drain) {
		return true
	}
	for _, r := range l.rings {
		r.statistics()
		if r.ready() || r.taken < r.received.Load()-r.dropped.Load() {
			return false
		}
	}
	return true
}

// statistics adds what the kernel counted since it was last asked. The kernel counts lost frames as received ones too.
func (r *ring) statistics() {
	r.asking.Lock()
	defer r.asking.Unlock()
	if r.fd < 0 {
		return
	}
	st, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return
	}
	r.received.Add(uint64(st.Packets))
	r.dropped.Add(uint64(st.Drops))
}

// tick asks for losses now and then, and tells of them.
func (l *live) tick() {
	now := time.Now()
	if now.Sub(l.ticked) < l.o.DropTick && l.err == nil && !l.stopping.Load() {
		return
	}
	l.ticked = now
	for _, r := range l.rings {
		r.statistics()
		if d := r.dropped.Load(); d > r.seen {
			l.tell(r, "capture-drops", record.Warning, fmt.Sprintf("the kernel lost %d frames on %s, %d so far: decoding was too slow for them; a filter (-f) or a larger ring (--buffer-size) helps", d-r.seen, r.name, d))
			r.seen = d
		}
		l.watch(r)
	}
}

// fault asks a socket what happened to it.
func (l *live) fault(r *ring) {
	e, _ := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if unix.Errno(e) == unix.ENETDOWN && !r.down {
		r.down = true
		l.tell(r, "capture-interface", record.Warning, fmt.Sprintf("interface %s went down; capturing goes on when it comes up again", r.name))
	} else if e != 0 && !r.down {
		r.down = true
		l.tell(r, "capture-interface", record.Warning, fmt.Sprintf("interface %s: %v", r.name, unix.Errno(e)))
	}
}

// watch tells when an interface is back. One that was removed and made again has another index: the socket is bound
// to it anew, which needs no rights.
func (l *live) watch(r *ring) {
	if !r.down || r.names != nil {
		return
	}
	index, hw, err := identify(r.name)
	if err != nil {
		if !r.gone {
			r.gone = true
			l.tell(r, "capture-interface", record.Warning, fmt.Sprintf("interface %s is gone; capturing goes on when there is one of that name again", r.name))
		}
		return
	}
	if hw != r.hw || !isUp(r.fd, r.name) {
		return
	}
	if index != r.index || r.gone {
		r.index = index
		if r.bind() != nil {
			return
		}
	}
	r.down, r.gone = false, false
	l.tell(r, "capture-interface", record.Note, fmt.Sprintf("interface %s is up again", r.name))
}

func (l *live) tell(r *ring, id string, s record.Severity, text string) {
	if len(l.notices) < 64 {
		l.notices = append(l.notices, &Notice{Time: time.Now().UnixNano(), Interface: r.name,
			Finding: record.Finding{ID: id, Severity: s, Clause: "mcxdump", Message: text}})
	}
}

// Stop implements Live.
func (l *live) Stop() {
	if l.stopping.CompareAndSwap(false, true) {
		l.kick()
	}
}

func (l *live) kick() {
	one := [8]byte{}
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(l.wake, one[:])
}

// Close implements Source. A Next that waits returns.
func (l *live) Close() error {
	if !l.closing.CompareAndSwap(false, true) {
		return nil
	}
	if l.wake >= 0 {
		l.kick()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, r := range l.rings {
		r.statistics()
		r.close()
	}
	if l.wake >= 0 {
		unix.Close(l.wake)
	}
	return nil
}

// Stats implements Source.
func (l *live) Stats() Stats {
	st := Stats{Files: len(l.rings), Frames: l.frames.Load(), Octets: l.octets.Load(), Truncated: l.cut.Load(), Backward: l.backward.Load()}
	for _, r := range l.rings {
		r.statistics()
		st.Drops += r.dropped.Load()
	}
	return st
}

// Devices implements Live.
func (l *live) Devices() []Device {
	list := make([]Device, len(l.rings))
	for k, r := range l.rings {
		r.statistics()
		list[k] = Device{Name: r.name, Link: r.link, SnapLen: l.o.SnapLen, Filter: strings.TrimSpace(l.o.Filter), Received: r.received.Load(), Dropped: r.dropped.Load()}
	}
	return list
}
