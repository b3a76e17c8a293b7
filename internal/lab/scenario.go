package lab

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys"
)

// A Form is a kind of key file that [System.WriteKeys] writes.
type Form string

// The forms. Each alone opens whatever can be opened.
const (
	FormLog     Form = "keys.mcxkeys" // MCX key log with the keys themselves
	FormMaster  Form = "master"       // master secrets of every KMS; a folder with the MC service IDs, which nothing else tells when identities are hidden
	FormXML     Form = "kms.xml"      // what each KMS gave each user, plain
	FormWrapped Form = "wrapped"      // the same under transport keys and signed; a folder with the transport keys
)

// Forms lists them.
var Forms = []Form{FormLog, FormMaster, FormXML, FormWrapped}

// A Scenario is something that users and servers do, as one clause has it or breaks it.
type Scenario struct {
	Name   string
	Shows  string
	Clause string

	// Fault is the reason, by its name in mcxdump's JSON, for which something does not open or verify although every key
	// is there; "" when everything opens and every signature is valid. Where the forms of keys differ, ByForm has what
	// differs; ByForm with "" means that all is well with that form.
	Fault  string
	ByForm map[Form]string
	// Clean says that nothing departs from a specification.
	Clean bool
	// Unsigned says that an I_MESSAGE's signature is wrong.
	Unsigned bool

	run func(c *Scene)
}

// Expect is the fault to be met with one form of keys.
func (s *Scenario) Expect(f Form) string {
	if v, ok := s.ByForm[f]; ok {
		return v
	}
	return s.Fault
}

// Play lets the scene's user act the scenario out.
func (s *Scenario) Play(c *Scene) { s.run(c) }

// ScenarioByName finds a scenario.
func ScenarioByName(name string) (Scenario, error) {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, nil
		}
	}
	return Scenario{}, fmt.Errorf("lab has no scenario %q", name)
}

// The four protections and their names.
var protections = []struct {
	name  string
	style Style
	shows string
}{
	{"clear", Style{}, "without protection"},
	{"protected", Style{Protection: both}, "with CSK, encrypted and signed"},
	{"confidentiality", Style{Protection: conf}, "encrypted, not signed"},
	{"integrity", Style{Protection: integ}, "signed, not encrypted"},
}

// Scenarios lists all scenarios.
func Scenarios() []Scenario {
	var out []Scenario
	add := func(s Scenario) { out = append(out, s) }
	for _, p := range protections {
		add(Scenario{Name: "register-" + p.name, Clause: "TS 24.379 7.2.1", Shows: "REGISTER for service authorisation " + p.shows,
			run: func(c *Scene) { c.register(c.keyFor(p.style), p.style, c.token(), c.client()) }})
		add(Scenario{Name: "publish-" + p.name, Clause: "TS 24.379 7.2.2", Shows: "PUBLISH for authorisation and settings " + p.shows,
			run: func(c *Scene) { c.publish(c.keyFor(p.style), p.style, c.token(), c.client()) }})
		add(Scenario{Name: "settings-" + p.name, Clause: "TS 24.379 7.2.3", Shows: "authorisation, then a settings-only PUBLISH under the same key, " + p.shows,
			run: func(c *Scene) {
				k := c.keyFor(p.style)
				c.publish(k, p.style, c.token(), c.client())
				c.settingsOnly(k, p.style)
			}})
		add(Scenario{Name: "subscribe-" + p.name, Clause: "TS 24.379 7.2.4", Shows: "authorisation, then SUBSCRIBE to the settings and NOTIFY, " + p.shows,
			run: func(c *Scene) {
				k := c.keyFor(p.style)
				c.publish(k, p.style, c.token(), c.client())
				c.subscribe(k, p.style, forever, 200)
			}})
		add(Scenario{Name: "migrate-" + p.name, Clause: "TS 24.379 7A.2.1", Shows: "REGISTER for migration service authorisation " + p.shows,
			run: func(c *Scene) {
				c.register(c.keyFor(p.style), p.style, elem{"-access-token", "String", c.accessToken(tokenSpec{user: "sip:" + c.U.Name + ".guest@partner.example.net"}), false},
					c.self(), elem{}, elem{"selected-user-profile-index", "", "1", false})
			}})
	}
	out = append(out, ordinary...)
	out = append(out, variants...)
	for _, v := range keys.Variants()[1:] {
		add(Scenario{Name: "derivation-" + strings.ReplaceAll(v.String(), ",", "-"), Clause: "TS 33.180 F.1.4", Shows: "PUBLISH under keys derived by another reading of the clause: " + v.String(), run: func(c *Scene) {
			k := c.csk()
			k.Reading = v
			c.publish(k, Style{Protection: both}, c.token(), c.client())
		}})
	}
	out = append(out, failures...)
	out = append(out, webScenarios...)
	for i := range out {
		out[i].Clean = !slices.ContainsFunc([]string{"fail-", "answer-", "derivation-", "imessage-sign-", "imessage-uid-", "subscribe-refused"}, func(p string) bool { return strings.HasPrefix(out[i].Name, p) })
	}
	return out
}

// keyFor makes a CSK when the style needs one.
func (c *Scene) keyFor(st Style) CSK {
	if !st.any() {
		return CSK{}
	}
	return c.csk()
}

// registerAll acts out one REGISTER for several services, each with its own CSK and bodies.
func (c *Scene) registerAll(st Style, list []*Service) {
	var parts []Part
	for _, v := range list {
		s := c.on(v)
		k := s.csk()
		parts = append(parts, s.protect(k, st, s.info(k, st, s.token(), s.client()))...)
	}
	d := c.dialog()
	c.send(d, "REGISTER", coreURI, c.registration(list...), parts)
	c.answer(d, 200, "OK", c.registered(list...))
}

// settingsOnly acts out the PUBLISH of 7.2.3. No new key is sent.
func (c *Scene) settingsOnly(k CSK, st Style) {
	st.NoKey = true
	d := c.dialog()
	c.send(d, "PUBLISH", c.S.PSI, c.publication(forever, "e1"), c.protect(k, st, c.info(k, st, c.self(), c.client()), c.settings()))
	c.answer(d, 200, "OK", published("e2", forever))
}

// subscribe acts out SUBSCRIBE and NOTIFY of 7.2.4 and 7.3.6.
func (c *Scene) subscribe(k CSK, st Style, expires string, status int) {
	st.NoKey = true
	d := c.dialog()
	c.send(d, "SUBSCRIBE", c.S.PSI, c.contact(tags(c.S))+"\r\nAccept-Contact: *;+g.3gpp.icsi-ref=\""+c.S.Ref+"\";require;explicit\r\nP-Preferred-Service: "+c.S.ICSI+
		"\r\nEvent: poc-settings\r\nExpires: "+expires+"\r\nAccept: application/poc-settings+xml\r\n", c.protect(k, st, c.info(k, st, c.self())))
	if status != 200 {
		c.answer(d, status, "Forbidden", "")
		return
	}
	c.answer(d, 200, "OK", "Contact: <"+c.S.PSI+">\r\nExpires: "+expires+"\r\n")
	state := "active;expires=" + expires
	if expires == "0" {
		state = "terminated;reason=timeout"
	}
	n := *d
	n.ue, n.cseq = c.Core, 0
	c.down(n.request("NOTIFY", "sip:"+c.U.Name+"@"+c.ue().String(), c.via(), "Contact: <"+c.S.PSI+">\r\nEvent: poc-settings\r\nSubscription-State: "+state+"\r\n", []Part{c.settings()}))
	c.up(n.Response(c.via(), 200, "OK", "", nil))
}

// thirdParty acts out the UE's protected REGISTER and the S-CSCF's towards the server, with or without the 200.
func (c *Scene) thirdParty(two bool, expires string) {
	k := c.csk()
	st := Style{Protection: both}
	ue := c.dialog()
	inner := ue.request("REGISTER", coreURI, c.via(), c.registration(c.S), c.protect(k, st, c.info(k, st, c.token(), c.client())))
	answer := ue.Response(c.via(), 200, "OK", c.registered(c.S), nil)
	c.up(inner)
	c.down(answer)
	parts := []Part{{Type: TypeSIP, Body: string(inner)}}
	if two {
		parts = append(parts, Part{Type: TypeSIP, Body: string(answer)})
	}
	c.thirdPartyParts(parts, expires)
}

func (c *Scene) thirdPartyParts(parts []Part, expires string) {
	d := c.dialog()
	d.ue = c.Core
	c.backstage(true, d.request("REGISTER", "sip:as."+c.S.MDSI, "UDP", "Contact: <sip:scscf.ims.example.org>\r\nP-Asserted-Identity: <"+c.U.IMPU+">\r\nExpires: "+expires+"\r\n", parts))
	c.backstage(false, d.Response("UDP", 200, "OK", "", nil))
}

// download acts out a key download, TS 33.180 5.8: a MESSAGE with a key for the user. With a name for old, the new key is a CSK.
func (c *Scene) download(t keys.Type) CSK {
	cs := c.S.CS
	if t == keys.MuSiK {
		cs++
	}
	e := Envelope{ID: c.Sys.keyID(t), Key: c.Sys.octets(16), From: c.Sys.server(c.S), To: c.U.party(c.S), At: c.Net.Clock.Truncate(time.Second), Plain: c.Sys.Plain, Sessions: []uint8{cs}, Params: true}
	if t == keys.MuSiK {
		e.Group = groupURI
	}
	k := CSK{Key: e.Key, ID: e.ID, User: c.U.IDs[c.S.Name], IMessage: c.imessage(c.Sys, e)}
	c.hand(t, k.ID, k.Key, k.User)
	c.fromServer("MESSAGE", "P-Asserted-Identity: <"+c.S.PSI+">\r\nP-Asserted-Service: "+c.S.ICSI+"\r\n", []Part{{Type: TypeMikey, Body: string(k.IMessage)}})
	return k
}

// gmk makes a group master key as the scene's user gets it: under a GUK-ID of his own, TS 33.180 5.2.3.
func (c *Scene) gmk(id uint32, key []byte) (imessage []byte) {
	p := c.U.party(c.S)
	guk := keys.GUKID(key, id, p.URI)
	cs := uint8(4)
	if c.S.Name == "mcvideo" {
		cs = 5
	}
	return c.imessage(c.Sys, Envelope{ID: guk, Key: key, From: Party{gmsURI, c.Sys.Domains[0]}, To: p, At: c.Net.Clock.Truncate(time.Second), Plain: c.Sys.Plain,
		Sessions: []uint8{cs}, SPI: cat(be32(int(id)), be32(int(guk))), Params: true, Group: groupURI, Self: true})
}

// group makes one group master key and gives it to every user of the system, at most three.
func (c *Scene) group(give func(c *Scene, imessage []byte)) {
	id, key := c.Sys.keyID(keys.GMK), c.Sys.octets(16)
	c.hand(keys.GMK, id, key, groupURI)
	for _, u := range c.Sys.Users[:min(3, len(c.Sys.Users))] {
		v := c.as(u)
		give(v, v.gmk(id, key))
	}
}

// privateCall acts out the beginning of a private call with a PCK in the offer, TS 33.180 5.6, and the called user's URI
// encrypted in the resource list, TS 24.379 6.6.2.3.4.
func (c *Scene) privateCall() {
	k, st := c.csk(), Style{Protection: conf}
	c.publish(k, st, c.token(), c.client())
	cs := []uint8{0, 1}
	if c.S.Name == "mcvideo" {
		cs = []uint8{2, 3}
	}
	_, imessage := c.pck(cs)
	host := c.ue().Addr().String()
	sdp := "v=0\r\no=- 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\na=key-mgmt:mikey " + base64.StdEncoding.EncodeToString(imessage) + "\r\n" +
		"m=audio 49170 RTP/SAVP 105\r\ni=speech\r\na=rtpmap:105 AMR-WB/16000\r\nm=application 49172 udp MCPTT\r\na=fmtp:MCPTT mc_queueing;mc_priority=5;mc_implicit_request\r\n"
	if c.Net.Shape.V6 {
		sdp = strings.ReplaceAll(sdp, "IN IP4", "IN IP6")
	}
	list := `<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="` + c.EncryptedURI(k, c.called().IDs[c.S.Name]) + `"/></list></resource-lists>`
	info := c.info(k, st, c.client())
	info.Body = strings.Replace(info.Body, "-Params>", "-Params><session-type>private</session-type>", 1)
	d := c.dialog()
	c.send(d, "INVITE", c.S.PSI, c.contact(tags(c.S))+"\r\nAccept-Contact: *;+"+c.S.Tag+";require;explicit\r\nAccept-Contact: *;+g.3gpp.icsi-ref=\""+c.S.Ref+"\";require;explicit\r\nP-Preferred-Service: "+c.S.ICSI+"\r\nSession-Expires: 1800\r\nSupported: timer\r\n",
		[]Part{{Type: "application/sdp", Body: sdp}, info, {Type: "application/resource-lists+xml", ContentID: "list@" + c.U.Name, Body: list}})
	c.answer(d, 100, "Trying", "")
	c.answer(d, 486, "Busy Here", "")
}

// called is the user after the scene's one.
func (c *Scene) called() *User {
	return c.Sys.Users[(slices.Index(c.Sys.Users, c.U)+1)%len(c.Sys.Users)]
}

// pck makes a private call key for the called user, TS 33.180 5.6.
func (c *Scene) pck(sessions []uint8) (e Envelope, imessage []byte) {
	e = Envelope{ID: c.Sys.keyID(keys.PCK), Key: c.Sys.octets(16), From: c.U.party(c.S), To: c.called().party(c.S), At: c.Net.Clock.Truncate(time.Second), Plain: c.Sys.Plain, Sessions: sessions, Params: true, Self: true}
	c.hand(keys.PCK, e.ID, e.Key, e.From.URI)
	return e, c.imessage(c.Sys, e)
}

// shortMessage acts out a one-to-one SDS: TS 24.282 9.2.2, 15.1.2 and 15.1.4, both payloads protected.
func (c *Scene) shortMessage() {
	k, st := c.csk(), Style{Protection: both}
	c.publish(k, st, c.token(), c.client())
	e, imessage := c.pck(nil)
	signalling := cat(c.Sys.octets(32), []byte{0x81})
	text := "The bridge is closed."
	data := cat([]byte{1, 0x78}, be16(len(text)+1), []byte{1}, []byte(text))
	info := c.info(k, Style{Protection: conf}, c.client())
	info.Body = strings.Replace(info.Body, "-Params>", "-Params><request-type>one-to-one-sds</request-type>", 1)
	list := `<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="` + c.EncryptedURI(k, c.called().IDs[c.S.Name]) + `"/></list></resource-lists>`
	d := c.dialog()
	c.send(d, "MESSAGE", c.S.PSI, "Accept-Contact: *;+"+c.S.Tag+";require;explicit\r\nAccept-Contact: *;+g.3gpp.icsi-ref=\""+c.S.Ref+"\";require;explicit\r\nP-Preferred-Service: "+c.S.ICSI+"\r\n",
		[]Part{info, {Type: "application/resource-lists+xml", ContentID: "list@" + c.U.Name, Body: list}, {Type: TypeMikey, Body: string(imessage), Encoding: "binary"},
			{Type: "application/vnd.3gpp.mcdata-signalling", Body: c.protectedMessage(1, k.Key, k.ID, signalling), Encoding: "binary"},
			{Type: "application/vnd.3gpp.mcdata-payload", Body: c.protectedMessage(3, e.Key, e.ID, data), Encoding: "binary"}})
	c.answer(d, 202, "Accepted", "")
}

// ordinary are the scenarios in which all is well.
var ordinary = []Scenario{
	{Name: "register-only", Clause: "TS 24.379 7.2.1AA", Shows: "REGISTER with the feature tags alone: the token goes by PUBLISH", run: func(c *Scene) {
		d := c.dialog()
		c.send(d, "REGISTER", coreURI, c.registration(c.S), nil)
		c.answer(d, 200, "OK", c.registered(c.S))
	}},
	{Name: "register-challenge", Clause: "TS 24.379 7.2.1, TS 24.229 5.1.1.5", Shows: "REGISTER challenged by 401; the bodies are in both rounds", run: func(c *Scene) {
		st := Style{Protection: both}
		k, d := c.csk(), c.dialog()
		parts := c.protect(k, st, c.info(k, st, c.token(), c.client()))
		realm := `realm="ims.example.org"`
		user := `username="` + c.U.IMPU[4:] + `",` + realm + `,uri="` + coreURI + `"`
		c.send(d, "REGISTER", coreURI, c.registration(c.S)+"Authorization: Digest "+user+",nonce=\"\",response=\"\"\r\n", parts)
		c.answer(d, 401, "Unauthorized", "WWW-Authenticate: Digest "+realm+",nonce=\""+base64.StdEncoding.EncodeToString(c.octets(32))+"\",algorithm=AKAv1-MD5,qop=\"auth\"\r\n")
		c.send(d, "REGISTER", coreURI, c.registration(c.S)+"Authorization: Digest "+user+",nonce=\"bm9uY2U=\",response=\""+fmt.Sprintf("%x", c.octets(16))+"\",algorithm=AKAv1-MD5,qop=auth,nc=00000001,cnonce=\"1\"\r\n", parts)
		c.answer(d, 200, "OK", c.registered(c.S))
	}},
	{Name: "register-combined", Clause: "TS 24.379 7.1", Shows: "one REGISTER for MCPTT, MCVideo and MCData with a CSK for each MDSI", run: func(c *Scene) {
		c.registerAll(Style{Protection: both}, Services)
	}},
	{Name: "register-again", Clause: "TS 24.379 7.2.1", Shows: "REGISTER with a CSK, and again later under the same CSK without sending it", run: func(c *Scene) {
		st := Style{Protection: both}
		k := c.csk()
		c.register(k, st, c.token(), c.client())
		c.wait(time.Minute)
		st.NoKey = true
		c.register(k, st, c.token(), c.client())
	}},
	{Name: "third-party-one", Clause: "TS 24.379 7.3.2, TS 24.229 5.4.1.7", Shows: "third-party REGISTER with the UE's REGISTER inside", run: func(c *Scene) { c.thirdParty(false, "600000") }},
	{Name: "third-party-two", Clause: "TS 24.379 7.3.2, TS 24.229 5.4.1.7", Shows: "third-party REGISTER with the UE's REGISTER and its 200 inside", run: func(c *Scene) { c.thirdParty(true, "600000") }},
	{Name: "third-party-off", Clause: "TS 24.229 5.4.1.7", Shows: "third-party REGISTER, and its removal with Expires 0", run: func(c *Scene) {
		c.thirdParty(true, "600000")
		c.wait(time.Minute)
		c.thirdPartyParts(nil, "0")
	}},
	{Name: "publish-mcvideo", Clause: "TS 24.281 7.2.2", Shows: "PUBLISH for MCVideo, encrypted and signed", run: func(c *Scene) {
		v, st := c.on(Services[1]), Style{Protection: both}
		v.publish(v.csk(), st, v.token(), v.client())
	}},
	{Name: "publish-mcdata", Clause: "TS 24.282 7.2.2", Shows: "PUBLISH for MCData, encrypted and signed", run: func(c *Scene) {
		v, st := c.on(Services[2]), Style{Protection: both}
		v.publish(v.csk(), st, v.token(), v.client())
	}},
	{Name: "multiple-devices", Clause: "TS 24.379 7.3.3", Shows: "PUBLISH answered with multiple-devices-ind", run: func(c *Scene) {
		k, st := c.csk(), Style{Protection: both}
		d := c.dialog()
		c.send(d, "PUBLISH", c.S.PSI, c.publication(forever, ""), c.protect(k, st, c.info(k, st, c.token(), c.client()), c.settings()))
		c.answer(d, 200, "OK", published("e1", forever), c.info(k, Style{}, elem{}, elem{"multiple-devices-ind", "Boolean", "true", false}))
	}},
	{Name: "subscribe-fetch", Clause: "TS 24.379 7.2.4", Shows: "SUBSCRIBE with Expires 0: one NOTIFY", run: func(c *Scene) {
		c.publish(CSK{}, Style{}, c.token(), c.client())
		c.subscribe(CSK{}, Style{}, "0", 200)
	}},
	{Name: "subscribe-refused", Clause: "TS 24.379 7.3.6.1", Shows: "SUBSCRIBE to somebody else's settings, answered 403", run: func(c *Scene) { c.subscribe(CSK{}, Style{}, forever, 403) }},
	{Name: "logoff-register", Clause: "TS 24.379 7.2.1", Shows: "log-off by a re-REGISTER without the tags", run: func(c *Scene) {
		k, st := c.csk(), Style{Protection: both}
		c.register(k, st, c.token(), c.client())
		c.wait(time.Minute)
		d := c.dialog()
		c.send(d, "REGISTER", coreURI, c.registration(), nil)
		c.answer(d, 200, "OK", c.registered())
	}},
	{Name: "logoff-one", Clause: "TS 24.379 7.1", Shows: "REGISTER for three services, then one without MCPTT: log-off from MCPTT alone", run: func(c *Scene) {
		st := Style{Protection: both}
		c.registerAll(st, Services)
		c.wait(time.Minute)
		c.registerAll(st, Services[1:])
	}},
	{Name: "answer-412", Clause: "RFC 3903 6, TS 24.379 7.3.4", Shows: "a settings-only PUBLISH with an entity tag of yesterday, answered 412", run: func(c *Scene) {
		c.publish(CSK{}, Style{}, c.token(), c.client())
		d := c.dialog()
		c.send(d, "PUBLISH", c.S.PSI, c.publication(forever, "e0"), []Part{c.info(CSK{}, Style{}, c.self(), c.client()), c.settings()})
		c.answer(d, 412, "Conditional Request Failed", "")
	}},
	{Name: "deregister", Clause: "TS 24.229 5.1.1.6", Shows: "REGISTER for authorisation, then one with Expires 0", run: func(c *Scene) {
		c.register(c.csk(), Style{Protection: both}, c.token(), c.client())
		c.wait(time.Minute)
		d := c.dialog()
		c.send(d, "REGISTER", coreURI, c.contact(tags(c.S))+"\r\nExpires: 0\r\n", nil)
		c.answer(d, 200, "OK", "P-Associated-URI: <"+c.U.IMPU+">\r\n")
	}},
	{Name: "publish-again", Clause: "RFC 3261 17.1.2, TS 24.379 7.2.2", Shows: "a PUBLISH that is sent again before its 200 comes", run: func(c *Scene) {
		k, st, d := c.csk(), Style{Protection: both}, c.dialog()
		m := d.request("PUBLISH", c.S.PSI, c.via(), c.publication(forever, ""), c.protect(k, st, c.info(k, st, c.token(), c.client()), c.settings()))
		c.up(m)
		c.wait(482 * time.Millisecond)
		c.up(m)
		c.answer(d, 200, "OK", published("e1", forever))
	}},
	{Name: "logoff-publish", Clause: "TS 24.379 7.2.1A, 7.3.5", Shows: "log-off by a PUBLISH with Expires 0", run: func(c *Scene) {
		k, st := c.csk(), Style{Protection: both}
		c.publish(k, st, c.token(), c.client())
		c.wait(time.Minute)
		d := c.dialog()
		c.send(d, "PUBLISH", c.S.PSI, c.publication("0", "e1"), nil)
		c.answer(d, 200, "OK", published("e2", "0"))
	}},
	{Name: "key-download-csk", Clause: "TS 24.379 7.2.5, 7.3.7, TS 33.180 5.8", Shows: "a new CSK by MESSAGE, and a settings PUBLISH under it", run: func(c *Scene) {
		k, st := c.csk(), Style{Protection: both}
		c.publish(k, st, c.token(), c.client())
		c.settingsOnly(c.download(keys.CSK), st)
	}},
	{Name: "key-download-musik", Clause: "TS 24.379 7.2.5, 7.3.7, TS 33.180 5.8", Shows: "a MuSiK by MESSAGE", run: func(c *Scene) {
		k, st := c.csk(), Style{Protection: both}
		c.publish(k, st, c.token(), c.client())
		c.download(keys.MuSiK)
	}},
	{Name: "private-call", Clause: "TS 33.180 5.6, TS 24.379 6.6.2.3.4", Shows: "INVITE with a PCK in a=key-mgmt and an encrypted URI in the resource list", run: (*Scene).privateCall},
	{Name: "mcdata-sds", Clause: "TS 24.282 6.6, TS 33.180 8.5.4", Shows: "a short message: signalling payload under the CSK, data payload under a PCK that travels beside it", run: func(c *Scene) { c.on(Services[2]).shortMessage() }},
	{Name: "group-key", Clause: "TS 33.180 5.7", Shows: "a GMK for every member by MESSAGE, each under a GUK-ID of its own", run: func(c *Scene) {
		c.group(func(c *Scene, b []byte) {
			c.fromServer("MESSAGE", "P-Asserted-Identity: <"+gmsURI+">\r\n", []Part{{Type: TypeMikey, Body: string(b)}})
		})
	}},
	{Name: "group-document", Clause: "TS 33.180 5.7, TS 24.481", Shows: "a GMK as base64 text in a group document, in a NOTIFY (the element's name is an assumption)", run: func(c *Scene) {
		c.group(func(c *Scene, b []byte) {
			doc := `<?xml version="1.0" encoding="UTF-8"?><group xmlns="urn:oma:xml:poc:list-service" xmlns:mcpttgi="urn:3gpp:ns:mcpttGroupInfo:1.0"><list-service uri="` + groupURI + `"><display-name>Rescue</display-name><mcpttgi:group-key>` + base64.StdEncoding.EncodeToString(b) + `</mcpttgi:group-key></list-service></group>`
			c.fromServer("NOTIFY", "Contact: <"+gmsURI+">\r\nEvent: xcap-diff\r\nSubscription-State: active;expires=3600\r\n", []Part{{Type: "application/vnd.oma.poc.groups+xml", Body: doc}})
		})
	}},
}

// variant is a protected PUBLISH of one style and one kind of I_MESSAGE.
func variant(name, clause, shows string, st Style, change ...func(*Envelope)) Scenario {
	if !st.any() {
		st.Protection = both
	}
	return Scenario{Name: name, Clause: clause, Shows: shows, run: func(c *Scene) { c.publish(c.csk(change...), st, c.token(), c.client()) }}
}

// variants are the forms that the specifications leave open.
var variants = []Scenario{
	variant("imessage-empty-map", "TS 33.180 E.1.2", "I_MESSAGE with #CS 0 and the empty map, without security policy", Style{}, func(e *Envelope) { e.Sessions = nil }),
	variant("imessage-bare", "TS 33.180 E.1.2", "I_MESSAGE without key parameters", Style{}, func(e *Envelope) { e.Params = false }),
	variant("imessage-self", "TS 33.180 E.5", "I_MESSAGE with SAKKE-to-self", Style{}, func(e *Envelope) { e.Self = true }),
	variant("imessage-plain", "TS 33.180 E.1.2", "I_MESSAGE that names the parties in the clear", Style{}, func(e *Envelope) { e.Plain = true }),
	variant("imessage-hidden", "TS 33.180 E.7", "I_MESSAGE with hidden identities", Style{}, func(e *Envelope) { e.Plain = false }),
	variant("imessage-base64", "TS 24.379 7.2.2", "I_MESSAGE in base64", Style{Base64: true}),
	variant("imessage-uid-type", "TS 33.180 E.7", "hidden identities labelled as URIs, as products have it", Style{}, func(e *Envelope) { e.Plain, e.URIType = false, true }),
	variant("imessage-sign-short", "RFC 3830 5.2", "an ECCSI signature that leaves the SIGN header out", Style{}, func(e *Envelope) { e.Short = true }),
	variant("element-bare", "XML Encryption 1.1 3.1", "EncryptedData without EncryptionMethod and KeyInfo", Style{Bare: true}),
	variant("signature-one", "TS 24.379 F.6", "one Signature with a Reference for each body", Style{One: true}),
	variant("signature-bare-id", "TS 36.579-1 5.5.13.1", "References that hold the Content-ID itself", Style{BareID: true}),
	variant("signature-c14n-exclusive", "TS 36.579-1 5.5.13.1", "SignedInfo in exclusive canonical form", Style{C14N: xmlsec.URIExcC14N}),
	variant("signature-c14n-comments", "TS 36.579-1 5.5.13.1", "SignedInfo in canonical form with comments", Style{C14N: xmlsec.URIC14N10Comments}),
	variant("signature-c14n-11", "TS 36.579-1 5.5.13.1", "SignedInfo in Canonical XML 1.1", Style{C14N: xmlsec.URIC14N11}),
	variant("signature-transform", "XML Signature 1.1 4.4.3.4", "References with a canonicalisation transform", Style{Form: true}),
}

// part finds the first part of a media type that ends so.
func part(parts []Part, suffix string) *Part {
	for i := range parts {
		if strings.HasSuffix(parts[i].Type, suffix) {
			return &parts[i]
		}
	}
	return &Part{}
}

// broken is a protected PUBLISH that somebody tampered with and its refusal.
func broken(name, shows, fault, text string, tamper func(parts []Part)) Scenario {
	return Scenario{Name: name, Clause: "TS 24.379 7.3.1A", Shows: shows, Fault: fault, run: func(c *Scene) {
		c.refused(c.csk(), Style{Protection: both, Breakup: tamper}, 403, "Forbidden", text, c.token(), c.client())
	}}
}

const (
	text101 = "101 service authorisation failed"
	text136 = "136 authentication of the MIKEY-SAKKE I_MESSAGE failed"
	text139 = "139 integrity protection check failed"
	text140 = "140 unable to decrypt XML content"
	text141 = "141 user unknown to the participating function"
	text164 = "164 limit of simultaneous service authorisations"
)

// badToken is a PUBLISH in the clear with a token that is refused.
func badToken(name, shows string, spec tokenSpec) Scenario {
	return Scenario{Name: name, Clause: "TS 24.379 7.3.3, TS 33.180 B.11", Shows: shows, run: func(c *Scene) {
		c.refused(CSK{}, Style{}, 403, "Forbidden", text101, elem{"-access-token", "String", c.accessToken(spec), false}, c.client())
	}}
}

// answered is a protected PUBLISH, in order, that is answered so.
func answered(name, clause, shows string, status int, reason, text string) Scenario {
	return Scenario{Name: name, Clause: clause, Shows: shows, run: func(c *Scene) {
		c.refused(c.csk(), Style{Protection: both}, status, reason, text, c.token(), c.client())
	}}
}

// failures are the scenarios in which something is wrong.
var failures = []Scenario{
	badToken("fail-token-expired", "an access token that has expired", tokenSpec{life: -time.Hour}),
	badToken("fail-token-scope", "an access token for another service", tokenSpec{scope: "openid 3gpp:mc:ptt_key_management_service"}),
	badToken("fail-token-none", "an access token with alg none", tokenSpec{none: true}),
	{Name: "fail-client-id-missing", Clause: "TS 24.379 7.2.2", Shows: "PUBLISH for authorisation without client ID", run: func(c *Scene) { c.refused(CSK{}, Style{}, 403, "Forbidden", text101, c.token()) }},
	{Name: "fail-tags-missing", Clause: "TS 24.379 7.2.1", Shows: "REGISTER with bodies whose Contact lacks the feature tags", run: func(c *Scene) {
		d := c.dialog()
		c.send(d, "REGISTER", coreURI, c.registration(), []Part{c.info(CSK{}, Style{}, c.token(), c.client())})
		c.answer(d, 200, "OK", c.registered())
	}},
	{Name: "fail-token-clear", Clause: "TS 24.379 7.2.1", Shows: "the client ID is encrypted, the token is not", run: func(c *Scene) {
		t := c.token()
		t.plain = true
		c.register(c.csk(), Style{Protection: both}, t, c.client())
	}},
	broken("fail-signature", "the HMAC of a signature is wrong", "hmac_mismatch", text139, func(p []Part) { flip(part(p, "-signed+xml"), "<ds:SignatureValue>") }),
	broken("fail-digest", "a signed body was changed on the way", "digest_mismatch", text139, func(p []Part) {
		s := part(p, "poc-settings+xml")
		s.Body = strings.Replace(s.Body, "automatic", "manual", 1)
	}),
	{Name: "fail-tag", Clause: "TS 24.379 7.3.1A", Shows: "the tag of an element is wrong, the signature is right", Fault: "tag_mismatch", run: func(c *Scene) {
		st := Style{Protection: both, Before: func(p []Part) { flip(part(p, "-info+xml"), "<xenc:CipherValue>") }}
		c.refused(c.csk(), st, 403, "Forbidden", text140, c.token(), c.client())
	}},
	{Name: "fail-key-name", Clause: "TS 24.379 6.6.2.3.3", Shows: "KeyName names a key that nobody sent", Fault: "key_name_mismatch", run: func(c *Scene) {
		k := c.csk()
		other := k
		other.ID ^= 0x0badbad
		st := Style{Protection: both, Before: func(p []Part) {
			info := part(p, "-info+xml")
			info.Body = strings.ReplaceAll(info.Body, k.KeyName(), other.KeyName())
		}}
		c.refused(k, st, 403, "Forbidden", text140, c.token(), c.client())
	}},
	{Name: "fail-imessage-signature", Clause: "TS 33.180 5.2.2", Shows: "the signature of the I_MESSAGE is wrong", Unsigned: true, run: func(c *Scene) {
		c.refused(c.csk(func(e *Envelope) { e.Damage = true }), Style{Protection: both}, 403, "Forbidden", text136, c.token(), c.client())
	}},
	{Name: "fail-kms", Clause: "TS 33.180 5.2.2", Shows: "the I_MESSAGE was made under a KMS that nobody knows", Fault: "no_rsk", ByForm: map[Form]string{FormLog: ""}, run: func(c *Scene) {
		c.refused(c.csk(func(e *Envelope) { e.From.Domain, e.To.Domain = c.Sys.stray, c.Sys.stray }), Style{Protection: both}, 403, "Forbidden", text136, c.token(), c.client())
	}},
	{Name: "fail-period", Clause: "TS 33.180 F.2.1", Shows: "the client's clock is three key periods behind, so that the keys of the KMS do not fit", Fault: "wrong_period", ByForm: map[Form]string{FormLog: "", FormMaster: ""}, run: func(c *Scene) {
		k := c.csk(func(e *Envelope) { e.At = e.At.Add(-3 * time.Duration(e.To.Domain.Period) * time.Second) })
		c.refused(k, Style{Protection: both}, 403, "Forbidden", text136, c.token(), c.client())
	}},
	{Name: "fail-mdsi-twice", Clause: "TS 24.379 7.2.1", Shows: "two I_MESSAGEs for the same MDSI in one request", run: func(c *Scene) {
		st := Style{Protection: both}
		first, k := c.csk(func(e *Envelope) {}), c.csk(func(e *Envelope) {})
		parts := append([]Part{{Type: TypeMikey, Body: string(first.IMessage), Encoding: "binary"}}, c.protect(k, st, c.info(k, st, c.token(), c.client()))...)
		d := c.dialog()
		c.send(d, "REGISTER", coreURI, c.registration(c.S), parts)
		c.answer(d, 200, "OK", c.registered(c.S))
	}},
	answered("answer-403-101", "TS 24.379 7.3.3", "403 with 101: the token was not accepted", 403, "Forbidden", text101),
	answered("answer-403-136", "TS 24.379 7.3.1A", "403 with 136: the I_MESSAGE was not accepted", 403, "Forbidden", text136),
	answered("answer-403-139", "TS 24.379 7.3.1A", "403 with 139: a signature was not accepted", 403, "Forbidden", text139),
	answered("answer-403-140", "TS 24.379 7.3.1A", "403 with 140: an element could not be decrypted", 403, "Forbidden", text140),
	{Name: "answer-404-141", Clause: "TS 24.379 7.3.4", Shows: "a settings-only PUBLISH without authorisation, answered 404 with 141", run: func(c *Scene) {
		d := c.dialog()
		c.send(d, "PUBLISH", c.S.PSI, c.publication(forever, ""), []Part{c.info(CSK{}, Style{}, c.self(), c.client()), c.settings()})
		c.answer(d, 404, "Not Found", c.warning(text141))
	}},
	answered("answer-486-164", "TS 24.379 7.3.3", "486 with 164: too many authorisations at once", 486, "Busy Here", text164),
	answered("answer-none", "TS 24.379 7.2.2", "a PUBLISH that nobody answers", 0, "", ""),
}
