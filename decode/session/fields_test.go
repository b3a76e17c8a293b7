package session_test

import (
	"os"
	"regexp"
	"testing"

	_ "github.com/mcxdump/mcxdump/decode" // fills the register
	"github.com/mcxdump/mcxdump/decode/record"
)

// TestFieldNames holds every field name in the package's sources to the register: a typing error would make Read blind
// to the field, or name a field that a filter does not know.
func TestFieldNames(t *testing.T) {
	quoted := regexp.MustCompile(`"((?:sip|bodies|mikey|signatures|poc_settings|xml|session|http|kms|idm|xcap|recording)(?:\.[a-z_]+)+)"`)
	n := 0
	for _, file := range []string{"read.go", "link.go", "register.go", "publish.go", "keylife.go", "checks.go", "session.go", "web.go", "web_read.go", "idm.go", "trail.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quoted.FindAllSubmatch(src, -1) {
			n++
			if _, ok := record.Lookup(string(m[1])); !ok {
				t.Errorf("%s: %s is not registered", file, m[1])
			}
		}
	}
	if n < 80 {
		t.Errorf("%d names", n)
	}
	for _, s := range []string{"mcptt", "mcvideo", "mcdata"} {
		for _, e := range []string{"access_token", "access_token.claims", "access_token.fingerprint", "client_id", "request_uri", "calling_user_id", "called_party_id", "selected_user_profile_index", "multiple_devices_ind"} {
			if _, ok := record.Lookup(s + "_info." + e); !ok {
				t.Errorf("%s_info.%s is not registered", s, e)
			}
		}
	}
}
