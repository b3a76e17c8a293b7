package output

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A Redactor replaces identities and tokens by pseudonyms, so that a trace can be shared. A pseudonym depends on the
// identity and the redactor's seed alone: it is the same in every record, file and worker, and with the same seed in
// every run. It is safe for concurrent use.
//
// What is replaced: the values of fields that the register marks as identities; SIP, tel, mail and other URIs of people
// and groups wherever they stand in text (headers, words, findings, claims, XML), keeping the scheme and the parameters;
// names in front of such URIs; user names and instance ids; JSON Web Tokens and bearer credentials as a whole; host
// names in replaced URIs. Octets that hold such text are replaced too, and hex dumps are left out.
//
// What is kept: IP addresses and ports, host names that stand alone, times, Call-IDs but for their host part, key
// identifiers, and the contents of bodies that are not text.
type Redactor struct {
	key []byte
}

// NewRedactor makes a redactor from a seed; the empty seed means a random one, so that pseudonyms of different runs
// cannot be compared.
func NewRedactor(seed []byte) *Redactor {
	if len(seed) == 0 {
		seed = make([]byte, 32)
		rand.Read(seed) // never fails (crypto/rand)
	}
	k := sha256.Sum256(append([]byte("mcxdump redaction\x00"), seed...))
	return &Redactor{key: k[:]}
}

// name is the pseudonym of s among things of one sort.
func (d *Redactor) name(sort, s string, digits int) string {
	m := hmac.New(sha256.New, d.key)
	m.Write([]byte(sort))
	m.Write([]byte{0})
	m.Write([]byte(s))
	return sort + "-" + hex.EncodeToString(m.Sum(nil))[:digits]
}

func (d *Redactor) user(s string) string { return d.pseudonym("user", s, 8) }

// pseudonym is name, but a pseudonym stays itself: redacting twice with one seed changes nothing more.
func (d *Redactor) pseudonym(sort, s string, digits int) string {
	if rePseudonym.MatchString(s) {
		return s
	}
	return d.name(sort, s, digits)
}

var rePseudonym = regexp.MustCompile(`^(user|host|name|token|id)-[0-9a-f]{4,12}$`)

// host keeps IP addresses, which are not hidden elsewhere either, and a port.
func (d *Redactor) host(s string) string {
	name, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") && strings.Count(s, ":") == 1 {
		name, port = s[:i], s[i:]
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil || name == "" || strings.HasPrefix(name, "[") {
		return s
	}
	return d.pseudonym("host", strings.ToLower(name), 6) + port
}

// Expressions for what identifies somebody inside text.
var (
	reToken  = regexp.MustCompile(`eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]*(?:\.[A-Za-z0-9_=-]*){0,3}(?:\[[^\]]*withheld[^\]]*\])?`)
	reBearer = regexp.MustCompile(`(?i)\b(bearer|basic|digest-token)(\s+)([^\s,;"]+)`)
	// "name" or name in front of <sip:...
	reNamed = regexp.MustCompile(`(^|[\s,])("(?:[^"\\]|\\.)*"|[^\s<>",;:@=][^<>",;:@=]*?)(\s*<(?:sips?|tel|im|pres|mailto):)`)
	// One expression, so that what was a URI is not looked at again as an address: scheme, user, host, port | user, host.
	reURI = regexp.MustCompile(`(?i)\b(sips?|mailto|im|pres|xmpp|h323):([^\s<>"'@\[\]]+@)?(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)(:[0-9]+)?` +
		`|([a-z0-9_.!~*'%&=+$/-]+)@([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)`)
	reTel   = regexp.MustCompile(`(?i)\btel:(\+?[0-9A-Fa-f*#().-]+)`)
	reURN   = regexp.MustCompile(`(?i)\burn:(gsma:imei|uuid|gsma:imei-sv):([0-9A-Za-z.-]+)`)
	reParam = regexp.MustCompile(`(?i)\b((?:user)?name|cnonce|opaque|icid-value|orig-ioi|term-ioi|orig-icid|utran-cell-id-3gpp|cgi-3gpp)=("(?:[^"\\]|\\.)*"|[^\s;,"]+)`)
	reMIKEY = regexp.MustCompile(`(?i)\b(mikey)(\s+)([A-Za-z0-9+/=]{16,})`)
)

// text redacts one text; ids are the record's own identities.
func (d *Redactor) text(s string, ids known) string {
	if s == "" {
		return s
	}
	for i := range ids {
		s = replaceWord(s, ids[i].from, ids[i].to)
	}
	if strings.Contains(s, "eyJ") {
		s = reToken.ReplaceAllStringFunc(s, func(t string) string {
			head, _, _ := strings.Cut(t, "[")
			if i := strings.LastIndexByte(head, '.'); strings.Count(head, ".") >= 2 {
				head = head[:i] // the same token with and without its signature
			}
			return d.name("token", head, 12)
		})
	}
	s = reBearer.ReplaceAllStringFunc(s, func(t string) string {
		m := reBearer.FindStringSubmatch(t)
		return m[1] + m[2] + d.pseudonym("token", m[3], 12)
	})
	if strings.Contains(s, "<") {
		s = reNamed.ReplaceAllStringFunc(s, func(t string) string {
			m := reNamed.FindStringSubmatch(t)
			n := strings.Trim(m[2], `"`)
			if strings.TrimSpace(n) == "" {
				return t
			}
			return m[1] + `"` + d.pseudonym("name", n, 8) + `"` + m[3]
		})
	}
	if strings.Contains(s, "=") {
		s = reParam.ReplaceAllStringFunc(s, func(t string) string {
			m := reParam.FindStringSubmatch(t)
			v := strings.Trim(m[2], `"`)
			if v == "" {
				return t
			}
			return m[1] + `="` + d.pseudonym("id", v, 8) + `"`
		})
	}
	if strings.ContainsAny(s, ":@") {
		s = reURI.ReplaceAllStringFunc(s, func(t string) string {
			m := reURI.FindStringSubmatch(t)
			if m[1] == "" {
				return d.user(m[5]) + "@" + d.host(m[6])
			}
			out := m[1] + ":"
			if u := strings.TrimSuffix(m[2], "@"); u != "" {
				u, params, _ := strings.Cut(u, ";")
				out += d.user(u)
				if params != "" {
					out += ";" + params
				}
				out += "@"
			}
			return out + d.host(m[3]) + m[4]
		})
		s = reTel.ReplaceAllStringFunc(s, func(t string) string {
			n := t[len("tel:"):]
			if strings.HasPrefix(n, "+999") && len(n) == 12 {
				return t
			}
			sum := d.name("tel", strings.Map(digitsOnly, n), 8)
			return t[:len("tel:")] + "+999" + decimal(sum[len(sum)-8:])
		})
		s = reURN.ReplaceAllStringFunc(s, func(t string) string {
			m := reURN.FindStringSubmatch(t)
			return "urn:" + m[1] + ":" + d.pseudonym("id", m[2], 8)
		})
	}
	if len(s) > 22 {
		s = reMIKEY.ReplaceAllStringFunc(s, func(t string) string {
			m := reMIKEY.FindStringSubmatch(t)
			return m[1] + m[2] + d.name("token", m[3], 12)
		})
	}
	return s
}

func digitsOnly(r rune) rune {
	if r >= '0' && r <= '9' || r == '+' {
		return r
	}
	return -1
}

// decimal turns hex digits into as many decimal ones.
func decimal(h string) string {
	b := []byte(h)
	for i, c := range b {
		if c >= 'a' {
			b[i] = '0' + (c - 'a')
		}
	}
	return string(b)
}

// Name is the pseudonym of one identity: the same for the same text, here and in records.
func (d *Redactor) Name(s string) string { return d.identity(s, nil) }

// identity redacts the value of a field that names somebody: when nothing in it was recognised, all of it goes.
func (d *Redactor) identity(s string, ids known) string {
	t := d.text(s, ids)
	if t != s || strings.TrimSpace(s) == "" || harmless(s) {
		return t
	}
	if scheme, rest, ok := strings.Cut(s, ":"); ok && isScheme(scheme) && rest != "" {
		return scheme + ":" + d.pseudonym("id", rest, 8)
	}
	return d.pseudonym("name", s, 8)
}

func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.')) {
			return false
		}
	}
	return s != ""
}

// harmless values of identity fields are kept: pseudonyms, numbers of one or two digits, booleans, "*", anonymous URIs.
func harmless(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "*", "anonymous", "none", "[withheld]":
		return true
	}
	return rePseudonym.MatchString(s) || len(s) <= 2 && strings.Trim(s, "0123456789") == ""
}

// claims of a token that name somebody, whatever their text.
var identityClaims = map[string]bool{"sub": true, "name": true, "given_name": true, "family_name": true, "middle_name": true,
	"nickname": true, "preferred_username": true, "username": true, "upn": true, "unique_name": true, "email": true,
	"phone_number": true, "client_id": true, "aud": true, "mcrec_id": true, "mcptt_id": true, "mcvideo_id": true, "mcdata_id": true, "sid": true, "jti": true}

// Record returns a copy of the record in which identities are pseudonyms. The record itself is not changed.
func (d *Redactor) Record(r *record.Record) *record.Record {
	c := *r
	ids := d.identities(r)
	c.Nodes = slices.Clone(r.Nodes)
	for i := range c.Nodes {
		d.node(&c, i, ids)
	}
	c.Info = d.text(r.Info, ids)
	c.Findings = slices.Clone(r.Findings)
	for i := range c.Findings {
		c.Findings[i].Message = d.text(c.Findings[i].Message, ids)
	}
	c.Sources = slices.Clone(r.Sources)
	for i := range c.Sources {
		c.Sources[i].Data = nil
		c.Sources[i].Name = d.text(c.Sources[i].Name, ids)
	}
	return &c
}

func (d *Redactor) node(r *record.Record, i int, ids known) {
	n := &r.Nodes[i]
	if n.Str == "" {
		return
	}
	k := n.Field.Kind
	if k == record.Protected {
		k = n.Field.Of
	}
	switch {
	case k == record.Addr:
	case k == record.Raw:
		n.Str = d.raw(n.Str, n.Key, ids)
	case k == record.Octets && n.Field.Identity:
		if d.text(n.Str, ids) == n.Str {
			n.Str = d.name("id", n.Str, 12)
		} else {
			n.Str = d.text(n.Str, ids)
		}
	case k == record.Octets:
		if printable(n.Str) {
			n.Str = d.text(n.Str, ids)
		} else if t := d.text(n.Str, ids); t != n.Str {
			n.Str = d.name("id", n.Str, 12) // a structure with an identity inside
		}
	case n.Field.Identity && !freeText(n):
		n.Str = d.identity(n.Str, ids)
	default:
		n.Str = d.text(n.Str, ids)
	}
}

// freeText reports fields whose text merely may hold identities: the value of any header field, the attributes and
// text of any element.
func freeText(n *record.Node) bool {
	f := n.Field
	if strings.HasSuffix(f.Name, ".headers.value") {
		return true
	}
	return f.Key() == "text" && len(n.Str) > 256
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// identities gathers the record's own identities that stand as plain words (names, client ids), for the texts in which
// they are repeated. URIs need no list: they are recognised anywhere.
func (d *Redactor) identities(r *record.Record) known {
	seen := map[string]bool{}
	var out known
	for i := range r.Nodes {
		n := &r.Nodes[i]
		k := n.Field.Kind
		if k == record.Protected {
			k = n.Field.Of
		}
		s := n.Str
		if !n.Field.Identity || k != record.String || freeText(n) || n.Key != "" || n.Field.Key() == "text" ||
			len(s) < 4 || len(s) > 256 || harmless(s) || seen[s] || len(out) >= 200 {
			continue
		}
		seen[s] = true
		if to := d.identity(s, nil); to != s {
			out = append(out, pseudo{s, to})
		}
	}
	// Longest first, so that a name inside a longer one does not spoil it.
	slices.SortFunc(out, func(a, b pseudo) int {
		if len(a.from) != len(b.from) {
			return len(b.from) - len(a.from)
		}
		return strings.Compare(a.from, b.from)
	})
	return out
}

// known are identities of one record with their pseudonyms.
type known []pseudo

type pseudo struct{ from, to string }

// replaceWord replaces from where it does not stand inside a longer word.
func replaceWord(s, from, to string) string {
	if !strings.Contains(s, from) {
		return s
	}
	var b strings.Builder
	for at := 0; ; {
		i := strings.Index(s[at:], from)
		if i < 0 {
			b.WriteString(s[at:])
			return b.String()
		}
		i += at
		end := i + len(from)
		b.WriteString(s[at:i])
		if i > 0 && wordByte(s[i-1]) && wordByte(from[0]) || end < len(s) && wordByte(s[end]) && wordByte(from[len(from)-1]) {
			b.WriteByte(s[i])
			at = i + 1
			continue
		}
		b.WriteString(to)
		at = end
	}
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

// raw redacts the strings inside a JSON value; key is the claim's name.
func (d *Redactor) raw(s, key string, ids known) string {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return d.text(s, ids)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d.claim(v, key, ids)); err != nil {
		return `"` + d.name("id", s, 8) + `"`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (d *Redactor) claim(v any, key string, ids known) any {
	switch v := v.(type) {
	case string:
		if identityClaims[strings.ToLower(key)] {
			return d.identity(v, ids)
		}
		return d.text(v, ids)
	case []any:
		for i := range v {
			v[i] = d.claim(v[i], key, ids)
		}
		return v
	case map[string]any:
		for k := range v {
			v[k] = d.claim(v[k], k, ids)
		}
		return v
	}
	return v
}

// redacted formats a copy of the record in which identities are pseudonyms.
type redacted struct {
	Format
	by *Redactor
}

// Append appends the redacted record.
func (f redacted) Append(dst []byte, r *record.Record) []byte {
	return f.Format.Append(dst, f.by.Record(r))
}

// Needs adds every identity, since an identity that was not decoded cannot be found in the words and findings.
func (f redacted) Needs() record.Want {
	var w record.Want
	w.Merge(f.Format.Needs())
	var ids []*record.Field
	for _, g := range record.Fields() {
		if g.Identity {
			ids = append(ids, g)
		}
	}
	w.Add(ids...)
	return w
}
