package decode

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// Documents of the configuration and group management servers (TS 24.484, TS 24.481): the members that matter for
// authorisation stand in one object, beside the whole document as XML. Root elements are known by their local names, for
// name spaces differ between releases.

var (
	cfgSelf       = reg("mc_document", "Configuration or group document", "TS 24.484 4.2", record.Object)
	cfgKind       = reg("mc_document.kind", "Kind", "TS 24.484 4.2", record.String)
	cfgService    = reg("mc_document.service", "Service: mcptt, mcvideo, mcdata", "TS 24.484 4.2", record.String)
	cfgDomain     = reg("mc_document.domain", "Domain", "TS 24.484 7.2.2", record.String)
	cfgUser       = regID("mc_document.user", "XUI-URI, user or group of the document", "TS 24.484 8.3.2")
	cfgName       = regID("mc_document.name", "Name or display name", "TS 24.484 8.3.2")
	cfgIndex      = reg("mc_document.user_profile_index", "user-profile-index", "TS 24.484 8.3.2", record.Uint)
	cfgPreset     = reg("mc_document.pre_selected", "Pre-selected profile", "TS 24.484 8.3.2", record.Bool)
	cfgStatus     = reg("mc_document.status", "Profile enabled", "TS 24.484 8.3.2", record.Bool)
	cfgMCID       = regIDList("mc_document.mc_id", "MC service ID of the user", "TS 24.484 8.3.2")
	cfgDefUser    = regID("mc_document.default_user", "User of the default profile", "TS 24.484 7.2.2")
	cfgDefIndex   = reg("mc_document.default_user_profile_index", "Index of the default profile", "TS 24.484 7.2.2", record.Uint)
	cfgServers    = regList("mc_document.servers", "Addresses of servers", "TS 24.484 7.2.2", record.Object)
	cfgServerName = reg("mc_document.servers.name", "Element", "TS 24.484 7.2.2", record.String)
	cfgServerURI  = regID("mc_document.servers.uri", "Address", "TS 24.484 7.2.2")
	cfgHTTPConf   = reg("mc_document.http_confidentiality", "confidentiality-protection-enabled: of documents over HTTP", "TS 24.484 7.2.2", record.Bool)
	cfgHTTPInt    = reg("mc_document.http_integrity", "integrity-protection-enabled: of documents over HTTP", "TS 24.484 7.2.2", record.Bool)
	cfgConf       = reg("mc_document.confidentiality_protection", "confidentiality-protection of signalling (absent: true)", "TS 24.484 8.4.2.6", record.Bool)
	cfgInt        = reg("mc_document.integrity_protection", "integrity-protection of signalling (absent: true)", "TS 24.484 8.4.2.6", record.Bool)
	cfgBetween    = reg("mc_document.protection_between_servers", "allow-signalling-protection between servers (absent: true)", "TS 24.484 8.4.2.7", record.Bool)
	cfgMembers    = regIDList("mc_document.members", "Members of the group", "TS 24.481 7.2.2")
	cfgCount      = reg("mc_document.member_count", "Number of members", "TS 24.481 7.2.2", record.Uint)
	cfgKeys       = regList("mc_document.keys", "I_MESSAGEs in the document", "TS 33.180 5.7", record.Object)
	cfgKeyIn      = reg("mc_document.keys.element", "Element that holds it", "TS 33.180 5.7", record.String)
	cfgMikey      = registerMikey("mc_document.keys.mikey")
	cfgErrors     = regList("mc_document.errors", "Conditions of an XCAP error", "RFC 4825 11", record.Object)
	cfgErrorName  = reg("mc_document.errors.condition", "Condition", "RFC 4825 11.1", record.String)
	cfgErrorWords = reg("mc_document.errors.words", "In words", "RFC 4825 11.1", record.String)
	cfgErrorText  = reg("mc_document.errors.phrase", "phrase", "RFC 4825 11.1", record.String)
	cfgChanged    = regIDList("mc_document.changed", "Documents of an xcap-diff", "RFC 5874 3")
)

// cfgKinds are the root elements in lower case, without the service's prefix.
var cfgKinds = map[string]string{
	"ue-initial-configuration": "ue_initial_configuration", "ue-init-config": "ue_initial_configuration", "ue-configuration": "ue_configuration", "ue-config": "ue_configuration",
	"user-profile": "user_profile", "service-configuration-info": "service_configuration", "service-configuration": "service_configuration",
	"group": "group", "xcap-error": "xcap_error", "xcap-diff": "xcap_diff",
}

// cfgKindOf tells the kind and service of a document from its root element.
func cfgKindOf(d *xmlDoc, root int32) (kind, service string) {
	local := strings.ToLower(string(clip(d.nodes[root].local, 64)))
	space := strings.ToLower(string(clip(d.nodes[root].space, 128)))
	for _, s := range []string{"mcptt", "mcvideo", "mcdata", "mcs"} {
		rest, ok := strings.CutPrefix(local, s+"-")
		if ok {
			local = rest
		}
		if service == "" && s != "mcs" && (ok || strings.Contains(space, s)) {
			service = s
		}
	}
	kind = cfgKinds[local]
	switch kind {
	case "group":
		if !strings.Contains(space, "list-service") {
			return "", ""
		}
		service = ""
	case "xcap_error":
		if !strings.Contains(space, "xcap-error") {
			return "", ""
		}
		service = ""
	case "xcap_diff":
		service = ""
	}
	return kind, service
}

// config shows what matters of a document, and every I_MESSAGE in any document. It adds nothing for others,
// and returns false when it had nothing to say.
func (c *Context) config(d *xmlDoc, root int32) bool {
	kind, service := cfgKindOf(d, root)
	var mikeys []int32
	for k := range d.nodes {
		if len(mikeys) < maxPlanned && k > 0 && mikeyText(d.text(int32(k))) {
			mikeys = append(mikeys, int32(k))
		}
	}
	if kind == "" && len(mikeys) == 0 {
		return false
	}
	c.mcx = true
	self := len(c.B.R.Nodes)
	built := c.B.Open(cfgSelf, d.place(root))
	if kind != "" {
		c.B.Str(cfgKind, kind, record.Place{})
	}
	if service != "" {
		c.B.Str(cfgService, service, record.Place{})
	}
	r := cfgRun{Context: c, d: d}
	var words string
	switch kind {
	case "ue_initial_configuration":
		words = r.ueInit(root)
	case "user_profile":
		words = r.profile(root)
	case "service_configuration":
		words = r.service(root)
	case "ue_configuration":
		words = "UE configuration"
		r.attr(root, "domain", cfgDomain)
		r.attr(root, "XUI-URI", cfgUser)
	case "group":
		words = r.group(root)
	case "xcap_error":
		words = r.failure(root)
	case "xcap_diff":
		words = r.diff(root)
	}
	for _, k := range mikeys {
		c.B.Open(cfgKeys, d.place(k))
		c.put(cfgKeyIn, d.nodes[k].local, d.p.Place(d.pos(k, xmlOff), 0))
		p := *d.p
		from, to := d.pos(k, xmlTextOff), d.pos(k, xmlTextEnd)
		p.Data = d.text(k)
		p.Off = d.p.Off + from
		ok := true
		if i := bytes.Index(d.p.Data[from:to], p.Data); d.nodes[k].exact && i >= 0 {
			p.Off += i
		} else { // put together from pieces
			src := c.B.Source(record.Source{Kind: record.Decoded, Name: "text of an element", Data: append([]byte(nil), p.Data...), Parent: d.p.Src,
				ParentOff: uint32(d.p.Off + from), ParentLen: uint32(to - from)})
			ok = src >= 0
			p.Src, p.Off = src, 0
		}
		if ok {
			c.mikey(&p, cfgMikey, true)
		}
		c.B.Close()
	}
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	if service != "" && words != "" {
		words = xcapServices[service] + " " + words
	}
	c.Say(words)
	return words != ""
}

// mikeyText recognises an I_MESSAGE in base64: version 1 and data type 26.
func mikeyText(b []byte) bool {
	if len(b) > 6 && bytes.EqualFold(b[:6], []byte("mikey ")) {
		b = trimSpace(b[6:])
	}
	return len(b) > 100 && b[0] == 'A' && b[1] == 'R' && b[2] >= 'o' && b[2] <= 'r' && isMikey(b)
}

func isMikey(b []byte) bool {
	raw, _, err := mikeyparse.Decode(b)
	return err == nil && len(raw) > 10 && raw[0] == 1 && raw[1] == byte(mikeyparse.DataSAKKE)
}

// A cfgRun reads one document.
type cfgRun struct {
	*Context
	d *xmlDoc
}

func (r *cfgRun) attr(n int32, name string, f *record.Field) string {
	a, ok := r.d.attrOf(n, name)
	if !ok {
		return ""
	}
	if f.Kind == record.Uint {
		if v, err := strconv.ParseUint(string(trimSpace(a.Value)), 10, 31); err == nil {
			r.B.Num(f, int64(v), r.d.attrPlace(a))
		}
	} else {
		r.put(f, a.Value, r.d.attrPlace(a))
	}
	return string(clip(a.Value, 200))
}

// below finds the first element of a name below another, at any depth.
func (r *cfgRun) below(n int32, local string) int32 {
	end := r.d.pos(n, xmlEnd)
	for k := n + 1; int(k) < len(r.d.nodes) && r.d.pos(k, xmlOff) < end; k++ {
		if strings.EqualFold(string(r.d.nodes[k].local), local) {
			return k
		}
	}
	return 0
}

// truth shows an element that is a boolean and returns its value, def when it is absent.
func (r *cfgRun) truth(n int32, f *record.Field, def bool) bool {
	if n == 0 {
		return def
	}
	switch string(r.d.text(n)) {
	case "true", "1":
		def = true
	case "false", "0":
		def = false
	default:
		if r.d.whole(n) {
			r.Find("XML-11", record.Error, "TS 24.484", fmt.Sprintf("value outside its type: %s is not a boolean", clip(r.d.nodes[n].local, 64)), r.d.p, f, r.d.content(n))
		}
		return def
	}
	r.B.Bool(f, def, r.d.content(n))
	return def
}

func (r *cfgRun) text(n int32, f *record.Field) string {
	if n == 0 || len(r.d.text(n)) == 0 {
		return ""
	}
	r.put(f, r.d.text(n), r.d.content(n))
	return string(clip(r.d.text(n), 200))
}

// ueInit reads a UE initial configuration, TS 24.484 7.2.
func (r *cfgRun) ueInit(root int32) string {
	r.attr(root, "domain", cfgDomain)
	r.attr(root, "XUI-URI", cfgUser)
	if k := r.below(root, "Default-user-profile"); k != 0 {
		r.attr(k, "User-ID", cfgDefUser)
		r.attr(k, "user-profile-index", cfgDefIndex)
	}
	n := 0
	for k := range r.d.nodes {
		local := strings.ToLower(string(r.d.nodes[k].local))
		uri := strings.HasPrefix(local, "idms-") || strings.HasSuffix(local, "-uri") || local == "kms" || local == "gms" || local == "cms" || local == "http-proxy" || local == "tls-tunnel-auth-method"
		if t := r.d.text(int32(k)); k > 0 && uri && len(t) > 0 && n < 64 {
			n++
			name := local
			if local == "server-uri" {
				name = strings.ToLower(string(r.d.nodes[r.d.nodes[k].parent].local)) + "/" + local
			}
			r.B.Open(cfgServers, r.d.place(int32(k)))
			r.B.Str(cfgServerName, name, record.Place{})
			r.put(cfgServerURI, t, r.d.content(int32(k)))
			r.B.Close()
		}
	}
	r.truth(r.below(root, "confidentiality-protection-enabled"), cfgHTTPConf, false)
	r.truth(r.below(root, "integrity-protection-enabled"), cfgHTTPInt, false)
	return "UE initial configuration"
}

// profile reads a user profile, TS 24.484 8.3.
func (r *cfgRun) profile(root int32) string {
	words := "user profile"
	r.attr(root, "XUI-URI", cfgUser)
	if i := r.attr(root, "user-profile-index", cfgIndex); i != "" {
		words += " " + i
	}
	if k := r.below(root, "Name"); k != 0 {
		r.text(k, cfgName)
	}
	if k := r.below(root, "Status"); k != 0 {
		r.truth(k, cfgStatus, true)
	}
	if k := r.below(root, "Pre-selected-indication"); k != 0 && r.truth(k, cfgPreset, true) {
		words += ", pre-selected"
	}
	n := 0
	for _, name := range []string{"MCPTTUserID", "MCPTT-user-id", "MCVideoUserID", "MCVideo-user-id", "MCDataUserID", "MCData-user-id"} {
		k := r.below(root, name)
		if k == 0 || n > 0 {
			continue
		}
		if e := r.below(k, "uri-entry"); e != 0 {
			k = e
		}
		if r.text(k, cfgMCID) != "" {
			n++
		}
	}
	return words
}

// service reads a service configuration, TS 24.484 8.4.
func (r *cfgRun) service(root int32) string {
	if k := r.below(root, "service-configuration-params"); k != 0 {
		r.attr(k, "domain", cfgDomain)
	}
	conf, integ := true, true
	if k := r.below(root, "signalling-protection"); k != 0 {
		conf = r.truth(r.below(k, "confidentiality-protection"), cfgConf, true)
		integ = r.truth(r.below(k, "integrity-protection"), cfgInt, true)
	}
	for k := range r.d.nodes {
		local := string(r.d.nodes[k].local)
		if k > 0 && strings.HasPrefix(local, "protection-between-") {
			r.truth(r.below(int32(k), "allow-signalling-protection"), cfgBetween, true)
			break
		}
	}
	on := map[bool]string{true: "on", false: "off"}
	return "service configuration, confidentiality " + on[conf] + ", integrity " + on[integ]
}

// group reads a group document, TS 24.481 7.2.
func (r *cfgRun) group(root int32) string {
	words := "group document"
	k := r.below(root, "list-service")
	if k == 0 {
		return words
	}
	if u := r.attr(k, "uri", cfgUser); u != "" {
		words += " of " + shorten(u)
	}
	for c := range r.d.kids(k) {
		if string(r.d.nodes[c].local) == "display-name" {
			r.text(c, cfgName)
			break
		}
	}
	n := 0
	if l := r.below(k, "list"); l != 0 {
		for e := range r.d.kids(l) {
			if string(r.d.nodes[e].local) != "entry" {
				continue
			}
			if a, ok := r.d.attrOf(e, "uri"); ok {
				if n < 1024 {
					r.put(cfgMembers, a.Value, r.d.attrPlace(a))
				}
				n++
			}
		}
	}
	if n > 0 {
		r.B.Num(cfgCount, int64(n), record.Place{})
		words += ", " + strconv.Itoa(n) + " members"
		if n == 1 {
			words = strings.TrimSuffix(words, "s")
		}
	}
	return words
}

// xcapConditions are the errors of RFC 4825 11 in words.
var xcapConditions = map[string]string{
	"schema-validation-error": "the document does not fit its schema", "not-xml-frag": "the body is no well-formed fragment of XML", "no-parent": "the parent of the node does not exist",
	"cannot-insert": "the inserted node would not be what the target names", "cannot-delete": "the target would name another node after deleting",
	"uniqueness-failure": "a value that has to be unique exists already", "constraint-failure": "a rule of the application usage is broken", "extension": "an error of the application usage",
	"not-xml-att-value": "the body is no value of an attribute", "not-utf-8": "the body is not UTF-8", "not-well-formed": "the body is no well-formed XML",
}

// failure reads an XCAP error, RFC 4825 11.
func (r *cfgRun) failure(root int32) string {
	words := "XCAP error"
	for k := range r.d.kids(root) {
		name := string(clip(r.d.nodes[k].local, 64))
		if name == "error-element" { // RFC 4825's own example wraps the condition
			continue
		}
		phrase := ""
		r.B.Open(cfgErrors, r.d.place(k))
		r.put(cfgErrorName, r.d.nodes[k].local, r.d.place(k))
		if w := xcapConditions[name]; w != "" {
			r.B.Str(cfgErrorWords, w, record.Place{})
		}
		if a, ok := r.d.attrOf(k, "phrase"); ok {
			phrase = string(clip(a.Value, 200))
			r.put(cfgErrorText, a.Value, r.d.attrPlace(a))
		}
		r.B.Close()
		msg := fmt.Sprintf("the XCAP server refused: %q", name)
		if w := xcapConditions[name]; w != "" {
			msg += " (" + w + ")"
		}
		if phrase != "" {
			msg += fmt.Sprintf(", %q", phrase)
		}
		r.Find("xcap-error", record.Warning, "RFC 4825 11", msg, r.d.p, cfgErrors, r.d.place(k))
		words += " " + name
		break
	}
	return words
}

// diff lists the documents that an xcap-diff tells of, RFC 5874 3.
func (r *cfgRun) diff(root int32) string {
	n := 0
	for k := range r.d.kids(root) {
		if a, ok := r.d.attrOf(k, "sel"); ok {
			if n < 256 {
				r.put(cfgChanged, a.Value, r.d.attrPlace(a))
			}
			n++
			if r.ring != nil && n < 256 {
				if x, ok := parseXCAP("/" + string(clip(a.Value, 2048))); ok && isURI(x.user) {
					r.ring.Learn(r.q.Seq, x.user)
				}
			}
		}
	}
	return "xcap-diff of " + strconv.Itoa(n) + " documents"
}
