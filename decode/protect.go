package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/xmlpull"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// Everything that is encrypted inside a body passes through Context.sealed: elements (XML Encryption) and URIs
// (TS 24.379 6.6.2.3.4). What sealed hands back is a new source of octets, and the dissector that met the protected
// element goes on reading there as if the plain text had stood in its place.

const (
	nsXMLEnc = "http://www.w3.org/2001/04/xmlenc#"
	nsXMLSig = "http://www.w3.org/2000/09/xmldsig#"
)

// sealedData is one encrypted element content or URI, taken apart.
type sealedData struct {
	src       int  // source of the octets
	element   bool // content of an element
	payload   bool // MCData envelope (TS 33.180 8.5.4.1); neither: a URI
	algorithm string
	keyID     string        // 8 hex digits, "" when none is named
	cipher    []byte        // element: IV, cipher text and tag, nil without a ring; URI: cipher text and tag
	length    int           // of cipher
	iv        []byte        // URI and MCData
	aad       []byte        // MCData: what the tag covers besides
	doc       *xmlDoc       // an element's document
	outer     int32         // and what it stands in
	at        record.Place  // the protected octets
	bad       record.Reason // why nothing can open it, whatever the keys
}

// sealMemory is room for what is encrypted in one message.
type sealMemory struct {
	all [16]sealedData
	n   int
}

// newSealed gives the next of them, empty; it is good until the message has been decoded.
func (c *Context) newSealed() *sealedData {
	m := c.seals
	if m == nil || m.n == len(m.all) {
		return new(sealedData)
	}
	s := &m.all[m.n]
	m.n++
	*s = sealedData{}
	return s
}

// opened is the outcome for sealedData. Plain is nil unless it could be opened; Src is then the source that holds it.
type opened struct {
	prot  record.Protection
	plain []byte
	src   int
}

// scope lists the name spaces for the plain text of an element. Its document must not have been given back.
func (s *sealedData) scope() []xmlpull.Binding {
	if s.doc == nil {
		return nil
	}
	return s.doc.bindings(s.outer)
}

// part makes the plain text a part of its own, nil when there is none.
func (o *opened) part(outer *Part) *Part {
	if o.plain == nil {
		return nil
	}
	p := *outer
	p.Data, p.Src, p.Off = o.plain, o.src, 0
	return &p
}

// unsealer opens what a key fits: it returns the plain text, or nil, and the protection to show. Tests put their own in
// its place.
var unsealer = unsealWithRing

// sealed is the seam between a protected value and the keys.
func (c *Context) sealed(s *sealedData) opened {
	o := opened{prot: record.Protection{Encrypted: true, State: record.NoKey, Reason: record.ReasonNoKey, KeyID: s.keyID, Algorithm: s.algorithm}, src: -1}
	if s.bad != record.NoReason {
		o.prot.State, o.prot.Reason = record.Failed, s.bad
		return o
	}
	plain, prot := unsealer(c, s)
	o.prot = prot
	if plain == nil {
		return o
	}
	name := "decrypted URI"
	if s.element {
		name = "decrypted element"
	} else if s.payload {
		name = "decrypted payload"
	}
	src := c.B.Source(record.Source{Kind: record.Decrypted, Name: name, Data: plain, Parent: s.src, ParentOff: s.at.Off, ParentLen: s.at.Len})
	if src < 0 {
		return o
	}
	o.plain, o.src = plain, src
	return o
}

// A protField is a field whose value can be protected, with the length of its cipher text.
type protField struct {
	f, length *record.Field
}

func registerProtected(name, title, clause string, of record.Kind, list bool) *protField {
	return registerProt(record.Field{Name: name, Title: title, Clause: clause, Kind: record.Protected, Of: of, List: list, Identity: of == record.String})
}

func registerProt(f record.Field) *protField {
	p := &protField{f: record.Register(f)}
	p.length = reg(f.Name+".ciphertext_length", "Length of the cipher text in octets", "TS 33.180 9.3.4", record.Uint)
	return p
}

// protect attaches a protection to a node that may not have been built.
func (c *Context) protect(n *record.Node, p record.Protection) {
	if n != nil {
		c.B.Protect(n, p)
	}
}

// sealedText shows a text that may be a protected URI under a field that can be protected.
func (c *Context) sealedText(p *Part, f *protField, txt []byte, at record.Place) {
	prot := record.Protection{}
	if s, ok := c.protectedURI(p, txt, at); ok {
		o := c.sealed(s)
		if q := o.part(p); q != nil {
			txt, at = q.Data, q.Place(0, len(q.Data))
		} else {
			txt = nil
		}
		if c.B.Open(f.f, at) {
			c.protect(c.B.Last(), o.prot)
			if txt != nil {
				c.setText(c.B.Last(), txt)
			}
			c.B.Num(f.length, int64(s.length), s.at)
		}
		c.B.Close()
		return
	}
	if c.B.Open(f.f, at) {
		c.protect(c.B.Last(), prot)
		c.setText(c.B.Last(), txt)
	}
	c.B.Close()
}

// encryptedData takes an EncryptedData element apart (XML Encryption 1.1; TS 33.180 9.3.4.2).
func (c *Context) encryptedData(d *xmlDoc, n int32) *sealedData {
	s := c.newSealed()
	s.src, s.element, s.at = d.p.Src, true, d.place(n)
	s.doc, s.outer = d, d.nodes[n].parent
	if a, ok := d.attrOf(n, "Type"); ok && string(a.Value) != nsXMLEnc+"Content" {
		c.Find("SEC-08", record.Warning, "TS 24.379 6.6.2.3.3", fmt.Sprintf("unexpected type: EncryptedData has the Type %q instead of #Content", clip(a.Value, 80)), d.p, nil, d.attrPlace(a))
	}
	if m := d.child(n, nsXMLEnc, "EncryptionMethod"); m != 0 {
		if a, ok := d.attrOf(m, "Algorithm"); ok {
			s.algorithm = shortName(a.Value)
			if s.algorithm != "aes128-gcm" {
				c.Find("SEC-07", record.Warning, "TS 24.379 6.6.2.3.3", fmt.Sprintf("unexpected algorithm: EncryptionMethod is %q instead of aes128-gcm", clip(a.Value, 80)), d.p, nil, d.attrPlace(a))
			}
		}
	}
	if k := d.child(n, nsXMLSig, "KeyInfo"); k != 0 {
		s.keyID = c.keyName(d, k)
	}
	cd := d.child(n, nsXMLEnc, "CipherData")
	v := int32(0)
	if cd != 0 {
		v = d.child(cd, nsXMLEnc, "CipherValue")
	}
	switch {
	case v != 0:
		var ok bool
		if c.ring != nil {
			s.cipher, ok = decode64(d.raw(v))
			s.length = len(s.cipher)
		} else {
			s.length, ok = d.length64(v, 28)
		}
		switch {
		case !d.whole(v):
			s.bad = record.ReasonMalformed
		case !ok:
			s.bad = record.ReasonMalformed
			c.Find("XML-11", record.Error, "XML Encryption 1.1 3.3.1", "value outside its type: CipherValue is not base64", d.p, nil, d.content(v))
		case s.length < 28:
			s.bad = record.ReasonMalformed
			c.Find("SEC-11", record.Error, "XML Encryption 1.1 5.2.4", fmt.Sprintf("CipherValue of %d octets is too short for IV and tag", s.length), d.p, nil, d.content(v))
		}
	case cd != 0 && d.child(cd, nsXMLEnc, "CipherReference") != 0:
		s.bad = record.ReasonUnresolvedReference
	default:
		s.bad = record.ReasonMalformed
		if d.whole(n) {
			c.Find("XML-06", record.Error, "TS 24.379 F.1", "EncryptedData has no CipherValue", d.p, nil, d.place(n))
		}
	}
	return s
}

// keyName reads the KeyName in a KeyInfo element: base64 of the four octets of a key identifier.
func (c *Context) keyName(d *xmlDoc, info int32) string {
	k := d.child(info, nsXMLSig, "KeyName")
	if k == 0 {
		return ""
	}
	if d.run != nil {
		return d.run.keyID(c, d, k)
	}
	id := c.keyID(d.text(k))
	if id == "" && d.whole(k) {
		c.Find("SEC-09", record.Error, "TS 24.379 6.6.2.3.3", fmt.Sprintf("KeyName %q is not a key identifier (base64 of 4 octets)", clip(d.text(k), 80)), d.p, nil, d.content(k))
	}
	return id
}

// keyID turns base64 of four octets into 8 hex digits, or returns "".
func (c *Context) keyID(b []byte) string {
	if len(b) == 8 && b[6] == '=' && b[7] == '=' {
		name := binary.LittleEndian.Uint64(b)
		if name == c.keyNamed && c.keyNamedID != "" {
			return c.keyNamedID // most elements of a message name the same key
		}
		v, bad := uint64(0), uint8(0)
		for _, x := range b[:6] {
			bad |= rev64[x]
			v = v<<6 | uint64(rev64[x]&63)
		}
		if bad < 64 {
			c.keyNamed, c.keyNamedID = name, c.hex8(uint32(v>>4))
			return c.keyNamedID
		}
	}
	raw, ok := decode64(b)
	if !ok || len(raw) != 4 {
		return ""
	}
	return c.hex8(binary.BigEndian.Uint32(raw))
}

// length64 is the number of octets that decode64 gives.
func length64(b []byte) (n int, ok bool) {
	rest := b
	for len(rest) >= 8 {
		q := rest[:8]
		if rev64[q[0]]|rev64[q[1]]|rev64[q[2]]|rev64[q[3]]|rev64[q[4]]|rev64[q[5]]|rev64[q[6]]|rev64[q[7]] >= 64 {
			break
		}
		rest = rest[8:]
	}
	digits, pad := len(b)-len(rest), 0
	for _, c := range rest {
		switch v := rev64[c]; {
		case v < 64 && pad == 0:
			digits++
		case c == '=':
			if pad++; pad > 2 {
				return digits/4*3 + extra64(digits), false
			}
		case v == space64:
		default:
			return digits/4*3 + extra64(digits), false
		}
	}
	return digits/4*3 + extra64(digits), digits%4 != 1 && (pad == 0 || digits%4 > 0)
}

// extra64 is how many octets the digits behind the last whole quantum give.
func extra64(digits int) int { return max(digits%4-1, 0) }

// decode64 reads base64 with white space, in either alphabet, with padding or without it.
func decode64(b []byte) ([]byte, bool) {
	out := make([]byte, 0, len(b)*3/4+3)
	// Quanta of four characters without white space or padding, as long as they last.
	n, i := 0, 0
	for out = out[:cap(out)]; i+4 <= len(b); i += 4 {
		x := quad64[0][b[i]] | quad64[1][b[i+1]] | quad64[2][b[i+2]] | quad64[3][b[i+3]]
		if x >= 1<<24 {
			break
		}
		out[n], out[n+1], out[n+2] = byte(x>>16), byte(x>>8), byte(x)
		n += 3
	}
	out, b = out[:n], b[i:]
	var acc uint32
	bits, pad := 0, 0
	for _, c := range b {
		v := rev64[c]
		switch {
		case v < 64 && pad == 0:
			acc = acc<<6 | uint32(v)
			if bits += 6; bits >= 8 {
				bits -= 8
				out = append(out, byte(acc>>bits))
			}
		case c == '=':
			if pad++; pad > 2 {
				return out, false
			}
		case v == space64:
		default:
			return out, false
		}
	}
	// Six spare bits are a lone character; a padding belongs to spare bits only.
	return out, bits < 6 && (pad == 0 || bits > 0)
}

const space64 = 254

// quad64 holds the value of a character at each of the four places of a quantum, more than 24 bits for what is none.
var quad64 = func() (t [4][256]uint32) {
	for c, v := range rev64 {
		for k := range t {
			t[k][c] = 1 << 24
			if v < 64 {
				t[k][c] = uint32(v) << (18 - 6*k)
			}
		}
	}
	return t
}()

var rev64 = func() (t [256]uint8) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	t['-'], t['_'] = 62, 63
	for _, c := range " \t\r\n" {
		t[c] = space64
	}
	return t
}()

// shortName is the fragment of an algorithm's URI: aes128-gcm.
func shortName(uri []byte) string {
	if i := bytes.LastIndexByte(uri, '#'); i >= 0 && i+1 < len(uri) {
		uri = uri[i+1:]
	} else if i := bytes.LastIndexByte(uri, '/'); i >= 0 && i+1 < len(uri) {
		uri = uri[i+1:]
	}
	for _, name := range [...]string{"aes128-gcm", "sha256", "hmac-sha256"} { // saves an allocation
		if string(uri) == name {
			return name
		}
	}
	return string(clip(uri, 64))
}

// protectedURI recognises a URI that was encrypted and takes it apart:
//
//	sip:<base64>;iv=<base64>;key-id=<base64>;alg=128-aes-gcm@mc1-encrypted.3gppnetwork.org
//
// The host alone marks a protected identity (TS 23.003 26.2). The parameters stand in the user part; one product
// leaves out the "@". Base64 may be percent-encoded or in the URL alphabet.
func (c *Context) protectedURI(p *Part, uri []byte, at record.Place) (*sealedData, bool) {
	if len(uri) < 16 {
		return nil, false
	}
	host := -1
	if i := bytes.Index(uri, []byte("-encrypted.")); i >= 3 && uri[i-1] >= '0' && uri[i-1] <= '9' {
		j := i - 1
		for j > 0 && uri[j-1] >= '0' && uri[j-1] <= '9' {
			j--
		}
		if j >= 2 && bytes.EqualFold(uri[j-2:j], []byte("mc")) {
			host = j - 2
		}
	}
	if host < 0 && !bytes.Contains(uri, []byte(";key-id=")) {
		return nil, false
	}
	colon := bytes.IndexByte(uri, ':')
	if colon < 0 || colon > 8 {
		return nil, false
	}
	end := host
	if host < 0 {
		end = bytes.LastIndexByte(uri, '@')
		if end < 0 {
			end = len(uri)
		}
	} else if uri[host-1] == '@' {
		end--
	}
	if end <= colon {
		return nil, false
	}
	s := c.newSealed()
	s.src, s.at = p.Src, at
	user := uri[colon+1 : end]
	body, params, _ := bytes.Cut(user, []byte(";"))
	var iv, key, alg bool
	badValue := ""
	for len(params) > 0 {
		var one []byte
		one, params, _ = bytes.Cut(params, []byte(";"))
		name, val, _ := bytes.Cut(one, []byte("="))
		val = unescape(val)
		switch string(bytes.ToLower(clip(name, 16))) {
		case "iv":
			var ok bool
			if s.iv, ok = decode64(val); !ok || len(s.iv) != 12 {
				badValue = "iv"
			}
			iv = true
		case "key-id":
			if s.keyID = c.keyID(val); s.keyID == "" {
				badValue = "key-id"
			}
			key = true
		case "alg":
			s.algorithm = string(clip(val, 64))
			alg = true
		}
	}
	if host < 0 && !(iv && key) {
		return nil, false
	}
	var ok bool
	if s.cipher, ok = decode64(unescape(body)); !ok || len(s.cipher) < 16 {
		badValue = "cipher text"
	}
	s.length = len(s.cipher)
	switch {
	case host >= 0 && !(iv && key && alg):
		c.Find("SEC-19", record.Error, "TS 23.003 26.2", "malformed protected URI: the host marks a protected identity, but iv, key-id or alg is missing", p, nil, at)
		s.bad = record.ReasonMalformed
	case badValue != "":
		c.Find("SEC-19", record.Error, "TS 23.003 26.2", "malformed protected URI: "+badValue+" has not its form", p, nil, at)
		s.bad = record.ReasonMalformed
	}
	if host < 0 {
		c.Find("SEC-20", record.Warning, "TS 23.003 26.2", "protected-URI syntax without the reserved domain", p, nil, at)
	}
	if alg && s.algorithm != "128-aes-gcm" {
		c.Find("SEC-21", record.Warning, "TS 24.379 6.6.2.3.4", fmt.Sprintf("unknown URI protection algorithm %q", s.algorithm), p, nil, at)
	}
	if s.algorithm == "128-aes-gcm" {
		s.algorithm = "aes128-gcm"
	}
	return s, true
}

// unescape undoes percent-encoding; what is none stays.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if v, err := hex.DecodeString(string(b[i+1 : i+3])); err == nil {
				out = append(out, v[0])
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

// stateWords says what came of a protected value in brackets after its name, with its key: "(CSK 2abcdef0, no key)".
func (c *Context) stateWords(name string, p *record.Protection) string {
	switch {
	case !p.Encrypted:
		return name
	case p.State == record.Opened:
		return c.join(name, " decrypted")
	}
	reason := "no key"
	if p.Reason != record.ReasonNoKey {
		reason = p.Reason.String()
	}
	key, sep := "key not named", ""
	if v, err := strconv.ParseUint(p.KeyID, 16, 32); err == nil && len(p.KeyID) == 8 {
		key, sep = mikeyparse.KeyType(v>>28).String(), " "
	}
	return c.join(name, " encrypted (", key, sep, p.KeyID[:len(sep)*len(p.KeyID)], ", ", reason, ")")
}

// mask keeps a secret out of dumps: the octets themselves, and the octets they were decoded from.
func (c *Context) mask(src, off, length int) {
	r := c.B.R
	for range len(r.Sources) {
		if src < 0 || src >= len(r.Sources) || length <= 0 {
			return
		}
		s := &r.Sources[src]
		off = min(max(off, 0), len(s.Data))
		length = min(length, len(s.Data)-off)
		m := record.Range{Off: uint32(off), Len: uint32(length)}
		if n := len(s.Masked); n == 0 || s.Masked[n-1] != m {
			s.Masked = append(s.Masked, m)
		}
		if s.Kind == record.Decrypted || s.Parent < 0 || s.Parent >= len(r.Sources) || src == 0 {
			return
		}
		// The secret stands in the parent as it is, or in another coding: then all of what was decoded is masked.
		secret := s.Data[off : off+length]
		par := r.Sources[s.Parent].Data
		from := min(int(s.ParentOff), len(par))
		to := min(from+int(s.ParentLen), len(par))
		src = s.Parent
		if i := bytes.Index(par[from:to], secret); i >= 0 {
			off = from + i
		} else {
			off, length = from, to-from
		}
	}
}
