package decode

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// checked decodes one message with checks.
func checked(t testing.TB, data []byte, cfg CheckConfig, transport string) *record.Record {
	t.Helper()
	opt := Options{Checks: &cfg}
	opt.Limits = opt.Limits.withDefaults()
	w := newWorker(&opt)
	r := w.message(context.Background(), &flow.Unit{Data: data, Time: lab.Epoch.UnixNano(), Transport: transport, Frames: []uint64{1}, Quoted: transport == "quoted"}, 1)
	checkTree(t, r)
	return r
}

// registered are the ids of a record's findings that the register of checks has.
func registered(r *record.Record) []string {
	var out []string
	for _, f := range r.Findings {
		if _, ok := CheckByID(f.ID); ok {
			out = append(out, f.ID)
		}
	}
	return out
}

func labWorld(t testing.TB) *lab.World {
	t.Helper()
	w, err := lab.New(io.Discard, lab.Shapes[0], 42)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var labProtections = []struct {
	name string
	p    lab.Protection
}{{"clear", lab.Protection{}}, {"confidentiality", lab.Protection{Confidentiality: true}}, {"integrity", lab.Protection{Integrity: true}},
	{"both", lab.Protection{Confidentiality: true, Integrity: true}}}

// TestCleanMessages holds the checks to silence on what the procedures order.
func TestCleanMessages(t *testing.T) {
	k := lab.KnownCSK()
	for _, p := range labProtections {
		w := labWorld(t)
		d := w.Dialog()
		reg := w.Register(d, "TLS", k, p.p)
		answer := d.Response("TLS", 200, "OK", "", nil)
		for _, m := range []struct {
			name string
			data []byte
			may  string // the one finding that is expected
		}{
			{"register", reg, ""},
			{"answer", answer, ""},
			{"publish", w.Publish(w.Dialog(), "TLS", k, p.p), ""},
			{"settings", w.PublishSettings(w.Dialog(), "TLS", k, p.p, "e1"), ""},
			{"removal", w.Remove(w.Dialog(), "TLS", "e2"), ""},
			{"migration", w.Migrate(w.Dialog(), "TLS", k, p.p), map[bool]string{true: "MIG-08"}[p.p.Confidentiality]},
			{"third-party", w.ThirdParty(w.Dialog(), "UDP", reg, answer), ""},
			{"third-party one", w.ThirdParty(w.Dialog(), "UDP", reg, nil), ""},
		} {
			for _, cfg := range []CheckConfig{{}, {Confidentiality: tri(p.p.Confidentiality), Integrity: tri(p.p.Integrity), MDSI: []string{"mcptt.example.org"}, Release: 18}} {
				r := checked(t, m.data, cfg, "tls")
				if got := strings.Join(registered(r), " "); got != m.may {
					t.Errorf("%s %s %+v: findings %q, want %q\n%s", m.name, p.name, cfg, got, m.may, dump(r))
				}
			}
		}
	}
}

func tri(on bool) Tri {
	if on {
		return On
	}
	return Off
}

// A draft is a message that a test writes by hand.
type draft struct {
	method, uri, from, to string
	headers               []string
	parts                 []lab.Part
	transport             string
	cfg                   CheckConfig
	raw                   string // instead of everything above
}

func (d *draft) bytes() []byte {
	if d.raw != "" {
		return []byte(d.raw)
	}
	typ, body := lab.Multipart(d.parts)
	h := d.method + " " + d.uri + " SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.10:5061;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <" + d.from + ">;tag=1\r\nTo: <" + d.to +
		">\r\nCall-ID: 1@192.0.2.10\r\nCSeq: 1 " + d.method + "\r\n"
	for _, s := range d.headers {
		h += s + "\r\n"
	}
	if typ != "" {
		h += "Content-Type: " + typ + "\r\n"
	}
	return []byte(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", h, len(body), body))
}

// header replaces the header fields whose line begins so, or removes them.
func (d *draft) header(prefix string, with ...string) {
	d.headers = slices.DeleteFunc(d.headers, func(s string) bool { return strings.HasPrefix(s, prefix) })
	d.headers = append(d.headers, with...)
}

// edit changes the body of the first part of a type.
func (d *draft) edit(suffix string, pairs ...string) {
	for i := range d.parts {
		if strings.HasSuffix(d.parts[i].Type, suffix) {
			d.parts[i].Body = strings.NewReplacer(pairs...).Replace(d.parts[i].Body)
			return
		}
	}
	panic("no part " + suffix)
}

func (d *draft) drop(suffix string) {
	d.parts = slices.DeleteFunc(d.parts, func(p lab.Part) bool { return strings.HasSuffix(p.Type, suffix) })
}

const (
	checkIMPU   = "sip:ue1@mcptt.example.org"
	checkClient = "urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f"
	checkTags   = `;+g.3gpp.mcptt;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt"`
	checkNS     = "urn:3gpp:ns:mcpttSignedDoc:1.0"
)

// labJWS is an access token with these claims.
func labJWS(head, claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(head)) + "." + enc([]byte(claims)) + "." + enc([]byte("0123456789012345678901234567890123456789"))
}

func labToken(id string) string {
	return labJWS(`{"alg":"RS256","kid":"1"}`, fmt.Sprintf(`{"mcptt_id":%q,"scope":"openid 3gpp:mc:ptt_service","exp":%d}`, id, lab.Epoch.Unix()+3600))
}

// elem is an element of an info body, clear or under the known key.
func (x *checkLab) elem(enc bool, name, child, value string) string {
	inner := "<" + child + ">" + value + "</" + child + ">"
	if enc {
		return "<" + name + ` type="Encrypted">` + x.w.Encrypted(x.k, inner) + "</" + name + ">"
	}
	return "<" + name + ` type="Normal">` + inner + "</" + name + ">"
}

type checkLab struct {
	w *lab.World
	k lab.CSK
}

func infoBody(params string) lab.Part {
	return lab.Part{Type: lab.TypeInfo, ContentID: "info@ue1", Body: `<?xml version="1.0" encoding="UTF-8"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params>` + params + `</mcptt-Params></mcpttinfo>`}
}

const checkPoCBody = `<?xml version="1.0" encoding="UTF-8"?><poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings" xmlns:m="urn:3gpp:mcsSettings:1.0"><entity id="` + checkClient + `">` +
	`<am-settings><answer-mode>automatic</answer-mode></am-settings><m:selected-user-profile-index><m:user-profile-index>1</m:user-profile-index></m:selected-user-profile-index>` +
	`<m:multiplex-support>true</m:multiplex-support></entity></poc-settings>`

func (x *checkLab) mikey() lab.Part {
	return lab.Part{Type: lab.TypeMikey, Encoding: "binary", Body: string(x.k.IMessage)}
}

// sign adds the signed body for some of the parts, or all XML ones.
func (x *checkLab) sign(d *draft, which ...string) {
	var over []lab.Part
	for _, p := range d.parts {
		if strings.HasSuffix(p.Type, "+xml") && (len(which) == 0 || slices.ContainsFunc(which, func(s string) bool { return strings.HasSuffix(p.Type, s) })) {
			over = append(over, p)
		}
	}
	d.parts = append(d.parts, lab.Part{Type: lab.TypeSigned, ContentID: "signed@ue1", Body: x.w.Signed(x.k, checkNS, over...)})
}

func (x *checkLab) register(params string) *draft {
	return &draft{method: "REGISTER", uri: "sip:mcptt.example.org", from: checkIMPU, to: checkIMPU, transport: "tls",
		headers: []string{"Contact: <sip:ue1@192.0.2.10:5060>" + checkTags, "Expires: 600000"}, parts: []lab.Part{infoBody(params)}}
}

func (x *checkLab) tok(enc bool) string {
	return x.elem(enc, "mcptt-access-token", "mcpttString", labToken(x.k.User))
}
func (x *checkLab) cid(enc bool) string {
	return x.elem(enc, "mcptt-client-id", "mcpttString", checkClient)
}
func (x *checkLab) uri(enc bool) string {
	return x.elem(enc, "mcptt-request-uri", "mcpttURI", "sip:alice.home@example.org")
}

const checkIndexElem = "<anyExt><selected-user-profile-index><user-profile-index>1</user-profile-index></selected-user-profile-index></anyExt>"

func (x *checkLab) publish(params string) *draft {
	return &draft{method: "PUBLISH", uri: "sip:mcptt-part@mcptt.example.org", from: checkIMPU, to: checkIMPU, transport: "tls",
		headers: []string{"Contact: <sip:ue1@192.0.2.10:5060>" + checkTags, "Accept-Contact: *;+g.3gpp.mcptt;require;explicit",
			"P-Preferred-Service: " + lab.ICSI, "Event: poc-settings", "Expires: 4294967295"},
		parts: []lab.Part{infoBody(params), {Type: lab.TypePoc, ContentID: "poc@ue1", Body: checkPoCBody}}}
}

// A checkCase is a message on which a check fires, with everything else that is found in it.
type checkCase struct {
	id, name string
	also     string // other ids of the register, sorted
	draft    func(x *checkLab) *draft
}

func regWith(f func(x *checkLab, d *draft)) func(x *checkLab) *draft {
	return func(x *checkLab) *draft {
		d := x.register(x.tok(false) + x.cid(false))
		f(x, d)
		return d
	}
}

func pubWith(f func(x *checkLab, d *draft)) func(x *checkLab) *draft {
	return func(x *checkLab) *draft {
		d := x.publish(x.tok(false) + x.cid(false))
		f(x, d)
		return d
	}
}

func regOf(f func(x *checkLab) string) func(x *checkLab) *draft {
	return func(x *checkLab) *draft { return x.register(f(x)) }
}

func pubOf(f func(x *checkLab) string) func(x *checkLab) *draft {
	return func(x *checkLab) *draft { return x.publish(f(x)) }
}

// regInfo replaces text in the info body of a good REGISTER.
func regInfo(pairs ...string) func(x *checkLab) *draft {
	return regWith(func(_ *checkLab, d *draft) { d.edit("info+xml", pairs...) })
}

// pubPoC replaces text in the poc-settings of a good PUBLISH.
func pubPoC(pairs ...string) func(x *checkLab) *draft {
	return pubWith(func(_ *checkLab, d *draft) { d.edit("settings+xml", pairs...) })
}

// regToken is a good REGISTER with another token.
func regToken(tok string) func(x *checkLab) *draft {
	return regOf(func(x *checkLab) string {
		return x.elem(false, "mcptt-access-token", "mcpttString", tok) + x.cid(false)
	})
}

// protectedReg is a REGISTER with everything on, changed before it is signed.
func protectedReg(f func(x *checkLab, d *draft)) func(x *checkLab) *draft {
	return func(x *checkLab) *draft {
		d := x.register(x.tok(true) + x.cid(true))
		d.parts = append([]lab.Part{x.mikey()}, d.parts...)
		f(x, d)
		return d
	}
}

// patched gives the I_MESSAGE another octet.
func patched(x *checkLab, off int, v byte) lab.Part {
	p := x.mikey()
	b := []byte(p.Body)
	b[off] = v
	p.Body = string(b)
	return p
}

func thirdPartyDraft(f func(x *checkLab, d *draft)) func(x *checkLab) *draft {
	return func(x *checkLab) *draft {
		d := &draft{method: "REGISTER", uri: "sip:as.mcptt.example.org", from: "sip:scscf.ims.example.org", to: checkIMPU, transport: "udp",
			headers: []string{"Contact: <sip:scscf.ims.example.org>", "Expires: 600000"}}
		f(x, d)
		return d
	}
}

func inside(d *draft) lab.Part { return lab.Part{Type: lab.TypeSIP, Body: string(d.bytes())} }

func exp(s int64) string { return fmt.Sprint(lab.Epoch.Unix() + s) }

var checkCases = []checkCase{
	{"REG-01", "no tags", "", regWith(func(_ *checkLab, d *draft) { d.header("Contact", "Contact: <sip:ue1@192.0.2.10:5060>") })},
	{"REG-01", "MCVideo", "", func(x *checkLab) *draft {
		return asService(x.register(x.tok(false)+x.cid(false)), "mcvideo", "video", "")
	}},
	{"REG-02", "tag without icsi-ref", "", regWith(func(_ *checkLab, d *draft) { d.header("Contact", "Contact: <sip:ue1@192.0.2.10:5060>;+g.3gpp.mcptt") })},
	{"REG-02", "another service's", "", regWith(func(_ *checkLab, d *draft) {
		d.header("Contact", `Contact: <sip:ue1@192.0.2.10:5060>;+g.3gpp.mcptt;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"`)
	})},
	{"REG-03", "icsi-ref without tag", "REG-01", regWith(func(_ *checkLab, d *draft) {
		d.header("Contact", `Contact: <sip:ue1@192.0.2.10:5060>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt"`)
	})},
	{"REG-04", "not escaped", "", regWith(func(_ *checkLab, d *draft) {
		d.header("Contact", `Contact: <sip:ue1@192.0.2.10:5060>;+g.3gpp.mcptt;+g.3gpp.icsi-ref="urn:urn-7:3gpp-service.ims.icsi.mcptt"`)
	})},
	{"REG-04", "not quoted", "", regWith(func(_ *checkLab, d *draft) {
		d.header("Contact", `Contact: <sip:ue1@192.0.2.10:5060>;+g.3gpp.mcptt;+g.3gpp.icsi-ref=urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt`)
	})},
	{"REG-05", "client ID alone", "", regOf(func(x *checkLab) string { return x.cid(false) })},
	{"REG-06", "token alone", "", regOf(func(x *checkLab) string { return x.tok(false) })},
	{"REG-07", "encrypted, no key", "", regOf(func(x *checkLab) string { return x.tok(true) + x.cid(true) })},
	{"REG-07", "signed, no key", "", regWith(func(x *checkLab, d *draft) { x.sign(d) })},
	{"REG-08", "key for nothing", "", regWith(func(x *checkLab, d *draft) { d.parts = append(d.parts, x.mikey()) })},
	{"REG-09", "client ID in clear", "", func(x *checkLab) *draft {
		d := x.register(x.tok(true) + x.cid(false))
		d.parts = append(d.parts, x.mikey())
		return d
	}},
	{"REG-10", "configured", "", regWith(func(_ *checkLab, d *draft) { d.cfg.Confidentiality = On })},
	{"REG-10", "seen from the client ID", "REG-09", func(x *checkLab) *draft {
		d := x.register(x.tok(false) + x.cid(true))
		d.parts = append(d.parts, x.mikey())
		return d
	}},
	{"REG-11", "configured", "", regWith(func(_ *checkLab, d *draft) { d.cfg.Integrity = On })},
	{"REG-11", "something else is signed", "SEC-18", regWith(func(x *checkLab, d *draft) {
		d.parts = append(d.parts, x.mikey(), lab.Part{Type: "application/resource-lists+xml", ContentID: "l", Body: `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>`})
		x.sign(d, "lists+xml")
	})},
	{"REG-12", "configured", "", protectedReg(func(_ *checkLab, d *draft) { d.cfg.Confidentiality = Off })},
	{"REG-13", "the same MDSI twice", "", protectedReg(func(x *checkLab, d *draft) { d.parts = append([]lab.Part{x.mikey()}, d.parts...) })},
	{"REG-14", "another MDSI", "", protectedReg(func(_ *checkLab, d *draft) { d.cfg.MDSI = []string{"mdsi.example.net"} })},
	{"REG-15", "two ports", "", regWith(func(_ *checkLab, d *draft) {
		d.headers = append(d.headers, "Contact: <sip:ue1@192.0.2.10:5062>"+checkTags)
	})},
	{"REG-18", "UDP", "", regWith(func(_ *checkLab, d *draft) { d.transport = "udp" })},
	{"REG-19", "settings", "", regWith(func(_ *checkLab, d *draft) {
		d.parts = append(d.parts, lab.Part{Type: lab.TypePoc, ContentID: "poc@ue1", Body: checkPoCBody})
	})},

	{"TPR-01", "bare", "", thirdPartyDraft(func(*checkLab, *draft) {})},
	{"TPR-01", "told by its Contact", "", thirdPartyDraft(func(_ *checkLab, d *draft) { d.from = d.to })},
	{"TPR-01", "to a server, says the option", "", thirdPartyDraft(func(_ *checkLab, d *draft) { d.uri, d.cfg.Role = "sip:as1.example.org", "server" })},
	{"TPR-02", "no SIP", "", thirdPartyDraft(func(_ *checkLab, d *draft) { d.parts = []lab.Part{{Type: lab.TypeSIP, Body: "hello"}} })},
	{"TPR-02", "another method", "", thirdPartyDraft(func(x *checkLab, d *draft) {
		in := x.register(x.tok(false) + x.cid(false))
		in.method = "OPTIONS"
		d.parts = []lab.Part{inside(in)}
	})},
	{"TPR-04", "outside", "", thirdPartyDraft(func(x *checkLab, d *draft) {
		d.parts = []lab.Part{inside(x.register(x.tok(false) + x.cid(false))), infoBody(x.tok(false) + x.cid(false))}
	})},
	{"TPR-04", "outside only", "TPR-01", thirdPartyDraft(func(x *checkLab, d *draft) { d.parts = []lab.Part{infoBody(x.tok(false) + x.cid(false))} })},
	{"TPR-05", "the inner one", "REG-06", thirdPartyDraft(func(x *checkLab, d *draft) { d.parts = []lab.Part{inside(x.register(x.tok(false)))} })},

	{"PUB-01", "another package", "", pubWith(func(_ *checkLab, d *draft) { d.header("Event", "Event: presence") })},
	{"PUB-01", "none", "", pubWith(func(_ *checkLab, d *draft) { d.header("Event") })},
	{"PUB-02", "an hour", "", pubWith(func(_ *checkLab, d *draft) { d.header("Expires", "Expires: 3600") })},
	{"PUB-03", "none", "", pubWith(func(_ *checkLab, d *draft) { d.header("Expires") })},
	{"PUB-04", "removal", "", pubWith(func(_ *checkLab, d *draft) { d.header("Expires", "Expires: 0"); d.parts = nil })},
	{"PUB-05", "removal", "", pubWith(func(_ *checkLab, d *draft) { d.header("Expires", "Expires: 0", "SIP-If-Match: e1") })},
	{"PUB-06", "none", "", pubWith(func(_ *checkLab, d *draft) { d.header("P-Preferred-Service") })},
	{"PUB-07", "escaped", "", pubWith(func(_ *checkLab, d *draft) {
		d.header("P-Preferred-Service", "P-Preferred-Service: urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt")
	})},
	{"PUB-07", "another service", "", pubWith(func(_ *checkLab, d *draft) {
		d.header("P-Preferred-Service", "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.mcvideo")
	})},
	{"PUB-08", "not explicit", "", pubWith(func(_ *checkLab, d *draft) { d.header("Accept-Contact", "Accept-Contact: *;+g.3gpp.mcptt;require") })},
	{"PUB-09", "own address", "", pubWith(func(_ *checkLab, d *draft) { d.uri = checkIMPU })},
	{"PUB-10", "no settings", "", pubWith(func(_ *checkLab, d *draft) { d.drop("settings+xml") })},
	{"PUB-11", "neither", "", pubOf(func(x *checkLab) string { return x.cid(false) })},
	{"PUB-12", "token alone", "", pubOf(func(x *checkLab) string { return x.tok(false) })},
	{"PUB-13", "both", "", pubOf(func(x *checkLab) string { return x.tok(false) + x.uri(false) + x.cid(false) })},
	{"PUB-14", "client ID in clear", "", func(x *checkLab) *draft {
		d := x.publish(x.tok(true) + x.cid(false))
		d.parts = append(d.parts, x.mikey())
		return d
	}},
	{"PUB-15", "encrypted", "", pubOf(func(x *checkLab) string { return x.tok(true) + x.cid(true) })},
	{"PUB-16", "settings alone are signed", "SEC-18", pubWith(func(x *checkLab, d *draft) { x.sign(d, "settings+xml"); d.parts = append(d.parts, x.mikey()) })},
	{"PUB-17", "info alone is signed", "SEC-18", pubWith(func(x *checkLab, d *draft) { x.sign(d, "info+xml"); d.parts = append(d.parts, x.mikey()) })},
	{"PUB-18", "none", "", pubPoC(`<am-settings><answer-mode>automatic</answer-mode></am-settings>`, "")},
	{"PUB-19", "value", "", pubPoC("automatic", "sometimes")},
	{"PUB-20", "value", "", pubPoC("automatic", "auto-answer")},
	{"PUB-21", "none", "", pubPoC(`<m:selected-user-profile-index><m:user-profile-index>1</m:user-profile-index></m:selected-user-profile-index>`, "")},
	{"PUB-22", "value", "", pubPoC(`index>1<`, `index>one<`)},
	{"PUB-23", "none", "", pubPoC(`<m:multiplex-support>true</m:multiplex-support>`, "")},
	{"PUB-24", "namespace", "", pubPoC("urn:3gpp:mcsSettings:1.0", "urn:example:settings")},
	{"PUB-24", "the usual form of a URN", "", pubPoC("urn:3gpp:mcsSettings:1.0", "urn:3gpp:ns:mcsSettings:1.0")},
	{"PUB-26", "no id", "", pubPoC(` id="`+checkClient+`"`, "")},
	{"PUB-27", "barring", "", pubPoC(`<am-settings>`, `<isb-settings><incoming-session-barring active="true"/></isb-settings><am-settings>`)},
	{"PUB-28", "two", "", pubPoC(`</entity>`, `</entity><entity id="2"><am-settings><answer-mode>manual</answer-mode></am-settings>`+
		`<m:selected-user-profile-index><m:user-profile-index>1</m:user-profile-index></m:selected-user-profile-index><m:multiplex-support>true</m:multiplex-support></entity>`)},
	{"PUB-30", "key", "", func(x *checkLab) *draft {
		d := x.publish(x.uri(true) + x.cid(true))
		d.parts = append(d.parts, x.mikey())
		return d
	}},

	{"MIG-01", "no profile", "", regOf(func(x *checkLab) string { return x.tok(false) + x.uri(false) })},
	{"MIG-02", "no request URI", "", regOf(func(x *checkLab) string { return x.tok(false) + checkIndexElem })},
	{"MIG-03", "no token", "", regOf(func(x *checkLab) string { return x.uri(false) + checkIndexElem })},
	{"MIG-04", "token alone encrypted", "", func(x *checkLab) *draft {
		d := x.register(x.tok(true) + x.uri(false) + checkIndexElem)
		d.parts = append(d.parts, x.mikey())
		return d
	}},
	{"MIG-06", "one ID", "", regOf(func(x *checkLab) string {
		return x.tok(false) + x.elem(false, "mcptt-request-uri", "mcpttURI", x.k.User) + checkIndexElem
	})},
	{"MIG-07", "client ID", "", regOf(func(x *checkLab) string { return x.tok(false) + x.uri(false) + x.cid(false) + checkIndexElem })},
	{"MIG-08", "all encrypted", "", func(x *checkLab) *draft {
		d := x.register(x.tok(true) + x.uri(true) + `<anyExt><selected-user-profile-index type="Encrypted">` + x.w.Encrypted(x.k, "<user-profile-index>1</user-profile-index>") + `</selected-user-profile-index></anyExt>`)
		d.parts = append(d.parts, x.mikey())
		return d
	}},
	{"MIG-09", "no tags", "", func(x *checkLab) *draft {
		d := x.register(x.tok(false) + x.uri(false) + checkIndexElem)
		d.header("Contact", "Contact: <sip:ue1@192.0.2.10:5060>")
		return d
	}},
	{"MIG-10", "configured", "", func(x *checkLab) *draft {
		d := x.register(x.tok(false) + x.uri(false) + checkIndexElem)
		d.cfg.Integrity = On
		return d
	}},
	{"MIG-11", "position", "", regOf(func(x *checkLab) string {
		return x.tok(false) + x.uri(false) + strings.NewReplacer("<anyExt>", "", "</anyExt>", "").Replace(checkIndexElem)
	})},
	{"MIG-11", "namespace", "", regOf(func(x *checkLab) string {
		return x.tok(false) + x.uri(false) + strings.Replace(checkIndexElem, "<selected-user-profile-index>", `<selected-user-profile-index xmlns="urn:example">`, 1)
	})},

	{"XML-01", "namespace", "", regInfo("urn:3gpp:ns:mcpttInfo:1.0", "urn:example")},
	{"XML-02", "order", "", regOf(func(x *checkLab) string { return x.cid(false) + x.tok(false) })},
	{"XML-03", "type", "", regInfo(`client-id type="Normal"`, `client-id type="normal"`)},
	{"XML-04", "no type", "", regInfo(`client-id type="Normal"`, `client-id`)},
	{"XML-05", "no child", "", regInfo("<mcpttString>"+checkClient+"</mcpttString>", checkClient)},
	{"XML-06", "no EncryptedData", "", regInfo(`client-id type="Normal"`, `client-id type="Encrypted"`)},
	{"XML-07", "not said", "", protectedReg(func(_ *checkLab, d *draft) {
		d.edit("info+xml", `client-id type="Encrypted"`, `client-id type="Normal"`)
	})},
	{"XML-08", "URI", "", regOf(func(x *checkLab) string {
		return x.elem(false, "mcptt-access-token", "mcpttURI", labToken(x.k.User)) + x.cid(false)
	})},
	{"XML-09", "type of a plain element", "", regOf(func(x *checkLab) string {
		return x.tok(false) + `<session-type type="Normal">chat</session-type>` + x.cid(false)
	})},
	{"XML-10", "unknown", "", regOf(func(x *checkLab) string {
		return x.tok(false) + x.cid(false) + "<anyExt><no-such-thing>1</no-such-thing></anyExt>"
	})},
	{"XML-10", "newer than the release", "", regWith(func(_ *checkLab, d *draft) {
		d.cfg.Release = 17
		d.edit("info+xml", "</mcptt-Params>", "<gw-mcptt-usage>true</gw-mcptt-usage></mcptt-Params>")
	})},
	{"XML-11", "boolean", "", regOf(func(x *checkLab) string { return x.tok(false) + "<broadcast-ind>maybe</broadcast-ind>" + x.cid(false) })},
	{"XML-12", "broken", "", regInfo("</mcptt-client-id>", "")},

	{"MIME-01", "not closed", "", regWith(func(x *checkLab, d *draft) {
		d.parts = append(d.parts, lab.Part{Type: "text/plain", Body: "hello"})
		b := string(d.bytes())
		d.raw = strings.Replace(strings.TrimSuffix(b, "--\r\n")+"  \r\n", "--  \r\n", "", 1)
	})},
	{"MIME-02", "no Content-ID", "PUB-17 SEC-18", pubWith(func(x *checkLab, d *draft) {
		x.sign(d, "info+xml")
		d.parts = append(d.parts, x.mikey())
		d.parts[1].ContentID = ""
	})},
	{"MIME-03", "twice", "", pubWith(func(_ *checkLab, d *draft) { d.parts[1].ContentID = d.parts[0].ContentID })},
	{"MIME-05", "another root", "REG-01 TOK-04 TOK-05", regInfo("mcptt", "mcvideo")},

	{"SEC-01", "data type", "", protectedReg(func(x *checkLab, d *draft) { d.parts[0] = patched(x, 1, 0) })},
	{"SEC-02", "a GMK", "", protectedReg(func(x *checkLab, d *draft) { d.parts[0] = patched(x, 4, 0x0a) })},
	{"SEC-03", "no SIGN", "", protectedReg(func(x *checkLab, d *draft) { d.parts[0] = withoutSign(x) })},
	{"SEC-05", "years old", "", protectedReg(func(x *checkLab, d *draft) {
		i := strings.Index(d.parts[0].Body, "\xe9\x3c\x7f\x00")
		d.parts[0] = patched(x, i, 0xe0)
	})},
	{"SEC-07", "algorithm", "", protectedReg(func(_ *checkLab, d *draft) { d.edit("info+xml", "xmlenc11#aes128-gcm", "xmlenc11#aes256-gcm") })},
	{"SEC-08", "type", "", protectedReg(func(_ *checkLab, d *draft) { d.edit("info+xml", "xmlenc#Content", "xmlenc#Element") })},
	{"SEC-09", "KeyName", "", protectedReg(func(x *checkLab, d *draft) { d.edit("info+xml", x.k.KeyName(), "alice") })},
	{"SEC-10", "another key", "", protectedReg(func(x *checkLab, d *draft) {
		o := x.k
		o.ID ^= 1
		d.edit("info+xml", x.k.KeyName(), o.KeyName())
	})},
	{"SEC-11", "short", "", protectedReg(func(x *checkLab, d *draft) {
		d.edit("info+xml", x.w.Encrypted(x.k, ""), "")
		i, j := strings.Index(d.parts[1].Body, "<xenc:CipherValue>"), strings.Index(d.parts[1].Body, "</xenc:CipherValue>")
		d.parts[1].Body = d.parts[1].Body[:i+18] + "AAAA" + d.parts[1].Body[j:]
	})},
	{"SEC-14", "changed", "", protectedReg(func(x *checkLab, d *draft) { x.sign(d); d.edit("info+xml", "<mcptt-Params>", "<mcptt-Params> ") })},
	{"SEC-16", "dangling", "REG-11", protectedReg(func(x *checkLab, d *draft) { x.sign(d); d.edit("signed+xml", "cid:info@ue1", "cid:nobody") })},
	{"SEC-17", "algorithm", "", protectedReg(func(x *checkLab, d *draft) { x.sign(d); d.edit("signed+xml", "hmac-sha256", "hmac-sha512") })},
	{"SEC-18", "a list", "", func(x *checkLab) *draft {
		d := x.register("")
		d.method, d.uri = "INVITE", "sip:mcptt-part@mcptt.example.org"
		d.parts = []lab.Part{infoBody("<session-type>private</session-type>" + x.cid(false)), {Type: "application/resource-lists+xml", ContentID: "l", Body: `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>`}}
		x.sign(d, "info+xml")
		return d
	}},
	{"SEC-19", "no iv", "REG-07 REG-09 REG-10", regInfo("<mcpttString>"+checkClient, "<mcpttString>sip:AAAA;key-id=Krze8A==;alg=128-aes-gcm@mc1-encrypted.3gppnetwork.org")},
	{"SEC-20", "host", "REG-07 REG-09 REG-10", regInfo("<mcpttString>"+checkClient, "<mcpttString>sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA;iv=AAAAAAAAAAAAAAAA;key-id=Krze8A==;alg=128-aes-gcm@example.org")},
	{"SEC-21", "algorithm", "REG-07 REG-09 REG-10", regInfo("<mcpttString>"+checkClient, "<mcpttString>sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA;iv=AAAAAAAAAAAAAAAA;key-id=Krze8A==;alg=rot13@mc1-encrypted.3gppnetwork.org")},

	{"TOK-01", "opaque", "", regToken("an-opaque-token")},
	{"TOK-02", "none", "", regToken(strings.TrimRight(labJWS(`{"alg":"none"}`, `{"mcptt_id":"sip:a@b","scope":"3gpp:mc:ptt_service","exp":`+exp(60)+`}`), "="))},
	{"TOK-03", "expired", "", regToken(labJWS(`{"alg":"RS256"}`, `{"mcptt_id":"sip:a@b","scope":"3gpp:mc:ptt_service","exp":`+exp(-60)+`}`))},
	{"TOK-04", "other scopes", "", regToken(labJWS(`{"alg":"RS256"}`, `{"mcptt_id":"sip:a@b","scope":"openid 3gpp:mc:video_service","exp":`+exp(60)+`}`))},
	{"TOK-04", "no scope", "", regToken(labJWS(`{"alg":"RS256"}`, `{"mcptt_id":"sip:a@b","exp":`+exp(60)+`}`))},
	{"TOK-05", "no ID", "", regToken(labJWS(`{"alg":"RS256"}`, `{"scope":"3gpp:mc:ptt_service","exp":`+exp(60)+`}`))},
	{"TOK-07", "another key", "", regWith(func(_ *checkLab, d *draft) {
		ks, err := ParseJWKS([]byte(`{"keys":[{"kty":"RSA","kid":"1","e":"AQAB","n":"` + strings.Repeat("w", 340) + `"}]}`))
		if err != nil {
			panic(err)
		}
		d.cfg.JWKS = ks
	})},
}

// withoutSign is the known I_MESSAGE without its last payload.
func withoutSign(x *checkLab) lab.Part {
	p := x.mikey()
	m, err := mikeyparse.Parse([]byte(p.Body), nil)
	if err != nil {
		panic(err)
	}
	m.Payloads = m.Payloads[:len(m.Payloads)-1]
	m.Link()
	b, err := m.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	p.Body = string(b)
	return p
}

// asService turns a draft of MCPTT into one of another service, with the tags of a Contact.
func asService(d *draft, name, scope, tags string) *draft {
	d.edit("info+xml", "mcptt", name, labToken("sip:alice@example.org"), labJWS(`{"alg":"RS256"}`, `{"`+name+`_id":"sip:a@b","scope":"3gpp:mc:`+scope+`_service","exp":`+exp(60)+`}`))
	for i := range d.parts {
		d.parts[i].Type = strings.ReplaceAll(d.parts[i].Type, "mcptt-info", name+"-info")
	}
	d.header("Contact", "Contact: <sip:ue1@192.0.2.10:5060>"+tags)
	return d
}

// TestChecksFire holds each check to its message, and the message to nothing else.
func TestChecksFire(t *testing.T) {
	x := &checkLab{labWorld(t), lab.KnownCSK()}
	for _, c := range checkCases {
		t.Run(c.id+" "+c.name, func(t *testing.T) {
			d := c.draft(x)
			r := checked(t, d.bytes(), d.cfg, d.transport)
			var others []string
			fired := c.id == "TPR-05"
			for _, f := range r.Findings {
				k, ok := CheckByID(f.ID)
				if !ok {
					continue
				}
				if f.ID != c.id {
					if !slices.Contains(others, f.ID) {
						others = append(others, f.ID)
					}
					continue
				}
				fired = true
				if f.Severity > k.Severity {
					t.Errorf("severity %v, the register says %v", f.Severity, k.Severity)
				}
				if f.Clause == "" || !f.HasRange {
					t.Errorf("finding without clause or octets: %+v", f)
				}
				if _, known := record.Lookup(f.Field); f.Field != "" && !known {
					t.Errorf("field %q is not registered", f.Field)
				}
				t.Logf("%s %v %s body %q %s: %s", f.ID, f.Severity, f.Clause, f.Body, f.Field, f.Message)
			}
			slices.Sort(others)
			if !fired {
				t.Errorf("it does not fire")
			}
			if got := strings.Join(others, " "); got != c.also {
				t.Errorf("others: %q, want %q", got, c.also)
			}
			if t.Failed() {
				t.Log(dump(r))
				t.Logf("%q", d.bytes())
			}
		})
	}
}

// cutUnit is a message whose end is not in the capture.
func cutUnit(b []byte) *flow.Unit {
	return &flow.Unit{Data: b, Time: lab.Epoch.UnixNano(), Transport: "tls", Frames: []uint64{1}, Truncated: true}
}
