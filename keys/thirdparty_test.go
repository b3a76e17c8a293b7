package keys

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

// thirdParty reads a file of published vectors, which lie beside the repository.
func thirdParty(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../shared/vectors/third-party", name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs the shared vectors: %v", err)
		}
		t.Skip("no shared vectors beside the repository")
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

type tpKeySet struct {
	Set, KmsURI string `json:"-"`
	KMS         string `json:"kms_uri"`
	Period      uint64
	Offset      uint64
	No          uint64
	Z           string
	KPAK        string
	User        string `json:"user_uri"`
	UID         string `json:"uid"`
	RSK         string
	RSKValid    bool `json:"rsk_valid"`
}

func tpMaterial(t testing.TB) *Material {
	var sets []tpKeySet
	thirdParty(t, "tp-keysets.json", &sets)
	m := &Material{}
	for _, s := range sets {
		z, err := sakke.ParsePublicKey(unhex(t, s.Z))
		if err != nil {
			continue // a placeholder of one product's unit test
		}
		kpak, err := eccsi.ParsePublicKey(unhex(t, s.KPAK))
		if err != nil {
			continue
		}
		m.KMSs = append(m.KMSs, KMS{URI: s.KMS, Period: s.Period, Offset: s.Offset, Z: z, KPAK: kpak})
		if rsk, err := sakke.ParseUserKey(unhex(t, s.RSK)); err == nil {
			m.UserKeys = append(m.UserKeys, UserKey{URI: strings.Trim(s.User, "()"), KMS: s.KMS, Period: s.No, UID: unhex(t, s.UID), RSK: rsk})
		}
	}
	return m
}

// TestPublishedMessages opens and verifies the published I_MESSAGEs of products as their notes say, each deviation named.
func TestPublishedMessages(t *testing.T) {
	var file struct {
		Messages []struct {
			ID            string
			Base64        string `json:"mikey_base64"`
			Decapsulation *struct {
				SSV  string
				Mask string
			}
			Signature []any `json:"signature_check"`
		}
	}
	thirdParty(t, "tp-messages.json", &file)
	if len(file.Messages) != 25 {
		t.Fatalf("%d messages", len(file.Messages))
	}
	r := NewRing(tpMaterial(t), RingLimits{})
	defer r.Close()
	opened, verified := 0, 0
	for i, m := range file.Messages {
		raw, err := base64.StdEncoding.DecodeString(m.Base64)
		if err != nil {
			t.Fatal(err)
		}
		u := r.Unwrap(&Query{Seq: uint64(i + 1), Time: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)}, raw)
		if want := m.Decapsulation; want != nil {
			if u.State != Recovered || hex.EncodeToString(u.Key.Reveal()) != want.SSV {
				t.Errorf("%s: key %s (%s), want it recovered", m.ID, u.State, u.Hint)
				continue
			}
			opened++
			if strings.HasPrefix(want.Mask, "l=2") != strings.Contains(strings.Join(u.Variants, ";"), "mask-v2") {
				t.Errorf("%s: mask %s, variants %v", m.ID, want.Mask, u.Variants)
			}
		} else if u.State == Recovered {
			t.Logf("%s: recovered, which its notes do not tell", m.ID)
		} else if u.Reason == "" || u.Hint == "" {
			t.Errorf("%s: not recovered and no reason", m.ID)
		}
		if len(m.Signature) > 0 {
			if u.Signature != SignatureValid {
				t.Errorf("%s: signature %s (%s), want it valid: %v", m.ID, u.Signature, u.SignatureHint, m.Signature)
				continue
			}
			verified++
			if strings.HasPrefix(m.Signature[0].(string), "excl") != strings.Contains(strings.Join(u.Variants, ";"), "SIGN header") {
				t.Errorf("%s: %v, variants %v", m.ID, m.Signature, u.Variants)
			}
		} else if u.Signature == SignatureValid {
			t.Logf("%s: verified, which its notes do not tell", m.ID)
		}
		t.Logf("%s: key %s %s, signature %s %s, variants %v, parameters %s", m.ID, u.State, u.Reason, u.Signature, u.SignatureReason, u.Variants, u.ParamsState)
	}
	if opened != 13 || verified != 18 {
		t.Errorf("%d opened and %d verified, want 13 and 18", opened, verified)
	}
}
