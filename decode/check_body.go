package decode

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// MIME, protection and tokens: what is checked in every message that carries the bodies.

// mime gives the defects of the MIME structure their names in the register (MIME-01, MIME-03). The parser has found them.
func (c *checkRun) mime() {
	for i := c.from; i < len(c.r.Findings); i++ {
		f := &c.r.Findings[i]
		id := ""
		switch f.ID {
		case "sip-" + sipparse.DiagBoundaryMissing.String(), "sip-" + sipparse.DiagBoundaryBad.String(), "sip-" + sipparse.DiagBoundaryGuessed.String(),
			"sip-" + sipparse.DiagBoundaryNeverSeen.String(), "sip-" + sipparse.DiagBoundaryNotClosed.String():
			id = "MIME-01"
			if !c.whole {
				continue // the capture cut it off
			}
		case "sip-" + sipparse.DiagDuplicateContentID.String():
			id = "MIME-03"
		default:
			continue
		}
		k := &checkTable[checkIndex[id]]
		f.ID, f.Severity, f.Clause = id, k.Severity, k.Clause
		f.Message = k.Title + ": " + f.Message
	}
}

// bodies checks what does not depend on the kind of request.
func (c *checkRun) bodies() {
	c.positions()
	c.references()
	c.keyNames()
	c.stale()
	for i := range c.infos {
		c.newer(&c.infos[i])
		c.token(&c.infos[i])
	}
}

// positions is MIG-11. An element outside anyExt was reported by the dissector as XML-10; in a REGISTER it has a name of
// its own.
func (c *checkRun) positions() {
	if !c.register {
		return
	}
	k := &checkTable[checkIndex["MIG-11"]]
	for i := range c.infos {
		in := &c.infos[i]
		profile := in.s.byName["selected-user-profile-index"].f.f
		for j := c.from; j < len(c.r.Findings); j++ {
			if f := &c.r.Findings[j]; f.ID == "XML-10" && f.Field == profile.Name && f.Body == in.p.Path {
				f.ID, f.Severity, f.Clause = k.ID, k.Severity, k.Clause
				f.Message = "unusual position: " + f.Message
			}
		}
		n := &c.r.Nodes[in.node]
		for j := in.node + 1; j < int(n.End); j++ {
			if f := c.r.Nodes[j].Field; (f == in.s.unknown.name || f == in.s.unknown.children.name) && c.r.Nodes[j].Str == "selected-user-profile-index" {
				c.fire("MIG-11", nil, in.p, profile, c.at(j), "unusual namespace: %q is in neither %s nor %s", c.r.Nodes[j].Str, in.s.space, nsSettings)
			}
		}
	}
}

// covered tells whether a signature refers to a body.
func (c *checkRun) covered(p *Part) bool {
	return slices.Contains(c.cover, p.Path) || c.covers[p.Path]
}

// integrityOn tells whether integrity protection is enabled for a service, as far as that is known: by configuration, or
// because the message has signatures for the service. Service nil stands for the only one there is.
func (c *checkRun) integrityOn(s *infoService) bool {
	name := ""
	if s != nil {
		name = s.name
	} else if len(c.infos) > 0 {
		name = c.infos[0].s.name
	}
	switch c.said.integrity(c.cfg.Integrity, name) {
	case On:
		return true
	case Off:
		return false
	}
	if len(c.signed) == 0 {
		return false
	}
	for _, p := range c.signed {
		if !c.readWhole(p) {
			return false
		}
	}
	several := slices.ContainsFunc(c.infos, func(in checkInfo) bool { return in.s != c.infos[0].s })
	if s == nil || !several {
		return true
	}
	for i := range c.infos {
		if c.infos[i].s == s && c.covered(c.infos[i].p) {
			return true
		}
	}
	return slices.ContainsFunc(c.signed, func(p *Part) bool { return s != mcpttInfo && strings.Contains(p.Type, s.name+"-signed") })
}

// references checks the signed bodies (MIME-02, SEC-14, SEC-16, SEC-18).
func (c *checkRun) references() {
	for i := range c.sigs {
		for _, k := range c.sigs[i].refs {
			uri := c.child(k, sigRefURI)
			digest := c.child(k, sigRefDigest)
			switch {
			case !c.whole: // what it covers may be cut
			case c.str(digest) == "mismatch":
				c.fire("SEC-14", nil, c.signed[0], sigRefDigest, c.at(k), "body changed after signing: the digest of %q does not fit", clip([]byte(c.str(uri)), 120))
			case c.child(k, sigRefBody) < 0 && (uri < 0 || c.str(uri) != "" && !strings.HasPrefix(c.str(uri), "#")):
				c.fire("SEC-16", nil, c.signed[0], sigRefURI, c.at(k), "dangling signature reference: no body has the Content-ID %q", clip([]byte(c.str(uri)), 120))
			}
		}
	}
	if len(c.signed) == 0 || !c.whole {
		return
	}
	some := slices.ContainsFunc(c.xmls, c.covered)
	for _, p := range c.xmls {
		if p.ContentID == "" && c.sameServiceSigned(p) {
			c.fire("MIME-02", nil, p, fBodyCID, p.Place(0, len(p.Data)), "a body of type %q beside a signed body has no Content-ID, so no signature can refer to it", p.Type)
		}
		if some && !c.covered(p) && c.sameServiceSigned(p) {
			c.fire("SEC-18", nil, p, fBodies, p.Place(0, len(p.Data)), "partially signed message: the XML body of type %q is not signed while others are", p.Type)
		}
	}
}

// sameServiceSigned leaves out the info body of a service that uses no signatures while another in the message does.
func (c *checkRun) sameServiceSigned(p *Part) bool {
	for i := range c.infos {
		if c.infos[i].p == p {
			return c.integrityOn(c.infos[i].s)
		}
	}
	return true
}

// keyNames is SEC-10: what is protected names a key that the same message delivers. A message may carry keys of other
// kinds, such as a PCK in an INVITE, beside what is protected with a CSK delivered earlier.
func (c *checkRun) keyNames() {
	uploads := slices.ContainsFunc(c.mikeys, func(k checkMikey) bool { return strings.HasPrefix(k.csb, "2") })
	if !uploads || !c.whole {
		return
	}
	delivered := func(id string) bool {
		return id == "" || slices.ContainsFunc(c.mikeys, func(k checkMikey) bool { return k.csb == id || k.csb == "" })
	}
	for i := range c.infos {
		in := &c.infos[i]
		for k := in.node; k < int(c.r.Nodes[in.node].End); k++ {
			if p := c.r.Protection(&c.r.Nodes[k]); p != nil && p.Encrypted && !delivered(p.KeyID) {
				c.fire("SEC-10", nil, in.p, c.r.Nodes[k].Field, c.at(k), "key id mismatch: the element names key %s, the message delivers %s", p.KeyID, c.keyList())
			}
		}
	}
	for i := range c.sigs {
		if g := &c.sigs[i]; !delivered(g.key) {
			c.fire("SEC-10", nil, c.signed[0], sigKeyID, c.at(g.node), "key id mismatch: the signature names key %s, the message delivers %s", g.key, c.keyList())
		}
	}
}

func (c *checkRun) keyList() string {
	var ids []string
	for i := range c.mikeys {
		ids = append(ids, c.mikeys[i].csb)
	}
	return strings.Join(ids[:min(len(ids), 8)], ", ")
}

// staleAfter is how far a time stamp may be from the capture time.
const staleAfter = 5 * time.Minute

// stale is SEC-05.
func (c *checkRun) stale() {
	for i := range c.mikeys {
		k := &c.mikeys[i]
		if t := c.child(k.node, mikeyBody.time); t >= 0 && c.Time != 0 {
			// Times beyond 292 years are held at the ends of what can be told.
			if d := time.Unix(0, c.Time).Sub(time.Unix(0, c.num(t))); d.Abs() > staleAfter {
				where := "before"
				if d < 0 {
					where = "after"
				}
				c.fire("SEC-05", nil, k.p, mikeyBody.time, c.at(t), "stale MIKEY timestamp: it lies %s %s the capture time", span(int64(d.Abs()/time.Second)), where)
				continue
			}
		}
		if key := c.child(k.node, mikeyBody.key); key >= 0 && c.str(c.child(key, mikeyBody.keyReason)) == record.ReasonWrongPeriod.String() {
			c.fire("SEC-05", nil, k.p, mikeyBody.time, c.at(c.child(k.node, mikeyBody.time)), "stale MIKEY timestamp: it lies outside the period of the receiver's key")
		}
	}
}

// newerThan17 are the elements of the info bodies that came after V17.15.0 of TS 24.379 F.1.
var newerThan17 = map[string]bool{"gw-mcptt-usage": true, "gw-mcvideo-usage": true, "req-type": true, "resp-type": true, "used-priority": true, "PrivateCallKMSURI": true,
	"ric-app-level-priority": true, "ric-commencement-mode": true, "remotely-initiated-call-request-ind": true, "end-to-end-security": true,
	"call-participants-criterias": true, "preconfigured-group-id": true, "adhoc-grp-emg-alert-grp-ind": true, "adhoc-emergency-ind": true, "adhoc-alert-ind": true,
	"adhoc-emergency-ind-rcvd": true, "adhoc-alert-ind-rcvd": true, "adhoc-additional-information": true, "adhoc-alert-participant-list": true,
	"adhoc-alert-participant-not-ack-list": true, "migration-auth-result": true, "partner-mcptt-id": true, "primary-mcptt-id": true,
	"selected-user-profile-index": true, "location-of-functional-alias-URI": true, "connected-functional-alias-URI": true}

// newer is XML-10 for elements that the release at hand does not have. Only the schema of TS 24.379 is known in two
// releases.
func (c *checkRun) newer(in *checkInfo) {
	if c.cfg.Release == 0 || c.cfg.Release > 17 || in.s != mcpttInfo {
		return
	}
	for i := range c.r.Children(in.node) {
		n := &c.r.Nodes[i]
		for _, e := range in.s.elements {
			if e.field() == n.Field && newerThan17[e.xml] {
				c.fire("XML-10", nil, in.p, n.Field, c.at(i), "element %s is not in the schema of release %d", e.xml, c.cfg.Release)
			}
		}
	}
}

// serviceScopes are the scopes that open a service (TS 33.180 B.4.2.2), those of release 13 (TS 33.179) among them.
var serviceScopes = map[string][]string{
	"mcptt":   {"3gpp:mc:ptt_service", "3gpp:mcptt:ptt_server", "3gpp:mcptt:ptt_service"},
	"mcvideo": {"3gpp:mc:video_service"},
	"mcdata":  {"3gpp:mc:data_service"},
}

// token checks an access token beyond what its dissector does (TOK-04, TOK-07).
func (c *checkRun) token(in *checkInfo) {
	if in.token < 0 {
		return
	}
	k := c.child(in.token, in.s.token.claims)
	if k < 0 {
		return // not readable
	}
	tokenF := in.s.byName[in.s.name+"-access-token"].f.f
	var scopes []string
	for i := range c.r.Children(k) {
		if n := &c.r.Nodes[i]; n.Key == "scope" {
			if json.Unmarshal([]byte(n.Str), &scopes) != nil {
				scopes = strings.Fields(jsonText(n.Str))
			}
		}
	}
	if want := serviceScopes[in.s.name]; !slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(want, s) }) {
		c.fire("TOK-04", nil, in.p, tokenF, c.at(in.token), "token not scoped for %s: %s is not in its scope %q", in.s.title, want[0], clip([]byte(strings.Join(scopes, " ")), 200))
	}
	c.tokenSignature(in, tokenF)
}
