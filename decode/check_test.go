package decode

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
)

// checked decodes one message with checks.
func checked(t testing.TB, data []byte, cfg CheckConfig, transport string) *record.Record {
	t.Helper()
	opt := Options{Checks: &cfg}
	opt.Limits = opt.Limits.withDefaults()
	w := newWorker(&opt)
	r := w.message(context.Background(), &flow.Unit{Data: data, Time: lab.Epoch.UnixNano(), Transport: transport, Frames: []uint64{1}}, 1)
	checkTree(t, r)
	return r
}

// registered are the ids of a record's findings that the register of checks has.
func registered(r *record.Record) []string {
	var out []string
	for _, f := range r.Findings {
		if _, ok := CheckByID(f.ID); ok {
			out = append(out, f.ID)
		}
	}
	return out
}

func labWorld(t testing.TB) *lab.World {
	t.Helper()
	w, err := lab.New(io.Discard, lab.Shapes[0], 42)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var labProtections = []struct {
	name string
	p    lab.Protection
}{{"clear", lab.Protection{}}, {"confidentiality", lab.Protection{Confidentiality: true}}, {"integrity", lab.Protection{Integrity: true}},
	{"both", lab.Protection{Confidentiality: true, Integrity: true}}}

// TestCleanMessages holds the checks to silence on what the procedures order.
func TestCleanMessages(t *testing.T) {
	k := lab.KnownCSK()
	for _, p := range labProtections {
		w := labWorld(t)
		d := w.Dialog()
		reg := w.Register(d, "TLS", k, p.p)
		answer := d.Response("TLS", 200, "OK", "", nil)
		for _, m := range []struct {
			name string
			data []byte
			may  string // the one finding that is expected
		}{
			{"register", reg, ""},
			{"answer", answer, ""},
			{"publish", w.Publish(w.Dialog(), "TLS", k, p.p), ""},
			{"settings", w.PublishSettings(w.Dialog(), "TLS", k, p.p, "e1"), ""},
			{"removal", w.Remove(w.Dialog(), "TLS", "e2"), ""},
			{"migration", w.Migrate(w.Dialog(), "TLS", k, p.p), map[bool]string{true: "MIG-08"}[p.p.Confidentiality]},
			{"third-party", w.ThirdParty(w.Dialog(), "UDP", reg, answer), ""},
			{"third-party one", w.ThirdParty(w.Dialog(), "UDP", reg, nil), ""},
		} {
			for _, cfg := range []CheckConfig{{}, {Confidentiality: tri(p.p.Confidentiality), Integrity: tri(p.p.Integrity), MDSI: []string{"mcptt.example.org"}, Release: 18}} {
				r := checked(t, m.data, cfg, "tls")
				if got := strings.Join(registered(r), " "); got != m.may {
					t.Errorf("%s %s %+v: findings %q, want %q\n%s", m.name, p.name, cfg, got, m.may, dump(r))
				}
			}
		}
	}
}

func tri(on bool) Tri {
	if on {
		return On
	}
	return Off
}
