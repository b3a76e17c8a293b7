package main

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/hep"
	"github.com/mcxdump/mcxdump/output"
)

// hepFlags are the flags by which read and live send messages on.
type hepFlags struct {
	toHEP string
	hepID uint32
}

func (h *hepFlags) register(f *pflag.FlagSet) {
	f.StringVar(&h.toHEP, "to-hep", "", "send each SIP message, as captured, to the HEP collector (Homer) at [tcp:]`HOST:PORT`")
	f.Uint32Var(&h.hepID, "hep-id", 2001, "with --to-hep: capture agent's `ID`")
}

// Bounds of what waits to be sent.
const (
	hepQueue   = 4096
	hepOctets  = 8 << 20
	hepWrite   = 5 * time.Second // a collector that takes nothing for so long is given up
	hepConnect = 5 * time.Second
	hepAgain   = time.Second // between attempts to connect again
)

// A hepSender sends messages to a collector, in a goroutine of its own.
type hepSender struct {
	network, addr string // addr is resolved
	id            uint32
	wait          bool // for room in the queue: what is read is a file
	relayed       bool // messages that came by HEP are sent on too

	conn  net.Conn
	queue chan hep.Packet
	quit  chan struct{} // ends waiting to connect again
	done  chan struct{}
	held  atomic.Int64 // octets in the queue

	sent, full, long, failed atomic.Uint64
	told                     uint64 // losses that were told of
	mu                       sync.Mutex
	why                      error // the last failure
}

// open connects; nil without --to-hep.
func (h *hepFlags) open(wait, relayed bool) (*hepSender, error) {
	if h.toHEP == "" {
		return nil, nil
	}
	s := &hepSender{network: "udp", addr: h.toHEP, id: h.hepID, wait: wait, relayed: relayed,
		queue: make(chan hep.Packet, hepQueue), quit: make(chan struct{}), done: make(chan struct{})}
	if rest, ok := strings.CutPrefix(s.addr, "tcp:"); ok {
		s.network, s.addr = "tcp", rest
	} else {
		s.addr = strings.TrimPrefix(s.addr, "udp:")
	}
	if _, port, err := net.SplitHostPort(s.addr); err != nil || port == "" || port == "0" {
		return nil, usage("--to-hep %s: HOST:PORT or tcp:HOST:PORT is expected", h.toHEP)
	}
	var err error
	if s.conn, err = net.DialTimeout(s.network, s.addr, hepConnect); err != nil {
		return nil, fmt.Errorf("--to-hep: %w", err)
	}
	s.addr = s.conn.RemoteAddr().String() // names are looked up once: later there are no files to do it with
	go s.run()
	return s, nil
}

// here reports whether the collector is this system, at the port of a listener.
func (s *hepSender) here(listen string) bool {
	_, own, err := net.SplitHostPort(listen)
	host, port, _ := net.SplitHostPort(s.addr)
	if err != nil || own != port {
		return false
	}
	at, err := netip.ParseAddr(host)
	if err != nil || at.IsLoopback() {
		return err == nil
	}
	list, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(list, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(at.Unmap().AsSlice())
	})
}

// port is what has to be reached when the connection is lost; 0 when nothing has.
func (s *hepSender) port() uint16 {
	if s == nil || s.network != "tcp" {
		return 0
	}
	_, port, _ := net.SplitHostPort(s.addr)
	n, _ := strconv.ParseUint(port, 10, 16)
	return uint16(n)
}

// Unit queues a message. It never waits longer than hepWrite, and in a live capture not at all.
func (s *hepSender) Unit(u *flow.Unit) {
	if u.HTTP != nil || u.Quoted || !s.relayed && slices.Contains(u.Encap, "hep") {
		return // a copy; or perhaps our own, seen on its way out: sending it again would never end
	}
	p := hep.Packet{Protocol: hepProtocol(u.Transport), Src: u.Src, Dst: u.Dst, Time: time.Unix(0, u.Time), Type: hep.TypeSIP, Agent: s.id, Payload: u.Data}
	n := int64(len(u.Data))
	if s.held.Add(n) <= hepOctets {
		select {
		case s.queue <- p:
			return
		default:
		}
	}
	if s.wait {
		t := time.NewTimer(hepWrite)
		defer t.Stop()
		select {
		case s.queue <- p:
			return
		case <-t.C:
			s.wait = false
		}
	}
	s.held.Add(-n)
	s.full.Add(1)
}

func hepProtocol(transport string) uint8 {
	switch transport {
	case flow.TCP, flow.WS:
		return hep.ProtoTCP
	case flow.SCTP:
		return hep.ProtoSCTP
	case flow.OverTLS, flow.WSS:
		return hep.ProtoTLS
	}
	return hep.ProtoUDP
}

func (s *hepSender) run() {
	defer close(s.done)
	var b []byte
	for p := range s.queue {
		s.held.Add(-int64(len(p.Payload)))
		var err error
		if b, err = p.AppendBinary(b[:0]); err != nil || s.network == "udp" && len(b) > 65507 {
			s.long.Add(1)
			continue
		}
		if err := s.write(b); err != nil {
			s.failed.Add(1)
			s.mu.Lock()
			s.why = err
			s.mu.Unlock()
			continue
		}
		s.sent.Add(1)
	}
	if s.conn != nil {
		s.conn.Close()
	}
}

func (s *hepSender) write(b []byte) error {
	if s.conn == nil {
		select {
		case <-s.quit:
			return net.ErrClosed
		case <-time.After(hepAgain):
		}
		var err error
		if s.conn, err = net.DialTimeout(s.network, s.addr, hepConnect); err != nil {
			return err
		}
	}
	s.conn.SetWriteDeadline(time.Now().Add(hepWrite))
	_, err := s.conn.Write(b)
	if err != nil && s.network == "tcp" { // part of a packet may be out: begin anew
		s.conn.Close()
		s.conn = nil
	}
	return err
}

// lost counts the messages that were not sent.
func (s *hepSender) lost() uint64 { return s.full.Load() + s.long.Load() + s.failed.Load() }

func (s *hepSender) losses() string {
	text := fmt.Sprintf("%d messages were not sent to the HEP collector: %d because it was too slow, %d because they are too long for a packet, %d because sending failed",
		s.lost(), s.full.Load(), s.long.Load(), s.failed.Load())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		text += fmt.Sprintf(" (%v)", s.why)
	}
	return text
}

// notice tells of losses, when there are twice as many as were told of.
func (s *hepSender) notice(at int64) *capture.Notice {
	if n := s.lost(); n > s.told {
		if s.told = math.MaxUint64; n < 1<<63 {
			s.told = 2 * n
		}
		return &capture.Notice{Time: at, Finding: record.Finding{ID: "hep-unsent", Severity: record.Warning, Clause: "mcxdump", Message: s.losses()}}
	}
	return nil
}

// close sends what is queued, for a while, and says what was lost. Unit is not called any more.
func (s *hepSender) close(st *streams) {
	if s == nil {
		return
	}
	close(s.queue)
	end := time.AfterFunc(2*hepWrite, func() { close(s.quit) })
	<-s.done
	end.Stop()
	if s.lost() > 0 {
		fmt.Fprintf(st.err, "mcxdump: warning: %s\n", output.Safe(s.losses()))
	}
}

// taps are all that look on while frames are read.
type taps struct {
	w *capture.FileWriter // nil without -w
	h *hepSender          // nil without --to-hep
}

// Frame implements decode.Tap.
func (t *taps) Frame(f *capture.Frame) *capture.Notice {
	if t.w != nil {
		if n := t.w.Frame(f); n != nil {
			return n
		}
	}
	if t.h != nil {
		return t.h.notice(f.Time)
	}
	return nil
}

// Message implements decode.Tap.
func (t *taps) Message(file string, frames []uint64) {
	if t.w != nil {
		t.w.Message(file, frames)
	}
}
