package sipparse

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// carries is what MayCarryMessage is held to: it splits the body and looks at every part.
func carries(m *Message) bool {
	for _, p := range m.Parts(Limits{}) {
		if !p.Container && (p.Type.Full == "message/sip" || p.Type.Full == "message/sipfrag" || p.Type.Full == "" && LooksLikeStart(p.Data)) {
			return true
		}
	}
	return false
}

func carrier(head, body string) []byte {
	return []byte("MESSAGE sip:a SIP/2.0\r\n" + head + "\r\n\r\n" + body)
}

var carryRows = []struct {
	name, head, body string
	may              bool
}{
	{"no body", "Content-Type: message/sip", "", false},
	{"message", "Content-Type: message/sip", "x", true},
	{"upper case", "c: MESSAGE/SIPFRAG;x=y", "x", true},
	{"spaces", "Content-Type: message / sip", "x", true},
	{"no type", "Subject: x", "x", true},
	{"bad type, a message", "Content-Type: a b/c", "SIP/2.0 200 OK\r\n\r\n", true},
	{"text", "Content-Type: text/plain;charset=x", "SIP/2.0 200 OK\r\n\r\n", false},
	{"two parts", "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: text/a\r\n\r\nA\r\n--b\r\nc: text/b\r\nContent-ID: <c>\r\n\r\nB\r\n--b--\r\n", false},
	{"a message in it", "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: text/a\r\n\r\nA\r\n--b\r\nc: message/sip\r\n\r\nB\r\n--b--\r\n", true},
	{"its name folded", "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type:\r\n Message/Sip\r\n\r\nA\r\n--b--\r\n", true},
	{"folded behind a slash", "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: message/\r\n sip\r\n\r\nA\r\n--b--\r\n", true},
	{"folded behind a type", "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: text/a\r\n b\r\n\r\nSIP/2.0 200 OK\r\n\r\n\r\n--b--\r\n", true},
	{"spaces before the colon", "Content-Type: multipart/mixed;boundary=b", "--b\ncontent-type \t: message/sip\n\nA\n--b--\n", true},
	{"unreadable, a message", "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: a b/c\r\n\r\nSIP/2.0 200 OK\r\n\r\n\r\n--b--\r\n", true},
	{"nested", "Content-Type: multipart/mixed;boundary=b", "--b\r\nC: multipart/mixed;boundary=c\r\nContent-Transfer-Encoding: base64\r\n\r\nLS1jDQpjOiBtZXNzYWdlL3NpcA0KDQpBDQotLWMtLQ==\r\n--b--\r\n", true},
	{"encoded", "Content-Type: multipart/mixed;boundary=c\r\nContent-Transfer-Encoding: base64", "LS1jDQpjOiBtZXNzYWdlL3NpcA0KDQpBDQotLWMtLQ==", true},
	{"bare LF", "Content-Type: multipart/mixed;boundary=b", "--b\nContent-Type: text/a\n\nA\n--b--\n", false},
	{"parameters", "Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: text/a;x=\"message/sip\"\r\n\r\nA\r\n--b--\r\n", false},
}

func TestMayCarryMessage(t *testing.T) {
	for _, tt := range carryRows {
		t.Run(tt.name, func(t *testing.T) {
			var m Message
			if err := m.Parse(carrier(tt.head, tt.body), Options{Datagram: true}); err != nil {
				t.Fatal(err)
			}
			if got := m.MayCarryMessage(); got != tt.may {
				t.Errorf("%v, not %v", got, tt.may)
			}
			if carries(&m) && !tt.may {
				t.Error("a part is a message")
			}
		})
	}
}

// TestMayCarryMessageHolds puts bodies together of what matters to it.
func TestMayCarryMessageHolds(t *testing.T) {
	words := []string{"--b\r\n", "--b\n", "--b--\r\n", "\r\n", "\r\n", "\n", "Content-Type: ", "content-TYPE\t:", "c:", "C : ", "message/sip", "message/sipfrag", "Message / Sip",
		"text/plain", "text/", "a b/c", "/", ";x=y", ";x=\"", "\"", " ", "\t", "multipart/mixed;boundary=c", "--c\r\n", "--c--\r\n", "SIP/2.0 200 OK\r\n", "OPTIONS sip:a SIP/2.0\r\n",
		"Content-Transfer-Encoding: base64\r\n", "Content-Transfer-Encoding: quoted-printable\r\n", "LS1jDQpjOiBtZXNzYWdlL3NpcA0KDQpBDQotLWMtLQ==", "Content-ID: <a>\r\n", "x\r\n", "\x00", "é"}
	heads := []string{"Content-Type: multipart/mixed;boundary=b", "c: multipart/mixed;boundary=\"b\"", "Content-Type: Multipart/x ;boundary=b", "Content-Type: multipart/mixed", "Content-Type: text/plain",
		"Content-Type: a b/c", "Content-Type: multipart/mixed;boundary=b\r\nContent-Transfer-Encoding: quoted-printable", "Subject: x", "Content-Type: message/cpim"}
	rnd := rand.New(rand.NewPCG(1, 2))
	var m Message
	found, spared := 0, 0
	for range 60000 {
		var body strings.Builder
		if rnd.IntN(2) == 0 {
			body.WriteString("--b\r\n")
		}
		for range rnd.IntN(14) {
			body.WriteString(words[rnd.IntN(len(words))])
		}
		raw := carrier(heads[rnd.IntN(len(heads))], body.String())
		if m.Parse(raw, Options{Datagram: true}) != nil {
			t.Fatal("no message")
		}
		is, may := carries(&m), m.MayCarryMessage()
		if is && !may {
			t.Fatalf("not seen: %q", raw)
		}
		if is {
			found++
		}
		if !may {
			spared++
		}
	}
	if found < 500 || spared < 5000 {
		t.Error(found, "carried one,", spared, "were spared")
	}
}

func FuzzMayCarryMessage(f *testing.F) {
	for _, tt := range carryRows {
		f.Add(carrier(tt.head, tt.body))
	}
	for _, tt := range mimeRows {
		f.Add(carrier("Content-Type: "+tt.ct, tt.body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		if m.Parse(raw, Options{Datagram: true}) == nil && carries(&m) && !m.MayCarryMessage() {
			t.Error("a part is a message")
		}
	})
}
