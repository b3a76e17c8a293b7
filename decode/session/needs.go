package session

import (
	"strings"
	"sync"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Needs is the set of fields that Read looks at: nothing else has to be built for a Tracker.
func Needs() record.Want { return needs() }

var needs = sync.OnceValue(func() record.Want {
	var of []*record.Field
	for _, f := range record.Fields() {
		root, _, _ := strings.Cut(f.Name, ".")
		switch root {
		case "sip", "mikey", "xml", "bodies", "esp", "poc_settings":
			// A map is looked at with its entries; of objects the members that are listed.
			if known(f) && (f.Kind != record.Object || f.Name == "sip.headers") {
				of = append(of, f)
			}
		case "http", "kms", "idm", "xcap", "recording", "signatures", "mcptt_info", "mcvideo_info", "mcdata_info":
			of = append(of, f)
		}
		if f.Key() == cipherLength {
			of = append(of, f)
		}
	}
	var w record.Want
	w.Add(of...)
	return w
})

// known reports whether Read has a use for the field.
func known(f *record.Field) bool {
	return fieldCodes[f.Name] != none || webCodes[f.Name] != none
}
