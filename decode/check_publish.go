package decode

import (
	"bytes"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// PUBLISH: TS 24.379 7.2.1A, 7.2.2, 7.2.3 and 7.3.3 to 7.3.5, RFC 3903 and RFC 4354, and the same clauses of TS 24.281 and
// TS 24.282.

// forever is the Expires of TS 24.379 7.2.1A step 4.
const forever = 1<<32 - 1

// isSettings tells whether a PUBLISH is about MC service settings, or means to be. A PUBLISH of another package may carry
// an info body by right: that of affiliations has the Event presence (TS 24.379 9.2.1.2).
func (c *checkRun) isSettings(event string) bool {
	if strings.EqualFold(event, "poc-settings") || len(c.pocs) > 0 || c.anyToken() {
		return true
	}
	if event != "" && !strings.EqualFold(event, "presence") {
		return len(c.infos) > 0
	}
	return event == "" && len(c.infos) > 0
}

func (c *checkRun) publishes() {
	sip := &c.m.sip
	event := ""
	ev, hasEvent := sip.Event()
	if hasEvent {
		event = ev.Text()
	}
	if !c.isSettings(event) {
		return
	}
	if !strings.EqualFold(event, "poc-settings") && (len(c.infos) > 0 || len(c.pocs) > 0) {
		words := "it is missing"
		if hasEvent {
			words = "it is " + quoted([]byte(event))
		}
		c.fire("PUB-01", c.first(), nil, fSIPEvent, c.head(sipparse.HdrEvent), "Event must be poc-settings: %s", words)
	}
	c.publication()
	c.serviceHeaders()
	c.receivers()
	removal := c.expires == 0
	for i := range c.infos {
		if !removal {
			c.publishInfo(&c.infos[i])
		}
	}
	c.missingKey("PUB-15")
	for i := range c.pocs {
		c.publishSettings(&c.pocs[i])
	}
	if len(c.infos) > 0 && !c.anyToken() && len(c.mikeys) > 0 && c.settingsOnly() {
		c.fire("PUB-30", c.first(), c.mikeys[0].p, mikeyBody.csbID, c.at(c.mikeys[0].node), "CSK %q refreshed outside authorisation: an I_MESSAGE in a settings-only PUBLISH", c.mikeys[0].csb)
	}
}

// first is the service of the first info body, nil without one.
func (c *checkRun) first() *infoService {
	if len(c.infos) == 0 {
		return nil
	}
	return c.infos[0].s
}

func (c *checkRun) settingsOnly() bool {
	for i := range c.infos {
		if c.infos[i].uri >= 0 {
			return true
		}
	}
	return false
}

// publication checks Expires, SIP-If-Match and Request-URI (PUB-02 to PUB-05, PUB-09).
func (c *checkRun) publication() {
	sip := &c.m.sip
	s := c.first()
	at := c.head(sipparse.HdrExpires)
	switch {
	case !sip.Has(sipparse.HdrExpires):
		c.fire("PUB-03", s, nil, fSIPExpires, at, "Expires is missing")
	case c.expires == 0:
		if !sip.Has(sipparse.HdrSIPIfMatch) {
			c.fire("PUB-04", s, nil, fSIPIfMatch, at, "removal (Expires 0) without SIP-If-Match")
		}
		if sip.Body.Len > 0 {
			c.fire("PUB-05", s, nil, fBodies, c.m.place(sip.Body), "removal (Expires 0) must not carry a body; this one has %d octets", sip.Body.Len)
		}
	case c.expires != forever:
		c.fire("PUB-02", s, nil, fSIPExpires, at, "Expires should be 4294967295; it is %q", clip(sip.Value(sipparse.HdrExpires), 40))
	}
	uri := sip.URI()
	for _, id := range [...]sipparse.HeaderID{sipparse.HdrFrom, sipparse.HdrTo} {
		if na, ok := sip.Address(id); ok && uri.HasUser && sameAddress(&uri, &na.URI) {
			c.fire("PUB-09", s, nil, fSIPRequestURI, c.m.place(sip.RequestURI), "Request-URI %q is the user's own address of record; it should be the PSI of the participating function", clip(sip.Bytes(sip.RequestURI), 120))
			return
		}
	}
}

// serviceHeaders checks P-Preferred-Service, P-Asserted-Service and Accept-Contact (PUB-06 to PUB-08).
func (c *checkRun) serviceHeaders() {
	sip := &c.m.sip
	want := uint8(0) // services of the bodies; none: any of them
	for i := range c.infos {
		want |= bit(c.infos[i].s)
	}
	s := c.first()
	seen := false
	for _, h := range []struct {
		id sipparse.HeaderID
		f  *record.Field
	}{{sipparse.HdrPPreferredService, fSIPPPS}, {sipparse.HdrPAssertedService, fSIPPAS}} {
		for span := range sip.Elements(h.id) {
			seen = true
			b := bytes.Trim(sip.Bytes(span), "<>")
			k := c.memo.icsis.of(b, func(b []byte) int { return icsiService(string(b)) })
			if k >= 0 && (want == 0 || want>>k&1 != 0) {
				continue
			}
			v := string(b)
			why := "is not the service identifier of the service"
			if icsiService(sipparse.Unescape([]byte(v))) >= 0 && k < 0 {
				why = "must not be percent-encoded here"
			} else if s != nil {
				why = "is not the service identifier of " + s.title
			}
			c.fire("PUB-07", s, nil, h.f, c.m.place(span), "wrong ICSI coding or value in %s: %q %s", h.id.String(), clip([]byte(v), 120), why)
		}
	}
	if !seen {
		c.fire("PUB-06", s, nil, fSIPPPS, c.m.place(sip.StartLine), "neither P-Preferred-Service nor P-Asserted-Service has the service identifier")
	}
	got := uint8(0)
	for span := range sip.Elements(sipparse.HdrAcceptContact) {
		got |= uint8(c.memo.accepts.of(sip.Bytes(span), required))
	}
	switch {
	case want == 0 && got == 0:
		c.fire("PUB-08", nil, nil, fSIPAcceptContact, c.head(sipparse.HdrAcceptContact), "Accept-Contact lacks an MC feature tag with require and explicit")
	case want&^got != 0:
		for k, svc := range infoServices {
			if want&^got>>k&1 != 0 {
				c.fire("PUB-08", svc, nil, fSIPAcceptContact, c.head(sipparse.HdrAcceptContact), "Accept-Contact lacks %s with require and explicit", tagNames[k])
			}
		}
	}
}

// required is the set of services that an Accept-Contact value names with require and explicit.
func required(b []byte) int {
	fs, _ := sipparse.ParseFeatures(b)
	tags, require, explicit := 0, false, false
	for p := range fs.ParamSeq() {
		name := p.Name.In(fs.Raw)
		if k := tagService(name); k >= 0 {
			tags |= 1 << k
		}
		require = require || bytes.EqualFold(name, []byte("require"))
		explicit = explicit || bytes.EqualFold(name, []byte("explicit"))
	}
	if require && explicit {
		return tags
	}
	return 0
}

// publishInfo checks an info body (PUB-10 to PUB-14, PUB-16).
func (c *checkRun) publishInfo(in *checkInfo) {
	s := in.s
	at := c.at(in.node)
	tokenF := s.byName[s.name+"-access-token"].f.f
	if in.whole {
		if in.token >= 0 && len(c.pocs) == 0 && !c.settingsPart() {
			c.fire("PUB-10", s, in.p, tokenF, c.at(in.token), "authorisation PUBLISH needs a poc-settings body")
		}
		if in.token < 0 && in.uri < 0 {
			c.fire("PUB-11", s, in.p, s.self, at, "%s-info with neither %s-access-token nor %s-request-uri can be neither authorisation nor settings-only", s.name, s.name, s.name)
		}
		if in.client < 0 {
			c.fire("PUB-12", s, in.p, s.clientID.f.f, at, "%s-client-id missing", s.name)
		}
	}
	if in.token >= 0 && in.uri >= 0 {
		c.fire("PUB-13", s, in.p, s.byName[s.name+"-request-uri"].f.f, c.at(in.uri), "mixed authorisation and settings-only request: access token and %s-request-uri are both present", s.name)
	}
	if in.whole && in.token >= 0 && in.client >= 0 && c.encrypted(in.token) != c.encrypted(in.client) {
		c.fire("PUB-14", s, in.p, tokenF, c.at(in.token), "inconsistent protection state: access token %s, client ID %s", c.stateOf(in.token), c.stateOf(in.client))
	}
	if c.integrityOn(s) && c.whole && !c.covered(in.p) {
		c.fire("PUB-16", s, in.p, s.self, at, "%s-info is not covered by a signature", s.name)
	}
}

// settingsPart tells whether a body says that it is poc-settings, though nothing could be read of it.
func (c *checkRun) settingsPart() bool {
	for i := range c.m.parts {
		if c.m.parts[i].Type == "application/poc-settings+xml" {
			return true
		}
	}
	return false
}

// publishSettings checks a poc-settings body (PUB-17, PUB-18, PUB-21, PUB-23, PUB-24, PUB-27, PUB-28).
func (c *checkRun) publishSettings(v *checkPoC) {
	s := c.first()
	at := c.at(v.node)
	if c.integrityOn(s) && c.whole && !c.covered(v.p) {
		c.fire("PUB-17", s, v.p, pocSelf, at, "poc-settings is not covered by a signature")
	}
	if len(v.entities) > 1 {
		c.fire("PUB-28", nil, v.p, pocEntity, c.at(v.entities[1]), "one client publishes one entity; there are %d", len(v.entities))
	}
	places := v.entities
	if len(places) == 0 {
		places = []int{v.node}
	}
	for _, e := range places {
		c.entity(v, e, s)
	}
}

func (c *checkRun) entity(v *checkPoC, e int, s *infoService) {
	at := c.at(e)
	foreignProfile, foreignMultiplex := c.foreign(e, "selected-user-profile-index"), c.foreign(e, "multiplex-support")
	for _, k := range []int{foreignProfile, foreignMultiplex} {
		if k >= 0 {
			c.fire("PUB-24", s, v.p, pocEUnknown.self, c.at(k), "extension namespace wrong: %q is not in %s", c.str(c.child(k, pocEUnknown.name)), nsSettings)
		}
	}
	if foreignProfile < 0 && foreignMultiplex < 0 && hasOldSettings(v.p.Data) {
		c.fireAs("PUB-24", record.Note, s, v.p, pocEntity, at, "extension namespace is %q instead of %s; read all the same", "urn:3gpp:ns:mcsSettings:1.0", nsSettings)
	}
	for _, o := range []struct {
		f    *record.Field
		name string
	}{{pocISB, "isb-settings"}, {pocIPAB, "ipab-settings"}, {pocSSS, "sss-settings"}} {
		if k := c.child(e, o.f); k >= 0 {
			c.fire("PUB-27", s, v.p, o.f, c.at(k), "OMA PoC setting %s is not used by MC services", o.name)
		}
	}
	if !v.whole {
		return
	}
	// MCData publishes the selected profile only.
	if s != mcdataInfo {
		if c.child(e, pocAnswer) < 0 {
			c.fire("PUB-18", s, v.p, pocAnswer, at, "answer mode missing: terminating calls will get 480 with 146")
		}
		if c.child(e, pocMultiple) < 0 && foreignMultiplex < 0 && !c.found(v.p, "XML-11") {
			c.fire("PUB-23", s, v.p, pocMultiple, at, "multiplex-support missing")
		}
	}
	if c.child(e, pocProfile) < 0 && foreignProfile < 0 && !c.found(v.p, "PUB-22") {
		c.fire("PUB-21", s, v.p, pocProfile, at, "selected-user-profile-index missing in poc-settings")
	}
}

// hasOldSettings looks for urn:3gpp:ns:mcsSettings:1.0, by the part of it that is rare in XML.
func hasOldSettings(b []byte) bool {
	const head, tail = "urn:3gpp:ns:mcs", "Settings:1.0"
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte(tail))
		if i < 0 {
			return false
		}
		if at += i; at >= len(head) && string(b[at-len(head):at]) == head {
			return true
		}
	}
}

// foreign finds an element that the dissector could not place by its name, -1 when there is none.
func (c *checkRun) foreign(e int, name string) int {
	for k := range c.r.Children(e) {
		if c.r.Nodes[k].Field == pocEUnknown.self && c.str(c.child(k, pocEUnknown.name)) == name {
			return k
		}
	}
	return -1
}
