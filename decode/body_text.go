package decode

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Bodies of plain text, of JSON, of forms, and of types that nobody registered.

var (
	textField  = reg("text", "Text", "RFC 2046 4.1", record.String)
	jsonField  = reg("json", "JSON", "RFC 8259 2", record.Raw)
	formField  = record.Register(record.Field{Name: "form", Title: "Form", Clause: "RFC 6749 B", Kind: record.Map, Of: record.String, Identity: true})
	dataSelf   = reg("data", "Octets of an unknown type", "mcxdump", record.Object)
	dataLength = reg("data.length", "Number of octets", "mcxdump", record.Uint)
	dataFirst  = reg("data.first", "First octets", "mcxdump", record.Octets)
)

// dataBody shows what no other dissector wants.
var dataBody = BodyType{Name: "data", Types: []string{"application/octet-stream", "*"}, Look: func([]byte) bool { return false }, Dissect: dissectData}

func init() {
	registerBody(BodyType{Name: "json", Types: []string{"application/json", "*+json"}, Look: looksLikeJSON, Dissect: dissectJSON})
	registerBody(BodyType{Name: "form", Types: []string{"application/x-www-form-urlencoded"}, Dissect: dissectForm})
	registerBody(BodyType{Name: "text", Types: []string{"text/plain"}, Look: func([]byte) bool { return false }, Dissect: dissectText})
}

func looksLikeJSON(b []byte) bool {
	b = trimSpace(b)
	return len(b) > 1 && len(b) <= 1<<20 && (b[0] == '{' && b[len(b)-1] == '}' || b[0] == '[' && b[len(b)-1] == ']') && utf8.Valid(b) && json.Valid(b)
}

// dissectText shows text. What stands under the name of a secret in it is withheld: it may be JSON or XML that is damaged
// or goes by another name.
func dissectText(c *Context, p *Part) {
	text, done := p.Data, 0
	var out []byte
	if !c.ShowSecrets() {
		for _, r := range record.PlainSecrets(p.Data) {
			from, to := int(r.Off), int(r.Off+r.Len)
			c.mask(p.Src, p.Off+from, to-from)
			out = append(out, withheldText(p.Data[done:to], from-done, to-done)...)
			done = to
		}
	}
	if done > 0 {
		text = append(out, p.Data[done:]...)
	}
	if n := c.put(textField, text, p.Place(0, len(p.Data))); n != nil && done > 0 {
		n.Flags |= record.Withheld
	}
	if len(p.Data) > 0 {
		c.Say("text")
	}
}

func dissectJSON(c *Context, p *Part) {
	at := p.Place(0, len(p.Data))
	if !utf8.Valid(p.Data) || !json.Valid(p.Data) {
		c.Find("json-malformed", record.Error, "RFC 8259 2", "body is not JSON", p, jsonField, at)
		dissectText(c, p)
		return
	}
	text, withheld := c.jsonSecrets(p)
	if n := c.B.Node(jsonField, at); n != nil {
		var w bytes.Buffer
		if withheld {
			n.Flags |= record.Withheld
		}
		if json.Compact(&w, text) == nil && (c.opt == nil || c.opt.Limits.ValueBytes <= 0 || w.Len() <= c.opt.Limits.ValueBytes) {
			n.Str, n.Flags = w.String(), n.Flags|record.HasValue
		} else {
			n.Flags |= record.Cut // half of a JSON value is none
		}
	}
	if ps := jsonParams(p); len(ps) > 0 {
		if what := idmOf(ps, c.inRequest(false), true); what != "user_info" || c.answers("userinfo") {
			c.idm(what, ps, p, at)
		}
	}
	c.Say("JSON")
}

func dissectData(c *Context, p *Part) {
	if c.B.Open(dataSelf, p.Place(0, len(p.Data))) {
		c.B.Num(dataLength, int64(len(p.Data)), record.Place{})
		n := min(len(p.Data), 64)
		if n > 0 {
			if k := c.B.Octets(dataFirst, p.Data[:n], p.Place(0, n)); k != nil && n < len(p.Data) {
				k.Flags |= record.Cut
			}
		}
	}
	c.B.Close()
}

// dissectForm shows a form as browsers and OAuth clients send it.
func dissectForm(c *Context, p *Part) {
	built := c.B.Open(formField, p.Place(0, len(p.Data)))
	seen := map[string]bool{}
	off := 0
	for pair := range bytes.SplitSeq(p.Data, []byte("&")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		key := string(formText(name))
		voff := off + min(len(name)+1, len(pair))
		off += len(pair) + 1
		if len(pair) == 0 || len(seen) >= 256 {
			continue
		}
		secret := record.SecretMember(key) && !c.ShowSecrets() && len(value) > 0
		if secret {
			c.mask(p.Src, p.Off+voff, len(value))
		}
		if seen[key] || !built {
			continue // the first of a name counts
		}
		seen[key] = true
		if e := c.B.Entry(formField, key, "", p.Place(voff, len(value))); e != nil {
			if text := formText(value); secret {
				c.setText(e, withheldText(text, 0, len(text)))
				e.Flags |= record.Withheld
			} else {
				c.setText(e, text)
			}
		}
	}
	c.B.Close()
	ps := queryParams(p.Data, p.Place)
	c.idm(idmOf(ps, c.inRequest(true), false), ps, p, p.Place(0, len(p.Data)))
	c.Say("form")
}

// formText undoes the coding of a form: "+" for a space, and percent-encoding.
func formText(b []byte) []byte {
	return unescape(bytes.ReplaceAll(b, []byte("+"), []byte(" ")))
}

// jsonSecrets replaces the values of members that are tokens, passwords and the like (RFC 6749 4, RFC 7636 4). The
// body is valid JSON.
func (c *Context) jsonSecrets(p *Part) (text []byte, withheld bool) {
	b := p.Data
	if c.ShowSecrets() {
		return b, false
	}
	var out []byte
	done := 0
	for i := 0; i < len(b); {
		if b[i] != '"' {
			i++
			continue
		}
		e := jsonEnd(b, i)
		j := skipJSONSpace(b, e)
		if j < len(b) && b[j] == ':' && record.SecretMember(jsonText(string(b[i:e]))) {
			v := skipJSONSpace(b, j+1)
			end := v
			if v < len(b) && b[v] == '"' {
				end = jsonEnd(b, v)
			}
			if end-v > 2 {
				c.mask(p.Src, p.Off+v+1, end-v-2)
				out = append(out, b[done:v+1]...)
				out = append(out, withheldText(b[v+1:end-1], 0, end-v-2)...)
				done, withheld = end-1, true
				e = end
			}
		}
		i = e
	}
	if !withheld {
		return b, false
	}
	return append(out, b[done:]...), true
}
