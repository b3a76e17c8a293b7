package lab

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys"
)

// The HTTP half: identity management, key management, configuration, groups, recording, over plain TCP. What wraps a
// connection in TLS does so around these octets.

// A site is one HTTP server.
type site struct {
	host string
	last byte // of its address
}

var (
	siteIdMS = site{"idms.mc.example.org", 31}
	siteKMS  = site{"kms.example.org", 32}
	siteCMS  = site{"cms.mc.example.org", 33}
	siteGMS  = site{"gms.mc.example.org", 34}
	siteRec  = site{"rec.mc.example.org", 35}
)

func (c *Scene) at(s site) netip.AddrPort {
	if c.Net.Shape.V6 {
		return addr(fmt.Sprintf("[2001:db8::%x]:80", s.last))
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, s.last}), 80)
}

// webConn is a connection that is kept open.
type webConn struct {
	from, to netip.AddrPort
	*Stream
}

// connection is that of the scene's user, or of a server, to a site.
func (c *Scene) connection(from netip.AddrPort, s site) *Stream {
	to := c.at(s)
	for _, w := range *c.webs {
		if w.from == from && w.to == to {
			return w.Stream
		}
	}
	w := webConn{from, to, c.Net.Dial(from, to, c.rng.Uint32())}
	*c.webs = append(*c.webs, w)
	return w.Stream
}

// A webRequest is one exchange: the request, and the status and content of its response.
type webRequest struct {
	site           site
	method, target string
	token          string // bearer
	headers        string // further fields of the request
	kind, body     string // content of the request

	status     int
	reason     string
	answer     string // further fields of the response
	type_, doc string // content of the response
	chunked    bool
	server     byte // the request comes from the MC server with this last octet of its address instead of the user
}

// web acts out an exchange.
func (c *Scene) web(r webRequest) {
	from := netip.AddrPortFrom(c.ue().Addr(), 40000+uint16(r.site.last))
	if r.server != 0 {
		from = netip.AddrPortFrom(c.at(site{last: r.server}).Addr(), 40000+uint16(r.site.last))
	}
	s := c.connection(from, r.site)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: mcx-lab/1\r\n", r.method, r.target, r.site.host)
	if r.token != "" {
		b.WriteString("Authorization: Bearer " + r.token + "\r\n")
	}
	b.WriteString(r.headers)
	if r.kind != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", r.kind, len(r.body))
	}
	b.WriteString("\r\n" + r.body)
	c.sendWeb(s, true, b.String())
	c.wait(12 * time.Millisecond)
	b.Reset()
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nServer: mcx-lab/1\r\n%s", r.status, r.reason, r.answer)
	switch {
	case r.chunked:
		fmt.Fprintf(&b, "Content-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", r.type_)
		for doc := r.doc; len(doc) > 0; {
			n := min(700, len(doc))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, doc[:n])
			doc = doc[n:]
		}
		b.WriteString("0\r\n\r\n")
	case r.type_ != "":
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s", r.type_, len(r.doc), r.doc)
	default:
		b.WriteString("Content-Length: 0\r\n\r\n")
	}
	c.sendWeb(s, false, b.String())
	c.wait(40 * time.Millisecond)
}

func (c *Scene) sendWeb(s *Stream, up bool, text string) {
	*c.count++
	writes := []TLSWrite{{!up, []byte(text)}}
	if c.wrapTLS != nil {
		writes = c.wrapTLS(s, up, writes[0].Octets)
	}
	for _, w := range writes {
		for _, send := range s.Send(!w.Server, w.Octets, 1360) {
			send()
		}
	}
}

// jws writes a JWS with random octets for a signature.
func (c *Scene) jws(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256","typ":"JWT","kid":"lab-1"}`)) + "." + enc([]byte(claims)) + "." + enc(c.octets(64))
}

// allScopes are the scopes of a client of the scene's service, TS 33.180 B.4.2.2.
func (c *Scene) allScopes() string {
	p := strings.TrimSuffix(c.S.Scope, "service")
	return "openid " + c.S.Scope + " " + p + "key_management_service " + p + "config_management_service " + p + "group_management_service"
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return string(b)
}

const redirectURI = "http://127.0.0.1/cb"

// login acts out the authorisation code grant with PKCE, TS 33.180 B.4.2, and returns the access token.
func (c *Scene) login(scopes string) (access, refresh string) {
	state, code := hex.EncodeToString(c.octets(8)), base64.RawURLEncoding.EncodeToString(c.octets(24))
	verifier := base64.RawURLEncoding.EncodeToString(c.octets(32))
	sum := sha256.Sum256([]byte(verifier))
	client := "UE-" + c.U.Name
	q := url.Values{"response_type": {"code"}, "client_id": {client}, "scope": {scopes}, "redirect_uri": {redirectURI}, "state": {state}, "acr_values": {"3gpp:acr:password"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	c.web(webRequest{site: siteIdMS, method: "GET", target: "/idms/authorize?" + q.Encode(), status: 200, reason: "OK", type_: "text/html", doc: "<html><form method=\"post\" action=\"/idms/login\"></form></html>"})
	form := url.Values{"username": {c.U.Name}, "password": {hex.EncodeToString(c.octets(6))}}
	c.web(webRequest{site: siteIdMS, method: "POST", target: "/idms/login", kind: "application/x-www-form-urlencoded", body: form.Encode(), status: 302, reason: "Found",
		answer: "Location: " + redirectURI + "?" + url.Values{"code": {code}, "state": {state}}.Encode() + "\r\n"})
	form = url.Values{"grant_type": {"authorization_code"}, "code": {code}, "client_id": {client}, "redirect_uri": {redirectURI}, "code_verifier": {verifier}}
	access, refresh = c.accessToken(tokenSpec{scope: scopes}), base64.RawURLEncoding.EncodeToString(c.octets(32))
	now := c.Net.Clock.Unix()
	id := c.jws(mustJSON(map[string]any{"iss": "https://idms.mc.example.org", "sub": c.U.Name, "aud": client, "exp": now + 3600, "iat": now, c.S.Claim: c.U.IDs[c.S.Name]}))
	c.web(webRequest{site: siteIdMS, method: "POST", target: "/idms/token", kind: "application/x-www-form-urlencoded", body: form.Encode(), status: 200, reason: "OK", answer: "Cache-Control: no-store\r\n",
		type_: "application/json", doc: mustJSON(map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh, "id_token": id, "scope": scopes})})
	return access, refresh
}

// renew acts out a refresh, TS 33.180 B.5: another token, for less perhaps.
func (c *Scene) renew(refresh, scopes, access string) string {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {"UE-" + c.U.Name}, "scope": {scopes}}
	c.web(webRequest{site: siteIdMS, method: "POST", target: "/idms/token", kind: "application/x-www-form-urlencoded", body: form.Encode(), status: 200, reason: "OK",
		type_: "application/json", doc: mustJSON(map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600, "scope": scopes})})
	return access
}

// exchange acts out the exchange for a partner's domain, TS 33.180 B.7.
func (c *Scene) exchange(access string) {
	const partner = "https://idms.partner.example.net"
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {"UE-" + c.U.Name}, "resource": {partner}, "subject_token": {access},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}}
	now := c.Net.Clock.Unix()
	security := c.jws(mustJSON(map[string]any{"iss": "https://idms.mc.example.org", "sub": c.U.Name, "aud": []string{"UE-" + c.U.Name, partner}, "exp": now + 600, "iat": now}))
	c.web(webRequest{site: siteIdMS, method: "POST", target: "/idms/token", kind: "application/x-www-form-urlencoded", body: form.Encode(), status: 200, reason: "OK",
		type_: "application/json", doc: mustJSON(map[string]any{"access_token": security, "issued_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_type": "N_A", "expires_in": 600})})
}

// A kmsStyle says how a KMS answers. The zero style is in the clear.
type kmsStyle struct {
	sign, wrap bool
	rotate     bool   // the init response brings a new transport key, which wraps what follows
	wrongKey   bool   // signed with another key than the named one
	strange    bool   // wrapped under a transport key that nobody has
	server     byte   // the client is a server
	token      string // bearer token
	identity   Party  // whom keys are for
}

// transport is the TrK and InK of an identity, drawn once, with their names.
func (s *System) transport(uri string) (trk, ink LogKey) {
	user := strings.TrimPrefix(uri, "sip:")
	t, ok := s.wraps[uri]
	if !ok {
		if !strings.HasPrefix(user, "operator@") {
			t[0] = s.octets(32)
		}
		t[1] = s.octets(32)
		s.wraps[uri] = t
	}
	return LogKey{Key: t[0], URI: "tk.1." + user}, LogKey{Key: t[1], URI: "ik.1." + user}
}

// sealResponse signs a KMS response, TS 33.180 D.1.
func sealResponse(r, name string, key []byte) (string, error) {
	d, err := xmlsec.Parse([]byte(`<SignedKmsResponse `+kmsNS+` Id="xmldoc">`+r+`</SignedKmsResponse>`), xmlsec.Limits{})
	if err != nil {
		return "", err
	}
	_, err = xmlsec.Sign(d.Tree.Root(), xmlsec.SignOptions{Key: key, KeyName: name, References: []xmlsec.SignReference{{URI: "#xmldoc", Transforms: []string{xmlsec.URIEnveloped, xmlsec.URIC14N10}}}})
	return string(xmlsec.C14N{}.Document(d.Tree)), err
}

func (c *Scene) fail(err error) {
	if err != nil && c.Net.err == nil {
		c.Net.err = err
	}
}

// wrapKey writes an EncryptedKey, TS 33.180 D.1; carried names a new transport key.
func (c *Scene) wrapKey(key, kek []byte, name, carried string) string {
	el, err := xmlsec.Wrap(key, xmlsec.WrapOptions{KEK: kek, KeyName: name, Padded: true})
	if err != nil {
		c.fail(err)
		return ""
	}
	if carried != "" {
		k := el.CreateElement("CarriedKeyName")
		k.Space = el.Space
		k.SetText(carried)
	}
	return string(xmlsec.C14N{}.Element(el))
}

// kms acts out one request to a KMS, TS 33.180 D.2, and its answer.
func (c *Scene) kms(st kmsStyle, path, message string) {
	p := st.identity
	target := "/keymanagement/identity/v1/" + path
	trk, ink := c.Sys.transport(p.URI)
	ids := ""
	if st.wrap {
		ids = "<TrK-ID>" + trk.URI + "</TrK-ID>"
	}
	if st.sign {
		ids += "<Signature-ID>" + ink.URI + "</Signature-ID>"
	}
	now := c.Net.Clock.UTC().Format(time.RFC3339)
	url := "http://" + siteKMS.host + target
	req := `<?xml version="1.0" encoding="UTF-8"?><KmsRequest ` + kmsNS + ` Version="1.1.0"><UserUri>` + p.URI + `</UserUri><KmsUri>` + p.Domain.KMS + `</KmsUri><Time>` + now +
		`</Time><ClientId>UE-` + c.U.Name + `</ClientId><ClientReqUrl>` + url + `</ClientReqUrl>` + ids + `</KmsRequest>`
	doc := `<KmsResponse Version="1.0.0"><UserUri>` + p.URI + `</UserUri><KmsUri>` + p.Domain.KMS + `</KmsUri><Time>` + now + `</Time><KmsId>KMS-1</KmsId><ClientReqUrl>` + url + `</ClientReqUrl><KmsMessage>` + message + `</KmsMessage></KmsResponse>`
	if st.sign {
		key := ink.Key
		if st.wrongKey {
			key = c.octets(32)
		}
		var err error
		doc, err = sealResponse(doc, ink.URI, key)
		c.fail(err)
	} else {
		doc = strings.Replace(doc, "<KmsResponse", "<KmsResponse "+kmsNS, 1)
	}
	c.web(webRequest{site: siteKMS, method: "POST", target: target, token: st.token, kind: "application/xml", body: req, status: 200, reason: "OK", type_: "application/xml", doc: doc, server: st.server})
}

// provision acts out KMS Initialize, KeyProvision and CertCache for one identity.
func (c *Scene) provision(st kmsStyle) {
	d := st.identity.Domain
	trk, _ := c.Sys.transport(st.identity.URI)
	init := d.certificate()
	kek, name := trk.Key, trk.URI
	if st.rotate {
		fresh := c.octets(32)
		next := strings.Replace(name, "tk.1.", "tk.2.", 1)
		init = strings.Replace(init, "</KmsInit>", "<NewTransportKey>"+c.wrapKey(fresh, kek, name, next)+"</NewTransportKey></KmsInit>", 1)
		kek, name = fresh, next
	}
	if st.strange {
		kek, name = c.octets(32), "tk.9.nobody"
	}
	c.kms(st, "init", init)
	set, err := st.identity.keySet(func(k []byte) (string, error) {
		if !st.wrap {
			return ` xsi:type="KeyContentType">` + hex.EncodeToString(k), nil
		}
		return ` xsi:type="EncKeyContentType">` + c.wrapKey(k, kek, name, ""), nil
	})
	c.fail(err)
	c.kms(st, "keyprov/"+url.PathEscape(st.identity.URI), set)
	if len(c.Sys.Domains) > 1 {
		var b strings.Builder
		b.WriteString(`<KmsCertCache Version="1.0.0" CacheNum="7">`)
		for _, o := range c.Sys.Domains {
			if o != d {
				cert := strings.TrimSuffix(strings.TrimPrefix(o.certificate(), `<KmsInit Version="1.0.0">`), "</KmsInit>")
				b.WriteString(strings.Replace(cert, `Role="Root"`, `Role="External"`, 1))
			}
		}
		b.WriteString("</KmsCertCache>")
		c.kms(st, "certcache", b.String())
	}
}

// document acts out an XCAP GET, RFC 4825 7.
func (c *Scene) document(s site, token, target, kind, doc string, chunked bool) {
	c.web(webRequest{site: s, method: "GET", target: target, token: token, headers: "Accept: " + kind + "\r\n", status: 200, reason: "OK",
		answer: fmt.Sprintf("ETag: \"%x\"\r\n", sha256.Sum256([]byte(doc)))[:14] + "\"\r\n", type_: kind, doc: doc, chunked: chunked})
}

// configure acts out the documents of the configuration management server, TS 24.484.
func (c *Scene) configure(token string) {
	n, id := c.S.Name, c.U.IDs[c.S.Name]
	ue := "sip:" + c.U.Name + "-ue@mc.example.org"
	root := "/xcap-root/org.3gpp." + n
	c.document(siteCMS, "", root+".ue-init-config/users/"+ue+"/"+c.U.Name+"-ue", "application/vnd.3gpp."+n+"-ue-init-config+xml",
		`<?xml version="1.0" encoding="UTF-8"?><`+n+`-UE-initial-configuration xmlns="urn:3gpp:`+n+`:`+n+`UEinitConfig:1.0" domain="mc.example.org" XUI-URI="`+ue+`"><name xml:lang="en">lab</name>`+
			`<Default-user-profile User-ID="`+id+`" user-profile-index="1"/><on-network><App-Server-Info><idms-auth-endpoint>http://`+siteIdMS.host+`/idms/authorize</idms-auth-endpoint>`+
			`<idms-token-endpoint>http://`+siteIdMS.host+`/idms/token</idms-token-endpoint><gms>http://`+siteGMS.host+`</gms><cms>http://`+siteCMS.host+`</cms><kms>http://`+siteKMS.host+`</kms></App-Server-Info>`+
			`<CMS-XCAP-root-URI>http://`+siteCMS.host+`/xcap-root</CMS-XCAP-root-URI><GMS-URI>`+gmsURI+`</GMS-URI>`+
			`<integrity-protection-enabled>false</integrity-protection-enabled><confidentiality-protection-enabled>false</confidentiality-protection-enabled></on-network></`+n+`-UE-initial-configuration>`, false)
	c.document(siteCMS, token, root+".ue-config/users/"+id+"/"+c.U.Name+"-ue", "application/vnd.3gpp."+n+"-ue-config+xml",
		`<?xml version="1.0" encoding="UTF-8"?><`+n+`-UE-configuration xmlns="urn:3gpp:`+n+`:`+n+`UEConfig:1.0" domain="mc.example.org" XUI-URI="`+id+`"><common/><on-network><IPv6Preferred>false</IPv6Preferred></on-network></`+n+`-UE-configuration>`, false)
	c.document(siteCMS, token, root+".user-profile/users/"+id+"/"+n+"-user-profile-1.xml", "application/vnd.3gpp."+n+"-user-profile+xml",
		`<?xml version="1.0" encoding="UTF-8"?><`+n+`-user-profile xmlns="urn:3gpp:`+n+`:user-profile:1.0" XUI-URI="`+id+`" user-profile-index="1"><Name xml:lang="en">Dispatcher</Name><Status>true</Status><Pre-selected-indication>true</Pre-selected-indication>`+
			`<Common><UserAlias><alias-entry>`+c.U.Name+`</alias-entry></UserAlias></Common><OnNetwork><MCPTTGroupInfo><entry><uri-entry>`+groupURI+`</uri-entry></entry></MCPTTGroupInfo></OnNetwork></`+n+`-user-profile>`, true)
	c.document(siteCMS, token, root+".service-config/global/service-config.xml", "application/vnd.3gpp."+n+"-service-config+xml", c.serviceConfig(true, true), false)
}

// serviceConfig is a service configuration document, TS 24.484 8.4.
func (c *Scene) serviceConfig(confidentiality, integrity bool) string {
	n := c.S.Name
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><service-configuration-info xmlns="urn:3gpp:ns:%[1]sServiceConfig:1.0"><service-configuration-params domain="mc.example.org"><on-network>`+
		`<signalling-protection><confidentiality-protection>%[2]v</confidentiality-protection><integrity-protection>%[3]v</integrity-protection></signalling-protection>`+
		`<protection-between-%[1]s-servers><allow-signalling-protection>true</allow-signalling-protection></protection-between-%[1]s-servers>`+
		`</on-network></service-configuration-params></service-configuration-info>`, n, confidentiality, integrity)
}

// groups acts out a group document with a GMK for the user, TS 24.481 and TS 33.180 5.7. The name of the element that
// holds the key is an assumption.
func (c *Scene) groups(token string) {
	id, key := c.Sys.keyID(keys.GMK), c.Sys.octets(16)
	c.hand(keys.GMK, id, key, groupURI)
	var list strings.Builder
	for _, u := range c.Sys.Users[:min(3, len(c.Sys.Users))] {
		list.WriteString(`<entry uri="` + u.IDs[c.S.Name] + `"/>`)
	}
	doc := `<?xml version="1.0" encoding="UTF-8"?><group xmlns="urn:oma:xml:poc:list-service" xmlns:mcpttgi="urn:3gpp:ns:mcpttGroupInfo:1.0"><list-service uri="` + groupURI + `"><display-name xml:lang="en">Rescue</display-name><list>` + list.String() +
		`</list><mcpttgi:group-key>` + base64.StdEncoding.EncodeToString(c.gmk(id, key)) + `</mcpttgi:group-key></list-service></group>`
	c.document(siteGMS, token, "/org.openmobilealliance.groups/global/byGroupID/"+url.PathEscape(groupURI), "application/vnd.oma.poc.groups+xml", doc, true)
}

// record acts out a recording administrator and a replay user, TS 33.180 5.1.3.1. Scopes and resources are an assumption:
// no specification text with their names was at hand.
func (c *Scene) record(refresh string) {
	token := func(scope string) string {
		return c.renew(refresh, "openid "+scope, c.jws(mustJSON(map[string]any{"iss": "https://idms.mc.example.org", "mcrec_id": "sip:" + c.U.Name + "@rec.mc.example.org", "client_id": "UE-" + c.U.Name,
			"scope": "openid " + scope, "exp": c.Net.Clock.Add(time.Hour).Unix()})))
	}
	c.web(webRequest{site: siteRec, method: "PUT", target: "/recording/v1/targets/" + url.PathEscape(groupURI), token: token(scopeAdmin), kind: "application/json", body: `{"record":true}`, status: 204, reason: "No Content"})
	c.web(webRequest{site: siteRec, method: "GET", target: "/recording/v1/replay?group=" + url.QueryEscape(groupURI), token: token(scopeReplay), status: 200, reason: "OK", type_: "application/json", doc: `{"recordings":[]}`})
}

// The scopes of recording, whose names are an assumption.
const (
	scopeAdmin  = "3gpp:mc:recording_admin_service"
	scopeReplay = "3gpp:mc:recording_replay_service"
)
