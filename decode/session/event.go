package session

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// An Event is what the tracker has to know of one message. It owns all its memory.
type Event struct {
	Number    uint64
	Time      int64 // Unix nanoseconds
	Frames    []uint64
	File      string
	Src, Dst  netip.AddrPort
	Transport string
	ESP       bool   // came in ESP
	SPI       uint32 // with this SPI
	Quoted    bool   // quoted in an ICMP error: outside every transaction
	Digest    uint64 // of the octets, equal for equal messages of one run
	Repeats   int    // ladder: how many equal messages were folded into this one
	Label     string // ladder: what the message is, when it is not the start line alone
	Message
	Inner   []Message // message/sip bodies, in order
	HTTP    *HTTP     // an HTTP message: then Message has its start line only
	Host    string    // name of the server that an HTTP request is for
	Ciphers []Cipher  // every encrypted element whose key is named

	pooled *readEvent // that it is a part of; nil when it is not of Read
}

// A Message is one SIP message, captured or embedded.
type Message struct {
	Request    bool
	Method     string // of the request; of a response, CSeq's
	RequestURI string
	Status     int
	Reason     string
	CallID     string
	CSeq       uint32
	From, To   Party
	Branch     string // of the topmost Via
	SentBy     string // host[:port] of the topmost Via
	*Details          // nil in the compact events that a session keeps
}

// A Party is a From or To header field.
type Party struct{ URI, Tag string }

// Details are the header fields and bodies of a Message that only the tracker looks at.
type Details struct {
	Contacts   []Contact
	Star       bool  // Contact: *
	Expires    int64 // -1: no such header field
	Event      string
	ETag       string
	IfMatch    string
	SubState   string
	Warnings   []Warning
	Asserted   []string // P-Asserted-Identity
	Preferred  []string // P-Preferred-Identity
	Associated []string // P-Associated-URI
	Services   Services // that the header fields name
	Authorized bool     // credentials are present
	Security   []Mechanism

	Infos      []Info
	Settings   []Entity
	HasPoC     bool // a poc-settings body, even without an entity
	IMessages  []IMessage
	Signatures []Signature
	Bodies     int // leaf bodies
	Profiles   []Profile
}

// A Service is one of the three mission critical services, or a server of TS 33.180 5.1.3.1 that is asked over HTTP.
type Service uint8

const (
	MCPTT   Service = iota // TS 24.379
	MCVideo                // TS 24.281
	MCData                 // TS 24.282
	services
)

var serviceNames = [...]string{"mcptt", "mcvideo", "mcdata"}

// String returns the value of "service" in JSON.
func (s Service) String() string {
	if int(s) < len(serviceNames) {
		return serviceNames[s]
	}
	if s.HTTP() {
		return webNames[s-services]
	}
	return "Service(" + strconv.Itoa(int(s)) + ")"
}

// Services is a set of services.
type Services uint8

// Has reports whether the service is in the set.
func (s Services) Has(x Service) bool { return s&(1<<x) != 0 }

// Of makes a set.
func Of(ss ...Service) (set Services) {
	for _, s := range ss {
		set |= 1 << s
	}
	return set
}

// A Contact is one Contact header field value (RFC 3261 20.10, RFC 3840).
type Contact struct {
	URI      string
	Expires  int64 // -1: no such parameter
	Instance string
	RegID    string
	PubGRUU  string
	TempGRUU string
	Tags     Services // services whose feature tag is there (g.3gpp.mcptt, g.3gpp.mcvideo, g.3gpp.mcdata.*)
	ICSIs    Services // services whose ICSI is in g.3gpp.icsi-ref
	Features []string // further feature tags, as name or name=value
	// Continuity are the parameters of service continuity (TS 24.237 6.2.2 and annex C) among the features.
	Continuity []string
}

// A Warning is one Warning header field value (RFC 3261 20.43); MC is the code of TS 24.379 4.4.2 inside its text, -1
// when there is none.
type Warning struct {
	Code  int
	Agent string
	Text  string
	MC    int
}

// A Value is an element that can be protected (TS 24.379 6.6.2).
type Value struct {
	Present   bool
	Encrypted bool
	Opened    bool   // encrypted, and decrypted by a key that mcxdump has
	State     string // clear, decrypted, no_key, failed
	Reason    string
	KeyID     string
	Signed    bool
	Verified  bool
	Text      string // "" when it could not be opened
}

// A Token is an access token (TS 33.180 B.2.2). Its Text is never kept.
type Token struct {
	Value
	Fingerprint string
	IDs         [services]string // mcptt_id, mcvideo_id, mcdata_id
	ClientID    string           // OAuth client
	Issuer      string
	Scope       string
	Exp         int64
	HasExp      bool
}

// Info is one mcptt-info, mcvideo-info or mcdata-info body.
type Info struct {
	Service     Service
	Body        string // path
	Digest      uint64 // of the body
	Token       Token
	ClientID    Value
	RequestURI  Value
	CallingUser Value
	CalledParty Value
	Profile     Value // selected-user-profile-index
	// MultipleDevices is multiple-devices-ind (TS 24.379 7.3.3).
	MultipleDevices bool
	Encrypted       int // encrypted elements
}

// An Entity is one entity of a poc-settings document (RFC 4354 6.1, TS 24.379 7.4.1.2.2).
type Entity struct {
	ID         string
	AnswerMode string
	Profile    int64 // -1: absent
	Multiplex  string
}

// An IMessage is one MIKEY-SAKKE I_MESSAGE (TS 33.180 annex E).
type IMessage struct {
	Body         string
	CSBID        string
	KeyType      string
	Initiator    string
	Responder    string
	InitiatorKMS string
	ResponderKMS string
	Hidden       bool
	KeyState     string
	KeyReason    string
	SigState     string
}

// A Signature is one XML signature (TS 24.379 F.6).
type Signature struct {
	State  string
	KeyID  string
	Bodies []string // paths of the bodies it covers
}

// A Profile is a user profile document seen in the capture (TS 24.484 8.3).
type Profile struct {
	Service Service
	User    string
	Index   int64
}

// A Cipher is one encrypted element: fingerprints of its IV and of the whole.
type Cipher struct {
	KeyID    string
	IV, Text uint64
}

// noDetails stands in for the details of a compact event.
var noDetails = Details{Expires: -1}

func (m *Message) details() *Details {
	if m.Details == nil {
		return &noDetails
	}
	return m.Details
}

// protected reports whether the message uses confidentiality or integrity protection.
func (d *Details) protected() bool {
	for i := range d.Infos {
		if d.Infos[i].Encrypted > 0 {
			return true
		}
	}
	return len(d.Signatures) > 0
}

// mc reports whether the message has a body that belongs to service authorisation.
func (d *Details) mc() bool { return len(d.Infos) > 0 || len(d.IMessages) > 0 || len(d.Signatures) > 0 }

// frame is the frame that a message is cited by.
func (e *Event) frame() uint64 {
	if len(e.Frames) == 0 {
		return 0
	}
	return e.Frames[len(e.Frames)-1]
}

// compact returns a copy that keeps what a ladder needs.
func (e *Event) compact() *Event {
	c := *e
	c.Message.Details, c.Inner, c.Ciphers, c.HTTP, c.pooled = nil, nil, nil, nil, nil
	c.Frames = slices.Clone(e.Frames)
	c.From, c.To, c.Branch, c.RequestURI = Party{}, Party{}, "", ""
	c.Label = e.label()
	return &c
}

// label is the message in a few words: start line and what makes it special.
func (e *Event) label() string {
	if e.Label != "" {
		return e.Label
	}
	if e.HTTP != nil {
		return e.HTTP.words(e.Request)
	}
	d := e.details()
	var b []byte
	add := func(s string) {
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(b, s...)
	}
	if e.Request && e.Method == "REGISTER" && len(e.Inner) > 0 {
		add("third party")
	}
	if e.Request && d.Expires == 0 {
		add("Expires 0")
	}
	for i := range d.IMessages {
		add(keyWord(d.IMessages[i].KeyType) + " " + d.IMessages[i].CSBID)
	}
	for i := range d.Infos {
		in := &d.Infos[i]
		switch {
		case in.Token.Present && in.Token.Encrypted:
			add(in.Service.String() + " token encrypted")
		case in.Token.Present:
			add(in.Service.String() + " token")
		}
	}
	if len(d.Signatures) > 0 {
		add("signed")
	}
	if d.HasPoC {
		add("settings")
	}
	for i := range d.Warnings {
		add(d.Warnings[i].Text)
	}
	return clipText(string(b), 120)
}

func keyWord(s string) string {
	if s == "" {
		return "key"
	}
	return s
}

// clipText cuts a text at a limit, on a character's border.
func clipText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return strings.Clone(s[:n]) + "…"
}

// jsonText reads a JSON string; an array of strings is joined by spaces (a scope in some tokens).
func jsonText(raw string) string {
	if len(raw) < 2 {
		return ""
	}
	if raw[0] == '"' && !strings.ContainsRune(raw, '\\') && raw[len(raw)-1] == '"' {
		return strings.Clone(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal([]byte(raw), &s) == nil {
		return s
	}
	var list []string
	if json.Unmarshal([]byte(raw), &list) == nil {
		return strings.Join(list, " ")
	}
	return ""
}

// jsonSeconds reads a NumericDate (RFC 7519 2).
func jsonSeconds(raw string) (int64, bool) {
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || f != f || f > 1<<53 || f < -(1<<53) {
		return 0, false
	}
	return int64(f), true
}
