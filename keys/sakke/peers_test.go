package sakke

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

type keySet struct {
	Set, Z, RSK, UID string
	User             string `json:"user_uri"`
	No               *int   `json:"no"`
	Valid            bool   `json:"rsk_valid"`
}

func keySets(t *testing.T) []keySet {
	var sets []keySet
	if err := json.Unmarshal(testkit.Shared(t, "vectors/third-party/tp-keysets.json"), &sets); err != nil {
		t.Fatal(err)
	}
	return sets
}

// TestPeerKeys verifies the published RSKs. Two are published broken, or for
// another form of identifier, and must fail.
func TestPeerKeys(t *testing.T) {
	valid := 0
	for _, s := range keySets(t) {
		pub, err := ParsePublicKey(unhex(t, s.Z))
		if err != nil {
			t.Errorf("%s %s: %v", s.Set, s.User, err)
			continue
		}
		key, err := ParseUserKey(unhex(t, s.RSK))
		if err != nil {
			if s.Valid {
				t.Errorf("%s %s: %v", s.Set, s.User, err)
			}
			continue
		}
		err = key.Verify(pub, unhex(t, s.UID))
		if (err == nil) != s.Valid || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("%s %s: %v, expected valid=%v", s.Set, s.User, err, s.Valid)
		}
		if err == nil {
			valid++
		} else if key.Verify(pub, []byte(s.UID)) == nil {
			t.Logf("%s %s: valid for the identifier as 64 hex characters", s.Set, s.User)
		}
	}
	if valid < 17 {
		t.Errorf("only %d valid keys", valid)
	}
}

// TestPeerMessages opens every published message whose RSK is published, with
// each key of its set until one opens it, and the others by none.
func TestPeerMessages(t *testing.T) {
	var file struct {
		Messages []struct {
			ID    string
			Decap *struct {
				SSV, By, User, Mask string
				No                  *int `json:"period_no"`
			} `json:"decapsulation"`
			Payloads []struct {
				Type int
				SED  string `json:"sakke_data"`
			}
		}
	}
	if err := json.Unmarshal(testkit.Shared(t, "vectors/third-party/tp-messages.json"), &file); err != nil {
		t.Fatal(err)
	}
	type loaded struct {
		keySet
		pub *PublicKey
		key *UserKey
		id  []byte
	}
	var keys []loaded
	for _, s := range keySets(t) {
		l := loaded{keySet: s, id: unhex(t, s.UID)}
		var err error
		if l.pub, err = ParsePublicKey(unhex(t, s.Z)); err != nil {
			t.Fatal(err)
		}
		if l.key, err = ParseUserKey(unhex(t, s.RSK)); err != nil {
			continue
		}
		if l.key.Precompute(l.pub, l.id) == nil {
			keys = append(keys, l)
		}
	}
	opened, wide := 0, 0
	for _, m := range file.Messages {
		for _, p := range m.Payloads {
			if p.Type != 26 {
				continue
			}
			sed := unhex(t, p.SED)
			found := false
			for _, k := range keys {
				ssv, v, err := k.key.Decapsulate(k.pub, k.id, sed)
				if err != nil {
					if ssv != nil || !errors.Is(err, ErrTest) {
						t.Errorf("%s by %s %s: %v", m.ID, k.Set, k.User, err)
					}
					continue
				}
				found = true
				opened++
				if m.Decap == nil {
					t.Errorf("%s: opened by %s %s, and should not have been", m.ID, k.Set, k.User)
					continue
				}
				if k.Set != m.Decap.By || k.User != m.Decap.User || k.No != nil && m.Decap.No != nil && *k.No != *m.Decap.No {
					t.Errorf("%s: opened by %s %s", m.ID, k.Set, k.User)
				}
				same(t, m.ID+": SSV", ssv, unhex(t, m.Decap.SSV))
				want := Variant(0)
				if m.Decap.Mask == "l=2 mask" {
					want = MaskV2
					wide++
				}
				if v != want {
					t.Errorf("%s: variant %v, expected %v", m.ID, v, want)
				}
			}
			if !found && m.Decap != nil {
				t.Errorf("%s: not opened", m.ID)
			}
		}
	}
	t.Logf("%d messages opened, %d of them with an SSV of 32 octets", opened, wide)
	if opened < 13 || wide < 1 {
		t.Errorf("only %d messages opened, %d wide", opened, wide)
	}
}

// block returns the octets in the indented hexadecimal lines after the line
// which begins with label.
func block(t *testing.T, text, label string) []byte {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n"+label)
	if !ok {
		t.Fatalf("no %q in the digest", label)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	var out strings.Builder
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "  ") {
			break
		}
		out.WriteString(strings.TrimSpace(line))
	}
	return unhex(t, out.String())
}

// TestKnownMessage opens the end-to-end message of the digest of TS 33.180,
// clause 8.2.
func TestKnownMessage(t *testing.T) {
	text := string(testkit.Shared(t, "spec/ts33180.md"))
	pub, err := ParsePublicKey(block(t, text, "PubEncKey (Z)"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseUserKey(block(t, text, "UserDecryptKey (RSK)"))
	if err != nil {
		t.Fatal(err)
	}
	message := block(t, text, "I_MESSAGE, 641 octets")
	_, row, ok := strings.Cut(text, "| UID(mcptt.example.org) = MDSI | ")
	if !ok {
		t.Fatal("no UID in the digest")
	}
	id, err := hex.DecodeString(row[:64])
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify(pub, id); err != nil {
		t.Fatal(err)
	}
	// SAKKE payload: next payload, parameter set 1, ID scheme 2, length 273
	at := bytes.Index(message, []byte{0x01, 0x02, 0x01, 0x11, 0x04})
	if at < 0 {
		// ID scheme 1
		at = bytes.Index(message, []byte{0x01, 0x01, 0x01, 0x11, 0x04})
	}
	if at < 0 {
		t.Fatal("no SAKKE payload")
	}
	sed := message[at+4 : at+4+SEDSize]
	ssv, v, err := key.Decapsulate(pub, id, sed)
	if err != nil || v != 0 {
		t.Fatal(v, err)
	}
	same(t, "CSK", ssv, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	if got := refDecapsulate(toRef(&pub.z), id, sed, toRef(&key.s().key)); !bytes.Equal(got, ssv) {
		t.Error("the reference disagrees")
	}
}
