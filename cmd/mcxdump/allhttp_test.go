package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/lab"
)

// TestAllHTTP: a log-in at a server whose header sections say nothing of mission critical services is followed with
// --all-http alone, by every command that reads captures.
func TestAllHTTP(t *testing.T) {
	var b bytes.Buffer
	w, err := lab.New(&b, lab.Shapes[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	s := w.Net.Dial(netip.MustParseAddrPort("192.0.2.10:40001"), netip.MustParseAddrPort("192.0.2.31:8080"), 1)
	const form, answer = "grant_type=authorization_code&code=0123456789abcdef&client_id=UE-alice&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb", `{"error":"invalid_grant","error_description":"the code was used before"}`
	for _, m := range []struct {
		up   bool
		text string
	}{
		{true, fmt.Sprintf("POST /login/step2 HTTP/1.1\r\nHost: sso.example.org\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form)},
		{false, fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)},
	} {
		for _, send := range s.Send(m.up, []byte(m.text), 1360) {
			send()
		}
	}
	s.Close()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "sso.pcap")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"read", name, "--tree"}, "/login/step2"},
		{[]string{"sessions", name, "--tree"}, "invalid_grant"},
		{[]string{"ladder", name, "--session", "1"}, "invalid_grant"},
		{[]string{"check", name, "--fail-on", "never"}, "invalid_grant"},
	} {
		without, _, _ := call(t, nil, x.args...)
		with, errs, code := call(t, nil, append(x.args, "--all-http")...)
		if code != exitOK || strings.Contains(without, x.want) || !strings.Contains(with, x.want) {
			t.Errorf("%v: code %d %s\nwithout: %s\nwith: %s", x.args[0], code, errs, without, with)
		}
	}
}
