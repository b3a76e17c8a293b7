package decode

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/sipparse"
)

// What service configuration documents say about the protection of signalling (TS 24.484 8.4.2.6) holds for the messages
// behind them, so the serial stage reads them, and each message gets what was said before it.

// A policy is what the documents so far said, by service. It is immutable; nil says nothing.
type policy struct{ of map[string]protections }

// protections are the two elements of signalling-protection: an absent one is true.
type protections struct{ confidentiality, integrity bool }

// after is the policy behind a message.
func (p *policy) after(pl *planner, u *flow.Unit) *policy {
	h := u.HTTP
	if h.Request && h.Method != "PUT" || !h.Request && h.Status != 200 || h.ContentEnd <= h.HeaderEnd {
		return p
	}
	target := h.Target + h.RequestTarget
	content := u.Data[h.HeaderEnd:h.ContentEnd]
	if !strings.Contains(target, "service-config") && !bytes.Contains(content, []byte("service-configuration")) {
		return p
	}
	body := sipparse.Span{Off: uint32(h.HeaderEnd), Len: uint32(len(content))}
	parts := pl.split.Content(u.Data, body, []byte(h.Get("content-type")), []byte(h.Get("content-id")), []byte(h.Get("content-disposition")), nil, sipparse.Limits{Parts: 8})
	for i := range parts {
		if parts[i].Container {
			continue
		}
		service, flags, ok := readPolicy(parts[i].Data, pl.opt)
		if !ok {
			continue
		}
		if p != nil && p.of[service] == flags {
			if _, known := p.of[service]; known {
				continue
			}
		}
		q := &policy{of: map[string]protections{service: flags}}
		if p != nil {
			for s, f := range p.of {
				if s != service {
					q.of[s] = f
				}
			}
		}
		p = q
	}
	return p
}

// readPolicy reads a service configuration document, TS 24.484 8.4.2. A document that was not read to its end says nothing.
func readPolicy(data []byte, opt *Options) (service string, f protections, ok bool) {
	c := &Context{opt: opt}
	d := c.readXML(&Part{Data: data})
	defer d.free()
	root := d.root()
	if root == 0 || d.err != nil {
		return "", f, false
	}
	kind, service := cfgKindOf(d, root)
	if kind != "service_configuration" || service == "" {
		return "", f, false
	}
	f = protections{true, true}
	r := cfgRun{d: d}
	if k := r.below(root, "signalling-protection"); k != 0 {
		off := func(local string) bool {
			n := r.below(k, local)
			return n != 0 && slices.Contains([]string{"false", "0"}, string(d.text(n)))
		}
		f = protections{!off("confidentiality-protection"), !off("integrity-protection")}
	}
	return service, f, true
}

// confidentiality is a setting, or where that is left to be told from the traffic, what the policy says for a service.
func (p *policy) confidentiality(set Tri, service string) Tri {
	if f, ok := p.lookup(service); ok && set == Auto {
		return triOf(f.confidentiality)
	}
	return set
}

// integrity is the same for the other element.
func (p *policy) integrity(set Tri, service string) Tri {
	if f, ok := p.lookup(service); ok && set == Auto {
		return triOf(f.integrity)
	}
	return set
}

func (p *policy) lookup(service string) (protections, bool) {
	if p == nil {
		return protections{}, false
	}
	f, ok := p.of[service]
	return f, ok
}

func triOf(on bool) Tri {
	if on {
		return On
	}
	return Off
}
