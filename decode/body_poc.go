package decode

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/mcxdump/mcxdump/decode/record"
)

// poc-settings: RFC 4354, with the two elements that TS 24.379 7.4.1.2.2 adds to an entity.

const nsPoC = "urn:oma:params:xml:ns:poc:poc-settings"

var (
	pocSelf     = reg("poc_settings", "PoC settings", "RFC 4354 6", record.Object)
	pocEntity   = regList("poc_settings.entity", "Entities", "RFC 4354 6.1", record.Object)
	pocID       = record.Register(record.Field{Name: "poc_settings.entity.id", Title: "Entity id (the client's instance URN)", Clause: "RFC 4354 6.1", Kind: record.String, Identity: true})
	pocISB      = reg("poc_settings.entity.incoming_session_barring", "Incoming session barring", "RFC 4354 6.1", record.Bool)
	pocAnswer   = reg("poc_settings.entity.answer_mode", "Answer mode", "RFC 4354 6.1", record.String)
	pocIPAB     = reg("poc_settings.entity.incoming_personal_alert_barring", "Incoming personal alert barring", "RFC 4354 6.1", record.Bool)
	pocSSS      = reg("poc_settings.entity.simultaneous_sessions_support", "Simultaneous sessions support", "RFC 4354 6.1", record.Bool)
	pocProfile  = reg("poc_settings.entity.selected_user_profile_index", "Selected user profile index", "TS 24.379 7.4.1.2.2", record.Uint)
	pocMultiple = reg("poc_settings.entity.multiplex_support", "Multiplex support", "TS 24.379 7.4.1.2.2", record.Bool)
	pocUnknown  = registerTree("poc_settings.unknown", "Element of another name space, or without a place", "RFC 4354 6", true)
	pocEUnknown = registerTree("poc_settings.entity.unknown", "Element of another name space, or without a place", "RFC 4354 6", true)
)

func init() {
	registerBody(BodyType{Name: "poc-settings", Types: []string{"application/poc-settings+xml"}, Roots: []string{nsPoC + " poc-settings"}, Dissect: dissectPoC, plans: true})
}

// pocOrder is the place of an element in an entity.
var pocOrder = map[string]int{"isb-settings": 1, "am-settings": 2, "ipab-settings": 3, "sss-settings": 4}

func dissectPoC(c *Context, p *Part) {
	c.mcx = true
	d := c.readXML(p)
	defer d.free()
	root := d.root()
	if root == 0 {
		c.B.Open(pocSelf, p.Place(0, len(p.Data)))
		c.B.Close()
		d.unread(c)
		return
	}
	space := d.nodes[root].space
	if !d.is(root, nsPoC, "poc-settings") {
		c.Find("PUB-26", record.Error, "RFC 4354 6", fmt.Sprintf("poc-settings document invalid: root is %q in the name space %q", clip(d.nodes[root].local, 80), clip(space, 80)), p, pocSelf, d.place(root))
		if string(d.nodes[root].local) != "poc-settings" {
			c.tree(d, root, xmlFields)
			d.report(c)
			return
		}
	}
	self := len(c.B.R.Nodes)
	built := c.B.Open(pocSelf, d.place(root))
	// Within the document's own name space, whatever it is.
	own := func(k int32, local string) bool {
		return string(d.nodes[k].local) == local && string(d.nodes[k].space) == string(space)
	}
	var words string
	foreign := false
	for k := range d.kids(root) {
		switch {
		case own(k, "entity"):
			if foreign {
				c.Find("PUB-26", record.Error, "RFC 4354 6.1", "poc-settings document invalid: an entity stands after elements of other name spaces", p, pocEntity, d.place(k))
			}
			w := c.pocEntity(d, k, space)
			if words == "" {
				words = w
			}
		default:
			foreign = true
			c.pocForeign(d, k, space, pocUnknown)
		}
	}
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	d.report(c)
	c.Say(c.join("poc-settings", words))
}

// pocForeign shows an element that an extension may have brought; in the document's name space it is none.
func (c *Context) pocForeign(d *xmlDoc, k int32, space []byte, t *treeFields) {
	if s := d.nodes[k].space; len(s) == 0 || string(s) == string(space) {
		c.Find("PUB-26", record.Error, "RFC 4354 6.1", fmt.Sprintf("poc-settings document invalid: element %q has no place in the schema", clip(d.nodes[k].local, 80)), d.p, t.self, d.place(k))
	}
	c.tree(d, k, t)
}

func (c *Context) pocEntity(d *xmlDoc, n int32, space []byte) (words string) {
	p := d.p
	self := len(c.B.R.Nodes)
	built := c.B.Open(pocEntity, d.place(n))
	if k := d.attr(n, "id"); k >= 0 {
		if c.B.Wants(pocID) {
			a := d.attrAt(k)
			c.put(pocID, a.Value, d.attrPlace(a))
		}
	} else {
		c.Find("PUB-26", record.Error, "RFC 4354 6.1", "poc-settings document invalid: entity has no id", p, pocID, d.place(n))
	}
	invalid := func(k int32, f *record.Field, what string) {
		c.Find("PUB-26", record.Error, "RFC 4354 6.1", "poc-settings document invalid: "+what, p, f, d.place(k))
	}
	var room [8]*record.Field
	seen := room[:0]
	once := func(f *record.Field, k int32) bool {
		if slices.Contains(seen, f) {
			invalid(k, f, fmt.Sprintf("%s occurs more than once", clip(d.nodes[k].local, 80)))
			c.tree(d, k, pocEUnknown)
			return false
		}
		seen = append(seen, f)
		return true
	}
	truth := func(k int32, f *record.Field, child string) {
		if !once(f, k) {
			return
		}
		v := d.child(k, string(space), child)
		if v == 0 {
			if !d.whole(k) {
				return
			}
			invalid(k, f, fmt.Sprintf("%s lacks %s", clip(d.nodes[k].local, 80), child))
			return
		}
		a, ok := d.attrOf(v, "active")
		if !ok {
			invalid(v, f, child+" lacks its attribute active")
			return
		}
		if b, ok := xmlBool(a.Value); ok {
			c.B.Bool(f, b, d.attrPlace(a))
		} else {
			c.Find("XML-11", record.Error, "RFC 4354 6.1", fmt.Sprintf("value outside its type: %q in %s is no boolean", clip(a.Value, 80), child), p, f, d.attrPlace(a))
		}
	}
	last, profile := 0, ""
	for k := range d.kids(n) {
		nd := &d.nodes[k]
		local := text(nd.local)
		if string(nd.space) == string(space) {
			if o := pocOrder[local]; o != 0 {
				if o < last {
					invalid(k, pocEntity, local+" is out of order")
				}
				last = max(last, o)
			}
			switch local {
			case "isb-settings":
				truth(k, pocISB, "incoming-session-barring")
				continue
			case "ipab-settings":
				truth(k, pocIPAB, "incoming-personal-alert-barring")
				continue
			case "sss-settings":
				truth(k, pocSSS, "simultaneous-sessions-support")
				continue
			case "am-settings":
				if once(pocAnswer, k) {
					words = c.pocAnswerMode(d, k, space, invalid)
				}
				continue
			}
		}
		if isSettings(nd.space) {
			last = 5
			switch local {
			case "selected-user-profile-index":
				if !once(pocProfile, k) {
					continue
				}
				in := d.child(k, "", "user-profile-index")
				txt, at := d.text(k), d.place(k)
				if in != 0 {
					txt, at = d.text(in), d.place(in)
				}
				v, ok := xmlUint(txt)
				if ok && in != 0 {
					c.B.Num(pocProfile, v, at)
					profile = c.join(" profile ", strconv.FormatInt(v, 10))
				} else if d.whole(k) {
					if ok {
						c.B.Num(pocProfile, v, at)
					}
					c.Find("PUB-22", record.Error, "TS 24.379 7.4.1.2.2", fmt.Sprintf("bad profile index: %q is no user-profile-index with a non-negative integer", clip(txt, 80)), p, pocProfile, at)
				}
				continue
			case "multiplex-support":
				if !once(pocMultiple, k) {
					continue
				}
				if b, ok := xmlBool(d.text(k)); ok {
					c.B.Bool(pocMultiple, b, d.place(k))
				} else if d.whole(k) {
					c.Find("XML-11", record.Error, "TS 24.379 7.4.1.2.2", fmt.Sprintf("value outside its type: %q in multiplex-support is no boolean", clip(d.text(k), 80)), p, pocMultiple, d.place(k))
				}
				continue
			}
		}
		last = 5
		c.pocForeign(d, k, space, pocEUnknown)
	}
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	if words != "" && profile != "" {
		return c.join(words, ",", profile)
	}
	return words + profile
}

// pocAnswerMode reads am-settings. 24.379 speaks of auto-answer and manual-answer, RFC 4354 of automatic and manual.
func (c *Context) pocAnswerMode(d *xmlDoc, k int32, space []byte, invalid func(int32, *record.Field, string)) string {
	v := d.child(k, string(space), "answer-mode")
	if v == 0 {
		if d.whole(k) {
			invalid(k, pocAnswer, "am-settings lacks answer-mode")
		}
		return ""
	}
	txt := d.text(v)
	switch string(txt) {
	case "automatic", "manual":
	case "auto-answer", "manual-answer":
		c.Find("PUB-20", record.Warning, "TS 24.379 7.2.2", fmt.Sprintf("user setting name %q used instead of the RFC 4354 value", txt), d.p, pocAnswer, d.content(v))
	default:
		if d.whole(v) {
			c.Find("PUB-19", record.Error, "RFC 4354 6.1", fmt.Sprintf("invalid answer-mode value %q", clip(txt, 80)), d.p, pocAnswer, d.content(v))
		}
	}
	c.put(pocAnswer, txt, d.content(v))
	return c.join(" ", shorten(text(txt)))
}
