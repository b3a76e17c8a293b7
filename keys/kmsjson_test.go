package keys

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

const katMasterKSAK = "12345"

// katJSON is a lab's KMS, made of the secrets of RFC 6508 and RFC 6507 appendix A.
func katJSON(more string) string {
	return `{
  "kms_master_secrets": [
    {
      "kms_uri": "kms.example.org",
      "user_id_format": "2",
      "user_key_period": 2592000,
      "user_key_offset": "0",
      "sakke_parameter_set": 1,
      "sakke_master_secret": "` + katMasterZ + `",
      "eccsi_master_secret": "0` + katMasterKSAK + `"` + more + `
    }
  ]
}
`
}

func TestMasterJSON(t *testing.T) {
	m := mustRead(t, "kms.json", katJSON(""))
	if len(m.Masters) != 1 || len(m.Warnings) != 0 {
		t.Fatalf("%+v", m)
	}
	k := m.Masters[0]
	z, _ := sakke.NewMasterSecret(mustHex(katMasterZ))
	ksak, _ := eccsi.NewMasterSecret(mustHex("0" + katMasterKSAK))
	if !k.KMS.Z.Equal(z.Public()) || !k.KMS.KPAK.Equal(ksak.Public()) || k.KMS.Period != 2592000 || k.UserIDFormat != "2" || k.Origin.Line != 3 {
		t.Errorf("%+v", k)
	}
	pub := fmt.Sprintf(`, "sakke_public_key": "%x", "eccsi_public_key": "%x"`, z.Public().Bytes(), ksak.Public().Bytes())
	if m := mustRead(t, "kms.json", "\xef\xbb\xbf"+katJSON(pub)); len(m.Masters) != 1 {
		t.Errorf("%+v", m)
	}
	for _, v := range m.Verify(time.Time{}) {
		if !v.OK {
			t.Errorf("%+v", v)
		}
	}
	again := mustRead(t, "k", string(m.AppendKeyLog(nil)))
	if len(again.Masters) != 1 || hex.EncodeToString(again.Masters[0].SAKKE.Reveal()) != hex.EncodeToString(k.SAKKE.Reveal()) ||
		!again.Masters[0].KMS.KPAK.Equal(k.KMS.KPAK) || again.Masters[0].KMS.Period != 2592000 {
		t.Errorf("%+v", again)
	}
	m = mustRead(t, "kms.json", strings.Replace(katJSON(""), `"user_key_period": 2592000,`, "", 1))
	if m.Masters[0].KMS.Period != DefaultPeriod || len(m.Warnings) != 1 {
		t.Errorf("%q", m.Warnings)
	}
}

func TestMasterJSONDefects(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{`"kms_uri"`, `"kms_url"`, `kms.json:4: kms_master_secrets: unknown member "kms_url", did you mean kms_uri?`},
		{`"user_id_format"`, `"comment"`, `kms.json:5: kms_master_secrets: unknown member "comment"; expected kms_uri, `},
		{`"kms_master_secrets"`, `"kms_master_secret"`, `kms.json:2: kms_master_secrets: unknown member "kms_master_secret", did you mean kms_master_secrets?`},
		{`"kms.example.org"`, `""`, "kms.json:3: kms_master_secrets: the kms_uri is empty"},
		{`2592000`, `"month"`, `the period "month" is not a decimal number`},
		{`2592000`, `[1]`, "the member user_key_period is not text or a number"},
		{`2592000`, `true`, "the member user_key_period is not text or a number"},
		{`2592000`, `1, "user_key_period": 2`, "the member user_key_period is there twice"},
		{`_set": 1`, `_set": 2`, `sakke_parameter_set "2" is not 1`},
		{katMasterZ, katMasterZ + "0", "the sakke_master_secret has 43 hex digits, an odd number"},
		{katMasterZ, "00", "SAKKE master secret: sakke: z "},
		{`"0` + katMasterKSAK + `"`, `"012345", "eccsi_public_key": "` + katKPAKHex + `"`, "the ECCSI public key is not that of the ECCSI master secret"},
		{`"0` + katMasterKSAK + `"`, `"012345", "sakke_public_key": "` + katZHex + `"`, "the SAKKE public key is not that of the SAKKE master secret"},
		{`"` + katMasterZ + `"`, katMasterZ, "not well-formed JSON"},
		{"  ]\n}", "  ]\n} {}", "more follows its end"},
		{"  ]\n}", "", "it ends early"},
		{"[", "", "expected a list of objects"},
	} {
		_, err := Read("kms.json", []byte(strings.Replace(katJSON(""), tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.new, err)
		} else if strings.Contains(err.Error(), katMasterZ[:12]) {
			t.Errorf("%s: the error holds the secret: %v", tt.new, err)
		}
	}
	for _, s := range []string{"{}", "[]", "{", `{"kms_master_secrets":1}`} {
		if _, err := Read("kms.json", []byte(s)); err == nil {
			t.Errorf("%s is no error", s)
		}
	}
	// One wrong KMS does not take the others with it.
	one := strings.TrimSuffix(katJSON("")[strings.Index(katJSON(""), "[")+1:], "  ]\n}\n")
	m, err := Read("kms.json", []byte(`{"kms_master_secrets":[`+strings.Replace(one, katMasterZ, "00", 1)+","+one+"]}"))
	if err == nil || len(m.Masters) != 1 {
		t.Errorf("%v %+v", err, m)
	}
}
