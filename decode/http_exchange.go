package decode

import "github.com/mcxdump/mcxdump/decode/flow"

// exchanges remembers the message numbers of HTTP requests, so that a response can name the one that it answers. It has
// two generations, so that it is bounded and the latest maxExchanges are always there.
type exchanges struct{ young, old map[uint64]uint64 }

const maxExchanges = 8192

// of takes an HTTP message in its order. For a response it returns the number of its request, 0 when that is not known.
func (e *exchanges) of(h *flow.HTTP, number uint64) uint64 {
	if h == nil || h.Exchange == 0 {
		return 0
	}
	if !h.Request {
		if n, ok := e.young[h.Exchange]; ok {
			return n
		}
		return e.old[h.Exchange]
	}
	if e.young == nil || len(e.young) >= maxExchanges {
		e.young, e.old = make(map[uint64]uint64), e.young
	}
	e.young[h.Exchange] = number
	return 0
}
