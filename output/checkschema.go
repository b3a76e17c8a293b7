package output

import (
	"encoding/json"
	"strings"
)

// CheckSchemaJSON makes the JSON Schema (draft 2020-12) of one line of mcxdump check --json, "schema":"mcxdump.check/1". It
// is strict so that a test notices every change; a consumer must ignore members that it does not know.
func CheckSchemaJSON() []byte {
	text := func(title string) dict { return dict{"type": "string", "title": title} }
	count := func(title string) dict { return dict{"type": "integer", "minimum": 0, "title": title} }
	closed := func(props dict, required ...string) dict {
		d := dict{"type": "object", "properties": props, "additionalProperties": false}
		if len(required) > 0 {
			d["required"] = required
		}
		return d
	}
	top := closed(dict{
		"schema":      dict{"const": "mcxdump.check/1"},
		"id":          text("Name of the check (docs/checks.md), or of a defect of the message"),
		"severity":    dict{"enum": []string{"error", "warning", "note"}},
		"clause":      text("Clause that is broken"),
		"title":       text("What the check is about; absent for defects outside of the register"),
		"message":     text("The finding in one sentence"),
		"number":      count("Number of the message, as in mcxdump read"),
		"time":        timeSchema("Time of the message"),
		"frames":      dict{"type": "array", "items": dict{"type": "integer", "minimum": 0}, "title": "Frames, 1-based within the file"},
		"file":        text("Capture file"),
		"method":      text("Method of the request, or of the request that a response answers"),
		"status":      count("Status code of a response"),
		"call_id":     text("Call-ID"),
		"body":        text("Path of the body"),
		"field":       text("Name of the field (docs/fields.md)"),
		"source":      count("Source of octets that offset and length point into"),
		"offset":      count("First octet"),
		"length":      count("Number of octets"),
		"session":     closed(dict{"service": text("mcptt, mcvideo or mcdata; over HTTP kms, idm, cms, gms, recording or http"), "impu": text("Public user identity"), "mc_id": text("MC service ID"), "client_id": text("MC client ID"), "kind": text("What the message is to the session"), "state": text("State of the authorisation after it")}),
		"fingerprint": dict{"type": "string", "pattern": "^[0-9a-f]{16}$", "title": "The same for the same finding in another run"},
		"accepted":    dict{"const": true, "title": "The baseline has it"},
	}, "schema", "id", "severity", "clause", "message", "frames", "fingerprint")
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["$id"] = "urn:mcxdump:schema:mcxdump.check-1"
	top["title"] = "A finding of mcxdump check"
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(top); err != nil {
		panic("output.CheckSchemaJSON: " + err.Error()) // maps of strings and lists always encode
	}
	return []byte(out.String())
}
