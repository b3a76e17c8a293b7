package flow

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/sipparse"
)

// An espAgreement is what Security-Client and Security-Server of one registration say (RFC 3329, TS 33.203 annex H).
type espAgreement struct {
	callID    string
	aor       string // To of the REGISTER
	frame     uint64
	ealg, alg string
	keys      []espKey // SPIs that belong to it
}

// espAgreements is bounded: the oldest is overwritten.
type espAgreements struct {
	bySPI  map[espKey]*espAgreement
	byCall map[string]*espAgreement
	ring   []*espAgreement
	at     int
}

const (
	maxAgreements   = 4096
	maxAgreedSPIs   = 16  // of one registration
	maxAgreedOctets = 256 // of a name or URI that is kept
)

func (t *espAgreements) of(k espKey) *espAgreement { return t.bySPI[k] }

// learnSecurity remembers which SPIs a REGISTER or the answer to one gives, so that an SPI without a key can be told whose
// it is. Messages are cheap to pass over: only those with one of the header fields are parsed.
func (d *Decoder) learnSecurity(u *Unit) {
	if len(u.Data) < 64 || u.Quoted {
		return
	}
	request := bytes.HasPrefix(u.Data, []byte("REGISTER "))
	if !request && !bytes.HasPrefix(u.Data, []byte("SIP/2.0 401")) && !bytes.HasPrefix(u.Data, []byte("SIP/2.0 494")) {
		return
	}
	if !bytes.Contains(u.Data, []byte("ecurity-")) {
		return
	}
	m := &d.sip
	if m.Parse(u.Data, sipparse.Options{Datagram: !u.Stream}) != nil {
		return
	}
	defer func() { *m = sipparse.Message{} }() // it must not hold the unit
	id := sipparse.HdrSecurityServer
	if request {
		id = sipparse.HdrSecurityClient
	}
	if !m.Has(id) {
		return
	}
	callID := short(m.Value(sipparse.HdrCallID))
	a := d.agreed.byCall[callID]
	if a == nil {
		a = d.agreed.add(callID)
	}
	if request || a.frame == 0 {
		a.frame = u.Frames[len(u.Frames)-1]
		a.aor = addressOf(m.Value(sipparse.HdrTo))
	}
	best := -1.0
	for h := range m.All(id) {
		v := h.Value.In(m.Raw)
		for s := range sipparse.SplitList(v) {
			d.agreed.element(a, s.In(v), u.Src.Addr(), request, &best)
		}
	}
}

// element reads one mechanism; packets with its SPIs go to dst. Of several from the server, the one with the highest q
// value is agreed upon (RFC 3329 2.3.1).
func (t *espAgreements) element(a *espAgreement, e []byte, dst netip.Addr, request bool, best *float64) {
	mech, rest, _ := bytes.Cut(e, []byte(";"))
	if !strings.EqualFold(string(bytes.TrimSpace(mech)), "ipsec-3gpp") && !strings.EqualFold(string(bytes.TrimSpace(mech)), "ipsec-ike") && !strings.EqualFold(string(bytes.TrimSpace(mech)), "ipsec-man") {
		return
	}
	q, alg, ealg := 0.0, "", "null" // the default of annex H
	for p := range sipparse.Params(rest) {
		v := p.Value.In(rest)
		switch strings.ToLower(string(p.Name.In(rest))) {
		case "q":
			q, _ = strconv.ParseFloat(short(v), 64)
		case "alg":
			alg = short(v)
		case "ealg":
			ealg = short(v)
		case "spi-c", "spi-s":
			spi, err := strconv.ParseUint(short(v), 10, 32)
			if err != nil || len(a.keys) >= maxAgreedSPIs {
				continue
			}
			k := espKey{uint32(spi), dst.As16()}
			if t.bySPI[k] != a {
				t.bySPI[k] = a
				a.keys = append(a.keys, k)
			}
		}
	}
	if !request && q > *best {
		*best, a.alg, a.ealg = q, alg, ealg
	}
}

func (t *espAgreements) add(callID string) *espAgreement {
	if t.bySPI == nil {
		t.bySPI, t.byCall = make(map[espKey]*espAgreement), make(map[string]*espAgreement)
	}
	a := &espAgreement{callID: callID}
	if len(t.ring) < maxAgreements {
		t.ring = append(t.ring, a)
	} else {
		old := t.ring[t.at]
		t.ring[t.at] = a
		t.at = (t.at + 1) % len(t.ring)
		if t.byCall[old.callID] == old {
			delete(t.byCall, old.callID)
		}
		for _, k := range old.keys {
			if t.bySPI[k] == old {
				delete(t.bySPI, k)
			}
		}
	}
	t.byCall[callID] = a
	return a
}

// short copies a value, cut to what is kept.
func short(b []byte) string { return string(b[:min(len(b), maxAgreedOctets)]) }

// addressOf is the URI of a To header field.
func addressOf(b []byte) string {
	if na, err := sipparse.ParseNameAddr(b); err == nil {
		return short([]byte(na.Text(na.URISpan)))
	}
	return short(b)
}
