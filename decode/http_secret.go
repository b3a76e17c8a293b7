package decode

import (
	"strings"

	"github.com/mcxdump/mcxdump/decode/flow"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A cut is a stretch [from, to) of a text that is withheld.
type cut struct{ from, to int }

// uriSecrets finds the values of secret parameters in the query and the fragment of a URI (RFC 6749 4, RFC 6750 2.3).
func uriSecrets(s string, list []cut) []cut {
	i := strings.IndexAny(s, "?#")
	if i < 0 {
		return jwsSecrets(s, 0, list)
	}
	for i < len(s) {
		i++ // "?", "#" or "&"
		end := len(s)
		if k := strings.IndexAny(s[i:], "&#;"); k >= 0 {
			end = i + k
		}
		if name, _, ok := strings.Cut(s[i:end], "="); ok {
			at := i + len(name) + 1
			if record.SecretMember(string(unescape([]byte(name)))) && end > at {
				list = append(list, signatureOnly(s, at, end))
			} else {
				list = jwsSecrets(s[:end], at, list)
			}
		}
		i = end
	}
	return list
}

// signatureOnly is what is secret of a credential s[from:to]: the signature of a JWS, else all.
func signatureOnly(s string, from, to int) cut {
	if a, b := jws(s[:to], from); a == from && b == to {
		return cut{from + strings.LastIndexByte(s[from:to], '.') + 1, to}
	}
	return cut{from, to}
}

// jwsSecrets finds the signatures of tokens anywhere in s from octet i on.
func jwsSecrets(s string, i int, list []cut) []cut {
	for i < len(s) {
		from, to := jws(s, i)
		if from < 0 {
			break
		}
		if sig := from + strings.LastIndexByte(s[from:to], '.') + 1; sig < to {
			list = append(list, cut{sig, to})
		}
		i = to
	}
	return list
}

// fieldSecrets finds what must not be shown of a field's value.
func fieldSecrets(name, v string) []cut {
	switch n := strings.ToLower(name); n {
	case "authorization", "proxy-authorization":
		scheme, rest, ok := strings.Cut(v, " ")
		if !ok {
			return []cut{{0, len(v)}}
		}
		from := len(scheme) + len(rest) - len(strings.TrimLeft(rest, " ")) + 1
		if from < len(v) && (secretScheme([]byte(scheme)) || strings.EqualFold(scheme, "dpop") || !strings.ContainsAny(rest, "=,") ||
			strings.IndexByte(strings.TrimRight(rest, "="), '=') < 0) {
			return []cut{signatureOnly(v, from, len(v))}
		}
	case "cookie", "set-cookie":
		var list []cut
		for i := 0; i < len(v); {
			end := len(v)
			if k := strings.IndexByte(v[i:], ';'); k >= 0 {
				end = i + k
			}
			if _, value, ok := strings.Cut(v[i:end], "="); ok && value != "" {
				list = append(list, cut{end - len(value), end})
			}
			if n == "set-cookie" {
				break // attributes follow
			}
			i = end + 1
		}
		return list
	case "location", "content-location", "referer", "link", "refresh":
		return uriSecrets(v, nil)
	default:
		if strings.Contains(n, "token") || strings.Contains(n, "api-key") || strings.Contains(n, "secret") || strings.Contains(n, "password") {
			if v != "" {
				return []cut{signatureOnly(v, 0, len(v))}
			}
		}
	}
	return jwsSecrets(v, 0, nil)
}

// withheldAll writes s with the stretches replaced by their lengths.
func withheldAll(s string, list []cut) string {
	if len(list) == 0 {
		return s
	}
	var b strings.Builder
	done := 0
	for _, c := range list {
		b.WriteString(s[done:c.from])
		b.WriteString("[" + itoa(c.to-c.from) + " characters withheld]")
		done = c.to
	}
	b.WriteString(s[done:])
	return b.String()
}

// shownURI is a request target or URI reference as it may be shown.
func (w *worker) shownURI(s string) string {
	if w.opt.ShowSecrets || !strings.ContainsAny(s, "?#") && !strings.Contains(s, "eyJ") {
		return s
	}
	return withheldAll(s, uriSecrets(s, nil))
}

// shownField is a field's value as it may be shown.
func (w *worker) shownField(f *flow.HTTPField) (string, bool) {
	if w.opt.ShowSecrets {
		return f.Value, false
	}
	list := fieldSecrets(f.Name, f.Value)
	return withheldAll(f.Value, list), len(list) > 0
}

// httpSecrets masks credentials in the message's octets for hex dumps.
func (w *worker) httpSecrets(h *flow.HTTP) {
	if w.opt.ShowSecrets || len(w.rec.Sources) == 0 {
		return
	}
	if h.Request && h.Target != "" {
		if i := strings.Index(text(w.rec.Sources[0].Data[:h.HeaderEnd]), h.Target); i >= 0 {
			for _, c := range uriSecrets(h.Target, nil) {
				w.mask(0, i+c.from, c.to-c.from)
			}
		}
	}
	for i := range h.Header {
		f := &h.Header[i]
		list := fieldSecrets(f.Name, f.Value)
		if len(list) > 0 && int(f.Len) != len(f.Value) { // folded: offsets do not agree
			list = []cut{{0, int(f.Len)}}
		}
		for _, c := range list {
			w.mask(0, int(f.Off)+c.from, c.to-c.from)
		}
	}
}
