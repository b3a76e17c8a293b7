package decode

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// The info bodies of the three services differ in names only: TS 24.379 F.1 (MCPTT), TS 24.281 F.1 (MCVideo),
// TS 24.282 D.1 (MCData). One dissector reads them, steered by one table a service.

// infoKind is the schema type of an element.
type infoKind uint8

const (
	infoURI     infoKind = iota // contentType with an mcpttURI
	infoText                    // contentType with an mcpttString
	infoBool                    // contentType with an mcpttBoolean
	infoAny                     // contentType whose value child is not known for sure, or that was a plain string once
	infoID                      // contentType with an mcpttString or mcpttURI
	infoToken                   // contentType with an access token
	infoProfile                 // wrapper of user-profile-index
	plainString
	plainBool
	plainUint
	plainURI
	plainTime
	plainEnum
	plainList    // mcpttIdListType
	plainWrapper // text somewhere inside
)

func (k infoKind) content() bool { return k <= infoToken }

// infoElement is one element of a service's schema.
type infoElement struct {
	xml    string
	kind   infoKind
	values []string // plainEnum
	index  int      // in the service's table
	order  int      // place in the Params sequence, 0 for a global element that belongs in anyExt
	list   bool
	loose  bool // its place is not known for sure: Params and anyExt are both fine

	f       *protField // content kinds
	plain   *record.Field
	uri     *protField // plainList
	display *record.Field
}

// infoService is the table of one service.
type infoService struct {
	name, title       string // mcptt, MCPTT
	clause            string
	space             string
	root, params      string
	uri, text, truth  string // value children
	idClaim           string
	self              *record.Field
	unknown           *treeFields
	token             *tokenFields
	elements          []*infoElement // in schema order
	byName            map[string]*infoElement
	clientID, session *infoElement
}

const nsSettings = "urn:3gpp:mcsSettings:1.0"

var outcomes = []string{"success", "fail"}

// globals are the elements for anyExt that all services share (TS 24.379 F.1.2; the twins in 24.281 and 24.282).
var globals = []infoElement{
	{xml: "req-type", kind: infoText},
	{xml: "resp-type", kind: infoText},
	{xml: "functional-alias-URI", kind: infoURI},
	{xml: "non-acknowledged-user", kind: infoAny, list: true},
	{xml: "emergency-ind-rcvd", kind: infoBool},
	{xml: "multiple-devices-ind", kind: infoBool},
	{xml: "called-functional-alias-URI", kind: infoURI},
	{xml: "remotely-initiated-call-request-ind", kind: infoAny},
	{xml: "migration-auth-result", kind: infoAny},
	{xml: "location-of-functional-alias-URI", kind: infoURI},
	{xml: "connected-functional-alias-URI", kind: infoURI},
	{xml: "release-reason", kind: plainEnum, values: []string{"private-call-expiry", "administrator-action", "not selected for call",
		"call-request-for-listened-to-client", "call-request-initiated-by-listened-to-client", "authentication of the MIKEY-SAKE I_MESSAGE failed"}},
	{xml: "request-type", kind: plainEnum, values: []string{"private-call-call-back-request", "private-call-call-back-cancel-request",
		"group-selection-change-request", "remotely-initiated-group-call-request", "remotely-initiated-private-call-request",
		"transfer-private-call-request", "functional-alias-status-determination", "forward-private-call-request",
		"forward-private-call-settings-request", "forward-private-call-settings-response", "fa-group-binding-req"}},
	{xml: "response-type", kind: plainEnum, values: []string{"private-call-call-back-response", "private-call-call-back-cancel-response",
		"group-selection-change-response", "remotely-initiated-group-call-response", "remotely-initiated-private-call-response",
		"transfer-private-call-response", "forward-private-call-response"}},
	{xml: "urgency-ind", kind: plainEnum, values: []string{"low", "normal", "high"}},
	{xml: "time-of-request", kind: plainTime},
	{xml: "selected-group-change-outcome", kind: plainEnum, values: outcomes},
	{xml: "remotely-initiated-call-outcome", kind: plainEnum, values: outcomes},
	{xml: "transfer-call-outcome", kind: plainEnum, values: outcomes},
	{xml: "forwarding-call-outcome", kind: plainEnum, values: outcomes},
	{xml: "affiliation-required", kind: plainBool},
	{xml: "notify-remote-user", kind: plainBool},
	{xml: "emergency-alert-area-ind", kind: plainBool},
	{xml: "group-geo-area-ind", kind: plainBool},
	{xml: "call-to-functional-alias-ind", kind: plainBool},
	{xml: "call-transfer-ind", kind: plainBool},
	{xml: "call-forwarding-ind", kind: plainBool},
	{xml: "binding-ind", kind: plainBool},
	{xml: "transfer-announced-ind", kind: plainBool},
	{xml: "forwarding-target-is-functional-alias", kind: plainBool},
	{xml: "end-to-end-security", kind: plainBool},
	{xml: "adhoc-grp-emg-alert-grp-ind", kind: plainBool},
	{xml: "adhoc-emergency-ind", kind: plainBool},
	{xml: "adhoc-alert-ind", kind: plainBool},
	{xml: "adhoc-emergency-ind-rcvd", kind: plainBool},
	{xml: "adhoc-alert-ind-rcvd", kind: plainBool},
	{xml: "user-requested-priority", kind: plainUint},
	{xml: "used-priority", kind: plainUint},
	{xml: "forwarding-sequence-number", kind: plainUint},
	{xml: "binding-fa-uri", kind: plainURI, list: true},
	{xml: "unbinding-fa-uri", kind: plainURI, list: true},
	{xml: "forwarding-target-id", kind: plainURI},
	{xml: "forwarding-target-orig-id", kind: plainURI},
	{xml: "forwarded-by-functional-alias", kind: plainURI},
	{xml: "preconfigured-group-id", kind: plainURI},
	{xml: "forwarding-reason", kind: plainEnum, values: []string{"immediate", "no-answer", "manual-input", "migrated"}},
	{xml: "replaces-header-value", kind: plainString},
	{xml: "ric-app-level-priority", kind: plainString},
	{xml: "ric-commencement-mode", kind: plainString},
	{xml: "call-participants-criterias", kind: plainString},
	{xml: "adhoc-additional-information", kind: plainString},
	{xml: "forwarding-immediate-list", kind: plainList},
	{xml: "forwarding-other-list", kind: plainList},
	{xml: "adhoc-alert-participant-list", kind: plainList},
	{xml: "adhoc-alert-participant-not-ack-list", kind: plainList},
	{xml: "PrivateCallKMSURI", kind: plainWrapper},
	{xml: "selected-user-profile-index", kind: infoProfile},
}

// The head and the middle of Params as MCPTT and MCVideo have them alike; an asterisk stands for the service's name.
var (
	callHead = []infoElement{
		{xml: "*-access-token", kind: infoToken},
		{xml: "session-type", kind: plainString},
		{xml: "*-request-uri", kind: infoURI},
		{xml: "*-calling-user-id", kind: infoURI},
		{xml: "*-called-party-id", kind: infoURI},
		{xml: "*-calling-group-id", kind: infoURI},
		{xml: "required", kind: infoAny},
		{xml: "emergency-ind", kind: infoBool},
		{xml: "alert-ind", kind: infoBool},
		{xml: "imminentperil-ind", kind: infoBool},
		{xml: "broadcast-ind", kind: plainBool},
		{xml: "mc-org", kind: plainString},
	}
	callMiddle = []infoElement{
		{xml: "associated-group-id", kind: infoAny},
		{xml: "originated-by", kind: infoURI},
		{xml: "MKFC-GKTPs", kind: plainWrapper},
		{xml: "*-client-id", kind: infoID},
		{xml: "alert-ind-rcvd", kind: infoBool},
	}
	infoUsers = []infoElement{ // of every service, in anyExt
		{xml: "partner-*-id", kind: infoURI},
		{xml: "primary-*-id", kind: infoURI},
		{xml: "forwarded-by-*-id", kind: plainURI},
	}
)

var mcpttInfo = newInfoService(infoService{
	name: "mcptt", title: "MCPTT", clause: "TS 24.379 F.1", space: "urn:3gpp:ns:mcpttInfo:1.0",
}, slices.Concat(callHead, []infoElement{
	{xml: "floor-state", kind: plainString},
}, callMiddle, []infoElement{
	{xml: "gw-*-usage", kind: plainBool},
}), slices.Concat([]infoElement{
	{xml: "ambient-listening-type", kind: plainEnum, values: []string{"remote-init", "local-init"}},
}, infoUsers))

var mcvideoInfo = newInfoService(infoService{
	name: "mcvideo", title: "MCVideo", clause: "TS 24.281 F.1", space: "urn:3gpp:ns:mcvideoInfo:1.0",
}, slices.Concat(callHead, callMiddle, []infoElement{
	{xml: "multiple-devices-ind", kind: infoBool, loose: true},
	{xml: "video-pull-url", kind: infoAny},
	{xml: "gw-*-usage", kind: plainBool},
}), slices.Concat([]infoElement{
	{xml: "ambient-viewing-type", kind: plainString},
	{xml: "video-push-url", kind: infoAny},
}, infoUsers))

var mcdataInfo = newInfoService(infoService{
	name: "mcdata", title: "MCData", clause: "TS 24.282 D.1", space: "urn:3gpp:ns:mcdataInfo:1.0",
}, []infoElement{
	{xml: "*-access-token", kind: infoToken},
	{xml: "request-type", kind: plainString},
	{xml: "*-request-uri", kind: infoURI},
	{xml: "*-calling-user-id", kind: infoURI},
	{xml: "*-called-party-id", kind: infoURI},
	{xml: "*-calling-group-id", kind: infoURI},
	{xml: "alert-ind", kind: infoBool},
	{xml: "originated-by", kind: infoURI},
	{xml: "*-client-id", kind: infoID},
	{xml: "*-controller-psi", kind: infoAny},
}, slices.Concat([]infoElement{
	{xml: "emergency-ind", kind: infoBool, loose: true},
	{xml: "imminentperil-ind", kind: infoBool, loose: true},
	{xml: "alert-ind-rcvd", kind: infoBool, loose: true},
	{xml: "mc-org", kind: plainString, loose: true},
	{xml: "pre-established-session-ind", kind: infoAny, loose: true},
	{xml: "associated-group-id", kind: infoAny, loose: true},
}, infoUsers))

var infoServices = []*infoService{mcpttInfo, mcvideoInfo, mcdataInfo}

// maxInfoElements is room for the longest of the tables.
const maxInfoElements = 128

func newInfoService(s infoService, params, own []infoElement) *infoService {
	s.root, s.params = s.name+"info", s.name+"-Params"
	s.uri, s.text, s.truth = s.name+"URI", s.name+"String", s.name+"Boolean"
	s.idClaim = s.name + "_id"
	base := s.name + "_info"
	s.self = reg(base, s.title+" information", s.clause, record.Object)
	s.byName = map[string]*infoElement{}
	add := func(e infoElement, order int) {
		e.xml = strings.Replace(e.xml, "*", s.name, 1)
		if s.byName[e.xml] != nil {
			return
		}
		e.order, e.index = order, len(s.elements)
		s.register(base, &e)
		s.elements = append(s.elements, &e)
		s.byName[e.xml] = &e
	}
	for i, e := range params {
		add(e, i+1)
	}
	for _, e := range own {
		add(e, 0)
	}
	for _, e := range globals {
		add(e, 0)
	}
	s.unknown = registerTree(base+".unknown", "Element without a place in the schema", s.clause, true)
	s.clientID, s.session = s.byName[s.name+"-client-id"], s.byName["session-type"]
	if s.session == nil {
		s.session = s.byName["request-type"]
	}
	return &s
}

// register declares the fields of an element: hyphens become underscores, the service's prefix is dropped.
func (s *infoService) register(base string, e *infoElement) {
	name := strings.ReplaceAll(strings.TrimPrefix(e.xml, s.name+"-"), "-", "_")
	if e.xml == "PrivateCallKMSURI" {
		name = "private_call_kms_uri"
	}
	name = base + "." + strings.ToLower(name)
	f := record.Field{Name: name, Title: e.xml, Clause: s.clause, List: e.list}
	switch e.kind {
	case infoURI, infoText, infoAny, infoID, infoToken:
		f.Kind, f.Of, f.Identity = record.Protected, record.String, e.kind != infoText
		e.f = registerProt(f)
		if e.kind == infoToken {
			s.token = registerToken(name, s.idClaim)
		}
	case infoBool:
		f.Kind, f.Of = record.Protected, record.Bool
		e.f = registerProt(f)
	case infoProfile:
		f.Kind, f.Of = record.Protected, record.Uint
		e.f = registerProt(f)
	case plainURI:
		f.Kind, f.Of, f.Identity = record.Protected, record.String, true
		e.f = registerProt(f)
	case plainBool:
		f.Kind = record.Bool
		e.plain = record.Register(f)
	case plainUint:
		f.Kind = record.Uint
		e.plain = record.Register(f)
	case plainList:
		f.Kind, f.List = record.Object, true
		e.plain = record.Register(f)
		e.uri = registerProtected(name+".uri", "URI of the entry", s.clause, record.String, false)
		e.display = regID(name+".display_name", "Display name", s.clause)
	default:
		f.Kind, f.Identity = record.String, e.kind == plainWrapper
		f.List = f.List || e.kind == plainWrapper
		e.plain = record.Register(f)
	}
}

func init() {
	for _, s := range infoServices {
		registerBody(BodyType{
			Name:    s.name + "-info",
			Types:   []string{"application/vnd.3gpp." + s.name + "-info+xml"},
			Roots:   []string{s.space + " " + s.root},
			Dissect: func(c *Context, p *Part) { dissectInfo(c, p, s) },
			plans:   true,
		})
	}
}

// infoRun is the state of one body while it is read.
type infoRun struct {
	*Context
	s     *infoService
	seen  [maxInfoElements]bool // by index
	order int                   // place of the last element of Params
	nsBad bool
	// what the one-line view says
	client, session string
	purpose         string
}

func dissectInfo(c *Context, p *Part, s *infoService) {
	c.mcx = true
	d := c.readXML(p)
	defer d.free()
	root := d.root()
	if root == 0 {
		c.B.Open(s.self, p.Place(0, len(p.Data)))
		c.B.Close()
		d.unread(c)
		return
	}
	nd := &d.nodes[root]
	r := infoRun{Context: c, s: s}
	switch {
	case d.is(root, s.space, s.root):
	case string(nd.local) == s.root:
		r.nsBad = true
		c.Find("XML-01", record.Error, s.clause, fmt.Sprintf("wrong root or namespace: root %s has the name space %q instead of %s", s.root, clip(nd.space, 80), s.space), p, s.self, d.place(root))
	default:
		other := (*infoService)(nil)
		for _, o := range infoServices {
			if string(nd.local) == o.root {
				other = o
			}
		}
		if other == nil {
			c.Find("XML-01", record.Error, s.clause, fmt.Sprintf("wrong root or namespace: root is %q instead of %s", clip(nd.local, 80), s.root), p, s.self, d.place(root))
			c.tree(d, root, xmlFields)
			d.report(c)
			return
		}
		c.Find("MIME-05", record.Warning, "TS 24.379 7.2.1", fmt.Sprintf("content does not match its type: %s with root %q", p.Type, clip(nd.local, 80)), p, other.self, d.place(root))
		r.s, s = other, other
	}
	self := len(c.B.R.Nodes)
	built := c.B.Open(s.self, d.place(root))
	for k := range d.kids(root) {
		switch {
		case r.named(d, k, s.params):
			r.elements(d, k, false)
		case r.named(d, k, "anyExt"):
			r.elements(d, k, true)
		default:
			r.stray(d, k, "beside "+s.params)
		}
	}
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	d.report(c)
	c.Say(r.session)
	c.Say(r.purpose)
	c.Say(r.client)
}

// named tells whether a node is an element of the service, and notes once when it is in no name space or another.
func (r *infoRun) named(d *xmlDoc, k int32, local string) bool {
	return string(d.nodes[k].local) == local && r.ours(d, k)
}

func (r *infoRun) ours(d *xmlDoc, k int32) bool {
	if string(d.nodes[k].space) == r.s.space {
		return true
	}
	known := r.s.byName[string(d.nodes[k].local)] != nil
	switch string(d.nodes[k].local) {
	case r.s.params, "anyExt", r.s.uri, r.s.text, r.s.truth:
		known = true
	}
	if !known {
		return false
	}
	// Without a prefix where the root has one: the schema is qualified, but what is meant is plain.
	if len(d.nodes[k].space) == 0 || string(d.nodes[k].space) == string(d.nodes[d.root()].space) {
		if !r.nsBad {
			r.nsBad = true
			r.Find("XML-01", record.Error, r.s.clause, fmt.Sprintf("wrong root or namespace: element %q is not in the name space %s", clip(d.nodes[k].local, 80), r.s.space), d.p, nil, d.place(k))
		}
		return true
	}
	return string(d.nodes[k].local) == "selected-user-profile-index" && isSettings(d.nodes[k].space)
}

// elements reads the children of Params, or of an anyExt.
func (r *infoRun) elements(d *xmlDoc, parent int32, ext bool) {
	for k := range d.kids(parent) {
		local := d.nodes[k].local
		if !ext && r.named(d, k, "anyExt") {
			r.elements(d, k, true)
			continue
		}
		e := r.s.byName[string(local)]
		if e == nil || !r.ours(d, k) {
			r.stray(d, k, "")
			continue
		}
		if !ext && !e.loose {
			switch {
			case e.order == 0:
				r.Find("XML-10", record.Warning, r.s.clause, fmt.Sprintf("element %s belongs in anyExt, not in %s itself", e.xml, r.s.params), d.p, e.field(), d.place(k))
			case e.order < r.order:
				r.Find("XML-02", record.Error, r.s.clause, fmt.Sprintf("sequence order violated: %s stands after %s", e.xml, r.s.elements[r.order-1].xml), d.p, e.field(), d.place(k))
			case e.order == r.order:
				r.Find("XML-02", record.Error, r.s.clause, fmt.Sprintf("sequence order violated: %s occurs more than once", e.xml), d.p, e.field(), d.place(k))
			default:
				r.order = e.order
			}
		}
		if r.seen[e.index] && !e.list {
			r.tree(d, k, r.s.unknown) // a second value has no place beside the first
			continue
		}
		r.seen[e.index] = true
		r.element(d, k, e)
	}
}

func (e *infoElement) field() *record.Field {
	if e.f != nil {
		return e.f.f
	}
	return e.plain
}

// stray shows an element that the schema does not have.
func (r *infoRun) stray(d *xmlDoc, k int32, where string) {
	if string(d.nodes[k].space) == r.s.space {
		msg := fmt.Sprintf("unknown or newer-release element %q", clip(d.nodes[k].local, 80))
		if where != "" {
			msg += " " + where
		}
		r.Find("XML-10", record.Warning, r.s.clause, msg, d.p, r.s.unknown.self, d.place(k))
	}
	r.tree(d, k, r.s.unknown)
}

// element shows one known element.
func (r *infoRun) element(d *xmlDoc, k int32, e *infoElement) {
	s := r.s
	typ, typed := d.attrOf(k, "type")
	enc := int32(0)
	for v := range d.kids(k) {
		if d.is(v, nsXMLEnc, "EncryptedData") {
			enc = v
			break
		}
	}
	if e.kind == infoProfile {
		r.profile(d, k, e, enc)
		return
	}
	if !e.kind.content() {
		if typed {
			r.Find("XML-09", record.Error, s.clause, fmt.Sprintf("attribute type is not defined for %s", e.xml), d.p, e.field(), d.attrPlace(typ))
		}
		r.plainElement(d, k, e, enc)
		return
	}
	whole := d.whole(k)
	kind := ""
	bare := e.kind == infoAny && !typed && d.nodes[k].first == 0 // the older, plain type
	switch {
	case typed:
		kind = string(typ.Value)
		if kind != "Normal" && kind != "Encrypted" {
			r.Find("XML-03", record.Error, s.clause, fmt.Sprintf("invalid protection type %q of %s", clip(typ.Value, 40), e.xml), d.p, e.f.f, d.attrPlace(typ))
		}
	case !bare && enc == 0 && whole:
		r.Find("XML-04", record.Note, s.clause+".3", fmt.Sprintf("%s has no type attribute; treated as Normal", e.xml), d.p, e.f.f, d.place(k))
	}
	switch {
	case enc != 0:
		if kind != "Encrypted" {
			r.Find("XML-07", record.Error, s.clause, fmt.Sprintf("protection type does not match content: %s holds EncryptedData but its type is not Encrypted", e.xml), d.p, e.f.f, d.place(k))
		}
		sd := r.encryptedData(d, enc)
		o := r.sealed(sd)
		if q := o.part(d.p); q != nil {
			sub := r.readXMLScope(q, sd.scope(), true)
			r.value(sub, 0, e, o.prot, sd, true)
			sub.report(r.Context)
			sub.free()
		} else {
			r.show(d.p, e, nil, d.place(k), o.prot, sd, true)
		}
		return
	case kind == "Encrypted" && whole:
		r.Find("XML-06", record.Error, s.clause, fmt.Sprintf("encrypted element %s has no EncryptedData", e.xml), d.p, e.f.f, d.place(k))
	}
	r.value(d, k, e, record.Protection{}, nil, whole && kind != "Encrypted" && !bare)
}

// value finds the value child below a node, or bare text in its stead, and shows it. Node 0 is a decrypted content.
func (r *infoRun) value(d *xmlDoc, k int32, e *infoElement, prot record.Protection, sd *sealedData, strict bool) {
	s := r.s
	if e.kind == infoToken {
		d.unplanned() // the time of the message counts
	}
	v, count, other := int32(0), 0, false
	for c := range d.kids(k) {
		switch name := string(d.nodes[c].local); {
		case (name == s.uri || name == s.text || name == s.truth) && r.ours(d, c):
			if count++; count == 1 {
				v = c
			}
		default:
			other = true
			if name == "anyExt" && string(d.nodes[c].space) == s.space {
				for x := range d.kids(c) {
					if s.byName[string(d.nodes[x].local)] != nil {
						r.tree(d, x, s.unknown) // says something of this element, not of the request
					} else {
						r.stray(d, x, "in the anyExt of "+e.xml)
					}
				}
			} else {
				r.tree(d, c, s.unknown)
			}
		}
	}
	src := k
	if v != 0 {
		src = v
	}
	txt := d.text(src)
	switch {
	case !strict:
	case count > 1:
		r.Find("XML-05", record.Error, s.clause, fmt.Sprintf("exactly one value child expected: %s has %d", e.xml, count), d.p, e.f.f, d.place(k))
	case count == 0 && len(txt) > 0 && k != 0:
		r.Find("XML-05", record.Error, s.clause, fmt.Sprintf("exactly one value child expected: %s holds text itself", e.xml), d.p, e.f.f, d.place(k))
	case count == 0 && !other && len(txt) == 0:
		r.Find("XML-05", record.Error, s.clause, fmt.Sprintf("exactly one value child expected: %s is empty", e.xml), d.p, e.f.f, d.place(k))
	}
	if v != 0 && strict {
		name := string(d.nodes[v].local)
		want := ""
		switch {
		case e.kind == infoURI && name != s.uri:
			want = s.uri
		case e.kind == infoBool && name != s.truth:
			want = s.truth
		case (e.kind == infoText || e.kind == infoToken) && name != s.text:
			want = s.text
		case e.kind == infoID && name == s.truth:
			want = s.text
		}
		if want != "" {
			r.Find("XML-08", record.Warning, s.clause, fmt.Sprintf("unusual value type: %s holds %s instead of %s", e.xml, name, want), d.p, e.f.f, d.place(v))
		}
	}
	if v == 0 && len(txt) == 0 {
		r.show(d.p, e, nil, d.place(k), prot, sd, true)
		return
	}
	at := d.content(src)
	if len(txt) == 0 {
		at = d.place(src)
	}
	if !prot.Encrypted && e.kind != infoToken && e.kind != infoBool && d.whole(src) {
		if u, ok := r.protectedURI(d.p, txt, at); ok {
			o := r.sealed(u)
			if q := o.part(d.p); q != nil {
				r.show(q, e, q.Data, q.Place(0, len(q.Data)), o.prot, u, true)
			} else {
				r.show(d.p, e, nil, at, o.prot, u, true)
			}
			return
		}
	}
	if e.kind == infoToken && d.nodes[src].exact {
		// The place of a token is that of its characters, so that the secret part of it can be masked.
		raw := d.raw(src)
		lead := len(raw) - len(trimLeft(raw))
		at = d.p.Place(d.pos(src, xmlTextOff)+lead, len(txt))
	}
	if txt == nil {
		txt = []byte{}
	}
	r.show(d.p, e, txt, at, prot, sd, d.whole(src))
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// show adds the node of a contentType element; txt is nil when the value cannot be read, and not whole when the
// document breaks off in it.
func (r *infoRun) show(p *Part, e *infoElement, txt []byte, at record.Place, prot record.Protection, sd *sealedData, whole bool) {
	var tok token
	isToken := e.kind == infoToken
	if isToken {
		r.Say(r.s.title + " authorisation")
		if txt != nil {
			tok = parseToken(txt, r.s.idClaim)
			if whole {
				r.checkToken(&tok, r.s.idClaim, p, e.f.f, at)
			}
			if !r.ShowSecrets() && at.Known {
				from := int(at.Off)
				n := int(at.Len)
				if n == len(txt) {
					from, n = from+tok.secret, n-tok.secret
				}
				r.mask(at.Src, from, n)
			}
		}
		if prot.Encrypted {
			r.Say(r.stateWords("token", &prot))
		}
	}
	truth, isTruth := false, false
	if e.kind == infoBool && txt != nil {
		truth, isTruth = xmlBool(txt)
		if !isTruth && whole {
			r.invalid(p, e, txt, at, "no boolean")
		}
	}
	r.notice(e, txt, truth, &prot)
	if r.B.Open(e.f.f, at) {
		n := r.B.Last()
		switch {
		case isToken && txt != nil:
			text, withheld := tok.shown(r.ShowSecrets())
			r.setText(n, []byte(text))
			if withheld {
				n.Flags |= record.Withheld
			}
		case e.kind == infoBool:
			if isTruth {
				n.Flags |= record.HasValue
				if truth {
					n.Num = 1
				}
			}
		case txt != nil:
			r.setText(n, txt)
		}
		r.protect(n, prot)
		if sd != nil {
			r.B.Num(e.f.length, int64(sd.length), sd.at)
		}
		if isToken && txt != nil {
			r.tokenNodes(&tok, r.s.token, p, at)
		}
	}
	r.B.Close()
}

// notice keeps what the one-line view says about the body.
func (r *infoRun) notice(e *infoElement, txt []byte, truth bool, prot *record.Protection) {
	switch {
	case e == r.s.clientID:
		switch {
		case txt != nil:
			r.client = r.join("client id ", shorten(text(txt)))
		case prot.Encrypted:
			r.client = r.stateWords("client id", prot)
		}
	case truth && e.xml == "emergency-ind":
		r.Say("emergency")
	case truth && e.xml == "alert-ind":
		r.Say("alert")
	case truth && e.xml == "imminentperil-ind":
		r.Say("imminent peril")
	case e.xml == "selected-user-profile-index":
	case strings.HasSuffix(e.xml, "-request-uri"):
		switch {
		case txt != nil:
			r.purpose = r.join("for ", shorten(text(txt)))
		case prot.Encrypted:
			r.purpose = r.stateWords("request URI", prot)
		}
	case strings.HasSuffix(e.xml, "-calling-user-id") && txt != nil:
		r.Say(r.join("from ", shorten(text(txt))))
	}
}

func (r *infoRun) invalid(p *Part, e *infoElement, txt []byte, at record.Place, what string) {
	r.Find("XML-11", record.Error, r.s.clause, fmt.Sprintf("value outside its type: %q in %s is %s", clip(txt, 80), e.xml, what), p, e.field(), at)
}

// xmlBool reads an xs:boolean.
func xmlBool(b []byte) (v, ok bool) {
	switch string(trimSpace(b)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// xmlUint reads an xs:nonNegativeInteger that fits 63 bits.
func xmlUint(b []byte) (v int64, ok bool) {
	b = trimSpace(b)
	if len(b) > 1 && b[0] == '+' {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if v > (1<<63-1-int64(c-'0'))/10 {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}

// xmlTime tells whether text has the form of an xs:dateTime.
func xmlTime(b []byte) bool {
	const form = "dddd-dd-ddTdd:dd:dd"
	if len(b) < len(form) {
		return false
	}
	for i, c := range []byte(form) {
		if c == 'd' && (b[i] < '0' || b[i] > '9') || c != 'd' && b[i] != c {
			return false
		}
	}
	b = b[len(form):]
	if len(b) > 1 && b[0] == '.' {
		b = b[1:]
		for len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
			b = b[1:]
		}
	}
	switch {
	case len(b) == 0, string(b) == "Z":
		return true
	case len(b) == 6 && (b[0] == '+' || b[0] == '-') && b[3] == ':':
		for _, i := range []int{1, 2, 4, 5} {
			if b[i] < '0' || b[i] > '9' {
				return false
			}
		}
		return true
	}
	return false
}

// plainElement shows an element that cannot be protected.
func (r *infoRun) plainElement(d *xmlDoc, k int32, e *infoElement, enc int32) {
	txt, at := d.text(k), d.place(k)
	if enc != 0 {
		r.Find("XML-07", record.Error, r.s.clause, fmt.Sprintf("protection type does not match content: %s cannot be encrypted", e.xml), d.p, e.field(), at)
		r.tree(d, k, r.s.unknown)
		return
	}
	switch e.kind {
	case plainList:
		for c := range d.kids(k) {
			if string(d.nodes[c].local) != "entry" {
				r.tree(d, c, r.s.unknown)
				continue
			}
			r.B.Open(e.plain, d.place(c))
			if u := d.child(c, "", "uri-entry"); u != 0 {
				r.sealedText(d.p, e.uri, d.text(u), d.content(u))
			}
			if n := d.child(c, "", "display-name"); n != 0 {
				r.put(e.display, d.text(n), d.content(n))
			}
			r.B.Close()
		}
		return
	case plainWrapper:
		r.leaves(d, k, e)
		return
	}
	if d.nodes[k].first != 0 {
		// A value child in an element that is plain text by the schema: the value is clear all the same.
		v := d.nodes[k].first
		r.Find("XML-11", record.Error, r.s.clause, fmt.Sprintf("value outside its type: %s holds element %q instead of text", e.xml, clip(d.nodes[v].local, 80)), d.p, e.field(), at)
		if len(txt) == 0 {
			txt = d.text(v)
		}
	}
	whole := d.whole(k)
	switch e.kind {
	case plainBool:
		v, ok := xmlBool(txt)
		if ok {
			r.B.Bool(e.plain, v, at)
		} else if whole {
			r.invalid(d.p, e, txt, at, "no boolean")
		}
	case plainUint:
		v, ok := xmlUint(txt)
		if ok {
			r.B.Num(e.plain, v, at)
		} else if whole {
			r.invalid(d.p, e, txt, at, "no non-negative integer")
		}
	case plainURI:
		r.sealedText(d.p, e.f, txt, at)
	case plainTime:
		if !xmlTime(txt) && whole {
			r.invalid(d.p, e, txt, at, "no date and time")
		}
		r.put(e.plain, txt, at)
	case plainEnum:
		known := false
		for _, v := range e.values {
			known = known || v == string(txt)
		}
		if !known && whole {
			r.invalid(d.p, e, txt, at, "none of its values")
		}
		r.put(e.plain, txt, at)
	default:
		r.put(e.plain, txt, at)
	}
	if e == r.s.session && len(txt) > 0 {
		r.session = shorten(string(txt))
	}
}

// leaves shows every text below an element as a value of one list.
func (r *infoRun) leaves(d *xmlDoc, k int32, e *infoElement) {
	if txt := d.text(k); len(txt) > 0 {
		r.put(e.plain, txt, d.content(k))
	}
	for c := range d.kids(k) {
		r.leaves(d, c, e)
	}
}

func isSettings(space []byte) bool {
	return string(space) == nsSettings || string(space) == "urn:3gpp:ns:mcsSettings:1.0"
}

// profile shows selected-user-profile-index of a migration request (TS 24.379 7A.2.1). The schema gives it no
// encrypted form though the procedure asks for one; EncryptedData is read in the wrapper and in user-profile-index.
func (r *infoRun) profile(d *xmlDoc, k int32, e *infoElement, enc int32) {
	in := d.child(k, "", "user-profile-index")
	if enc == 0 && in != 0 {
		enc = d.child(in, nsXMLEnc, "EncryptedData")
	}
	txt, at := d.text(k), d.place(k)
	if in != 0 {
		txt = d.text(in)
	}
	prot := record.Protection{}
	length := -1
	p := d.p
	if enc != 0 {
		sd := r.encryptedData(d, enc)
		o := r.sealed(sd)
		prot, length, txt = o.prot, sd.length, nil
		if p = o.part(d.p); p != nil {
			sub := r.readXMLScope(p, sd.scope(), true)
			defer sub.free()
			at, txt = p.Place(0, len(p.Data)), sub.text(0)
			for v := sub.root(); len(txt) == 0 && v != 0; v = sub.nodes[v].first {
				txt = sub.text(v)
			}
			sub.report(r.Context)
		} else {
			p = d.p
		}
	}
	v, ok := xmlUint(txt)
	if !ok && (enc == 0 || txt != nil) && d.whole(k) {
		r.invalid(p, e, txt, at, "no non-negative integer")
	}
	if r.B.Open(e.f.f, at) {
		n := r.B.Last()
		if ok {
			n.Num, n.Flags = v, n.Flags|record.HasValue
		}
		r.protect(n, prot)
		if length >= 0 {
			r.B.Num(e.f.length, int64(length), d.place(enc))
		}
	}
	r.B.Close()
	r.Say("migration")
}
