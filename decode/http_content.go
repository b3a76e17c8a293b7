package decode

import (
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/sipparse"
)

// httpContent undoes the codings of the content and adds the bodies that are in it.
func (w *worker) httpContent(u *flow.Unit, m *message) {
	h := u.HTTP
	m.parts = m.parts[:0]
	if h.ContentEnd <= h.HeaderEnd {
		return
	}
	m.src, m.base = 0, 0
	body := sipparse.Span{Off: uint32(h.HeaderEnd), Len: uint32(h.ContentEnd - h.HeaderEnd)}
	outer := w.c.msg
	w.c.msg = m
	defer func() { w.c.msg = outer }()
	w.mime(m, m.split.Content(u.Data, body, []byte(h.Get("content-type")), []byte(h.Get("content-id")), []byte(h.Get("content-disposition")), nil,
		sipparse.Limits{Parts: w.opt.Limits.Parts}))
}
