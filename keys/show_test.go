package keys

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// katFiles are one file of each kind with every secret recognisable.
func katFiles(t testing.TB) map[string]string {
	return map[string]string{
		"keylog":  katKeyLog + pemKey(t),
		"clear":   katClear(),
		"signed":  signedResponse(t, testInK, ikName, "#xmldoc"),
		"masters": katJSON(""),
		"wrapped": response(`<KmsInit>`+katCertificate+wrapped(t, "NewTransportKey", testTrK2, testTrK, tkName, "tk.13", true, true)+`</KmsInit>`) +
			response(`<KmsKeyProv>`+keySet("sip:alice@example.org", katUIDAlice, wrapped(t, "UserSigningKeySSK", katSSK, testTrK2, "tk.13", "", true, false))+`</KmsKeyProv>`),
	}
}

// secrets lists the octets that nothing may print.
func (m *Material) secrets() [][]byte {
	var out [][]byte
	add := func(b []byte) {
		if len(b) > 0 {
			out = append(out, b)
		}
	}
	for _, k := range m.Keys {
		add(k.Key.Reveal())
	}
	for _, u := range m.UserKeys {
		add(u.SSK.Reveal())
		if u.RSK != nil {
			add(u.RSK.Reveal())
		}
	}
	for _, s := range m.Masters {
		if s.SAKKE != nil {
			add(s.SAKKE.Reveal())
		}
		if s.ECCSI != nil {
			add(s.ECCSI.Reveal())
		}
	}
	for _, n := range append(append([]Named(nil), m.Transport...), m.Integrity...) {
		add(n.Key.Reveal())
	}
	for _, e := range m.ESP {
		add(e.EncKey.Reveal())
		add(e.AuthKey.Reveal())
	}
	for _, s := range m.TLS {
		add(s.Secret.Reveal())
	}
	return out
}

// leaks looks for 8 octets in a row of a secret: as hex, as a list of numbers, as text.
func leaks(out string, secrets [][]byte) string {
	lower := strings.ToLower(out)
	for _, s := range secrets {
		for i := 0; i+8 <= len(s); i += 4 {
			part := s[i : i+8]
			if len(strings.Trim(string(part), string(part[:1]))) == 0 {
				continue // one octet repeated is no pattern
			}
			for _, form := range []string{fmt.Sprintf("%x", part), fmt.Sprintf("% x", part), strings.Trim(fmt.Sprint(part), "[]"), string(part),
				strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}")} {
				if strings.Contains(lower, form) || strings.Contains(out, form) {
					return form
				}
			}
		}
	}
	return ""
}

// everything prints a material in every way that could happen by accident.
func everything(t testing.TB, m *Material, err error) string {
	var b strings.Builder
	verbs := []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"}
	for _, verb := range verbs {
		fmt.Fprintf(&b, verb, *m)
	}
	for _, v := range []any{m.Keys, m.KMSs, m.UserKeys, m.Masters, m.Transport, m.Integrity, m.ESP, m.TLS, m.Verdicts, m.Describe(), m.Verify(time.Unix(1704067200, 0))} {
		j, jerr := json.Marshal(v)
		if jerr != nil {
			t.Fatal(jerr)
		}
		b.Write(j)
		for _, verb := range verbs {
			fmt.Fprintf(&b, verb, v)
		}
	}
	fmt.Fprintln(&b, strings.Join(m.Warnings, "\n"))
	if err != nil {
		fmt.Fprintf(&b, "%v %+v %#v\n", err, err, err)
	}
	return b.String()
}

func TestNothingPrintsSecrets(t *testing.T) {
	for name, text := range katFiles(t) {
		m, err := Load([]string{write(t, name, text), write(t, "trk", "TrK "+tkName+" "+testTrK+"\nInK "+ikName+" "+testInK)}, LoadOptions{})
		if err != nil {
			t.Fatal(name, err)
		}
		secrets := m.secrets()
		if len(secrets) < 2 {
			t.Fatal(name, "holds no secrets")
		}
		if s := leaks(everything(t, m, err), secrets); s != "" {
			t.Errorf("%s: %s is printed", name, s)
		}
		if leaks(string(m.AppendKeyLog(nil)), secrets) == "" {
			t.Errorf("%s: the search finds nothing even in the key log", name)
		}
	}
}

// TestCuts reads every beginning of every kind of file: no panic, no secret in an error, and no key which the whole file does
// not hold.
func TestCuts(t *testing.T) {
	files := katFiles(t)
	// What costs a check of order when it is whole, Z and RSK, stands at the end of a file here or in one of its own.
	delete(files, "keylog")
	delete(files, "clear")
	for i, line := range strings.Split(strings.TrimSpace(katKeyLog), "\n")[1:] {
		files[fmt.Sprint("keylog line ", i+2)] = line
	}
	files["pem"], files["certificate"] = pemKey(t), katCertificate
	for _, name := range []string{"signed", "wrapped"} {
		files[name] = strings.Replace(files[name], katZ, "", 1)
		files[name] = strings.Replace(files[name], "<PubEncKey></PubEncKey>", "", 1)
	}
	files["clear alice"] = response(keySet("sip:alice@example.org", katUIDAlice, element("UserSigningKeySSK", katSSK)+element("UserPubTokenPVT", katPVT)))
	files["clear server"] = keySet("mcptt.example.org", katUIDServer, element("UserDecryptKey", katRSK))
	for name, text := range files {
		whole, err := Read(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		secrets := whole.secrets()
		known := map[string]bool{}
		for _, s := range secrets {
			known[string(s)] = true
		}
		for n := range text {
			m, err := Read(name, []byte(text[:n]))
			for _, s := range m.secrets() {
				// Of the words of a line none tells that it is cut where its length is right for a shorter key.
				last := secrets[len(secrets)-1]
				if !known[string(s)] && !(strings.HasPrefix(name, "keylog line") && len(s) >= 8 &&
					(bytes.HasPrefix(last, s) || bytes.HasPrefix(last, bytes.TrimLeft(s, "\x00")))) {
					t.Fatalf("%s cut at %d: a key of %d octets out of nothing", name, n, len(s))
				}
			}
			if err != nil {
				if s := leaks(err.Error(), secrets); s != "" {
					t.Fatalf("%s cut at %d: %s is in the error", name, n, s)
				}
			}
			if s := leaks(strings.Join(m.Warnings, "\n"), secrets); s != "" {
				t.Fatalf("%s cut at %d: %s is in a warning", name, n, s)
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	m := mustRead(t, "kat", katKeyLog)
	var rows []string
	for _, it := range m.Describe() {
		rows = append(rows, strings.Join([]string{it.Kind, it.Name, it.URI, it.KMS, it.Period, dates(it.From, it.To), it.Detail, it.Origin}, "|"))
	}
	all := strings.Join(rows, "\n")
	for _, want := range []string{
		"CSK|2abcdef0|sip:alice@example.org||||16 octets|kat:6",
		"MuSiK|6abcdef0|||||32 octets|kat:9",
		"KMS||kms.example.org||2592000 s, offset 0 s||Z, KPAK|kat:2",
		"user keys||mcptt.example.org|kms.example.org|1509|2023-12-12T00:00:00Z/2024-01-11T00:00:00Z|RSK|kat:3",
		"user keys||sip:alice@example.org|kms.example.org|1509|2023-12-12T00:00:00Z/2024-01-11T00:00:00Z|SSK, PVT|kat:4",
		"TrK|tk.12.user@example.org|||||32 octets|kat:13",
		"MCID||sip:bob@example.org|||||",
		"ESP|0000beef|2001:db8::1||||aes-cbc (16 octets), hmac-sha1-96 (20 octets)|kat:16",
		"ESP|0000beee|192.0.2.1||||null, hmac-md5-96 (16 octets)|kat:17",
		"TLS|CLIENT_RANDOM|||||48 octets, client random abababab…|",
	} {
		if !strings.Contains(all+"\n", want+"\n") {
			t.Errorf("no row %s in\n%s", want, all)
		}
	}
	if len(rows) != 17 {
		t.Errorf("%d rows:\n%s", len(rows), all)
	}
}

// TestAppendKeyLogOfAnything writes names as they come from captures, which may hold anything.
func TestAppendKeyLogOfAnything(t *testing.T) {
	m := &Material{MCIDs: []string{"a b", "#c", "d\ne", "", "é"}, Keys: []Key{{Type: 9, ID: 0x90000000, Key: NewSecret(mustHex(katCSK))},
		{Type: CSK, ID: 0x2abcdef0, Key: NewSecret(mustHex(katCSK)), URI: "sip:x y@\r\nCSK"}}}
	again, err := Read("f", m.AppendKeyLog(nil))
	if err != nil || fmt.Sprint(again.MCIDs) != "[a_b _#c d_e _ é]" || len(again.Keys) != 1 || again.Keys[0].URI != "sip:x_y@__CSK" {
		t.Errorf("%v %q %+v", err, again.MCIDs, again.Keys)
	}
}

type publishedSet struct {
	Set    string  `json:"set"`
	KMS    string  `json:"kms_uri"`
	Period *uint64 `json:"period"`
	Offset *uint64 `json:"offset"`
	No     *uint64 `json:"no"`
	Z      string
	KPAK   string
	User   string `json:"user_uri"`
	UID    string `json:"uid"`
	RSK    string
	SSK    string
	PVT    string
	Match  *bool `json:"uid_matches"`
	RSKOK  bool  `json:"rsk_valid"`
	PairOK bool  `json:"pair_valid"`
}

func orDash(v *uint64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// TestPublishedKeySets loads the key sets of products, as a key log and as XML, and holds the verdicts to those of an
// independent model.
func TestPublishedKeySets(t *testing.T) {
	var sets []publishedSet
	thirdParty(t, "tp-keysets.json", &sets)
	if len(sets) != 19 {
		t.Fatalf("%d sets", len(sets))
	}
	dir := t.TempDir()
	for i, s := range sets {
		t.Run(fmt.Sprintf("%02d %s", i, s.Set), func(t *testing.T) {
			log := fmt.Sprintf("KMS %s %s %s %s %s\n", s.KMS, orDash(s.Period), orDash(s.Offset), s.Z, s.KPAK)
			for _, k := range [][2]string{{"RSK", s.RSK}, {"SSK", s.SSK}, {"PVT", s.PVT}} {
				log += fmt.Sprintf("%s %s %s %s %s %s\n", k[0], s.User, s.KMS, orDash(s.No), k[1], s.UID)
			}
			period := ""
			if s.Period != nil {
				period = fmt.Sprintf("<UserKeyPeriod>%d</UserKeyPeriod><UserKeyOffset>%d</UserKeyOffset>", *s.Period, *s.Offset)
			} else {
				period = "<UserKeyPeriod>0</UserKeyPeriod>"
			}
			xml := "<KmsCertificate><KmsUri>" + s.KMS + "</KmsUri>" + period + "<PubEncKey>" + s.Z + "</PubEncKey><PubAuthKey>" + s.KPAK + "</PubAuthKey></KmsCertificate>" +
				"<KmsKeySet><KmsUri>" + s.KMS + "</KmsUri><UserUri>" + s.User + "</UserUri><UserID>" + s.UID + "</UserID><KeyPeriodNo>" + strings.Replace(orDash(s.No), "-", "0", 1) +
				"</KeyPeriodNo><UserDecryptKey>" + s.RSK + "</UserDecryptKey><UserSigningKeySSK>" + s.SSK + "</UserSigningKeySSK><UserPubTokenPVT>" + s.PVT + "</UserPubTokenPVT></KmsKeySet>"
			for kind, text := range map[string]string{"key log": log, "XML": xml} {
				m, err := Read(kind, []byte(text))
				if err != nil {
					t.Errorf("%s: %v", kind, err)
					continue
				}
				all := m.Verify(time.Time{})
				t.Logf("%s: %+v", kind, all)
				rsk, pair, uid := verdict(t, all, "RSK of "), verdict(t, all, "SSK and PVT of "), verdict(t, all, "UserID of ")
				if rsk.OK != s.RSKOK {
					t.Errorf("%s: %+v", kind, rsk)
				}
				if pair.OK != s.PairOK {
					t.Errorf("%s: %+v", kind, pair)
				}
				if s.Match != nil && uid.OK != *s.Match {
					t.Errorf("%s: %+v", kind, uid)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.keys", i)), []byte(log), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	m, err := Load([]string{dir}, LoadOptions{})
	if err != nil || len(m.UserKeys) != 19 {
		t.Errorf("all together: %v, %d users", err, len(m.UserKeys))
	}
}

// FuzzRead reads anything: no panic, no secret in what is printed, and what is written again reads as the same.
func FuzzRead(f *testing.F) {
	for _, text := range katFiles(f) {
		f.Add([]byte(text))
	}
	for _, s := range []string{"MCID a # b\n", "CSK 2abcdef0 " + katCSK + "@", "<KmsKeySet>" + katSSK, `{"kms_master_secrets":[{"kms_uri":"` + katCSK + `"}]}`,
		"-----BEGIN PRIVATE KEY-----\n" + katSSK, "HTTP/1.1 200\n\n<KmsInit/>", "RSK a b 1 " + katRSKHex[:100]} {
		f.Add([]byte(s))
	}
	pattern := mustHex(katCSK + katSSK)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read("f", b)
		out := strings.Join(m.Warnings, "\n")
		for _, it := range m.Describe() {
			out += fmt.Sprintf("%+v\n", it)
		}
		for _, v := range m.Verdicts {
			out += fmt.Sprintf("%+v\n", v)
		}
		if err != nil {
			out += err.Error()
		}
		if s := leaks(out, append(m.secrets(), pattern)); s != "" && !public(m, s) {
			t.Fatalf("%q is printed: %s", s, out)
		}
		log := m.AppendKeyLog(nil)
		again, err := Read("f", log)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, log)
		}
		if a := string(again.AppendKeyLog(nil)); a != withoutComments(string(log)) {
			t.Fatalf("written, read and written again differs:\n%s\n%s", log, a)
		}
	})
}

// FuzzReadKMSXML reads a document with keys at hand, as one in a capture is read.
func FuzzReadKMSXML(f *testing.F) {
	for name, text := range katFiles(f) {
		if name != "keylog" && name != "masters" {
			f.Add([]byte(text))
		}
	}
	o := XMLOptions{Origin: Origin{Name: "frame 1"}, Transport: named(f, tkName, testTrK), Integrity: named(f, ikName, testInK)}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadKMSXML(b, o)
		out := strings.Join(m.Warnings, "\n")
		if err != nil {
			out += err.Error()
		}
		if s := leaks(out, append(m.secrets(), mustHex(testTrK), mustHex(testInK), mustHex(katSSK))); s != "" && !public(m, s) {
			t.Fatalf("%q is printed: %s", s, out)
		}
		if err == nil && len(m.KMSs)+len(m.UserKeys) == 0 && !bytes.Contains(bytes.ToLower(b), []byte("kms")) {
			t.Fatal("nothing of the KMS and no error")
		}
	})
}

// public is true when the text is part of a name which the input gives too.
func public(m *Material, s string) bool {
	for _, it := range m.Describe() {
		if strings.Contains(it.URI+it.Name+it.KMS, s) {
			return true
		}
	}
	return false
}

func withoutComments(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if line[0] != '#' {
			b.WriteString(line)
		}
	}
	return b.String()
}

// FuzzWrongLine damages a key log in one place: the error names the line and holds nothing of a key.
func FuzzWrongLine(f *testing.F) {
	f.Add(uint(100), byte('z'))
	f.Add(uint(1500), byte(' '))
	f.Add(uint(2500), byte('\n'))
	whole, err := Read("f", []byte(katKeyLog))
	if err != nil {
		f.Fatal(err)
	}
	secrets := whole.secrets()
	f.Fuzz(func(t *testing.T, at uint, c byte) {
		b := []byte(katKeyLog)
		b[at%uint(len(b))] = c
		m, err := Read("f", b)
		if err != nil {
			if s := leaks(err.Error(), secrets); s != "" {
				t.Fatalf("%s is in the error: %v", s, err)
			}
		}
		if s := leaks(strings.Join(m.Warnings, "\n"), secrets); s != "" {
			t.Fatalf("%s is in a warning", s)
		}
	})
}

// TestDamage is FuzzWrongLine for a thousand places, each time.
func TestDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, text := range katFiles(t) {
		whole, err := Read(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		secrets := whole.secrets()
		for range 300 {
			b := []byte(text)
			at := r.IntN(len(b))
			b[at] = " \n\"'<>&=@#xX0\x00\xff"[r.IntN(15)]
			m, err := Read(name, b)
			out := strings.Join(m.Warnings, "\n")
			if err != nil {
				out += err.Error()
			}
			if s := leaks(out, secrets); s != "" {
				t.Fatalf("%s changed at %d: %s is printed: %s", name, at, s, out)
			}
		}
	}
}

func BenchmarkReadKeyLog(b *testing.B) {
	text := []byte(katKeyLog)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read("f", text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadKMSXML(b *testing.B) {
	text := []byte(katClear())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadKMSXML(text, XMLOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
