package decode

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// unsealWithRing asks the ring for a protected element or URI. Without a ring there is no key.
func unsealWithRing(c *Context, s *sealedData) ([]byte, record.Protection) {
	none := record.Protection{Encrypted: true, State: record.NoKey, Reason: record.ReasonNoKey, KeyID: s.keyID, Algorithm: s.algorithm}
	if c.ring == nil {
		return nil, none
	}
	id, named := parseKeyID(s.keyID)
	iv, sealed := s.iv, s.cipher
	if s.element {
		if len(s.cipher) < 12 {
			return nil, none
		}
		iv, sealed = s.cipher[:12], s.cipher[12:]
	}
	var plain []byte
	var out keys.Outcome
	if s.payload {
		plain, out = c.ring.OpenPayload(c.query(), id, s.iv, s.aad, s.cipher)
	} else {
		plain, out = c.ring.OpenElement(c.query(), id, named, s.algorithm, iv, sealed)
	}
	prot := fromRing(out, s.algorithm)
	if prot.KeyID == "" {
		prot.KeyID = s.keyID
	}
	what := "URI"
	switch {
	case s.element:
		what = "element"
	case s.payload:
		what = "payload"
	}
	switch {
	case out.OK && out.Variant == "key-name-mismatch":
		if c.opt.Checks == nil { // the check of that id says it otherwise
			c.Find("SEC-10", record.Error, "TS 24.379 6.6.2.3.3", "key id mismatch: the "+what+" names key "+s.keyID+" and opens with "+prot.KeyID, nil, nil, s.at)
		}
		prot.KeyID = s.keyID
	case out.OK && out.Variant != "":
		c.Find("SEC-13", record.Warning, "TS 33.180 F.1.4", "the "+what+" opens only with a non-standard key derivation: "+out.Variant, nil, nil, s.at)
	case !out.OK && prot.State == record.Failed:
		c.Find("SEC-12", record.Error, "TS 24.379 6.6.2.4", "decryption failed (server would answer 403/140): "+out.Hint, nil, nil, s.at)
	case !out.OK:
		c.Find("key-missing", record.Note, "TS 33.180 9.3.4", "not decrypted: "+out.Hint, nil, nil, s.at)
	}
	return plain, prot
}

func parseKeyID(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 16, 32)
	return uint32(v), err == nil && len(s) == 8
}

// unwrap asks the ring for the key of a message.
func (r *mikeyRun) unwrap(raw []byte) {
	if r.ring == nil {
		return
	}
	r.un = r.ring.Unwrap(r.query(), raw)
	if q := r.query(); len(q.Delivered) < maxPlanned {
		q.Delivered = append(q.Delivered, r.un.CSBID)
	}
	if r.query().Explain != nil {
		r.ring.Retrace(r.query(), raw)
	}
	switch {
	case r.un.State == keys.Recovered:
		r.verdict = " recovered"
	case r.un.State == keys.KeyFailed:
		r.verdict = " failed (" + string(r.un.Reason) + ")"
	}
	if r.un.Signature == keys.SignatureValid && r.verdict != "" {
		r.verdict += " and verified"
	}
}

// outcome shows the verdicts on signature and key.
func (r *mikeyRun) outcome(m *mikeyparse.Message) {
	f, b, u := r.f, r.B, r.un
	b.Open(f.signature, record.Place{})
	state, why := "absent", ""
	if m.Sign() != nil {
		state, why = "no_key", record.ReasonNoKPAK.String()
		if u != nil {
			state, why = string(u.Signature), string(u.SignatureReason)
		}
	}
	b.Str(f.sigState, state, record.Place{})
	if why != "" {
		b.Str(f.sigReason, why, record.Place{})
	}
	if u != nil && u.SignatureHint != "" {
		b.Str(f.sigWords, u.SignatureHint, record.Place{})
	}
	if u != nil && fromCapture(u.SignatureFrom) {
		b.Str(f.sigOrigin, u.SignatureFrom.String(), record.Place{})
	}
	b.Close()
	if m.SAKKE() == nil && m.KEMAC() == nil {
		return
	}
	b.Open(f.key, record.Place{})
	defer b.Close()
	if u == nil {
		b.Str(f.keyState, "no_key", record.Place{})
		why := record.ReasonNoKey
		if m.SAKKE() != nil {
			why = record.ReasonNoRSK
		}
		b.Str(f.keyReason, why.String(), record.Place{})
		return
	}
	b.Str(f.keyState, string(u.State), record.Place{})
	if u.Reason != "" {
		b.Str(f.keyReason, string(u.Reason), record.Place{})
	}
	if u.Hint != "" {
		b.Str(f.keyWords, u.Hint, record.Place{})
	}
	for _, v := range u.Variants {
		b.Str(f.keyVariants, v, record.Place{})
	}
	if u.Self {
		b.Bool(f.keySelf, true, record.Place{})
	}
	if fromCapture(u.From) {
		b.Str(f.keyOrigin, u.From.String(), record.Place{})
	}
	initiator, responder := r.ring.Parties(r.query(), u)
	if u.Initiator == "" && initiator != "" {
		b.Str(f.keyUser, initiator, record.Place{})
	}
	if u.Responder == "" && responder != "" {
		b.Str(f.keyServer, responder, record.Place{})
	}
	if u.State != keys.Recovered {
		return
	}
	switch {
	case u.HasGMKID:
		b.Str(f.keyGMK, keys.FormatID(u.GMKID), record.Place{})
	case u.Type == keys.GMK && responder != "":
		b.Str(f.keyGMK, keys.FormatID(keys.GUKID(u.Key.Reveal(), u.CSBID, responder)), record.Place{})
	}
	if u.ParamsState != "" {
		state := string(u.ParamsState)
		if u.ParamsState == keys.Recovered {
			state = "decrypted"
		}
		b.Str(f.keyParams, state, record.Place{})
	}
	if !r.ShowSecrets() {
		return
	}
	b.Octets(f.keyValue, u.Key.Reveal(), record.Place{})
	for _, s := range u.Sessions {
		b.Open(f.srtp, record.Place{})
		b.Num(f.srtpCS, int64(s.ID), record.Place{})
		b.Octets(f.srtpKey, s.Key.Reveal(), record.Place{})
		b.Octets(f.srtpSalt, s.Salt.Reveal(), record.Place{})
		if len(s.MKI) > 0 {
			b.Octets(f.srtpMKI, s.MKI, record.Place{})
		}
		b.Close()
	}
}

// fromCapture tells whether a KMS document of the capture brought a key.
func fromCapture(o keys.Origin) bool { return strings.HasPrefix(o.Name, kmsOrigin) }

// keyFindings says in words what became of signature and key, where that is an error or worth a note.
func (r *mikeyRun) keyFindings(m *mikeyparse.Message) {
	u := r.un
	if u == nil {
		return
	}
	if u.Signature == keys.SignatureInvalid {
		at := record.Place{}
		if s := m.Sign(); s != nil {
			at = r.p.Place(s.Off, min(s.End, len(r.p.Data))-s.Off)
		}
		r.Find("SEC-04", record.Error, "TS 33.180 5.2.2", "I_MESSAGE signature invalid (server would answer 403/136): "+u.SignatureHint, r.p, r.f.signature, at)
	}
	at := record.Place{}
	if s := m.SAKKE(); s != nil {
		at = r.p.Place(s.Off, min(s.End, len(r.p.Data))-s.Off)
	}
	switch {
	case u.State == keys.KeyFailed:
		r.Find("key-failed", record.Error, "RFC 6508 6.2.2", "the key could not be recovered: "+u.Hint, r.p, r.f.key, at)
	case u.State == keys.KeyMissing && u.Hint != "":
		r.Find("key-missing", record.Note, "TS 33.180 5.2.2", "the key was not recovered: "+u.Hint, r.p, r.f.key, at)
	}
	for _, v := range u.Variants {
		r.Find("mikey-variant", record.Note, "TS 33.180 E.1.2", "read otherwise than specified: "+v, r.p, r.f.key, at)
	}
	if u.ParamsState == keys.KeyFailed {
		r.Find("key-parameters", record.Warning, "TS 33.180 E.6", "the key parameters could not be opened with the recovered key", r.p, r.f.keyParams, at)
	}
}

// A signatureVerdict is what the ring made of one XML signature.
type signatureVerdict struct {
	state   string
	reason  record.Reason
	words   string
	variant string // of the key derivation
	form    string // canonical form that was proved where it is not the stated one
	digests []xmlsec.Reference
}

// maxSignatures bounds the Signature elements of one body that are verified.
const maxSignatures = 64

// verifySignature has xmlsec verify one Signature element of a signed body: with the ring's keys, or without any where
// only the digests of transformed references are asked for. Both results are nil when there is nothing to do.
func (c *Context) verifySignature(d *xmlDoc, n, info int32, keyID string, run *signedRun) (*xmlsec.Result, *keys.SignatureKeys) {
	if c.ring == nil && !d.hasTransforms(info) {
		return nil, nil
	}
	d.unplanned()
	if !run.asked {
		run.asked = true
		run.verify = c.verifier(d)
		run.ordinal = map[int32]int{}
		for i := range d.nodes {
			if i > 0 && d.is(int32(i), nsXMLSig, "Signature") {
				run.ordinal[int32(i)] = len(run.ordinal)
			}
		}
	}
	if run.verify == nil {
		return nil, nil
	}
	if c.ring == nil {
		return run.verify(run.ordinal[n], nil), nil
	}
	id, named := parseKeyID(keyID)
	search := c.ring.SignatureKeys(c.query(), id, named)
	res := run.verify(run.ordinal[n], search.Keys)
	if res != nil && res.Key == "" && search.More() {
		res = run.verify(run.ordinal[n], search.Keys)
	}
	return res, search
}

// verifier reads a signed body once and verifies its signatures by their order in the document.
func (c *Context) verifier(d *xmlDoc) func(int, xmlsec.KeyFunc) *xmlsec.Result {
	doc, err := xmlsec.Parse(d.p.Data, xmlsec.Limits{})
	if err != nil {
		return nil // the pull reader has reported it
	}
	signatures := doc.Find(doc.Root(), xmlsec.NSSig, "Signature", maxSignatures)
	var parts []xmlsec.Target
	for _, p := range c.siblings() {
		parts = append(parts, xmlsec.Target{Octets: p.Data, ContentType: p.Type, ID: p.ContentID})
	}
	return func(ordinal int, keys xmlsec.KeyFunc) *xmlsec.Result {
		if ordinal >= len(signatures) {
			return nil
		}
		return xmlsec.Verify(signatures[ordinal], xmlsec.VerifyOptions{Resolve: xmlsec.Parts(parts), Keys: keys})
	}
}

// hasTransforms reports whether a Reference of a SignedInfo element has transforms.
func (d *xmlDoc) hasTransforms(info int32) bool {
	if info == 0 {
		return false
	}
	for k := range d.kids(info) {
		if d.is(k, nsXMLSig, "Reference") && d.child(k, nsXMLSig, "Transforms") != 0 {
			return true
		}
	}
	return false
}

// judge turns xmlsec's result and the ring's into the verdict on one signature; nil without a ring.
func (c *Context) judge(d *xmlDoc, n int32, res *xmlsec.Result, search *keys.SignatureKeys) *signatureVerdict {
	if res == nil || search == nil {
		return nil
	}
	out := search.Outcome(res.Key)
	v := &signatureVerdict{state: res.State().String(), reason: reasonOf(keys.Reason(res.Reason())), words: out.Hint, variant: out.Variant, digests: res.References}
	switch v.state {
	case "valid", "invalid", "no_key", "unresolved":
	default:
		v.state = "invalid"
	}
	if res.MAC == xmlsec.StateNoKey && out.Reason != "" {
		v.reason = reasonOf(out.Reason)
	}
	if out.OK && out.Reason == keys.ReasonKeyName && v.state == "valid" {
		v.reason = record.ReasonKeyNameMismatch
	}
	if !out.OK && out.Reason == keys.ReasonKeyName {
		v.state, v.reason = "no_key", record.ReasonKeyNameMismatch
	}
	if res.MAC == xmlsec.StateInvalid && out.Reason == keys.ReasonP0Unknown {
		v.state, v.reason = "no_key", record.ReasonP0Unknown
	}
	if res.Fallback {
		v.form = res.Variant
	}
	at := d.place(n)
	switch {
	case v.state == "invalid" && v.reason == record.ReasonHMACMismatch:
		c.Find("SEC-15", record.Error, "TS 24.379 6.6.3.3.3", "signature invalid (server would answer 403/139): "+v.words, d.p, sigState, at)
	case v.state == "no_key" && v.words != "":
		c.Find("key-missing", record.Note, "TS 33.180 9.3.5", "signature not verified: "+v.words, d.p, sigState, at)
	}
	if v.variant != "" {
		c.Find("SEC-13", record.Warning, "TS 33.180 F.1.4", "the signature verifies only with a non-standard key derivation: "+v.variant, d.p, sigState, at)
	}
	if v.form != "" {
		c.Find("signature-form", record.Warning, "TS 24.379 6.6.3.3.3", fmt.Sprintf("the signature verifies only over another canonical form than the stated one: %s", v.form), d.p, sigState, at)
	}
	if v.state == "valid" {
		c.markSigned(v)
	}
	return v
}

var (
	sigVariant = reg("signatures.variant", "Which key derivation fitted, where it is not the expected one", "TS 33.180 F.1.4", record.String)
	sigForm    = reg("signatures.canonical_form", "Which canonical form was proved, where it is not the stated one", "XML Signature 4.3.1", record.String)
)

func (c *Context) showVerdict(v *signatureVerdict) {
	if v.variant != "" {
		c.B.Str(sigVariant, v.variant, record.Place{})
	}
	if v.form != "" {
		c.B.Str(sigForm, v.form, record.Place{})
	}
	if v.state == "valid" {
		c.Say("signature verified")
	} else if v.state == "invalid" {
		c.Say("signature invalid")
	}
}

// markSigned notes on every protected element of the bodies that a verified signature covers that it is covered: the
// octets that were digested are those of the part, and the nodes point into them.
func (c *Context) markSigned(v *signatureVerdict) {
	r := c.B.R
	parts := c.siblings()
	for _, ref := range v.digests {
		if ref.Digest != xmlsec.DigestOK || !ref.Outside {
			continue
		}
		for i := range parts {
			p := &parts[i]
			if p.ContentID == "" || p.ContentID != strings.Trim(ref.Target.ID, "<>") {
				continue
			}
			for j := range r.Nodes {
				n := &r.Nodes[j]
				if pr := r.Protection(n); pr != nil && n.Flags&record.HasRange != 0 && c.inside(int(n.Src), int(n.Off), p) {
					pr.Signed, pr.Verified = true, true
				}
			}
		}
	}
}

// inside reports whether octet off of a source lies in a part, or was derived from octets that do.
func (c *Context) inside(src, off int, p *Part) bool {
	r := c.B.R
	for range len(r.Sources) {
		if src == p.Src {
			return off >= p.Off && off < p.Off+len(p.Data)
		}
		if src < 0 || src >= len(r.Sources) || r.Sources[src].Parent < 0 {
			return false
		}
		src, off = r.Sources[src].Parent, int(r.Sources[src].ParentOff)
	}
	return false
}
