package output

import (
	"fmt"
	"net/netip"

	"github.com/mcxdump/mcxdump/decode/record"
)

// sample is a message with a bit of everything.
func sample() *record.Record {
	r := &record.Record{
		Number: 7, Time: 1700000000_123456789, Frames: []uint64{11, 12}, File: "a.pcap", Transport: "udp", Encap: []string{"gtpu"},
		Src: netip.MustParseAddrPort("10.0.0.1:5060"), Dst: netip.MustParseAddrPort("[2001:db8::2]:5061"), Info: "MCPTT <group> call",
	}
	b := record.Builder{R: r, Want: record.All()}
	b.Source(record.Source{Kind: record.Reassembled, Name: "SIP message", Data: []byte("INVITE sip:psi@example.org SIP/2.0\r\nAuthorization: topsecret\r\n\r\n"), Parent: -1,
		Segments: []record.Segment{{Off: 0, Frame: 11}, {Off: 20, Frame: 12}}, Masked: []record.Range{{Off: 51, Len: 9}}})
	b.Source(record.Source{Kind: record.Decrypted, Name: "group", Data: []byte("sip:group@example.org"), Parent: 0, ParentOff: 22, ParentLen: 8})
	b.Open(fSIP, record.At(0, 0, 64))
	b.Str(fMethod, "INVITE", record.At(0, 0, 6))
	b.Str(fRequestURI, "sip:psi@example.org", record.At(0, 7, 19))
	b.Str(fCallID, "1@a", record.At(0, 30, 3))
	b.Open(fCSeq, record.At(0, 33, 8))
	b.Num(fCSeqNumber, 3, record.At(0, 33, 1))
	b.Str(fCSeqMethod, "INVITE", record.At(0, 35, 6))
	b.Close()
	b.Open(fFrom, record.Place{})
	b.Str(fFromURI, "sip:alice@example.org", record.Place{})
	b.Str(fFromDisplay, "Alice Ü", record.Place{})
	b.Close()
	b.Open(fContact, record.Place{})
	b.Str(fContactURI, "sip:alice@10.0.0.1", record.Place{})
	b.Open(fContactParams, record.Place{})
	b.Entry(fContactParams, "expires", "60", record.Place{})
	b.Entry(fContactParams, "q", "0.5", record.Place{})
	b.Entry(fContactParams, "+g.3gpp.mcptt", "", record.Place{})
	b.Entry(fContactParams, "q", "0.7", record.Place{})
	b.Close()
	b.Close()
	b.Str(fPath, "sip:p1;lr", record.Place{})
	b.Close()
	b.Open(fBodies, record.At(0, 5, 50))
	b.Str(fBodyPath, "1", record.Place{})
	b.Str(fBodyType, "application/vnd.3gpp.mcptt-info+xml", record.Place{})
	b.Open(fInfo, record.At(0, 5, 40))
	b.Open(fClientID, record.At(0, 8, 10))
	b.Protect(b.Last(), record.Protection{Encrypted: true, State: record.NoKey, Reason: record.ReasonNoKey, KeyID: "2abcdef0", Algorithm: "AES-128-GCM", Signed: true, Verified: true})
	b.Num(fClientLen, 44, record.Place{})
	b.Close()
	n := b.Str(fGroups, "sip:group@example.org", record.At(1, 0, 21))
	b.Protect(n, record.Protection{Encrypted: true, State: record.Opened, Variant: "ascii", KeyID: "2abcdef0"})
	n = b.Str(fGroups, "sip:g2@example.org", record.At(0, 30, 4))
	b.Protect(n, record.Protection{})
	b.Open(fToken, record.Place{})
	n = b.Last()
	n.Str = "eyJh.eyJz."
	n.Flags |= record.HasValue | record.Withheld
	b.Protect(n, record.Protection{})
	b.Open(fClaims, record.Place{})
	b.Entry(fClaims, "mcptt_id", `"sip:alice@example.org"`, record.Place{})
	b.Entry(fClaims, "exp", "1700003600", record.Place{})
	b.Close()
	b.Close()
	b.Close()
	b.Close()
	b.Open(fBodies, record.Place{})
	b.Str(fBodyPath, "2", record.Place{})
	b.Str(fBodyType, "application/mikey", record.Place{})
	b.Open(fMikey, record.Place{})
	b.Num(fMikeyTime, 1699999999_000000000, record.Place{})
	b.Octets(fMikeyRand, []byte{0, 255, 16}, record.Place{})
	b.Bool(fMikeyV, true, record.Place{})
	b.Close()
	b.Close()
	b.Finding(record.Finding{ID: "SEC-10", Severity: record.Error, Clause: "TS 33.180 9.4", Message: `the digest of "x" differs`, Body: "1",
		Field: "mcptt_info.client_id", Frames: []uint64{12}, Source: 0, Off: 10, Len: 5, HasRange: true})
	return r
}

// big is a message of about 150 nodes.
func big() *record.Record {
	r := sample()
	b := record.Builder{R: r, Want: record.All()}
	b.Open(fSIP, record.Place{})
	for i := range 35 {
		b.Open(fHeaders, record.At(0, i, 1))
		b.Str(fHeaderName, "P-Asserted-Identity", record.Place{})
		b.Str(fHeaderValue, fmt.Sprintf("\"Alice\" <sip:alice%d@mcptt.example.org>", i), record.Place{})
		b.Close()
	}
	b.Close()
	// The second sip object would repeat: move it in front by its own record instead.
	return &record.Record{Number: r.Number, Time: r.Time, Frames: r.Frames, Transport: "udp", Src: r.Src, Dst: r.Dst, Info: r.Info,
		Nodes: nest(r.Nodes), Prots: r.Prots, Sources: r.Sources}
}

// nest puts the headers of the second sip object into the first.
func nest(nodes []record.Node) []record.Node {
	first := int(nodes[0].End)
	second := first
	for nodes[second].Field != fSIP {
		second = int(nodes[second].End)
	}
	var out []record.Node
	move := func(from, to int) {
		shift := int32(len(out) - from)
		for _, n := range nodes[from:to] {
			n.End += shift
			out = append(out, n)
		}
	}
	move(0, first)
	move(second+1, len(nodes))
	out[0].End = int32(len(out))
	move(first, second)
	return out
}
