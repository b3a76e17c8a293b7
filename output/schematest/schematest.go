// Package schematest validates JSON against the published schema, for tests.
//
// Start with [New] and call [Schema.Validate] for each line. It knows the keywords that output.SchemaJSON uses (type,
// const, enum, pattern, minimum, maximum, properties, patternProperties, additionalProperties, required, items, anyOf,
// $ref into $defs) and refuses a schema that uses another, so that no keyword is ignored by accident. It is not a
// general validator.
package schematest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strings"
)

// A Schema is a compiled schema.
type Schema struct {
	root map[string]any
	re   map[string]*regexp.Regexp
}

var known = map[string]bool{"$schema": true, "$id": true, "title": true, "description": true, "$defs": true, "$ref": true, "type": true,
	"const": true, "enum": true, "pattern": true, "minimum": true, "maximum": true, "properties": true, "patternProperties": true,
	"additionalProperties": true, "required": true, "items": true, "anyOf": true}

// New reads a schema and checks that every keyword, reference and pattern in it is understood.
func New(schema []byte) (*Schema, error) {
	v, err := decode(schema)
	if err != nil {
		return nil, err
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a schema is an object")
	}
	s := &Schema{root: root, re: map[string]*regexp.Regexp{}}
	return s, s.check(root, "#")
}

func decode(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}

func (s *Schema) pattern(p string) error {
	if s.re[p] != nil {
		return nil
	}
	re, err := regexp.Compile(p)
	s.re[p] = re
	return err
}

func (s *Schema) check(v any, at string) error {
	m, ok := v.(map[string]any)
	if !ok {
		if _, isBool := v.(bool); isBool {
			return nil
		}
		return fmt.Errorf("%s: not a schema", at)
	}
	for k, x := range m {
		if !known[k] {
			return fmt.Errorf("%s: unknown keyword %q", at, k)
		}
		var err error
		switch k {
		case "properties", "patternProperties", "$defs":
			for name, sub := range x.(map[string]any) {
				if k == "patternProperties" {
					if err := s.pattern(name); err != nil {
						return err
					}
				}
				if err := s.check(sub, at+"/"+k+"/"+name); err != nil {
					return err
				}
			}
		case "items", "additionalProperties":
			err = s.check(x, at+"/"+k)
		case "anyOf":
			for i, sub := range x.([]any) {
				if err := s.check(sub, fmt.Sprintf("%s/anyOf/%d", at, i)); err != nil {
					return err
				}
			}
		case "pattern":
			err = s.pattern(x.(string))
		case "$ref":
			if s.ref(x.(string)) == nil {
				err = fmt.Errorf("%s: %v leads nowhere", at, x)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) ref(r string) any {
	name, ok := strings.CutPrefix(r, "#/$defs/")
	if !ok {
		return nil
	}
	defs, _ := s.root["$defs"].(map[string]any)
	return defs[name]
}

// Validate reports the first member of a JSON text that breaks the schema, by its path.
func (s *Schema) Validate(doc []byte) error {
	v, err := decode(doc)
	if err != nil {
		return err
	}
	return s.value(s.root, v, "$")
}

func (s *Schema) value(schema, v any, at string) error {
	if b, ok := schema.(bool); ok {
		if !b {
			return fmt.Errorf("%s: not allowed", at)
		}
		return nil
	}
	m := schema.(map[string]any)
	if r, ok := m["$ref"].(string); ok {
		if err := s.value(s.ref(r), v, at); err != nil {
			return err
		}
	}
	if t, ok := m["type"].(string); ok && typeOf(v) != t && !(t == "number" && typeOf(v) == "integer") {
		return fmt.Errorf("%s: %s where %s is wanted", at, typeOf(v), t)
	}
	if c, ok := m["const"]; ok && !reflect.DeepEqual(c, v) {
		return fmt.Errorf("%s: %v is not %v", at, v, c)
	}
	if e, ok := m["enum"].([]any); ok {
		found := false
		for _, c := range e {
			found = found || reflect.DeepEqual(c, v)
		}
		if !found {
			return fmt.Errorf("%s: %v is not in %v", at, v, e)
		}
	}
	if any, ok := m["anyOf"].([]any); ok {
		var first error
		for _, sub := range any {
			err := s.value(sub, v, at)
			if err == nil {
				first = nil
				break
			}
			if first == nil {
				first = err
			}
		}
		if first != nil {
			return first
		}
	}
	switch v := v.(type) {
	case string:
		if p, ok := m["pattern"].(string); ok && !s.re[p].MatchString(v) {
			return fmt.Errorf("%s: %q does not match %s", at, v, p)
		}
	case json.Number:
		n, _ := new(big.Float).SetString(v.String())
		for k, bad := range map[string]int{"minimum": -1, "maximum": 1} {
			if lim, ok := m[k].(json.Number); ok {
				if l, _ := new(big.Float).SetString(lim.String()); n.Cmp(l) == bad {
					return fmt.Errorf("%s: %s is beyond the %s", at, v, k)
				}
			}
		}
	case []any:
		if items, ok := m["items"]; ok {
			for i, x := range v {
				if err := s.value(items, x, fmt.Sprintf("%s[%d]", at, i)); err != nil {
					return err
				}
			}
		}
	case map[string]any:
		return s.object(m, v, at)
	}
	return nil
}

func (s *Schema) object(m map[string]any, v map[string]any, at string) error {
	if req, ok := m["required"].([]any); ok {
		for _, k := range req {
			if _, have := v[k.(string)]; !have {
				return fmt.Errorf("%s: no member %q", at, k)
			}
		}
	}
	props, _ := m["properties"].(map[string]any)
	patterns, _ := m["patternProperties"].(map[string]any)
	for k, x := range v {
		here := at + "." + k
		matched := false
		if sub, ok := props[k]; ok {
			matched = true
			if err := s.value(sub, x, here); err != nil {
				return err
			}
		}
		for p, sub := range patterns {
			if s.re[p].MatchString(k) {
				matched = true
				if err := s.value(sub, x, here); err != nil {
					return err
				}
			}
		}
		if more, ok := m["additionalProperties"]; ok && !matched {
			if err := s.value(more, x, here); err != nil {
				return err
			}
		}
	}
	return nil
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "number"
		}
		return "integer"
	case []any:
		return "array"
	}
	return "object"
}
