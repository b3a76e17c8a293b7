package decode

import (
	"bytes"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

// TestContentCost: content that is coded costs in proportion to the octets that it expands to.
func TestContentCost(t *testing.T) {
	var loads []testkit.Load
	for _, x := range []struct{ name, kind, head, unit string }{
		{"JSON, nested", "application/json", "", "["},
		{"JSON, a list", "application/json", "[", "1,"},
		{"JSON, one text", "application/json", `"`, "a"},
		{"JSON, members", "application/json", "{", `"a":1,`},
		{"a form", "application/x-www-form-urlencoded", "", "a=b&"},
		{"a form of scopes", "application/x-www-form-urlencoded", "", "scope=a+"},
		{"XML, nested", "application/xml", "", "<a>"},
		{"XML, siblings", "application/xml", "<r>", "<a/>"},
		{"XML, attributes", "application/vnd.3gpp.mcptt-info+xml", "<mcpttinfo ", `a="b" `},
		{"KMS", "application/xml", "", `<KmsResponse xmlns="TOBEDEFINED"><a/>`},
		{"parts", "multipart/mixed; boundary=b", "", "--b\r\n\r\n"},
		{"lines", "text/plain", "", "\r\n"},
		{"HTML", "text/html", "", "<p>"},
		{"secrets in text", "text/plain", "", "<UserDecryptKey>a</b>access_token=x "},
	} {
		loads = append(loads, testkit.Load{Name: x.name, Size: 200_000, Do: func(n int) {
			b := coded(t, "gzip", append([]byte(x.head), bytes.Repeat([]byte(x.unit), n/len(x.unit))...))
			httpRecord("Content-Type: "+x.kind+"\r\nContent-Encoding: gzip\r\n", b, Options{})
		}})
	}
	testkit.Linear(t, loads)
}
