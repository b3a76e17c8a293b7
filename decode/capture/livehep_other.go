//go:build !linux

package capture

import "net"

func prepareHEP(c *net.UDPConn, size int) { c.SetReadBuffer(size) }

// overflow is not told on this system.
func overflow([]byte) uint64 { return 0 }
