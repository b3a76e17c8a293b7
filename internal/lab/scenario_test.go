package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

// jsonSink gathers the printed records.
type jsonSink struct {
	form output.Format
	out  bytes.Buffer
}

func (k *jsonSink) Encode(dst []byte, r *record.Record) []byte { return k.form.Append(dst, r) }
func (k *jsonSink) Write(b []byte) error                       { _, err := k.out.Write(b); return err }

// read decodes a capture with key files and returns its messages as JSON objects.
func read(t *testing.T, pcap string, keyFiles ...string) []map[string]any {
	t.Helper()
	form, err := output.New("json", output.Options{Clock: new(output.Clock)})
	if err != nil {
		t.Fatal(err)
	}
	opt := decode.Options{Want: form.Needs(), TwoPasses: true}
	if len(keyFiles) > 0 {
		m, err := keys.Load(keyFiles, keys.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Warnings) > 0 {
			t.Errorf("warnings: %v", m.Warnings)
		}
		for _, v := range m.Verdicts {
			if !v.OK {
				t.Errorf("key file: %s: %s", v.What, v.Reason)
			}
		}
		opt.Ring = keys.NewRing(m, keys.RingLimits{})
		defer opt.Ring.Close()
	}
	src, err := capture.Open([]string{pcap}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	sink := &jsonSink{form: form}
	if _, err := decode.Run(context.Background(), src, opt, sink); err != nil {
		t.Fatal(err)
	}
	return messages(t, sink.out.String())
}

// messages takes the messages out of JSON lines.
func messages(t *testing.T, lines string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(lines) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v["record"] == "message" {
			out = append(out, v)
		}
	}
	return out
}

// tally is what a walk over the JSON of messages finds of protection.
type tally struct {
	elements, opened     int
	signatures, valid    int
	imessages, recovered int
	unsigned             int
	reasons              map[string]int
}

func (y *tally) walk(name string, v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			y.walk(name, x)
		}
	case map[string]any:
		if v["protection"] == "encrypted" {
			y.elements++
			if v["state"] == "decrypted" {
				y.opened++
			}
			if v["state"] != "decrypted" || v["reason"] != nil { // opened all the same: key_name_mismatch
				y.reasons[fmt.Sprint(v["reason"])]++
			}
		}
		switch name {
		case "signatures":
			y.signatures++
			if v["state"] == "valid" {
				y.valid++
			} else {
				y.reasons[fmt.Sprint(v["reason"])]++
			}
		case "mikey":
			y.imessages++
			if k, _ := v["key"].(map[string]any); k["state"] == "recovered" {
				y.recovered++
			} else if k != nil {
				y.reasons[fmt.Sprint(k["reason"])]++
			}
			if s, _ := v["signature"].(map[string]any); s["state"] != "valid" {
				y.unsigned++
			}
		}
		for k, x := range v {
			y.walk(k, x)
		}
	}
}

func tallyOf(msgs []map[string]any) *tally {
	y := &tally{reasons: map[string]int{}}
	for _, m := range msgs {
		y.walk("", m)
	}
	return y
}

// write acts scenarios out into a file and writes the key files beside it.
func write(t *testing.T, o lab.Options, shape string, messages int, list ...lab.Scenario) (pcap, dir string, n int) {
	t.Helper()
	dir = t.TempDir()
	pcap = filepath.Join(dir, "out.pcap")
	s, err := lab.NewSystem(o)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(pcap)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sh, err := lab.ShapeByName(shape)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Capture(f, sh)
	if err != nil {
		t.Fatal(err)
	}
	n = c.Play(list, messages)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "keys")
	if err := s.WriteKeys(dir); err != nil {
		t.Fatal(err)
	}
	return pcap, dir, n
}

// check holds what was read with one form of keys to what the scenario promises.
func check(t *testing.T, s lab.Scenario, form lab.Form, y *tally) {
	t.Helper()
	want := s.Expect(form)
	if form == lab.FormLog {
		// The key log has the keys themselves and no RSK: I_MESSAGEs stay closed, what they protect opens.
		delete(y.reasons, "no_rsk")
	} else if want == "" && y.recovered != y.imessages {
		t.Errorf("%s: %d of %d I_MESSAGEs opened: %v", form, y.recovered, y.imessages, y.reasons)
	}
	switch {
	case want == "" && (y.opened != y.elements || y.valid != y.signatures || len(y.reasons) > 0):
		t.Errorf("%s: %d of %d elements opened, %d of %d signatures valid: %v", form, y.opened, y.elements, y.valid, y.signatures, y.reasons)
	case want != "" && y.reasons[want] == 0:
		t.Errorf("%s: nothing failed for %s: %v", form, want, y.reasons)
	}
	if expect := s.Unsigned || s.Name == "fail-kms"; y.unsigned > 0 != expect {
		t.Errorf("%s: %d I_MESSAGEs with a signature that is not valid", form, y.unsigned)
	}
}

// TestScenarios plays every scenario and reads it with every form of keys alone: what the scenario promises to open
// opens, every signature is valid, and what it breaks fails for the reason that it names.
func TestScenarios(t *testing.T) {
	for i, s := range lab.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			o := lab.Options{Seed: 100 + uint64(i), Users: 1}
			if strings.HasPrefix(s.Name, "group-") || s.Name == "private-call" || s.Name == "mcdata-sds" {
				o.Users = 2
			}
			pcap, dir, n := write(t, o, "ethernet", 0, s)
			forms := lab.Forms
			if testing.Short() {
				forms = forms[i%len(forms):][:1] // one form for each
			}
			for _, form := range forms {
				msgs := read(t, pcap, filepath.Join(dir, string(form)))
				if n == 0 || len(msgs) != n {
					t.Errorf("%d messages, written were %d", len(msgs), n)
				}
				check(t, s, form, tallyOf(msgs))
				if s.Clean {
					clean(t, form, msgs)
				}
			}
		})
	}
}

// clean checks that no message draws more than a note.
func clean(t *testing.T, form lab.Form, msgs []map[string]any) {
	t.Helper()
	for _, m := range msgs {
		list, _ := m["findings"].([]any)
		for _, f := range list {
			if f := f.(map[string]any); f["severity"] != "note" {
				t.Errorf("%s: message %v: %v %v: %v (%v)", form, m["number"], f["severity"], f["id"], f["message"], f["clause"])
			}
		}
	}
}

// TestSettings plays scenarios that protect much under other settings of the world and other networks.
func TestSettings(t *testing.T) {
	var list []lab.Scenario
	for _, name := range []string{"register-protected", "key-download-csk", "private-call", "group-key", "imessage-self", "register-combined", "third-party-two", "publish-protected"} {
		s, err := lab.ScenarioByName(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	for name, c := range map[string]struct {
		o     lab.Options
		shape string
	}{
		"domains": {lab.Options{Seed: 1, Domains: 3}, "ethernet"},
		"plain":   {lab.Options{Seed: 2, Plain: true, Domains: 2}, "gtpu"},
		"reuse":   {lab.Options{Seed: 3, Reuse: true, Users: 2}, "ethernet-ipv6"},
		"tcp":     {lab.Options{Seed: 4, TCP: true}, "vlan"},
		"fresh":   {lab.Options{}, "ipv4-fragments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pcap, dir, n := write(t, c.o, c.shape, 0, list...)
			for _, form := range lab.Forms {
				msgs := read(t, pcap, filepath.Join(dir, string(form)))
				if n == 0 || len(msgs) != n {
					t.Errorf("%d messages, written were %d", len(msgs), n)
				}
				check(t, lab.Scenario{}, form, tallyOf(msgs))
			}
		})
	}
}

// TestHidden reads with master secrets alone: hidden identities keep the users unknown, plain ones do not.
func TestHidden(t *testing.T) {
	s, err := lab.ScenarioByName("publish-protected")
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		pcap, dir, _ := write(t, lab.Options{Seed: 9, Users: 1, Plain: plain}, "ethernet", 0, s)
		y := tallyOf(read(t, pcap, filepath.Join(dir, lab.MasterFile)))
		if y.recovered != 1 || y.elements != 2 || y.signatures != 2 {
			t.Fatalf("plain %v: %+v", plain, y)
		}
		if plain && (y.opened != 2 || y.valid != 2) || !plain && y.reasons["p0_unknown"] != 4 {
			t.Errorf("plain %v: %d elements opened, %d signatures valid, %v", plain, y.opened, y.valid, y.reasons)
		}
		if y := tallyOf(read(t, pcap)); y.opened != 0 || y.valid != 0 || y.recovered != 0 {
			t.Errorf("plain %v: without keys %+v", plain, y)
		}
	}
}

// TestDeterminism writes everything twice from one seed, and differently from another and from none.
func TestDeterminism(t *testing.T) {
	type octets struct{ pcap, log, master, plain, wrapped string }
	play := func(seed uint64) octets {
		b, s, err := lab.Pcap(lab.Options{Seed: seed, Users: 2, Domains: 2}, lab.Scenarios()...)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.MasterSecrets()
		if err != nil {
			t.Fatal(err)
		}
		k, err := s.KMSDocuments()
		if err != nil {
			t.Fatal(err)
		}
		w, _, err := s.WrappedDocuments()
		if err != nil {
			t.Fatal(err)
		}
		return octets{string(b), string(s.KeyLog()), string(m), string(k), string(w)}
	}
	one := play(1)
	if play(1) != one {
		t.Error("the same seed gives other octets")
	}
	two, three, four := play(2), play(0), play(0)
	for i, pair := range [][2]octets{{one, two}, {three, four}} {
		if pair[0].pcap == pair[1].pcap || pair[0].log == pair[1].log || pair[0].master == pair[1].master {
			t.Errorf("pair %d: two seeds give the same octets", i)
		}
	}
}

// TestModes checks that key files are for their owner alone, also where others were before.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, string(lab.FormLog)), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := lab.NewSystem(lab.Options{Seed: 1, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WriteKeys(dir); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil || files != 6 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestList holds the list of scenarios together: names once, a sentence and a clause for each.
func TestList(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range lab.Scenarios() {
		if seen[s.Name] || s.Name == "" || s.Shows == "" || s.Clause == "" || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("scenario %+q", []string{s.Name, s.Shows, s.Clause})
		}
		seen[s.Name] = true
	}
	if _, err := lab.ScenarioByName("nobody"); err == nil {
		t.Error("there is no such scenario")
	}
	if _, err := lab.NewSystem(lab.Options{Users: lab.MaxUsers + 1}); err == nil {
		t.Error("too many users")
	}
}

// TestWorldKeys opens the repository's captures that have keys of their own.
func TestWorldKeys(t *testing.T) {
	const dir = "../../testdata/pcaps/"
	keyFiles := []string{} // copies, since others can read what is in a repository
	for _, name := range []string{"lab-world.keys.json", "lab-world.mcxkeys"} {
		b, err := os.ReadFile(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		keyFiles = append(keyFiles, filepath.Join(t.TempDir(), name))
		if err := os.WriteFile(keyFiles[len(keyFiles)-1], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		elem    int // encrypted elements
		sig     int
		mikey   int
		reasons string
	}{
		{"lab-world.pcap", 31, 21, 14, "map[]"},
		{"failures.pcap", 29, 28, 16, "map[digest_mismatch:1 hmac_mismatch:1 key_name_mismatch:2 no_rsk:5 tag_mismatch:1]"},
		{"key-download.pcap", 6, 6, 4, "map[]"},
		{"group-key.pcap", 0, 0, 6, "map[]"},
	} {
		y := tallyOf(read(t, dir+c.name, keyFiles...))
		if y.elements != c.elem || y.signatures != c.sig || y.imessages != c.mikey || fmt.Sprint(y.reasons) != c.reasons {
			t.Errorf("%s: %d elements, %d signatures, %d I_MESSAGEs, %v", c.name, y.elements, y.signatures, y.imessages, y.reasons)
		}
	}
}

// TestWriteFails checks that what cannot be written is told, for captures and key files.
func TestWriteFails(t *testing.T) {
	s, err := lab.NewSystem(lab.Options{Seed: 1, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Write(full{}, lab.Shapes[0], lab.Scenarios()[:3], 0); err == nil {
		t.Error("a full disk is no error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteKeys(file); err == nil {
		t.Error("a folder that is a file is no error")
	}
	if n, frames, err := s.Write(&bytes.Buffer{}, lab.Shapes[0], nil, 100); n != 0 || frames != 0 || err != nil {
		t.Errorf("no scenarios: %d messages, %d frames, %v", n, frames, err)
	}
}
