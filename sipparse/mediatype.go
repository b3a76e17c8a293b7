package sipparse

import (
	"bytes"
	"iter"
)

// MediaType is the value of Content-Type, RFC 3261 20.15. Spans are octets of Raw.
type MediaType struct {
	Raw    []byte
	Full   string // "type/subtype" in lower case; empty when it could not be read
	Params Span   // after the first ";"
}

// ParseMediaType reads a media type and its parameters. What could be read is returned together with the error.
func ParseMediaType(b []byte) (MediaType, error) {
	mt, e := parseMediaType(b)
	if e.ID != DiagNone {
		return mt, &Error{ID: e.ID, Off: e.Off, Field: "media type"}
	}
	return mt, nil
}

func parseMediaType(b []byte) (mt MediaType, e fault) {
	mt.Raw = b
	semi := bytes.IndexByte(b, ';')
	if semi < 0 {
		semi = len(b)
	}
	if mt.Full = common(b[:semi]); mt.Full != "" {
		if semi < len(b) {
			mt.Params = span(semi+1, len(b))
			if n, _ := cleanParams(b, semi, ""); n != len(b) {
				checkParams(b, semi+1, len(b), &e)
			}
		}
		return mt, e
	}
	var buf [maxMediaType]byte
	name, end, e := scanMediaType(b, buf[:0])
	if end < len(b) {
		mt.Params = span(end+1, len(b))
	}
	if e.ID != DiagMediaType {
		mt.Full = intern(name)
	} else if bytes.IndexByte(name, '/') < 0 {
		mt.Full = string(name)
	}
	return mt, e
}

// scanMediaType appends the type in lower case to out and gives the offset of the first ";". What was appended is
// right when e is not DiagMediaType; otherwise it holds the octets that a type may have.
func scanMediaType(b, out []byte) (name []byte, end int, e fault) {
	end = len(b)
	if i := bytes.IndexByte(b, ';'); i >= 0 {
		end = i
	}
	slash, word := false, true // word: no white space since the last octet of a word
	for i, c := range b[:end] {
		switch {
		case class[c]&clWS != 0:
			word = false
			continue
		case c == '/' && !slash && len(out) > 0:
			slash, word = true, true
			out = append(out, c)
			continue
		case class[c]&clToken == 0 || len(out) >= maxMediaType || !word && len(out) > 0 && out[len(out)-1] != '/':
			e.set(DiagMediaType, i)
			continue
		}
		word = true
		out = append(out, lowerOctet(c))
	}
	if !slash || out[len(out)-1] == '/' {
		e.set(DiagMediaType, end)
	}
	if end < len(b) {
		checkParams(b, end+1, len(b), &e)
	}
	return out, end, e
}

const maxMediaType = 255 // RFC 6838 4.2: 127 octets each side

// intern saves an allocation for the types that mission critical traffic is made of.
func intern(b []byte) string {
	if s := common(b); s != "" {
		return s
	}
	return string(b)
}

// common is one of the common types as a string, "" for any other.
func common(b []byte) string {
	if len(b) < len(commonTypes) {
		for _, s := range commonTypes[len(b)] {
			if string(b) == s {
				return s
			}
		}
	}
	return ""
}

// commonTypes are they by length.
var commonTypes = func() (t [64][]string) {
	for _, s := range []string{
		"application/sdp", "multipart/mixed", "message/sip", "message/sipfrag", "text/plain", "application/pidf+xml",
		"application/vnd.3gpp.mcptt-info+xml", "application/vnd.3gpp.mcvideo-info+xml", "application/vnd.3gpp.mcdata-info+xml",
		"application/vnd.3gpp.mcptt-signed+xml", "application/poc-settings+xml", "application/mikey",
		"application/resource-lists+xml", "application/vnd.3gpp.mcptt-affiliation-command+xml", "application/vnd.3gpp.mcptt-location-info+xml",
	} {
		t[len(s)] = append(t[len(s)], s)
	}
	return t
}()

// Multipart tells whether the type is a multipart, RFC 2046 5.1.
func (mt *MediaType) Multipart() bool {
	return len(mt.Full) > len("multipart/") && mt.Full[:len("multipart/")] == "multipart/"
}

// ParamSeq gives the parameters; their spans are octets of Raw.
func (mt *MediaType) ParamSeq() iter.Seq[Param] { return ParamsIn(mt.Raw, mt.Params) }

// Param gives the value of a parameter with quotes, escapes and folds undone; ok is false when it is not there.
func (mt *MediaType) Param(name string) (value string, ok bool) {
	for p := range mt.ParamSeq() {
		if equalFoldBytes(p.Name.In(mt.Raw), []byte(name)) {
			v := Unfold(p.Value.In(mt.Raw))
			if p.Quoted {
				return Unquote(v), true
			}
			return string(v), true
		}
	}
	return "", false
}
