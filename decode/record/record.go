package record

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Schema is the version string of the JSON contract.
const Schema = "mcxdump/1"

// Type is what a Record is.
type Type uint8

const (
	Message Type = iota
	FindingType
	SummaryType
)

// String returns the value of "record" in JSON.
func (t Type) String() string {
	switch t {
	case Message:
		return "message"
	case FindingType:
		return "finding"
	case SummaryType:
		return "summary"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// A Record is one message, one finding about a stream, or the summary. It is immutable once it has left the decoder's
// ordered stage.
type Record struct {
	Type      Type
	Number    uint64 // 1-based, counts messages in capture order, whatever a filter hides
	Time      int64  // Unix nanoseconds of the frame that completed the message
	Frames    []uint64
	File      string
	Interface string
	Transport string   // udp, tcp, sctp, ws, tls, wss; "" for a record that no message belongs to
	Encap     []string // outermost first: "vlan", "gtpu", ...
	Quoted    bool     // the message was quoted in an ICMP error and stands outside every transaction
	Src, Dst  netip.AddrPort
	Info      string // what the message is about, in words; wire text in it is unescaped

	Nodes    []Node // preorder
	Sources  []Source
	Prots    []Protection
	Findings []Finding
}

// A Node is one item of the tree. Children follow it in Record.Nodes up to End.
type Node struct {
	Field *Field
	Key   string // entry name inside a Map
	Str   string // value of String, Octets, Addr and Raw kinds
	Num   int64  // value of Uint, Int, Bool and Time kinds
	Off   uint32 // range of octets in Sources[Src]
	Len   uint32
	End   int32 // index one past the last descendant
	Src   uint16
	Prot  uint16 // 1-based index in Record.Prots; 0: cannot be protected
	Flags Flags
}

// Flags qualify a Node.
type Flags uint8

const (
	HasValue  Flags = 1 << iota // the node has a value of its own
	HasRange                    // Off, Len and Src are set
	Generated                   // inferred by mcxdump, not read from the wire
	Withheld                    // part of the value is a secret that was left out
	Cut                         // the value was cut at a limit
)

// SourceKind says where the octets of a Source come from.
type SourceKind uint8

const (
	Captured    SourceKind = iota // one frame's octets
	Reassembled                   // fragments or stream segments put together
	Decoded                       // transfer-decoded or unescaped from the parent
	Decrypted                     // plain text of a protected element of the parent
)

var sourceNames = [...]string{"captured", "reassembled", "decoded", "decrypted"}

// String names the kind.
func (k SourceKind) String() string {
	if int(k) < len(sourceNames) {
		return sourceNames[k]
	}
	return fmt.Sprintf("SourceKind(%d)", uint8(k))
}

// A Source is a run of octets that nodes point into. Source 0 is the message as captured or reassembled; others are
// derived from a range of their parent.
type Source struct {
	Kind      SourceKind
	Name      string
	Data      []byte
	Parent    int // index, -1 for source 0
	ParentOff uint32
	ParentLen uint32
	Segments  []Segment // source 0: which frame each stretch came from
	Masked    []Range   // secrets in Data that a dump must not show
}

// A Segment says that the octets of a message from Off on come from a frame.
type Segment struct {
	Off   uint32
	Frame uint64
}

// A Range is a run of octets in a source.
type Range struct {
	Off, Len uint32
}

// Protection is what is known of the protection of one element, on two axes, with the key's identifier.
type Protection struct {
	Encrypted bool  // "protection":"encrypted", otherwise "none"
	State     State // clear, decrypted, no_key, failed
	Reason    Reason
	Variant   string // which key derivation variant opened it; "" when it is the standard one or nothing was opened
	KeyID     string // 8 lower-case hex digits, "" when the element names none
	Algorithm string
	Signed    bool // covered by a signature's reference
	Verified  bool // that signature was verified
}

// State is the outcome for a protected element.
type State uint8

const (
	Clear State = iota
	Opened
	NoKey
	Failed
)

var stateNames = [...]string{"clear", "decrypted", "no_key", "failed"}

// String returns the value of "state" in JSON.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Reason says why an element, key or signature could not be opened or verified. The set is closed (the JSON contract).
type Reason uint8

const (
	NoReason Reason = iota
	ReasonNoKey
	ReasonNoRSK
	ReasonWrongRSK
	ReasonWrongPeriod
	ReasonNoKPAK
	ReasonP0Unknown
	ReasonTagMismatch
	ReasonDigestMismatch
	ReasonHMACMismatch
	ReasonUnresolvedReference
	ReasonUnsupportedAlgorithm
	ReasonKeyNameMismatch
	ReasonMalformed
)

var reasonNames = [...]string{"", "no_key", "no_rsk", "wrong_rsk", "wrong_period", "no_kpak", "p0_unknown", "tag_mismatch",
	"digest_mismatch", "hmac_mismatch", "unresolved_reference", "unsupported_algorithm", "key_name_mismatch", "malformed"}

// Reasons lists the enumeration of the JSON contract.
func Reasons() []string { return append([]string(nil), reasonNames[1:]...) }

// String returns the value of "reason" in JSON, "" for none.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Severity of a finding.
type Severity uint8

const (
	Note Severity = iota
	Warning
	Error
)

// String returns the value of "severity" in JSON.
func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// A Finding is one thing that is wrong or worth knowing, in a plain sentence, with its place and clause.
type Finding struct {
	ID       string // stable: SEC-10, sip-bare-lf, tcp-gap ...
	Severity Severity
	Clause   string
	Message  string // text from the wire inside it is quoted with %q
	Body     string // path of the body, "" for the message itself
	Field    string // registered name, "" when none fits
	Frames   []uint64
	Source   uint16
	Off, Len uint32
	HasRange bool
}

// A Value is one value of a field, as filters and the fields printer see it.
type Value struct {
	Kind  Kind
	Str   string
	Num   int64
	Valid bool
}

// Value returns the node's own value.
func (r *Record) Value(n *Node) Value {
	if n.Flags&HasValue == 0 {
		return Value{}
	}
	k := n.Field.Kind
	if k == Protected {
		k = n.Field.Of
	}
	return Value{Kind: k, Str: n.Str, Num: n.Num, Valid: true}
}

// Protection returns the node's protection, or nil.
func (r *Record) Protection(n *Node) *Protection {
	if n.Prot == 0 || int(n.Prot) > len(r.Prots) {
		return nil
	}
	return &r.Prots[n.Prot-1]
}

func (r *Record) sub(n *Node, sub string) Value {
	p := r.Protection(n)
	if p == nil {
		return Value{}
	}
	return StringValue(p.Member(sub))
}

// Member returns a member of the protected object by its JSON name, "" when it is absent.
func (p *Protection) Member(name string) string {
	switch name {
	case "protection":
		if p.Encrypted {
			return "encrypted"
		}
		return "none"
	case "state":
		return p.State.String()
	case "reason":
		return p.Reason.String()
	case "variant":
		return p.Variant
	case "key_id":
		return p.KeyID
	case "algorithm":
		return p.Algorithm
	case "integrity":
		switch {
		case p.Verified:
			return "verified"
		case p.Signed:
			return "signed"
		}
	}
	return ""
}

// StringValue makes a text value; "" is the absent value.
func StringValue(s string) Value { return Value{Kind: String, Str: s, Valid: s != ""} }

// AppendText appends the value as -T fields and the tree show it, unescaped.
func (v Value) AppendText(dst []byte) []byte {
	if !v.Valid {
		return dst
	}
	switch v.Kind {
	case Uint:
		return strconv.AppendUint(dst, uint64(v.Num), 10)
	case Int:
		return strconv.AppendInt(dst, v.Num, 10)
	case Bool:
		return strconv.AppendBool(dst, v.Num != 0)
	case Octets:
		const digits = "0123456789abcdef"
		for i := 0; i < len(v.Str); i++ {
			dst = append(dst, digits[v.Str[i]>>4], digits[v.Str[i]&15])
		}
		return dst
	case Time:
		return AppendTime(dst, v.Num)
	}
	return append(dst, v.Str...)
}

// AppendTime appends Unix nanoseconds as RFC 3339 in UTC with nine digits. A time outside the years 1 to 9999 cannot
// be written so; int64 nanoseconds reach only from 1677 to 2262.
func AppendTime(dst []byte, ns int64) []byte {
	return time.Unix(0, ns).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
}

// Children yields the indices of the direct children of node i; i = -1 yields the roots.
func (r *Record) Children(i int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		j, end := 0, len(r.Nodes)
		if i >= 0 {
			j, end = i+1, int(r.Nodes[i].End)
		}
		for j < end {
			if !yield(j) {
				return
			}
			j = max(int(r.Nodes[j].End), j+1)
		}
	}
}

// FrameAt returns the frame that holds octet off of source src, walking up through derived sources to source 0.
// It answers "which frame did this decrypted URI come from".
func (r *Record) FrameAt(src int, off uint32) (frame uint64, ok bool) {
	for range len(r.Sources) + 1 {
		if src < 0 || src >= len(r.Sources) {
			return 0, false
		}
		s := &r.Sources[src]
		if s.Parent < 0 || src == 0 {
			for i := len(s.Segments) - 1; i >= 0; i-- {
				if s.Segments[i].Off <= off {
					return s.Segments[i].Frame, true
				}
			}
			return 0, false
		}
		src, off = s.Parent, s.ParentOff
	}
	return 0, false
}

// Worst returns the highest severity among the findings and whether there is any.
func (r *Record) Worst() (Severity, bool) {
	w := Note
	for i := range r.Findings {
		w = max(w, r.Findings[i].Severity)
	}
	return w, len(r.Findings) > 0
}
