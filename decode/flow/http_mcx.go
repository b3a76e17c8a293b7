package flow

import "strings"

// httpMCX reports whether an HTTP message has to do with mission critical services, by what its header section says:
// key management (TS 33.180 D), identity management (TS 33.180 B, OpenID Connect Core), configuration and groups
// (XCAP, RFC 4825), their media types, a bearer token, the set-up of SIP over WebSocket. q is the request of a response.
func httpMCX(h *HTTP, q *httpRequest) bool {
	if h.Request && (mcxTarget(h.Target) || mcxHost(h.Authority)) {
		return true
	}
	for i := range h.Header {
		f := &h.Header[i]
		switch len(f.Name) {
		case len("content-type"), len("accept"), len("location"), len("authorization"), len("www-authenticate"), len("sec-websocket-protocol"):
		default:
			if len(f.Name) > 7 && equalFold([]byte(f.Name[:7]), "x-3gpp-") {
				return true
			}
			continue
		}
		switch {
		case equalFold([]byte(f.Name), "content-type"), equalFold([]byte(f.Name), "accept"):
			if mcxType(f.Value) {
				return true
			}
		case equalFold([]byte(f.Name), "location"):
			if mcxTarget(f.Value) {
				return true
			}
		case equalFold([]byte(f.Name), "authorization"), equalFold([]byte(f.Name), "www-authenticate"):
			if len(f.Value) >= 6 && equalFold([]byte(f.Value[:6]), "bearer") {
				return true
			}
		case equalFold([]byte(f.Name), "sec-websocket-protocol"):
			if hasToken([]byte(f.Value), "sip") {
				return true
			}
		}
	}
	return false
}

// mcxType looks for the media types of MIKEY, XCAP, PoC, 3GPP and OMA.
func mcxType(v string) bool {
	v = strings.ToLower(v)
	return containsAny(v, "mikey", "3gpp", "mcptt", "mcvideo", "mcdata", "vnd.oma.", "xcap-", "poc-settings", "resource-lists", "rls-services",
		"auth-policy", "x-www-form-urlencoded+", "message/sip", "application/jose", "application/jwt")
}

// mcxTarget looks for the paths and parameters of the services in a request target or a URI.
func mcxTarget(t string) bool {
	path, query, _ := strings.Cut(t, "?")
	path = strings.ToLower(path)
	if containsAny(path, "/keymanagement/", "org.3gpp.", "org.openmobilealliance.", "xcap-root", "xcap-caps", "/resource-lists/", "/rls-services/", "/~~/",
		"/mcptt", "/mcvideo", "/mcdata", "/mcx", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/npcf-", "/nnef-") {
		return true
	}
	last := strings.TrimSuffix(path, "/")
	if i := strings.LastIndexByte(last, '/'); i >= 0 {
		last = last[i+1:]
	}
	switch last {
	case "authorize", "token", "userinfo", "introspect", "revoke", "jwks", "jwks.json", "keymanagement":
		return true
	}
	if query == "" {
		return false
	}
	for p := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(p, "=")
		switch name {
		case "client_id", "grant_type", "response_type", "redirect_uri", "code_challenge", "code_verifier", "access_token", "id_token_hint", "code":
			return true
		}
	}
	return false
}

// mcxHost looks for the names that operators give the servers of the services, and for the home network domain of
// TS 23.003 13.2.
func mcxHost(host string) bool {
	host = strings.ToLower(host)
	if strings.HasSuffix(strings.TrimRight(host, ":0123456789"), "3gppnetwork.org") {
		return true
	}
	for label := range strings.SplitSeq(host, ".") {
		label, _, _ = strings.Cut(label, ":")
		label, _, _ = strings.Cut(label, "-")
		switch strings.TrimRight(label, "0123456789") {
		case "kms", "idm", "idms", "idmc", "cms", "gms", "xcap", "xdms", "mcptt", "mcvideo", "mcdata", "mcx", "mcs", "mcc":
			return true
		}
	}
	return false
}

func containsAny(s string, list ...string) bool {
	for _, t := range list {
		if strings.Contains(s, t) {
			return true
		}
	}
	return false
}
