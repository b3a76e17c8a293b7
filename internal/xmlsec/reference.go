package xmlsec

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// Transforms other than canonicalisation (XML Signature 1.1 6.6).
const (
	URIEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	URIBase64    = "http://www.w3.org/2000/09/xmldsig#base64"
)

// Target is what a reference outside the signature's own document points at.
type Target struct {
	Octets      []byte // content after Content-Transfer-Encoding, without the line end before the boundary
	ContentType string
	ID          string // Content-ID, with or without angle brackets
	Note        string // how the match deviates, such as in case
}

// Resolver finds the target of a reference by its URI as written. An error that
// is ErrUnresolved, or any other, makes the reference unresolved.
type Resolver func(uri string) (Target, error)

// Causes of a reference without a verdict.
var (
	ErrUnresolved = errors.New("xmlsec: reference does not resolve")
	ErrAmbiguous  = fmt.Errorf("%w: several targets have this identifier", ErrUnresolved)
)

// Parts returns a Resolver over body parts. A reference is a cid: URL (RFC 2392),
// a bare Content-ID, or one in angle brackets; case counts, unless nothing
// matches otherwise.
func Parts(parts []Target) Resolver {
	return func(uri string) (Target, error) {
		id := ContentID(uri)
		raw := strings.Trim(strings.TrimSpace(uri), "<>")
		equal := func(a string) bool { return a == id || a == raw }
		for pass := range 2 {
			found := -1
			for i := range parts {
				have := strings.Trim(strings.TrimSpace(parts[i].ID), "<>")
				if have == "" || !equal(have) {
					continue
				}
				if found >= 0 {
					return Target{}, ErrAmbiguous
				}
				found = i
			}
			if found >= 0 {
				t := parts[found]
				if pass == 1 {
					t.Note = "Content-ID matches but for its case"
				}
				return t, nil
			}
			equal = func(a string) bool { return strings.EqualFold(a, id) || strings.EqualFold(a, raw) }
		}
		return Target{}, ErrUnresolved
	}
}

// ContentID returns the Content-ID, without angle brackets, that a reference
// names: of a cid: URL it is what follows, percent-decoded (RFC 2392 2).
func ContentID(uri string) string {
	s := strings.Trim(strings.TrimSpace(uri), "<>")
	if len(s) >= 4 && strings.EqualFold(s[:4], "cid:") {
		s = strings.Trim(percentDecode(s[4:]), "<>")
	}
	return s
}

// Digest is the verdict on one reference.
type Digest uint8

// Verdicts on a reference. The zero value is not a good one.
const (
	DigestUnknown Digest = iota
	DigestOK
	DigestMismatch
	DigestUnresolved
	DigestUnsupported // digest method or transform
	DigestMalformed
)

func (d Digest) String() string {
	switch d {
	case DigestUnknown:
		return "unknown"
	case DigestOK:
		return "ok"
	case DigestMismatch:
		return "mismatch"
	case DigestUnresolved:
		return "unresolved"
	case DigestUnsupported:
		return "unsupported"
	case DigestMalformed:
		return "malformed"
	}
	return fmt.Sprintf("Digest(%d)", uint8(d))
}

// Reference is one ds:Reference and what came of it.
type Reference struct {
	ID, URI, Type string
	NoURI         bool // the attribute is absent
	DigestMethod  string
	Transforms    []string // algorithm identifiers
	Digest        Digest
	// Variant names the octets that gave the digest: "raw octets", "exc-c14n",
	// "CRLF to LF" and so on. Fallback is set when they are not what the
	// signature says, but something near it.
	Variant  string
	Fallback bool
	// Octets are exactly the octets that were digested, when the digest is ok.
	Octets  []byte
	Element *etree.Element // target in the same document; nil for the document itself and outside
	Target  Target         // target outside; its octets may differ from Octets by the variant
	Outside bool
	Err     error // why the verdict is not ok
}

// transform is one ds:Transform.
type transform struct {
	uri      string
	prefixes []string
}

// material is what flows from transform to transform: octets, or a node set
// which is el and all below it without skip.
type material struct {
	octets   []byte
	el       *etree.Element
	skip     *etree.Element
	comments bool // the node set has its comments
	variant  string
}

const (
	maxReferences = 256
	maxTransforms = 8
)

// space is the document a signature is in.
type space struct {
	sig     *etree.Element
	top     *etree.Element
	ids     map[string][]*etree.Element
	resolve Resolver
	lim     Limits
	work    budget
}

func newSpace(sig *etree.Element, resolve Resolver, lim Limits) *space {
	s := &space{sig: sig, top: sig, resolve: resolve, lim: lim, work: DefaultWork}
	for s.top.Parent() != nil {
		s.top = s.top.Parent()
	}
	return s
}

// byID finds elements with an attribute Id, ID, id or xml:id of that value.
// Without a DTD these are what can be an identifier, and whoever has the same one
// twice gets no verdict: that is how signatures are wrapped.
func (s *space) byID(id string) []*etree.Element {
	if s.ids == nil {
		s.ids = map[string][]*etree.Element{}
		var walk func(*etree.Element)
		walk = func(e *etree.Element) {
			for i := range e.Attr {
				a := &e.Attr[i]
				if a.Space == "" && (a.Key == "Id" || a.Key == "ID" || a.Key == "id") || a.Space == "xml" && a.Key == "id" {
					if l := s.ids[a.Value]; len(l) == 0 || l[len(l)-1] != e {
						s.ids[a.Value] = append(l, e)
					}
				}
			}
			for _, c := range e.Child {
				if ce, ok := c.(*etree.Element); ok {
					walk(ce)
				}
			}
		}
		walk(s.top)
	}
	return s.ids[id]
}

// start resolves a reference (XML Signature 1.1 4.4.3.2).
func (s *space) start(r *Reference) (material, error) {
	uri := r.URI
	if r.NoURI {
		return material{}, fmt.Errorf("%w: no URI", ErrUnresolved)
	}
	node := func(el *etree.Element, comments bool) (material, error) {
		if el.Tag != "" || el.Parent() != nil {
			r.Element = el
		}
		return material{el: el, comments: comments}, nil
	}
	if uri == "" {
		return node(s.top, false)
	}
	if frag, ok := strings.CutPrefix(uri, "#"); ok {
		comments := false
		if frag == "xpointer(/)" {
			return node(s.top, true)
		}
		if x, ok := strings.CutPrefix(frag, "xpointer(id("); ok {
			x, ok = strings.CutSuffix(x, "))")
			if !ok || len(x) < 2 || x[0] != x[len(x)-1] || x[0] != '\'' && x[0] != '"' {
				return material{}, fmt.Errorf("%w: this xpointer is not supported", ErrUnresolved)
			}
			frag, comments = x[1:len(x)-1], true
		}
		found := s.byID(frag)
		if len(found) == 0 {
			found = s.byID(percentDecode(frag))
		}
		switch {
		case len(found) == 1:
			return node(found[0], comments)
		case len(found) > 1:
			return material{}, ErrAmbiguous
		}
	}
	if s.resolve == nil {
		return material{}, ErrUnresolved
	}
	t, err := s.resolve(uri)
	if err != nil {
		if !errors.Is(err, ErrUnresolved) {
			err = fmt.Errorf("%w: %w", ErrUnresolved, err)
		}
		return material{}, err
	}
	r.Target, r.Outside = t, true
	return material{octets: t.Octets, variant: "raw octets"}, nil
}

// nodes makes a node set of octets by reading them.
func (s *space) nodes(m material) (material, error) {
	if m.el != nil {
		return m, nil
	}
	if !s.work.spend(len(m.octets)) {
		return m, ErrWork
	}
	d, err := Parse(m.octets, s.lim)
	if err != nil {
		return m, err
	}
	return material{el: &d.Tree.Element, comments: true}, nil
}

// canonical turns a node set into octets.
func (s *space) canonical(m material, c C14N) (material, error) {
	if s.work <= 0 {
		return m, ErrWork
	}
	name := c.String()
	if !m.comments {
		c.Comments = false
	}
	b := c.append(nil, m.el, m.skip)
	s.work.spend(len(b))
	return material{octets: b, variant: name}, nil
}

// apply runs the transforms. The second result is the last node set, from which
// other canonical forms can be tried.
func (s *space) apply(m material, list []transform) (material, material, error) {
	last := m
	for _, t := range list {
		var err error
		if c, ok := C14NByURI(t.uri); ok {
			c.Prefixes = t.prefixes
			if m, err = s.nodes(m); err != nil {
				return m, last, err
			}
			last = m
			if m, err = s.canonical(m, c); err != nil {
				return m, last, err
			}
			continue
		}
		switch t.uri {
		case URIEnveloped:
			if m.el == nil || !within(s.sig, m.el) {
				return m, last, ErrMalformed{"enveloped-signature transform outside the enveloping document"}
			}
			m.skip = s.sig
			last = m
		case URIBase64:
			text := string(m.octets)
			if m.el != nil {
				text = stringValue(m.el, m.skip)
			}
			if !s.work.spend(len(text)) {
				return m, last, ErrWork
			}
			b, err := decodeBase64(text)
			if err != nil {
				return m, last, err
			}
			m = material{octets: b, variant: "base64 decoded"}
			last = m
		default:
			return m, last, ErrUnsupportedAlgorithm{t.uri}
		}
	}
	if m.el != nil {
		last = m
		var err error
		if m, err = s.canonical(m, C14N{}); err != nil {
			return m, last, err
		}
	}
	return m, last, nil
}

func within(el, ancestor *etree.Element) bool {
	for e := el; e != nil; e = e.Parent() {
		if e == ancestor {
			return true
		}
	}
	return false
}

// stringValue is the XPath string value of an element.
func stringValue(el, skip *etree.Element) string {
	var b strings.Builder
	var walk func(*etree.Element)
	walk = func(e *etree.Element) {
		for _, c := range e.Child {
			switch t := c.(type) {
			case *etree.CharData:
				b.WriteString(t.Data)
			case *etree.Element:
				if t != skip {
					walk(t)
				}
			}
		}
	}
	walk(el)
	return b.String()
}

// fallbacks yields what a sloppy signer may have digested instead, most likely
// first, until the callback is content.
func (s *space) fallbacks(r *Reference, transformed bool, last material, try func(material) bool) error {
	if r.Outside {
		raw := r.Target.Octets
		lf := bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		variants := []material{
			{octets: lf, variant: "CRLF to LF"},
			{octets: bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")), variant: "LF to CRLF"},
			{octets: bytes.TrimRight(raw, "\r\n"), variant: "final line ends removed"},
			{octets: append(raw[:len(raw):len(raw)], "\r\n"...), variant: "final CRLF added"},
			{octets: bytes.TrimPrefix(raw, []byte("\ufeff")), variant: "byte order mark removed"},
		}
		if transformed {
			variants = append([]material{{octets: raw, variant: "raw octets"}}, variants...)
		}
		for i, v := range variants {
			if bytes.Equal(v.octets, raw) && !(transformed && i == 0) {
				continue
			}
			if !s.work.spend(len(v.octets)) {
				return ErrWork
			}
			if try(v) {
				return nil
			}
		}
	}
	n, err := s.nodes(last)
	if err != nil {
		return nil // not XML: there is no canonical form to try
	}
	// A signer may keep or drop comments whatever the method says.
	n.comments = true
	for _, c := range c14nURIs {
		v, err := s.canonical(n, c.m)
		if err != nil {
			return err
		}
		if try(v) {
			return nil
		}
	}
	return nil
}
