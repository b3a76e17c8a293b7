package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Identity management: OpenID Connect and OAuth 2.0 as TS 33.180 annex B has them. What stands in a query is shown beside
// the http object, what stands in a form or in JSON beside that.

var (
	idmSelf      = reg("idm", "Identity management", "TS 33.180 B", record.Object)
	idmMessage   = reg("idm.message", "Message", "TS 33.180 B.4", record.String)
	idmGrant     = reg("idm.grant_type", "grant_type", "RFC 6749 4.1.3", record.String)
	idmRespType  = reg("idm.response_type", "response_type", "RFC 6749 4.1.1", record.String)
	idmClient    = regID("idm.client_id", "client_id", "RFC 6749 2.2")
	idmScope     = regList("idm.scope", "scope", "TS 33.180 B.4.2.2", record.String)
	idmRedirect  = regID("idm.redirect_uri", "redirect_uri", "RFC 6749 3.1.2")
	idmState     = reg("idm.state", "state", "RFC 6749 4.1.1", record.String)
	idmNonce     = reg("idm.nonce", "nonce", "OpenID Connect Core 1.0 3.1.2.1", record.String)
	idmACR       = regList("idm.acr_values", "acr_values", "TS 33.180 B.4.2.2", record.String)
	idmChallenge = reg("idm.code_challenge", "code_challenge", "RFC 7636 4.3", record.String)
	idmMethod    = reg("idm.code_challenge_method", "code_challenge_method", "RFC 7636 4.3", record.String)
	idmUser      = regID("idm.username", "User name", "RFC 6749 4.3.2")
	idmCode      = reg("idm.code", "Authorisation code", "RFC 6749 4.1.2", record.String)
	idmCodeMark  = reg("idm.code_fingerprint", "First 64 bits of SHA-256 over the authorisation code", "mcxdump", record.String)
	idmVerifier  = reg("idm.code_verifier", "code_verifier", "RFC 7636 4.5", record.String)
	idmProof     = reg("idm.verifier_challenge", "The S256 challenge that this code_verifier answers", "RFC 7636 4.6", record.String)
	idmSecret    = reg("idm.secret", "Password or client secret", "RFC 6749 2.3.1", record.String)
	idmResource  = regList("idm.resource", "resource (the partner's IdM server)", "TS 33.180 B.7.3", record.String)
	idmAudience  = regList("idm.audience", "audience", "RFC 8693 2.1", record.String)
	idmWanted    = reg("idm.requested_token_type", "requested_token_type", "RFC 8693 2.1", record.String)
	idmIssued    = reg("idm.issued_token_type", "issued_token_type", "RFC 8693 2.2.1", record.String)
	idmType      = reg("idm.token_type", "token_type", "RFC 6749 7.1", record.String)
	idmExpires   = reg("idm.expires_in", "expires_in, seconds", "RFC 6749 5.1", record.Int)
	idmIssuer    = reg("idm.issuer", "iss", "RFC 9207 2", record.String)
	idmSubject   = regID("idm.sub", "sub", "OpenID Connect Core 1.0 5.3.2")
	idmTokens    = regList("idm.tokens", "Tokens", "TS 33.180 B.2", record.Object)
	idmTokenKind = reg("idm.tokens.kind", "Which token", "TS 33.180 B.2", record.String)
	idmTokenText = reg("idm.tokens.token", "Token, without what proves possession", "TS 33.180 B.2", record.String)
	idmTokenType = reg("idm.tokens.type", "Type of the token, as RFC 8693 names it", "RFC 8693 3", record.String)
	idmToken     = registerToken("idm.tokens", "")

	idmError      = reg("idm.error", "Error", "RFC 6749 5.2", record.Object)
	idmErrorCode  = reg("idm.error.code", "error", "RFC 6749 5.2", record.String)
	idmErrorText  = reg("idm.error.description", "error_description", "RFC 6749 5.2", record.String)
	idmErrorURI   = reg("idm.error.uri", "error_uri", "RFC 6749 5.2", record.String)
	idmErrorWords = reg("idm.error.words", "In words", "RFC 6749 5.2", record.String)
)

// A param is one parameter of a query, form or JSON object.
type param struct {
	key   string
	value []byte
	raw   string // of JSON: the value as it stands; "" for a form
	at    record.Place
}

// maxParams bounds the parameters that are looked at.
const maxParams = 256

// queryParams reads application/x-www-form-urlencoded text.
func queryParams(data []byte, at func(off, n int) record.Place) []param {
	var out []param
	off := 0
	for pair := range bytes.SplitSeq(data, []byte("&")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		voff := off + min(len(name)+1, len(pair))
		off += len(pair) + 1
		if len(pair) == 0 || len(name) > 128 {
			continue
		}
		if len(out) >= maxParams {
			break
		}
		out = append(out, param{key: string(formText(name)), value: formText(value), at: at(voff, len(value))})
	}
	return out
}

// paramOf is the first parameter of a name.
func paramOf(ps []param, key string) *param {
	for i := range ps {
		if ps[i].key == key {
			return &ps[i]
		}
	}
	return nil
}

func has(ps []param, keys ...string) bool {
	for _, k := range keys {
		if paramOf(ps, k) == nil {
			return false
		}
	}
	return true
}

// idmPlain are the parameters that are shown as they are.
var idmPlain = map[string]*record.Field{
	"grant_type": idmGrant, "response_type": idmRespType, "client_id": idmClient, "redirect_uri": idmRedirect, "state": idmState, "nonce": idmNonce,
	"code_challenge": idmChallenge, "code_challenge_method": idmMethod, "username": idmUser, "login": idmUser, "requested_token_type": idmWanted,
	"issued_token_type": idmIssued, "token_type": idmType, "iss": idmIssuer, "sub": idmSubject,
}

var idmLists = map[string]*record.Field{"scope": idmScope, "acr_values": idmACR, "resource": idmResource, "audience": idmAudience}

// idmTokenKinds are the parameters that are tokens.
var idmTokenKinds = []string{"access_token", "id_token", "refresh_token", "subject_token", "actor_token", "assertion", "id_token_hint"}

// idmOf tells what message of the identity management parameters are: form says that they stand in a request, json that
// they are a response's.
func idmOf(ps []param, request, json bool) string {
	switch {
	case request && has(ps, "grant_type"):
		return "token_request"
	case request && has(ps, "response_type", "client_id"):
		return "authorisation_request"
	case request && has(ps, "code", "state"):
		return "authorisation_response"
	case request && (has(ps, "username", "password") || has(ps, "login", "password")):
		return "user_authentication"
	case request:
		return ""
	case json && has(ps, "access_token"):
		return "token_response"
	case json && has(ps, "error") && idmErrors[string(paramOf(ps, "error").value)] != "":
		return "token_error"
	case json && has(ps, "issuer", "token_endpoint"):
		return "discovery"
	case json && has(ps, "keys") && strings.Contains(paramOf(ps, "keys").raw, `"kty"`):
		return "key_set"
	case json && has(ps, "sub") && !has(ps, "exp"):
		return "user_info"
	case !json && has(ps, "code"):
		return "authorisation_response"
	case !json && has(ps, "error") && idmErrors[string(paramOf(ps, "error").value)] != "":
		return "authorisation_response"
	}
	return ""
}

// idm shows a message of the identity management. p is nil when it stands in the target or in a header field.
func (c *Context) idm(what string, ps []param, p *Part, at record.Place) {
	if what == "" {
		return
	}
	c.mcx = true
	self := len(c.B.R.Nodes)
	built := c.B.Open(idmSelf, at)
	c.B.Str(idmMessage, what, record.Place{})
	seen := map[string]bool{}
	for i := range ps {
		x := &ps[i]
		if seen[x.key] && x.key != "resource" && x.key != "audience" {
			continue
		}
		seen[x.key] = true
		switch f := idmPlain[x.key]; {
		case f == idmUser && seen["user"]:
		case f != nil:
			seen["user"] = seen["user"] || f == idmUser
			c.put(f, x.value, x.at)
		case idmLists[x.key] != nil:
			for n, v := range slices.Collect(strings.FieldsSeq(string(clip(x.value, 16<<10)))) {
				if n < 128 {
					c.B.Str(idmLists[x.key], v, x.at)
				}
			}
		case x.key == "code":
			c.idmHide(idmCode, x)
			c.B.Str(idmCodeMark, fingerprint(x.value), record.Place{})
		case x.key == "code_verifier":
			c.idmHide(idmVerifier, x)
			sum := sha256.Sum256(x.value)
			c.B.Str(idmProof, base64.RawURLEncoding.EncodeToString(sum[:]), record.Place{})
		case x.key == "password" || x.key == "client_secret":
			if !seen["secret"] {
				seen["secret"] = true
				c.idmHide(idmSecret, x)
			}
		case x.key == "expires_in":
			if n, err := strconv.ParseInt(string(x.value), 10, 63); err == nil {
				c.B.Num(idmExpires, n, x.at)
			}
		}
	}
	words := c.idmTokensOf(ps, p)
	if e := paramOf(ps, "error"); e != nil {
		words = append(words, c.idmFailure(ps, e, p))
	}
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	c.Say(c.idmWords(what, ps))
	for _, w := range words {
		c.Say(w)
	}
	switch what {
	case "authorisation_request":
		c.checkAuthRequest(ps, p, at)
	case "token_request":
		c.checkTokenRequest(ps, p, at)
	case "token_response":
		c.checkTokenResponse(ps, p, at)
	}
}

// idmHide shows that a secret is there and how long it is.
func (c *Context) idmHide(f *record.Field, x *param) {
	if n := c.B.Node(f, x.at); n != nil {
		if c.ShowSecrets() {
			c.setText(n, x.value)
			return
		}
		c.setText(n, withheldText(x.value, 0, len(x.value)))
		n.Flags |= record.Withheld
	}
}

// idmTokensOf shows the tokens among parameters; of a refresh token nothing but its fingerprint. It returns words.
func (c *Context) idmTokensOf(ps []param, p *Part) (words []string) {
	for _, kind := range idmTokenKinds {
		x := paramOf(ps, kind)
		if x == nil || len(x.value) == 0 {
			continue
		}
		t := parseToken(x.value, "")
		c.B.Open(idmTokens, x.at)
		c.B.Str(idmTokenKind, kind, record.Place{})
		if kind == "refresh_token" {
			c.idmHide(idmTokenText, x)
			c.B.Str(idmToken.fingerprint, fingerprint(x.value), record.Place{})
		} else {
			text, held := t.shown(c.ShowSecrets())
			if n := c.put(idmTokenText, []byte(text), x.at); n != nil && held {
				n.Flags |= record.Withheld
			}
			if k := paramOf(ps, kind+"_type"); k != nil {
				c.put(idmTokenType, k.value, k.at)
			}
			c.tokenNodes(&t, idmToken, p, x.at)
		}
		c.B.Close()
		switch kind {
		case "access_token":
			c.checkToken(&t, "", p, idmTokens, x.at)
		case "id_token", "subject_token", "assertion":
			if kind == "id_token" {
				c.checkIDToken(&t, p, x.at)
			}
			words = append(words, strings.ReplaceAll(kind, "_", " ")+" "+fingerprint(x.value)[:8])
		case "refresh_token":
			words = append(words, "refresh token "+fingerprint(x.value)[:8])
		}
	}
	return words
}

// idmErrors are the error codes of RFC 6749 4.1.2.1 and 5.2, RFC 6750 3.1, RFC 8693 2.2.2 and OpenID Connect Core 1.0
// 3.1.2.6, in words.
var idmErrors = map[string]string{
	"invalid_request":            "a parameter is missing, repeated or malformed",
	"invalid_client":             "the client is not known or did not authenticate",
	"invalid_grant":              "the code, token or credentials are wrong, used up, expired or of another client",
	"unauthorized_client":        "the client may not use this grant",
	"unsupported_grant_type":     "the server does not know this grant",
	"unsupported_response_type":  "the server does not know this response type",
	"invalid_scope":              "the scope is unknown, malformed or more than the user may have",
	"access_denied":              "the user or the server refused",
	"server_error":               "the server failed",
	"temporarily_unavailable":    "the server is overloaded or being maintained",
	"invalid_target":             "the server gives no token for this resource",
	"invalid_token":              "the token is expired, revoked, malformed or invalid for another reason",
	"insufficient_scope":         "the token's scope is not enough",
	"login_required":             "the user has to log in",
	"consent_required":           "the user has to consent",
	"interaction_required":       "the user has to do something",
	"account_selection_required": "the user has to choose an account",
	"request_not_supported":      "the server takes no request parameter",
}

func (c *Context) idmFailure(ps []param, e *param, p *Part) string {
	code := string(clip(e.value, 64))
	text := ""
	c.B.Open(idmError, e.at)
	c.put(idmErrorCode, e.value, e.at)
	if d := paramOf(ps, "error_description"); d != nil {
		text = string(clip(d.value, 200))
		c.put(idmErrorText, d.value, d.at)
	}
	if u := paramOf(ps, "error_uri"); u != nil {
		c.put(idmErrorURI, u.value, u.at)
	}
	words := idmErrors[code]
	if words != "" {
		c.B.Str(idmErrorWords, words, record.Place{})
	}
	c.B.Close()
	msg := fmt.Sprintf("the identity server refused: %q", code)
	if words != "" {
		msg += " (" + words + ")"
	}
	if text != "" {
		msg += fmt.Sprintf(", %q", text)
	}
	c.Find("idm-error", record.Warning, "RFC 6749 5.2", msg, p, idmError, e.at)
	return "error " + shorten(code)
}

// idmWords says what a message is.
func (c *Context) idmWords(what string, ps []param) string {
	get := func(k string) string {
		if x := paramOf(ps, k); x != nil {
			return shorten(string(clip(x.value, 256)))
		}
		return ""
	}
	switch what {
	case "authorisation_request":
		return "IdM authorisation request"
	case "authorisation_response":
		if has(ps, "code") {
			return "IdM authorisation response with a code"
		}
		return "IdM authorisation response"
	case "token_request":
		g := get("grant_type")
		w := "IdM token request, " + idmGrants[g]
		if idmGrants[g] == "" {
			w = "IdM token request, grant " + g
		}
		if r := get("resource"); r != "" {
			w += " for " + r
		}
		return w
	case "token_response":
		return "IdM token response"
	case "token_error":
		return "IdM token response"
	case "user_authentication":
		return "IdM user authentication"
	case "user_info":
		return "IdM user info"
	case "discovery":
		return "IdM configuration"
	case "key_set":
		return "IdM key set"
	}
	return "IdM"
}

var idmGrants = map[string]string{
	"authorization_code": "by code", "refresh_token": "by refresh token", "password": "by password", "client_credentials": "by client credentials",
	"urn:ietf:params:oauth:grant-type:token-exchange": "token exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer": "by security token of another domain",
}

// lacking lists which of the names are missing.
func lacking(ps []param, names ...string) string {
	var out []string
	for _, n := range names {
		if x := paramOf(ps, n); x == nil || len(x.value) == 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, ", ")
}

func (c *Context) checkAuthRequest(ps []param, p *Part, at record.Place) {
	if l := lacking(ps, "redirect_uri", "state", "acr_values", "scope"); l != "" {
		c.Find("idm-missing", record.Warning, "TS 33.180 B.4.2.2", "authorisation request without "+l, p, idmSelf, at)
	}
	if x := paramOf(ps, "response_type"); x != nil && string(x.value) != "code" {
		c.Find("idm-response-type", record.Warning, "TS 33.180 B.4.2.1", fmt.Sprintf("response_type is %q and not code", clip(x.value, 64)), p, idmRespType, x.at)
	}
	if x := paramOf(ps, "scope"); x != nil {
		scopes := strings.Fields(string(clip(x.value, 16<<10)))
		if !slices.Contains(scopes, "openid") {
			c.Find("idm-scope-openid", record.Error, "TS 33.180 B.4.2.2", "the scope of the authorisation request lacks openid", p, idmScope, x.at)
		}
		for _, s := range scopes[:min(len(scopes), 64)] {
			if strings.HasPrefix(s, "3gpp:") && scopeWords(s) == "" {
				c.Find("idm-scope-unknown", record.Note, "TS 33.180 B.4.2.2", fmt.Sprintf("scope %q is not one of those confirmed", s), p, idmScope, x.at)
			}
		}
	}
	if x := paramOf(ps, "acr_values"); x != nil && !slices.Contains(strings.Fields(string(clip(x.value, 4096))), "3gpp:acr:password") {
		c.Find("idm-acr", record.Note, "TS 33.180 B.4.2.2", "acr_values lacks 3gpp:acr:password", p, idmACR, x.at)
	}
	ch, m := paramOf(ps, "code_challenge"), paramOf(ps, "code_challenge_method")
	switch {
	case ch == nil || len(ch.value) == 0:
		c.Find("idm-pkce-missing", record.Warning, "TS 33.180 B.4.2.2", "authorisation request without code_challenge: PKCE is required", p, idmChallenge, at)
	case m == nil || string(m.value) == "plain":
		c.Find("idm-pkce-plain", record.Warning, "RFC 7636 4.2", "PKCE with the method plain protects nothing here; S256 is required", p, idmMethod, ch.at)
	case string(m.value) != "S256":
		c.Find("idm-pkce-method", record.Error, "RFC 7636 4.3", fmt.Sprintf("code_challenge_method %q is none", clip(m.value, 64)), p, idmMethod, m.at)
	case len(ch.value) != 43 || !isBase64(ch.value):
		c.Find("idm-pkce-challenge", record.Error, "RFC 7636 4.2", "the code_challenge is not base64url of a SHA-256", p, idmChallenge, ch.at)
	}
}

func (c *Context) checkTokenRequest(ps []param, p *Part, at record.Place) {
	grant := string(clip(paramOf(ps, "grant_type").value, 128))
	l := ""
	switch grant {
	case "authorization_code":
		l = lacking(ps, "code", "redirect_uri", "client_id", "code_verifier")
	case "refresh_token":
		l = lacking(ps, "refresh_token")
	case "urn:ietf:params:oauth:grant-type:token-exchange":
		l = lacking(ps, "subject_token", "subject_token_type", "resource")
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		l = lacking(ps, "assertion")
	case "password":
		c.Find("idm-grant-password", record.Warning, "TS 33.180 B.4.2.1", "token request with the password itself; native clients use the authorisation code", p, idmGrant, at)
	}
	if l != "" {
		c.Find("idm-missing", record.Warning, "TS 33.180 B.4.2.4", "token request without "+l, p, idmSelf, at)
	}
	if v := paramOf(ps, "code_verifier"); v != nil && (len(v.value) < 43 || len(v.value) > 128) {
		c.Find("idm-pkce-verifier", record.Error, "RFC 7636 4.1", fmt.Sprintf("the code_verifier has %d characters, not 43 to 128", len(v.value)), p, idmVerifier, v.at)
	}
}

func (c *Context) checkTokenResponse(ps []param, p *Part, at record.Place) {
	x := paramOf(ps, "token_type")
	switch {
	case x == nil:
		c.Find("idm-missing", record.Warning, "RFC 6749 5.1", "token response without token_type", p, idmSelf, at)
	case !bytes.EqualFold(x.value, []byte("bearer")) && !bytes.EqualFold(x.value, []byte("N_A")):
		c.Find("idm-token-type", record.Warning, "TS 33.180 B.10", fmt.Sprintf("token_type is %q and not bearer", clip(x.value, 64)), p, idmType, x.at)
	}
}

// checkIDToken holds an ID token to TS 33.180 B.2.1.
func (c *Context) checkIDToken(t *token, p *Part, at record.Place) {
	if !t.jws {
		c.Find("idm-id-token", record.Error, "TS 33.180 B.2.1", "the ID token is not a JWS compact token (three base64url parts)", p, idmTokens, at)
		return
	}
	var l []string
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat"} {
		if !slices.ContainsFunc(t.claims, func(m member) bool { return m.name == name }) {
			l = append(l, name)
		}
	}
	if len(l) > 0 {
		c.Find("idm-id-token", record.Warning, "TS 33.180 B.2.1", "the ID token lacks "+strings.Join(l, ", "), p, idmTokens, at)
	}
}

// scopeWords says what a scope is for, "" for one that is not confirmed: TS 33.180 B.4.2.2 and, for release 13, TS 33.179.
func scopeWords(s string) string {
	switch s {
	case "3gpp:mc:location_management_service":
		return "location management"
	case "3gpp:mcptt:ptt_server":
		return "MCPTT"
	case "3gpp:mcptt:key_management_server":
		return "key management"
	case "3gpp:mcptt:config_management_server":
		return "configuration management"
	case "3gpp:mcptt:group_management_server":
		return "group management"
	}
	rest, ok := strings.CutPrefix(s, "3gpp:mc:")
	if !ok {
		return ""
	}
	for prefix, name := range map[string]string{"ptt_": "MCPTT", "video_": "MCVideo", "data_": "MCData"} {
		if fn, ok := strings.CutPrefix(rest, prefix); ok {
			switch fn {
			case "service":
				return name
			case "key_management_service":
				return "key management"
			case "config_management_service":
				return "configuration management"
			case "group_management_service":
				return "group management"
			}
		}
	}
	return ""
}

// inRequest tells whether the body at hand stands in a request; otherwise is the answer where that is not known.
func (c *Context) inRequest(otherwise bool) bool {
	if c.web == nil {
		return otherwise
	}
	return c.web.Request
}

// answers tells whether the message is the answer to a request whose target has a word in it.
func (c *Context) answers(word string) bool {
	return c.web != nil && !c.web.Request && strings.Contains(strings.ToLower(c.web.RequestTarget), word)
}

// jsonParams lists the members of a JSON object as parameters; the tokens' place is the whole body.
func jsonParams(p *Part) []param {
	ms, _, ok := members(p.Data)
	if !ok {
		return nil
	}
	out := make([]param, 0, len(ms))
	for _, m := range ms {
		out = append(out, param{key: m.name, value: []byte(jsonText(m.value)), raw: m.value, at: p.Place(0, len(p.Data))})
	}
	return out
}
