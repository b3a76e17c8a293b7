package filter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/mcxdump/mcxdump/decode/record"
)

func reg(name string, k record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: name, Clause: "test", Kind: k})
}

func regList(name string, k record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: name, Clause: "test", Kind: k, List: true})
}

func regOf(name string, k, of record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: name, Clause: "test", Kind: k, Of: of})
}

var (
	fSIP           = reg("sip", record.Object)
	fMethod        = reg("sip.method", record.String)
	_              = reg("sip.status", record.Uint)
	fRequestURI    = reg("sip.request_uri", record.String)
	fCallID        = reg("sip.call_id", record.String)
	fCSeq          = reg("sip.cseq", record.Object)
	fCSeqNumber    = reg("sip.cseq.number", record.Uint)
	fCSeqMethod    = reg("sip.cseq.method", record.String)
	fContact       = regList("sip.contact", record.Object)
	fContactURI    = reg("sip.contact.uri", record.String)
	fContactParams = regOf("sip.contact.params", record.Map, record.String)
	fHeaders       = regList("sip.headers", record.Object)
	fHeaderName    = reg("sip.headers.name", record.String)
	fHeaderValue   = reg("sip.headers.value", record.String)
	fBodies        = regList("bodies", record.Object)
	fBodyPath      = reg("bodies.path", record.String)
	fInfo          = reg("mcptt_info", record.Object)
	fClientID      = regOf("mcptt_info.client_id", record.Protected, record.String)
	fEmergency     = regOf("mcptt_info.emergency_ind", record.Protected, record.Bool)
	fClaims        = regOf("mcptt_info.claims", record.Map, record.Raw)
	fMikey         = reg("mikey", record.Object)
	fMikeyTime     = reg("mikey.time", record.Time)
	fMikeyRand     = reg("mikey.rand", record.Octets)
	fMikeyOffset   = reg("mikey.offset", record.Int)
	fMikeyV        = reg("mikey.v", record.Bool)
	fMikeyAddr     = regList("mikey.addr", record.Addr)
	fMikeyBig      = reg("mikey.big", record.Uint)
	_              = reg("other", record.Object)
	// A field with a Get of its own, as the decoder may register one.
	_ = record.Register(record.Field{Name: "got", Title: "Got", Clause: "test", Kind: record.Uint, Get: func(r *record.Record, y func(record.Value) bool) {
		for i := range r.Frames {
			if !y(record.Value{Kind: record.Uint, Num: int64(i), Valid: true}) {
				return
			}
		}
	}})
)

// sample is what most expressions of the tests are about.
func sample() *record.Record {
	r := &record.Record{
		Number: 7, Time: 1704067200_500000000, Frames: []uint64{11, 12}, File: "a.pcap", Transport: "udp", Encap: []string{"vlan", "gtpu"}, Info: "MCPTT call",
		Src: netip.MustParseAddrPort("10.0.0.1:5060"), Dst: netip.MustParseAddrPort("[2001:db8::2]:5061"),
	}
	b := record.Builder{R: r, Want: record.All()}
	no := record.Place{}
	b.Open(fSIP, no)
	b.Str(fMethod, "INVITE", no)
	b.Str(fRequestURI, "sip:psi@example.org", no)
	b.Str(fCallID, "abc@10.0.0.1", no)
	b.Open(fCSeq, no)
	b.Num(fCSeqNumber, 3, no)
	b.Str(fCSeqMethod, "INVITE", no)
	b.Close()
	for i, u := range []string{"sip:alice@10.0.0.1", "sip:bob@10.0.0.9"} {
		b.Open(fContact, no)
		b.Str(fContactURI, u, no)
		b.Open(fContactParams, no)
		b.Entry(fContactParams, "Expires", fmt.Sprint(60*i), no)
		b.Entry(fContactParams, "+g.3gpp.mcptt", "", no)
		b.Close()
		b.Close()
	}
	for _, h := range [][2]string{{"Via", "SIP/2.0/UDP"}, {"X-Odd", "line\nfeed \xff"}} {
		b.Open(fHeaders, no)
		b.Str(fHeaderName, h[0], no)
		b.Str(fHeaderValue, h[1], no)
		b.Close()
	}
	b.Close()
	b.Open(fBodies, no)
	b.Str(fBodyPath, "1.2", no)
	b.Open(fInfo, no)
	n := b.Str(fClientID, "urn:uuid:1", no)
	b.Protect(n, record.Protection{Encrypted: true, State: record.Opened, KeyID: "2abcdef0", Algorithm: "AES-128-GCM"})
	b.Protect(b.Node(fEmergency, no), record.Protection{Encrypted: true, State: record.NoKey, Reason: record.ReasonNoKey, KeyID: "2abcdef1"})
	b.Open(fClaims, no)
	b.Entry(fClaims, "exp", "1704070800", no)
	b.Close()
	b.Close()
	b.Close()
	b.Open(fMikey, no)
	b.Num(fMikeyTime, 1704067199_000000000, no)
	b.Octets(fMikeyRand, []byte{0x00, 0xff, 0x10, 'A'}, no)
	b.Num(fMikeyOffset, -5, no)
	b.Bool(fMikeyV, false, no)
	b.Str(fMikeyAddr, "10.0.0.7", no)
	b.Str(fMikeyAddr, "2001:db8::7", no)
	b.Str(fMikeyAddr, "rubbish", no)
	b.Num(fMikeyBig, -1, no) // 2^64-1
	b.Close()
	b.Finding(record.Finding{ID: "SEC-10", Severity: record.Error, Clause: "TS 33.180", Message: "m", Field: "mcptt_info", Frames: []uint64{12}, Source: 1, Off: 10, Len: 5, HasRange: true})
	b.Finding(record.Finding{ID: "tcp-gap", Severity: record.Note, Message: "gap", Frames: []uint64{13, 14}})
	return r
}

// random makes records with few distinct values, so that comparisons go either way.
func random(seed uint64) *record.Record {
	g := rand.New(rand.NewPCG(seed, 3))
	pick := func(n int) bool { return g.IntN(n) == 0 }
	word := func() string { return []string{"", "INVITE", "a", "abc", "sip:a@b", "1", "A\xff"}[g.IntN(7)] }
	r := &record.Record{Type: record.Type(g.IntN(3)), Number: g.Uint64N(3), Time: int64(1704067200+g.IntN(3)) * 1e9, Info: word(), File: word(), Quoted: pick(3)}
	r.Transport = []string{"udp", "tcp", "tls", "sctp", ""}[g.IntN(5)]
	for range g.IntN(3) {
		r.Frames = append(r.Frames, g.Uint64N(4))
		r.Encap = append(r.Encap, word())
	}
	addrs := []string{"10.0.0.1:5060", "10.0.0.2:5061", "[2001:db8::1]:5060", "[::ffff:10.0.0.1]:1"}
	if !pick(4) {
		r.Src = netip.MustParseAddrPort(addrs[g.IntN(4)])
	}
	if !pick(4) {
		r.Dst = netip.MustParseAddrPort(addrs[g.IntN(4)])
	}
	b := record.Builder{R: r, Want: record.All()}
	var fs []*record.Field
	for _, f := range record.Fields() {
		if f.Get == nil && f.Key() != "*" {
			fs = append(fs, f)
		}
	}
	for range g.IntN(30) {
		f := fs[g.IntN(len(fs))]
		if f.Kind == record.Map {
			b.Open(f, record.Place{})
			for range g.IntN(3) {
				b.Entry(f, []string{"expires", "Expires", "q", "exp"}[g.IntN(4)], word(), record.Place{})
			}
			b.Close()
			continue
		}
		n := b.Node(f, record.Place{})
		k := f.Kind
		if k == record.Protected {
			k = f.Of
		}
		switch k {
		case record.String, record.Octets:
			n.Str = word()
		case record.Addr:
			n.Str = []string{"10.0.0.1", "2001:db8::1", "::ffff:10.0.0.2", "x"}[g.IntN(4)]
		case record.Time:
			n.Num = int64(1704067200+g.IntN(3)) * 1e9
		case record.Bool:
			n.Num = int64(g.IntN(2))
		default:
			n.Num = []int64{-1, 0, 1, 2, 5, 200, 404, -1 << 63}[g.IntN(8)]
		}
		if !pick(5) && f.Kind != record.Object {
			n.Flags |= record.HasValue
		}
		if f.Kind == record.Protected && !pick(4) {
			b.Protect(n, record.Protection{Encrypted: pick(2), State: record.State(g.IntN(4)), Reason: record.Reason(g.IntN(3)), KeyID: []string{"", "2abcdef0"}[g.IntN(2)]})
		}
	}
	for range g.IntN(3) {
		b.Finding(record.Finding{ID: word(), Severity: record.Severity(g.IntN(3)), Message: word(), Clause: word(), Field: word(), Body: word(), Off: uint32(g.IntN(3)), HasRange: pick(2)})
		if pick(2) {
			k := len(r.Findings) - 1
			r.Findings[k].Frames = []uint64{g.Uint64N(3), g.Uint64N(3)}
		}
	}
	return r
}
