package eccsi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/mcxdump/mcxdump/internal/testkit"
)

type keySet struct {
	Set, KPAK, UID, SSK, PVT, Origin string
	User                             string `json:"user_uri"`
	PairValid                        bool   `json:"pair_valid"`
	UIDNote                          string `json:"uid_note"`
}

func keySets(t *testing.T) []keySet {
	var sets []keySet
	if err := json.Unmarshal(testkit.Shared(t, "vectors/third-party/tp-keysets.json"), &sets); err != nil {
		t.Fatal(err)
	}
	return sets
}

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPeerPairs validates the published (SSK, PVT) pairs; two sets are
// published broken, or for another form of identifier, and must fail.
func TestPeerPairs(t *testing.T) {
	valid := 0
	for _, s := range keySets(t) {
		pub, err := ParsePublicKey(fromHex(t, s.KPAK))
		if err != nil {
			t.Errorf("%s %s: %v", s.Set, s.User, err)
			continue
		}
		key, err := ParseUserKey(fromHex(t, s.SSK), fromHex(t, s.PVT))
		if err != nil {
			t.Errorf("%s %s: %v", s.Set, s.User, err)
			continue
		}
		id := fromHex(t, s.UID)
		if got := key.Validate(pub, id); (got == nil) != s.PairValid {
			t.Errorf("%s %s: %v, expected valid=%v", s.Set, s.User, got, s.PairValid)
		}
		if got := refValidate(pub.Bytes(), id, key.Reveal(), key.PVT()); got != s.PairValid {
			t.Errorf("%s %s: reference says %v", s.Set, s.User, got)
		}
		if s.PairValid {
			valid++
		} else if key.Validate(pub, []byte(hex.EncodeToString(id))) == nil {
			t.Logf("%s %s: valid for the identifier as 64 hex characters", s.Set, s.User)
		}
	}
	if valid < 17 {
		t.Errorf("only %d valid pairs", valid)
	}
}

type message struct {
	ID    string
	MIKEY string `json:"mikey_base64"`
	Check []any  `json:"signature_check"`
	Pay   []struct {
		Type   int
		Offset int
		Role   int    `json:"id_role"`
		Data   string `json:"id_data"`
		Text   string `json:"id_text"`
		Sig    string `json:"signature"`
		SType  int    `json:"s_type"`
	} `json:"payloads"`
}

// TestPeerMessages verifies the published messages whose signer's KPAK is
// published, with the coverage the data states.
func TestPeerMessages(t *testing.T) {
	var file struct{ Messages []message }
	if err := json.Unmarshal(testkit.Shared(t, "vectors/third-party/tp-messages.json"), &file); err != nil {
		t.Fatal(err)
	}
	sets := keySets(t)
	var kpaks []*PublicKey
	for _, s := range sets {
		pub, err := ParsePublicKey(fromHex(t, s.KPAK))
		if err != nil {
			t.Fatal(err)
		}
		kpaks = append(kpaks, pub)
	}
	var cache Cache
	verified, stated := 0, 0
	for _, m := range file.Messages {
		if m.Check == nil {
			continue
		}
		stated++
		raw, err := base64.StdEncoding.DecodeString(m.MIKEY)
		if err != nil {
			t.Fatal(err)
		}
		var ids [][]byte
		var sig, initiator, kms []byte
		end := 0
		for _, p := range m.Pay {
			switch {
			case p.Type == 14 && (p.Role == 1 || p.Role == 8):
				initiator = fromHex(t, p.Data)
				ids = append(ids, initiator)
			case p.Type == 14 && (p.Role == 3 || p.Role == 6):
				kms = fromHex(t, p.Data)
			case p.Type == 4:
				sig, end = fromHex(t, p.Sig), p.Offset
			}
		}
		for _, s := range sets {
			ids = append(ids, fromHex(t, s.UID))
		}
		ids = append(ids, productUID(initiator, kms))
		covered := raw[:end+2]
		if m.Check[0] == "excl. SIGN header" {
			covered = raw[:end]
		}
		if binary.BigEndian.Uint16(raw[end:])&0xfff != SignatureSize || len(sig) != SignatureSize {
			t.Errorf("%s: signature of %d octets", m.ID, len(sig))
			continue
		}
		ok := false
		for _, pub := range kpaks {
			for _, id := range ids {
				if cache.Verify(pub, id, covered, sig) != nil {
					continue
				}
				ok = true
				damaged := bytes.Clone(covered)
				damaged[len(damaged)/2] ^= 1
				if cache.Verify(pub, id, damaged, sig) == nil {
					t.Errorf("%s: accepted with a changed octet", m.ID)
				}
			}
			if ok {
				break
			}
		}
		if ok {
			verified++
		} else {
			t.Errorf("%s: does not verify, %v", m.ID, m.Check)
		}
	}
	t.Logf("%d messages verified", verified)
	if verified != stated || verified < 18 {
		t.Errorf("%d messages verified of %d", verified, stated)
	}
}

// productUID is the identifier of the product whose messages leave the two
// octets of the SIGN header out of the signature: as in TS 33.180 F.2.1 up to
// the KMS URI, then a fixed tail.
func productUID(user, kms []byte) []byte {
	s := []byte{0}
	for _, p := range [][]byte{[]byte("MIKEY-SAKKE-UID"), user, kms} {
		s = append(s, p...)
		s = binary.BigEndian.AppendUint16(s, uint16(len(p)))
	}
	h := sha256.Sum256(append(s, "\x49\x6c\xeb\xb8\x00\x00\x05\x00\x00\x01\x00\x00\x01"...))
	return h[:]
}
