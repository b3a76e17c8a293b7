package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

// tokenFields are the fields of one access token (TS 33.180 B.2.2, RFC 7515, RFC 7519).
type tokenFields struct {
	header, claims, expiresIn, fingerprint *record.Field
	id                                     string // claim that names the user of this service: mcptt_id
}

func registerToken(parent, id string) *tokenFields {
	return &tokenFields{
		header:      reg(parent+".header", "JOSE header", "RFC 7515 4", record.Raw),
		claims:      record.Register(record.Field{Name: parent + ".claims", Title: "Claims", Clause: "TS 33.180 B.2.2", Kind: record.Map, Of: record.Raw, Identity: true}),
		expiresIn:   reg(parent+".expires_in", "Seconds from the message to the expiry of the token", "RFC 7519 4.1.4", record.Int),
		fingerprint: reg(parent+".fingerprint", "First 64 bits of SHA-256 over the token", "mcxdump", record.String),
		id:          id,
	}
}

// maxToken is the longest token that is looked into.
const maxToken = 64 << 10

// A token is an access token taken apart. It holds what can be shown; the signature is its secret.
type token struct {
	raw           []byte
	head          []member
	claims        []member
	repeated      *string // a member name that occurs twice, which may be the empty one
	secret        int     // raw[secret:] proves possession
	jws           bool
	unsigned      bool
	alg, id, sub  string
	exp           int64
	hasExp, hasID bool
}

// member is one member of a JSON object; value is valid compact JSON.
type member struct{ name, value string }

// parseToken reads a JWS in compact form without verifying anything. What is no JWS is all secret.
func parseToken(raw []byte, idClaim string) token {
	t := token{raw: raw}
	if len(raw) > maxToken {
		return t
	}
	h, rest, ok := bytes.Cut(raw, []byte("."))
	if !ok {
		return t
	}
	b, sig, ok := bytes.Cut(rest, []byte("."))
	if !ok || bytes.IndexByte(sig, '.') >= 0 || !isBase64(h) || !isBase64(b) || !isBase64(sig) {
		return t
	}
	head, ok := decode64(h)
	if !ok {
		return t
	}
	body, ok := decode64(b)
	if !ok {
		return t
	}
	hm, _, ok := members(head)
	if !ok {
		return t
	}
	cm, rep, ok := members(body)
	if !ok {
		return t
	}
	t.jws, t.head, t.claims, t.repeated = true, hm, cm, rep
	t.secret = len(h) + len(b) + 2
	for _, m := range hm {
		if m.name == "alg" {
			t.alg = jsonText(m.value)
		}
	}
	t.unsigned = len(sig) == 0 || t.alg == "none"
	for _, m := range cm {
		switch m.name {
		case "exp":
			// A NumericDate may have a fraction (RFC 7519 2).
			if f, err := strconv.ParseFloat(m.value, 64); err == nil && f > -1e11 && f < 1e11 {
				t.exp, t.hasExp = int64(f), true
			}
		case "sub":
			t.sub = jsonText(m.value)
		case idClaim:
			t.id = jsonText(m.value)
			t.hasID = t.id != ""
		}
	}
	return t
}

// isBase64 looks at the alphabet of one part of a JWS: base64url; the standard alphabet and padding are let pass.
func isBase64(b []byte) bool {
	b = bytes.TrimRight(b, "=")
	for _, c := range b {
		if rev64[c] >= 64 {
			return false
		}
	}
	return len(b)%4 != 1
}

// members splits a JSON object into its members, in order, the values compact. The values of a name that occurs again
// are gathered in an array, so that the names are unique; repeated is the first such name, nil when there
// is none: the empty name is a name.
func members(b []byte) (ms []member, repeated *string, ok bool) {
	if !utf8.Valid(b) || !json.Valid(b) {
		return nil, nil, false
	}
	b = bytes.TrimSpace(b)
	if b[0] != '{' {
		return nil, nil, false
	}
	s := string(b) // one copy that all members share
	ms = make([]member, 0, 8)
	again := map[string]int(nil) // repeated names: number of values
	i := skipJSONSpace(b, 1)
	for b[i] != '}' {
		e := jsonEnd(b, i)
		name := jsonText(s[i:e])
		i = skipJSONSpace(b, skipJSONSpace(b, e)+1) // the colon
		e = jsonEnd(b, i)
		val := compact(s[i:e])
		at := -1
		for k := range ms {
			if ms[k].name == name {
				at = k
				break
			}
		}
		switch {
		case at < 0 && len(ms) >= maxMembers:
			return nil, nil, false // nobody's token has hundreds of claims
		case at < 0:
			ms = append(ms, member{name, val})
		case again[name] >= maxMembers:
			return nil, nil, false
		case again[name] == 0:
			if again == nil {
				first := name // a copy: else every name would go to the heap
				again, repeated = map[string]int{}, &first
			}
			ms[at].value = "[" + ms[at].value + "," + val + "]"
			again[name] = 2
		default:
			v := ms[at].value
			ms[at].value = v[:len(v)-1] + "," + val + "]"
			again[name]++
		}
		i = skipJSONSpace(b, e)
		if b[i] == ',' {
			i = skipJSONSpace(b, i+1)
		}
	}
	return ms, repeated, true
}

// maxMembers bounds the members of an object, and the values of one that is repeated.
const maxMembers = 256

func skipJSONSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// jsonEnd is the end of the value that begins at i; b is valid JSON.
func jsonEnd(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

func compact(s string) string {
	if strings.ContainsAny(s, " \t\r\n") {
		var w bytes.Buffer
		if json.Compact(&w, []byte(s)) == nil {
			return w.String()
		}
	}
	return s
}

// jsonText is the text of a JSON string, or the JSON itself for another value.
func jsonText(v string) string {
	if len(v) < 2 || v[0] != '"' {
		return v
	}
	plain := v[1 : len(v)-1]
	for i := 0; i < len(plain); i++ {
		if plain[i] == '\\' {
			var s string
			if json.Unmarshal([]byte(v), &s) == nil {
				return s
			}
			break
		}
	}
	return plain
}

func object(ms []member) []byte {
	out := []byte{'{'}
	for i, m := range ms {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			continue
		}
		out = append(out, name...)
		out = append(out, ':')
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// fingerprint lets a token be followed without showing it.
func fingerprint(raw []byte) string {
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:8])
}

// shown is the token as it may be shown: without what proves possession.
func (t *token) shown(secrets bool) (text string, withheld bool) {
	if secrets {
		return string(t.raw), false
	}
	n := len(t.raw) - t.secret
	if n == 0 {
		return string(t.raw), false
	}
	return string(t.raw[:t.secret]) + "[" + strconv.Itoa(n) + " characters withheld]", true
}

// checkToken checks an access token and speaks of it.
func (c *Context) checkToken(t *token, idClaim string, p *Part, f *record.Field, at record.Place) {
	if !t.jws {
		c.Find("TOK-01", record.Error, "TS 33.180 B.2.2", "not a JWS compact token (three base64url parts)", p, f, at)
		c.Say("opaque token " + fingerprint(t.raw))
		return
	}
	if t.unsigned {
		c.Find("TOK-02", record.Error, "TS 33.180 B.2.2", fmt.Sprintf("unsigned token (alg %q)", t.alg), p, f, at)
	}
	if t.repeated != nil {
		c.Find("token-repeated-claim", record.Warning, "RFC 7519 4", fmt.Sprintf("claim %q occurs more than once", *t.repeated), p, f, at)
	}
	if !t.hasID && idClaim != "" {
		c.Find("TOK-05", record.Warning, "TS 33.180 B.2.2", "no MC service ID in the token: claim "+idClaim+" is missing", p, f, at)
	}
	who := t.id
	if who == "" && isURI(t.sub) { // any other name is not for the line
		who = t.sub
	}
	words := "token"
	if who != "" {
		words += " for " + shorten(who)
	}
	if t.hasExp && c.Time != 0 {
		left := t.exp - floorSeconds(c.Time)
		if left < 0 {
			expect := " (expect 403 with 101)"
			if c.web != nil {
				expect = ""
			}
			c.Find("TOK-03", record.Error, "TS 33.180 B.2.2", "expired token"+expect+": it expired "+span(-left)+" before this message", p, f, at)
			words += " expired " + span(-left) + " ago"
		} else {
			words += " expires in " + span(left)
		}
	}
	c.Say(words)
}

// tokenNodes adds the children of a token's node.
func (c *Context) tokenNodes(t *token, tf *tokenFields, p *Part, at record.Place) {
	if c.B.Wants(tf.fingerprint) {
		c.B.Str(tf.fingerprint, fingerprint(t.raw), record.Place{})
	}
	if !t.jws {
		return
	}
	if n := c.B.Node(tf.header, at); n != nil {
		n.Str, n.Flags = string(object(t.head)), n.Flags|record.HasValue
	}
	if c.B.Open(tf.claims, at) {
		for _, m := range t.claims {
			c.B.Entry(tf.claims, m.name, m.value, at)
		}
	}
	c.B.Close()
	c.tokenState(t, tf)
	if t.hasExp && c.Time != 0 {
		c.B.Num(tf.expiresIn, t.exp-floorSeconds(c.Time), record.Place{})
	}
}

func floorSeconds(ns int64) int64 { return time.Unix(0, ns).Unix() }

// span says a number of seconds in words: 59 min.
func span(s int64) string {
	switch {
	case s < 120:
		return strconv.FormatInt(s, 10) + " s"
	case s < 2*3600:
		return strconv.FormatInt(s/60, 10) + " min"
	case s < 2*86400:
		return strconv.FormatInt(s/3600, 10) + " h"
	}
	return strconv.FormatInt(s/86400, 10) + " days"
}

// shorten keeps words in the one-line view short.
func shorten(s string) string {
	const limit = 64
	if len(s) <= limit {
		return s
	}
	cut := limit - 3
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
