package mikeyparse

import (
	"bytes"
	"encoding/binary"
)

// A Pattern is what a SAKKE message without deviations has in common with others that differ from it only in values
// that nothing but a key makes sense of: the identifier of the key behind its purpose tag, the time stamp, random
// octets, hashed identities, encapsulated data, sealed key parameters and signature. All of them have the same payloads at the same places,
// the same open identities and policies, and no deviations either.
type Pattern struct {
	raw   []byte
	spans []patternSpan
}

// A patternSpan is octets [off,end) that may be others; those in between are the same.
type patternSpan struct {
	off, end int
	kind     spanKind
}

type spanKind uint8

const (
	spanAny  spanKind = iota
	spanTime          // NTP, of a time in which such messages exist
	spanKey           // the CSB ID
)

// csbTag is the place of the purpose tag in a message: the top four bits of the CSB ID (TS 33.180 annex G).
const csbTag = 4

// Pattern returns the pattern of a message that Parse read without an error, nil when there is none: of other data
// types, group keys, and messages with deviations or with payloads of other kinds. raw is what was parsed.
func (m *Message) Pattern(raw []byte) *Pattern {
	h := &m.Header
	if h.DataType != DataSAKKE || h.partial || len(m.Deviations) > 0 || m.Partial != nil || len(m.Rest) > 0 || m.KeyType() == KeyGMK || len(raw) < h.End {
		return nil
	}
	p := &Pattern{raw: bytes.Clone(raw)}
	free := func(off, end int, kind spanKind) { p.spans = append(p.spans, patternSpan{off, end, kind}) }
	free(csbTag, csbTag+4, spanAny)
	off := 10
	for _, g := range h.Generic {
		off += 3 + len(g.Policies) + 2 + len(g.Session) + 1
		if len(g.SPI) == 4 {
			free(off, off+4, spanAny)
		}
		off += len(g.SPI)
	}
	for _, pl := range m.Payloads {
		off, end := pl.Range()
		switch x := pl.(type) {
		case *T:
			if x.TSType > TSNTP || !plausibleNTP(x.Value) {
				return nil
			}
			free(end-8, end, spanTime)
		case *RAND:
			free(end-len(x.Data), end, spanAny)
		case *IDR:
			if x.Hidden() {
				free(end-len(x.ID), end, spanAny)
			}
		case *SAKKE:
			if len(x.Data) > 1 {
				free(end-len(x.Data)+1, end, spanAny)
			}
		case *SIGN:
			free(off+2, end, spanAny)
		case *GenExt:
			q := x.Protected
			// With its flags set it is known for what it is, and where its DPPK-ID is tells that identifier, as long as that
			// does not stand an octet further as well.
			if q == nil || q.MessageType&0xc0 == 0 || q.HasSigAlg || q.DPPKID != h.CSBID || q.IEI>>4 == raw[csbTag]>>4 || len(q.Tail) > 0 || q.End != end {
				return nil
			}
			free(q.Off+1, q.Off+protIV-2, spanAny) // date and time, payload ID
			free(q.Off+protIV, q.Off+protID, spanAny)
			free(q.Off+protID, q.Off+protID+4, spanKey)
			free(end-len(q.Sealed), end, spanAny)
		case *SP:
		default:
			return nil
		}
	}
	return p
}

// plausibleNTP tells whether a time stamp is understood as NTP because it gives a likely time.
func plausibleNTP(v uint64) bool { return plausible(int64(v>>32) - ntpUnix) }

// Match tells whether a message is one of the pattern's. What it returns true for, Parse reads without an error and
// without a deviation.
func (p *Pattern) Match(raw []byte) bool {
	if len(raw) != len(p.raw) || raw[csbTag]>>4 != p.raw[csbTag]>>4 {
		return false
	}
	at := 0
	for i := range p.spans {
		s := &p.spans[i]
		if string(raw[at:s.off]) != string(p.raw[at:s.off]) {
			return false
		}
		switch s.kind {
		case spanTime:
			if !plausibleNTP(binary.BigEndian.Uint64(raw[s.off:])) {
				return false
			}
		case spanKey:
			if string(raw[s.off:s.end]) != string(raw[csbTag:csbTag+4]) {
				return false
			}
		}
		at = s.end
	}
	return string(raw[at:]) == string(p.raw[at:])
}

// CSBIDOf is the CSB ID of a message that a Pattern matched.
func CSBIDOf(raw []byte) uint32 { return binary.BigEndian.Uint32(raw[csbTag:]) }
