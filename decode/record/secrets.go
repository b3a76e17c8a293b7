package record

import (
	"bytes"
	"strings"
)

// SecretMember tells whether the value under a name in JSON, a form, a query or an attribute is a token, a password or
// the like (RFC 6749 4, RFC 7636 4).
func SecretMember(name string) bool {
	switch name {
	case "access_token", "refresh_token", "id_token", "code", "code_verifier", "password", "client_secret", "subject_token", "actor_token", "assertion",
		"id_token_hint", "device_code":
		return true
	}
	return false
}

// SecretElement tells whether the text of an XML element of that local name is a key, a token or a password: key material of a KMS
// (TS 33.180 D.3.3.2), access tokens.
func SecretElement(local string) bool {
	switch local {
	case "UserDecryptKey", "UserSigningKeySSK", "NewTransportKey", "NewIntegrityKey", "password", "Password", "pwd":
		return true
	}
	const suffix = "access-token"
	return len(local) >= len(suffix) && local[len(local)-len(suffix):] == suffix
}

// PlainSecrets finds what stands under such names in octets that need not be well-formed, in ascending order: the text of XML elements
// up to their end tags, string members of JSON, and parameters. What is not ended goes to the end of b.
func PlainSecrets(b []byte) (found []Range) {
	done := 0 // what was found ends before it
	for i := 0; i < len(b); {
		if !wordOctet(b[i]) {
			i++
			continue
		}
		from := i
		for i < len(b) && wordOctet(b[i]) {
			i++
		}
		if i-from < len("pwd") || i-from > 64 {
			continue
		}
		var at, end int
		switch name := string(b[from:i]); {
		case SecretElement(name) && elementOpens(b, from):
			if strings.HasSuffix(name, "token") {
				at, end = tokenText(b, i)
			} else {
				at, end = elementText(b, i, name)
			}
		case SecretElement(name) && elementEnds(b, from):
			// Its start tag is not there, or is damaged.
			if end = bytes.LastIndexByte(b[done:from], '<') + done; end < done {
				continue
			}
			at = bytes.LastIndexByte(b[done:end], '>') + 1 + done
			if end > at {
				found = append(found, Range{uint32(at), uint32(end - at)})
			}
			done = i
			continue
		case SecretMember(name):
			at, end = memberText(b, i, name)
		}
		if end > at {
			found = append(found, Range{uint32(at), uint32(end - at)})
			i, done = end, end
		}
	}
	return found
}

func wordOctet(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// elementOpens reports whether a name stands in a start tag, after < and a prefix.
func elementOpens(b []byte, name int) bool {
	i := name - 1
	if i >= 0 && b[i] == ':' {
		for i--; i >= 0 && name-i < 64 && (wordOctet(b[i]) || b[i] == '.'); i-- {
		}
	}
	return i >= 0 && b[i] == '<'
}

// elementEnds reports whether a name stands in an end tag.
func elementEnds(b []byte, name int) bool {
	i := name - 1
	if i >= 0 && b[i] == ':' {
		for i--; i >= 0 && name-i < 64 && (wordOctet(b[i]) || b[i] == '.'); i-- {
		}
	}
	return i >= 1 && b[i] == '/' && b[i-1] == '<'
}

// tagEnd is where a tag ends that stands open at i, at its > or where it breaks off, at the next < or the end of b. Looking no
// further keeps the work linear in what never ends.
func tagEnd(b []byte, i int) (end int, whole bool) {
	n := bytes.IndexAny(b[i:], "<>")
	if n < 0 {
		return len(b), false
	}
	return i + n, b[i+n] == '>'
}

// elementText is the content of an element from the end of its name on.
func elementText(b []byte, i int, name string) (from, to int) {
	from = i
	if n, whole := tagEnd(b, i); whole {
		if b[n-1] == '/' {
			return 0, 0
		}
		from = n + 1
	}
	for i = from; ; {
		n := bytes.Index(b[i:], []byte("</"))
		if n < 0 {
			return from, len(b)
		}
		i += n
		end := i + 2
		for end < len(b) && (wordOctet(b[end]) || b[end] == ':' || b[end] == '.') {
			end++
		}
		if bytes.HasSuffix(b[i+2:end], []byte(name)) {
			return from, i
		}
		i += 2
	}
}

// memberText is the value of a member or parameter from the end of its name on. A bare code or assertion is one only in
// JSON: elsewhere the words mean other things.
func memberText(b []byte, i int, name string) (from, to int) {
	quoted := i < len(b) && (b[i] == '"' || b[i] == '\'')
	if quoted {
		i++
	}
	skip := func() {
		for i < len(b) && space(b[i]) {
			i++
		}
	}
	skip()
	if i == len(b) || b[i] != '=' && (b[i] != ':' || !quoted) || b[i] == '=' && (name == "code" || name == "assertion") {
		return 0, 0
	}
	json := b[i] == ':'
	i++
	skip()
	if i == len(b) {
		return 0, 0
	}
	if q := b[i]; q == '"' || q == '\'' {
		i++
		for from = i; i < len(b) && b[i] != q; i++ {
			if b[i] == '\\' {
				i++
			}
		}
		return from, min(i, len(b))
	}
	if json {
		return 0, 0
	}
	for from = i; i < len(b) && b[i] > ' ' && bytes.IndexByte([]byte(`&;,"'<>`), b[i]) < 0; i++ {
	}
	return from, i
}

// tokenText is the secret part of a token from the end of its element's name on, which may stand in one more element: the third
// part of a JWS (RFC 7515 7.1), otherwise all of it. What stands in EncryptedData is none.
func tokenText(b []byte, i int) (from, to int) {
	n, whole := tagEnd(b, i)
	if from = i; whole {
		if b[n-1] == '/' {
			return 0, 0
		}
		from = n + 1
		for from < len(b) && space(b[from]) {
			from++
		}
		if bytes.HasPrefix(b[from:], []byte("<!")) { // a comment or CDATA
			if to = bytes.Index(b[from:], []byte("</")); to < 0 {
				return from, len(b)
			}
			return from, from + to
		}
		if from < len(b) && b[from] == '<' {
			if n, whole = tagEnd(b, from+1); !whole || b[n-1] == '/' {
				return 0, 0
			}
			from = n + 1
		}
		if n = bytes.IndexByte(b[from:], '<'); n < 0 {
			n = len(b)
		} else {
			n += from
		}
	}
	to = n
	for from < to && space(b[from]) {
		from++
	}
	for from < to && space(b[to-1]) {
		to--
	}
	if v := b[from:to]; bytes.HasPrefix(v, []byte("eyJ")) && bytes.Count(v, []byte(".")) == 2 && !bytes.ContainsAny(v, "> \t\r\n") {
		from += bytes.LastIndexByte(v, '.') + 1
	}
	return from, to
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
