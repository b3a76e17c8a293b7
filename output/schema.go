package output

import (
	"encoding/json"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// SchemaJSON makes the JSON Schema (draft 2020-12) of the contract from the register. It is strict: a member that it
// does not name is an error, so that a test that validates output against it notices every change. A consumer must
// nevertheless ignore members that it does not know (docs/json.md).
func SchemaJSON(fields []*record.Field) []byte {
	g := schemaMaker{children: map[*record.Field][]*record.Field{}, defs: map[string]any{}}
	for _, f := range fields {
		switch {
		case f.Get != nil || strings.HasSuffix(f.Name, ".*"):
		case f.Parent() == nil:
			g.roots = append(g.roots, f)
		default:
			g.children[f.Parent()] = append(g.children[f.Parent()], f)
		}
	}
	uints := dict{"type": "array", "items": dict{"type": "integer", "minimum": 0}}
	endpoint := func(title string) dict {
		return g.closed(dict{"ip": dict{"type": "string"}, "port": dict{"type": "integer", "minimum": 0, "maximum": 65535}},
			dict{"title": title, "required": []string{"ip", "port"}})
	}
	props := dict{
		"schema":        dict{"const": record.Schema},
		"record":        dict{"enum": []string{"message", "finding", "summary"}},
		"number":        dict{"type": "integer", "minimum": 1, "title": "Message number, in capture order"},
		"time":          timeSchema("Time of the frame that completed the message"),
		"frames":        with(uints, "title", "Frame numbers, 1-based within the file"),
		"file":          dict{"type": "string"},
		"interface":     dict{"type": "string"},
		"transport":     dict{"type": "string", "title": "Transport of the message"},
		"encapsulation": dict{"type": "array", "items": dict{"type": "string"}, "title": "Layers and tunnels, outermost first"},
		"quoted":        dict{"const": true, "title": "Quoted in an ICMP error"},
		"src":           endpoint("Source"),
		"dst":           endpoint("Destination"),
		"info":          dict{"type": "string", "title": "What the message is about, in words"},
		"findings":      dict{"type": "array", "items": dict{"$ref": "#/$defs/finding"}},
	}
	g.defs["finding"] = g.closed(dict{
		"id":       dict{"type": "string", "title": "Stable name of the check or defect"},
		"severity": dict{"enum": []string{"error", "warning", "note"}},
		"clause":   dict{"type": "string"},
		"message":  dict{"type": "string"},
		"body":     dict{"type": "string", "title": "Path of the body"},
		"field":    dict{"type": "string", "title": "Name of the field"},
		"frames":   uints,
		"source":   dict{"type": "integer", "minimum": 0},
		"offset":   dict{"type": "integer", "minimum": 0},
		"length":   dict{"type": "integer", "minimum": 0},
	}, dict{"required": []string{"id", "severity", "message"}})
	for _, f := range g.roots {
		if _, taken := props[f.Key()]; !taken {
			props[f.Key()] = g.field(f)
		}
	}
	top := g.closed(props, dict{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "urn:mcxdump:schema:mcxdump-1",
		"title":       "A record of mcxdump",
		"description": "One line of mcxdump --json. Absent values are omitted; lists are always arrays. Generated from the register of fields.",
		"required":    []string{"schema", "record"},
	})
	top["$defs"] = g.defs
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(top); err != nil {
		panic("output.SchemaJSON: " + err.Error()) // maps of strings and lists always encode
	}
	return []byte(out.String())
}

type dict = map[string]any

type schemaMaker struct {
	roots    []*record.Field
	children map[*record.Field][]*record.Field
	defs     map[string]any
}

func with(d dict, key string, v any) dict {
	out := dict{key: v}
	for k, v := range d {
		out[k] = v
	}
	return out
}

func timeSchema(title string) dict {
	return dict{"type": "string", "title": title, "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$`}
}

// closed is an object without other members, except what repeats against its field's nature.
func (g *schemaMaker) closed(props, more dict) dict {
	d := dict{"type": "object", "properties": props, "additionalProperties": false,
		"patternProperties": dict{repeated + "$": dict{"type": "array"}}}
	for k, v := range more {
		d[k] = v
	}
	return d
}

// field is the schema of a member.
func (g *schemaMaker) field(f *record.Field) dict {
	one := g.value(f, f.Kind)
	if f.List {
		return dict{"type": "array", "items": one, "title": f.Title, "description": f.Clause}
	}
	if _, ref := one["$ref"]; ref {
		return one
	}
	return with(with(one, "title", f.Title), "description", f.Clause)
}

func (g *schemaMaker) value(f *record.Field, k record.Kind) dict {
	switch k {
	case record.Uint:
		return dict{"type": "integer", "minimum": 0}
	case record.Int:
		return dict{"type": "integer"}
	case record.Bool:
		return dict{"type": "boolean"}
	case record.Octets:
		return dict{"type": "string", "pattern": `^([0-9a-f]{2})*(\[cut\])?(\[withheld\])?$`}
	case record.Time:
		d := timeSchema("")
		delete(d, "title")
		return d
	case record.Raw:
		return dict{}
	case record.Object, record.Map, record.Protected:
		if k == f.Kind {
			return g.container(f)
		}
	}
	return dict{"type": "string"}
}

// container puts the schema of an object among the definitions, under the field's name, and refers to it.
func (g *schemaMaker) container(f *record.Field) dict {
	ref := dict{"$ref": "#/$defs/" + f.Name}
	if _, done := g.defs[f.Name]; done {
		return ref
	}
	g.defs[f.Name] = true // against endless recursion
	about := dict{"title": f.Title, "description": f.Clause}
	if f.Kind == record.Map {
		one := g.value(f.Entry(), f.Entry().Kind)
		if f.Entry().Kind != record.Raw {
			one = dict{"anyOf": []any{one, dict{"type": "array", "items": dict{"anyOf": []any{one, dict{"type": "null"}}}}, dict{"type": "null"}}}
		}
		about["type"], about["additionalProperties"] = "object", one
		g.defs[f.Name] = about
		return ref
	}
	props := dict{}
	if f.Kind == record.Protected {
		reasons := record.Reasons()
		props = dict{
			"protection": dict{"enum": []string{"none", "encrypted"}},
			"state":      dict{"enum": []string{"clear", "decrypted", "no_key", "failed"}},
			"reason":     dict{"enum": reasons},
			"variant":    dict{"type": "string"},
			"key_id":     dict{"type": "string", "pattern": "^[0-9a-f]{8}$"},
			"algorithm":  dict{"type": "string"},
			"integrity":  dict{"enum": []string{"signed", "verified"}},
		}
		switch f.Of {
		case record.Object, record.Map, record.Protected:
		default:
			props["value"] = g.value(f, f.Of)
		}
		about["required"] = []string{"protection", "state"}
	}
	add := func(c *record.Field) {
		if _, taken := props[c.Key()]; !taken {
			props[c.Key()] = g.field(c)
		}
	}
	for _, c := range g.children[f] {
		add(c)
	}
	if f.Parent() == nil { // a body in "bodies", "bodies" in a message/sip
		for _, c := range g.roots {
			add(c)
		}
	} else if f.List { // an element's children's children
		add(f)
	}
	g.defs[f.Name] = g.closed(props, about)
	return ref
}
