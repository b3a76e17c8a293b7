package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// makeRelease runs packaging/release of a source tree and returns where its files are.
func makeRelease(t *testing.T, source string, env ...string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.Command(filepath.Join(source, "packaging/release"), "0.0.1~test", out, runtime.GOARCH)
	cmd.Env = append(append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000"), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/release: %v\n%s", err, text)
	}
	return out
}

// The release can be made, its package installed, and what was installed run. With MCXDUMP_RELEASE set, it is made once
// more, in another directory and without anything that was compiled before: every octet is the same.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	for _, tool := range []string{"dpkg-deb", "dpkg", "tar", "gzip", "awk", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	out := makeRelease(t, "../..")
	sums, err := exec.Command("sh", "-c", "cd "+out+" && sha256sum -c SHA256SUMS").CombinedOutput()
	if err != nil || strings.Count(string(sums), ": OK") != 3 {
		t.Errorf("%v\n%s", err, sums)
	}

	root := t.TempDir()
	for _, d := range []string{"var/lib/dpkg/updates", "var/lib/dpkg/info"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"var/lib/dpkg/status", "var/lib/dpkg/available"} {
		if err := os.WriteFile(filepath.Join(root, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(out, "mcxdump_0.0.1~test_"+runtime.GOARCH+".deb")
	if text, err := exec.Command("dpkg", "--root="+root, "--log=/dev/null", "--force-not-root", "--force-architecture", "--install", deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg: %v\n%s", err, text)
	}
	bin := filepath.Join(root, "usr/bin/mcxdump")
	if text, err := exec.Command(bin, "--version").CombinedOutput(); err != nil || string(text) != "mcxdump 0.0.1~test\n" {
		t.Errorf("--version: %v %q", err, text)
	}
	text, err := exec.Command(bin, "read", "../../testdata/pcaps/register-protected.pcap").Output()
	if want, _, code := call(t, nil, "read", "../../testdata/pcaps/register-protected.pcap"); err != nil || code != 0 || string(text) != want {
		t.Errorf("%v: what is installed prints\n%s\nand not\n%s", err, text, want)
	}
	file, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Error("the binary is not static")
		}
	}
	for _, f := range []string{"man/man1/mcxdump.1.gz", "man/man1/mcxdump-read.1.gz", "man/man1/mcxdump-keys-show.1.gz", "bash-completion/completions/mcxdump",
		"zsh/vendor-completions/_mcxdump", "fish/vendor_completions.d/mcxdump.fish", "doc/mcxdump/copyright"} {
		if st, err := os.Stat(filepath.Join(root, "usr/share", f)); err != nil || st.Size() == 0 {
			t.Error(f, err)
		}
	}

	var bom struct {
		BomFormat  string
		Components []struct{ Name, Version, Purl string }
	}
	raw, err := os.ReadFile(filepath.Join(out, "mcxdump-0.0.1~test-linux-"+runtime.GOARCH+".cdx.json"))
	if err == nil {
		err = json.Unmarshal(raw, &bom)
	}
	if err != nil || bom.BomFormat != "CycloneDX" {
		t.Fatalf("bill of materials: %v\n%s", err, raw)
	}
	have := map[string]bool{}
	for _, c := range bom.Components {
		have[c.Name] = c.Version != "" && c.Purl != ""
	}
	for _, name := range []string{"std", "github.com/spf13/cobra", "github.com/google/gopacket", "github.com/beevik/etree"} {
		if !have[name] {
			t.Errorf("the bill of materials lacks %s", name)
		}
	}

	if os.Getenv("MCXDUMP_RELEASE") == "" {
		return
	}
	source := t.TempDir()
	if text, err := exec.Command("sh", "-c", "cd ../.. && git ls-files -z | xargs -0 tar -c | tar -x -C "+source).CombinedOutput(); err != nil {
		t.Fatalf("copying the source: %v\n%s", err, text)
	}
	again := makeRelease(t, source, "GOCACHE="+t.TempDir())
	a, _ := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	b, _ := os.ReadFile(filepath.Join(again, "SHA256SUMS"))
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Errorf("two builds differ:\n%s\n%s", a, b)
	}
}

// Every command has a man page that man reads without a complaint.
func TestManPages(t *testing.T) {
	dir := t.TempDir()
	if _, errs, code := call(t, nil, "man", dir); code != 0 {
		t.Fatal(errs)
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "*.1"))
	root := newRoot(&streams{in: nil, out: io.Discard, err: io.Discard})
	for _, c := range root.Commands() {
		if _, err := os.Stat(filepath.Join(dir, pageName(c)+".1")); (err == nil) == c.Hidden && c.Name() != "completion" && c.Name() != "help" {
			t.Errorf("page of %s: %v", c.Name(), err)
		}
	}
	if len(pages) < 10 {
		t.Errorf("%d pages", len(pages))
	}
	if b := manPage(newRead(&streams{})); !bytes.Contains(b, []byte("--field")) && !bytes.Contains(b, []byte(`\-\-field`)) {
		t.Error("the page of read lacks --field")
	}
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip(err)
	}
	for _, p := range pages {
		cmd := exec.CommandContext(context.Background(), "groff", "-man", "-Tutf8", "-Kutf8", "-ww", p)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if text, err := cmd.Output(); err != nil || errs.Len() > 0 || len(text) < 200 {
			t.Errorf("%s: %v, %d octets\n%s", filepath.Base(p), err, len(text), errs.String())
		}
	}
}

// TestOtherArchitecture builds the program for the other processor that is released: a static binary for it. It is run where
// qemu-user is installed (qemu-aarch64-static, qemu-aarch64); elsewhere no test has run it, which the log says.
func TestOtherArchitecture(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	arch, machine, emulators := "arm64", elf.EM_AARCH64, []string{"qemu-aarch64-static", "qemu-aarch64"}
	if runtime.GOARCH == "arm64" {
		arch, machine, emulators = "amd64", elf.EM_X86_64, []string{"qemu-x86_64-static", "qemu-x86_64"}
	}
	bin := filepath.Join(t.TempDir(), "mcxdump")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Machine != machine {
		t.Errorf("built for %v", file.Machine)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Error("the binary is not static")
		}
	}
	for _, emulator := range emulators {
		path, err := exec.LookPath(emulator)
		if err != nil {
			continue
		}
		const pcap = "../../testdata/pcaps/register-protected.pcap"
		got, err := exec.Command(path, bin, "read", "--json", pcap).Output()
		if want, _, _ := call(t, nil, "read", "--json", pcap); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", emulator, err, got)
		}
		return
	}
	t.Logf("no emulator: the binary for %s was built and not run", arch)
}
