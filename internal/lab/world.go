package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// Epoch is when every lab capture begins: the time stamped into the known-answer I_MESSAGE.
var Epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// A World is one capture being written: a network, its users and a source of numbers.
type World struct {
	Net *Net
	rng *rand.Rand

	UE, Core, AS netip.AddrPort
	calls        int
}

// New starts a capture of one shape on a writer. Nanosecond pcap is what it writes.
func New(out io.Writer, shape Shape, seed uint64) (*World, error) {
	w, err := pcapng.NewWriter(out, pcapng.WriterOptions{Format: pcapng.Pcap, SnapLen: 262144, Interfaces: []pcapng.Interface{{Link: shape.Link, FCS: -1}}})
	if err != nil {
		return nil, err
	}
	n := &Net{Clock: Epoch, Shape: shape, w: w}
	lw := &World{Net: n, rng: rand.New(rand.NewPCG(seed, 0x6d637864))}
	lw.UE, lw.Core, lw.AS = addr("192.0.2.10:5060"), addr("192.0.2.1:5060"), addr("192.0.2.2:5060")
	if shape.V6 {
		lw.UE, lw.Core, lw.AS = addr("[2001:db8::10]:5060"), addr("[2001:db8::1]:5060"), addr("[2001:db8::2]:5060")
	}
	return lw, nil
}

// Close ends the capture and reports its first error.
func (w *World) Close() error {
	if w.Net.err != nil {
		return w.Net.err
	}
	return w.Net.w.Flush()
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func (w *World) octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(w.rng.Uint32())
	}
	return b
}

func itoa(v int64) string { return strconv.FormatInt(v, 10) }

// A Part is one body of a message.
type Part struct {
	Type      string
	ContentID string
	Encoding  string
	Body      string
}

// Multipart joins parts into a multipart/mixed body; one part alone stays as it is. The boundary comes from the parts, so
// that nested multiparts have different ones.
func Multipart(parts []Part) (contentType, body string) {
	switch len(parts) {
	case 0:
		return "", ""
	case 1:
		return parts[0].Type, parts[0].Body
	}
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%q %q %q %q\n", p.Type, p.ContentID, p.Encoding, p.Body)
	}
	boundary := "mcx-" + hex.EncodeToString(h.Sum(nil)[:8])
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--" + boundary + "\r\nContent-Type: " + p.Type + "\r\n")
		if p.ContentID != "" {
			b.WriteString("Content-ID: <" + p.ContentID + ">\r\n")
		}
		if p.Encoding != "" {
			b.WriteString("Content-Transfer-Encoding: " + p.Encoding + "\r\n")
		}
		b.WriteString("\r\n" + p.Body + "\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return `multipart/mixed;boundary="` + boundary + `"`, b.String()
}

// Media types of the bodies.
const (
	TypeInfo    = "application/vnd.3gpp.mcptt-info+xml"
	TypePoc     = "application/poc-settings+xml"
	TypeSigned  = "application/vnd.3gpp.mcptt-signed+xml"
	TypeMikey   = "application/mikey"
	TypeSIP     = "message/sip"
	ICSI        = "urn:urn-7:3gpp-service.ims.icsi.mcptt"
	clientID    = "urn:uuid:2f6b8c4e-1a2b-4c3d-9e8f-0a1b2c3d4e5f"
	impu        = "sip:ue1@mcptt.example.org"
	participant = "sip:mcptt-part@mcptt.example.org"
)

// contactTags are the two media feature tags of TS 24.379 7.2.1.
const contactTags = `;+g.3gpp.mcptt;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt"`

// A Dialog hands out the header fields that requests and responses of one call share.
type Dialog struct {
	w      *World
	callID string
	cseq   int
	branch string
	method string
	impu   string
	ue     netip.AddrPort
}

// Dialog starts a new Call-ID.
func (w *World) Dialog() *Dialog {
	w.calls++
	return &Dialog{w: w, callID: fmt.Sprintf("%08x@192.0.2.10", w.rng.Uint32()), impu: impu, ue: w.UE}
}

// request writes the dialog's next request; via names the transport in Via.
func (d *Dialog) request(method, uri, via, headers string, parts []Part) []byte {
	d.cseq++
	d.method = method
	d.branch = fmt.Sprintf("z9hG4bK%08x", d.w.rng.Uint32())
	typ, body := Multipart(parts)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", method, uri)
	fmt.Fprintf(&b, "Via: SIP/2.0/%s %s;branch=%s\r\n", via, d.ue, d.branch)
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: <%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", d.impu, d.callID[:6], d.impu, d.callID, d.cseq, method)
	b.WriteString(headers)
	if typ != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", typ)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return []byte(b.String())
}

// Response answers the dialog's last request.
func (d *Dialog) Response(via string, status int, reason, headers string, parts []Part) []byte {
	typ, body := Multipart(parts)
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", status, reason)
	fmt.Fprintf(&b, "Via: SIP/2.0/%s %s;branch=%s\r\n", via, d.ue, d.branch)
	fmt.Fprintf(&b, "From: <%s>;tag=%s\r\nTo: <%s>;tag=as1\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", d.impu, d.callID[:6], d.impu, d.callID, d.cseq, d.method)
	b.WriteString(headers)
	if typ != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", typ)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return []byte(b.String())
}

// Protection says which of the two protections of TS 24.379 6.6 a request uses.
type Protection struct{ Confidentiality, Integrity bool }

func (p Protection) any() bool { return p.Confidentiality || p.Integrity }

// element writes a contentType element in clear or sealed, TS 24.379 F.1.
func (w *World) element(k CSK, p Protection, name, child, value string) string {
	inner := "<" + child + ">" + value + "</" + child + ">"
	if p.Confidentiality {
		return "<" + name + ` type="Encrypted">` + w.Encrypted(k, inner) + "</" + name + ">"
	}
	return "<" + name + ` type="Normal">` + inner + "</" + name + ">"
}

func info(params, ext string) string {
	s := `<?xml version="1.0" encoding="UTF-8"?><mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params>` + params
	if ext != "" {
		s += `<anyExt>` + ext + `</anyExt>`
	}
	return s + `</mcptt-Params></mcpttinfo>`
}

// authParts are the bodies of an authorisation request: [mikey], mcptt-info, more, [signed].
func (w *World) authParts(k CSK, p Protection, infoBody string, more ...Part) []Part {
	var parts []Part
	if p.any() {
		parts = append(parts, Part{Type: TypeMikey, Body: string(k.IMessage), Encoding: "binary"})
	}
	signed := append([]Part{{Type: TypeInfo, ContentID: "info@ue1", Body: infoBody}}, more...)
	parts = append(parts, signed...)
	if p.Integrity {
		parts = append(parts, Part{Type: TypeSigned, ContentID: "signed@ue1", Body: w.Signed(k, "urn:3gpp:ns:mcpttSignedDoc:1.0", signed...)})
	}
	return parts
}

// Register is the REGISTER for service authorisation, TS 24.379 7.2.1.
func (w *World) Register(d *Dialog, via string, k CSK, p Protection) []byte {
	body := info(w.element(k, p, "mcptt-access-token", "mcpttString", w.Token(k.User))+
		w.element(k, p, "mcptt-client-id", "mcpttString", clientID), "")
	return d.request("REGISTER", "sip:mcptt.example.org", via,
		"Contact: <sip:ue1@"+w.UE.String()+">"+contactTags+";+sip.instance=\"<urn:gsma:imei:35824005-694448-0>\"\r\n"+
			"Expires: 600000\r\nSupported: path, gruu\r\n", w.authParts(k, p, body))
}

// Publish is the PUBLISH for service authorisation and settings, TS 24.379 7.2.2.
func (w *World) Publish(d *Dialog, via string, k CSK, p Protection) []byte {
	body := info(w.element(k, p, "mcptt-access-token", "mcpttString", w.Token(k.User))+
		w.element(k, p, "mcptt-client-id", "mcpttString", clientID), "")
	return w.publish(d, via, w.authParts(k, p, body, w.settings()), "4294967295", "")
}

// PublishSettings is the settings-only PUBLISH, TS 24.379 7.2.3.
func (w *World) PublishSettings(d *Dialog, via string, k CSK, p Protection, etag string) []byte {
	body := info(w.element(k, p, "mcptt-request-uri", "mcpttURI", k.User)+
		w.element(k, p, "mcptt-client-id", "mcpttString", clientID), "")
	parts := w.authParts(k, p, body, w.settings())
	if p.any() {
		parts = parts[1:] // no new CSK
	}
	return w.publish(d, via, parts, "4294967295", etag)
}

// Remove is the PUBLISH with Expires 0 that logs the client off, TS 24.379 7.2.1A.
func (w *World) Remove(d *Dialog, via, etag string) []byte {
	return w.publish(d, via, nil, "0", etag)
}

func (w *World) settings() Part {
	return Part{Type: TypePoc, ContentID: "poc@ue1", Body: `<?xml version="1.0" encoding="UTF-8"?>` +
		`<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings" xmlns:mcs10Set="urn:3gpp:mcsSettings:1.0"><entity id="` + clientID + `">` +
		`<am-settings><answer-mode>automatic</answer-mode></am-settings>` +
		`<mcs10Set:selected-user-profile-index><mcs10Set:user-profile-index>1</mcs10Set:user-profile-index></mcs10Set:selected-user-profile-index>` +
		`<mcs10Set:multiplex-support>true</mcs10Set:multiplex-support></entity></poc-settings>`}
}

func (w *World) publish(d *Dialog, via string, parts []Part, expires, etag string) []byte {
	h := "Contact: <sip:ue1@" + w.UE.String() + ">" + contactTags + "\r\n" +
		"Accept-Contact: *;+g.3gpp.mcptt;require;explicit\r\n" +
		"Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt\";require;explicit\r\n" +
		"P-Preferred-Service: " + ICSI + "\r\nP-Preferred-Identity: <" + impu + ">\r\n" +
		"Event: poc-settings\r\nExpires: " + expires + "\r\n"
	if etag != "" {
		h += "SIP-If-Match: " + etag + "\r\n"
	}
	return d.request("PUBLISH", participant, via, h, parts)
}

// Migrate is the REGISTER for migration service authorisation, TS 24.379 7A.2.1.
func (w *World) Migrate(d *Dialog, via string, k CSK, p Protection) []byte {
	index := "<selected-user-profile-index><user-profile-index>1</user-profile-index></selected-user-profile-index>"
	if p.Confidentiality {
		index = `<selected-user-profile-index type="Encrypted">` + w.Encrypted(k, "<user-profile-index>1</user-profile-index>") + `</selected-user-profile-index>`
	}
	body := info(w.element(k, p, "mcptt-access-token", "mcpttString", w.Token("sip:alice.partner@partner.example.net"))+
		w.element(k, p, "mcptt-request-uri", "mcpttURI", k.User), index)
	return d.request("REGISTER", "sip:mcptt.example.org", via,
		"Contact: <sip:ue1@"+w.UE.String()+">"+contactTags+"\r\nExpires: 600000\r\n", w.authParts(k, p, body))
}

// ThirdParty is the S-CSCF's REGISTER towards the MCPTT server with the UE's own in message/sip, TS 24.229 5.4.1.7.
func (w *World) ThirdParty(d *Dialog, via string, inner, answer []byte) []byte {
	parts := []Part{{Type: TypeSIP, Body: string(inner)}}
	if answer != nil {
		parts = append(parts, Part{Type: TypeSIP, Body: string(answer)})
	}
	return d.request("REGISTER", "sip:as.mcptt.example.org", via,
		"Contact: <sip:scscf.ims.example.org>\r\nP-Asserted-Identity: <"+impu+">\r\nExpires: 600000\r\n", parts)
}

// warning is a Warning header with an MC code, TS 24.379 4.4.
func warning(text string) string { return "Warning: 399 mcptt.example.org \"" + text + "\"\r\n" }
