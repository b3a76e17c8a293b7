package decode

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// Session descriptions: RFC 8866, with the media line of MCPTT floor control (TS 24.380 12) and MIKEY in key-mgmt
// lines (RFC 4567).

var (
	sdpSelf    = reg("sdp", "Session Description Protocol", "RFC 8866 5", record.Object)
	sdpVersion = reg("sdp.version", "Version", "RFC 8866 5.1", record.String)

	sdpOrigin     = reg("sdp.origin", "Origin", "RFC 8866 5.2", record.Object)
	sdpOriginUser = regID("sdp.origin.username", "User name", "RFC 8866 5.2")
	sdpOriginID   = reg("sdp.origin.session_id", "Session id", "RFC 8866 5.2", record.String)
	sdpOriginVer  = reg("sdp.origin.session_version", "Session version", "RFC 8866 5.2", record.String)
	sdpOriginAddr = reg("sdp.origin.address", "Address", "RFC 8866 5.2", record.String)

	sdpName    = reg("sdp.session_name", "Session name", "RFC 8866 5.3", record.String)
	sdpConn    = reg("sdp.connection", "Connection address", "RFC 8866 5.7", record.String)
	sdpTime    = regList("sdp.time", "Time active", "RFC 8866 5.9", record.String)
	sdpAttrs   = regList("sdp.attributes", "Attributes", "RFC 8866 5.13", record.Object)
	sdpAttrN   = reg("sdp.attributes.name", "Name", "RFC 8866 5.13", record.String)
	sdpAttrV   = reg("sdp.attributes.value", "Value", "RFC 8866 5.13", record.String)
	sdpLines   = regList("sdp.lines", "Other lines", "RFC 8866 5", record.String)
	sdpMedia   = regList("sdp.media", "Media", "RFC 8866 5.14", record.Object)
	sdpType    = reg("sdp.media.type", "Media type", "RFC 8866 5.14", record.String)
	sdpPort    = reg("sdp.media.port", "Port", "RFC 8866 5.14", record.Uint)
	sdpProto   = reg("sdp.media.proto", "Protocol", "RFC 8866 5.14", record.String)
	sdpFormats = regList("sdp.media.formats", "Formats", "RFC 8866 5.14", record.String)
	sdpMConn   = reg("sdp.media.connection", "Connection address", "RFC 8866 5.7", record.String)
	sdpDir     = reg("sdp.media.direction", "Direction", "RFC 8866 6.7", record.String)
	sdpMCPTT   = regMap("sdp.media.mcptt", "Floor control parameters", "TS 24.380 12.1.2", record.String)
	sdpMAttrs  = regList("sdp.media.attributes", "Attributes", "RFC 8866 5.13", record.Object)
	sdpMAttrN  = reg("sdp.media.attributes.name", "Name", "RFC 8866 5.13", record.String)
	sdpMAttrV  = reg("sdp.media.attributes.value", "Value", "RFC 8866 5.13", record.String)
	sdpMLines  = regList("sdp.media.lines", "Other lines", "RFC 8866 5", record.String)

	sdpKeyMgmt = regList("sdp.key_mgmt", "Key management", "RFC 4567 3.1", record.Object)
	sdpKMProto = reg("sdp.key_mgmt.protocol", "Protocol", "RFC 4567 3.1", record.String)
	sdpKMLevel = reg("sdp.key_mgmt.media", "Number of the media section, from 0; absent for the session", "RFC 4567 3.1", record.Uint)
	sdpMikey   = registerMikey("sdp.key_mgmt.mikey")
)

func init() {
	registerBody(BodyType{Name: "sdp", Types: []string{"application/sdp"}, Look: func(b []byte) bool {
		return bytes.HasPrefix(b, []byte("v=0\r\n")) || bytes.HasPrefix(b, []byte("v=0\no="))
	}, Dissect: dissectSDP})
}

// sdpLine is one line: its letter, its value and where the value begins.
type sdpLine struct {
	kind  byte
	value []byte
	off   int // of the line
}

func dissectSDP(c *Context, p *Part) {
	var lines []sdpLine
	off, bad := 0, -1
	for rest := p.Data; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		switch {
		case len(line) >= 2 && line[1] == '=' && line[0] >= 'a' && line[0] <= 'z':
			lines = append(lines, sdpLine{line[0], line[2:], off})
		case len(trimSpace(line)) > 0 && bad < 0:
			bad = off
			c.Find("sdp-line", record.Warning, "RFC 8866 5", fmt.Sprintf("line %q of the session description is not of the form x=value", clip(line, 60)), p, sdpSelf, p.Place(off, len(line)))
		}
		off += len(rest) - len(after)
		rest = after
	}
	if len(lines) == 0 || lines[0].kind != 'v' {
		c.Find("sdp-version", record.Warning, "RFC 8866 5.1", "session description does not begin with v=", p, sdpVersion, p.Place(0, 0))
	}
	self := len(c.B.R.Nodes)
	built := c.B.Open(sdpSelf, p.Place(0, len(p.Data)))
	i := 0
	for i < len(lines) && lines[i].kind != 'm' {
		i++
	}
	c.sdpSession(p, lines[:i])
	var words []byte
	count := 0
	for i < len(lines) {
		j := i + 1
		for j < len(lines) && lines[j].kind != 'm' {
			j++
		}
		end := len(p.Data)
		if j < len(lines) {
			end = lines[j].off
		}
		w := c.sdpMediaSection(p, lines[i:j], end)
		if count++; count <= 4 {
			if len(words) > 0 {
				words = append(words, '+')
			}
			words = append(words, w...)
		}
		i = j
	}
	for l := range mikeyparse.KeyMgmt(p.Data) {
		c.B.Open(sdpKeyMgmt, p.Place(l.Off, l.End-l.Off))
		c.B.Str(sdpKMProto, l.Proto, p.Place(l.Off, l.End-l.Off))
		if l.Media >= 0 {
			c.B.Num(sdpKMLevel, int64(l.Media), record.Place{})
		}
		if l.Mikey() {
			q := *p
			q.Data, q.Off = p.Data[l.DataOff:l.DataEnd], p.Off+l.DataOff
			c.mikey(&q, sdpMikey, false)
		}
		c.B.Close()
	}
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	if len(words) > 0 {
		c.Say("SDP " + string(words))
	}
}

// at is where the value of a line stands.
func (l *sdpLine) at(p *Part) record.Place { return p.Place(l.off+2, len(l.value)) }

func (c *Context) sdpSession(p *Part, lines []sdpLine) {
	seen := map[byte]bool{}
	for i := range lines {
		l := &lines[i]
		first := !seen[l.kind]
		seen[l.kind] = true
		switch {
		case l.kind == 'v' && first:
			c.put(sdpVersion, l.value, l.at(p))
			if string(trimSpace(l.value)) != "0" {
				c.Find("sdp-version", record.Warning, "RFC 8866 5.1", fmt.Sprintf("version of the session description is %q instead of 0", clip(l.value, 40)), p, sdpVersion, l.at(p))
			}
		case l.kind == 'o' && first:
			c.sdpOrigin(p, l)
		case l.kind == 's' && first:
			c.put(sdpName, l.value, l.at(p))
		case l.kind == 'c' && first:
			c.put(sdpConn, sdpAddress(l.value), l.at(p))
		case l.kind == 't':
			c.put(sdpTime, l.value, l.at(p))
		case l.kind == 'a':
			c.sdpAttribute(p, l, sdpAttrs, sdpAttrN, sdpAttrV)
		default:
			c.sdpOther(p, l, sdpLines)
		}
	}
}

func (c *Context) sdpOrigin(p *Part, l *sdpLine) {
	c.B.Open(sdpOrigin, l.at(p))
	fs := bytes.Fields(l.value)
	if len(fs) != 6 {
		c.Find("sdp-origin", record.Warning, "RFC 8866 5.2", fmt.Sprintf("origin has %d fields instead of 6", len(fs)), p, sdpOrigin, l.at(p))
	}
	for i, f := range []*record.Field{sdpOriginUser, sdpOriginID, sdpOriginVer, nil, nil, sdpOriginAddr} {
		if f != nil && i < len(fs) {
			c.put(f, fs[i], l.at(p))
		}
	}
	c.B.Close()
}

// sdpAddress is the address of a c= line without network and address type.
func sdpAddress(v []byte) []byte {
	if fs := bytes.Fields(v); len(fs) >= 3 {
		return fs[2]
	}
	return v
}

// sdpSecret finds the part of a value that is a key or password: from and to within the value.
func sdpSecret(name, value []byte) (from, to int) {
	switch string(bytes.ToLower(clip(name, 16))) {
	case "crypto": // RFC 4568 9.2: inline:<key||salt>["|" lifetime]["|" MKI]; several keys are parted by ";"
		low := lowerASCII(value)
		i := bytes.Index(low, []byte("inline:"))
		if i < 0 {
			return 0, 0
		}
		i += len("inline:")
		// All up to the end but what is no key: of one key lifetime and MKI are kept.
		j := i
		for j < len(value) && value[j] != '|' && value[j] != ' ' {
			j++
		}
		if bytes.Contains(low[j:], []byte("inline:")) {
			j = len(value)
		}
		return i, j
	case "ice-pwd": // RFC 8839 5.4
		return 0, len(value)
	}
	return 0, 0
}

// lowerASCII gives b with A to Z lowered, octet for octet: bytes.ToLower lengthens
// what is not UTF-8, and then a place in its answer is no place in b.
func lowerASCII(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

// withheldText says in place of value[from:to] how much is left out.
func withheldText(value []byte, from, to int) []byte {
	out := append([]byte(nil), value[:from]...)
	out = append(out, '[')
	out = strconv.AppendInt(out, int64(to-from), 10)
	out = append(out, " characters withheld]"...)
	return append(out, value[to:]...)
}

func (c *Context) sdpAttribute(p *Part, l *sdpLine, self, fname, fvalue *record.Field) {
	name, value, has := bytes.Cut(l.value, []byte(":"))
	voff := l.off + 2 + len(name) + 1
	from, to := sdpSecret(name, value)
	if to > from && !c.ShowSecrets() {
		c.mask(p.Src, p.Off+voff+from, to-from)
	}
	if c.B.Open(self, l.at(p)) {
		c.put(fname, name, p.Place(l.off+2, len(name)))
		if has {
			at := p.Place(voff, len(value))
			if to > from && !c.ShowSecrets() {
				if n := c.put(fvalue, withheldText(value, from, to), at); n != nil {
					n.Flags |= record.Withheld
				}
			} else {
				c.put(fvalue, value, at)
			}
		}
	}
	c.B.Close()
}

// sdpOther shows a line that has no member of its own. The value of k= is a key (RFC 4566 5.12).
func (c *Context) sdpOther(p *Part, l *sdpLine, f *record.Field) {
	value, withheld := l.value, false
	if l.kind == 'k' {
		if _, key, ok := bytes.Cut(value, []byte(":")); ok && len(key) > 0 && !c.ShowSecrets() {
			c.mask(p.Src, p.Off+l.off+2+len(value)-len(key), len(key))
			value, withheld = withheldText(value, len(value)-len(key), len(value)), true
		}
	}
	if n := c.put(f, append([]byte{l.kind, '='}, value...), p.Place(l.off, len(l.value)+2)); n != nil && withheld {
		n.Flags |= record.Withheld
	}
}

func (c *Context) sdpMediaSection(p *Part, lines []sdpLine, end int) (words string) {
	m := &lines[0]
	self := len(c.B.R.Nodes)
	built := c.B.Open(sdpMedia, p.Place(m.off, end-m.off))
	fs := bytes.Fields(m.value)
	if len(fs) < 4 {
		c.Find("sdp-media", record.Warning, "RFC 8866 5.14", fmt.Sprintf("media line has %d fields, at least 4 are expected", len(fs)), p, sdpMedia, m.at(p))
	}
	floor := false
	if len(fs) > 0 {
		c.put(sdpType, fs[0], m.at(p))
		words = string(clip(fs[0], 16))
	}
	if len(fs) > 1 {
		port, _, _ := bytes.Cut(fs[1], []byte("/"))
		if v, err := strconv.ParseUint(string(port), 10, 16); err == nil {
			c.B.Num(sdpPort, int64(v), m.at(p))
			if v == 0 {
				words += "(off)"
			}
		} else {
			c.Find("sdp-media", record.Warning, "RFC 8866 5.14", fmt.Sprintf("port %q of the media line is no port", clip(fs[1], 40)), p, sdpPort, m.at(p))
		}
	}
	if len(fs) > 2 {
		c.put(sdpProto, fs[2], m.at(p))
	}
	for i := 3; i < len(fs); i++ {
		c.put(sdpFormats, fs[i], m.at(p))
		floor = floor || bytes.EqualFold(fs[i], []byte("MCPTT"))
	}
	if floor {
		words = "floor control"
	}
	conn, dir, fmtp := false, false, false
	for i := range lines[1:] {
		l := &lines[1+i]
		switch l.kind {
		case 'c':
			if !conn {
				conn = true
				c.put(sdpMConn, sdpAddress(l.value), l.at(p))
				continue
			}
		case 'a':
			switch string(l.value) {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				if !dir {
					dir = true
					c.put(sdpDir, l.value, l.at(p))
				}
			}
			if rest, ok := cutFold(l.value, "fmtp:MCPTT"); ok && !fmtp && (len(rest) == 0 || rest[0] == ' ') {
				fmtp = true
				c.sdpFloor(p, l, rest)
			}
			c.sdpAttribute(p, l, sdpMAttrs, sdpMAttrN, sdpMAttrV)
			continue
		}
		c.sdpOther(p, l, sdpMLines)
	}
	c.B.Close()
	if built {
		regroup(c.B.R, self)
	}
	return words
}

func cutFold(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || !bytes.EqualFold(b[:len(prefix)], []byte(prefix)) {
		return nil, false
	}
	return b[len(prefix):], true
}

// sdpFloor shows the parameters of floor control: mc_queueing;mc_priority=5;mc_granted.
func (c *Context) sdpFloor(p *Part, l *sdpLine, params []byte) {
	if c.B.Open(sdpMCPTT, l.at(p)) {
		seen := map[string]bool{}
		for _, one := range bytes.FieldsFunc(params, func(r rune) bool { return r == ';' || r == ' ' }) {
			name, value, _ := bytes.Cut(one, []byte("="))
			if key := string(name); !seen[key] && len(seen) < 256 {
				seen[key] = true
				c.B.Entry(sdpMCPTT, key, string(value), l.at(p))
			}
		}
	}
	c.B.Close()
}
