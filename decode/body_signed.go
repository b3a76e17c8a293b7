package decode

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/xmlsec"
)

// The signed bodies: TS 24.379 F.6 and its twins, a list of XML signatures over the other bodies of the message.

var (
	sigList      = regList("signatures", "Signatures", "TS 24.379 F.6", record.Object)
	sigID        = reg("signatures.id", "Id of the signature", "TS 36.579-1 5.5.13.1", record.String)
	sigState     = reg("signatures.state", "State", "TS 24.379 6.6.3.3.3", record.String)
	sigReason    = reg("signatures.reason", "Reason", "TS 24.379 6.6.3.3.3", record.String)
	sigKeyID     = reg("signatures.key_id", "Identifier of the key", "TS 24.379 6.6.3.3.3", record.String)
	sigMethod    = reg("signatures.signature_method", "Signature method", "TS 24.379 6.6.3.3.3", record.String)
	sigCanon     = reg("signatures.canonicalization", "Canonicalization method", "TS 24.379 6.6.3.3.3", record.String)
	sigValue     = reg("signatures.value", "Signature value", "XML Signature 4.3", record.Octets)
	sigRefs      = regList("signatures.references", "References", "TS 24.379 F.6", record.Object)
	sigRefURI    = reg("signatures.references.uri", "URI", "TS 24.379 F.6", record.String)
	sigRefBody   = reg("signatures.references.body", "Path of the body it covers", "TS 24.379 F.6", record.String)
	sigRefDigest = reg("signatures.references.digest", "Digest", "TS 24.379 6.6.3.3.3", record.String)
	sigRefMethod = reg("signatures.references.digest_method", "Digest method", "TS 24.379 6.6.3.3.3", record.String)
	sigRefHow    = reg("signatures.references.variant", "How the body had to be written for the digest to fit", "TS 24.379 6.6.3.3.3", record.String)
	sigRefTrans  = regList("signatures.references.transforms", "Transforms", "XML Signature 4.4.3.4", record.String)
)

func init() {
	var roots []string
	for _, s := range infoServices {
		roots = append(roots, "urn:3gpp:ns:"+s.name+"SignedDoc:1.0 signatures")
	}
	registerBody(BodyType{Name: "mcptt-signed", Types: []string{"application/vnd.3gpp.mcptt-signed+xml", "application/vnd.3gpp.mc*-signed+xml"}, Roots: roots, Dissect: dissectSigned, plans: true})
}

func dissectSigned(c *Context, p *Part) {
	c.mcx = true
	d := c.readXML(p)
	defer d.free()
	root := d.root()
	if root == 0 {
		d.unread(c)
		return
	}
	if string(d.nodes[root].local) != "signatures" || !bytes.HasSuffix(d.nodes[root].space, []byte("SignedDoc:1.0")) {
		c.Find("XML-01", record.Error, "TS 24.379 F.6", fmt.Sprintf("wrong root or namespace: root is %q in %q instead of signatures", clip(d.nodes[root].local, 80), clip(d.nodes[root].space, 80)), p, sigList, d.place(root))
	}
	var run signedRun
	var walk func(n int32, depth int)
	walk = func(n int32, depth int) {
		for k := range d.kids(n) {
			switch {
			case d.is(k, nsXMLSig, "Signature"):
				c.signature(d, k, &run)
			case string(d.nodes[k].local) == "anyExt" && depth == 0:
				walk(k, 1)
			}
		}
	}
	if d.is(root, nsXMLSig, "Signature") {
		c.signature(d, root, &run)
	} else {
		walk(root, 0)
	}
	d.report(c)
	words := []string{"signed", " "}
	for i, w := range run.what {
		if i > 0 {
			words = append(words, ", ")
		}
		words = append(words, w)
	}
	if len(run.what) == 0 {
		words = words[:1]
	}
	c.Say(c.join(words...))
}

// octets64 decodes the base64 in an element; when it is not wanted it only tells whether it is any.
func (d *xmlDoc) octets64(n int32, wanted bool) ([]byte, bool) {
	if wanted {
		return decode64(d.raw(n))
	}
	_, ok := d.length64(n, 0)
	return nil, ok
}

// A signedRun is the state of one signed body while it is read.
type signedRun struct {
	what  []string // names of the bodies that are covered
	known []*digests

	verify  func(ordinal int, keys xmlsec.KeyFunc) *xmlsec.Result // nil until asked for, and when the body cannot be read
	asked   bool
	ordinal map[int32]int // of each Signature in document order
}

// digests returns those of a body, computed once.
func (run *signedRun) digests(p *Part, method string) *digests {
	for _, ds := range run.known {
		if ds.path == p.Path && ds.method == method {
			return ds
		}
	}
	ds := newDigests(p.Path, method, p.Data)
	if len(run.known) < 4096 {
		run.known = append(run.known, ds)
	}
	return ds
}

// signature shows one Signature element.
func (c *Context) signature(d *xmlDoc, n int32, run *signedRun) {
	p := d.p
	info := d.child(n, nsXMLSig, "SignedInfo")
	keyID, method := "", ""
	unresolved, mismatch := false, false
	c.B.Open(sigList, d.place(n))
	if a, ok := d.attrOf(n, "Id"); ok && c.B.Wants(sigID) {
		c.put(sigID, a.Value, d.attrPlace(a))
	}
	if k := d.child(n, nsXMLSig, "KeyInfo"); k != 0 {
		if keyID = c.keyName(d, k); keyID != "" {
			c.B.Str(sigKeyID, keyID, d.place(k))
		}
	}
	if info != 0 {
		if k := d.child(info, nsXMLSig, "SignatureMethod"); k != 0 {
			if a, ok := d.attrOf(k, "Algorithm"); ok {
				method = shortName(a.Value)
				c.B.Str(sigMethod, method, d.attrPlace(a))
				if method != "hmac-sha256" {
					c.Find("SEC-17", record.Warning, "TS 24.379 F.6", fmt.Sprintf("unexpected algorithm: SignatureMethod is %q instead of HMAC-SHA-256", clip(a.Value, 80)), p, sigMethod, d.attrPlace(a))
				}
			}
		}
		if k := d.child(info, nsXMLSig, "CanonicalizationMethod"); k != 0 && c.B.Wants(sigCanon) {
			if a, ok := d.attrOf(k, "Algorithm"); ok {
				c.put(sigCanon, a.Value, d.attrPlace(a))
			}
		}
	}
	if k := d.child(n, nsXMLSig, "SignatureValue"); k != 0 {
		if raw, ok := d.octets64(k, c.B.Wants(sigValue)); ok {
			c.B.Str(sigValue, text(raw), d.content(k))
		} else if d.whole(k) {
			c.Find("XML-11", record.Error, "XML Signature 4.3", "value outside its type: SignatureValue is not base64", p, sigValue, d.content(k))
		}
	}
	res, search := c.verifySignature(d, n, info, keyID, run)
	if info != 0 {
		i := -1
		for k := range d.kids(info) {
			if !d.is(k, nsXMLSig, "Reference") {
				continue
			}
			i++
			var ref *xmlsec.Reference
			if res != nil && i < len(res.References) {
				ref = &res.References[i]
			}
			digest, name := c.reference(d, k, run, ref)
			unresolved = unresolved || digest == "unresolved"
			mismatch = mismatch || digest == "mismatch"
			if name != "" && len(run.what) < 8 {
				run.what = append(run.what, name)
			}
		}
	}
	state, reason := "no_key", record.ReasonNoKey
	if v := c.judge(d, n, res, search); v != nil {
		state, reason = v.state, v.reason
		c.showVerdict(v)
	}
	switch {
	case state == "valid":
	case info == 0:
		state, reason = "invalid", record.ReasonMalformed
	case mismatch:
		state, reason = "invalid", record.ReasonDigestMismatch
	case unresolved:
		state, reason = "unresolved", record.ReasonUnresolvedReference
	}
	c.B.Str(sigState, state, record.Place{})
	if reason != record.NoReason {
		c.B.Str(sigReason, reason.String(), record.Place{})
	}
	c.B.Close()
}

// reference shows one Reference and computes its digest, which takes no key.
// With transforms it is xmlsec's verdict, ref, that counts.
func (c *Context) reference(d *xmlDoc, n int32, run *signedRun, ref *xmlsec.Reference) (digest, name string) {
	p := d.p
	c.B.Open(sigRefs, d.place(n))
	defer c.B.Close()
	var target *Part
	if k := d.attr(n, "URI"); k >= 0 {
		if d.run != nil {
			d.run.body(c, d, k)
		}
		a := d.value(k)
		c.put(sigRefURI, a.Value, d.attrPlace(a))
		target = c.byContentID(a.Value)
	}
	method := ""
	if k := d.child(n, nsXMLSig, "DigestMethod"); k != 0 {
		if a, ok := d.attrOf(k, "Algorithm"); ok {
			method = shortName(a.Value)
			c.B.Str(sigRefMethod, method, d.attrPlace(a))
			if method != "sha256" {
				c.Find("SEC-17", record.Warning, "TS 24.379 F.6", fmt.Sprintf("unexpected algorithm: DigestMethod is %q instead of SHA-256", clip(a.Value, 80)), p, sigRefMethod, d.attrPlace(a))
			}
		}
	}
	var want []byte
	if k := d.child(n, nsXMLSig, "DigestValue"); k != 0 {
		var ok bool
		if want, ok = d.octets64(k, c.B.Wants(sigList)); !ok {
			want = nil
		}
		if !ok && d.whole(k) {
			c.Find("XML-11", record.Error, "XML Signature 4.4.3.6", "value outside its type: DigestValue is not base64", p, sigRefDigest, d.content(k))
		}
	}
	transforms := 0
	if k := d.child(n, nsXMLSig, "Transforms"); k != 0 {
		for t := range d.kids(k) {
			if a, ok := d.attrOf(t, "Algorithm"); ok {
				transforms++
				c.put(sigRefTrans, a.Value, d.attrPlace(a))
			}
		}
	}
	digest = "unresolved"
	variant := ""
	if target != nil {
		c.B.Str(sigRefBody, target.Path, record.Place{})
		name = bodyName(target)
		if transforms == 0 && want != nil && d.whole(n) && c.B.Wants(sigList) {
			digest, variant = run.digests(target, method).check(want)
		}
		if digest != "ok" && ref != nil && ref.Outside {
			switch ref.Digest {
			case xmlsec.DigestOK:
				if digest = "ok"; ref.Fallback {
					variant = ref.Variant
				}
			case xmlsec.DigestMismatch:
				digest = "mismatch"
			}
		}
	}
	c.B.Str(sigRefDigest, digest, record.Place{})
	if variant != "" {
		c.B.Str(sigRefHow, variant, record.Place{})
	}
	return digest, name
}

// digests holds the digests of one body by one method, so that many References to it cost one reading.
type digests struct {
	path, method string
	data, lf     []byte
	sums         [len(digestForms)][]byte // computed as far as they were asked for
	n            int
}

// digestForms are the ways to write a body that are tried: as it was carried, then with line ends as they may have been
// before they were changed on the way.
var digestForms = [...]string{"", "line ends as LF", "line ends as CRLF", "with a final CRLF", "without the final line end"}

func newDigests(path, method string, data []byte) *digests {
	return &digests{path: path, method: method, data: data}
}

// sum is the digest of a followed by b, nil when the method is not known.
func (ds *digests) sum(a, b []byte) []byte {
	var h hash.Hash
	switch ds.method {
	case "sha256":
		if len(b) == 0 {
			s := sha256.Sum256(a)
			return s[:]
		}
		h = sha256.New()
	case "sha1":
		h = sha1.New()
	case "sha384":
		h = sha512.New384()
	case "sha512":
		h = sha512.New()
	default:
		return nil
	}
	h.Write(a)
	h.Write(b)
	return h.Sum(nil)
}

// form is the digest of the body in one of the digestForms.
func (ds *digests) form(i int) []byte {
	for ; ds.n <= i; ds.n++ {
		switch ds.n {
		case 0:
			ds.sums[0] = ds.sum(ds.data, nil)
		case 1:
			ds.lf = bytes.ReplaceAll(ds.data, []byte("\r\n"), []byte("\n"))
			ds.sums[1] = ds.sum(ds.lf, nil)
		case 2:
			ds.sums[2] = ds.sum(bytes.ReplaceAll(ds.lf, []byte("\n"), []byte("\r\n")), nil)
			ds.lf = nil
		case 3:
			ds.sums[3] = ds.sum(ds.data, []byte("\r\n"))
		default:
			ds.sums[ds.n] = ds.sum(bytes.TrimRight(ds.data, "\r\n"), nil)
		}
	}
	return ds.sums[i]
}

// check compares the digest of a Reference.
func (ds *digests) check(want []byte) (digest, variant string) {
	for i, name := range digestForms {
		switch h := ds.form(i); {
		case h == nil:
			return "unresolved", ""
		case bytes.Equal(h, want):
			return "ok", name
		}
	}
	return "mismatch", ""
}

// byContentID finds the body that a Reference names: a cid URL, a bare Content-ID, or one in angle brackets.
func (c *Context) byContentID(uri []byte) *Part {
	id := trimSpace(uri)
	if len(id) > 4 && strings.EqualFold(string(id[:4]), "cid:") {
		id = unescape(id[4:])
	}
	id = bytes.TrimSuffix(bytes.TrimPrefix(id, []byte("<")), []byte(">"))
	if len(id) == 0 {
		return nil
	}
	parts := c.siblings()
	for i := range parts {
		if parts[i].ContentID == string(id) {
			return &parts[i]
		}
	}
	for i := range parts {
		if strings.EqualFold(parts[i].ContentID, string(id)) {
			return &parts[i]
		}
	}
	return nil
}

// bodyName is the short name of a body in words: mcptt-info.
func bodyName(p *Part) string {
	if b := bodyByType(p.Type); b != nil && b.Name != "xml" && b.Name != "data" {
		return b.Name
	}
	t := p.Type
	if i := strings.IndexByte(t, '/'); i >= 0 {
		t = t[i+1:]
	}
	return strings.TrimSuffix(strings.TrimPrefix(t, "vnd.3gpp."), "+xml")
}
