package decode

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// http adds the nodes of an HTTP message and those of its bodies. The framing was done by package flow, where both
// directions of the connection meet.
func (w *worker) http(u *flow.Unit) {
	h := u.HTTP
	m := w.at(0)
	m.src, m.base, m.depth, m.http = 0, 0, 0, true
	w.response = !h.Request
	w.httpSecrets(h)
	w.httpHeader(u)
	shown := w.c.words // of the token
	w.c.words = nil
	w.httpServices(u)
	w.httpContent(u, m)
	// What a service means by the message goes first: a terminal cuts lines off. Where nobody knows, the target says most.
	words := w.c.words
	known := slices.ContainsFunc(words, func(s string) bool { return !slices.Contains(plainContent, s) })
	w.c.words = nil
	if known {
		w.say(words)
		w.say(shown)
	}
	switch {
	case h.Request:
		w.c.Say(strings.TrimSpace(shorten(w.shownURI(h.Target)) + " " + h.Authority))
	case h.RequestMethod != "":
		w.c.Say("answer to " + h.RequestMethod + " " + shorten(w.shownURI(h.RequestTarget)))
	default:
		w.c.Say("answer to a request that is not in the capture")
	}
	w.say(shown)
	w.say(words)
}

// plainContent are the words of bodies that no service stands behind.
var plainContent = []string{"form", "html", "JSON", "text"}

func (w *worker) say(words []string) {
	for _, s := range words {
		w.c.Say(s)
	}
}

// httpAt is the place of a field's value.
func httpAt(f *flow.HTTPField) record.Place { return record.At(0, int(f.Off), int(f.Len)) }

// httpHeader adds the http object.
func (w *worker) httpHeader(u *flow.Unit) {
	b, h := &w.b, u.HTTP
	if !b.Open(fHTTP, record.At(0, 0, h.HeaderEnd)) {
		b.Close()
		return
	}
	uri := func(f *record.Field, s string, at record.Place) {
		if s == "" {
			return
		}
		shown := w.shownURI(s)
		if n := b.Str(f, shown, at); n != nil && shown != s {
			n.Flags |= record.Withheld
		}
	}
	str := func(f *record.Field, s string, at record.Place) {
		if s != "" {
			b.Str(f, s, at)
		}
	}
	at := func(s string) record.Place { // in the start line
		line, _, _ := bytes.Cut(u.Data[:h.HeaderEnd], []byte("\n"))
		if i := bytes.Index(line, []byte(s)); i >= 0 && s != "" {
			return record.At(0, i, len(s))
		}
		return record.Place{}
	}
	if h.Request {
		b.Str(fHTTPType, "request", record.Place{})
		b.Str(fHTTPVersion, h.Version, record.Place{})
		str(fHTTPMethod, h.Method, at(h.Method))
		uri(fHTTPTarget, h.Target, at(h.Target))
		str(fHTTPScheme, h.Scheme, record.Place{})
		str(fHTTPHost, h.Authority, w.httpHostAt(h, at))
	} else {
		b.Str(fHTTPType, "response", record.Place{})
		b.Str(fHTTPVersion, h.Version, record.Place{})
		if h.Status >= 0 {
			b.Num(fHTTPStatus, int64(h.Status), at(itoa(h.Status)))
		}
		str(fHTTPReason, h.Reason, at(h.Reason))
	}
	w.httpField(h, "user-agent", fHTTPUserAgent)
	w.httpField(h, "server", fHTTPServer)
	if f := httpField(h, "location"); f != nil {
		uri(fHTTPLocation, f.Value, httpAt(f))
	}
	w.httpAuth(h)
	w.httpField(h, "content-type", fHTTPContentType)
	w.httpField(h, "content-encoding", fHTTPContentEncoding)
	if n := h.ContentEnd - h.HeaderEnd; n > 0 {
		b.Num(fHTTPContentLength, int64(n), record.Place{})
	}
	w.httpField(h, "etag", fHTTPETag)
	b.Num(fHTTPConnection, int64(h.Conn), record.Place{})
	if h.Stream != 0 {
		b.Num(fHTTPStream, int64(h.Stream), record.Place{})
	}
	if h.Exchange != 0 {
		b.Num(fHTTPExchange, int64(h.Exchange), record.Place{})
	}
	if h.RequestMethod != "" && b.Open(fHTTPRequest, record.Place{}) {
		if w.request != 0 {
			b.Num(fHTTPRequestNumber, int64(w.request), record.Place{})
		}
		b.Str(fHTTPRequestMethod, h.RequestMethod, record.Place{})
		uri(fHTTPRequestTarget, h.RequestTarget, record.Place{})
		str(fHTTPRequestHost, h.RequestHost, record.Place{})
		b.Close()
	} else if h.RequestMethod != "" {
		b.Close()
	}
	w.httpHeaders(h)
	b.Close()
}

// httpField finds the first field of a name, which is given in lower case.
func httpField(h *flow.HTTP, lower string) *flow.HTTPField {
	for i := range h.Header {
		if f := &h.Header[i]; len(f.Name) == len(lower) && strings.EqualFold(f.Name, lower) {
			return f
		}
	}
	return nil
}

func (w *worker) httpField(h *flow.HTTP, lower string, f *record.Field) {
	if !w.b.Wants(f) {
		return
	}
	if g := httpField(h, lower); g != nil && g.Value != "" {
		w.b.Str(f, g.Value, httpAt(g))
	}
}

// httpHostAt is where the authority of a request stands: in the target or in the Host field.
func (w *worker) httpHostAt(h *flow.HTTP, inLine func(string) record.Place) record.Place {
	if f := httpField(h, "host"); f != nil && f.Value == h.Authority {
		return httpAt(f)
	}
	return inLine(h.Authority)
}

// httpHeaders lists every field as it was on the wire, without secrets.
func (w *worker) httpHeaders(h *flow.HTTP) {
	b := &w.b
	for i := range h.Header {
		f := &h.Header[i]
		self, name, value := fHTTPHeaders, fHTTPHeaderName, fHTTPHeaderValue
		if f.Trailer {
			self, name, value = fHTTPTrailers, fHTTPTrailerName, fHTTPTrailer
		}
		if !b.Wants(self) {
			continue
		}
		if b.Open(self, httpAt(f)) {
			b.Str(name, f.Name, record.Place{})
			v, cut := w.shownField(f)
			if n := b.Str(value, v, httpAt(f)); n != nil && cut {
				n.Flags |= record.Withheld
			}
		}
		b.Close()
	}
}

// httpAuth shows credentials and challenges: of a token all but what proves possession, of a password nothing.
func (w *worker) httpAuth(h *flow.HTTP) {
	for i := range h.Header {
		f := &h.Header[i]
		switch strings.ToLower(f.Name) {
		case "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate":
		default:
			continue
		}
		v := []byte(f.Value)
		a, _ := sipparse.ParseAuth(v)
		scheme := string(a.Scheme.In(v))
		place := httpAt(f)
		at := func(s sipparse.Span) record.Place {
			if int(f.Len) != len(v) {
				return place // folded
			}
			return record.At(0, int(f.Off)+int(s.Off), int(s.Len))
		}
		_, rest, _ := strings.Cut(f.Value, " ")
		rest = strings.TrimSpace(rest)
		var t token
		bearer := a.Params.Len == 0 && rest != "" && (strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "dpop"))
		if bearer {
			t = parseToken([]byte(rest), "")
		}
		challenge := strings.HasSuffix(strings.ToLower(f.Name), "-authenticate") // its parameters are for everybody (RFC 6750 3)
		built := w.b.Open(fHTTPAuth, place)
		if built {
			w.b.Str(fHTTPAuthHeader, f.Name, record.Place{})
			if rest != "" || strings.HasSuffix(strings.ToLower(f.Name), "authenticate") || w.opt.ShowSecrets {
				w.b.Str(fHTTPAuthScheme, scheme, at(a.Scheme))
			}
			switch {
			case rest == "":
			case a.Params.Len > 0 && (challenge || !secretScheme(v[:min(len(scheme), len(v))])):
				w.authParams(fHTTPAuthParams, &a, at)
			default:
				shown, cut := withhold(rest, w.opt.ShowSecrets)
				if n := w.b.Str(fHTTPAuthToken, shown, place); n != nil && cut {
					n.Flags |= record.Withheld
				}
				if bearer {
					w.c.tokenNodes(&t, httpToken, nil, place)
				}
			}
		}
		w.b.Close()
		if bearer {
			w.c.checkToken(&t, "", nil, fHTTPAuthToken, place)
		}
	}
}
