package decode

import (
	"bytes"
	"testing"
	"time"
)

// TestContentCost: content that expands as far as it may costs no more than the octets that it expands to.
func TestContentCost(t *testing.T) {
	if testing.Short() {
		t.Skip("expands much")
	}
	const n = 32 << 20
	for _, x := range []struct{ name, kind, unit string }{
		{"JSON, nested", "application/json", "["},
		{"JSON, a list", "application/json", "1,"},
		{"JSON, one text", "application/json", "a"},
		{"JSON, members", "application/json", `"a":1,`},
		{"a form", "application/x-www-form-urlencoded", "a=b&"},
		{"a form of scopes", "application/x-www-form-urlencoded", "scope=a+"},
		{"XML, nested", "application/xml", "<a>"},
		{"XML, siblings", "application/xml", "<a/>"},
		{"XML, attributes", "application/vnd.3gpp.mcptt-info+xml", `a="b" `},
		{"KMS", "application/xml", `<KmsResponse xmlns="TOBEDEFINED"><a/>`},
		{"parts", "multipart/mixed; boundary=b", "--b\r\n\r\n"},
		{"lines", "text/plain", "\r\n"},
		{"HTML", "text/html", "<p>"},
	} {
		t.Run(x.name, func(t *testing.T) {
			head := map[string]string{"JSON, a list": "[", "JSON, one text": `"`, "JSON, members": "{", "XML, siblings": "<r>", "XML, attributes": "<mcpttinfo "}[x.name]
			b := coded(t, "gzip", append([]byte(head), bytes.Repeat([]byte(x.unit), n/len(x.unit))...))
			began := time.Now()
			r := httpRecord("Content-Type: "+x.kind+"\r\nContent-Encoding: gzip\r\n", b, Options{})
			took := time.Since(began)
			t.Logf("%d octets, %v, %d nodes", len(b), took, len(r.Nodes))
			if took > 10*time.Second {
				t.Error("too slow")
			}
		})
	}
}
