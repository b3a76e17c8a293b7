package sipparse

import "bytes"

// The functions here know the common, clean shape of a value by one look at each octet. They only ever say "this is
// clean"; whatever else a value is, the parsers of the typed views say. A test holds them to that: what is clean here
// has no fault there.

// cleanParams reads *( ";" token [ "=" value ] ) from v[i:]. It gives the offset of the "," after them or len(v), or -1
// when this is not so clean. found tells whether the parameter want, in lower case, is among them, and where its value
// begins.
func cleanParams(v []byte, i int, want string) (end, found int) {
	for {
		for i < len(v) && v[i] == ' ' {
			i++
		}
		if i == len(v) || v[i] == ',' {
			return i, found
		}
		if v[i] != ';' {
			return -1, found
		}
		i++
		for i < len(v) && v[i] == ' ' {
			i++
		}
		n := i
		for i < len(v) && class[v[i]]&clToken != 0 {
			i++
		}
		if i == n {
			return -1, found
		}
		hit := i-n == len(want) && equalFold(v[n:i], want)
		if hit && found > 0 {
			return -1, found // the first of two counts
		}
		if i < len(v) && v[i] == '=' {
			i++
			if i < len(v) && v[i] == '"' {
				if hit {
					found = i + 1
				}
				q := v[i+1:]
				n = bytes.IndexByte(q, '"')
				if n < 0 || bytes.IndexByte(q[:n], '\\') >= 0 {
					return -1, found
				}
				i += n + 2
			} else {
				if hit {
					found = i
				}
				n = i
				for i < len(v) && class[v[i]]&(clToken|clHost) != 0 {
					i++
				}
				if i == n {
					return -1, found
				}
			}
		} else if hit {
			found = i
		}
	}
}

// cleanSIPURI reads "sip:" and what follows, without headers, from v[i:]. It gives the offset of the first octet that is
// not of it, or -1.
func cleanSIPURI(v []byte, i int) int {
	if len(v)-i < 6 || v[i]|0x20 != 's' || v[i+1]|0x20 != 'i' || v[i+2]|0x20 != 'p' {
		return -1
	}
	if i += 3; v[i]|0x20 == 's' {
		i++
	}
	if v[i] != ':' {
		return -1
	}
	i++
	host := i
	for i < len(v) && class[v[i]]&clUser != 0 {
		i++
	}
	if i < len(v) && v[i] == '@' {
		i++
		host = i
	} else {
		i = host
	}
	for i < len(v) && class[v[i]]&clName != 0 {
		i++
	}
	if i == host {
		return -1
	}
	if i < len(v) && v[i] == ':' {
		i++
		port := i
		for i < len(v) && class[v[i]]&clDigit != 0 {
			i++
		}
		if i == port || i-port > 4 && (i-port > 5 || string(v[port:i]) > "65535") {
			return -1
		}
	}
	if i < len(v) && v[i] == ';' {
		for i < len(v) && class[v[i]]&clURIParam != 0 {
			i++
		}
	}
	return i
}

// cleanAddrs reads name-addr values with sip or sips URIs, several of them only in a list. The parameter want sends it
// to the slow path, unless need: then every address must have it.
func cleanAddrs(v []byte, list bool, want string, need bool) bool {
	i := 0
	for {
		for i < len(v) && v[i] == ' ' {
			i++
		}
		if i == len(v) {
			return false
		}
		if v[i] == '"' {
			for i++; i < len(v) && v[i] != '"'; i++ {
				if v[i] == '\\' {
					return false
				}
			}
			for i++; i < len(v) && v[i] == ' '; i++ {
			}
		} else {
			for i < len(v) && (class[v[i]]&clToken != 0 || v[i] == ' ') {
				i++
			}
		}
		if i >= len(v) || v[i] != '<' {
			return false
		}
		i = cleanSIPURI(v, i+1)
		if i < 0 || i == len(v) || v[i] != '>' {
			return false
		}
		i++
		end, found := cleanParams(v, i, want)
		if end < 0 || (found > 0) != need && want != "" {
			return false
		}
		if end == len(v) {
			return true
		}
		if !list {
			return false
		}
		i = end + 1
	}
}

// cleanVia reads one or more Via values; with top, the first must have a branch with more than the cookie.
func cleanVia(v []byte, top bool) bool {
	const usual = "SIP/2.0/"
	i := 0
	for {
		if len(v)-i <= len(usual) || string(v[i:i+len(usual)]) != usual {
			return false
		}
		i += len(usual)
		n := i
		for i < len(v) && class[v[i]]&clToken != 0 {
			i++
		}
		if i == n || i == len(v) || v[i] != ' ' {
			return false
		}
		i++
		n = i
		for i < len(v) && class[v[i]]&clName != 0 {
			i++
		}
		if i == n {
			return false
		}
		if i < len(v) && v[i] == ':' {
			i++
			port := i
			for i < len(v) && class[v[i]]&clDigit != 0 {
				i++
			}
			if i == port || i-port > 4 && (i-port > 5 || string(v[port:i]) > "65535") {
				return false
			}
		}
		end, branch := cleanParams(v, i, "branch")
		if end < 0 {
			return false
		}
		if top {
			c := len(BranchCookie)
			if branch == 0 || end-branch <= c || string(v[branch:branch+c]) != BranchCookie || class[v[branch+c]]&clToken == 0 {
				return false
			}
			top = false
		}
		if end == len(v) {
			return true
		}
		for i = end + 1; i < len(v) && v[i] == ' '; i++ {
		}
	}
}

// cleanTokens reads one or more tokens with parameters.
func cleanTokens(v []byte, list bool) bool {
	i := 0
	for {
		for i < len(v) && v[i] == ' ' {
			i++
		}
		n := i
		for i < len(v) && class[v[i]]&clToken != 0 {
			i++
		}
		if i == n {
			return false
		}
		end, _ := cleanParams(v, i, "")
		if end == len(v) {
			return true
		}
		if end < 0 || !list {
			return false
		}
		i = end + 1
	}
}

// cleanMediaType reads a media type with parameters.
func cleanMediaType(v []byte) bool {
	i := 0
	for i < len(v) && class[v[i]]&clToken != 0 {
		i++
	}
	if i == 0 || i >= len(v)-1 || v[i] != '/' {
		return false
	}
	i++
	n := i
	for i < len(v) && class[v[i]]&clToken != 0 {
		i++
	}
	if i == n || i > maxMediaType {
		return false
	}
	end, _ := cleanParams(v, i, "")
	return end == len(v)
}

// cleanDelta reads seconds with parameters.
func cleanDelta(v []byte) bool {
	i := 0
	for i < len(v) && class[v[i]]&clDigit != 0 {
		i++
	}
	if i == 0 || i > 9 {
		return false
	}
	end, _ := cleanParams(v, i, "")
	return end == len(v)
}

// cleanNumber reads a number of up to ten digits that fits in 32 bits.
func cleanNumber(v []byte) bool {
	if len(v) == 0 || len(v) > 10 || len(v) == 10 && string(v) > "4294967295" {
		return false
	}
	for _, c := range v {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

// cleanCSeq reads a number, one space and a method, in a request its own.
func (m *Message) cleanCSeq(v []byte) bool {
	i := 0
	for i < len(v) && i < 10 && v[i]-'0' <= 9 {
		i++
	}
	if i == 0 || i > 9 || i+1 >= len(v) || v[i] != ' ' {
		return false
	}
	v = v[i+1:]
	if m.Request {
		return string(v) == string(m.Method.In(m.Raw))
	}
	for _, c := range v {
		if class[c]&clToken == 0 {
			return false
		}
	}
	return true
}

// cleanLength takes the first Content-Length of a message when it is a number of up to nine digits.
func (m *Message) cleanLength(v []byte) bool {
	if m.clCount > 0 || len(v) > 9 {
		return false
	}
	n := 0
	for _, c := range v {
		d := c - '0'
		if d > 9 {
			return false
		}
		n = 10*n + int(d)
	}
	m.clCount, m.ContentLength = 1, int64(n)
	return true
}
