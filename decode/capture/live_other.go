//go:build !linux && !libpcap

package capture

// OpenLive is not to be had on this system.
func OpenLive([]string, LiveOptions) (Live, error) { return nil, ErrNoLive }

// Interfaces is not to be had on this system.
func Interfaces() ([]Interface, error) { return nil, ErrNoLive }
