package sipparse

import "bytes"

// MayCarryMessage tells whether one of the parts that [Message.Parts] gives could be a SIP message itself: of type message/sip
// or message/sipfrag (RFC 3261 27.5, RFC 3420), or of a type that cannot be read, where the content is to be looked at. It looks
// at the lines of a multipart that could name a type and at no more, so that it costs a fraction of splitting the body. It may
// be true where there is no such part; it is never false where there is one.
func (m *Message) MayCarryMessage() bool {
	if m.Body.Len == 0 {
		return false
	}
	ct := m.Value(HdrContentType)
	n, multi, ok := harmlessType(ct)
	switch {
	case !ok || n < len(ct) && ct[n] != ';':
		return true
	case !multi:
		return false
	case m.Has(HdrContentTransferEncoding):
		return true
	}
	for b := m.Body.In(m.Raw); len(b) > 0; {
		if b[0]|0x20 == 'c' && mayNameCarrier(b) {
			return true
		}
		nl := bytes.IndexByte(b, '\n')
		if nl < 0 {
			break
		}
		b = b[nl+1:]
	}
	return false
}

// mayNameCarrier tells whether the line at the beginning of b could be a Content-Type that is not plainly harmless.
func mayNameCarrier(b []byte) bool {
	const name = "content-type"
	i := 0
	for i < len(b) && i <= len(name) && class[b[i]]&clToken != 0 {
		i++
	}
	if i != 1 && (i != len(name) || !equalFold(b[:i], name)) {
		return false
	}
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	if i == len(b) || b[i] != ':' {
		return false
	}
	for i++; i < len(b) && (b[i] == ' ' || b[i] == '\t'); i++ {
	}
	n, multi, ok := harmlessType(b[i:])
	if !ok || multi {
		return true
	}
	if b = b[i+n:]; len(b) > 0 && b[0] == ';' {
		return false
	}
	// The line has to end here, and no other may continue it.
	if len(b) > 0 && b[0] == '\r' {
		b = b[1:]
	}
	return len(b) < 2 || b[0] != '\n' || b[1] == ' ' || b[1] == '\t'
}

// harmlessType reads the media type that b begins with, of n octets. It is not ok when there is none, and when content of the
// type can be a message.
func harmlessType(b []byte) (n int, multi, ok bool) {
	for n < len(b) && class[b[n]]&clToken != 0 {
		n++
	}
	slash := n
	if n == 0 || n == len(b) || b[n] != '/' {
		return n, false, false
	}
	for n++; n < len(b) && class[b[n]]&clToken != 0; n++ {
	}
	if n == slash+1 || n > maxMediaType || equalFold(b[:slash], "message") {
		return n, false, false
	}
	return n, equalFold(b[:slash], "multipart"), true
}
