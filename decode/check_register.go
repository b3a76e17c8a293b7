package decode

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/mikeyparse"
	"github.com/mcxdump/mcxdump/sipparse"
)

// REGISTER: TS 24.379 7.2.1, 7A.2.1 and 7.3.2, and the same clauses of TS 24.281 and TS 24.282.

// checkContact is what a Contact says of services. Sets have a bit for each of infoServices.
type checkContact struct {
	at         record.Place
	host       string
	port       int
	user       bool
	tags, icsi uint8
	uncoded    string       // an icsi-ref that is not coded as TS 24.229 wants it
	icsiAt     record.Place // of the icsi-ref
}

// tagService tells whose media feature tag a parameter is: TS 24.379 D, TS 24.281 D.2, TS 24.282 C.
func tagService(name []byte) int {
	n := strings.ToLower(string(clip(name, 32)))
	switch {
	case n == "+g.3gpp.mcptt":
		return 0
	case n == "+g.3gpp.mcvideo":
		return 1
	case n == "+g.3gpp.mcdata" || strings.HasPrefix(n, "+g.3gpp.mcdata."):
		return 2
	}
	return -1
}

// icsiPrefix begins the service identifiers of all IMS communication services, TS 24.229 7.2A.8.2.
const icsiPrefix = "urn:urn-7:3gpp-service.ims.icsi."

// icsiService tells whose service identifier a URN is, -1 for another service's.
func icsiService(urn string) int {
	id, ok := strings.CutPrefix(strings.ToLower(urn), icsiPrefix)
	if !ok {
		return -1
	}
	switch {
	case id == "mcptt":
		return 0
	case id == "mcvideo":
		return 1
	case id == "mcdata" || strings.HasPrefix(id, "mcdata."):
		return 2
	}
	return -1
}

var tagNames = [...]string{"g.3gpp.mcptt", "g.3gpp.mcvideo", "g.3gpp.mcdata.sds, .fd or .ipconn"}

func serviceIndex(s *infoService) int {
	for i, o := range infoServices {
		if o == s {
			return i
		}
	}
	return 0
}

func bit(s *infoService) uint8 { return 1 << serviceIndex(s) }

func (c *checkRun) readContacts() {
	sip := &c.m.sip
	for span := range sip.Elements(sipparse.HdrContact) {
		v := sip.Bytes(span)
		na, _ := sipparse.ParseNameAddr(v)
		k := checkContact{at: c.m.place(span), port: na.URI.PortNum, user: na.URI.HasUser}
		k.host = strings.ToLower(string(na.URI.Host.In(na.URI.Raw)))
		for p := range na.ParamSeq() {
			name := p.Name.In(na.Raw)
			if s := tagService(name); s >= 0 {
				k.tags |= 1 << s
			}
			if !bytes.EqualFold(name, []byte(sipparse.ICSI)) {
				continue
			}
			raw := p.Value.In(na.Raw)
			val := string(raw)
			if p.Quoted {
				val = sipparse.Unquote(raw)
			}
			k.icsiAt = c.m.place(sipparse.Span{Off: span.Off + p.Value.Off, Len: p.Value.Len})
			for one := range strings.SplitSeq(val, ",") {
				one = strings.Trim(strings.TrimSpace(one), "<>")
				urn := sipparse.Unescape([]byte(one))
				if s := icsiService(urn); s >= 0 {
					k.icsi |= 1 << s
				}
				if strings.HasPrefix(strings.ToLower(urn), icsiPrefix) && k.uncoded == "" && (!p.Quoted || strings.Contains(one, ":")) {
					k.uncoded = string(clip(raw, 120))
				}
			}
		}
		c.contacts = append(c.contacts, k)
	}
}

// isThirdParty tells the S-CSCF's REGISTER towards a server from a user's own (TS 24.229 5.4.1.7).
func (c *checkRun) isThirdParty() bool {
	if c.m.depth > 0 {
		return false
	}
	if len(c.embedded) > 0 {
		return true
	}
	tags := uint8(0)
	for i := range c.contacts {
		tags |= c.contacts[i].tags | c.contacts[i].icsi
	}
	if tags != 0 {
		return false
	}
	from, ok1 := c.m.sip.From()
	to, ok2 := c.m.sip.To()
	if ok1 && ok2 && !sameAddress(&from.URI, &to.URI) {
		return true
	}
	// A Contact that is a network element: no user, and a name instead of an address. A request with MC bodies is a
	// client's all the same.
	if len(c.infos) > 0 || len(c.mikeys) > 0 || len(c.contacts) == 0 || c.contacts[0].user || c.contacts[0].host == "" {
		return false
	}
	_, err := netip.ParseAddr(strings.Trim(c.contacts[0].host, "[]"))
	return err != nil
}

// sameAddress compares user and host of two SIP URIs, or two others as they are.
func sameAddress(a, b *sipparse.URI) bool {
	if a.HasUser != b.HasUser || !a.HasUser && a.Host.Len == 0 {
		return bytes.EqualFold(a.Raw, b.Raw)
	}
	return bytes.Equal(a.User.In(a.Raw), b.User.In(b.Raw)) && bytes.EqualFold(a.Host.In(a.Raw), b.Host.In(b.Raw))
}

func (c *checkRun) registers() {
	c.readContacts()
	if c.thirdParty = c.isThirdParty(); c.thirdParty {
		c.thirdParties()
		return
	}
	c.feature()
	c.sameAddresses()
	c.receivers()
	for i := range c.pocs {
		c.fire("REG-19", nil, c.pocs[i].p, pocSelf, c.at(c.pocs[i].node), "poc-settings belongs to PUBLISH, not to REGISTER")
	}
	anything := false
	for i := range c.infos {
		in := &c.infos[i]
		anything = anything || c.anyEncrypted(in)
		c.registerInfo(in)
	}
	if len(c.mikeys) > 0 && !anything && len(c.sigs) == 0 && len(c.signed) == 0 && c.whole {
		c.fire("REG-08", nil, c.mikeys[0].p, mikeyBody.csbID, c.at(c.mikeys[0].node), "CSK %q uploaded but neither protection is in use", c.mikeys[0].csb)
	}
	c.missingKey("REG-07")
}

// feature checks the media feature tags (REG-01 to REG-04, MIG-09).
func (c *checkRun) feature() {
	tags := uint8(0)
	for i := range c.contacts {
		k := &c.contacts[i]
		tags |= k.tags
		for s, svc := range infoServices {
			switch has, ref := k.tags>>s&1 != 0, k.icsi>>s&1 != 0; {
			case has && !ref:
				id := "REG-02"
				if c.migrates(svc) {
					id = "MIG-09"
				}
				c.fire(id, svc, nil, fSIPContactParams, k.at, "icsi-ref for %s missing in Contact, which has the tag %s", svc.title, tagNames[s])
			case ref && !has:
				c.fire("REG-03", svc, nil, fSIPContactParams, k.icsiAt, "%s icsi-ref without %s in Contact", svc.title, tagNames[s])
			}
		}
		if k.uncoded != "" {
			c.fire("REG-04", nil, nil, fSIPContactParams, k.icsiAt, "icsi-ref value %q is not percent-encoded and quoted as TS 24.229 requires", k.uncoded)
		}
	}
	for i := range c.infos {
		in := &c.infos[i]
		if in.token < 0 || tags&bit(in.s) != 0 {
			continue
		}
		id, what := "REG-01", "service authorisation"
		if c.migrates(in.s) {
			id, what = "MIG-09", "migration service authorisation"
		}
		c.fire(id, in.s, nil, fSIPContact, c.head(sipparse.HdrContact), "%s without %s in Contact", what, tagNames[serviceIndex(in.s)])
	}
}

// migration tells a REGISTER of 7A.2.1 from one of 7.2.1.
func (in *checkInfo) migration() bool { return in.profile >= 0 || in.uri >= 0 && in.token >= 0 }

func (c *checkRun) migrates(s *infoService) bool {
	for i := range c.infos {
		if c.infos[i].s == s && c.infos[i].migration() {
			return true
		}
	}
	return false
}

// sameAddresses is REG-15.
func (c *checkRun) sameAddresses() {
	first := -1
	for i := range c.contacts {
		k := &c.contacts[i]
		if k.tags == 0 && k.icsi == 0 {
			continue
		}
		if first < 0 {
			first = i
			continue
		}
		if o := &c.contacts[first]; k.host != o.host || portOf(k.port) != portOf(o.port) {
			c.fire("REG-15", nil, nil, fSIPContactURI, k.at, "MC contacts must share IP address and port: %q port %d, but the one before has %q port %d", clip([]byte(k.host), 80), portOf(k.port), clip([]byte(o.host), 80), portOf(o.port))
		}
	}
}

func portOf(p int) int {
	if p < 0 {
		return 5060
	}
	return p
}

// receivers is REG-13 and REG-14: whom the I_MESSAGEs are for.
func (c *checkRun) receivers() {
	for i := range c.mikeys {
		k := &c.mikeys[i]
		r := c.child(k.node, mikeyBody.responder)
		to := c.str(r)
		if to == "" {
			continue
		}
		for j := range c.mikeys[:min(i, maxCompared)] {
			o := &c.mikeys[j]
			if c.str(c.child(o.node, mikeyBody.responder)) == to && c.sessionsOverlap(o.node, k.node) {
				c.fire("REG-13", nil, k.p, mikeyBody.responder, c.at(r), "MIKEY bodies in one request must address different MDSIs: bodies %s and %s are both for %q", o.p.Path, k.p.Path, to)
				break
			}
		}
		if len(c.cfg.MDSI) == 0 || mikeyparse.DataType(c.num(c.child(k.node, mikeyBody.dataType))) != mikeyparse.DataSAKKE {
			continue
		}
		if c.child(k.node, mikeyBody.hidden) >= 0 {
			// Only the ring can tell who is behind a hashed identity.
			key := c.child(k.node, mikeyBody.key)
			if key < 0 {
				continue
			}
			if r = c.child(key, mikeyBody.keyServer); r < 0 {
				continue
			}
			to = c.str(r)
		}
		if !c.isMDSI(to) {
			c.fire("REG-14", nil, k.p, mikeyBody.responder, c.at(c.child(k.node, mikeyBody.responder)), "receiver %q of the I_MESSAGE is not the security identifier of the server's domain, %q (older releases: the PSI)", to, strings.Join(c.cfg.MDSI, ", "))
		}
	}
}

// maxCompared bounds the I_MESSAGEs of one request with which each is compared; nobody has more than one for each service.
const maxCompared = 16

func (c *checkRun) isMDSI(s string) bool {
	for _, m := range c.cfg.MDSI {
		if strings.EqualFold(m, s) || strings.EqualFold("sip:"+m, s) {
			return true
		}
	}
	return false
}

// num is the number of a node, 0 for -1.
func (c *checkRun) num(i int) int64 {
	if i < 0 {
		return 0
	}
	return c.r.Nodes[i].Num
}

// sessionsOverlap tells whether two I_MESSAGEs can be for the same service: the CS ID names it (TS 33.180 E.1.3).
func (c *checkRun) sessionsOverlap(a, b int) bool {
	var set [256]bool
	var n [2]int
	same := false
	for side, node := range []int{a, b} {
		for i := range c.r.Children(node) {
			if c.r.Nodes[i].Field != mikeyBody.cs {
				continue
			}
			id := uint8(c.num(c.child(i, mikeyBody.csID)))
			n[side]++
			if side == 0 {
				set[id] = true
			} else {
				same = same || set[id]
			}
		}
	}
	return same || n[0] == 0 || n[1] == 0
}

// anyEncrypted tells whether something in an info body is encrypted.
func (c *checkRun) anyEncrypted(in *checkInfo) bool {
	n := &c.r.Nodes[in.node]
	for i := in.node + 1; i < int(n.End); i++ {
		if c.encrypted(i) {
			return true
		}
	}
	return false
}

func (c *checkRun) registerInfo(in *checkInfo) {
	s := in.s
	at := c.at(in.node)
	tokenF := s.byName[s.name+"-access-token"].f.f
	mig := in.migration()
	if in.whole && !mig {
		switch {
		case in.token < 0:
			c.fire("REG-05", s, in.p, tokenF, at, "%s-info in REGISTER carries no access token", s.name)
		case in.client < 0:
			c.fire("REG-06", s, in.p, s.clientID.f.f, at, "%s-client-id missing beside the access token", s.name)
		case c.encrypted(in.token) != c.encrypted(in.client):
			c.fire("REG-09", s, in.p, tokenF, c.at(in.token), "access token (%s) and client ID (%s) must share one protection state", c.stateOf(in.token), c.stateOf(in.client))
		}
	}
	if mig {
		c.migration(in)
	}
	if in.token >= 0 {
		enc := c.encrypted(in.token)
		set := c.said.confidentiality(c.cfg.Confidentiality, s.name)
		switch {
		case !enc && set == On:
			c.fire("REG-10", s, in.p, tokenF, c.at(in.token), "access token in clear although confidentiality protection is enabled")
		case !enc && set == Auto && !mig && in.whole && in.client >= 0 && c.encrypted(in.client):
			c.fire("REG-10", s, in.p, tokenF, c.at(in.token), "access token in clear although confidentiality protection is enabled, as the encrypted client ID shows")
		case enc && set == Off:
			c.fire("REG-12", s, in.p, tokenF, c.at(in.token), "access token encrypted although confidentiality protection is disabled")
		}
		if !enc && c.bare() {
			c.fire("REG-18", nil, in.p, tokenF, c.at(in.token), "bearer token visible in the clear: %s without IPsec or TLS", strings.ToUpper(c.r.Transport))
		}
	}
	if c.integrityOn(s) && in.whole && c.whole && !c.covered(in.p) {
		id := "REG-11"
		if mig {
			id = "MIG-10"
		}
		c.fire(id, s, in.p, s.self, at, "%s-info is not integrity protected: no signature refers to it", s.name)
	}
}

func (c *checkRun) stateOf(i int) string {
	if c.encrypted(i) {
		return "encrypted"
	}
	return "in clear"
}

// bare tells whether the user's own hop is not protected. Behind the first proxy the network's own protection applies
// (TS 33.210), which a capture does not show.
func (c *checkRun) bare() bool {
	if c.m.depth > 0 || c.cfg.Role != "" && c.cfg.Role != "auto" && c.cfg.Role != "ue" {
		return false
	}
	switch c.r.Transport {
	case "udp", "tcp", "sctp", "ws":
	default:
		return false
	}
	for _, e := range c.r.Encap {
		if e == "esp" {
			return false
		}
	}
	vias := 0
	for range c.m.sip.Elements(sipparse.HdrVia) {
		vias++
	}
	return vias == 1
}

// migration checks the bodies of TS 24.379 7A.2.1.
func (c *checkRun) migration(in *checkInfo) {
	s := in.s
	at := c.at(in.node)
	profile := s.byName["selected-user-profile-index"].f.f
	if in.whole {
		switch {
		case in.profile >= 0 && in.token < 0:
			c.fire("MIG-03", s, in.p, s.byName[s.name+"-access-token"].f.f, at, "access token of the partner IdM missing in a migration REGISTER")
		case in.profile < 0 && !c.lostProfile(in):
			c.fire("MIG-01", s, in.p, profile, at, "profile index missing in a migration REGISTER, which has %s-request-uri and an access token", s.name)
		case in.uri < 0:
			c.fire("MIG-02", s, in.p, s.byName[s.name+"-request-uri"].f.f, at, "%s-request-uri missing: the migration REGISTER does not name the primary %s ID", s.name, s.title)
		}
	}
	var states []string
	n, enc := 0, 0
	for _, e := range []struct {
		name string
		node int
	}{{"access token", in.token}, {"request URI", in.uri}, {"profile index", in.profile}} {
		if e.node < 0 {
			continue
		}
		if n++; c.encrypted(e.node) {
			enc++
		}
		states = append(states, e.name+" "+c.stateOf(e.node))
	}
	if in.whole && enc > 0 && enc < n {
		c.fire("MIG-04", s, in.p, s.self, at, "inconsistent protection in a migration REGISTER: %s", strings.Join(states, ", "))
	}
	if in.client >= 0 {
		c.fire("MIG-07", s, in.p, s.clientID.f.f, c.at(in.client), "%s-client-id is not listed for migration", s.name)
	}
	if c.encrypted(in.profile) {
		c.fire("MIG-08", s, in.p, profile, c.at(in.profile), "the profile index is encrypted, as 7A.2.1 asks; the schema cannot express that form")
	}
	if id := c.claim(in, s.idClaim); id != "" && in.uri >= 0 && c.str(in.uri) == id {
		c.fire("MIG-06", s, in.p, s.byName[s.name+"-request-uri"].f.f, c.at(in.uri), "partner and primary %s ID are identical: %q", s.title, id)
	}
}

// lostProfile tells whether the profile index is there, but in a name space that nobody knows.
func (c *checkRun) lostProfile(in *checkInfo) bool {
	n := &c.r.Nodes[in.node]
	for i := in.node + 1; i < int(n.End); i++ {
		if f := c.r.Nodes[i].Field; (f == in.s.unknown.name || f == in.s.unknown.children.name) && c.r.Nodes[i].Str == "selected-user-profile-index" {
			return true
		}
	}
	return false
}

// claim is the text of a claim of the access token, "" when it has none or cannot be read.
func (c *checkRun) claim(in *checkInfo, name string) string {
	if in.token < 0 {
		return ""
	}
	k := c.child(in.token, in.s.token.claims)
	if k < 0 {
		return ""
	}
	for i := range c.r.Children(k) {
		if c.r.Nodes[i].Key == name {
			return jsonText(c.r.Nodes[i].Str)
		}
	}
	return ""
}

// missingKey is REG-07 and PUB-15 as far as one message tells: protection, no I_MESSAGE, and nothing that a known key
// has opened or verified. Whether a key was delivered earlier only the ordered stage knows, so with a tracker the finding
// is the tracker's (package session), which makes it an error where the user was seen before, and drops it where the key
// was. Without one it is a warning: the capture may have begun after the delivery.
func (c *checkRun) missingKey(id string) {
	if c.track || len(c.mikeys) > 0 || !c.whole {
		return
	}
	var at record.Place
	var p *Part
	var f *record.Field
	var s *infoService
	key, any := "", false
	for i := range c.infos {
		in := &c.infos[i]
		if id == "PUB-15" && in.token < 0 {
			continue
		}
		for k := in.node; k < int(c.r.Nodes[in.node].End); k++ {
			pr := c.r.Protection(&c.r.Nodes[k])
			if pr == nil || !pr.Encrypted {
				continue
			}
			if pr.State == record.Opened {
				return
			}
			if !any {
				any, key, at, p, f, s = true, pr.KeyID, c.at(k), in.p, c.r.Nodes[k].Field, in.s
			}
		}
	}
	for i := range c.sigs {
		g := &c.sigs[i]
		if g.state == "valid" {
			return
		}
		if !any && (id != "PUB-15" || c.anyToken()) {
			any, key, at, f = true, g.key, c.at(g.node), sigList
		}
	}
	if !any {
		return
	}
	name := "which names no key"
	if key != "" {
		name = "key " + key
	}
	words := "protected content but no CSK delivered and none known"
	if id == "PUB-15" {
		words = "CSK missing: protection is used with a token, but no CSK is delivered and none is known"
	}
	c.fireAs(id, record.Warning, s, p, f, at, "%s: %s; the capture may have begun after its delivery", words, name)
}

func (c *checkRun) anyToken() bool {
	for i := range c.infos {
		if c.infos[i].token >= 0 {
			return true
		}
	}
	return false
}

// thirdParties checks the S-CSCF's REGISTER: TS 24.379 7.3.1 and 7.3.2.
func (c *checkRun) thirdParties() {
	sip := &c.m.sip
	outer := func(p *Part, f *record.Field, at record.Place, what string) {
		c.fire("TPR-04", nil, p, f, at, "MC bodies are expected inside message/sip: the third-party REGISTER itself carries %s", what)
	}
	found := false
	for i := range c.infos {
		found = true
		outer(c.infos[i].p, c.infos[i].s.self, c.at(c.infos[i].node), c.infos[i].s.name+"-info")
	}
	for i := range c.pocs {
		found = true
		outer(c.pocs[i].p, pocSelf, c.at(c.pocs[i].node), "poc-settings")
	}
	for i := range c.mikeys {
		found = true
		outer(c.mikeys[i].p, mikeyBody.self, c.at(c.mikeys[i].node), "an I_MESSAGE")
	}
	for _, p := range c.signed {
		found = true
		outer(p, sigList, p.Place(0, len(p.Data)), "signatures")
	}
	if len(c.embedded) == 0 {
		uri := strings.ToLower(string(sip.Bytes(sip.RequestURI)))
		towards := found || c.cfg.Role == "server" || strings.Contains(uri, "mcptt") || strings.Contains(uri, "mcvideo") || strings.Contains(uri, "mcdata") || strings.Contains(uri, "mcx")
		if towards && c.expires != 0 && c.whole {
			c.fire("TPR-01", nil, nil, fSIPContentType, c.head(sipparse.HdrContentType), "third-party REGISTER to %q without message/sip: the server cannot obtain service authorisation data", clip(sip.Bytes(sip.RequestURI), 120))
		}
		return
	}
	// The dissector has said where octets are no SIP message at all.
	p := c.embedded[0]
	if p.Type == "message/sip" && !c.found(p, "TPR-02") {
		var in sipparse.Message
		if in.Parse(p.Data, sipparse.Options{Datagram: true}) == nil && (!in.Request || string(in.Bytes(in.Method)) != "REGISTER") {
			what := "a response"
			if in.Request {
				what = "a request with the method " + quoted(in.Bytes(in.Method))
			}
			c.fire("TPR-02", nil, p, fSIPMethod, p.Place(int(in.StartLine.Off), int(in.StartLine.Len)), "embedded request is not a REGISTER: the first message/sip body is %s", what)
		}
	}
}
