package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func tlsText(label string, random byte, n int, secret byte) string {
	return fmt.Sprintf("%s %s %s\n", label, strings.Repeat(fmt.Sprintf("%02x", random), 32), strings.Repeat(fmt.Sprintf("%02x", secret), n))
}

func TestTLSKeys(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	doc := tlsText("CLIENT_RANDOM", 1, 48, 0xaa) + tlsText("SERVER_TRAFFIC_SECRET_0", 2, 32, 0xbb) + tlsText("EXPORTER_SECRET", 2, 32, 1) +
		"RSA 0102030405060708 " + strings.Repeat("03", 48) + "\n" + tlsText("PMS_CLIENT_RANDOM", 3, 48, 0xcc) +
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	m, err := Read("f", []byte(doc))
	if err != nil || len(m.Warnings) > 0 {
		t.Fatal(err, m.Warnings)
	}
	if again, err := Read("g", m.AppendKeyLog(nil)); err != nil || string(again.AppendKeyLog(nil)) != string(m.AppendKeyLog(nil)) || len(again.TLS) != 5 {
		t.Errorf("written and read again: %v", err)
	}
	k := NewTLSKeys(m)
	if b := k.Secret("CLIENT_RANDOM", [32]byte(bytes.Repeat([]byte{1}, 32))); len(b) != 48 || b[0] != 0xaa {
		t.Errorf("%x", b)
	}
	if b := k.Secret("CLIENT_RANDOM", [32]byte{}); b != nil {
		t.Errorf("%x", b)
	}
	if b := k.Secret("PMS_CLIENT_RANDOM", [32]byte(bytes.Repeat([]byte{3}, 32))); len(b) != 48 {
		t.Errorf("%x", b)
	}
	if b := k.Premaster([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 9}); len(b) != 48 || b[0] != 3 {
		t.Errorf("%x", b)
	}
	pre := append([]byte{3, 3}, make([]byte, 46)...)
	//lint:ignore SA1019 as TLS has it
	enc, err := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, pre)
	if err != nil {
		t.Fatal(err)
	}
	if b := k.Premaster(enc); !bytes.Equal(b, pre) {
		t.Errorf("%x", b)
	}
	if enc[200] ^= 1; k.Premaster(enc) != nil {
		t.Error("a changed one opens")
	}
	// What a capture brings does not replace what the user gave.
	if n := k.Add([]byte(tlsText("CLIENT_RANDOM", 1, 48, 0xee) + "rubbish\n" + tlsText("CLIENT_RANDOM", 9, 48, 0xee) + tlsText("CLIENT_RANDOM", 8, 47, 0xee))); n != 2 {
		t.Errorf("%d", n)
	}
	if b := k.Secret("CLIENT_RANDOM", [32]byte(bytes.Repeat([]byte{1}, 32))); b[0] != 0xaa {
		t.Errorf("%x", b)
	}
	if b := k.Secret("CLIENT_RANDOM", [32]byte(bytes.Repeat([]byte{9}, 32))); len(b) != 48 {
		t.Errorf("%x", b)
	}
	if s := fmt.Sprintf("%v %+v", m, m.TLS); strings.Contains(s, "aaaa") || strings.Contains(s, "170 170") {
		t.Error("a secret is printed")
	}
}

// TestTLSFollow: a key log that grows, in pieces that end anywhere, and that is begun anew.
func TestTLSFollow(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys.log")
	if err := os.WriteFile(name, []byte(tlsText("CLIENT_RANDOM", 1, 48, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Load([]string{name}, LoadOptions{})
	if err != nil || len(m.Logs) != 1 {
		t.Fatal(err, m.Logs)
	}
	k := NewTLSKeys(m)
	defer k.Close()
	if k.Growing() {
		t.Error("nothing is followed")
	}
	if err := k.Follow(m.Logs[0]); err != nil || !k.Growing() || !k.Any() {
		t.Fatal(err)
	}
	has := func(random byte) bool {
		k.looked = time.Time{}
		return k.Secret("CLIENT_RANDOM", [32]byte(bytes.Repeat([]byte{random}, 32))) != nil
	}
	write := func(flag int, s string) {
		f, err := os.OpenFile(name, os.O_WRONLY|flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(s)
		f.Close()
	}
	line := tlsText("CLIENT_RANDOM", 2, 48, 2)
	write(os.O_APPEND, line[:70])
	if !has(1) || has(2) {
		t.Error("half a line")
	}
	write(os.O_APPEND, line[70:]+strings.Repeat("#", 2<<20)+"\n"+tlsText("CLIENT_RANDOM", 3, 48, 2))
	if !has(2) || !has(3) || has(4) {
		t.Error("the rest")
	}
	write(os.O_TRUNC, tlsText("CLIENT_RANDOM", 4, 48, 2))
	if !has(4) || !has(2) {
		t.Error("begun anew")
	}
}

func FuzzTLSLine(f *testing.F) {
	f.Add(tlsText("CLIENT_RANDOM", 1, 48, 1))
	f.Add("RSA 0102030405060708 " + strings.Repeat("03", 48))
	f.Add("CLIENT_TRAFFIC_SECRET_7 x y")
	f.Fuzz(func(t *testing.T, line string) {
		k := NewTLSKeys(nil)
		n := k.Add([]byte(line))
		m, _ := Read("f", []byte(line))
		if m == nil || len(m.TLS) > 0 && n == 0 {
			t.Fatalf("%d and %v", n, m)
		}
		for i := range m.TLS {
			if x := &m.TLS[i]; !x.IsPrivateKey() {
				if again, err := tlsLine([]string{x.Label, x.id(), fmt.Sprintf("%x", x.Secret.Reveal())}); err != nil || again.id() != x.id() || !again.Secret.Equal(x.Secret) {
					t.Fatal(err)
				}
			}
		}
	})
}
