package flow

import (
	"fmt"
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/esp"
)

// espKeys are the SAs of the configuration.
type espKeys struct {
	bySPI map[uint32][]*esp.Opener
	any   []*esp.Opener // of which the SPI is not given
}

const (
	// maxESPTries bounds how many SAs are tried on one packet.
	maxESPTries = 1024
	// espPatience is how many packets of an SPI are tried with everything there is before only the likely is tried.
	espPatience = 8
)

func newESPKeys(list []esp.SA) (k espKeys) {
	k.bySPI = make(map[uint32][]*esp.Opener)
	list = slices.Clone(list)
	// The more exactly an SA says what it is meant for, the earlier it is tried.
	slices.SortStableFunc(list, func(a, b esp.SA) int { return max(b.Dst.Bits(), -1) - max(a.Dst.Bits(), -1) })
	for i := range list {
		o, err := list[i].Opener()
		if err != nil {
			continue // New has checked everything that can be wrong
		}
		if list[i].AnySPI {
			k.any = append(k.any, o)
		} else {
			k.bySPI[list[i].SPI] = append(k.bySPI[list[i].SPI], o)
		}
	}
	return k
}

// espKeyed opens a packet with the keys that were given for its SPI and destination.
func (d *Decoder) espKeyed(p *packet, s *espState, b []byte, l *ESPLayer) (in espInner, ok bool) {
	exact := d.espKeys.bySPI[l.SPI]
	if len(exact)+len(d.espKeys.any) == 0 {
		return in, false
	}
	buf, whole := d.espBuffer(p, b)
	plain := func() (espInner, bool) {
		if whole != nil {
			p.base = whole
		}
		return in, true
	}
	patient := s.read > 0 || s.unread < espPatience
	if s.used != nil {
		if in, ok = d.espTry(p, s, s.used, b, buf, l, true); ok {
			return plain()
		}
	}
	tries := 0
	for i, list := range [...][]*esp.Opener{exact, d.espKeys.any} {
		if i == 1 && !patient {
			break
		}
		for _, o := range list {
			if o == s.used || !o.SA().Covers(l.SPI, p.dst) {
				continue
			}
			if tries++; tries > maxESPTries {
				d.limit(LimitESPTries)
				break
			}
			if in, ok = d.espTry(p, s, o, b, buf, l, patient); ok {
				s.used = o
				return plain()
			}
		}
	}
	return in, false
}

// espBuffer gives memory for the plain text of b, used again for the next packet. Where the octets of p are known by their
// place (see origin), it lies at the same place of whole, which is to become p.base.
func (d *Decoder) espBuffer(p *packet, b []byte) (buf, whole []byte) {
	if p.base != nil && cap(b) <= cap(p.base) {
		whole = make([]byte, cap(p.base))
		at := cap(p.base) - cap(b)
		return whole[at : at+len(b)], whole
	}
	for len(d.espBufs) <= d.espLevel {
		d.espBufs = append(d.espBufs, nil)
	}
	if cap(d.espBufs[d.espLevel]) < len(b) {
		d.espBufs[d.espLevel] = make([]byte, max(len(b), 2048))
	}
	return d.espBufs[d.espLevel][:len(b)], nil
}

// espTry opens one packet with one SA. all says that lengths of check values other than the SA's own and extended
// sequence numbers are tried too.
func (d *Decoder) espTry(p *packet, s *espState, o *esp.Opener, b, buf []byte, l *ESPLayer, all bool) (in espInner, ok bool) {
	sa := o.SA()
	if p.cut {
		plain := o.Open(buf, b, 0) // the check value, if some of it is there, does not matter
		if in, ok = espCut(plain); ok {
			l.Enc, l.Auth, l.ICV = sa.Enc(), sa.Auth(), ICVUnchecked
		}
		return in, ok
	}
	lens := o.ICVs(d.icvs[:0])
	d.icvs = lens
	if !all {
		lens = lens[:1]
	}
	if s.used == o && s.icv >= 0 && lens[0] != s.icv {
		lens = slices.Insert(lens, 0, s.icv)
	}
	found := func(n int, state ICVState) {
		l.Enc, l.Auth, l.ICVLen, l.ICV = sa.Enc(), sa.Auth(), n, state
		s.icv = n
	}
	if o.Keyed() {
		zero, next := uint32(0), s.high+1
		highs := [...]*uint32{nil, &zero, &s.high, &next}
		for _, n := range lens {
			if !o.Fits(len(b), n) {
				continue
			}
			var plain []byte
			for i, high := range highs {
				if i > 0 && !all {
					break
				}
				if i == 2 && s.high == 0 || i == 0 && s.esn { // tried already; known to have extended numbers
					continue
				}
				if plain == nil {
					plain = o.Open(buf, b, n)
				}
				if !o.Verify(b, plain, n, high) {
					continue
				}
				if high != nil {
					s.esn, s.high = true, *high
				}
				in, ok = espSplit(plain)
				if ok && sa.Enc() != "null" && sa.Auth() != "" {
					// The check value says nothing about the encryption key.
					pad := plain[len(in.payload) : len(plain)-2]
					_, fit := espTrailer(p, plain)
					ok = fit != espNoFit || counts(pad) && (len(pad) > 0 || s.used == o)
				}
				if !ok {
					s.wrong, s.half = sa, true
					return in, false
				}
				found(n, ICVOK)
				return in, true
			}
		}
	}
	state := ICVUnchecked
	if o.Keyed() {
		state = ICVBad
	}
	var weak espInner
	at := -1
	for _, n := range lens {
		if !o.Fits(len(b), n) {
			continue
		}
		got, fit := espTrailer(p, o.Open(buf, b, n))
		if fit == espStrong {
			found(n, state)
			if n == 0 && state == ICVUnchecked {
				l.ICV = ICVNone
			}
			return got, true
		}
		if fit == espWeak && at < 0 && (s.unread == 0 || s.used == o) {
			weak, at = got, n
		}
	}
	if at < 0 {
		if !sa.AnySPI && s.wrong == nil {
			s.wrong = sa
		}
		return in, false
	}
	o.Open(buf, b, at)
	found(at, state)
	if at == 0 && state == ICVUnchecked {
		l.ICV = ICVNone
	}
	return weak, true
}

// espWrongKey tells once of a key that does not open what it is meant for.
func (d *Decoder) espWrongKey(p *packet, s *espState) {
	d.stats.ESPWrongKey++
	if s.toldKey || !d.espMayTell() {
		return
	}
	s.toldKey = true
	why := "what it decrypts to is no IP payload"
	if s.half {
		why = "the authentication key is right, the encryption key is not"
	}
	alg := s.wrong.Enc()
	if a := s.wrong.Auth(); a != "" {
		alg += ", " + a
	}
	d.h.Finding(record.Finding{ID: "esp-wrong-key", Severity: record.Warning, Clause: "RFC 4303 3.4", Frames: d.frameList(),
		Message: fmt.Sprintf("the key given for ESP SPI %08x to %s (%s) does not open its packets: %s; further ones are counted", s.key.spi, p.dst, alg, why)}, d.context(p, ""))
}
