package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestHTTPAgainstTshark compares requests and responses of the HTTP captures with tshark.
func TestHTTPAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	for _, name := range httpCaptures[:5] {
		path := "../../testdata/pcaps/" + name
		ndjson, _, _ := call(t, nil, "read", path, "--json", "--all-http")
		var mine, its []string
		for line := range strings.Lines(ndjson) {
			var r struct {
				HTTP *struct {
					Type, Method, Target string
					Status               int
				}
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if h := r.HTTP; h != nil && h.Type == "request" {
				mine = append(mine, h.Method+" "+h.Target)
			} else if h != nil {
				mine = append(mine, strconv.Itoa(h.Status))
			}
		}
		out, err := exec.CommandContext(t.Context(), "tshark", "-n", "-r", path, "-Y", "http || http2", "-T", "fields", "-E", "aggregator=^", "-e", "http.request.method", "-e", "http.request.uri",
			"-e", "http.response.code", "-e", "http2.headers.method", "-e", "http2.headers.path", "-e", "http2.headers.status").Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			v := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
			for i := 0; i < len(v); i += 3 {
				targets := strings.Split(v[i+1], "^")
				for k, method := range strings.Split(v[i], "^") {
					if method != "" {
						its = append(its, method+" "+targets[k])
					}
				}
				if v[i+2] != "" {
					its = append(its, strings.Split(v[i+2], "^")...)
				}
			}
		}
		slices.Sort(mine)
		slices.Sort(its)
		if len(mine) == 0 || !slices.Equal(mine, its) {
			t.Errorf("%s\nhere:   %q\ntshark: %q", name, mine, its)
		}
	}
}
