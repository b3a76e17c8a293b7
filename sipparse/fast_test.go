package sipparse

import (
	"bytes"
	"testing"
)

// TestCleanMessage: all of a usual message is clean at one look, so that it is fast.
func TestCleanMessage(t *testing.T) {
	var m Message
	if err := m.Parse(mcpttInvite(), Options{}); err != nil || len(m.Diags) > 0 {
		t.Fatal(err, m.Diags)
	}
	for i, h := range m.Headers {
		n := Message{Raw: m.Raw, Headers: m.Headers[:i+1], first: m.first}
		known := h.ID.Address() || h.ID == HdrVia || h.ID == HdrContentType || h.ID == HdrAcceptContact || h.ID == HdrSessionExpires
		if known && !n.clean(h.ID, m.Bytes(h.Value)) {
			t.Errorf("%v: %q is not clean at one look", h.ID, m.Text(h.Value))
		}
	}
}

func FuzzCleanValues(f *testing.F) {
	for _, s := range []string{
		"<sip:a@b>;tag=1", "\"x\" <sips:a@b:5061;lr;x=y>;tag=a, y <sip:c>;tag=b", "SIP/2.0/UDP a:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP b",
		"*;+g.3gpp.mcptt;require;a=\"b\"", "multipart/mixed;boundary=\"x\"", "1800;refresher=uac", "application/sdp", "<sip:1@[::1]:99999>;tag=1",
		"SIP/2.0/P a:5060;branch=z9hGa;branch=z9hG4bK1;rp", "1 BYE", "123456789 BYE", "1 ACK", "70", "255", "256", "1234567890", "4294967295", "4294967296", "SIP;cause=200;text=\"x\"", "<sip:a;b@c>;expires=1", "SIP/2.0/UDP a;branch=z9hG4bK", "a b <sip:a@b:65536>;tag=x", "<sip:a,b@c>;tag=d",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		if f, e := trim(v, 0, len(v)); f != 0 || e != len(v) || len(v) == 0 || bytes.IndexByte(v, '\n') >= 0 {
			return
		}
		for _, id := range HeaderIDs() {
			for _, request := range []bool{true, false} {
				raw := append([]byte("BYE"), v...)
				fresh := func() *Message {
					m := &Message{Raw: raw, Request: request, Method: span(0, 3), ContentLength: -1, Headers: []Header{{ID: id, Value: span(3, len(raw))}}, state: state{maxDiags: 100}}
					m.first[id] = 1
					return m
				}
				m, slow := fresh(), fresh()
				if !m.clean(id, v) {
					if m.clCount > 0 || m.ContentLength >= 0 {
						t.Fatalf("%q left a trace", v)
					}
					continue
				}
				if slow.examine(&slow.Headers[0], v); len(slow.Diags) > 0 || slow.ContentLength != m.ContentLength || slow.clCount != m.clCount {
					t.Fatalf("%q is clean at one look, but %v: %v %d", v, id, slow.Diags, slow.ContentLength)
				}
			}
		}
		if cleanSIPURI(v, 0) == len(v) {
			if u, err := ParseURI(v); err != nil || u.Headers.Len > 0 || bytes.IndexByte(v, ' ') >= 0 {
				t.Fatalf("%q is a clean URI, but %v", v, err)
			}
		}
	})
}
