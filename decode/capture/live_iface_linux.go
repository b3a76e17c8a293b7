//go:build !libpcap

package capture

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// linkOf gives the link type of a hardware type (linux/if_arp.h), and whether frames of it come without their link
// header, so that a cooked one is made.
func linkOf(hw uint16) (link uint16, cooked bool) {
	switch hw {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return linkEthernet, false
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_SIT, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6:
		return linkRaw, true // without a link header: SOCK_DGRAM and SOCK_RAW give the same
	case unix.ARPHRD_IEEE80211_RADIOTAP:
		return linkRadiotap, false
	}
	return linkSLL2, true
}

func hardwareName(hw uint16) string {
	switch hw {
	case unix.ARPHRD_ETHER:
		return "Ethernet"
	case unix.ARPHRD_LOOPBACK:
		return "loopback"
	case unix.ARPHRD_PPP:
		return "PPP"
	case unix.ARPHRD_IPGRE, unix.ARPHRD_IP6GRE:
		return "GRE"
	case unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT:
		return "IP tunnel"
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP:
		return "raw IP"
	}
	return fmt.Sprintf("HardwareType(%d)", hw)
}

// ask makes one of the SIOCGIF calls about an interface.
func ask(fd int, name string, req uint) (*unix.Ifreq, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, fmt.Errorf("%q cannot be the name of an interface", name)
	}
	if fd < 0 {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return nil, err
		}
		defer unix.Close(fd)
	}
	if err := unix.IoctlIfreq(fd, req, ifr); err != nil {
		if err == unix.ENODEV {
			return nil, fmt.Errorf("there is no interface %q (mcxdump live -D lists them): %w", name, err)
		}
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	return ifr, nil
}

// identify gives index and hardware type of an interface.
func identify(name string) (index int, hw uint16, err error) {
	ifr, err := ask(-1, name, unix.SIOCGIFINDEX)
	if err != nil {
		return 0, 0, err
	}
	index = int(ifr.Uint32())
	if ifr, err = ask(-1, name, unix.SIOCGIFHWADDR); err != nil {
		return 0, 0, err
	}
	return index, ifr.Uint16(), nil
}

func isUp(fd int, name string) bool {
	ifr, err := ask(fd, name, unix.SIOCGIFFLAGS)
	return err == nil && ifr.Uint16()&unix.IFF_UP != 0
}

// nameByIndex asks on a socket that is there already, so that it works without rights and without a new socket.
func nameByIndex(fd, index int) string {
	var ifr struct {
		name  [unix.IFNAMSIZ]byte
		index int32
		_     [20]byte
	}
	ifr.index = int32(index)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFNAME, uintptr(unsafe.Pointer(&ifr))); e != 0 {
		return ""
	}
	return unix.ByteSliceToString(ifr.name[:])
}

// Interfaces lists the network interfaces in the order of their indices. It needs no rights.
func Interfaces() ([]Interface, error) {
	list := []Interface{}
	byIndex := map[int]int{}
	if err := netlink(unix.RTM_GETLINK, func(m *syscall.NetlinkMessage, attrs []syscall.NetlinkRouteAttr) {
		if m.Header.Type != unix.RTM_NEWLINK || len(m.Data) < unix.SizeofIfInfomsg {
			return
		}
		hw := binary.NativeEndian.Uint16(m.Data[2:])
		flags := binary.NativeEndian.Uint32(m.Data[8:])
		i := Interface{Index: int(int32(binary.NativeEndian.Uint32(m.Data[4:]))), Hardware: hardwareName(hw),
			Up: flags&unix.IFF_UP != 0, Running: flags&unix.IFF_RUNNING != 0, Loopback: flags&unix.IFF_LOOPBACK != 0}
		i.Link, _ = linkOf(hw)
		for _, a := range attrs {
			if a.Attr.Type == unix.IFLA_IFNAME {
				i.Name = unix.ByteSliceToString(a.Value)
			}
		}
		byIndex[i.Index] = len(list)
		list = append(list, i)
	}); err != nil {
		return nil, err
	}
	if err := netlink(unix.RTM_GETADDR, func(m *syscall.NetlinkMessage, attrs []syscall.NetlinkRouteAttr) {
		if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
			return
		}
		k, ok := byIndex[int(binary.NativeEndian.Uint32(m.Data[4:]))]
		if !ok {
			return
		}
		var local, addr netip.Addr
		for _, a := range attrs {
			switch a.Attr.Type {
			case unix.IFA_LOCAL: // of a point-to-point link, ADDRESS is the other end
				local, _ = netip.AddrFromSlice(a.Value)
			case unix.IFA_ADDRESS:
				addr, _ = netip.AddrFromSlice(a.Value)
			}
		}
		if local.IsValid() {
			addr = local
		}
		if addr.IsValid() {
			list[k].Addrs = append(list[k].Addrs, netip.PrefixFrom(addr, int(m.Data[1])).String())
		}
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
	return list, nil
}

func netlink(request int, each func(*syscall.NetlinkMessage, []syscall.NetlinkRouteAttr)) error {
	b, err := syscall.NetlinkRIB(request, unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("asking for interfaces: %w", err)
	}
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return fmt.Errorf("asking for interfaces: %w", err)
	}
	for k := range msgs {
		if msgs[k].Header.Type == unix.NLMSG_DONE {
			break
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&msgs[k])
		if err != nil {
			continue
		}
		each(&msgs[k], attrs)
	}
	return nil
}
