package decode

import (
	"encoding/base64"
	"strings"
	"testing"
)

var sdpOffer = strings.ReplaceAll(`v=0
o=alice 2890844526 2890844526 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
a=key-mgmt:mikey `+base64.StdEncoding.EncodeToString(imessage)+`
m=audio 49170 RTP/SAVP 97 98
i=speech
a=rtpmap:97 AMR-WB/16000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4
a=sendrecv
m=application 49172 udp MCPTT
b=AS:3
a=fmtp:MCPTT mc_queueing;mc_priority=5;mc_granted
`, "\n", "\r\n")

func TestSDP(t *testing.T) {
	r, words := dissectOne(t, "application/sdp", []byte(sdpOffer), everything())
	if ids(r) != "" {
		t.Errorf("findings\n%s", dump(r))
	}
	for name, want := range map[string]string{
		"sdp.origin.address": "192.0.2.1", "sdp.origin.username": "alice", "sdp.connection": "192.0.2.1", "sdp.time": "0 0",
		"sdp.media.type": "audio,application", "sdp.media.port": "49170,49172", "sdp.media.formats": "97,98,MCPTT", "sdp.media.direction": "sendrecv",
		"sdp.media.mcptt.mc_priority": "5", "sdp.key_mgmt.mikey.csb_id": "2abcdef0", "sdp.key_mgmt.protocol": "mikey",
	} {
		if got := value(t, r, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := value(t, r, "sdp.media.attributes.value"); !strings.Contains(got, "inline:[40 characters withheld]|2^20|1:4") {
		t.Errorf("crypto attribute: %s", got)
	}
	secret := "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	for _, n := range r.Nodes {
		if strings.Contains(n.Str, secret) {
			t.Errorf("%s shows the key", n.Field.Name)
		}
	}
	if m := r.Sources[0].Masked; len(m) != 1 || sdpOffer[m[0].Off:m[0].Off+m[0].Len] != secret {
		t.Errorf("masked %v", m)
	}
	if got := strings.Join(words, ";"); got != "CSK upload 2abcdef0 → mcptt.example.org;SDP audio+floor control" {
		t.Errorf("words %q", got)
	}
	opt := everything()
	opt.ShowSecrets = true
	r, _ = dissectOne(t, "application/sdp", []byte(sdpOffer), opt)
	if !strings.Contains(value(t, r, "sdp.media.attributes.value"), secret) || len(r.Sources[0].Masked) != 0 {
		t.Error("with secrets the key is not shown")
	}
}

func TestSDPFindings(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"v=0\r\n", ""},
		{"v=1\r\n", "sdp-version"},
		{"", "sdp-version"},
		{"s=-\r\n", "sdp-version"},
		{"v=0\r\nfoo\r\nbar\r\n", "sdp-line"},
		{"v=0\r\no=a b\r\n", "sdp-origin"},
		{"v=0\r\nm=audio\r\n", "sdp-media"},
		{"v=0\r\nm=audio x RTP/AVP 0\r\n", "sdp-media"},
		{"v=0\r\na=key-mgmt:mikey !!\r\n", "mikey-form"},
	} {
		r, _ := dissectOne(t, "application/sdp", []byte(c.in), everything())
		if got := ids(r); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSDPSecrets(t *testing.T) {
	for _, secret := range []string{"inline:AAAA|2^20|1:4;inline:BBBB", "inline:AAAA"} {
		r, _ := dissectOne(t, "application/sdp", []byte("v=0\r\nm=audio 1 RTP/SAVP 0\r\na=crypto:1 X "+secret+"\r\na=ice-pwd:SECRET\r\nk=clear:SECRET\r\n"), everything())
		for _, n := range r.Nodes {
			if strings.Contains(n.Str, "AAAA") || strings.Contains(n.Str, "BBBB") || strings.Contains(n.Str, "SECRET") {
				t.Errorf("%s shows %q", n.Field.Name, n.Str)
			}
		}
		if len(r.Sources[0].Masked) != 3 {
			t.Errorf("masked %v", r.Sources[0].Masked)
		}
	}
}

// A key behind octets that are no UTF-8 is withheld at its own place: lowering them
// as text would make them longer and move the place past the key, or past the end.
func TestSDPSecretNotUTF8(t *testing.T) {
	for _, pre := range []string{"", "1 \xce\xce\xce\xce ", strings.Repeat("\xff", 40)} {
		value := []byte(pre + "INLINE:KEYKEY|2^20")
		from, to := sdpSecret([]byte("crypto"), value)
		if got := string(value[from:to]); got != "KEYKEY" {
			t.Errorf("%q: withheld %q", value, got)
		}
	}
}
