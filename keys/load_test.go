package keys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write puts a file into a temporary directory and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
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
	_, err = Load(nil, LoadOptions{CSK: []string{"2abcdef0=0001"}})
	if err == nil || !strings.Contains(err.Error(), "2 octets instead of 16 or 32") {
		t.Fatal(err)
	}
}
