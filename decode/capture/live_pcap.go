//go:build libpcap

package capture

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/gopacket/pcap"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/bpf"
)

// pcapLive is the Source over libpcap, for systems other than Linux: built with -tags libpcap. Frames of several interfaces
// come as they arrive. Compared with AF_PACKET, interfaces that go down end their part of the capture, and a program
// with cgo keeps its rights on Linux.
type pcapLive struct {
	o       LiveOptions
	devices []*pcapDevice
	queue   chan pcapItem
	stop    chan struct{}
	closed  chan struct{}
	once    [2]sync.Once
	work    sync.WaitGroup
	number  uint64
	last    int64

	frames, octets, cut, backward atomic.Uint64
}

type pcapDevice struct {
	name string
	link uint16
	h    *pcap.Handle
	seen uint64 // losses that were told of

	mu                sync.Mutex // for h, against close
	received, dropped atomic.Uint64
}

type pcapItem struct {
	f      Frame
	notice *Notice
}

// pcapQueue is how many frames wait between libpcap and the decoder; libpcap's buffer is where the others wait.
const pcapQueue = 256

// OpenLive captures on interfaces through libpcap.
func OpenLive(ifaces []string, o LiveOptions) (Live, error) {
	if len(ifaces) == 0 {
		return nil, errors.New("no interface named")
	}
	l := &pcapLive{o: o.withDefaults(), queue: make(chan pcapItem, pcapQueue), stop: make(chan struct{}), closed: make(chan struct{}), last: -1 << 63}
	for k, name := range ifaces {
		if slices.Contains(ifaces[:k], name) {
			continue
		}
		d, err := openPcap(name, &l.o)
		if err != nil {
			l.Close()
			return nil, err
		}
		l.devices = append(l.devices, d)
	}
	for _, d := range l.devices {
		l.work.Go(func() { l.read(d) })
	}
	go func() { l.work.Wait(); close(l.queue) }()
	return l, nil
}

func openPcap(name string, o *LiveOptions) (*pcapDevice, error) {
	in, err := pcap.NewInactiveHandle(name)
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	defer in.CleanUp()
	for _, err := range []error{in.SetSnapLen(o.SnapLen), in.SetPromisc(o.Promisc && name != Any), in.SetTimeout(max(o.Retire, time.Millisecond)), in.SetBufferSize(o.Ring)} {
		if err != nil {
			return nil, fmt.Errorf("interface %q: %w", name, err)
		}
	}
	h, err := in.Activate()
	if err != nil {
		if s := strings.ToLower(err.Error()); strings.Contains(s, "permission") || strings.Contains(s, "not permitted") {
			return nil, &PermissionError{fmt.Errorf("%w: %v", syscall.EPERM, err)}
		}
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	d := &pcapDevice{name: name, h: h, link: linkOfDLT(int(h.LinkType()))}
	prog, err := bpf.Load(o.Filter, bpf.Target{Link: d.link, SnapLen: uint32(o.SnapLen)})
	if err != nil {
		h.Close()
		return nil, err
	}
	list := make([]pcap.BPFInstruction, len(prog))
	for k, i := range prog {
		list[k] = pcap.BPFInstruction{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K}
	}
	if err := h.SetBPFInstructionFilter(list); err != nil {
		h.Close()
		return nil, fmt.Errorf("interface %q: libpcap refuses the filter: %w", name, err)
	}
	return d, nil
}

// linkOfDLT maps what libpcap calls a link layer on this system to the number that files have (tcpdump.org/linktypes.html).
func linkOfDLT(dlt int) uint16 {
	switch dlt {
	case 12, 14: // DLT_RAW
		return linkRaw
	}
	return uint16(dlt)
}

func (l *pcapLive) put(i pcapItem) bool {
	select {
	case l.queue <- i:
		return true
	case <-l.closed:
		return false
	}
}

func (l *pcapLive) tell(d *pcapDevice, id, text string) bool {
	return l.put(pcapItem{notice: &Notice{Time: time.Now().UnixNano(), Interface: d.name,
		Finding: record.Finding{ID: id, Severity: record.Warning, Clause: "mcxdump", Message: text}}})
}

// read takes frames of one interface until the capture ends.
func (l *pcapLive) read(d *pcapDevice) {
	defer d.close()
	var until time.Time // when draining gives up
	asked := time.Now()
	for {
		select {
		case <-l.closed:
			return
		case <-l.stop:
			if until.IsZero() {
				until = time.Now().Add(20*l.o.Retire + 200*time.Millisecond)
			}
		default:
		}
		data, ci, err := d.h.ZeroCopyReadPacketData()
		switch {
		case err == nil:
			f := Frame{Time: ci.Timestamp.UnixNano(), Data: append([]byte(nil), data...), Orig: uint32(ci.Length), Link: d.link, Interface: d.name}
			if !l.put(pcapItem{f: f}) {
				return
			}
		case err == pcap.NextErrorTimeoutExpired:
			if !until.IsZero() { // nothing more has arrived
				return
			}
		case err == io.EOF:
			return
		default:
			l.tell(d, "capture-interface", fmt.Sprintf("capturing on %s ended: %v", d.name, err))
			return
		}
		if !until.IsZero() && time.Now().After(until) {
			return
		}
		if now := time.Now(); now.Sub(asked) >= l.o.DropTick {
			asked = now
			d.statistics()
			if n := d.dropped.Load(); n > d.seen {
				lost := n - d.seen
				d.seen = n
				if !l.tell(d, "capture-drops", fmt.Sprintf("the kernel lost %d frames on %s, %d so far: decoding was too slow for them; a filter (-f) or a larger buffer (--buffer-size) helps", lost, d.name, n)) {
					return
				}
			}
		}
	}
}

func (d *pcapDevice) statistics() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.h == nil {
		return
	}
	if st, err := d.h.Stats(); err == nil {
		d.received.Store(uint64(max(st.PacketsReceived, 0)))
		d.dropped.Store(uint64(max(st.PacketsDropped, 0)) + uint64(max(st.PacketsIfDropped, 0)))
	}
}

func (d *pcapDevice) close() {
	d.statistics()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.h != nil {
		d.h.Close()
		d.h = nil
	}
}

// Next implements Source.
func (l *pcapLive) Next(f *Frame) error {
	select {
	case <-l.closed:
		return errClosed
	default:
	}
	var i pcapItem
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
	*f = i.f
	l.number++
	f.Number = l.number
	l.frames.Add(1)
	l.octets.Add(uint64(len(f.Data)))
	if uint64(len(f.Data)) < uint64(f.Orig) {
		l.cut.Add(1)
	}
	if f.Time < l.last {
		l.backward.Add(1)
	}
	l.last = f.Time
	return nil
}

// Stop implements Live.
func (l *pcapLive) Stop() { l.once[0].Do(func() { close(l.stop) }) }

// Close implements Source.
func (l *pcapLive) Close() error {
	l.once[1].Do(func() { close(l.closed) })
	l.work.Wait()
	return nil
}

// Stats implements Source.
func (l *pcapLive) Stats() Stats {
	st := Stats{Files: len(l.devices), Frames: l.frames.Load(), Octets: l.octets.Load(), Truncated: l.cut.Load(), Backward: l.backward.Load()}
	for _, d := range l.devices {
		d.statistics()
		st.Drops += d.dropped.Load()
	}
	return st
}

// Devices implements Live.
func (l *pcapLive) Devices() []Device {
	list := make([]Device, len(l.devices))
	for k, d := range l.devices {
		d.statistics()
		list[k] = Device{Name: d.name, Link: d.link, SnapLen: l.o.SnapLen, Filter: strings.TrimSpace(l.o.Filter), Received: d.received.Load(), Dropped: d.dropped.Load()}
	}
	return list
}

// Interfaces lists what libpcap can capture on.
func Interfaces() ([]Interface, error) {
	devs, err := pcap.FindAllDevs()
	if err != nil {
		return nil, err
	}
	var list []Interface
	for _, d := range devs {
		i := Interface{Name: d.Name, Hardware: d.Description, Up: d.Flags&2 != 0, Running: d.Flags&4 != 0, Loopback: d.Flags&1 != 0, Link: linkEthernet}
		if n, err := net.InterfaceByName(d.Name); err == nil {
			i.Index = n.Index
		}
		for _, a := range d.Addresses {
			s := a.IP.String()
			if ones, bits := a.Netmask.Size(); bits > 0 {
				s = fmt.Sprintf("%s/%d", s, ones)
			}
			i.Addrs = append(i.Addrs, s)
		}
		list = append(list, i)
	}
	return list, nil
}
