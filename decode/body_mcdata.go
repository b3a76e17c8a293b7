package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// The binary bodies of MCData: signalling and data payload messages (TS 24.282 15.1), protected as a whole by an
// envelope (TS 33.180 8.5.4.1) when the top bits of the message type say so.

var (
	mdSelf      = reg("mcdata", "MCData message", "TS 24.282 15.1", record.Object)
	mdType      = reg("mcdata.message_type", "Message type", "TS 24.282 15.2.2", record.Uint)
	mdName      = reg("mcdata.message_name", "Name of the message type", "TS 24.282 15.2.2", record.String)
	mdEncrypted = reg("mcdata.encrypted", "Encrypted", "TS 33.180 8.5.4.1", record.Bool)
	mdSigned    = reg("mcdata.authenticated", "Authenticated", "TS 33.180 8.5.4.1", record.Bool)
	mdTime      = reg("mcdata.time", "Date and time", "TS 24.282 15.2.8", record.Time)
	mdConv      = reg("mcdata.conversation_id", "Conversation ID", "TS 24.282 15.2.9", record.String)
	mdMessage   = reg("mcdata.message_id", "Message ID", "TS 24.282 15.2.10", record.String)

	mdPayload = regList("mcdata.payloads", "Payloads", "TS 24.282 15.2.13", record.Object)
	mdContent = reg("mcdata.payloads.content_type", "Content type", "TS 24.282 15.2.13", record.Uint)
	mdContN   = reg("mcdata.payloads.content_name", "Name of the content type", "TS 24.282 15.2.13", record.String)
	mdText    = reg("mcdata.payloads.text", "Text", "TS 24.282 15.2.13", record.String)
	mdData    = reg("mcdata.payloads.data", "Octets", "TS 24.282 15.2.13", record.Octets)

	mdIE      = regList("mcdata.elements", "Information elements", "TS 24.282 15.2", record.Object)
	mdIEI     = reg("mcdata.elements.iei", "Identifier", "TS 24.282 15.2", record.Uint)
	mdIEName  = reg("mcdata.elements.name", "Element", "TS 24.282 15.2", record.String)
	mdIEValue = reg("mcdata.elements.value", "Value", "TS 24.282 15.2", record.Octets)
	mdRest    = reg("mcdata.undecoded", "Octets that were not understood", "TS 24.282 15.1", record.Octets)

	mdSealed   = registerProtected("mcdata.protected", "Protected content", "TS 33.180 8.5.4.1", record.Octets, false)
	mdPayID    = reg("mcdata.protected.payload_id", "Payload ID", "TS 33.180 8.5.4.1", record.String)
	mdSequence = reg("mcdata.protected.sequence", "Payload sequence number", "TS 33.180 8.5.4.1", record.Uint)
	mdIV       = reg("mcdata.protected.iv", "IV", "TS 33.180 8.5.4.1", record.Octets)
	mdIMessage = reg("mcdata.protected.i_message_length", "Octets of the MIKEY message behind it", "TS 33.180 8.5.4.1", record.Uint)
)

func init() {
	registerBody(BodyType{Name: "mcdata", Types: []string{"application/vnd.3gpp.mcdata-signalling", "application/vnd.3gpp.mcdata-payload"}, Dissect: dissectMCData})
}

var mcdataNames = []string{"", "SDS SIGNALLING PAYLOAD", "FD SIGNALLING PAYLOAD", "DATA PAYLOAD"}

func mcdataName(v uint8) string {
	if int(v) < len(mcdataNames) && mcdataNames[v] != "" {
		return mcdataNames[v]
	}
	return "MessageType(" + strconv.Itoa(int(v)) + ")"
}

var mcdataContents = []string{"", "TEXT", "BINARY", "HYPERLINKS", "FILEURL", "LOCATION"}

func dissectMCData(c *Context, p *Part) {
	c.mcx = true
	b := p.Data
	self := len(c.B.R.Nodes)
	built := c.B.Open(mdSelf, p.Place(0, len(b)))
	defer func() {
		c.B.Close()
		if built {
			regroup(c.B.R, self)
		}
	}()
	if len(b) == 0 {
		c.Find("mcdata-malformed", record.Error, "TS 24.282 15.1", "MCData message is empty", p, mdSelf, p.Place(0, 0))
		return
	}
	kind := b[0] & 0x3f
	name := mcdataName(kind)
	c.B.Num(mdType, int64(kind), p.Place(0, 1))
	c.B.Str(mdName, name, p.Place(0, 1))
	if b[0]&0xc0 != 0 {
		c.B.Bool(mdEncrypted, b[0]&0x40 != 0, p.Place(0, 1))
		c.B.Bool(mdSigned, b[0]&0x80 != 0, p.Place(0, 1))
	}
	if b[0]&0x40 != 0 {
		c.mcdataProtected(p, name)
		return
	}
	c.Say("MCData " + name)
	switch kind {
	case 1, 2:
		if !c.mcdataHead(p) {
			return
		}
		c.mcdataElements(p, 38)
	case 3:
		if len(b) < 2 {
			c.short(p, len(b), "number of payloads")
			return
		}
		n := c.mcdataElements(p, 2)
		if n != int(b[1]) {
			c.Find("mcdata-payloads", record.Warning, "TS 24.282 15.1.4", fmt.Sprintf("message announces %d payloads and has %d", b[1], n), p, mdPayload, p.Place(1, 1))
		}
	default:
		if len(b) > 1 {
			c.B.Octets(mdRest, b[1:], p.Place(1, len(b)-1))
		}
	}
}

func (c *Context) short(p *Part, off int, field string) {
	c.Find("mcdata-malformed", record.Error, "TS 24.282 15.1", fmt.Sprintf("MCData message ends in %s at octet %d", field, off), p, mdSelf, p.Place(off, 0))
}

// mcdataHead reads date and time, conversation and message identifier.
func (c *Context) mcdataHead(p *Part) bool {
	b := p.Data
	switch {
	case len(b) < 6:
		c.short(p, len(b), "date and time")
		return false
	case len(b) < 22:
		c.mcdataTime(p, b[1:6], 1)
		c.short(p, len(b), "conversation ID")
		return false
	}
	c.mcdataTime(p, b[1:6], 1)
	c.B.Str(mdConv, uuid(b[6:22]), p.Place(6, 16))
	if len(b) < 38 {
		c.short(p, len(b), "message ID")
		return false
	}
	c.B.Str(mdMessage, uuid(b[22:38]), p.Place(22, 16))
	return true
}

func (c *Context) mcdataTime(p *Part, b []byte, off int) {
	sec := int64(b[0])<<32 | int64(binary.BigEndian.Uint32(b[1:]))
	c.B.Num(mdTime, unixNano(sec), p.Place(off, 5))
}

func uuid(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// mcdataElements reads the optional elements from off on and returns the number of payloads among them. Elements are
// of three forms: half an octet of value beside the identifier (8x to Fx), identifier, length of two octets and value
// (7x), and two of fixed length.
func (c *Context) mcdataElements(p *Part, off int) (payloads int) {
	b := p.Data
	for off < len(b) {
		iei := b[off]
		name, from, end := "", off+1, 0
		switch {
		case iei >= 0x80:
			name, from, end = map[uint8]string{0x8: "SDS disposition request type", 0x9: "FD disposition request type", 0xa: "Mandatory download"}[iei>>4], off, off+1
		case iei >= 0x70:
			if off+3 > len(b) {
				c.short(p, len(b), "the length of an element")
				c.B.Octets(mdRest, b[off:], p.Place(off, len(b)-off))
				return payloads
			}
			from = off + 3
			end = from + int(binary.BigEndian.Uint16(b[off+1:]))
			if iei == 0x78 {
				name = "Payload"
			}
			if iei == 0x79 {
				name = "Metadata"
			}
		case iei == 0x21:
			name, end = "InReplyTo message ID", from+16
		case iei == 0x22:
			name, end = "Application ID", from+1
		default:
			c.Find("mcdata-element", record.Warning, "TS 24.282 15.2", fmt.Sprintf("element %02x has no known length; the rest is kept raw", iei), p, mdIE, p.Place(off, 1))
			c.B.Octets(mdRest, b[off:], p.Place(off, len(b)-off))
			return payloads
		}
		if end > len(b) {
			c.short(p, len(b), fmt.Sprintf("element %02x", iei))
			c.B.Octets(mdRest, b[off:], p.Place(off, len(b)-off))
			return payloads
		}
		if iei == 0x78 {
			payloads++
			c.mcdataPayload(p, off, from, end)
			off = end
			continue
		}
		c.B.Open(mdIE, p.Place(off, end-off))
		if iei >= 0x80 {
			c.B.Num(mdIEI, int64(iei>>4), p.Place(off, 1))
		} else {
			c.B.Num(mdIEI, int64(iei), p.Place(off, 1))
		}
		if name != "" {
			c.B.Str(mdIEName, name, p.Place(off, 1))
		}
		if iei >= 0x80 {
			c.B.Octets(mdIEValue, []byte{iei & 15}, p.Place(off, 1))
		} else {
			c.B.Octets(mdIEValue, b[from:end], p.Place(from, end-from))
		}
		c.B.Close()
		off = end
	}
	return payloads
}

// mcdataPayload shows one payload: an octet of content type and the content.
func (c *Context) mcdataPayload(p *Part, off, from, end int) {
	c.B.Open(mdPayload, p.Place(off, end-off))
	defer c.B.Close()
	if from >= end {
		c.Find("mcdata-payloads", record.Warning, "TS 24.282 15.2.13", "payload without a content type", p, mdPayload, p.Place(off, end-off))
		return
	}
	kind := p.Data[from]
	name := "ContentType(" + strconv.Itoa(int(kind)) + ")"
	if int(kind) < len(mcdataContents) && mcdataContents[kind] != "" {
		name = mcdataContents[kind]
	}
	c.B.Num(mdContent, int64(kind), p.Place(from, 1))
	c.B.Str(mdContN, name, p.Place(from, 1))
	if kind == 1 || kind == 3 || kind == 4 {
		c.put(mdText, p.Data[from+1:end], p.Place(from+1, end-from-1))
	} else {
		c.B.Octets(mdData, p.Data[from+1:end], p.Place(from+1, end-from-1))
	}
}

// mcdataProtected shows a message inside its envelope.
func (c *Context) mcdataProtected(p *Part, name string) {
	places := make(map[string]record.Place, 16)
	q, err := mikeyparse.ParseProtected(p.Data, 0, func(f string, off, end int) { places[f] = p.Place(off, end-off) })
	if q == nil {
		q = &mikeyparse.Protected{}
	}
	if err != nil {
		at, clause, text := p.Place(len(p.Data), 0), "TS 33.180 8.5.4.1", err.Error()
		var e *mikeyparse.Error
		if errors.As(err, &e) {
			at, clause, text = p.Place(min(e.Off, len(p.Data)), 0), e.Spec, fmt.Sprintf("%s: %v", e.Field, e.Err)
		}
		c.Find("mcdata-malformed", record.Error, clause, "protected MCData message cannot be read to its end: "+text, p, mdSelf, at)
	}
	if len(p.Data) >= 6 {
		c.B.Num(mdTime, unixNano(int64(q.DateTime)), places["protected.date_time"])
	}
	s := &sealedData{src: p.Src, at: places["protected.sealed"], iv: q.IV, aad: q.AAD, cipher: q.Sealed, length: len(q.Sealed), payload: true}
	if len(q.AAD) > 0 {
		s.keyID = fmt.Sprintf("%08x", q.DPPKID)
	}
	switch q.Algorithm {
	case mikeyparse.ProtAES128GCM:
		s.algorithm = "aes128-gcm"
	case mikeyparse.ProtAES256GCM:
		s.algorithm = "aes256-gcm"
	default:
		s.algorithm = q.Algorithm.String()
	}
	if err != nil {
		s.bad = record.ReasonMalformed
	}
	o := c.sealed(s)
	c.Say(c.stateWords("MCData "+name, &o.prot))
	at := s.at
	if o.plain != nil {
		at = record.At(o.src, 0, len(o.plain))
	}
	if c.B.Open(mdSealed.f, at) {
		c.protect(c.B.Last(), o.prot)
		if n := c.B.Last(); o.plain != nil {
			n.Str, n.Flags = string(o.plain), n.Flags|record.HasValue
		}
		c.B.Num(mdSealed.length, int64(len(q.Sealed)), s.at)
		if len(q.AAD) > 0 {
			c.B.Str(mdPayID, fmt.Sprintf("%08x", q.PayloadID), places["protected.payload_id"])
			c.B.Num(mdSequence, int64(q.Sequence), places["protected.sequence"])
			c.B.Octets(mdIV, q.IV, places["protected.iv"])
		}
		if m := q.IMessage(); m != nil {
			c.B.Num(mdIMessage, int64(len(m)), places["protected.tail"])
		}
	}
	c.B.Close()
}
