package decode

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
)

// httpServices adds what is known of a message of the key, identity, configuration and group management servers, between
// the http object and the bodies. Of a response, the target of its request tells what it is about.
func (w *worker) httpServices(u *flow.Unit) {
	h, c := u.HTTP, &w.c
	c.web, c.learns = h, c.ring != nil
	target, at := h.Target, record.Place{}
	if h.Request {
		if i := bytes.Index(u.Data[:h.HeaderEnd], []byte(h.Target)); i >= 0 {
			at = record.At(0, i, len(h.Target))
		}
	} else {
		target = h.RequestTarget
	}
	service := "" // what a token has to be scoped for
	switch {
	case c.kmsTarget(target, at):
		service = "key management"
		if _, rest := kmsPath(target); c.ring != nil && len(rest) > 0 && isURI(rest[0]) {
			w.learn(rest[0])
		}
	default:
		if x, ok := c.xcap(target, at); ok {
			switch {
			case strings.HasSuffix(x.kind, "UE initial configuration"): // read before there is a token
			case x.auid == "org.openmobilealliance.groups":
				service = "group management"
			case strings.HasPrefix(x.auid, "org.3gpp.mc"):
				service = "configuration management"
			}
		} else {
			w.idmTarget(h, at)
		}
	}
	if h.Request {
		w.presented(h, service)
	} else {
		w.refused(h, service)
	}
	w.learnBody(0)
}

// idmTarget shows an authorisation request in a query, and the response in a Location or in the target that it leads to.
func (w *worker) idmTarget(h *flow.HTTP, at record.Place) {
	if h.Request {
		if _, query, ok := strings.Cut(h.Target, "?"); ok {
			query, _, _ = strings.Cut(query, "#")
			from := len(h.Target) - len(h.Target[strings.IndexByte(h.Target, '?')+1:])
			ps := queryParams([]byte(query), func(off, n int) record.Place {
				if !at.Known {
					return at
				}
				return record.At(at.Src, int(at.Off)+from+off, n)
			})
			w.c.idm(idmOf(ps, true, false), ps, nil, at)
		}
		return
	}
	f := httpField(h, "location")
	if f == nil || h.Status < 300 || h.Status > 399 {
		return
	}
	for _, mark := range []byte{'?', '#'} {
		i := strings.IndexByte(f.Value, mark)
		if i < 0 {
			continue
		}
		query := f.Value[i+1:]
		if mark == '?' {
			query, _, _ = strings.Cut(query, "#")
		}
		ps := queryParams([]byte(query), func(off, n int) record.Place {
			if int(f.Len) != len(f.Value) {
				return httpAt(f) // folded
			}
			return record.At(0, int(f.Off)+i+1+off, n)
		})
		if what := idmOf(ps, false, false); what != "" {
			w.c.idm(what, ps, nil, httpAt(f))
			return
		}
	}
}

// Recording servers: TS 33.180 5.1.3.1 has an administrator, who sets targets, and a replay user, who retrieves what was
// recorded. Neither their scopes nor their resources are confirmed, so that both are told by their words.
var (
	recSelf   = reg("recording", "Recording server", "TS 33.180 5.1.3.1", record.Object)
	recRole   = reg("recording.role", "Role of the client: admin, replay or unknown", "TS 33.180 5.1.3.1", record.String)
	recAction = reg("recording.action", "What the request does", "TS 33.180 5.1.3.1", record.String)
	recPath   = regID("recording.resource", "Resource", "TS 33.180 5.1.3.1")
	recUser   = regID("recording.mcrec_id", "MC recording ID in the token", "TS 33.180 B.2.2")
	recScope  = regList("recording.scope", "Scopes of the token that name recording", "TS 33.180 B.4.2.2", record.String)
	recAnswer = reg("recording.answer", "Answer", "TS 33.180 5.1.3.1", record.String)
	recSure   = reg("recording.unconfirmed", "Told by words in scope and path; no specification text was at hand", "mcxdump", record.Bool)
)

var recActions = map[string]string{"GET": "retrieve", "HEAD": "look", "PUT": "set", "POST": "submit", "PATCH": "modify", "DELETE": "remove"}

// recWords tells whether a path segment or scope is about recording.
func recWords(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "recording") || strings.Contains(s, "replay") || strings.Contains(s, "mcrec")
}

// bearer takes the claims that matter out of the bearer token of a request.
func bearer(h *flow.HTTP) (scopes []string, mcrec string, present bool) {
	f := httpField(h, "authorization")
	if f == nil {
		return nil, "", false
	}
	scheme, rest, _ := strings.Cut(f.Value, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return nil, "", false
	}
	t := parseToken([]byte(strings.TrimSpace(rest)), "")
	for _, m := range t.claims {
		switch m.name {
		case "scope":
			scopes = strings.Fields(strings.Trim(jsonText(m.value), "[]"))
		case "mcrec_id":
			mcrec = jsonText(m.value)
		}
	}
	return scopes[:min(len(scopes), 64)], mcrec, true
}

// presented tells of a request without a token to a service that wants one. Whether the token is right for the service is
// the session's to say, which follows it.
func (w *worker) presented(h *flow.HTTP, service string) {
	scopes, mcrec, present := bearer(h)
	c := &w.c
	if service == "" && w.recording(h, h.Method, h.Target, scopes, mcrec) {
		return
	}
	if service != "" && !present {
		c.Find("bearer-missing", record.Warning, "TS 33.180 5.1.3.1", "request for "+service+" without an access token", nil, fHTTPAuth, record.At(0, 0, 0))
	}
}

// recording shows a request to a recording server, or its answer.
func (w *worker) recording(h *flow.HTTP, method, target string, scopes []string, mcrec string) bool {
	path, _, _ := strings.Cut(target, "?")
	var named []string
	for _, s := range scopes {
		if recWords(s) {
			named = append(named, s)
		}
	}
	if len(path) > 4096 || !recWords(path) && mcrec == "" && len(named) == 0 {
		return false
	}
	w.c.mcx = true
	role, words := "unknown", strings.ToLower(path+" "+strings.Join(named, " "))
	switch {
	case strings.Contains(words, "admin"), strings.Contains(words, "target"):
		role = "admin"
	case strings.Contains(words, "replay"):
		role = "replay"
	}
	action := recActions[method]
	if action == "" {
		action = strings.ToLower(string(clip([]byte(method), 20)))
	}
	b := &w.b
	b.Open(recSelf, record.Place{})
	b.Str(recRole, role, record.Place{})
	b.Str(recAction, action, record.Place{})
	b.Str(recPath, unescapePath(path), record.Place{})
	for _, s := range named {
		b.Str(recScope, s, record.Place{})
	}
	if mcrec != "" {
		b.Str(recUser, mcrec, record.Place{})
	}
	if !h.Request {
		b.Str(recAnswer, strings.TrimSpace(itoa(max(h.Status, 0))+" "+h.Reason), record.Place{})
	}
	b.Bool(recSure, true, record.Place{})
	b.Close()
	w.c.Say("recording " + role + " " + action)
	return true
}

// refused tells why a server did not accept a token.
func (w *worker) refused(h *flow.HTTP, service string) {
	c := &w.c
	if service == "" && h.RequestTarget != "" && w.recording(h, h.RequestMethod, h.RequestTarget, nil, "") {
		service = "recording"
	}
	f := httpField(h, "www-authenticate")
	if f != nil && len(f.Value) >= 6 && strings.EqualFold(f.Value[:6], "bearer") {
		code, text, scope := challengeParam(f.Value, "error"), challengeParam(f.Value, "error_description"), challengeParam(f.Value, "scope")
		msg := "the server wants an access token"
		if code != "" {
			msg = fmt.Sprintf("the server refused the access token: %q", clip([]byte(code), 64))
			if words := idmErrors[code]; words != "" {
				msg += " (" + words + ")"
			}
		}
		if text != "" {
			msg += fmt.Sprintf(", %q", clip([]byte(text), 200))
		}
		if scope != "" {
			msg += fmt.Sprintf("; scope needed: %q", clip([]byte(scope), 200))
		}
		c.Find("bearer-refused", record.Warning, "RFC 6750 3", msg, nil, fHTTPAuth, httpAt(f))
		if code != "" {
			c.Say("token refused: " + shorten(code))
		}
		return
	}
	if service != "" && (h.Status == 401 || h.Status == 403) && h.ContentEnd <= h.HeaderEnd {
		c.Find("bearer-refused", record.Warning, "TS 33.180 B.10", fmt.Sprintf("the server refused the request for %s with %d and does not say why in WWW-Authenticate", service, h.Status), nil, fHTTPStatus, record.At(0, 0, 0))
	}
}

// challengeParam is a parameter of a challenge, without its quotes.
func challengeParam(v, name string) string {
	for from := 0; ; {
		i := strings.Index(v[from:], name+"=")
		if i < 0 {
			return ""
		}
		i += from
		from = i + len(name) + 1
		if i > 0 && v[i-1] != ' ' && v[i-1] != ',' && v[i-1] != '\t' {
			continue // the end of another name
		}
		rest := v[from:]
		if rest, ok := strings.CutPrefix(rest, `"`); ok {
			text, _, _ := strings.Cut(rest, `"`)
			return text
		}
		if k := strings.IndexAny(rest, ", \t"); k >= 0 {
			rest = rest[:k]
		}
		return rest
	}
}
