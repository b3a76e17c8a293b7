package keys

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The rest of the known-answer set of ring_test.go, and lines and documents made of it.
const (
	katCSK = "000102030405060708090a0b0c0d0e0f"
	katSSK = "a17d70087ca96eba10b84ee4ef100d093c85abfe4d335615d1a88321752a568f"
	katPVT = "04ed447e151155f0c88ea2710e19aa6c84f8e92730cddb425e68f92631b896b27b755c342a0e125acf74e010e18f3453" +
		"a878ee65de2ab275f8513e9362a362347b"
	katUIDAlice  = "e700d7665f380c20c874a30b9b7bb469a8db616712df4242989e4789a71abc13"
	katUIDServer = "e07166aa2f84967fb8bdfdf7bbe5dc5e526973773ae364f53379f9decedefa65"
	katMasterZ   = "0aff429d35f84b110d094803b3595a6e2998bc99f1"
)

var (
	katZHex    = squeeze(katZ)
	katKPAKHex = squeeze(katKPAK)
	katRSKHex  = squeeze(katRSK)
	katKeyLog  = strings.Join([]string{
		"# the known-answer set",
		"KMS kms.example.org 2592000 0 " + katZHex + " " + katKPAKHex,
		"RSK mcptt.example.org kms.example.org 1509 " + katRSKHex,
		"SSK sip:alice@example.org kms.example.org 1509 " + katSSK,
		"PVT sip:alice@example.org kms.example.org 1509 " + katPVT,
		"CSK 2abcdef0 " + katCSK + " sip:alice@example.org",
		"SPK 3abcdef0 " + katCSK,
		"PCK 1abcdef0 " + katCSK + " sip:alice@example.org",
		"MuSiK 6abcdef0 " + katCSK + katCSK,
		"GMK 0abcdef0 " + katCSK + " sip:group@example.org",
		"MKFC 4abcdef0 " + katCSK,
		"MSCCK 5abcdef0 " + katCSK,
		"TrK tk.12.user@example.org " + katCSK + katCSK,
		"InK ink.12.user@example.org " + katCSK + katCSK,
		"MCID sip:bob@example.org",
		"ESP 0000beef 2001:db8::1 aes-cbc " + katCSK + " hmac-sha1-96 " + katCSK + "10111213",
		"ESP beee 192.0.2.1 null - hmac-md5-96 " + katCSK,
		"CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48),
		"SERVER_TRAFFIC_SECRET_0 " + strings.Repeat("ab", 32) + " " + strings.Repeat("ce", 32),
		"",
	}, "\n")
)

// write puts a file into a new temporary directory and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func mustRead(t testing.TB, name, text string) *Material {
	t.Helper()
	m, err := Read(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// verdict finds the verdict whose What begins so.
func verdict(t testing.TB, list []Verdict, what string) Verdict {
	t.Helper()
	for _, v := range list {
		if strings.HasPrefix(v.What, what) {
			return v
		}
	}
	t.Fatalf("no verdict on %q among %v", what, list)
	return Verdict{}
}

func TestLoadKeyLogAndCSKOption(t *testing.T) {
	p := write(t, "a.keys", "# lab\r\n\r\n\tcsk\t2abcdef0 000102030405060708090a0b0c0d0e0f  sip:alice@example.org\r\nMUSIK 6abcdef0 00112233445566778899aabbccddeeff\n"+
		"MCID sip:bob@example.org # the other one\n")
	m, err := Load([]string{p}, LoadOptions{CSK: []string{"2ddd5bf0=ffeeddccbbaa99887766554433221100@sip:carol@example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Keys) != 3 || m.Keys[0].ID != 0x2ddd5bf0 || m.Keys[0].URI != "sip:carol@example.org" || m.Keys[1].Type != CSK ||
		m.Keys[1].URI != "sip:alice@example.org" || m.Keys[1].Origin != (Origin{p, 3}) || m.Keys[2].Type != MuSiK {
		t.Fatalf("%+v", m.Keys)
	}
	if len(m.MCIDs) != 1 || m.MCIDs[0] != "sip:bob@example.org" || len(m.Warnings) != 0 {
		t.Fatalf("%q %q", m.MCIDs, m.Warnings)
	}
	// A wrong option does not take the others with it.
	m, err = Load(nil, LoadOptions{CSK: []string{"2abcdef0=0001", "2abcdef0=" + katCSK}})
	if err == nil || err.Error() != "--csk: the key has 2 octets instead of 16 or 32; expected ID=HEX or ID=HEX@URI" || len(m.Keys) != 1 {
		t.Fatal(err, len(m.Keys))
	}
}

func TestParseCSKOption(t *testing.T) {
	for _, tt := range []struct{ in, uri, err string }{
		{"2abcdef0=" + katCSK, "", ""},
		{"2ABCDEF0=0x" + katCSK + "@sip:a@b@c", "sip:a@b@c", ""},
		{" 2abcdef0=" + katCSK + katCSK + "@alice ", "alice", ""},
		{"2abcdef0", "", "no ="},
		{"2abcdef=" + katCSK, "", `the identifier "2abcdef" is not 8 hex digits`},
		{katCSK + "=2abcdef0", "", "the identifier (a word of 32 octets) is not 8 hex digits"},
		{"2abcdef0=" + katCSK[:31], "", "the key has 31 hex digits, an odd number"},
		{"2abcdef0=" + katCSK[:30] + "zz", "", "character 31 of 32 of the key is not a hex digit"},
		{"2abcdef0=" + katCSK + "@", "", "the URI is empty"},
		{"2abcdef0=" + katCSK + "@" + katCSK, "", "in the place of the URI are 32 hex digits, a key?"},
	} {
		k, err := ParseCSKOption(tt.in)
		if tt.err == "" && (err != nil || k.URI != tt.uri || k.ID != 0x2abcdef0 || k.Type != CSK) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q: %+v, %v", tt.in, k, err)
		}
	}
}

// TestKnownAnswerKeyLog reads every kind of entry, verifies all that can be, and writes it again.
func TestKnownAnswerKeyLog(t *testing.T) {
	m := mustRead(t, "kat.keys", katKeyLog)
	if len(m.Warnings) != 0 || len(m.Keys) != 7 || len(m.KMSs) != 1 || len(m.UserKeys) != 2 || len(m.Transport) != 1 ||
		len(m.Integrity) != 1 || len(m.MCIDs) != 1 || len(m.ESP) != 2 || len(m.TLS) != 2 {
		t.Fatalf("%q %+v", m.Warnings, m)
	}
	if u := m.UserKeys[1]; u.RSK != nil || u.SSK.Len() != 32 || u.PVT == nil || u.Origin.Line != 4 {
		t.Errorf("SSK and PVT are not together: %+v", u)
	}
	if e := m.ESP[0]; e.SPI != 0xbeef || e.Dst != "2001:db8::1" || e.EncAlg != "aes-cbc" || e.EncKey.Len() != 16 || e.AuthKey.Len() != 20 {
		t.Errorf("%+v", e)
	}
	if len(m.Verdicts) != 1 || !m.Verdicts[0].OK || m.Verdicts[0].Reason != "" {
		t.Errorf("%+v", m.Verdicts)
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	all := m.Verify(at)
	for _, v := range all {
		if !v.OK || v.Reason != "" {
			t.Errorf("%+v", v)
		}
	}
	verdict(t, all, "RSK of mcptt.example.org, period 1509, against Z of kms.example.org")
	verdict(t, all, "SSK and PVT of sip:alice@example.org, period 1509, against KPAK of kms.example.org")
	v := verdict(t, m.Verify(at.AddDate(0, 2, 0)), "key period of mcptt.example.org, period 1509, at ")
	if v.OK || v.Reason != "that moment is in period 1511" {
		t.Errorf("%+v", v)
	}

	again := mustRead(t, "kat.keys", string(m.AppendKeyLog(nil)))
	if a, b := string(m.AppendKeyLog(nil)), string(again.AppendKeyLog(nil)); a != b || strings.Count(a, "\n") != strings.Count(katKeyLog, "\n")-1 {
		t.Errorf("the key log changes when written and read:\n%s\n%s", a, b)
	}
	for _, word := range strings.Fields(katKeyLog[strings.Index(katKeyLog, "\n"):]) {
		if !strings.Contains(string(m.AppendKeyLog(nil)), word) && word != "beee" {
			t.Errorf("%q is lost", word)
		}
	}
}

// TestVerifyNames holds the verdicts to the readings they name.
func TestVerifyNames(t *testing.T) {
	for _, tt := range []struct {
		name, user, period, uid, kms string
		ok                           bool
		reason                       string
	}{
		{"without scheme", "alice@example.org", "1509", "", "kms.example.org", true, "identity is sip:alice@example.org"},
		{"by UserID", "sip:alice", "1", katUIDAlice, "kms.example.org", true, "identifier is the UserID, which is not by TS 33.180 F.2.1"},
		{"KMS with scheme", "sip:alice@example.org", "1509", "", "SIP:KMS.example.org", true, ""},
		{"wrong period", "sip:alice@example.org", "1508", "", "kms.example.org", false, "none of 4 identifiers fits; the keys are those of period 1509"},
		{"wrong user", "tel:+15550100", "1509", "", "kms.example.org", false, "none of 2 identifiers fits"},
	} {
		m := mustRead(t, "x", fmt.Sprintf("KMS kms.example.org - - - %s\nSSK %s %s\nPVT %s %s\n", katKPAKHex,
			tt.user+" "+tt.kms+" "+tt.period+" "+katSSK, tt.uid, tt.user+" "+tt.kms+" "+tt.period+" "+katPVT, tt.uid))
		v := verdict(t, m.Verify(time.Time{}), "SSK and PVT of ")
		want := tt.reason
		if tt.ok && !strings.HasPrefix(want, "identifier") {
			want = strings.TrimSuffix("key period assumed, "+want, ", ")
		}
		if v.OK != tt.ok || !strings.HasSuffix(v.Reason, want) {
			t.Errorf("%s: %+v", tt.name, v)
		}
	}
	// The identifier as text, which one product signs for.
	m := mustRead(t, "x", katKeyLog)
	u := UserKey{URI: "sip:alice@example.org", Period: 1509}
	ids := identifiers(&u, &m.KMSs[0])
	if len(ids) != 4 || string(ids[2].octets) != katUIDAlice || ids[2].name != "identifier as 64 hex digits" {
		t.Errorf("%q", ids)
	}
}

func TestWrongLines(t *testing.T) {
	const key = "the key has "
	for _, tt := range []struct{ line, want string }{
		{"CKS 2abcdef0 " + katCSK, `unknown keyword "CKS", did you mean CSK?`},
		{"KEY 2abcdef0 " + katCSK, `unknown keyword "KEY"; expected CSK, SPK, PCK, MuSiK, GMK, MKFC, MSCCK, TrK, InK, KMS, RSK, SSK, PVT, Master, MCID, ESP or a label of a TLS key log`},
		{katCSK, "unknown keyword (a word of 32 octets); expected"},
		{"CSK", "CSK: 0 words after it; expected <id> <key> [user-uri]"},
		{"CSK 2abcdef0", "CSK: 1 words after it"},
		{"CSK 2abcdef0 " + katCSK + " a b", "CSK: 4 words after it"},
		{"CSK 2abcdef " + katCSK, `CSK: the identifier "2abcdef" is not 8 hex digits; expected <id> <key> [user-uri]`},
		{"CSK 0x2abcdef " + katCSK, `CSK: the identifier "0x2abcdef" is not 8 hex digits`},
		{"CSK " + katCSK + " 2abcdef0", "CSK: the identifier (a word of 32 octets) is not 8 hex digits"},
		{"CSK 2abcdef0 " + katCSK[1:], "CSK: " + key + "31 hex digits, an odd number"},
		{"CSK 2abcdef0 " + katCSK[2:], "CSK: " + key + "15 octets instead of 16 or 32"},
		{"CSK 2abcdef0 x" + katCSK[1:], "CSK: character 1 of 32 of the key is not a hex digit"},
		{"GMK 0abcdef0 " + katCSK + " " + katCSK, "GMK: in the place of the URI are 32 hex digits, a key?"},
		{"TrK tk " + katCSK[:30], "TrK: " + key + "15 octets instead of 16, 24 or 32; expected <name> <key>"},
		{"TrK " + katCSK + " tk", "TrK: in the place of the name are 32 hex digits, a key?"},
		{"InK ink " + katCSK[:30], "InK: " + key + "15 octets instead of 16, 24, 32, 48 or 64"},
		{"KMS k 2592000 0 - " + katKPAKHex + "00", "KMS: the KPAK has 66 octets instead of 65"},
		{"KMS k 2592000 0 - 05" + katKPAKHex[2:], "KMS: the KPAK is wrong: "},
		{"KMS k 2592000 0 " + katZHex[2:] + " -", "KMS: the Z has 256 octets instead of 257"},
		{"KMS k 2592000 0 " + katZHex[:512] + "00 -", "KMS: the Z is wrong: "},
		{"KMS k thirty 0 - -", `KMS: the period "thirty" is not a decimal number`},
		{"KMS k 0 0 - -", "KMS: the period of 0 seconds is not 1 to 4294967296"},
		{"KMS k 2592000 -1 - -", `KMS: the offset "-1" is not a decimal number`},
		{"RSK u k 1509 " + katRSKHex[:512], "RSK: sakke: "},
		{"RSK u k june " + katRSKHex, `RSK: the period number "june" is not a decimal number; expected <user-uri> <kms-uri> <period-no> <hex> [uid]`},
		{"RSK u k 1509 " + katRSKHex + " 00", "RSK: the UID has 1 octets instead of 32"},
		{"SSK u k 1509 " + katSSK[:58], "SSK: the SSK has 29 octets instead of 32"},
		{"SSK u k 1509 " + katSSK + "00", "SSK: the SSK has 33 octets instead of 32"},
		{"PVT u k 1509 " + katPVT[2:], "PVT: the PVT has 64 octets instead of 65"},
		{"Master k 2592000 0 - -", "Master: neither SAKKE nor ECCSI master secret"},
		{"Master k 2592000 0 00 -", "Master: SAKKE master secret: "},
		{"Master k 2592000 0 0 -", "Master: the SAKKE master secret has 1 hex digits, an odd number"},
		{"Master k 2592000 0 - 00", "Master: ECCSI master secret: eccsi: "},
		{"Master k 2592000 0 - zz", "Master: character 1 of 2 of the ECCSI master secret is not a hex digit"},
		{"Master k 0 0 - 01", "Master: the period of 0 seconds is not 1 to 4294967296"},
		{"Master #k 2592000 0 - 01", "Master: 0 words after it"},
		{"KMS " + katCSK + " 2592000 0 - -", "KMS: in the place of the KMS URI are 32 hex digits, a key?"},
		{"RSK " + katCSK + " k 1 " + katRSKHex, "RSK: in the place of the user URI are 32 hex digits, a key?"},
		{"RSK u " + katCSK + " 1 " + katRSKHex, "RSK: in the place of the KMS URI are 32 hex digits, a key?"},
		{"PVT u k 1509 " + katPVT + " 0", "PVT: the UID has 1 hex digits, an odd number"},
		{"MCID " + strings.Repeat("a.", 1025), "MCID: the MC service ID has 2050 octets, more than 2048"},
		{"MCID a\x01", "MCID: the MC service ID has spaces or characters that are not printable"},
		{"ESP 1 192.0.2.1 aes-cbc xx null -", "ESP: character 1 of 2 of the encryption key is not a hex digit"},
		{"MCID", "MCID: 0 words after it"},
		{"ESP spi 192.0.2.1 null - null -", `ESP: the SPI "spi" is not 1 to 8 hex digits`},
		{"ESP 1 host null - null -", `ESP: the destination "host" is not an IP address`},
		{"ESP 1 192.0.2.1 " + katCSK + " aes-cbc null -", "ESP: the encryption algorithm (a word of 32 octets) is not a name"},
		{"ESP 1 192.0.2.1 aes-cbc 0011 null -", "ESP: the encryption key has 2 octets instead of 8 to 64"},
		{"CLIENT_RANDOM 00 11", "CLIENT_RANDOM: the client random has 1 octets instead of 32; expected <client-random> <secret>"},
		{"CLIENT_RANDOM " + katUIDAlice + " 0011", "CLIENT_RANDOM: the secret has 2 octets"},
		{"CLIENT_RANDOM " + katUIDAlice, "CLIENT_RANDOM: 1 words after it"},
		{"EXPORTER_SECRET " + katUIDAlice + " 001", "EXPORTER_SECRET: the secret has 3 hex digits, an odd number"},
		{"MCID a\xff", "not UTF-8"},
		{"-----BEGIN PRIVATE KEY-----", "a PEM block that is not well-formed"},
	} {
		m, err := Read("f.keys", []byte("MCID before\n"+tt.line+"\nMCID after\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "f.keys:2: "+tt.want) {
			t.Errorf("%.40q: %v", tt.line, err)
			continue
		}
		if strings.Contains(err.Error(), katCSK[:12]) || strings.Contains(err.Error(), katSSK[4:16]) {
			t.Errorf("%.40q: the error holds a key: %v", tt.line, err)
		}
		if fe, ok := errors.AsType[*FileError](err); !ok || fe.Line != 2 || fe.File != "f.keys" {
			t.Errorf("%.40q: not a FileError with its place: %#v", tt.line, err)
		}
		if len(m.MCIDs) != 2 {
			t.Errorf("%.40q: the lines around it are lost: %q", tt.line, m.MCIDs)
		}
	}
}

func TestManyErrors(t *testing.T) {
	_, err := Read("f", []byte("MCID a\n"+strings.Repeat("CSK\n", 100)))
	if n := strings.Count(err.Error(), "\n"); n != MaxErrors || !strings.HasSuffix(err.Error(), "and 80 more errors in key files") {
		t.Errorf("%d lines: %v", n, err)
	}
}

func TestWarnings(t *testing.T) {
	m := mustRead(t, "f", "CSK 1abcdef0 "+katCSK+"\nECH_SECRET "+strings.Repeat("00", 32)+" 00\n")
	if len(m.Keys) != 1 || m.Keys[0].Type != CSK || len(m.Warnings) != 2 || m.Warnings[0] !=
		"f:1: the identifier 1abcdef0 begins with 1, which is PCK and not CSK (TS 33.180 5.2.2 and annex G); kept as CSK" {
		t.Errorf("%q", m.Warnings)
	}
	if runtime.GOOS == "windows" {
		return
	}
	p := write(t, "open.keys", katKeyLog)
	if err := os.Chmod(p, 0o640); err != nil {
		t.Fatal(err)
	}
	if m, err := Load([]string{p}, LoadOptions{}); err != nil || len(m.Warnings) != 1 || m.Warnings[0] != p+": others can read this file (mode 0640); make it 0600" {
		t.Errorf("%v %q", err, m.Warnings)
	}
}

func TestDuplicates(t *testing.T) {
	twice := mustRead(t, "f", katKeyLog+katKeyLog)
	once := mustRead(t, "f", katKeyLog)
	if a, b := string(twice.AppendKeyLog(nil)), string(once.AppendKeyLog(nil)); a != b {
		t.Errorf("reading twice changes the material:\n%s", a)
	}
	for _, order := range [][2]string{{"", " sip:alice@example.org"}, {" sip:alice@example.org", ""}} {
		m := mustRead(t, "f", "CSK 2abcdef0 "+katCSK+order[0]+"\nCSK 2abcdef0 "+katCSK+order[1]+"\n")
		if len(m.Keys) != 1 || m.Keys[0].URI != "sip:alice@example.org" {
			t.Errorf("%q: %+v", order, m.Keys)
		}
	}
	m := mustRead(t, "f", "CSK 2abcdef0 "+katCSK+" sip:a@b\nCSK 2abcdef0 "+katCSK+" sip:c@b\nCSK 2abcdef0 "+katSSK+" sip:a@b\n")
	if len(m.Keys) != 3 {
		t.Errorf("keys that differ are lost: %+v", m.Keys)
	}
}

func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	put("d/b.keys", "MCID b\n")
	put("d/a.keys", "MCID a\n")
	photo := put("d/photo.jpg", "\xff\xd8\xff\xe0 CSK")
	notes := put("d/notes.txt", "the keys are in the other file\n")
	page := put("d/page.html", "<html><body>KmsInit</body></html>")
	trace := put("d/trace.json", `{"schema":"mcxdump/1"}`)
	put("d/sub/c.keys", "MCID c\n")
	elsewhere := put("elsewhere.keys", "MCID linked\n")
	links := os.Symlink(elsewhere, filepath.Join(dir, "d/link.keys")) == nil && os.Symlink(dir, filepath.Join(dir, "d/loop")) == nil
	m, err := Load([]string{filepath.Join(dir, "d")}, LoadOptions{Env: elsewhere + string(filepath.ListSeparator) + elsewhere})
	if err != nil {
		t.Fatal(err)
	}
	want := "[a b linked]"
	if got := fmt.Sprint(m.MCIDs); links && got != want {
		t.Errorf("%s instead of %s", got, want)
	}
	if all := strings.Join(m.Warnings, "\n"); len(m.Warnings) != 4 || !strings.Contains(all, "trace.json: skipped") || !strings.Contains(all, "photo.jpg: skipped: not a kind of key file") ||
		!strings.Contains(all, "page.html:1: skipped") || !strings.Contains(all, "notes.txt: skipped") {
		t.Errorf("%s", all)
	}
	for _, p := range []string{photo, notes, page} {
		_, err := Load([]string{p}, LoadOptions{})
		if !errors.Is(err, ErrKind) || !strings.Contains(err.Error(), "expected ") {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := Load([]string{trace}, LoadOptions{}); err == nil || !strings.Contains(err.Error(), `unknown member "schema"`) {
		t.Error(err)
	}
	_, err = Load([]string{filepath.Join(dir, "none")}, LoadOptions{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	p := write(t, "long", "")
	if err := os.Truncate(p, MaxFileSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load([]string{p}, LoadOptions{}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := Read("long", make([]byte, MaxFileSize+1)); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := Read("lines", []byte("MCID a\n"+strings.Repeat("\n", MaxLines))); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	var b strings.Builder
	for i := range MaxEntries + 10 {
		fmt.Fprintf(&b, "MCID sip:%d@example.org\n", i)
	}
	m, err := Read("entries", []byte(b.String()))
	if !errors.Is(err, ErrLimit) || len(m.MCIDs) != MaxEntries || strings.Count(err.Error(), "\n") != 0 {
		t.Error(len(m.MCIDs), err)
	}
}

// pemKey makes a private key; the curve's key is quickly made and tells all that RSA would.
func pemKey(t testing.TB) string {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// katPEM is cut within the key.
const katPEM = `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIAABAgMEBQYHCAkKCwwNDg8AAQIDBAUGBwgJCgsMDQ4PoAoGCCqGSM49
AwEHoUQDQgAE
-----END EC PRIVATE KEY-----
`

// TestPEM reads a private key between lines of a key log, and says what is wrong with one that is cut.
func TestPEM(t *testing.T) {
	key := pemKey(t)
	m := mustRead(t, "f", "MCID a\n"+key+"MCID b\n")
	if len(m.TLS) != 1 || !m.TLS[0].IsPrivateKey() || len(m.MCIDs) != 2 {
		t.Fatalf("%+v", m)
	}
	if k, err := m.TLS[0].PrivateKey(); err != nil || k == nil {
		t.Error(err)
	}
	if again := mustRead(t, "g", string(m.AppendKeyLog(nil))); len(again.TLS) != 1 || !again.TLS[0].Secret.Equal(m.TLS[0].Secret) {
		t.Errorf("%+v", again.TLS)
	}
	if m := mustRead(t, "f", "MCID a\n"+key[:len(key)-1]); len(m.TLS) != 1 {
		t.Errorf("without a last line end: %+v", m)
	}
	for _, tt := range []struct{ text, want string }{
		{katPEM, "f:2: PEM: the private key cannot be read"},
		{strings.ReplaceAll(key, "EC PRIVATE", "ENCRYPTED PRIVATE"), "f:2: PEM: the private key is encrypted"},
		{strings.Replace(key, "-----END", "-----FIN", 1), "f:2: a PEM block that is not well-formed"},
		{strings.Replace(key, "\n", "\n!!!\n", 1), "f:2: a PEM block that is not well-formed"},
	} {
		m, err := Read("f", []byte("MCID a\n"+tt.text+"MCID b\n"))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || len(m.TLS) != 0 {
			t.Errorf("%v", err)
		}
		if strings.Contains(tt.text, "-----END") && len(m.MCIDs) != 2 {
			t.Errorf("%q: lines after the block are lost: %v", tt.text, err)
		}
	}
}

func TestPEMKinds(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024) // small, to be quick
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dhKey, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(k any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, tt := range []struct {
		label string
		der   []byte
		want  string
	}{
		{"RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), "*rsa.PrivateKey"},
		{"PRIVATE KEY", pkcs8(rsaKey), "*rsa.PrivateKey"},
		{"PRIVATE KEY", pkcs8(edKey), "ed25519.PrivateKey"},
		{"PRIVATE KEY", pkcs8(dhKey), ""},
	} {
		m, err := Read("f", pem.EncodeToMemory(&pem.Block{Type: tt.label, Bytes: tt.der}))
		if (err == nil) != (tt.want != "") || len(m.TLS) != 1 && err == nil {
			t.Errorf("%s %s: %v", tt.label, tt.want, err)
			continue
		}
		if err == nil {
			if k, err := m.TLS[0].PrivateKey(); err != nil || fmt.Sprintf("%T", k) != tt.want {
				t.Errorf("%s: %T, %v", tt.want, k, err)
			}
		}
	}
	if _, err := (TLSSecret{Label: "CLIENT_RANDOM"}).PrivateKey(); err == nil {
		t.Error("a line of a key log is no private key")
	}
	m := mustRead(t, "f", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "DH PARAMETERS", Bytes: []byte{1}})))
	if len(m.TLS) != 0 || len(m.Warnings) != 1 || m.Warnings[0] != "f:4: a PEM block which is no private key is not used" {
		t.Errorf("%q", m.Warnings)
	}
}

func TestManyWarnings(t *testing.T) {
	var b strings.Builder
	for i := range maxWarnings + 7 {
		fmt.Fprintf(&b, "CSK 1%07x %s\n", i, katCSK)
	}
	m := mustRead(t, "f", b.String())
	if len(m.Warnings) != maxWarnings+1 || m.Warnings[maxWarnings] != "and 7 more warnings" || len(m.Keys) != maxWarnings+7 {
		t.Errorf("%d warnings, the last %q", len(m.Warnings), m.Warnings[len(m.Warnings)-1])
	}
}
