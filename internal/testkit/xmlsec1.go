package testkit

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Xmlsec1 runs the reference tool, which signs, verifies, encrypts and decrypts independently of our own code.
type Xmlsec1 struct {
	t   *testing.T
	bin string
	dir string
	n   int
}

// NewXmlsec1 skips the test where the tool is not installed.
func NewXmlsec1(t *testing.T) *Xmlsec1 {
	t.Helper()
	bin, err := exec.LookPath("xmlsec1")
	if err != nil {
		t.Skip("xmlsec1 is not installed")
	}
	return &Xmlsec1{t: t, bin: bin, dir: t.TempDir()}
}

// File writes octets to a file of the test and returns its name.
func (x *Xmlsec1) File(b []byte) string {
	x.t.Helper()
	x.n++
	name := filepath.Join(x.dir, fmt.Sprintf("f%d", x.n))
	if err := os.WriteFile(name, b, 0o600); err != nil {
		x.t.Fatal(err)
	}
	return name
}

// Run returns what the tool prints; the error says why it failed.
func (x *Xmlsec1) Run(args ...string) ([]byte, error) {
	var out, log bytes.Buffer
	cmd := exec.Command(x.bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, log.String())
	}
	return out.Bytes(), err
}
