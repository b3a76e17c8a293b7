package output

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// contract is a capture as JSON shows it, written by hand from docs/json.md.
const contract = `{"schema":"mcxdump/1","record":"message","number":1,"time":"2024-01-01T00:00:00.000000000Z","frames":[1],"transport":"udp","src":{"ip":"10.0.0.1","port":5060},"dst":{"ip":"10.0.0.2","port":5060},"info":"REGISTER","sip":{"type":"request","method":"REGISTER","request_uri":"sip:example.org","call_id":"call-1@client.example.org","cseq":{"number":1,"method":"REGISTER"},"from":{"uri":"sip:alice@example.org"},"contact":[{"uri":"sip:alice@10.0.0.1","params":{"+g.3gpp.mcptt":""}}],"headers":[{"name":"User-Agent","value":"client/1"}]},"bodies":[{"path":"1","type":"application/vnd.3gpp.mcptt-info+xml","mcptt_info":{"access_token":{"protection":"none","state":"clear","value":"eyJ.eyJ.[withheld]","claims":{"mcptt_id":"sip:alice@example.org","exp":1704070800}},"calling_user_id":{"protection":"encrypted","state":"no_key","reason":"no_key","key_id":"2ddd5bf0"},"request_uri":{"protection":"none","state":"clear","value":"sip:group@example.org"}}},{"path":"2","type":"application/mikey","mikey":{"data_type":26,"csb_id":"2ddd5bf0","key_type":"CSK","initiator":"sip:alice@example.org","signature":{"state":"no_key"},"key":{"state":"no_key","reason":"no_rsk"}},"signatures":[{"state":"invalid","references":[{"uri":"cid:1","digest":"mismatch"}]}]}],"findings":[{"id":"SEC-10","severity":"error","message":"x"}]}
{"schema":"mcxdump/1","record":"message","number":2,"time":"2024-01-01T00:00:00.250000000Z","frames":[2],"transport":"udp","sip":{"type":"response","status":403,"reason":"Forbidden","call_id":"call-1@client.example.org","cseq":{"number":1,"method":"REGISTER"},"warning":[{"code":399,"text":"100 function not allowed","mc_code":100}]},"src":{"ip":"10.0.0.2","port":5060},"dst":{"ip":"10.0.0.1","port":5060}}
{"schema":"mcxdump/1","record":"summary","summary":{"drops":0,"gaps":0,"limits":{}}}
`

func jsonPage(t *testing.T) string {
	b, err := os.ReadFile(filepath.Join("..", "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every recipe of the page runs, and finds something in a capture that has it.
func TestRecipes(t *testing.T) {
	_, block, ok := strings.Cut(jsonPage(t), "```sh\n")
	block, _, ok2 := strings.Cut(block, "```")
	if !ok || !ok2 {
		t.Fatal("docs/json.md has no recipes")
	}
	recipes := strings.Split(strings.TrimSpace(block), "\n\n")
	if len(recipes) < 15 {
		t.Fatalf("%d recipes", len(recipes))
	}
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "out.ndjson"), []byte(contract), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range recipes {
		c := exec.Command("sh", "-e", "-c", r)
		c.Dir = dir
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil || stderr.Len() > 0 || len(strings.TrimSpace(string(out))) == 0 || strings.TrimSpace(string(out)) == "null" {
			t.Errorf("%s\n%v %s\noutput: %q", r, err, stderr.String(), out)
		}
	}
}

// The page names every fixed member, every member of a protected object and every reason.
func TestPageIsWhole(t *testing.T) {
	page := jsonPage(t)
	names := append(append(Members(), protectedNames...), record.Reasons()...)
	for _, n := range append(names, "id", "severity", "clause", "message", "offset", "length", "decrypted", "failed", "_repeated", WithheldMark, CutMark) {
		if !strings.Contains(page, n) {
			t.Errorf("docs/json.md does not speak of %s", n)
		}
	}
}
