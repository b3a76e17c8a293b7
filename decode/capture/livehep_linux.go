package capture

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// prepareHEP asks for a receive buffer, beyond the system's limit if the process may, and for a count of what is lost.
func prepareHEP(c *net.UDPConn, size int) {
	c.SetReadBuffer(size)
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size)
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	})
}

// overflow is how many datagrams the socket has lost so far, as a control message tells it.
func overflow(oob []byte) uint64 {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range list {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return uint64(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}
