package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

// Bounds of reading KMS documents.
const (
	maxDocuments = 65536 // XML documents in one file
	maxNewKeys   = 65536 // NewTransportKey and NewIntegrityKey elements that are looked at
	maxOtherKEK  = 64    // transport keys of other names tried on a wrapped key
)

// What costs more than reading, and how often it is done for one document of a capture, which anybody can have sent.
const (
	costSignature = iota
	costNewKey
	costKey // a point to check or a key to unwrap
)

var maxCost = [...]int{costSignature: 8, costNewKey: 16, costKey: 256}

// spend is false when a document of a capture asks for more than is done for it, which is said once.
func (l *loader) spend(what int, o Origin) bool {
	if l.given == nil {
		return true
	}
	l.cost[what]++
	if l.cost[what] == maxCost[what]+1 {
		l.fail(o.Name, o.Line, "", fmt.Sprintf("more than %d %s in one document", maxCost[what],
			[...]string{"signatures", "new transport and integrity keys", "keys"}[what]), ErrLimit)
	}
	return l.cost[what] <= maxCost[what]
}

// XMLOptions is what [ReadKMSXML] needs beside the document.
type XMLOptions struct {
	Origin    Origin  // where the document was found, such as a frame; errors add the line within it
	Transport []Named // transport keys (TrK), to unwrap key material and to verify signatures
	Integrity []Named // integrity keys (InK), to verify signatures
	KMSs      []KMS   // certificates known from elsewhere, to verify SSK and PVT
	// Seen, when set, is told what became of each piece of key material and each signature, in no particular order.
	Seen func(x *XMLSeen)
}

// An XMLSeen is one element with key material, or one signature, and what became of it.
type XMLSeen struct {
	Off     int    // of the element's start tag in the document
	Element string // local name as written

	// Key material. Wrapped says that it is an EncryptedKey, which TrK opened where Value is not empty.
	Wrapped   bool
	KeyName   string // of the transport key, as written
	Algorithm string // of the wrapping, as stated
	Variant   string // coding and method that matched, as [xmlsec.UnwrapInfo] has it
	Label     string // name of the key that opened it
	From      Origin // of that key
	Value     Secret // the octets, as far as they could be read
	Reason    Reason // why not
	Err       error  // the same in words

	// Signature is the result of verifying it; nil for key material. Covers says that what was proved includes the content.
	Signature *xmlsec.Result
	Covers    bool
}

// tell tells of an element, where somebody wants to know.
func (l *loader) tell(f *xmlFile, el *etree.Element, x *XMLSeen) {
	if l.given == nil || l.given.Seen == nil {
		return
	}
	span, _ := f.doc.Span(el)
	x.Off, x.Element = f.base+f.before(span.Start), el.Tag
	l.given.Seen(x)
}

// before is an offset of the document without what was added to it.
func (f *xmlFile) before(off int) int {
	if off > f.at {
		off = max(f.at, off-f.more)
	}
	return off
}

// ReadKMSXML reads one document, or several after one another, from the KMS interface of TS 33.180 annex D: KmsResponse and
// SignedKmsResponse, or from them KmsInit, KmsKeyProv, KmsCertCache, KmsLookup, KmsCertificate, SignedKmsCertificate and KmsKeySet
// alone. Elements are known by their local names, in any case, since products differ in namespaces (D.2.2, D.3).
//
// Key material may be hex, base64 or an EncryptedKey under a transport key; NewTransportKey and NewIntegrityKey are unwrapped
// and used at once. A signature that does not verify is a [Verdict] and no error: what it covers is read all the same.
// Of one document no more than 8 signatures, 16 new keys and 256 keys are read, so that a hostile one costs little.
// The material holds what could be read, also when there is an error; the error wraps [ErrKind] when nothing in the document is
// of the KMS.
func ReadKMSXML(doc []byte, o XMLOptions) (*Material, error) {
	l := newLoader()
	if len(doc) > xmlsec.DefaultBytes {
		l.fail(o.Origin.Name, o.Origin.Line, "", fmt.Sprintf("has %d octets, more than %d", len(doc), xmlsec.DefaultBytes), ErrLimit)
		return l.done()
	}
	l.given = &o
	l.xmlText(o.Origin.Name, doc, true)
	return l.done()
}

// xmlFile is a document that waits until every transport key is known.
type xmlFile struct {
	name     string
	doc      *xmlsec.Doc
	base     int   // offset of the document in its file
	newlines []int // offsets of the line ends of the file
	cut      int   // where reading stopped; -1 when the document is whole
	at, more int   // octets that were added to the document, and where
}

var kmsRoots = map[string]bool{
	"kmsresponse": true, "signedkmsresponse": true, "kmsmessage": true, "kmsinit": true, "kmskeyprov": true, "kmscertcache": true,
	"kmslookup": true, "kmscertificate": true, "signedkmscertificate": true, "kmskeyset": true,
}

const kmsExpected = "expected KmsResponse, SignedKmsResponse, KmsInit, KmsKeyProv, KmsCertCache, KmsCertificate, SignedKmsCertificate " +
	"or KmsKeySet (TS 33.180 annex D)"

func isKMSRoot(el *etree.Element) bool { return kmsRoots[strings.ToLower(el.Tag)] }

// xmlText reads the documents of a file and says whether it is of the KMS. What is in them is read by finishXML.
func (l *loader) xmlText(name string, b []byte, named bool) bool {
	whole := b
	if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("HTTP/1.")) {
		b = b[bytes.Index(b, []byte("\n<"))+1:]
	}
	var newlines []int
	for i, c := range whole {
		if c == '\n' {
			newlines = append(newlines, i)
		}
	}
	lim := xmlsec.Limits{Bytes: MaxFileSize, Elements: 1 << 19, Nodes: 1 << 20, AllAttributes: 1 << 19}
	if l.given != nil {
		lim = xmlsec.Limits{}
	}
	known, docs := false, 0
	for {
		b = bytes.TrimLeft(b, " \t\r\n")
		if len(b) == 0 {
			break
		}
		f := &xmlFile{name: name, base: len(whole) - len(b), newlines: newlines, cut: -1}
		if docs++; docs > maxDocuments {
			l.fail(name, f.line(0), "", fmt.Sprintf("more than %d XML documents", maxDocuments), ErrLimit)
			break
		}
		used, err := f.parse(b, lim)
		doc := f.doc
		if err != nil {
			if root := doc.Root(); root != nil {
				span, _ := doc.Span(root)
				f.cut = span.End
			} else {
				f.cut = 0
			}
		}
		found := doc.Root() != nil && holdsKMS(doc.Root(), 0)
		known = known || found
		if found {
			l.xml = append(l.xml, f)
		}
		if err != nil && (named || found) {
			off := 0
			if x, ok := errors.AsType[*xmlsec.Error](err); ok {
				off = x.Off
			}
			l.fail(name, f.line(off), "", "", withheldXML(err))
		}
		if err == nil && !found {
			o := Origin{Name: name, Line: f.line(0)}
			switch {
			case named:
				l.fail(name, o.Line, "", "the element "+quote(doc.Root().Tag)+" is not of the KMS; "+kmsExpected, ErrKind)
			default:
				l.warn(o, "skipped: %v", ErrKind)
			}
		}
		if err != nil {
			if !named && !found {
				l.warn(Origin{Name: name, Line: f.line(0)}, "skipped: %v", ErrKind)
			}
			break
		}
		b = b[used:]
	}
	if docs == 0 {
		l.fail(name, 0, "", kmsExpected, ErrKind)
	}
	return known
}

// withheldXML keeps of a reader's error what cannot hold the document's text: the field, the clause and the kind.
func withheldXML(err error) error {
	x, ok := errors.AsType[*xmlsec.Error](err)
	if !ok {
		return errors.New("not readable as XML")
	}
	s := x.Field
	if looksSecret(s) {
		s = "document"
	}
	if x.Spec != "" {
		s += " (" + x.Spec + ")"
	}
	return fmt.Errorf("%s: %w", s, x.Err)
}

// parse reads the first document of b and says how many octets of b it has.
func (f *xmlFile) parse(b []byte, lim xmlsec.Limits) (int, error) {
	// Where one document follows another, the first end tag of the root's name is the end, unless that proves wrong.
	if end := firstEnd(b); end > 0 && end < len(b) {
		if doc, err := xmlsec.Parse(b[:end], lim); err == nil {
			f.doc = doc
			return end, nil
		}
	}
	doc, err := xmlsec.Parse(b, lim)
	f.doc = doc
	if err == nil {
		return len(b), nil
	}
	if errors.Is(err, xmlsec.ErrNamespace) {
		// Examples and tools leave the declarations of the usual prefixes out. They go into the root's start tag.
		if with, at, n := declare(b); n > 0 {
			g := *f
			if used, err := g.parse(with, lim); err == nil {
				*f = g
				f.at, f.more = at, n
				return used - n, nil
			}
		}
	}
	if root := doc.Root(); root != nil {
		if span, ok := doc.Span(root); ok && span.End < len(b) {
			if first, err := xmlsec.Parse(b[:span.End], lim); err == nil {
				f.doc = first
				return span.End, nil
			}
		}
	}
	return len(b), err
}

// rootName finds the name in the first start tag, which begins at off.
func rootName(b []byte) (off int, name []byte) {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '<')
		if n < 0 || i+n+1 >= len(b) {
			return 0, nil
		}
		i += n + 1
		end := ""
		switch {
		case b[i] == '?':
			end = "?>"
		case bytes.HasPrefix(b[i:], []byte("!--")):
			end = "-->"
		case b[i] == '!':
			return 0, nil
		default:
			if n = bytes.IndexAny(b[i:], " \t\r\n/>"); n <= 0 {
				return 0, nil
			}
			return i, b[i : i+n]
		}
		if n = bytes.Index(b[i:], []byte(end)); n < 0 {
			return 0, nil
		}
		i += n
	}
}

// firstEnd is the offset after the first end tag that has the name of the root, 0 when there is none.
func firstEnd(b []byte) int {
	off, name := rootName(b)
	if name == nil {
		return 0
	}
	if i := bytes.IndexByte(b[off:], '>'); i > 0 && b[off+i-1] == '/' {
		return off + i + 1
	}
	tag := append([]byte("</"), name...)
	i := bytes.Index(b[off:], tag)
	if i < 0 {
		return 0
	}
	n := bytes.IndexByte(b[off+i:], '>')
	if n < 0 {
		return 0
	}
	return off + i + n + 1
}

// usualPrefixes are declared where a document uses them without a declaration.
var usualPrefixes = [][2]string{
	{"xsi", "http://www.w3.org/2001/XMLSchema-instance"}, {"xenc", xmlsec.NSEnc}, {"ds", xmlsec.NSSig},
	{"se", "urn:3gpp:ns:mcsecKMSInterface:1.0"}, {"kms", "urn:3gpp:ns:mcsecKMSInterface:1.0"}, {"kmsEx", "urn:3gpp:ns:mcsecKMSInterface:1.0"},
}

// declare adds declarations of usual prefixes which b uses to the first start tag of b. It says where and how many octets.
func declare(b []byte) (with []byte, at, n int) {
	off, name := rootName(b)
	if name == nil {
		return b, 0, 0
	}
	at = off + len(name)
	tag, _, _ := bytes.Cut(b[at:], []byte(">"))
	add := ""
	for _, p := range usualPrefixes {
		if bytes.Contains(b, []byte(p[0]+":")) && !bytes.Contains(tag, []byte("xmlns:"+p[0]+"=")) && !bytes.Contains(tag, []byte("xmlns:"+p[0]+" ")) {
			add += " xmlns:" + p[0] + `="` + p[1] + `"`
		}
	}
	with = make([]byte, 0, len(b)+len(add))
	return append(append(append(with, b[:at]...), add...), b[at:]...), at, len(add)
}

// holdsKMS looks for an element of the KMS at or below el, a few levels deep: some tools wrap the responses they save.
func holdsKMS(el *etree.Element, depth int) bool {
	if isKMSRoot(el) {
		return true
	}
	if depth < 4 {
		for _, c := range el.ChildElements() {
			if holdsKMS(c, depth+1) {
				return true
			}
		}
	}
	return false
}

// line is the line of an offset of the document in its file.
func (f *xmlFile) line(off int) int {
	return 1 + sort.SearchInts(f.newlines, f.base+f.before(off))
}

func (f *xmlFile) lineOf(el *etree.Element) int {
	span, _ := f.doc.Span(el)
	return f.line(span.Start)
}

// whole is false for an element which the defect of a document cut off.
func (f *xmlFile) whole(el *etree.Element) bool {
	span, ok := f.doc.Span(el)
	return ok && (f.cut < 0 || span.End < f.cut)
}

// finishXML reads the documents: first the new transport and integrity keys, until no more of them open, then the rest.
func (l *loader) finishXML() {
	type pending struct {
		f    *xmlFile
		el   *etree.Element
		done bool
	}
	var news []*pending
	for _, f := range l.xml {
		var find func(el *etree.Element)
		find = func(el *etree.Element) {
			if isNewKey(el) {
				if !l.spend(costNewKey, l.origin(f, el)) {
					return
				}
				if len(news) < maxNewKeys {
					news = append(news, &pending{f: f, el: el})
				} else if len(news) == maxNewKeys {
					news = append(news, &pending{done: true})
					l.warn(l.origin(f, el), "more than %d new transport and integrity keys: the rest is not read", maxNewKeys)
				}
				return
			}
			if isKMSRoot(el) || holdsKMS(el, 0) {
				for _, c := range el.ChildElements() {
					find(c)
				}
			}
		}
		find(f.doc.Root())
	}
	// A key that opens may open another, of an earlier document too. What is left after each round gets one more try.
	for again := true; again; {
		again = false
		for _, p := range news {
			if !p.done && l.newKey(p.f, p.el, false) {
				p.done, again = true, true
			}
		}
	}
	for _, p := range news {
		if !p.done {
			l.newKey(p.f, p.el, true)
		}
	}
	for _, f := range l.xml {
		l.walk(f, f.doc.Root(), scope{}, 0)
	}
	l.xml = nil
}

func isNewKey(el *etree.Element) bool {
	return strings.EqualFold(el.Tag, "NewTransportKey") || strings.EqualFold(el.Tag, "NewIntegrityKey")
}

func (l *loader) origin(f *xmlFile, el *etree.Element) Origin {
	if l.given != nil {
		return l.given.Origin
	}
	return Origin{f.name, f.lineOf(el)}
}

// scope is what a response says about all that is in it.
type scope struct{ kms, user string }

func (l *loader) walk(f *xmlFile, el *etree.Element, s scope, depth int) {
	switch strings.ToLower(el.Tag) {
	case "kmscertificate":
		l.certificate(f, el, s)
		return
	case "kmskeyset":
		l.keySet(f, el, s)
		return
	case "kmsresponse":
		if v := childText(el, "KmsUri"); v != "" {
			s.kms = v
		}
		if v := childText(el, "UserUri"); v != "" {
			s.user = v
		}
		if e := child(el, "KmsError"); e != nil {
			l.warn(l.origin(f, el), "the KMS answered with error %s %s", quote(childText(e, "ErrorCode")), quoteText(childText(e, "ErrorMsg")))
		}
	case "signedkmscertificate", "signedkmsresponse", "kmsmessage", "kmsinit", "kmskeyprov", "kmscertcache", "kmslookup":
	default:
		if depth >= 5 {
			return
		}
	}
	for _, c := range el.ChildElements() {
		if strings.EqualFold(c.Tag, "Signature") && isKMSRoot(el) {
			l.signature(f, el, c)
			continue
		}
		if isKMSRoot(c) || depth < 4 && holdsKMS(c, 0) {
			l.walk(f, c, s, depth+1)
		}
	}
}

// child is the first child element with a local name.
func child(el *etree.Element, local string) *etree.Element {
	if el != nil {
		for _, c := range el.ChildElements() {
			if strings.EqualFold(c.Tag, local) {
				return c
			}
		}
	}
	return nil
}

func childText(el *etree.Element, local string) string {
	if c := child(el, local); c != nil {
		return strings.TrimSpace(xmlsec.Text(c))
	}
	return ""
}

// fields reads the values of one element and keeps the first defect of each.
type fields struct {
	l     *loader
	f     *xmlFile
	el    *etree.Element
	entry string
}

func (x *fields) fail(c *etree.Element, local string, err error) {
	if c == nil {
		c = x.el
	}
	x.l.fail(x.f.name, x.f.lineOf(c), x.entry, local, err)
}

// text returns a value, "" when it is absent or cut off.
func (x *fields) text(local string, must bool) (string, *etree.Element) {
	c := child(x.el, local)
	if c != nil && !x.f.whole(c) {
		return "", nil
	}
	v := ""
	if c != nil {
		v = strings.TrimSpace(xmlsec.Text(c))
	}
	if v == "" && must && x.f.cut < 0 {
		x.fail(c, local, errors.New("missing"))
	}
	return v, c
}

func (x *fields) uri(local, otherwise string, must bool) string {
	v, c := x.text(local, must && otherwise == "")
	if v == "" {
		return otherwise
	}
	v, err := parseWord(local, v)
	if err != nil {
		x.fail(c, local, err)
	}
	return v
}

// label is text that says nothing to us: an issuer may have spaces.
func (x *fields) label(local string) string {
	v, _ := x.text(local, false)
	v = strings.Join(strings.Fields(v), " ")
	if v == "" || len(v) > maxWord {
		return ""
	}
	if _, err := parseWord(local, strings.ReplaceAll(v, " ", "_")); err != nil {
		return ""
	}
	return v
}

func (x *fields) number(local string, must bool) uint64 {
	v, c := x.text(local, must)
	if v == "" {
		return 0
	}
	n, err := parseNumber("value", v)
	if err != nil {
		x.fail(c, local, err)
	}
	return n
}

func (x *fields) bool(local string) bool {
	v, c := x.text(local, false)
	switch v {
	case "true", "1":
		return true
	case "", "false", "0":
		return false
	}
	x.fail(c, local, fmt.Errorf("%s is not true or false", quote(v)))
	return false
}

// time reads an xs:dateTime; without a zone it is taken for UTC.
func (x *fields) time(local string) time.Time {
	v, c := x.text(local, false)
	if v == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC()
		}
	}
	x.fail(c, local, fmt.Errorf("%s is not a time such as 2026-01-31T12:00:00Z", quote(v)))
	return time.Time{}
}

// certificate reads a KmsCertificate, TS 33.180 D.3.2.2.
func (l *loader) certificate(f *xmlFile, el *etree.Element, s scope) {
	x := &fields{l, f, el, "KmsCertificate"}
	k := KMS{Origin: l.origin(f, el)}
	k.URI = x.uri("KmsUri", s.kms, true)
	k.Role = strings.TrimSpace(attr(el, "Role"))
	if looksSecret(k.Role) {
		k.Role = ""
	}
	k.CertURI, k.Issuer = x.uri("CertUri", "", false), x.label("Issuer")
	k.ValidFrom, k.ValidTo, k.Revoked = x.time("ValidFrom"), x.time("ValidTo"), x.bool("Revoked")
	k.UserIDFormat = x.label("UserIdFormat")
	k.Period, k.Offset = x.number("UserKeyPeriod", true), x.number("UserKeyOffset", false)
	if k.Period > maxPeriod {
		x.fail(child(el, "UserKeyPeriod"), "UserKeyPeriod", checkPeriod(k.Period))
		k.Period = 0
	}
	if n := x.number("ParameterSet", false); n > 1<<16 {
		x.fail(child(el, "ParameterSet"), "ParameterSet", errors.New("not a parameter set"))
	} else {
		k.ParameterSet = int(n)
	}
	if b := x.octets("PubEncKey", sakke.PointSize); b != nil {
		var err error
		if k.Z, err = sakke.ParsePublicKey(b); err != nil {
			x.fail(child(el, "PubEncKey"), "PubEncKey", pointError("Z", len(b), sakke.PointSize, err))
		}
	}
	if b := x.octets("PubAuthKey", eccsi.PointSize); b != nil {
		var err error
		if k.KPAK, err = eccsi.ParsePublicKey(b); err != nil {
			x.fail(child(el, "PubAuthKey"), "PubAuthKey", pointError("KPAK", len(b), eccsi.PointSize, err))
		}
	}
	if list := child(el, "KmsDomainList"); list != nil {
		for _, d := range list.ChildElements() {
			if v, err := parseWord("KmsDomain", strings.TrimSpace(xmlsec.Text(d))); err == nil && len(k.Domains) < 1024 {
				k.Domains = append(k.Domains, v)
			}
		}
	}
	if k.Revoked {
		l.warn(k.Origin, "the certificate of the KMS %s is revoked", k.URI)
	}
	if k.URI != "" {
		l.addKMS(k)
	}
}

func attr(el *etree.Element, local string) string {
	for _, a := range el.Attr {
		if strings.EqualFold(a.Key, local) {
			return a.Value
		}
	}
	return ""
}

// keySet reads a KmsKeySet, TS 33.180 D.3.3.2.
func (l *loader) keySet(f *xmlFile, el *etree.Element, s scope) {
	x := &fields{l, f, el, "KmsKeySet"}
	u := UserKey{Origin: l.origin(f, el)}
	u.URI, u.KMS = x.uri("UserUri", s.user, true), x.uri("KmsUri", s.kms, true)
	u.Period = x.number("KeyPeriodNo", true)
	u.From, u.To = x.time("ValidFrom"), x.time("ValidTo")
	if v, c := x.text("UserID", false); v != "" {
		b, err := parseHex("UserID", squeeze(v))
		if err != nil || len(b) != 32 {
			b, err = fromBase64(squeeze(v))
		}
		if err == nil && len(b) == 32 {
			u.UID = b
		} else {
			l.warn(l.origin(f, c), "the UserID is not 32 octets in hex or base64: the UID is computed by TS 33.180 F.2.1 instead")
		}
	}
	if x.bool("Revoked") {
		l.warn(u.Origin, "the keys of %s for period %d are revoked", u.URI, u.Period)
	}
	if b := x.octets("UserDecryptKey", sakke.PointSize); b != nil {
		var err error
		if u.RSK, err = sakke.ParseUserKey(b); err != nil {
			x.fail(child(el, "UserDecryptKey"), "UserDecryptKey", pointError("RSK", len(b), sakke.PointSize, err))
		}
	}
	if b := x.octets("UserSigningKeySSK", eccsi.ScalarSize); b != nil {
		var err error
		if u.SSK, err = parseSSK(b); err != nil {
			x.fail(child(el, "UserSigningKeySSK"), "UserSigningKeySSK", err)
		}
	}
	if b := x.octets("UserPubTokenPVT", eccsi.PointSize); b != nil {
		var err error
		if u.PVT, err = parsePVT(b); err != nil {
			x.fail(child(el, "UserPubTokenPVT"), "UserPubTokenPVT", err)
		}
	}
	if u.URI != "" && (u.RSK != nil || u.SSK.Len() > 0 || u.PVT != nil) {
		l.addUser(u)
	}
}

// squeeze removes white space, which long hex and base64 text may have.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func fromBase64(s string) ([]byte, error) {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	return base64.RawStdEncoding.DecodeString(s)
}

// octets reads key material: hex or base64 text, or an EncryptedKey. It is nil when there is none, or none that can be read,
// which was reported then.
func (x *fields) octets(local string, want int) []byte {
	c := child(x.el, local)
	if c == nil || !x.f.whole(c) || !x.l.spend(costKey, x.l.origin(x.f, c)) {
		return nil
	}
	seen := &XMLSeen{}
	b, wrapped, err := x.l.content(c, local, want, seen)
	seen.judge(b, err)
	x.l.tell(x.f, c, seen)
	if err != nil {
		if wrapped {
			x.l.warn(x.l.origin(x.f, c), "%s: %v", local, err)
		} else {
			x.fail(c, local, err)
		}
		return nil
	}
	return b
}

// content reads a KeyContentType or EncKeyContentType. An error of an element that is wrapped is for want of a key.
func (l *loader) content(el *etree.Element, what string, want int, seen *XMLSeen) (b []byte, wrapped bool, err error) {
	if ek := encryptedKey(el); ek != nil {
		b, err := l.unwrapKey(ek, seen)
		if err != nil {
			return nil, !errors.As(err, new(xmlsec.ErrMalformed)), err
		}
		if want > 0 && len(b) == 2*want { // hex text was wrapped
			if t, err := parseHex(what, string(b)); err == nil {
				b = t
			}
		}
		return b, false, nil
	}
	s := squeeze(xmlsec.Text(el))
	if s == "" {
		return nil, false, errors.New("empty")
	}
	b, err = parseHex(what, s)
	if err != nil || want > 0 && len(b) != want {
		if t, err := fromBase64(s); err == nil && (want == 0 || len(t) == want) {
			return t, false, nil
		}
	}
	return b, false, err
}

// encryptedKey finds an EncryptedKey at el or in it, whatever its namespace.
func encryptedKey(el *etree.Element) *etree.Element {
	if strings.EqualFold(el.Tag, "EncryptedKey") || child(el, "CipherData") != nil {
		return el
	}
	return child(el, "EncryptedKey")
}

// unwrapKey opens an EncryptedKey with the transport keys that are known.
func (l *loader) unwrapKey(ek *etree.Element, seen *XMLSeen) ([]byte, error) {
	if !xmlsec.Is(ek, xmlsec.NSEnc, "EncryptedKey") || xmlsec.Child(ek, xmlsec.NSEnc, "CipherData") == nil {
		ek = inItsNamespace(ek)
	}
	b, info, err := xmlsec.Unwrap(ek, l.candidates(false))
	seen.Wrapped, seen.KeyName, seen.Algorithm, seen.Variant, seen.Label = true, info.KeyName, info.Algorithm, info.Variant, info.Key
	if err == nil {
		seen.From = l.originOf(info.Key)
	}
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, xmlsec.ErrNoKey):
		return nil, fmt.Errorf("wrapped under the transport key %s, and no TrK is known: %w", quoteName(info.KeyName), err)
	case errors.Is(err, xmlsec.ErrTag):
		return nil, fmt.Errorf("wrapped under the transport key %s, and none of %d TrK opens it: %w", quoteName(info.KeyName), info.Tried, err)
	}
	return nil, err
}

// originOf finds where a transport or integrity key of a name came from: of several the first that is tried.
func (l *loader) originOf(name string) Origin {
	for _, list := range [][]Named{l.m.Transport, l.m.Integrity, l.given.named(true), l.given.named(false)} {
		for i := range list {
			if list[i].Name == name {
				return list[i].Origin
			}
		}
	}
	return Origin{}
}

func (o *XMLOptions) named(transport bool) []Named {
	switch {
	case o == nil:
		return nil
	case transport:
		return o.Transport
	}
	return o.Integrity
}

// judge notes how reading key material ended.
func (x *XMLSeen) judge(b []byte, err error) {
	if err == nil {
		x.Value = NewSecret(b)
		return
	}
	x.Err = err
	switch {
	case errors.Is(err, xmlsec.ErrNoKey):
		x.Reason = ReasonNoKey
	case errors.Is(err, xmlsec.ErrTag):
		x.Reason = ReasonTagMismatch
	case errors.As(err, new(xmlsec.ErrUnsupportedAlgorithm)):
		x.Reason = ReasonUnsupported
	default:
		x.Reason = ReasonMalformed
	}
}

// quoteName shows the name of a key, which is no secret and may be long.
func quoteName(s string) string {
	if v, err := parseWord("name", s); err == nil && len(v) <= 256 {
		return v
	}
	return quote(s)
}

// inItsNamespace writes an EncryptedKey of another namespace as it should be.
func inItsNamespace(el *etree.Element) *etree.Element {
	ek := etree.NewElement("EncryptedKey")
	ek.CreateAttr("xmlns", xmlsec.NSEnc)
	if m := child(el, "EncryptionMethod"); m != nil {
		ek.CreateElement("EncryptionMethod").CreateAttr("Algorithm", attr(m, "Algorithm"))
	}
	if n := childText(child(el, "KeyInfo"), "KeyName"); n != "" {
		info := ek.CreateElement("KeyInfo")
		info.CreateAttr("xmlns", xmlsec.NSSig)
		info.CreateElement("KeyName").SetText(n)
	}
	ek.CreateElement("CipherData").CreateElement("CipherValue").SetText(childText(child(el, "CipherData"), "CipherValue"))
	if n := childText(el, "CarriedKeyName"); n != "" {
		ek.CreateElement("CarriedKeyName").SetText(n)
	}
	return ek
}

// candidates are the keys for a name: those of the name first, then others, since names are not always kept. For signatures
// the integrity keys go before the transport keys (TS 33.180 D.1).
func (l *loader) candidates(signature bool) xmlsec.KeyFunc {
	var all []Named
	if signature {
		all = append(all, l.m.Integrity...)
		if l.given != nil {
			all = append(all, l.given.Integrity...)
		}
	}
	all = append(all, l.m.Transport...)
	if l.given != nil {
		all = append(all, l.given.Transport...)
	}
	return func(q xmlsec.KeyQuery) []xmlsec.Key {
		var named, others []xmlsec.Key
		for _, n := range all {
			k := xmlsec.KeyFrom(n.Name, n.Key.Reveal)
			switch {
			case n.Name == q.Name:
				named = append(named, k)
			case len(others) < maxOtherKEK:
				others = append(others, k)
			}
		}
		return append(named, others...)
	}
}

// newKey reads a NewTransportKey or NewIntegrityKey, TS 33.180 D.3. It is false when no key opens it; that is said when last
// is set.
func (l *loader) newKey(f *xmlFile, el *etree.Element, last bool) bool {
	if !f.whole(el) {
		return true
	}
	seen := &XMLSeen{}
	b, wrapped, err := l.content(el, el.Tag, 0, seen)
	o := l.origin(f, el)
	transport := strings.EqualFold(el.Tag, "NewTransportKey")
	if err == nil {
		if lens := []int{16, 24, 32}; transport {
			err = oneOf("key", len(b), lens...)
		} else {
			err = oneOf("key", len(b), append(lens, 48, 64)...)
		}
	}
	if err == nil || !wrapped || last {
		seen.judge(b, err)
		l.tell(f, el, seen)
	}
	if err != nil {
		if wrapped {
			if last {
				l.warn(o, "%s: %v", el.Tag, err)
			}
			return false
		}
		l.fail(f.name, f.lineOf(el), el.Tag, "", err)
		return true
	}
	name := ""
	for _, from := range []*etree.Element{encryptedKey(el), el} {
		for _, local := range []string{"CarriedKeyName", "KeyName"} {
			if name == "" && from != nil {
				name, _ = parseWord("name", strings.Join(strings.Fields(childText(from, local)), "_"))
			}
		}
	}
	if name == "" {
		name = "unnamed"
	}
	if transport {
		l.addNamed(&l.m.Transport, "TrK", Named{name, NewSecret(b), o})
	} else {
		l.addNamed(&l.m.Integrity, "InK", Named{name, NewSecret(b), o})
	}
	return true
}

// signature verifies the signature of a response or certificate, TS 33.180 D.1.
func (l *loader) signature(f *xmlFile, signed, sig *etree.Element) {
	if len(l.m.Verdicts) >= 4*maxDocuments {
		return
	}
	v := Verdict{Origin: l.origin(f, sig)}
	if !f.whole(sig) || !l.spend(costSignature, v.Origin) {
		return
	}
	r := xmlsec.Verify(sig, xmlsec.VerifyOptions{Keys: l.candidates(true)})
	v.What = "signature of " + signed.Tag + " by " + quoteName(r.KeyName)
	v.OK = r.State() == xmlsec.StateValid
	l.tell(f, sig, &XMLSeen{Signature: r, Covers: v.OK && covers(r, signed), KeyName: r.KeyName, Label: r.Key, From: l.originOf(r.Key)})
	switch {
	case r.State() == xmlsec.StateNoKey:
		v.Reason = "no_key: no InK or TrK is known"
	case !v.OK:
		v.Reason = r.Reason()
	case !covers(r, signed):
		v.OK, v.Reason = false, "the references do not cover the element"
	default:
		var notes []string
		if r.Key != r.KeyName {
			notes = append(notes, "by the key "+quoteName(r.Key))
		}
		if r.Fallback {
			notes = append(notes, "with "+r.Variant)
		}
		for _, ref := range r.References {
			if ref.Fallback {
				notes = append(notes, "reference as "+ref.Variant)
			}
		}
		v.Reason = strings.Join(notes, ", ")
	}
	l.m.Verdicts = append(l.m.Verdicts, v)
}

// covers says whether what was proved includes the content of the element.
func covers(r *xmlsec.Result, signed *etree.Element) bool {
	content := signed
	if strings.HasPrefix(strings.ToLower(signed.Tag), "signed") {
		if c := child(signed, signed.Tag[len("Signed"):]); c != nil {
			content = c
		}
	}
	for _, ref := range r.Signed() {
		if ref.Outside {
			continue
		}
		if ref.Element == nil { // the document
			return true
		}
		for el := content; el != nil; el = el.Parent() {
			if el == ref.Element {
				return true
			}
		}
	}
	return false
}
