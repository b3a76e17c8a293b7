package decode

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
)

// Requests and responses of a KMS (TS 33.180 annex D). Elements are known by their local names in any case, for products,
// and the examples of the specifications, differ in name spaces.

func init() {
	registerBody(BodyType{Name: "kms", Types: []string{"application/vnd.3gpp.kmsredirectresponse+xml"}, Look: looksLikeKMS, Dissect: dissectKMS})
}

// kmsRoots are the root elements; those that are true carry what a KMS hands out.
var kmsRoots = map[string]bool{
	"kmsrequest": false, "signedkmsrequest": false, "kmsresponse": true, "signedkmsresponse": true, "kmsmessage": true, "kmsinit": true,
	"kmskeyprov": true, "kmscertcache": true, "kmslookup": true, "kmscertificate": true, "signedkmscertificate": true, "kmskeyset": true,
	"kmserror": false, "kmsredirectresponse": false,
}

// looksLikeKMS looks at the name of the root element, within the first octets.
func looksLikeKMS(b []byte) bool {
	if !looksLikeXML(b) {
		return false
	}
	_, ok := kmsRoots[xmlRoot(b)]
	return ok
}

// xmlRoot is the local name of the root element in lower case, "" where the first octets do not show it.
func xmlRoot(b []byte) string {
	b = clip(b, 1024)
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 || i+1 >= len(b) {
			return ""
		}
		b = b[i+1:]
		end := ""
		switch {
		case b[0] == '?':
			end = "?>"
		case bytes.HasPrefix(b, []byte("!--")):
			end = "-->"
		case b[0] == '!':
			return ""
		}
		if end == "" {
			n := bytes.IndexAny(b, " \t\r\n/>")
			if n <= 0 {
				return ""
			}
			name := b[:n]
			if k := bytes.IndexByte(name, ':'); k >= 0 {
				name = name[k+1:]
			}
			return strings.ToLower(string(name))
		}
		if i = bytes.Index(b, []byte(end)); i < 0 {
			return ""
		}
		b = b[i:]
	}
}

// A kmsRun is the state of one document while it is shown.
type kmsRun struct {
	*Context
	d     *xmlDoc
	seen  map[int]*keys.XMLSeen  // by the offset of the element
	certs []*keys.KMS            // of this document and, with a ring, of the run
	have  map[*record.Field]bool // members of the kms object so far
	words []string
}

func dissectKMS(c *Context, p *Part) {
	c.mcx = true
	d := c.readXML(p)
	defer d.free()
	root := d.root()
	if root == 0 {
		c.B.Open(kmsSelf, p.Place(0, len(p.Data)))
		c.B.Close()
		d.unread(c)
		return
	}
	r := &kmsRun{Context: c, d: d, seen: map[int]*keys.XMLSeen{}, have: map[*record.Field]bool{}}
	local := string(d.nodes[root].local)
	var m *keys.Material
	var n keys.Learned
	if kmsRoots[strings.ToLower(local)] {
		m, n = r.material(p)
	}
	self := len(c.B.R.Nodes)
	built := c.B.Open(kmsSelf, d.place(root))
	if !c.kmsKnown && kmsOperationOf(r.reqURL(root)) != "" {
		c.B.Str(kmsOperation, kmsOperationOf(r.reqURL(root)), record.Place{})
	}
	c.put(kmsDocument, d.nodes[root].local, d.place(root))
	r.element(root, true)
	r.outcome(m, n, p)
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	d.report(c)
	if len(r.words) == 0 {
		r.words = []string{local}
	}
	for _, w := range r.words[:min(len(r.words), 6)] {
		c.Say(w)
	}
}

// kmsName is the local name of an element as it is compared: lower case, without hyphens.
func (r *kmsRun) kmsName(n int32) string {
	return strings.ReplaceAll(strings.ToLower(string(r.d.nodes[n].local)), "-", "")
}

// find is the first child with a name in the form of kmsName.
func (r *kmsRun) find(n int32, name string) int32 {
	for k := range r.d.kids(n) {
		if r.kmsName(k) == name {
			return k
		}
	}
	return 0
}

// reqURL is the ClientReqUrl of a document.
func (r *kmsRun) reqURL(root int32) string {
	for _, at := range []int32{root, r.find(root, "kmsrequest"), r.find(root, "kmsresponse")} {
		if at != 0 {
			if k := r.find(at, "clientrequrl"); k != 0 {
				return string(clip(r.d.text(k), 2048))
			}
		}
	}
	return ""
}

// kmsOperationOf is the operation that the path of a KMS resource names (TS 33.180 D.2): what follows
// /keymanagement/identity/v1/.
func kmsOperationOf(target string) string {
	op, _ := kmsPath(target)
	return op
}

// element shows a wrapper, request, response or message; what it holds goes flat into the kms object.
func (r *kmsRun) element(n int32, outer bool) {
	d := r.d
	name := r.kmsName(n)
	switch name {
	case "kmscertificate":
		r.certificate(n, 0)
		return
	case "kmskeyset":
		r.keySet(n)
		return
	case "kmserror":
		r.failure(n, "kms")
		return
	case "kmslookup":
		r.say("KmsLookup")
		r.mentions(n)
		r.tree(d, n, kmsLookup)
		return
	case "kmsredirectresponse":
		r.say("KMS redirect response")
		r.mentions(n)
		r.tree(d, n, kmsRedirect)
		for k := range d.kids(n) {
			if d.is(k, nsXMLSig, "Signature") {
				r.B.Open(kmsSignature.self, d.place(k))
				r.B.Str(kmsSignature.state, "no_key", record.Place{})
				r.B.Str(kmsSignature.reason, record.ReasonNoKey.String(), record.Place{})
				r.B.Str(kmsSignature.hint, "signed with a certificate (D.4.2), which is not checked", record.Place{})
				r.B.Close()
				break
			}
		}
		return
	case "kmsinit", "kmskeyprov", "kmscertcache":
		if !r.once(kmsMessage) {
			r.put(kmsMessage, d.nodes[n].local, d.place(n))
		}
		r.say(string(d.nodes[n].local))
	case "kmsrequest", "kmsresponse":
		r.say(string(d.nodes[n].local))
	}
	if a, ok := d.attrOf(n, "Version"); ok && (name == "kmsrequest" || name == "kmsresponse") && !r.once(kmsVersion) {
		r.put(kmsVersion, a.Value, d.attrPlace(a))
	}
	if a, ok := d.attrOf(n, "CacheNum"); ok && !r.once(kmsCacheNum) {
		if v, err := strconv.ParseUint(string(trimSpace(a.Value)), 10, 63); err == nil {
			r.B.Num(kmsCacheNum, int64(v), d.attrPlace(a))
		}
	}
	signed := false
	for k := range d.kids(n) {
		switch r.kmsName(k) {
		case "signature":
			if !signed && name != "signedkmscertificate" && !r.once(kmsSignature.self) {
				signed = true
				r.signature(k, kmsSignature)
			}
		case "signedkmscertificate":
			if c := r.find(k, "kmscertificate"); c != 0 {
				r.certificate(c, r.find(k, "signature"))
			}
		case "useruri":
			r.text(k, kmsUser)
		case "kmsuri":
			r.text(k, kmsURI)
		case "kmsid":
			r.text(k, kmsID)
		case "time":
			r.time(k, kmsTime)
		case "clientid":
			r.text(k, kmsClient)
		case "deviceid":
			r.text(k, kmsDevice)
		case "clientrequrl":
			r.text(k, kmsReqURL)
		case "trkid":
			r.text(k, kmsTrK)
		case "inkid", "signatureid":
			r.text(k, kmsInK)
		case "kmserror":
			r.failure(k, "kms")
		case "clienterror":
			r.failure(k, "client")
		case "newtransportkey":
			r.key(k, kmsNewTrK)
		case "newintegritykey":
			r.key(k, kmsNewInK)
		case "krrlist":
			r.say("KrrList")
			r.mentions(k)
			r.tree(d, k, kmsRedirect)
		case "interkmrec":
			r.opaque(k, kmsInterKM)
		default:
			if _, ok := kmsRoots[r.kmsName(k)]; ok {
				r.element(k, false)
				continue
			}
			r.tree(d, k, kmsUnknown)
		}
	}
	if outer && strings.HasPrefix(name, "signedkms") && !signed && name != "signedkmscertificate" && d.whole(n) {
		r.B.Open(kmsSignature.self, d.place(n))
		r.B.Str(kmsSignature.state, "absent", record.Place{})
		r.B.Close()
		r.Find("kms-signature", record.Error, "TS 33.180 D.1", "the "+string(clip(d.nodes[n].local, 40))+" has no Signature", d.p, kmsSignature.self, d.place(n))
	}
}

// once tells whether the kms object has a member of this name already; it has one afterwards.
func (r *kmsRun) once(f *record.Field) bool {
	was := r.have[f]
	r.have[f] = true
	return was
}

func (r *kmsRun) say(w string) { r.words = append(r.words, w) }

// text shows the text of an element; a repeated one goes to unknown.
func (r *kmsRun) text(n int32, f *record.Field) {
	if r.once(f) {
		r.tree(r.d, n, kmsUnknown)
		return
	}
	r.put(f, r.d.text(n), r.d.content(n))
}

// member shows the text of a child of a certificate or key set, once.
func (r *kmsRun) member(n int32, f *record.Field, have map[*record.Field]bool) bool {
	if have[f] {
		return false
	}
	have[f] = true
	switch f.Kind {
	case record.Time:
		r.time(n, f)
	case record.Bool:
		switch v := string(r.d.text(n)); v {
		case "true", "1":
			r.B.Bool(f, true, r.d.content(n))
		case "false", "0":
			r.B.Bool(f, false, r.d.content(n))
		default:
			r.outside(n, "a boolean", f)
		}
	case record.Uint:
		if v, err := strconv.ParseUint(string(r.d.text(n)), 10, 63); err == nil {
			r.B.Num(f, int64(v), r.d.content(n))
		} else {
			r.outside(n, "a number", f)
		}
	case record.Octets:
		if b, _, ok := hexOr64(r.d.text(n)); ok {
			r.B.Octets(f, b, r.d.content(n))
		} else {
			r.outside(n, "hexBinary", f)
		}
	default:
		r.put(f, r.d.text(n), r.d.content(n))
	}
	return true
}

func (r *kmsRun) outside(n int32, what string, f *record.Field) {
	if r.d.whole(n) {
		r.Find("XML-11", record.Error, "TS 33.180 D.3", fmt.Sprintf("value outside its type: %s is not %s", clip(r.d.nodes[n].local, 64), what), r.d.p, f, r.d.content(n))
	}
}

// time shows an xs:dateTime; one without a zone is taken for UTC.
func (r *kmsRun) time(n int32, f *record.Field) {
	v := string(clip(r.d.text(n), 64))
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, v); err == nil && t.Year() > 1700 && t.Year() < 2250 { // what nanoseconds can count
			r.B.Num(f, t.UnixNano(), r.d.content(n))
			return
		}
	}
	r.outside(n, "a time", f)
}

// hexOr64 reads octets from hex or base64 text.
func hexOr64(b []byte) (octets []byte, form string, ok bool) {
	b = bytes.Join(bytes.Fields(b), nil)
	if len(b) == 0 {
		return nil, "", false
	}
	if out, ok := unhex(b); ok {
		return out, "hex", true
	}
	if out, ok := decode64(b); ok {
		return out, "base64", true
	}
	return nil, "", false
}

func unhex(b []byte) ([]byte, bool) {
	out := make([]byte, len(b)/2)
	if len(b)%2 != 0 {
		return nil, false
	}
	for i := range out {
		h, l := hexDigit(b[2*i]), hexDigit(b[2*i+1])
		if h > 15 || l > 15 {
			return nil, false
		}
		out[i] = h<<4 | l
	}
	return out, true
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// failure shows a KmsError or ClientError in words.
func (r *kmsRun) failure(n int32, side string) {
	if r.once(kmsError) {
		r.tree(r.d, n, kmsUnknown)
		return
	}
	code, msg := "", ""
	r.B.Open(kmsError, r.d.place(n))
	r.B.Str(kmsErrorSide, side, record.Place{})
	have := map[*record.Field]bool{}
	for k := range r.d.kids(n) {
		switch r.kmsName(k) {
		case "errorcode":
			if r.member(k, kmsErrorCode, have) {
				code = string(clip(r.d.text(k), 64))
				continue
			}
		case "errormsg":
			if r.member(k, kmsErrorText, have) {
				msg = string(clip(r.d.text(k), 200))
				continue
			}
		}
		r.tree(r.d, k, kmsErrorDetail)
	}
	r.B.Close()
	who := "the KMS answered"
	if side == "client" {
		who = "the client reported"
	}
	words := who + " with an error"
	if code != "" {
		words = fmt.Sprintf("%s with error %q", who, code)
	}
	if msg != "" {
		words += fmt.Sprintf(": %q", msg)
	}
	r.Find("kms-error", record.Warning, "TS 33.180 D.3.1", words, r.d.p, kmsError, r.d.place(n))
	r.say(side + " error " + strings.TrimSpace(code+" "+shorten(msg)))
}

// mentions lists the URIs in an element whose structure is not confirmed.
func (r *kmsRun) mentions(n int32) {
	count := 0
	var walk func(n int32, depth int)
	walk = func(n int32, depth int) {
		for k := range r.d.kids(n) {
			t := r.d.text(k)
			uri := bytes.HasSuffix(bytes.ToLower(r.d.nodes[k].local), []byte("uri")) || bytes.HasPrefix(t, []byte("sip:")) || bytes.Contains(t, []byte("://"))
			if uri && len(t) > 0 && len(t) <= 512 && count < 256 {
				count++
				r.put(kmsMentioned, t, r.d.content(k))
			}
			if depth < 16 {
				walk(k, depth+1)
			}
		}
	}
	walk(n, 0)
}

// certificate shows a KmsCertificate, TS 33.180 D.3.2.2.
func (r *kmsRun) certificate(n, sign int32) {
	d := r.d
	self := len(r.B.R.Nodes)
	built := r.B.Open(kmsCerts, d.place(n))
	have := map[*record.Field]bool{}
	if a, ok := d.attrOf(n, "Version"); ok {
		r.put(kmsCertVersion, a.Value, d.attrPlace(a))
	}
	if a, ok := d.attrOf(n, "Role"); ok {
		r.put(kmsCertRole, a.Value, d.attrPlace(a))
	}
	if a, ok := d.attrOf(n, "IsSecurityGateway"); ok {
		v := string(trimSpace(a.Value))
		r.B.Bool(kmsCertGateway, v == "true" || v == "1", d.attrPlace(a))
	}
	kms, period := "", ""
	for k := range d.kids(n) {
		if r.kmsName(k) == "kmsdomainlist" {
			for e := range d.kids(k) {
				r.put(kmsCertDomains, d.text(e), d.content(e))
			}
			continue
		}
		f := kmsCertFields[r.kmsName(k)]
		if f == nil || !r.member(k, f, have) {
			r.tree(d, k, kmsCertUnknown)
			continue
		}
		switch f {
		case kmsCertKMS:
			kms = string(clip(d.text(k), 200))
		case kmsCertPeriod:
			period = string(clip(d.text(k), 20))
		}
	}
	if p, err := strconv.ParseUint(period, 10, 63); err == nil && p > 0 && r.Time > 0 {
		offset := uint64(0)
		if k := r.find(n, "userkeyoffset"); k != 0 {
			offset, _ = strconv.ParseUint(string(d.text(k)), 10, 63)
		}
		r.B.Num(kmsCertNumber, int64(keys.PeriodOf(time.Unix(0, r.Time), p, offset)), record.Place{})
	}
	if sign != 0 {
		r.signature(sign, kmsCertSign)
	}
	r.B.Close()
	if built {
		regroup(r.B.R, self)
	}
	w := "certificate of " + shorten(kms)
	if period != "" {
		w += ", key period " + period + " s"
	}
	r.say(w)
}

var kmsCertFields = map[string]*record.Field{
	"certuri": kmsCertURI, "kmsuri": kmsCertKMS, "issuer": kmsCertIssuer, "validfrom": kmsCertFrom, "validto": kmsCertTo, "revoked": kmsCertRevoked,
	"useridformat": kmsCertFormat, "userkeyperiod": kmsCertPeriod, "userkeyoffset": kmsCertOffset, "pubenckey": kmsCertEnc, "pubauthkey": kmsCertAuth,
	"parameterset": kmsCertSet,
}

var kmsSetFields = map[string]*record.Field{
	"kmsuri": kmsSetKMS, "certuri": kmsSetCert, "issuer": kmsSetIssuer, "useruri": kmsSetUser, "validfrom": kmsSetFrom, "validto": kmsSetTo,
	"keyperiodno": kmsSetNumber, "revoked": kmsSetRevoked,
}

var kmsSetKeys = map[string]*kmsKeyFields{"userdecryptkey": kmsSetRSK, "usersigningkeyssk": kmsSetSSK, "userpubtokenpvt": kmsSetPVT}

// keySet shows a KmsKeySet, TS 33.180 D.3.3.2.
func (r *kmsRun) keySet(n int32) {
	d := r.d
	self := len(r.B.R.Nodes)
	built := r.B.Open(kmsSets, d.place(n))
	have := map[*record.Field]bool{}
	if a, ok := d.attrOf(n, "Version"); ok {
		r.put(kmsSetVersion, a.Value, d.attrPlace(a))
	}
	user, kms, number := "", "", ""
	var got []string
	for k := range d.kids(n) {
		name := r.kmsName(k)
		if f := kmsSetKeys[name]; f != nil && !have[f.f] {
			have[f.f] = true
			if state := r.key(k, f); state != "" {
				got = append(got, map[string]string{"userdecryptkey": "RSK", "usersigningkeyssk": "SSK", "userpubtokenpvt": "PVT"}[name]+state)
			}
			continue
		}
		if name == "userid" && !have[kmsSetUID] {
			have[kmsSetUID] = true
			r.userID(k)
			continue
		}
		f := kmsSetFields[name]
		if f == nil || !r.member(k, f, have) {
			r.opaque(k, kmsSetUnknown)
			continue
		}
		switch f {
		case kmsSetUser:
			user = string(clip(d.text(k), 200))
		case kmsSetKMS:
			kms = string(clip(d.text(k), 512))
		case kmsSetNumber:
			number = string(clip(d.text(k), 20))
		}
	}
	if no, err := strconv.ParseUint(number, 10, 63); err == nil {
		for _, c := range r.certs {
			if c.URI != kms || c.Period == 0 || no > 1<<62/c.Period/1e9 {
				continue
			}
			r.B.Num(kmsSetStart, keys.PeriodStart(no, c.Period, c.Offset)*1e9, record.Place{})
			r.B.Num(kmsSetEnd, keys.PeriodStart(no+1, c.Period, c.Offset)*1e9, record.Place{})
			break
		}
	}
	r.B.Close()
	if built {
		regroup(r.B.R, self)
	}
	w := "keys of " + shorten(user)
	if number != "" {
		w += ", period " + number
	}
	if len(got) > 0 {
		w += " (" + strings.Join(got, ", ") + ")"
	}
	r.say(w)
}

// userID shows a UserID: hex or base64 of 32 octets, or what else it is.
func (r *kmsRun) userID(n int32) {
	b, form, ok := hexOr64(r.d.text(n))
	if ok && form == "hex" && len(b) != 32 {
		if alt, is64 := decode64(r.d.text(n)); is64 && len(alt) == 32 {
			b, form = alt, "base64"
		}
	}
	if !ok || len(b) != 32 {
		r.B.Str(kmsSetUIDForm, "other", record.Place{})
		r.Find("kms-user-id", record.Note, "TS 33.180 D.3.3.2", "the UserID is not 32 octets in hex or base64; it is computed by F.2.1 instead", r.d.p, kmsSetUID, r.d.content(n))
		return
	}
	r.B.Octets(kmsSetUID, b, r.d.content(n))
	r.B.Str(kmsSetUIDForm, form, record.Place{})
}

// opaque shows that an element is there, and how long its content is.
func (r *kmsRun) opaque(n int32, f *kmsOpaqueFields) {
	in := r.d.pos(n, xmlIn)
	length := r.d.pos(n, xmlInEnd) - in
	if !r.ShowSecrets() {
		r.mask(r.d.p.Src, r.d.p.Off+in, length)
	}
	r.B.Open(f.self, r.d.place(n))
	r.put(f.name, r.d.nodes[n].local, r.d.p.Place(r.d.pos(n, xmlOff), 0))
	r.B.Num(f.length, int64(max(length, 0)), record.Place{})
	r.B.Close()
}
