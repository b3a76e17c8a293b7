package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/lab"
)

// espCapture writes the protected REGISTER and its 200 over each shape in turn.
func espCapture(t *testing.T, name string, shapes ...lab.Shape) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := lab.WriteShapes(f, shapes...); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestESPShapes reads every suite in every way of carrying ESP with its key, and without a key only those in the clear.
func TestESPShapes(t *testing.T) {
	log := filepath.Join(t.TempDir(), "esp.mcxkeys")
	suites := lab.ESPSuites()
	var lines []string
	for i := range suites {
		lines = append(lines, suites[i].Line())
	}
	if err := os.WriteFile(log, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shapes := lab.ESPShapes()
	if len(shapes) < 300 {
		t.Errorf("%d shapes", len(shapes))
	}
	for _, v6 := range []bool{false, true} {
		list := slices.DeleteFunc(slices.Clone(shapes), func(s lab.Shape) bool { return s.V6 != v6 })
		path := espCapture(t, "all", list...)
		out, errs, code := call(t, nil, "read", "-T", "fields", "-e", "sip.cseq.method", "-e", "encapsulation", "-e", "esp.icv", "-e", "esp.encryption", "-e", "esp.mode", "-e", "esp.udp", "--keys", log, path)
		rows := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if code != exitOK || len(rows) != 2*len(list) {
			t.Fatalf("%d messages instead of %d, code %d: %s", len(rows), 2*len(list), code, errs)
		}
		for i, row := range rows {
			name := list[i/2].Name
			f := strings.Split(row, "\t")
			want := []string{"REGISTER", "esp", "ok", "", "transport", ""}
			if strings.Contains(name, "noauth") {
				want[2] = "none"
			}
			if strings.Contains(name, "tunnel") {
				want[4] = "tunnel"
				if want[1] = "esp,ipip"; v6 {
					want[1] = "esp,6in4"
				}
			}
			if strings.Contains(name, "-nat") {
				want[5] = "true"
			}
			if !strings.HasPrefix(name, "esp-"+f[3]) {
				t.Errorf("%s: %q", name, row)
			}
			if f[3] = ""; !slices.Equal(f, want) {
				t.Errorf("%s: %q, want %q", name, f, want)
			}
		}
	}
	for i, s := range suites {
		out, _, _ := call(t, nil, "read", "--json", espCapture(t, "one", shapes[i*len(shapes)/len(suites)]))
		inClear := s.Enc == "null" || s.Enc == "aes-gmac"
		if n := strings.Count(out, `"record":"message"`); inClear && n != 2 || !inClear && (n != 0 || strings.Count(out, `"id":"esp-no-key"`) != 2) {
			t.Errorf("%s without a key: %d messages", s.Name, n)
		}
	}
}

// tsharkESP are the names in tshark's table of ESP SAs of what the lab writes; an algorithm that tshark 4.0 does not have is
// not in it.
var tsharkESP = map[string]string{
	"null": "NULL", "aes-cbc": "AES-CBC [RFC3602]", "des-ede3-cbc": "TripleDES-CBC [RFC2451]", "aes-ctr": "AES-CTR [RFC3686]",
	"aes-gcm-8": "AES-GCM with 8 octet ICV [RFC4106]", "aes-gcm-12": "AES-GCM with 12 octet ICV [RFC4106]", "aes-gcm-16": "AES-GCM with 16 octet ICV [RFC4106]",
	"hmac-md5-96": "HMAC-MD5-96 [RFC2403]", "hmac-sha-1-96": "HMAC-SHA-1-96 [RFC2404]", "hmac-sha-256-128": "HMAC-SHA-256-128 [RFC4868]",
	"hmac-sha-384-192": "HMAC-SHA-384-192 [RFC4868]", "hmac-sha-512-256": "HMAC-SHA-512-256 [RFC4868]", "": "NULL",
}

// TestESPAgainstTshark has tshark read what the lab sealed: the same messages come out, and tshark finds the check values
// right.
func TestESPAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tshark on many captures")
	}
	out, err := exec.Command("tshark", "--version").Output()
	if err != nil || !strings.Contains(string(out), "TShark (Wireshark) 4.") {
		t.Skip("tshark 4 is not installed")
	}
	suites := lab.ESPSuites()
	var uat, log []string
	known := map[string]bool{}
	for i := range suites {
		s := &suites[i]
		enc, auth := tsharkESP[s.Enc], tsharkESP[s.Auth]
		if enc == "" || auth == "" {
			continue
		}
		key := func(b []byte) string {
			if len(b) == 0 {
				return ""
			}
			return "0x" + hex.EncodeToString(b)
		}
		for _, ip := range []string{"IPv4", "IPv6"} {
			uat = append(uat, "-o", fmt.Sprintf(`uat:esp_sa:"%s","*","*","0x%08x","%s","%s","%s","%s"`, ip, s.SPI, enc, key(s.EncKey), auth, key(s.AuthKey)))
		}
		log = append(log, "--esp", s.Line())
		known[s.Name] = true
	}
	if len(known) < 38 {
		t.Errorf("only %d suites", len(known))
	}
	for _, v6 := range []bool{false, true} {
		var list []lab.Shape
		for _, s := range lab.ESPShapes() {
			if i := slices.IndexFunc(suites, func(x lab.ESPSuite) bool { return strings.HasPrefix(s.Name, "esp-"+x.Name+"-") && known[x.Name] }); i >= 0 && s.V6 == v6 {
				list = append(list, s)
			}
		}
		path := espCapture(t, "all", list...)
		args := append([]string{"-n", "-r", path, "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE", "-T", "fields", "-e", "sip.Call-ID", "-e", "sip.CSeq", "-e", "esp.icv_good"}, uat...)
		var stderr strings.Builder
		cmd := exec.Command("tshark", args...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark: %v %s", err, stderr.String())
		}
		mine, errs, _ := call(t, nil, append([]string{"read", "-T", "fields", "-E", "separator=/s", "-e", "sip.call_id", "-e", "sip.cseq.number", "-e", "sip.cseq.method", path}, log...)...)
		here, theirs := strings.Split(strings.TrimSpace(mine), "\n"), strings.Split(strings.TrimSpace(string(out)), "\n")
		if len(here) != len(theirs) || len(here) != 2*len(list) {
			t.Fatalf("%d messages here, %d of tshark, %d sent; %s", len(here), len(theirs), 2*len(list), errs)
		}
		for i, row := range theirs {
			f := strings.Split(row, "\t")
			if name := list[i/2].Name; strings.Join(f[:2], " ") != here[i] {
				t.Errorf("%s: here %q, tshark %q", name, here[i], f)
			} else if f[2] != "1" && f[2] != "True" && !strings.Contains(name, "noauth") {
				t.Errorf("%s: tshark finds the check value wrong: %q", name, f)
			}
		}
	}
}
