package keys

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/keys/eccsi"
)

// maxTries bounds the certificates tried for one user key; there are up to six identifiers for each.
const maxTries = 16

// certificates finds the certificates of a KMS by its URI.
type certificates struct{ exact, loose map[string][]*KMS }

// certificates indexes the certificates of m, those of masters among them, and the given ones.
func (m *Material) certificates(given []KMS) *certificates {
	c := &certificates{map[string][]*KMS{}, map[string][]*KMS{}}
	add := func(k *KMS) {
		for _, at := range []struct {
			in map[string][]*KMS
			as string
		}{{c.exact, k.URI}, {c.loose, looseURI(k.URI)}} {
			if len(at.in[at.as]) < maxTries {
				at.in[at.as] = append(at.in[at.as], k)
			}
		}
	}
	for i := range m.KMSs {
		add(&m.KMSs[i])
	}
	for i := range m.Masters {
		add(&m.Masters[i].KMS)
	}
	for i := range given {
		add(&given[i])
	}
	return c
}

// of compares exactly and, when that finds none, without regard to case and to a scheme of sip.
func (c *certificates) of(uri string) []*KMS {
	if k := c.exact[uri]; k != nil {
		return k
	}
	return c.loose[looseURI(uri)]
}

func looseURI(uri string) string { return strings.TrimPrefix(strings.ToLower(uri), "sip:") }

// identifier is one reading of what a KMS made a user's keys for.
type identifier struct {
	octets []byte
	name   string // "" for the UID of F.2.1 over the URI as written
}

// identifiers lists the readings, the expected one first: the UID of TS 33.180 F.2.1 for the URI with and without its scheme,
// the UserID of the KMS, and each of them as 64 hex digits, which some products use.
func identifiers(u *UserKey, k *KMS) []identifier {
	var out []identifier
	add := func(b []byte, name string) {
		for _, have := range out {
			if bytes.Equal(have.octets, b) {
				return
			}
		}
		out = append(out, identifier{b, name})
	}
	period, offset, assumed := k.Period, k.Offset, ""
	if period == 0 {
		period, offset, assumed = DefaultPeriod, DefaultOffset, "key period assumed"
	}
	for i, uri := range withAndWithoutScheme(u.URI) {
		uid := UID(uri, k.URI, period, offset, u.Period)
		name := assumed
		if i > 0 {
			name = strings.TrimPrefix(name+", identity is "+uri, ", ")
		}
		add(uid[:], name)
	}
	if u.UID != nil {
		add(u.UID, "identifier is the UserID, which is not by TS 33.180 F.2.1")
	}
	for _, id := range out {
		add([]byte(hex.EncodeToString(id.octets)), strings.TrimPrefix(id.name+", identifier as 64 hex digits", ", "))
	}
	return out
}

// who names the owner of user keys in verdicts.
func (u *UserKey) who() string { return fmt.Sprintf("%s, period %d", u.URI, u.Period) }

// fits finds the certificate and identifier for which check has no error.
func (c *certificates) fits(u *UserKey, usable func(*KMS) bool, check func(*KMS, []byte) error) (ok bool, reason string) {
	tried := 0
	certs := c.of(u.KMS)
	if len(certs) == 0 {
		return false, "no certificate of the KMS " + u.KMS
	}
	keys := 0
	for _, k := range certs {
		if !usable(k) {
			continue
		}
		keys++
		for _, id := range identifiers(u, k) {
			tried++
			if check(k, id.octets) == nil {
				return true, id.name
			}
		}
	}
	if keys == 0 {
		return false, "the certificate of the KMS " + u.KMS + " lacks the public key"
	}
	reason = fmt.Sprintf("wrong user, key period or KMS: none of %d identifiers fits", tried)
	for _, no := range []uint64{u.Period - 1, u.Period + 1} {
		near := *u
		near.UID, near.Period = nil, no
		for _, k := range certs {
			if u.Period == 0 || !usable(k) {
				continue
			}
			for _, id := range identifiers(&near, k) {
				if check(k, id.octets) == nil {
					return false, reason + fmt.Sprintf("; the keys are those of period %d", no)
				}
			}
		}
	}
	return false, reason
}

// signingVerdict checks SSK and PVT against the KPAK (RFC 6507 5.1.2).
func (c *certificates) signingVerdict(u *UserKey) (Verdict, bool) {
	if u.SSK.Len() == 0 || u.PVT == nil {
		return Verdict{}, false
	}
	v := Verdict{What: "SSK and PVT of " + u.who() + ", against KPAK of " + u.KMS, Origin: u.Origin}
	key, err := eccsi.ParseUserKey(u.SSK.Reveal(), u.PVT)
	if err != nil {
		v.Reason = err.Error()
		return v, true
	}
	v.OK, v.Reason = c.fits(u, func(k *KMS) bool { return k.KPAK != nil },
		func(k *KMS, id []byte) error { return key.Validate(k.KPAK, id) })
	return v, true
}

// periodVerdict checks that the period and the validity of user keys have a moment in common.
func (c *certificates) periodVerdict(u *UserKey) (Verdict, bool) {
	if u.From.IsZero() && u.To.IsZero() {
		return Verdict{}, false
	}
	v := Verdict{What: "key period of " + u.who() + ", against its validity", Origin: u.Origin}
	if !u.From.IsZero() && !u.To.IsZero() && u.To.Before(u.From) {
		v.Reason = "the validity ends before it begins"
		return v, true
	}
	for _, k := range c.of(u.KMS) {
		from, to, ok := k.periodTimes(u.Period)
		if !ok {
			continue
		}
		if (u.To.IsZero() || from.Before(u.To)) && (u.From.IsZero() || to.After(u.From)) {
			v.OK, v.Reason = true, ""
			return v, true
		}
		v.Reason = "the period is " + dates(from, to) + ", the keys are valid " + dates(u.From, u.To)
	}
	if v.Reason == "" {
		return Verdict{}, false // no certificate gives the length of periods
	}
	return v, true
}

// periodTimes is when a key period begins and ends; not ok when its length is not known or it is out of reach.
func (k *KMS) periodTimes(no uint64) (from, to time.Time, ok bool) {
	// 2^40 seconds is about 35000 years.
	const far = 1 << 40
	if k.Period == 0 || k.Period > far || k.Offset > far || no > far/k.Period {
		return
	}
	return time.Unix(PeriodStart(no, k.Period, k.Offset), 0).UTC(), time.Unix(PeriodStart(no+1, k.Period, k.Offset), 0).UTC(), true
}

// dates writes a span of time; an open end is left out.
func dates(from, to time.Time) string {
	f, t := "", ""
	if !from.IsZero() {
		f = from.UTC().Format(time.RFC3339)
	}
	if !to.IsZero() {
		t = to.UTC().Format(time.RFC3339)
	}
	if f == "" && t == "" {
		return ""
	}
	return f + "/" + t
}

// maxVerified bounds the user keys that are verified while loading, each costing a fraction of a millisecond.
const maxVerified = 4096

// cheapVerdicts is what is verified while loading: everything but the pairing of an RSK. Without a certificate there is
// nothing to verify against, which is not wrong.
func (m *Material) cheapVerdicts(o *XMLOptions) []Verdict {
	var given []KMS
	if o != nil {
		given = o.KMSs
	}
	c := m.certificates(given)
	var out []Verdict
	for i := range m.UserKeys[:min(len(m.UserKeys), maxVerified)] {
		u := &m.UserKeys[i]
		if len(c.of(u.KMS)) == 0 {
			continue
		}
		if v, ok := c.signingVerdict(u); ok {
			out = append(out, v)
		}
		if v, ok := c.periodVerdict(u); ok {
			out = append(out, v)
		}
	}
	return out
}

// Verify verifies all that can be: the signatures that were verified while loading, public keys, RSK against Z (RFC 6508
// 6.1.2), SSK and PVT against KPAK (RFC 6507 5.1.2), the UserID against TS 33.180 F.2.1, key periods against validity times
// and, unless at is zero, periods and validities against that moment. Each RSK costs about a millisecond.
//
// Reason says of a good verdict which reading of the identity matched when it is not the expected one.
func (m *Material) Verify(at time.Time) []Verdict {
	var out []Verdict
	for _, v := range m.Verdicts {
		if strings.HasPrefix(v.What, "signature of ") {
			out = append(out, v)
		}
	}
	certs := make([]*KMS, 0, len(m.KMSs)+len(m.Masters))
	for i := range m.KMSs {
		certs = append(certs, &m.KMSs[i])
	}
	for i := range m.Masters {
		certs = append(certs, &m.Masters[i].KMS)
	}
	for _, k := range certs {
		out = append(out, k.verify(at)...)
	}
	c := m.certificates(nil)
	for i := range m.UserKeys {
		u := &m.UserKeys[i]
		if u.RSK != nil {
			v := Verdict{What: "RSK of " + u.who() + ", against Z of " + u.KMS, Origin: u.Origin}
			v.OK, v.Reason = c.fits(u, func(k *KMS) bool { return k.Z != nil },
				func(k *KMS, id []byte) error { return u.RSK.Verify(k.Z, id) })
			out = append(out, v)
		}
		if v, ok := c.signingVerdict(u); ok {
			out = append(out, v)
		} else if u.SSK.Len() > 0 {
			out = append(out, Verdict{What: "SSK of " + u.who(), Reason: "no PVT to verify it with", Origin: u.Origin})
		}
		if v, ok := c.uidVerdict(u); ok {
			out = append(out, v)
		}
		if v, ok := c.periodVerdict(u); ok {
			out = append(out, v)
		}
		if v, ok := c.nowVerdict(u, at); ok {
			out = append(out, v)
		}
	}
	return out
}

func (k *KMS) verify(at time.Time) []Verdict {
	var out []Verdict
	add := func(what string, ok bool, reason string) {
		out = append(out, Verdict{"certificate of " + k.URI + what, ok, reason, k.Origin})
	}
	switch { // what could be parsed is a point of its order
	case k.Z == nil && k.KPAK == nil:
		add(", public keys", false, "neither Z nor KPAK")
	case k.Z == nil:
		add(", public keys", true, "without Z")
	case k.KPAK == nil:
		add(", public keys", true, "without KPAK")
	default:
		add(", public keys", true, "")
	}
	if k.UserIDFormat != "" && k.UserIDFormat != "2" {
		add(", UserIdFormat", false, quote(k.UserIDFormat)+" is not 2 (TS 33.180 F.2.1)")
	}
	if k.ParameterSet > 1 {
		add(", ParameterSet", false, fmt.Sprintf("%d is not 1 (RFC 6509 appendix A)", k.ParameterSet))
	}
	if k.Period != 0 && k.Offset >= k.Period {
		add(", UserKeyOffset", false, "not less than UserKeyPeriod (TS 33.180 F.2.1)")
	}
	if k.Revoked {
		add("", false, "revoked")
	}
	if !k.ValidFrom.IsZero() && !k.ValidTo.IsZero() && k.ValidTo.Before(k.ValidFrom) {
		add(", validity", false, "ends before it begins")
	} else if !at.IsZero() && (!k.ValidFrom.IsZero() || !k.ValidTo.IsZero()) {
		reason := within(at, k.ValidFrom, k.ValidTo)
		add(", validity at "+at.UTC().Format(time.RFC3339), reason == "", reason)
	}
	return out
}

// within says why a moment is not in a span of time, "" when it is.
func within(at, from, to time.Time) string {
	switch {
	case !from.IsZero() && at.Before(from):
		return "valid from " + from.UTC().Format(time.RFC3339)
	case !to.IsZero() && !at.Before(to):
		return "valid to " + to.UTC().Format(time.RFC3339)
	}
	return ""
}

// uidVerdict checks that the UserID of the KMS is the UID of F.2.1.
func (c *certificates) uidVerdict(u *UserKey) (Verdict, bool) {
	if u.UID == nil {
		return Verdict{}, false
	}
	v := Verdict{What: "UserID of " + u.who() + ", by TS 33.180 F.2.1", Origin: u.Origin}
	certs := c.of(u.KMS)
	if len(certs) == 0 {
		v.Reason = "no certificate of the KMS " + u.KMS
		return v, true
	}
	for _, k := range certs {
		without := *u
		without.UID = nil
		for _, id := range identifiers(&without, k) {
			if bytes.Equal(id.octets, u.UID) {
				v.OK, v.Reason = true, id.name
				return v, true
			}
		}
	}
	v.Reason = "another value, with and without sip:; the UserID of the KMS is used as well"
	return v, true
}

// nowVerdict checks user keys against a moment.
func (c *certificates) nowVerdict(u *UserKey, at time.Time) (Verdict, bool) {
	if at.IsZero() {
		return Verdict{}, false
	}
	v := Verdict{What: "key period of " + u.who() + ", at " + at.UTC().Format(time.RFC3339), Origin: u.Origin}
	known := false
	for _, k := range c.of(u.KMS) {
		if k.Period == 0 {
			continue
		}
		known = true
		now := PeriodOf(at, k.Period, k.Offset)
		if now == u.Period {
			v.OK, v.Reason = true, ""
			break
		}
		v.Reason = fmt.Sprintf("that moment is in period %d", now)
	}
	if r := within(at, u.From, u.To); r != "" {
		v.OK, v.Reason, known = false, r, true
	} else if !known && (!u.From.IsZero() || !u.To.IsZero()) {
		v.OK, known = true, true
	}
	return v, known
}
