package sipparse

import "bytes"

// Verdict is the answer of StartPrefix.
type Verdict uint8

// The verdicts.
const (
	No   Verdict = iota // not SIP
	Yes                 // a SIP start line
	More                // SIP so far, but more octets are needed to tell
)

// String gives the verdict's name.
func (v Verdict) String() string {
	switch v {
	case No:
		return "no"
	case Yes:
		return "yes"
	case More:
		return "more"
	}
	return "Verdict(?)"
}

const (
	maxMethod    = 64   // octets of a method; longer is not taken for SIP
	maxScheme    = 32   // octets of a scheme of a request with an unknown method
	maxStartLine = 8192 // octets of a start line that StartPrefix waits for
)

// startOctet marks the octets that can begin a message: token octets (a method, "SIP") and the CR and LF that may
// precede one (RFC 3261 7.5). RTP, RTCP, STUN, TLS, DTLS, MIKEY and nearly all DNS fail here.
var startOctet = func() (t [256]bool) {
	for i := range t {
		t[i] = class[i]&clToken != 0 || i == '\r' || i == '\n'
	}
	return t
}()

// LooksLikeStart tells whether b begins with a SIP start line, RFC 3261 7.1 and 7.2: "METHOD URI SIP/2.0" with any token
// as method, or "SIP/2.0 ddd". Empty lines before it are skipped. Another version number, lower case, more spaces and a
// Request-URI in angle brackets pass; with a known method so does any Request-URI, and so does a line that ends before
// its version when the URI has scheme sip, sips, tel or urn (a snap length cut it off).
// HTTP, RTSP, MSRP, RTP, STUN, TLS, DNS and prose do not. It does not allocate, and most of what is not SIP is known by
// its first octet.
func LooksLikeStart(b []byte) bool {
	if len(b) == 0 || !startOctet[b[0]] {
		return false
	}
	return looks(b)
}

func looks(b []byte) bool {
	i := 0
	for b[i] == '\r' || b[i] == '\n' {
		if i++; i == len(b) {
			return false
		}
	}
	b = b[i:]
	p := prefix(b)
	if p.v == No {
		return false
	}
	line, complete := firstLine(b)
	s := parseStart(line, complete, p, false)
	return s.ok
}

// StartPrefix is LooksLikeStart for the head of a stream: it answers More while the line is not complete and could
// still be a start line. Once it says Yes or No, more octets do not change the answer.
func StartPrefix(b []byte) Verdict {
	i := 0
	for i < len(b) && (b[i] == '\r' || b[i] == '\n') {
		i++
	}
	if b = b[i:]; len(b) == 0 {
		return More
	}
	p := prefix(b)
	if p.v == No {
		return No
	}
	line, complete := firstLine(b)
	if !complete && len(b) < maxStartLine {
		return More
	}
	if !complete {
		line = b[:maxStartLine]
	}
	if parseStart(line, complete, p, false).ok {
		return Yes
	}
	return No
}

// FindStart gives the offset, at or after from, of the next line that is a start line, or -1. A line begins at octet 0
// and after each LF. The line must be complete with its SIP version, except for one that the octets end in. Work is
// linear in the octets.
func FindStart(b []byte, from int) int {
	if from < 0 {
		from = 0
	}
	if from > 0 && from < len(b) && b[from-1] != '\n' {
		nl := bytes.IndexByte(b[from:], '\n')
		if nl < 0 {
			return -1
		}
		from += nl + 1
	}
	for from < len(b) {
		nl := bytes.IndexByte(b[from:], '\n')
		if nl < 0 {
			if strictStart(b[from:], false) {
				return from
			}
			return -1
		}
		if strictStart(b[from:from+nl], true) {
			return from
		}
		from += nl + 1
	}
	return -1
}

// strictStart is the test for a start line in the middle of other octets, where a chance hit costs more: a complete
// line must have its version.
func strictStart(line []byte, complete bool) bool {
	if len(line) == 0 || class[line[0]]&clToken == 0 {
		return false
	}
	p := prefix(line)
	return p.v != No && parseStart(line, complete, p, true).ok
}

func firstLine(b []byte) (line []byte, complete bool) {
	if nl := bytes.IndexByte(b, '\n'); nl >= 0 {
		return b[:nl], true
	}
	return b, false
}

type prefixInfo struct {
	v        Verdict // No, or More
	response bool
	method   int  // length of the method
	uri      int  // where the Request-URI begins
	known    bool // the method is one that SIP defines
	scheme   bool // the URI begins like one with a scheme
}

// prefix looks at the beginning of a line, a bounded number of octets, and throws out what cannot become a start line.
func prefix(b []byte) (p prefixInfo) {
	p.v = More
	if b[0]|0x20 == 's' {
		const sip = "sip/"
		n := min(len(b), len(sip))
		if equalFold(b[:n], sip[:n]) {
			if n < len(sip) {
				return p // undecided: "SIP" may also begin a method
			}
			p.response = true
			if len(b) > n && !is(b[n], clDigit) {
				p.v = No
			}
			return p
		}
	}
	n := 0
	for n < len(b) && is(b[n], clToken) {
		if n++; n > maxMethod {
			p.v = No
			return p
		}
	}
	p.method = n
	if n == len(b) {
		return p
	}
	if n == 0 || b[n] != ' ' && b[n] != '\t' {
		p.v = No
		return p
	}
	p.known = KnownMethod(b[:n])
	for n < len(b) && (b[n] == ' ' || b[n] == '\t') {
		n++
	}
	p.uri = n
	if n == len(b) {
		return p
	}
	if b[n] == '<' {
		if n++; n == len(b) {
			return p
		}
	}
	if is(b[n], clAlpha) {
		for i := n; i < len(b) && i <= n+maxScheme; i++ {
			if b[i] == ':' {
				p.scheme = true
				return p
			}
			if !is(b[i], clScheme) {
				break
			}
			if i == len(b)-1 {
				return p // ends inside the scheme
			}
		}
	}
	if !p.known {
		p.v = No
	}
	return p
}

// startLine is a parsed start line; offsets are relative to the line.
type startLine struct {
	ok, request                        bool
	method, uri0, uri1, ver0, ver1     int
	code0, code1, reason0              int // response
	end                                int // where the line ends without trailing white space and CR
	noVersion, cut, trailingWS, spaces bool
}

func isVersion(b []byte) bool {
	if len(b) < 7 || !equalFold(b[:4], "sip/") {
		return false
	}
	i := 4
	for i < len(b) && is(b[i], clDigit) {
		i++
	}
	if i == 4 || i >= len(b)-1 || b[i] != '.' {
		return false
	}
	for i++; i < len(b); i++ {
		if !is(b[i], clDigit) {
			return false
		}
	}
	return true
}

// parseStart reads a line, given without its LF, that prefix did not throw out. With strict, a complete request line
// must carry its version.
func parseStart(line []byte, complete bool, p prefixInfo, strict bool) (s startLine) {
	n := len(line)
	if complete && n > 0 && line[n-1] == '\r' {
		n--
	}
	full := n
	for n > 0 && (line[n-1] == ' ' || line[n-1] == '\t' || line[n-1] == '\r') {
		n--
	}
	s.end, s.trailingWS = n, n != full
	b := line[:n]
	if p.response {
		i := 0
		for i < n && b[i] != ' ' && b[i] != '\t' {
			i++
		}
		if !isVersion(b[:i]) {
			return s
		}
		s.ver1 = i
		for i < n && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		s.spaces = i != s.ver1+1 || i > 0 && b[i-1] == '\t'
		s.code0 = i
		for i < n && is(b[i], clDigit) {
			i++
		}
		s.code1 = i
		if i-s.code0 < 3 || i < n && b[i] != ' ' && b[i] != '\t' {
			return s
		}
		s.reason0 = min(i+1, n)
		s.ok = true
		return s
	}
	s.request = true
	s.method = p.method
	if p.uri == 0 || p.uri >= n {
		return s
	}
	s.uri0 = p.uri
	s.spaces = p.uri != p.method+1 || line[p.method] == '\t'
	last := n
	for last > p.uri && b[last-1] != ' ' && b[last-1] != '\t' {
		last--
	}
	if last > p.uri && isVersion(b[last:]) {
		s.ver0, s.ver1 = last, n
		e := last
		for e > p.uri && (b[e-1] == ' ' || b[e-1] == '\t') {
			e--
		}
		s.spaces = s.spaces || last-e != 1 || b[e] == '\t'
		s.uri1 = e
		s.ok = e > p.uri && (p.known || p.scheme)
		return s
	}
	// No version in view. Only a SIP method with a URI that SIP uses is believed then.
	s.uri1 = n
	if !p.known || !commonScheme(b[p.uri:]) {
		return s
	}
	if complete {
		if strict || otherProtocol(b[last:]) {
			return s
		}
		s.noVersion, s.ok = true, true
		return s
	}
	if last > p.uri { // a part of the version may be there: "SIP/2." is cut, "HTTP/1.1" is not SIP
		tail := b[last:]
		const v = "sip/2.0"
		if len(tail) <= len(v) && equalFold(tail, v[:len(tail)]) {
			for last > p.uri && (b[last-1] == ' ' || b[last-1] == '\t') {
				last--
			}
			s.uri1 = last
		} else if otherProtocol(tail) {
			return s
		}
	}
	s.cut, s.ok = true, true
	return s
}

// otherProtocol tells whether a word is a protocol and version, such as HTTP/1.1.
func otherProtocol(w []byte) bool {
	i := bytes.IndexByte(w, '/')
	if i < 1 || i+1 >= len(w) || !is(w[i+1], clDigit) {
		return false
	}
	for _, c := range w[:i] {
		if !is(c, clAlpha) {
			return false
		}
	}
	return true
}

func commonScheme(b []byte) bool {
	if len(b) > 0 && b[0] == '<' {
		b = b[1:]
	}
	i := bytes.IndexByte(b[:min(len(b), 5)], ':')
	if i < 0 {
		return false
	}
	w := b[:i]
	return equalFold(w, "sip") || equalFold(w, "sips") || equalFold(w, "tel") || equalFold(w, "urn")
}

// KnownMethod tells whether a method is registered for SIP (RFC 3261 7.1 and its extensions). Methods are
// case-sensitive.
func KnownMethod(b []byte) bool {
	switch string(b) {
	case "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", // RFC 3261
		"MESSAGE",             // RFC 3428
		"SUBSCRIBE", "NOTIFY", // RFC 6665
		"PUBLISH", // RFC 3903
		"INFO",    // RFC 6086
		"PRACK",   // RFC 3262
		"UPDATE",  // RFC 3311
		"REFER":   // RFC 3515
		return true
	}
	return false
}
