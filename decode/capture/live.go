package capture

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
)

// LiveOptions say how to capture. The zero value is useful.
type LiveOptions struct {
	SnapLen  int           // octets kept of a frame; default 262144
	Ring     int           // octets of the kernel's ring, for each interface; default 32 MiB
	Retire   time.Duration // how long the kernel may hold a frame back to fill a block; default 10 ms
	Promisc  bool          // take frames for other stations too; off by default, and never set on "any"
	Filter   string        // in tcpdump's language, or what tcpdump -ddd prints; "" takes everything
	DropTick time.Duration // how often losses are asked for and reported; default 1 s
}

func (o LiveOptions) withDefaults() LiveOptions {
	if o.SnapLen <= 0 || o.SnapLen > maxSnap {
		o.SnapLen = maxSnap
	}
	if o.Ring <= 0 {
		o.Ring = 32 << 20
	}
	if o.Retire <= 0 {
		o.Retire = 10 * time.Millisecond
	}
	if o.DropTick <= 0 {
		o.DropTick = time.Second
	}
	return o
}

const maxSnap = 262144

// Any is the name that stands for all interfaces together.
const Any = "any"

// A Live is a Source over network interfaces. Stop, Close, Stats and Devices may be called from any goroutine.
//
// Next gives io.EOF after Stop, when everything that had arrived before was given out. It may also return a *[Notice]
// as its error: something to tell, after which reading goes on.
type Live interface {
	Source
	// Stop ends the capture: frames that arrive later are refused, those in the ring are still given out.
	Stop()
	// Devices tells what is captured on, with counters.
	Devices() []Device
}

// A Device is one interface that frames are captured on.
type Device struct {
	Name     string
	Link     uint16 // LINKTYPE_ value
	SnapLen  int
	Filter   string // as given
	Received uint64 // frames that passed the filter, lost ones included
	Dropped  uint64 // frames that the kernel lost for want of room in the ring
}

// A Notice is something that a source or a writer has to tell between two frames: losses, an interface that went
// down, a disk that is full. It is returned as an error, after which everything goes on.
type Notice struct {
	record.Finding
	Time      int64 // Unix nanoseconds
	Interface string
}

func (n *Notice) Error() string { return n.Message }

// ErrNoLive is returned where live capture is not to be had.
var ErrNoLive = errors.New("this program was built without live capture for this system: on Linux it needs nothing; elsewhere build with -tags libpcap, or pipe a capture in: tcpdump -U -w - | mcxdump read -")

// An Interface is one network interface of this system.
type Interface struct {
	Name     string
	Index    int
	Link     uint16 // LINKTYPE_ value that frames of it are captured as
	Up       bool
	Running  bool
	Loopback bool
	Addrs    []string // with prefix length
	Hardware string   // what the hardware type is called
}

// String gives a line for -D.
func (i *Interface) String() string {
	var flags []string
	for _, f := range []struct {
		on   bool
		name string
	}{{i.Up, "up"}, {i.Running, "running"}, {i.Loopback, "loopback"}} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	if len(flags) == 0 {
		flags = []string{"down"}
	}
	s := fmt.Sprintf("%s [%s] %s", i.Name, strings.Join(flags, ", "), LinkName(i.Link))
	if len(i.Addrs) > 0 {
		s += ", " + strings.Join(i.Addrs, ", ")
	}
	return s
}

// LinkName names the link types that live capture gives (tcpdump.org/linktypes.html).
func LinkName(link uint16) string {
	switch link {
	case linkEthernet:
		return "Ethernet (1)"
	case linkRaw:
		return "raw IP (101)"
	case linkRadiotap:
		return "802.11 radiotap (127)"
	case linkSLL2:
		return "Linux cooked v2 (276)"
	}
	return fmt.Sprintf("LinkType(%d)", link)
}

// LINKTYPE_ values of live capture.
const (
	linkEthernet = 1
	linkRaw      = 101
	linkRadiotap = 127
	linkSLL2     = 276
)

// A PermissionError says that the system does not let this process capture, and what helps.
type PermissionError struct{ Err error }

func (e *PermissionError) Error() string {
	return fmt.Sprintf("not allowed to capture (%v): give the program the right once, with: sudo setcap cap_net_raw+ep \"$(command -v mcxdump)\"; or run it as root, which gives up every right as soon as the sockets are open", e.Err)
}

// Unwrap gives the system's error.
func (e *PermissionError) Unwrap() error { return e.Err }
