package decode

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
)

// Key material in KMS documents: unwrapped and verified by package keys, which also learns it; shown here without its octets.

// kmsOrigin is how the origin of what a KMS document brought begins; the number of its message follows.
const kmsOrigin = "KMS document in message "

// material reads what the document hands out. With a ring, in an HTTP message, the ring learns it.
func (r *kmsRun) material(p *Part) (*keys.Material, keys.Learned) {
	o := keys.XMLOptions{Origin: keys.Origin{Name: "capture"}, Seen: func(x *keys.XMLSeen) { r.seen[x.Off] = x }}
	var m *keys.Material
	var n keys.Learned
	var err error
	if r.ring == nil {
		m, err = keys.ReadKMSXML(p.Data, o)
	} else {
		o.Origin.Name = kmsOrigin + strconv.FormatUint(r.q.Seq, 10)
		m, n, err = r.ring.ReadKMS(r.query(), p.Data, o, r.learns)
	}
	for i := range m.KMSs {
		r.certs = append(r.certs, &m.KMSs[i])
	}
	if r.ring != nil {
		for i := range m.UserKeys {
			r.certs = append(r.certs, r.ring.Certificates(r.query(), m.UserKeys[i].KMS)...)
		}
	}
	if r.d.err == nil {
		r.defects(p, err)
	}
	return m, n
}

// defects makes findings of what could not be read as the schema has it.
func (r *kmsRun) defects(p *Part, err error) {
	list := []error{err}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		list = j.Unwrap()
	}
	for _, e := range list {
		f, ok := errors.AsType[*keys.FileError](e)
		if !ok || errors.Is(e, keys.ErrKind) {
			continue
		}
		words := f.Entry
		for _, s := range []string{f.What, errText(f.Err)} {
			if s != "" {
				words = strings.TrimPrefix(words+": "+s, ": ")
			}
		}
		if errors.Is(e, keys.ErrLimit) {
			r.Find("limit-kms", record.Warning, "mcxdump", "not all of the KMS document was read: "+words, p, kmsSelf, p.Place(0, 0))
			continue
		}
		r.Find("kms-malformed", record.Error, "TS 33.180 D.3", "value outside its type: "+words, p, kmsSelf, p.Place(0, 0))
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// key shows one element with key material. It returns what became of it in words, "" when it is in the clear and fine.
func (r *kmsRun) key(n int32, f *kmsKeyFields) (state string) {
	d, nd := r.d, &r.d.nodes[n]
	if !r.ShowSecrets() {
		in := d.pos(n, xmlIn)
		r.mask(d.p.Src, d.p.Off+in, d.pos(n, xmlInEnd)-in)
	}
	x := r.seen[d.pos(n, xmlOff)]
	wrapped := r.find(n, "encryptedkey") != 0 || r.find(n, "cipherdata") != 0
	prot := record.Protection{Encrypted: wrapped}
	switch {
	case x == nil && wrapped: // nobody looked: over a limit, or broken off
		prot.State, prot.Reason = record.NoKey, record.ReasonNoKey
	case x == nil:
	case x.Err != nil:
		prot.State, prot.Reason = record.Failed, reasonOf(x.Reason)
		if x.Reason == keys.ReasonNoKey {
			prot.State = record.NoKey
		}
	case wrapped:
		prot.State = record.Opened
		if x.Variant != "base64, RFC 5649" && x.Variant != "base64, RFC 3394" {
			prot.Variant = x.Variant
		}
	}
	if x != nil {
		prot.Algorithm = shortName([]byte(x.Algorithm))
	}
	if r.B.Open(f.f, d.place(n)) {
		last := r.B.Last()
		r.protect(last, prot)
		switch {
		case x == nil || x.Err != nil:
		case r.ShowSecrets():
			last.Str = string(x.Value.Reveal())
			last.Flags |= record.HasValue
		default:
			last.Flags |= record.Withheld
		}
		r.keyMembers(n, f, x)
	}
	r.B.Close()
	switch {
	case x == nil:
	case x.Reason == keys.ReasonNoKey && wrapped:
		r.Find("kms-key-missing", record.Note, "TS 33.180 D.1", fmt.Sprintf("%s is wrapped under the transport key %q, and no TrK is known", clip(nd.local, 64), clip([]byte(x.KeyName), 200)), d.p, f.f, d.place(n))
		return " wrapped, no TrK"
	case x.Reason == keys.ReasonTagMismatch && wrapped:
		r.Find("kms-key-wrapped", record.Warning, "TS 33.180 D.1", fmt.Sprintf("%s is wrapped under the transport key %q, and none of those known opens it", clip(nd.local, 64), clip([]byte(x.KeyName), 200)), d.p, f.f, d.place(n))
		return " wrapped, TrK does not fit"
	case x.Err != nil && wrapped:
		r.Find("kms-key-wrapped", record.Warning, "TS 33.180 D.1", string(clip(nd.local, 64))+" cannot be unwrapped: "+x.Err.Error(), d.p, f.f, d.place(n))
		return " malformed"
	case x.Err != nil:
		return " malformed"
	case wrapped:
		return " unwrapped"
	}
	return " in the clear"
}

func (r *kmsRun) keyMembers(n int32, f *kmsKeyFields, x *keys.XMLSeen) {
	if f.name != nil {
		for _, at := range []int32{r.find(n, "encryptedkey"), n} {
			k := int32(0)
			if at != 0 {
				if k = r.find(at, "carriedkeyname"); k == 0 && at == n {
					k = r.find(at, "keyname")
				}
			}
			if k != 0 {
				r.put(f.name, r.d.text(k), r.d.content(k))
				break
			}
		}
	}
	if x == nil {
		return
	}
	if x.KeyName != "" {
		r.put(f.keyName, []byte(x.KeyName), record.Place{})
	}
	if x.Err != nil {
		return
	}
	r.B.Num(f.length, int64(x.Value.Len()), record.Place{})
	if x.Value.Len() >= 16 { // shorter ones could be guessed
		r.B.Str(f.fingerprint, x.Value.Fingerprint(), record.Place{})
	}
	if fromCapture(x.From) {
		r.B.Str(f.origin, x.From.String(), record.Place{})
	}
}

// signature shows the verdict on a signature.
func (r *kmsRun) signature(n int32, f *kmsSignatureFields) {
	d := r.d
	x := r.seen[d.pos(n, xmlOff)]
	state, reason, hint := "no_key", record.ReasonNoKey.String(), "no InK or TrK is known"
	if x == nil || x.Signature == nil {
		if info := r.find(n, "keyinfo"); info != 0 {
			x = &keys.XMLSeen{}
			if k := r.find(info, "keyname"); k != 0 {
				x.KeyName = string(clip(d.text(k), 512))
			}
		}
		if r.requestSigned(n) {
			hint = "requests are not verified: the response tells whether the KMS accepted it"
		}
	} else {
		s := x.Signature
		state, reason = s.State().String(), s.Reason()
		switch state {
		case "valid":
			hint = ""
			if !x.Covers {
				state, reason, hint = "invalid", record.ReasonUnresolvedReference.String(), "its references do not cover the content"
			}
		case "no_key":
		case "unresolved":
			hint = "a reference has no target in the document"
		default:
			state = "invalid"
			hint = map[string]string{"hmac_mismatch": "the HMAC differs with every InK and TrK known", "digest_mismatch": "a digest differs: the content was changed",
				"unsupported_algorithm": "an algorithm is not one of TS 33.180", "malformed": "it has not its form"}[reason]
		}
	}
	r.B.Open(f.self, d.place(n))
	r.B.Str(f.state, state, record.Place{})
	if reason != "" {
		r.B.Str(f.reason, reason, record.Place{})
	}
	if hint != "" {
		r.B.Str(f.hint, hint, record.Place{})
	}
	if x != nil {
		if x.KeyName != "" {
			r.put(f.keyName, []byte(x.KeyName), record.Place{})
		}
		if x.Label != "" && x.Label != x.KeyName {
			r.put(f.key, []byte(x.Label), record.Place{})
		}
		if fromCapture(x.From) && state == "valid" {
			r.B.Str(f.origin, x.From.String(), record.Place{})
		}
		if s := x.Signature; s != nil {
			if s.SignatureMethod != "" {
				r.B.Str(f.method, shortName([]byte(s.SignatureMethod)), record.Place{})
			}
			variant := ""
			if s.Fallback {
				variant = s.Variant
			}
			for _, ref := range s.References {
				if ref.Fallback && variant == "" {
					variant = "reference as " + ref.Variant
				}
			}
			if variant != "" && state == "valid" {
				r.B.Str(f.variant, variant, record.Place{})
			}
		}
	}
	r.B.Close()
	switch state {
	case "valid":
		r.say("signature valid")
	case "invalid", "unresolved":
		r.Find("kms-signature", record.Error, "TS 33.180 D.1", "the signature does not verify: "+hint, d.p, f.self, d.place(n))
		r.say("signature " + state)
	default:
		r.say("signed")
	}
}

// requestSigned tells whether a signature is that of a request.
func (r *kmsRun) requestSigned(n int32) bool {
	return strings.HasSuffix(r.kmsName(r.d.nodes[n].parent), "kmsrequest")
}

// outcome shows what was learned and verified.
func (r *kmsRun) outcome(m *keys.Material, n keys.Learned, p *Part) {
	if m == nil {
		return
	}
	if n.Certificates+n.UserKeys+n.Transport+n.Integrity > 0 {
		r.B.Open(kmsLearned, record.Place{})
		for _, x := range []struct {
			f *record.Field
			n int
		}{{kmsLearnedCerts, n.Certificates}, {kmsLearnedUsers, n.UserKeys}, {kmsLearnedTrK, n.Transport}, {kmsLearnedInK, n.Integrity}} {
			if x.n > 0 {
				r.B.Num(x.f, int64(x.n), record.Place{})
			}
		}
		r.B.Close()
	}
	if n.Dropped > 0 {
		r.Find("limit-keys", record.Warning, "mcxdump", fmt.Sprintf("%d certificates and keys of this KMS document were not learned: the limit of the run is reached", n.Dropped), p, kmsSelf, p.Place(0, 0))
	}
	for _, v := range m.Verdicts[:min(len(m.Verdicts), 64)] {
		if strings.HasPrefix(v.What, "signature of ") {
			continue
		}
		r.B.Open(kmsVerdicts, record.Place{})
		r.B.Str(kmsVerdictWhat, v.What, record.Place{})
		r.B.Bool(kmsVerdictOK, v.OK, record.Place{})
		if v.Reason != "" {
			r.B.Str(kmsVerdictReason, v.Reason, record.Place{})
		}
		r.B.Close()
		if !v.OK && !strings.Contains(v.Reason, "certificate of the KMS") {
			r.Find("kms-verdict", record.Error, "TS 33.180 D.3.3.2", fmt.Sprintf("key material does not fit: %s: %s", v.What, v.Reason), p, kmsVerdicts, p.Place(0, 0))
		}
	}
}

// kmsOperations are the sub-resources of /keymanagement/identity/v1/, TS 33.180 D.1 and D.2.
var kmsOperations = []string{"init", "keyprov", "certcache", "cert", "lookup", "redirect"}

const kmsRootPath = "/keymanagement/identity/v1/"

// kmsPath takes the target of a KMS request apart: the operation, and what follows it, percent-decoded. An operation
// that is not one of the specification is returned as it stands.
func kmsPath(target string) (op string, rest []string) {
	i := strings.Index(target, kmsRootPath)
	if i < 0 {
		return "", nil
	}
	path, _, _ := strings.Cut(target[i+len(kmsRootPath):], "?")
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for k := range parts {
		if s, err := url.PathUnescape(parts[k]); err == nil {
			parts[k] = s
		}
	}
	return parts[0], parts[1:min(len(parts), 4)]
}

// kmsTarget shows what the target of a KMS request says, beside the http object. It is false for another target.
func (c *Context) kmsTarget(target string, at record.Place) bool {
	op, rest := kmsPath(target)
	if op == "" {
		return false
	}
	c.kmsKnown, c.mcx = true, true
	c.B.Open(kmsSelf, at)
	c.B.Str(kmsOperation, string(clip([]byte(op), 64)), at)
	words := "KMS " + shorten(op)
	for i, s := range rest {
		s = string(clip([]byte(s), 512))
		switch {
		case op == "keyprov" && i == 0:
			c.B.Str(kmsUser, s, at)
			words += " of " + shorten(s)
		case op == "keyprov" && i == 1:
			if v, err := strconv.ParseUint(s, 16, 64); err == nil && len(s) == 16 {
				c.B.Num(kmsPeriodAt, ntpTime(v), at)
			} else {
				c.Find("kms-target", record.Warning, "TS 33.180 D.2", fmt.Sprintf("the time in the target of keyprov is %q and not 16 hex digits", s), nil, kmsPeriodAt, at)
			}
		case op == "certcache" && i == 0:
			if v, err := strconv.ParseUint(s, 10, 63); err == nil {
				c.B.Num(kmsCacheNum, int64(v), at)
			}
		case op == "cert" && i == 0:
			c.B.Str(kmsURI, s, at)
			words += " of " + shorten(s)
		case op == "lookup" && i == 0:
			c.B.Str(kmsUser, s, at)
			words += " of " + shorten(s)
		}
	}
	c.B.Close()
	if !slices.Contains(kmsOperations, op) {
		c.Find("kms-target", record.Note, "TS 33.180 D.1", fmt.Sprintf("the KMS resource %q is not one of the specification", clip([]byte(op), 64)), nil, kmsOperation, at)
	}
	c.Say(words)
	return true
}

// ntpTime is Unix nanoseconds of a 64-bit NTP-UTC time.
func ntpTime(v uint64) int64 {
	const epoch = 2208988800
	return (int64(v>>32)-epoch)*int64(time.Second) + int64((v&0xffffffff)*1e9>>32)
}
