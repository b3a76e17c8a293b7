package lab

import (
	"net/url"
	"time"
)

// wholeChain acts out one user's day from identity management to recording. The CSK is encapsulated to its sender too
// (TS 33.180 E.5), so that the keys that the user is given open it.
func (c *Scene) wholeChain(st kmsStyle) {
	access, refresh := c.login(c.allScopes() + " " + scopeAdmin + " " + scopeReplay)
	st.token, st.identity = access, c.U.party(c.S)
	c.provision(st)
	c.configure(access)
	k := c.csk(func(e *Envelope) { e.Self = true })
	both := Style{Protection: both}
	c.register(k, both, elem{"-access-token", "String", access, false}, c.client())
	c.settingsOnly(k, both)
	c.groups(access)
	c.record(refresh)
	c.renew(refresh, c.allScopes(), c.accessToken(tokenSpec{scope: c.allScopes()}))
	c.exchange(access)
}

// serversFirst has the servers get their keys, then a user who gets none: the servers' keys open what they are sent.
func (c *Scene) serversFirst() {
	for i, p := range []Party{c.Sys.server(c.S), {gmsURI, c.Sys.Domains[0]}} {
		token := c.jws(mustJSON(map[string]any{"iss": "https://idms.mc.example.org", "client_id": p.URI, "scope": "3gpp:mc:ptt_key_management_service", "exp": c.Net.Clock.Add(time.Hour).Unix()}))
		c.provision(kmsStyle{identity: p, token: token, server: byte(2 + 32*i)})
	}
	access, _ := c.login(c.allScopes()) // which shows the MC service ID
	c.publish(c.csk(), Style{Protection: both}, elem{"-access-token", "String", access, false}, c.client())
}

const (
	challenge401 = "WWW-Authenticate: Bearer realm=\"mc\", error=\"invalid_token\", error_description=\"The access token expired\"\r\n"
	challenge403 = "WWW-Authenticate: Bearer realm=\"mc\", error=\"insufficient_scope\", error_description=\"not for this service\", scope=\"3gpp:mc:ptt_key_management_service\"\r\n"
)

// others tells what becomes of wrapped keys with each form of keys but the one that has the transport keys.
var others = map[Form]string{FormLog: "no_key", FormMaster: "no_key", FormXML: "no_key"}

// webScenarios are those of the HTTP half.
var webScenarios = []Scenario{
	{Name: "chain", Clause: "TS 33.180 5.1.3.1", Shows: "one user's chain over HTTP and SIP: identity, keys in the clear, configuration, REGISTER, group key, recording", run: func(c *Scene) { c.wholeChain(kmsStyle{}) }},
	{Name: "chain-signed", Clause: "TS 33.180 D.1", Shows: "the same, the KMS signs with an InK", run: func(c *Scene) { c.wholeChain(kmsStyle{sign: true}) }},
	{Name: "chain-wrapped", Clause: "TS 33.180 D.1", Shows: "the same, signed, keys wrapped under a TrK", ByForm: others, run: func(c *Scene) { c.wholeChain(kmsStyle{sign: true, wrap: true}) }},
	{Name: "chain-new-key", Clause: "TS 33.180 D.3.2", Shows: "the same, wrapped under a new TrK that the KMS sends first", ByForm: others, run: func(c *Scene) { c.wholeChain(kmsStyle{sign: true, wrap: true, rotate: true}) }},
	{Name: "chain-servers", Clause: "TS 33.180 5.3.1", Shows: "MCPTT and group server get their keys from the KMS, then a user logs in and authorises", run: func(c *Scene) { c.serversFirst() }},
	{Name: "chain-late", Clause: "TS 33.180 5.1.3.1", Shows: "a REGISTER, and only then the user's keys from the KMS: what two readings of a file open", run: func(c *Scene) {
		access := c.accessToken(tokenSpec{scope: c.allScopes()})
		c.register(c.csk(func(e *Envelope) { e.Self = true }), Style{Protection: both}, elem{"-access-token", "String", access, false}, c.client())
		c.provision(kmsStyle{token: access, identity: c.U.party(c.S)})
	}},
	{Name: "fail-kms-signature", Clause: "TS 33.180 D.1", Shows: "the KMS response is signed with another InK than it names", run: func(c *Scene) {
		access, _ := c.login(c.allScopes())
		c.provision(kmsStyle{sign: true, wrongKey: true, token: access, identity: c.U.party(c.S)})
	}},
	{Name: "fail-kms-transport", Clause: "TS 33.180 D.1", Shows: "keys wrapped under a TrK that nobody has", Fault: "no_key", ByForm: map[Form]string{FormWrapped: "tag_mismatch"}, run: func(c *Scene) {
		access, _ := c.login(c.allScopes())
		c.provision(kmsStyle{wrap: true, strange: true, token: access, identity: c.U.party(c.S)})
	}},
	{Name: "fail-kms-error", Clause: "TS 33.180 D.3.1", Shows: "the KMS refuses with a KmsError (its code is an assumption)", run: func(c *Scene) {
		access, _ := c.login(c.allScopes())
		target := "/keymanagement/identity/v1/keyprov/" + url.PathEscape(c.U.IDs[c.S.Name])
		c.web(webRequest{site: siteKMS, method: "POST", target: target, token: access, status: 403, reason: "Forbidden", type_: "application/xml",
			doc: `<KmsResponse ` + kmsNS + ` Version="1.0.0"><UserUri>` + c.U.IDs[c.S.Name] + `</UserUri><KmsUri>` + c.U.Domain.KMS + `</KmsUri><Time>` + c.Net.Clock.UTC().Format(time.RFC3339) +
				`</Time><ClientReqUrl>http://` + siteKMS.host + target + `</ClientReqUrl><KmsError><ErrorCode>17</ErrorCode><ErrorMsg>user not known</ErrorMsg></KmsError></KmsResponse>`})
	}},
	{Name: "fail-idm-grant", Clause: "TS 33.180 B.4.2", Shows: "the token request is refused: invalid_grant", run: func(c *Scene) {
		form := url.Values{"grant_type": {"authorization_code"}, "code": {"used-before-0123456789"}, "client_id": {"UE-" + c.U.Name}, "redirect_uri": {redirectURI},
			"code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}}
		c.web(webRequest{site: siteIdMS, method: "POST", target: "/idms/token", kind: "application/x-www-form-urlencoded", body: form.Encode(), status: 400, reason: "Bad Request",
			type_: "application/json", doc: `{"error":"invalid_grant","error_description":"the code was used before"}`})
	}},
	{Name: "fail-idm-pkce", Clause: "TS 33.180 B.4.2.2", Shows: "an authorisation request without PKCE and openid, refused", run: func(c *Scene) {
		q := url.Values{"response_type": {"code"}, "client_id": {"UE-" + c.U.Name}, "scope": {c.S.Scope}, "redirect_uri": {redirectURI}, "state": {"s1"}, "acr_values": {"3gpp:acr:password"}}
		c.web(webRequest{site: siteIdMS, method: "GET", target: "/idms/authorize?" + q.Encode(), status: 302, reason: "Found",
			answer: "Location: " + redirectURI + "?error=invalid_request&error_description=code_challenge+missing&state=s1\r\n"})
	}},
	{Name: "fail-bearer-expired", Clause: "TS 33.180 B.10", Shows: "401: the bearer token shown to the configuration server is expired", run: func(c *Scene) {
		token := c.accessToken(tokenSpec{scope: c.allScopes(), life: -time.Hour})
		id := c.U.IDs[c.S.Name]
		c.web(webRequest{site: siteCMS, method: "GET", target: "/xcap-root/org.3gpp." + c.S.Name + ".user-profile/users/" + id + "/" + c.S.Name + "-user-profile-1.xml", token: token,
			status: 401, reason: "Unauthorized", answer: challenge401})
	}},
	{Name: "fail-bearer-scope", Clause: "TS 33.180 B.10", Shows: "403: the bearer token shown to the KMS is not scoped for key management", run: func(c *Scene) {
		c.web(webRequest{site: siteKMS, method: "POST", target: "/keymanagement/identity/v1/init", token: c.accessToken(tokenSpec{}), status: 403, reason: "Forbidden", answer: challenge403})
	}},
	{Name: "fail-xcap", Clause: "TS 24.481", Shows: "409: a group document that the server does not take", run: func(c *Scene) {
		c.web(webRequest{site: siteGMS, method: "PUT", target: "/org.openmobilealliance.groups/global/byGroupID/" + url.PathEscape(groupURI), token: c.accessToken(tokenSpec{scope: c.allScopes()}),
			kind: "application/vnd.oma.poc.groups+xml", body: `<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="` + groupURI + `"/></group>`, status: 409, reason: "Conflict",
			type_: "application/xcap-error+xml", doc: `<?xml version="1.0" encoding="UTF-8"?><xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error"><constraint-failure phrase="the group has no members"/></xcap-error>`})
	}},
}
