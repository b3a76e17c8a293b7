package sipparse

import (
	"bytes"
	"iter"
)

// URI is a URI in its parts, RFC 3261 19.1, RFC 3966 (tel) and RFC 8141 (urn). Spans are octets of Raw, the text that
// was parsed. Nothing is unescaped.
type URI struct {
	Raw      []byte
	Scheme   Span // without the colon
	User     Span // sip, sips: up to the password; may hold ";", as encrypted MC service IDs do
	Password Span
	HasUser  bool // there was an "@"
	Host     Span // an IPv6 address keeps its brackets
	Port     Span
	PortNum  int  // -1 when there is none or none that can be used
	Opaque   Span // other schemes: what follows the colon, without parameters; tel: the number
	Params   Span // after the first ";" that is not of the user part
	Headers  Span // after "?"
}

// ParseURI reads a sip, sips, tel, urn or any other URI. What could be read is returned together with the error.
func ParseURI(b []byte) (URI, error) {
	u, e := parseURI(b)
	if e.ID != DiagNone {
		return u, &Error{ID: e.ID, Off: e.Off, Field: "URI"}
	}
	return u, nil
}

// fault is an error without allocation, for the hot path.
type fault struct {
	ID  DiagID
	Off int
}

func (f *fault) set(id DiagID, off int) {
	if f.ID == DiagNone {
		f.ID, f.Off = id, off
	}
}

func parseURI(b []byte) (u URI, e fault) {
	u.Raw, u.PortNum = b, -1
	colon := -1
	for i, c := range b {
		if c == ':' {
			colon = i
			break
		}
		if i == 0 && !is(c, clAlpha) || !is(c, clScheme) {
			break
		}
	}
	if colon < 1 {
		u.Opaque = span(0, len(b))
		e.set(DiagURIScheme, 0)
		return u, e
	}
	u.Scheme = span(0, colon)
	pos := colon + 1
	for i, c := range b[pos:] {
		if class[c]&clURI == 0 {
			e.set(DiagURISyntax, pos+i)
			break
		}
	}
	if !u.IsSIP() {
		end := len(b)
		if i := bytes.IndexByte(b[pos:], '?'); i >= 0 {
			u.Headers = span(pos+i+1, end)
			end = pos + i
		}
		if i := bytes.IndexByte(b[pos:end], ';'); i >= 0 {
			u.Params = span(pos+i+1, end)
			end = pos + i
		}
		u.Opaque = span(pos, end)
		if end == pos {
			e.set(DiagURIHost, pos)
		}
		return u, e
	}
	// The user part may hold ";", "?" and "/", so it is found first, by its "@". An "@" after a ";" or "?" of what
	// follows the first one belongs to a parameter; one before is an unescaped "@" in the user part.
	if at := bytes.IndexByte(b[pos:], '@'); at >= 0 {
		at += pos
		stop := len(b)
		if i := bytes.IndexAny(b[at:], ";?"); i >= 0 {
			stop = at + i
		}
		if last := at + bytes.LastIndexByte(b[at:stop], '@'); last != at {
			e.set(DiagURISyntax, at)
			at = last
		}
		u.HasUser = true
		u.User = span(pos, at)
		if i := bytes.IndexByte(b[pos:at], ':'); i >= 0 {
			u.User, u.Password = span(pos, pos+i), span(pos+i+1, at)
		}
		pos = at + 1
	}
	// hostport
	i := pos
	if i < len(b) && b[i] == '[' {
		j := bytes.IndexByte(b[i:], ']')
		if j < 0 {
			e.set(DiagURIHost, i)
			j = len(b) - i - 1
		}
		i += j + 1
	} else {
		for i < len(b) && b[i] != ':' && b[i] != ';' && b[i] != '?' {
			if class[b[i]]&clHost == 0 {
				e.set(DiagURIHost, i)
			}
			i++
		}
	}
	u.Host = span(pos, i)
	if i == pos {
		e.set(DiagURIHost, pos)
	}
	if i < len(b) && b[i] == ':' {
		p := i + 1
		for i = p; i < len(b) && b[i] != ';' && b[i] != '?'; i++ {
		}
		u.Port = span(p, i)
		if n, over, ok := number(b[p:i]); !ok || over || n > 65535 {
			e.set(DiagURIPort, p)
		} else {
			u.PortNum = int(n)
		}
	}
	for i < len(b) && b[i] != ';' && b[i] != '?' { // only after "]"
		e.set(DiagURIHost, i)
		i++
	}
	end := len(b)
	if q := bytes.IndexByte(b[i:], '?'); q >= 0 {
		u.Headers = span(i+q+1, end)
		end = i + q
	}
	if i < end {
		u.Params = span(i+1, end)
	}
	return u, e
}

// IsSIP tells whether the scheme is sip or sips.
func (u *URI) IsSIP() bool {
	s := u.Scheme.In(u.Raw)
	return equalFold(s, "sip") || equalFold(s, "sips")
}

// Text gives a part of the URI as a string, as it is.
func (u *URI) Text(s Span) string { return string(s.In(u.Raw)) }

// ParamSeq gives the URI's parameters. Spans are octets of Raw.
func (u *URI) ParamSeq() iter.Seq[Param] {
	return func(yield func(Param) bool) {
		pos, end := int(u.Params.Off), u.Params.End()
		for pos < end {
			stop := end
			if i := bytes.IndexByte(u.Raw[pos:end], ';'); i >= 0 {
				stop = pos + i
			}
			p := Param{Name: span(pos, stop), Value: span(stop, stop)}
			if i := bytes.IndexByte(u.Raw[pos:stop], '='); i >= 0 {
				p = Param{Name: span(pos, pos+i), Value: span(pos+i+1, stop), HasValue: true}
			}
			if p.Name.Len > 0 && !yield(p) {
				return
			}
			pos = stop + 1
		}
	}
}

// Param gives the value of a URI parameter; ok is false when it is not there.
func (u *URI) Param(name string) (value []byte, ok bool) {
	for p := range u.ParamSeq() {
		if equalFoldBytes(p.Name.In(u.Raw), []byte(name)) {
			return p.Value.In(u.Raw), true
		}
	}
	return nil, false
}
