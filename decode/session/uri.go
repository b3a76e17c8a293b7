package session

import "strings"

// canon brings a SIP, SIPS or tel URI to the form in which identities are compared: without parameters and headers,
// scheme and host in lower case, the user part as it is (RFC 3261 19.1.4), a telephone number without its separators
// (RFC 3966 5). A text that is no URI comes back trimmed and in lower case.
func canon(uri string) string {
	uri = strings.TrimSpace(uri)
	if len(uri) > 1 && uri[0] == '<' {
		uri = strings.TrimSuffix(uri[1:], ">")
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok {
		return lower(uri)
	}
	scheme = lower(scheme)
	switch scheme {
	case "tel":
		rest, _, _ = strings.Cut(rest, ";")
		if strings.ContainsAny(rest, "-.() ") {
			rest = strings.NewReplacer("-", "", ".", "", "(", "", ")", "", " ", "").Replace(rest)
		}
		return join(uri, "tel:", "", rest)
	case "sip", "sips":
		rest, _, _ = strings.Cut(rest, "?")
		user, host := "", rest
		if i := strings.LastIndexByte(rest, '@'); i >= 0 {
			user, host = rest[:i+1], rest[i+1:]
		}
		host, _, _ = strings.Cut(host, ";")
		host = lower(host)
		if scheme == "sip" && strings.HasSuffix(host, ":5060") && !strings.HasSuffix(host, "::5060") {
			host = host[:len(host)-5]
		}
		return join(uri, scheme+":", user, host)
	case "urn":
		return lower(uri)
	}
	return join(uri, scheme+":", "", rest)
}

// join saves the copy when nothing had to change.
func join(whole, a, b, c string) string {
	if len(whole) == len(a)+len(b)+len(c) && strings.HasPrefix(whole, a) && strings.HasSuffix(whole, c) && whole[len(a):len(a)+len(b)] == b {
		return whole
	}
	return a + b + c
}

func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// sameURI compares two identities.
func sameURI(a, b string) bool { return a == b || canon(a) == canon(b) }
