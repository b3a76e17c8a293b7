package lab_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

// run decodes a capture with a ring that holds what is given, and returns the JSON.
func run(t *testing.T, pcap []byte, m *keys.Material, change func(*decode.Options)) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "c.pcap")
	if err := os.WriteFile(name, pcap, 0o600); err != nil {
		t.Fatal(err)
	}
	form, err := output.New("json", output.Options{Clock: new(output.Clock)})
	if err != nil {
		t.Fatal(err)
	}
	opt := decode.Options{Want: form.Needs(), Ring: keys.NewRing(m, keys.RingLimits{})}
	defer opt.Ring.Close()
	change(&opt)
	src, err := capture.Open([]string{name}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	sink := &jsonSink{form: form}
	if _, err := decode.Run(context.Background(), src, opt, sink); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(sink.out.String(), name, "c.pcap")
}

func scenarios(t *testing.T, names ...string) (out []lab.Scenario) {
	t.Helper()
	for _, n := range names {
		s, err := lab.ScenarioByName(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func tallyJSON(t *testing.T, s string) *tally {
	t.Helper()
	return tallyOf(messages(t, s))
}

// TestChain reads captures that begin at key management authorisation, without any key file: what follows opens.
func TestChain(t *testing.T) {
	for _, c := range []struct {
		name    string
		domains int
		dormant bool // one reading, the ring asleep until the KMS answers
		opens   bool
	}{
		{"chain", 1, true, true}, {"chain", 1, false, true}, {"chain", 2, true, true}, {"chain-signed", 1, true, true}, {"chain-servers", 1, true, true},
		{"chain-late", 1, false, true}, {"chain-late", 1, true, false}, {"chain-wrapped", 1, false, false},
	} {
		pcap, _, err := lab.Pcap(lab.Options{Seed: 11, Users: 2, Domains: c.domains}, scenarios(t, c.name)...)
		if err != nil {
			t.Fatal(err)
		}
		y := tallyJSON(t, run(t, pcap, &keys.Material{}, func(o *decode.Options) { o.Dormant, o.TwoPasses = c.dormant, !c.dormant }))
		if open := y.elements > 0 && y.opened == y.elements && y.recovered == y.imessages && y.valid == y.signatures && y.unsigned == 0; open != c.opens {
			t.Errorf("%s, %d domains, dormant %v: %d of %d elements, %d of %d I_MESSAGEs (%d not verified), %d of %d signatures: %v", c.name, c.domains, c.dormant,
				y.opened, y.elements, y.recovered, y.imessages, y.unsigned, y.valid, y.signatures, y.reasons)
		}
	}
}

// TestChainWrapped gives the first transport key alone: the one that the KMS sends next opens the key sets, and so on.
func TestChainWrapped(t *testing.T) {
	for _, name := range []string{"chain-wrapped", "chain-new-key"} {
		pcap, sys, err := lab.Pcap(lab.Options{Seed: 12, Users: 1}, scenarios(t, name)...)
		if err != nil {
			t.Fatal(err)
		}
		_, log, err := sys.WrappedDocuments()
		if err != nil {
			t.Fatal(err)
		}
		m, err := keys.Read("log", log)
		if err != nil {
			t.Fatal(err)
		}
		for _, two := range []bool{false, true} {
			s := run(t, pcap, m, func(o *decode.Options) { o.TwoPasses = two })
			y := tallyJSON(t, s)
			if y.elements < 7 || y.opened != y.elements || y.recovered != y.imessages || y.valid != y.signatures || strings.Contains(s, "kms-signature") {
				t.Errorf("%s, two passes %v: %d of %d elements, %d of %d I_MESSAGEs: %v", name, two, y.opened, y.elements, y.recovered, y.imessages, y.reasons)
			}
			if from := `"origin":"KMS document in message 8"`; name == "chain-new-key" && strings.Count(s, from) < 3 {
				t.Errorf("two passes %v: the transport key of message 8 is named %d times", two, strings.Count(s, from))
			}
		}
	}
}

// TestChainWorkers is the property of the ring with KMS exchanges inside: the same octets for any number of workers, one
// reading or two.
func TestChainWorkers(t *testing.T) {
	list := scenarios(t, "chain-late", "chain-servers", "register-protected", "chain", "publish-protected", "chain-new-key", "group-document", "fail-kms-signature", "chain-late", "settings-protected")
	pcap, sys, err := lab.Pcap(lab.Options{Seed: 13, Users: 3, Domains: 2, Reuse: true}, append(list, list...)...)
	if err != nil {
		t.Fatal(err)
	}
	_, log, err := sys.WrappedDocuments()
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := keys.Read("log", log)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for _, c := range []struct {
		what   string
		m      *keys.Material
		change func(*decode.Options)
	}{
		{"asleep", &keys.Material{}, func(o *decode.Options) { o.Dormant = true }},
		{"one pass", wrapped, func(*decode.Options) {}},
		{"two passes", wrapped, func(o *decode.Options) { o.TwoPasses = true }},
		{"asleep, checked", &keys.Material{}, func(o *decode.Options) { o.Dormant, o.Checks = true, &decode.CheckConfig{} }},
	} {
		want := run(t, pcap, c.m, func(o *decode.Options) { c.change(o); o.Workers = 1 })
		if !strings.Contains(want, `"learned":{`) {
			t.Fatalf("%s: nothing was learned", c.what)
		}
		for n := range rounds {
			got := run(t, pcap, c.m, func(o *decode.Options) { c.change(o); o.Workers = 2 + 3*n })
			if got == want {
				continue
			}
			a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("%s with %d workers: line %d\n%s\n%s", c.what, 2+3*n, i+1, a[i], b[i])
				}
			}
			t.Fatalf("%s with %d workers: %d lines instead of %d", c.what, 2+3*n, len(b), len(a))
		}
	}
}

// TestGivenGoesFirst has the wire bring a KPAK for a KMS of which the user gave another: the wire's decides nothing.
func TestGivenGoesFirst(t *testing.T) {
	pcap, _, err := lab.Pcap(lab.Options{Seed: 14, Users: 1}, scenarios(t, "chain")...)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := lab.Pcap(lab.Options{Seed: 15, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := other.KMSDocuments()
	if err != nil {
		t.Fatal(err)
	}
	m, err := keys.Read("kms", doc[:bytes.IndexByte(doc, '\n')])
	if err != nil || len(m.KMSs) != 1 {
		t.Fatal(err, len(m.KMSs))
	}
	y := tallyJSON(t, run(t, pcap, m, func(o *decode.Options) { o.TwoPasses = true }))
	if y.recovered != y.imessages || y.unsigned != y.imessages {
		t.Errorf("%d of %d recovered, %d not verified", y.recovered, y.imessages, y.unsigned)
	}
}

// TestMaterialLimit drives the ring over its limit of learned keys: what is over it stays closed, is counted and told.
func TestMaterialLimit(t *testing.T) {
	pcap, _, err := lab.Pcap(lab.Options{Seed: 16, Users: 3}, scenarios(t, "chain", "chain", "chain")...)
	if err != nil {
		t.Fatal(err)
	}
	var ring *keys.Ring
	s := run(t, pcap, &keys.Material{}, func(o *decode.Options) {
		o.Ring.Close()
		ring = keys.NewRing(&keys.Material{}, keys.RingLimits{Material: 2})
		o.Ring = ring
	})
	st := ring.Stats()
	if st.Material != 2 || st.MaterialDropped == 0 || !strings.Contains(s, "limit-keys") {
		t.Errorf("%+v, told: %v", st, strings.Contains(s, "limit-keys"))
	}
	if y := tallyJSON(t, s); y.opened == 0 || y.opened == y.elements {
		t.Errorf("%d of %d elements", y.opened, y.elements)
	}
}

// TestPolicy has the service configuration of the capture decide what the checks expect: a token in clear is an error
// behind a document that says that confidentiality is on, and none before it.
func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		list []string
		want int
	}{{[]string{"chain", "register-clear"}, 1}, {[]string{"register-clear", "chain"}, 0}} {
		pcap, _, err := lab.Pcap(lab.Options{Seed: 17, Users: 1}, scenarios(t, c.list...)...)
		if err != nil {
			t.Fatal(err)
		}
		s := run(t, pcap, &keys.Material{}, func(o *decode.Options) { o.Dormant, o.Checks = true, &decode.CheckConfig{} })
		if n := strings.Count(s, `"id":"REG-10"`); n != c.want {
			t.Errorf("%v: REG-10 fires %d times, want %d", c.list, n, c.want)
		}
		s = run(t, pcap, &keys.Material{}, func(o *decode.Options) {
			o.Dormant, o.Checks = true, &decode.CheckConfig{Confidentiality: decode.Off, Integrity: decode.Off}
		})
		if n := strings.Count(s, `"id":"REG-10"`); n != 0 {
			t.Errorf("%v: the setting does not go before the document: %d", c.list, n)
		}
	}
}

// TestWebFailures holds each failure of the HTTP half to what is said about it.
func TestWebFailures(t *testing.T) {
	for name, want := range map[string]string{
		"fail-kms-signature": "hmac_mismatch", "fail-kms-transport": "kms-key-wrapped", "fail-kms-error": "user not known", "fail-idm-grant": "invalid_grant",
		"fail-idm-pkce": "idm-pkce-missing", "fail-bearer-expired": "The access token expired", "fail-bearer-scope": "insufficient_scope", "fail-xcap": "the group has no members",
	} {
		pcap, sys, err := lab.Pcap(lab.Options{Seed: 18, Users: 1}, scenarios(t, name)...)
		if err != nil {
			t.Fatal(err)
		}
		_, log, err := sys.WrappedDocuments()
		if err != nil {
			t.Fatal(err)
		}
		m, err := keys.Read("log", log)
		if err != nil {
			t.Fatal(err)
		}
		s := run(t, pcap, m, func(o *decode.Options) {})
		if !strings.Contains(s, want) {
			t.Errorf("%s: nothing of %q in\n%s", name, want, s)
		}
	}
}
