package decode

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys"
)

// TestEdges drives the limits of one message over their edge: at the limit all is there and nothing is told, beyond it the
// finding tells.
func TestEdges(t *testing.T) {
	sip := func(typ, body string) string {
		return fmt.Sprintf("MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", typ, len(body), body)
	}
	nested := func(n int) string {
		m := sip("text/plain", "x")
		for range n {
			m = sip("message/sip", m)
		}
		return m
	}
	parts := func(n int) string {
		return sip("multipart/mixed;boundary=b", strings.Repeat("--b\r\n\r\nx\r\n", n)+"--b--")
	}
	for _, x := range []struct {
		finding string
		limits  Limits
		n       int // at the limit
		message func(n int) string
	}{
		{"limit-depth", Limits{}, 4, nested},
		{"sip-parts-limit", Limits{Parts: 20}, 19, parts}, // the multipart itself is one
		{"limit-xml", Limits{XMLNodes: 50}, 49, func(n int) string {
			return sip("application/xml", "<a>"+strings.Repeat("<b/>", n)+"</a>")
		}},
		{"limit-nodes", Limits{Nodes: 1000}, 100, func(n int) string {
			return strings.Replace(sip("text/plain", "x"), "\r\n\r\n", "\r\n"+strings.Repeat("X: y\r\n", n*(1+n/101*20))+"\r\n", 1)
		}},
	} {
		for over := range 2 {
			o := everything()
			o.Limits = x.limits
			o.Limits = o.Limits.withDefaults()
			m := x.message(x.n + over)
			w := newWorker(&o)
			r := w.message(context.Background(), &flow.Unit{Data: []byte(m)}, 1)
			if got := strings.Contains(ids(r), x.finding); got != (over == 1) {
				t.Errorf("%s at %d: %s", x.finding, x.n+over, ids(r))
			}
			if x.finding == "limit-nodes" && (len(r.Nodes) > 1000 || w.b.Dropped > 0 != (over == 1)) {
				t.Errorf("%d nodes, %d left out", len(r.Nodes), w.b.Dropped)
			}
		}
	}
}

// TestListEdges: lists that stop are at their limit, and what counts them counts all.
func TestListEdges(t *testing.T) {
	for over := range 2 {
		r, _ := dissectOne(t, "application/vnd.oma.poc.groups+xml", []byte("<group xmlns='urn:oma:xml:poc:list-service'><list-service><list>"+strings.Repeat("<entry uri='sip:a@b'/>", 1024+over)+"</list></list-service></group>"), everything())
		if n := count(r, "mc_document.members"); n != 1024 || value(t, r, "mc_document.member_count") != fmt.Sprint(1024+over) {
			t.Errorf("%d members are listed", n)
		}
		r, _ = dissectOne(t, typKMS, []byte("<KmsRedirectResponse xmlns='urn:3gpp:ns:mcsecKMSKRR:1.0'>"+strings.Repeat("<KmsUri>k</KmsUri>", 256+over)+"</KmsRedirectResponse>"), everything())
		if n := count(r, kmsMentioned.Name); n != 256 {
			t.Errorf("%d URIs of a redirect are listed", n)
		}
		none := func(int, int) record.Place { return record.Place{} }
		if n := len(queryParams([]byte(strings.Repeat("a=b&", maxParams+over)), none)); n != maxParams {
			t.Errorf("%d parameters are looked at", n)
		}
	}

	// Signatures of one body.
	sig := "<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'><ds:SignedInfo/></ds:Signature>"
	body := []byte("<signatures xmlns='urn:3gpp:ns:mcpttSignedDoc:1.0'>" + strings.Repeat(sig, maxSignatures+1) + "</signatures>")
	o := everything()
	c := &Context{B: &record.Builder{R: &record.Record{Sources: []record.Source{{Data: body, Parent: -1}}}}, opt: &o, msg: &message{}}
	verify := c.verifier(c.readXML(&Part{Path: "1", Data: body}))
	if verify(maxSignatures-1, xmlsec.Keys()) == nil || verify(maxSignatures, xmlsec.Keys()) != nil {
		t.Error("signatures are not bounded")
	}

	// I_MESSAGEs of one message that are opened ahead.
	p := planner{ring: keys.NewRing(&keys.Material{}, keys.RingLimits{}), awake: true, opt: &o}
	for over := range 2 {
		n := maxPlanned + over
		mime := strings.Repeat("--b\r\nContent-Type: application/mikey\r\n\r\n"+string(imessage)+"\r\n", n) + "--b--"
		it := planned{number: 1}
		p.plan(&it, &flow.Unit{Data: fmt.Appendf(nil, "MESSAGE sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(mime), mime)})
		if len(it.mikey) != maxPlanned {
			t.Errorf("%d of %d are opened ahead", len(it.mikey), n)
		}
	}
}

// count is how many nodes of a field a record has.
func count(r *record.Record, name string) (n int) {
	for i := range r.Nodes {
		if r.Nodes[i].Field.Name == name {
			n++
		}
	}
	return n
}
