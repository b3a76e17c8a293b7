package decode

import (
	"strings"
	"sync"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/sipparse"
)

// A Part is one body of a message as a dissector sees it.
type Part struct {
	Path      string // "1.2"
	Type      string // lower-case media type without parameters, "" when the message names none
	ContentID string // without angle brackets
	Data      []byte // after transfer decoding
	Src, Off  int    // Data is Sources[Src].Data[Off:Off+len(Data)]
	Depth     int    // nesting of message/sip around it

	mime *sipparse.Part // nil for a lone body
}

// Place is a range of the part's own octets as a place in the record.
func (p *Part) Place(off, length int) record.Place { return record.At(p.Src, p.Off+off, length) }

// A BodyType is one entry of the register of bodies. Which one dissects a part is decided by media type first, then,
// for XML, by the namespace and name of the root element, then by Look.
type BodyType struct {
	Name  string   // the name that `mcxdump decode --type` takes beside the media types
	Types []string // exact media types, lower case; "*" inside one matches any run of characters
	Roots []string // "namespace local" of root elements, for XML of a generic type
	// Look recognises a body by content when its type is missing or says nothing (octet-stream, text/plain). Optional.
	Look func(data []byte) bool
	// Dissect adds the body's nodes. It never fails: what is wrong becomes a finding.
	Dissect func(c *Context, p *Part)

	// plans is set where Dissect reads one XML document and asks all it wants to know of it of its xmlDoc. What else its
	// words depend on it tells by unplanned.
	plans bool
}

var bodyTypes []*BodyType

// registerBody is called from the package initialisers of body_*.go.
func registerBody(b BodyType) *BodyType {
	bodyTypes = append(bodyTypes, &b)
	return &b
}

// BodyTypes lists the register.
func BodyTypes() []*BodyType { return bodyTypes }

func bodyByType(mediaType string) *BodyType {
	if mediaType == "" {
		return nil
	}
	if all := exactTypes(); len(mediaType) < len(all) {
		for _, t := range all[len(mediaType)] {
			if t.name == mediaType {
				return t.body
			}
		}
	}
	for _, b := range bodyTypes { // an exact type goes before a pattern, the first pattern before the next
		for _, t := range b.Types {
			if strings.IndexByte(t, '*') >= 0 && glob(t, mediaType) {
				return b
			}
		}
	}
	return nil
}

// An exactType is one exact media type of the register.
type exactType struct {
	name string
	body *BodyType
}

// exactTypes is the register by the length of exact media types; it is complete after package initialisation. Where two
// bodies have the same type, the first goes before the second.
var exactTypes = sync.OnceValue(func() (all [][]exactType) {
	for _, b := range bodyTypes {
		for _, t := range b.Types {
			for len(all) <= len(t) {
				all = append(all, nil)
			}
			all[len(t)] = append(all[len(t)], exactType{t, b})
		}
	}
	return all
})

// glob matches one "*" in pattern against any run of characters.
func glob(pattern, s string) bool {
	before, after, _ := strings.Cut(pattern, "*")
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}

// A Context is what a dissector may use while it works on one message. It is for one goroutine.
type Context struct {
	B    *record.Builder
	Time int64 // Unix nanoseconds of the message

	opt   *Options
	msg   *message // the SIP message being decoded; nil for a lone body
	words []string
	mcx   bool          // a body of a mission critical service was seen
	xml   *xmlTemplates // nil: every document is read from its beginning
	ring  *keys.Ring
	q     keys.Query

	mikeys     *mikeyMemory // nil: every message is read in memory of its own
	planMikey  bool         // what there is to say of one may be said of others like it
	seals      *sealMemory  // nil: so is everything that is encrypted
	strings    *stringArena // nil: every string on its own
	keyNamed   uint64       // KeyName that keyID has turned into keyNamedID
	keyNamedID string

	web      *flow.HTTP // the HTTP message being decoded; nil for SIP and a lone body
	learns   bool       // the message may bring key material: it is HTTP, or a body by itself
	kmsKnown bool       // the target of the request was shown under kms
}

// siblings are the leaf bodies of the message at hand, for references by Content-ID. A lone body has none.
func (c *Context) siblings() []Part {
	if c.msg == nil {
		return nil
	}
	return c.msg.parts
}

// ShowSecrets reports whether the user asked for secrets.
func (c *Context) ShowSecrets() bool { return c.opt.ShowSecrets }

// Say adds words to the one-line description of the message, in order, without duplicates.
func (c *Context) Say(words string) {
	if words == "" || len(c.words) >= 16 {
		return
	}
	for _, w := range c.words {
		if w == words {
			return
		}
	}
	c.words = append(c.words, words)
}

// Find adds a finding about a part. Text from the wire inside message must be quoted with %q by the caller.
func (c *Context) Find(id string, sev record.Severity, clause, message string, p *Part, field *record.Field, at record.Place) {
	f := record.Finding{ID: id, Severity: sev, Clause: clause, Message: message}
	if p != nil {
		f.Body = p.Path
	}
	if field != nil {
		f.Field = field.Name
	}
	if at.Known {
		f.Source, f.Off, f.Len, f.HasRange = uint16(at.Src), at.Off, at.Len, true
	}
	c.B.Finding(f)
}

// bodyFor picks the dissector of a part: by media type, then by content.
func bodyFor(p *Part) *BodyType {
	if b := bodyByType(p.Type); b != nil && b.Look == nil {
		return b
	}
	for _, b := range bodyTypes {
		if b.Look != nil && b.Look(p.Data) {
			return b
		}
	}
	if b := bodyByType(p.Type); b != nil {
		return b
	}
	return bodyByType("application/octet-stream")
}
