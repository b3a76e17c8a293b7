package lab

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys"
)

// A Scene is one user of a system acting out scenarios on a capture.
type Scene struct {
	*World
	Sys *System
	U   *User
	S   *Service

	conns map[netip.AddrPort]*Stream
	webs  *[]webConn // connections to HTTP servers
	count *int       // messages sent

	// wrapTLS puts octets of a connection to an HTTP server into TLS, for tests: crypto/tls draws its own random numbers.
	wrapTLS func(s *Stream, up bool, b []byte) []TLSWrite

	tap func(k CSK, st Style, parts []Part) // sees what was protected, for tests
}

// Capture starts a capture of the system in one shape.
func (s *System) Capture(out io.Writer, shape Shape) (*Scene, error) {
	w, err := New(out, shape, s.Seed)
	if err != nil {
		return nil, err
	}
	w.rng = s.rng
	return &Scene{World: w, Sys: s, U: s.Users[0], S: Services[0], conns: map[netip.AddrPort]*Stream{}, webs: new([]webConn), count: new(int)}, nil
}

// as is the same scene with another user in it.
func (c *Scene) as(u *User) *Scene {
	d := *c
	d.U = u
	return &d
}

// on is the same scene with another service.
func (c *Scene) on(v *Service) *Scene {
	d := *c
	d.S = v
	return &d
}

// Messages is the number of SIP and HTTP messages sent so far. Those inside message/sip do not count.
func (c *Scene) Messages() int { return *c.count }

func (c *Scene) ue() netip.AddrPort {
	if !c.Net.Shape.V6 {
		return c.U.UE
	}
	a := c.U.UE.Addr().As4()
	return addr(fmt.Sprintf("[2001:db8:45::%x:%x]:5060", a[2], a[3]))
}

func (c *Scene) via() string {
	if c.Sys.TCP {
		return "TCP"
	}
	return "UDP"
}

// transfer sends a message between the user's UE and the core.
func (c *Scene) transfer(up bool, b []byte) {
	*c.count++
	ue := c.ue()
	switch {
	case c.Sys.TCP:
		s := c.conns[ue]
		if s == nil {
			s = c.Net.Dial(ue, c.Core, c.rng.Uint32())
			c.conns[ue] = s
		}
		for _, send := range s.Send(up, b, 1360) {
			send()
		}
	case up:
		c.Net.UDP(ue, c.Core, b)
	default:
		c.Net.UDP(c.Core, ue, b)
	}
	if up {
		c.wait(18 * time.Millisecond)
	} else {
		c.wait(250 * time.Millisecond)
	}
}

func (c *Scene) up(b []byte)   { c.transfer(true, b) }
func (c *Scene) down(b []byte) { c.transfer(false, b) }

// backstage sends a message between the core and the MC server.
func (c *Scene) backstage(toServer bool, b []byte) {
	*c.count++
	if toServer {
		c.Net.UDP(c.Core, c.AS, b)
	} else {
		c.Net.UDP(c.AS, c.Core, b)
	}
	c.wait(5 * time.Millisecond)
}

// dialog starts a call of the scene's user.
func (c *Scene) dialog() *Dialog {
	d := c.Dialog()
	d.impu, d.ue = c.U.IMPU, c.ue()
	return d
}

func (c *Scene) send(d *Dialog, method, uri, headers string, parts []Part) {
	c.up(d.request(method, uri, c.via(), headers, parts))
}

func (c *Scene) answer(d *Dialog, status int, reason, headers string, parts ...Part) {
	c.down(d.Response(c.via(), status, reason, headers, parts))
}

// csk makes a client-server key and the I_MESSAGE that carries it to the server of the service, TS 33.180 5.4.
func (c *Scene) csk(change ...func(*Envelope)) CSK {
	at := c.U.Name + " " + c.S.Name
	if k, ok := c.Sys.held[at]; ok && c.Sys.Reuse && len(change) == 0 {
		return k
	}
	e := Envelope{ID: c.Sys.keyID(keys.CSK), Key: c.Sys.octets(16), From: c.U.party(c.S), To: c.Sys.server(c.S), At: c.Net.Clock.Truncate(time.Second), Plain: c.Sys.Plain,
		Sessions: []uint8{c.S.CS}, Params: true}
	for _, f := range change {
		f(&e)
	}
	k := CSK{Key: e.Key, ID: e.ID, User: e.From.URI, IMessage: c.imessage(c.Sys, e)}
	c.hand(keys.CSK, k.ID, k.Key, k.User)
	if len(change) == 0 {
		c.Sys.held[at] = k
	}
	return k
}

// hand notes a key for the key log.
func (c *Scene) hand(t keys.Type, id uint32, key []byte, uri string) {
	c.Sys.log = append(c.Sys.log, LogKey{t, id, key, uri})
}

// A Style says how a request is protected. The zero Style is not protected.
type Style struct {
	Protection
	NoKey   bool                // no I_MESSAGE: the key is known to the server already
	One     bool                // one Signature with several References instead of one for each body
	C14N    string              // algorithm of SignedInfo; inclusive 1.0 by default
	Form    bool                // a canonicalisation transform in each Reference
	BareID  bool                // References hold a bare Content-ID instead of a cid: URL
	Bare    bool                // EncryptedData without EncryptionMethod and KeyInfo
	Base64  bool                // I_MESSAGE in base64
	Before  func(bodies []Part) // tampers with bodies before they are signed
	Breakup func(parts []Part)  // tampers with parts at the end
}

// An elem is an element of an info body: TS 24.379 F.1.
type elem struct {
	name  string // without the service's prefix when it begins with "-"
	child string // String, URI, Boolean
	value string
	plain bool // never encrypted
}

// sealedContent writes EncryptedData around content.
func (c *Scene) sealedContent(k CSK, st Style, content string) string {
	if !st.Bare {
		return c.Encrypted(k, content)
	}
	iv, ct := c.seal(k, content)
	return `<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Content"><xenc:CipherData><xenc:CipherValue>` +
		base64.StdEncoding.EncodeToString(cat(iv, ct)) + `</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>`
}

// element writes one element; an empty child makes it the wrapper of user-profile-index.
func (c *Scene) element(k CSK, st Style, e elem) string {
	name := e.name
	if strings.HasPrefix(name, "-") {
		name = c.S.Name + name
	}
	child := c.S.Name + e.child
	if e.child == "" {
		child = "user-profile-index"
	}
	inner := "<" + child + ">" + e.value + "</" + child + ">"
	switch {
	case st.Confidentiality && !e.plain:
		return "<" + name + ` type="Encrypted">` + c.sealedContent(k, st, inner) + "</" + name + ">"
	case e.child == "":
		return "<" + name + ">" + inner + "</" + name + ">"
	}
	return "<" + name + ` type="Normal">` + inner + "</" + name + ">"
}

// info writes the info body of the scene's service. Elements after one without a name go into anyExt.
func (c *Scene) info(k CSK, st Style, elems ...elem) Part {
	var params, ext strings.Builder
	out := &params
	for _, e := range elems {
		if e.name == "" {
			out = &ext
			continue
		}
		out.WriteString(c.element(k, st, e))
	}
	p := params.String()
	if ext.Len() > 0 {
		p += "<anyExt>" + ext.String() + "</anyExt>"
	}
	n := c.S.Name
	return Part{Type: c.S.InfoType, ContentID: n + "info@" + c.U.Name, Body: `<?xml version="1.0" encoding="UTF-8"?><` + n + `info xmlns="` + c.S.NS + `"><` + n + `-Params>` + p + `</` + n + `-Params></` + n + `info>`}
}

// protect puts the I_MESSAGE before bodies and the signature behind them.
func (c *Scene) protect(k CSK, st Style, bodies ...Part) []Part {
	if st.Before != nil {
		st.Before(bodies)
	}
	var parts []Part
	if st.any() && !st.NoKey {
		p := Part{Type: TypeMikey, Body: string(k.IMessage), Encoding: "binary"}
		if st.Base64 {
			p.Body, p.Encoding = base64.StdEncoding.EncodeToString(k.IMessage), "base64"
		}
		parts = append(parts, p)
	}
	parts = append(parts, bodies...)
	if st.Integrity {
		parts = append(parts, c.signature(k, st, bodies))
	}
	if st.Breakup != nil {
		st.Breakup(parts)
	}
	if c.tap != nil {
		c.tap(k, st, parts)
	}
	return parts
}

// signature writes the signed body. The default form is written by hand; the others come from package xmlsec.
func (c *Scene) signature(k CSK, st Style, bodies []Part) Part {
	p := Part{Type: c.S.SignType, ContentID: c.S.Name + "signed@" + c.U.Name}
	if !st.One && !st.Form && !st.BareID && st.C14N == "" {
		p.Body = c.Signed(k, c.S.SignNS, bodies...)
		return p
	}
	method, known := xmlsec.C14NByURI(st.C14N)
	fail := func(err error) {
		if err != nil && c.Net.err == nil {
			c.Net.err = err
		}
	}
	if !known && st.C14N != "" {
		fail(fmt.Errorf("lab: no canonicalisation %q", st.C14N))
	}
	doc, err := xmlsec.Parse([]byte(`<signatures xmlns="`+c.S.SignNS+`"></signatures>`), xmlsec.Limits{})
	fail(err)
	var refs []xmlsec.SignReference
	for _, b := range bodies {
		r := xmlsec.SignReference{URI: "cid:" + b.ContentID, Octets: []byte(b.Body)}
		if st.BareID {
			r.URI = b.ContentID
		}
		if st.Form {
			r.Transforms = []string{xmlsec.URIExcC14N}
		}
		refs = append(refs, r)
	}
	groups := [][]xmlsec.SignReference{refs}
	if !st.One {
		groups = nil
		for i := range refs {
			groups = append(groups, refs[i:i+1])
		}
	}
	for i, g := range groups {
		_, err := xmlsec.Sign(doc.Tree.Root(), xmlsec.SignOptions{ID: fmt.Sprintf("signature%d", i+1), C14N: method, Key: k.xpk(0x52), KeyName: k.KeyName(), References: g})
		fail(err)
	}
	p.Body = string(xmlsec.C14N{}.Document(doc.Tree))
	return p
}

// A tokenSpec says how an access token departs from a good one.
type tokenSpec struct {
	user  string // MC service ID; the scene user's by default
	scope string
	life  time.Duration
	none  bool // alg none, no signature
}

// accessToken writes an access token of the scene's user and service, TS 33.180 B.2.2.
func (c *Scene) accessToken(t tokenSpec) string {
	if t.user == "" {
		t.user = c.U.IDs[c.S.Name]
	}
	if t.scope == "" {
		t.scope = "openid " + c.S.Scope
	}
	if t.life == 0 {
		t.life = time.Hour
	}
	head := `{"alg":"RS256","typ":"JWT","kid":"lab-1"}`
	sig := c.octets(64)
	if t.none {
		head, sig = `{"alg":"none","typ":"JWT"}`, nil
	}
	id, _ := json.Marshal(t.user)
	body := fmt.Sprintf(`{"iss":"https://idms.mc.example.org","%s":%s,"client_id":"UE-%s","scope":"%s","exp":%d}`, c.S.Claim, id, c.U.Name, t.scope, c.Net.Clock.Add(t.life).Unix())
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(head)) + "." + enc([]byte(body)) + "." + enc(sig)
}

func (c *Scene) token() elem {
	return elem{"-access-token", "String", c.accessToken(tokenSpec{}), false}
}
func (c *Scene) client() elem {
	return elem{"-client-id", "String", c.U.Client[c.S.Name], false}
}
func (c *Scene) self() elem { return elem{"-request-uri", "URI", c.U.IDs[c.S.Name], false} }

// tags are the media feature tags of services in a Contact, TS 24.379 7.2.1.
func tags(vs ...*Service) string {
	var t, refs []string
	for _, v := range vs {
		t, refs = append(t, ";+"+v.Tag), append(refs, v.Ref)
	}
	if refs == nil {
		return ""
	}
	return strings.Join(t, "") + `;+g.3gpp.icsi-ref="` + strings.Join(refs, ",") + `"`
}

func (c *Scene) contact(tags string) string {
	return "Contact: <sip:" + c.U.Name + "@" + c.ue().String() + ">" + tags
}

// registration is the header of a REGISTER, with the feature tags of services.
func (c *Scene) registration(vs ...*Service) string {
	return c.contact(tags(vs...)) + `;+sip.instance="<urn:gsma:imei:35824005-694448-0>"` + "\r\nExpires: 600000\r\nSupported: path, gruu\r\n"
}

// registered is the header of the 200 to a REGISTER.
func (c *Scene) registered(vs ...*Service) string {
	return c.contact(tags(vs...)) + ";expires=600000\r\nP-Associated-URI: <" + c.U.IMPU + ">\r\n"
}

// publication is the header of a PUBLISH, TS 24.379 7.2.1A.
func (c *Scene) publication(expires, etag string) string {
	h := c.contact(tags(c.S)) + "\r\nAccept-Contact: *;+" + c.S.Tag + ";require;explicit\r\n" +
		"Accept-Contact: *;+g.3gpp.icsi-ref=\"" + c.S.Ref + "\";require;explicit\r\n" +
		"P-Preferred-Service: " + c.S.ICSI + "\r\nP-Preferred-Identity: <" + c.U.IMPU + ">\r\nEvent: poc-settings\r\nExpires: " + expires + "\r\n"
	if etag != "" {
		h += "SIP-If-Match: " + etag + "\r\n"
	}
	return h
}

const forever = "4294967295"

func published(etag, expires string) string {
	return "SIP-ETag: " + etag + "\r\nExpires: " + expires + "\r\n"
}

// settings is the poc-settings body, TS 24.379 7.2.2 step 6. MCData has no answer mode (TS 24.282 7.2.2).
func (c *Scene) settings() Part {
	mode := `<am-settings><answer-mode>automatic</answer-mode></am-settings>`
	if c.S.Name == "mcdata" {
		mode = ""
	}
	return Part{Type: TypePoc, ContentID: c.S.Name + "settings@" + c.U.Name, Body: `<?xml version="1.0" encoding="UTF-8"?>` +
		`<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings" xmlns:mcs10Set="urn:3gpp:mcsSettings:1.0"><entity id="` + c.U.Client[c.S.Name] + `">` + mode +
		`<mcs10Set:selected-user-profile-index><mcs10Set:user-profile-index>1</mcs10Set:user-profile-index></mcs10Set:selected-user-profile-index>` +
		`<mcs10Set:multiplex-support>true</mcs10Set:multiplex-support></entity></poc-settings>`}
}

// register acts out a REGISTER of the scene's service and its 200.
func (c *Scene) register(k CSK, st Style, elems ...elem) {
	d := c.dialog()
	c.send(d, "REGISTER", coreURI, c.registration(c.S), c.protect(k, st, c.info(k, st, elems...)))
	c.answer(d, 200, "OK", c.registered(c.S))
}

// publish acts out an authorising PUBLISH and its 200.
func (c *Scene) publish(k CSK, st Style, elems ...elem) {
	d := c.dialog()
	c.send(d, "PUBLISH", c.S.PSI, c.publication(forever, ""), c.protect(k, st, c.info(k, st, elems...), c.settings()))
	c.answer(d, 200, "OK", published("e1", forever))
}

// refused acts out an authorising PUBLISH that is answered otherwise.
func (c *Scene) refused(k CSK, st Style, status int, reason, text string, elems ...elem) {
	d := c.dialog()
	c.send(d, "PUBLISH", c.S.PSI, c.publication(forever, ""), c.protect(k, st, c.info(k, st, elems...), c.settings()))
	if status > 0 {
		c.answer(d, status, reason, c.warning(text))
	}
}

func (c *Scene) warning(text string) string {
	return "Warning: 399 " + c.S.MDSI + " \"" + text + "\"\r\n"
}

// fromServer starts a request of an MC server to the user: the dialog's Via is the core's.
func (c *Scene) fromServer(method, headers string, parts []Part) {
	d := c.dialog()
	d.ue = c.Core
	c.down(d.request(method, "sip:"+c.U.Name+"@"+c.ue().String(), c.via(), headers, parts))
	c.up(d.Response(c.via(), 200, "OK", "", nil))
}

// flip damages a part of a body: the first octet after the last occurrence of a mark.
func flip(p *Part, mark string) {
	b := []byte(p.Body)
	i := bytes.LastIndex(b, []byte(mark))
	if i < 0 || i+len(mark)+8 >= len(b) {
		return
	}
	at := &b[i+len(mark)+6]
	if *at == 'A' {
		*at = 'B'
	} else {
		*at = 'A'
	}
	p.Body = string(b)
}

// Write writes a whole capture of one shape in which [Scene.Play] acts the scenarios out.
func (s *System) Write(out io.Writer, shape Shape, list []Scenario, messages int) (sip int, frames uint64, err error) {
	c, err := s.Capture(out, shape)
	if err != nil {
		return 0, 0, err
	}
	sip = c.Play(list, messages)
	return sip, c.Net.Frame, c.Close()
}

// Pcap is a capture of scenarios in memory, over Ethernet, and the system that it came from, whose KeyLog opens it. It is
// for tests.
func Pcap(o Options, list ...Scenario) ([]byte, *System, error) {
	s, err := NewSystem(o)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	_, _, err = s.Write(&b, ethernet(), list, 0)
	return b.Bytes(), s, err
}

// Play writes a capture in which the scenarios are acted out in turn, each by the next user, until every scenario and
// every user had its turn and there are as many messages as asked for. It returns the number of SIP messages.
func (c *Scene) Play(list []Scenario, messages int) int {
	if len(list) == 0 {
		return 0
	}
	for i := 0; c.Net.err == nil && (i < max(len(list), len(c.Sys.Users)) || c.Messages() < messages); i++ {
		c.turn(list, i)
	}
	c.hangUp()
	return c.Messages()
}

// turns acts every scenario out once.
func (c *Scene) turns(list []Scenario) {
	for i := range list {
		c.turn(list, i)
	}
	c.hangUp()
}

func (c *Scene) turn(list []Scenario, i int) {
	s := list[i%len(list)]
	s.Play(c.as(c.Sys.Users[i%len(c.Sys.Users)]))
	c.wait(time.Second)
}

// hangUp closes the connections.
func (c *Scene) hangUp() {
	for _, u := range c.Sys.Users {
		if s := c.conns[c.as(u).ue()]; s != nil {
			s.Close()
		}
	}
	for _, w := range *c.webs {
		w.Close()
	}
}
