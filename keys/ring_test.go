package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/internal/lab/known"
	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

// The known-answer set: KMS kms.example.org, period 2592000, offset 0, 2024-01-01T00:00:00Z; test keys only.
const (
	katKPAK = `04c23ca1357b4746834cd9a4dcd3ecde6e2440e11daed83af6e55516a74bc29515c20f82f183f9708aef316d8eefe91f
  d5d3b297dc195c8b9068a6cbfbf335d4b0`
	katZ = `043d71cd3f41636b72221bf2d9e93f69fc6cf5ebb64f077a14e12f7f6b49c477b2d475f384e2ce0faafba27da61f8b19
  68ad3545d013ac334a2013989c367020f123462d342653a1c02051a107b972bc0aca8a00ea9f6c6d45e7c1a757e692a9
  85758a0001f64aee7b536d1921451a554783c1f727b47ed470b9b7b9d82720eba764e08344a169079fa5a5e4706c84d5
  f28f59199c64bf1475453ca6928eb47340b9b123c55bc3a6de826e6de7f2d0c7a09e3ceeaa23718461a1f4adff43cbd7
  607eef839fd1eb8e8c714a6bc4cf2eb40b32b8e1adcb10a3302adf4a9686a964acb619cd7ca3d24e29a0aba1f89a3fe8
  de31f955480a80086db5590babf8ac04ae`
	katRSK = `048421cbf1dae645a4665cffef63f79d3bf6f51409d22423f6c3b93846a3cc4bc0833b6a2ccb7bfce50f11d85b3f33ab
  afce67339ab50630fb096fadcb84063ac5a5eb491cc2289cfea6cf68952c874a566441019e2feb48fcc4b7ccfa0f137d
  483d85e3cb2982d1352d87de816430296396d8e560b8ce0236b3f7bfaabd89b7fa2a388853ca010bd2ff855064cbbb3d
  e8d58d515ab045b4194102491d1f4b87d46a361768ac6cf475bef19ff03812c1fe610c34a2a8208409c8635036cab9f6
  2b7159fe766fbbf9e86d6093b68633cd4111dc557582b35c5e9fcd94d76625a8df66cc294b739a5e87ad8a31e2b62e6b
  4386505c2224551e8410164be312b44ff7`
)

var katMessage = hex.EncodeToString(known.IMessage())

func katMaterial(t testing.TB) *Material {
	t.Helper()
	kpak, err := eccsi.ParsePublicKey(unhex(t, katKPAK))
	if err != nil {
		t.Fatal(err)
	}
	z, err := sakke.ParsePublicKey(unhex(t, katZ))
	if err != nil {
		t.Fatal(err)
	}
	rsk, err := sakke.ParseUserKey(unhex(t, katRSK))
	if err != nil {
		t.Fatal(err)
	}
	return &Material{
		KMSs:     []KMS{{URI: "kms.example.org", Period: 2592000, KPAK: kpak, Z: z}},
		UserKeys: []UserKey{{URI: "mcptt.example.org", KMS: "kms.example.org", Period: 1509, RSK: rsk}},
	}
}

// TestUnwrap opens the known-answer I_MESSAGE: signature, key, key parameters, SRTCP keys.
func TestUnwrap(t *testing.T) {
	r := NewRing(katMaterial(t), RingLimits{})
	defer r.Close()
	u := r.Unwrap(&Query{Seq: 1}, unhex(t, katMessage))
	if u.State != Recovered || u.Signature != SignatureValid || len(u.Variants) != 0 {
		t.Fatalf("state %s (%s), signature %s (%s), variants %v", u.State, u.Hint, u.Signature, u.SignatureHint, u.Variants)
	}
	if got := hex.EncodeToString(u.Key.Reveal()); got != "000102030405060708090a0b0c0d0e0f" {
		t.Errorf("key %s", got)
	}
	if u.ParamsState != Recovered || hex.EncodeToString(u.ParamsPlain) != "02000000010065920080006593520000"+"00" {
		t.Errorf("key parameters %s %x", u.ParamsState, u.ParamsPlain)
	}
	if len(u.Sessions) != 1 || hex.EncodeToString(u.Sessions[0].Key.Reveal()) != "dd9ea9a3dec61acafc11ddd762f6d0a1" || hex.EncodeToString(u.Sessions[0].Salt.Reveal()) != "d95ede61a518f5622686a070" {
		t.Errorf("SRTCP sessions %+v", u.Sessions)
	}
	if i, p := r.Parties(&Query{Seq: 1}, u); i != "sip:alice@example.org" || p != "mcptt.example.org" {
		t.Errorf("parties %q, %q", i, p)
	}
	if again := r.Unwrap(&Query{Seq: 2}, unhex(t, katMessage)); again != u {
		t.Error("the same octets are worked on twice")
	}
}

const katCipher = "AAECAwQFBgcICQoLrB8OcRLEIoiWXWvl0hokw/6GVBAKpYDPPNG5Ads/UgtGAQeJeeZtYbzL6uZBEIkWYsC91YgbR0M="

// TestOpenElement opens the element of the known-answer set with the key that the I_MESSAGE brings.
func TestOpenElement(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(katCipher)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRing(katMaterial(t), RingLimits{})
	defer r.Close()
	if _, out := r.OpenElement(&Query{Seq: 1}, 0x2abcdef0, true, "aes128-gcm", raw[:12], raw[12:]); out.OK || out.Reason != ReasonNoKey {
		t.Errorf("opened before the key came: %+v", out)
	}
	r.Unwrap(&Query{Seq: 2}, unhex(t, katMessage))
	if _, out := r.OpenElement(&Query{Seq: 1}, 0x2abcdef0, true, "aes128-gcm", raw[:12], raw[12:]); out.OK {
		t.Error("a message sees a key that a later one brought")
	}
	plain, out := r.OpenElement(&Query{Seq: 2}, 0x2abcdef0, true, "aes128-gcm", raw[:12], raw[12:])
	if !out.OK || string(plain) != "<mcpttURI>sip:bob@example.org</mcpttURI>" || out.User != "sip:alice@example.org" || out.Variant != "" {
		t.Errorf("%q %+v", plain, out)
	}
	if plain, out := r.OpenElement(&Query{Seq: 2}, 0, false, "", raw[:12], raw[12:]); !out.OK || string(plain) == "" || out.KeyID != 0x2abcdef0 {
		t.Errorf("without a key name: %+v", out)
	}
	raw[20] ^= 1
	if _, out := r.OpenElement(&Query{Seq: 2}, 0x2abcdef0, true, "aes128-gcm", raw[:12], raw[12:]); out.OK || out.Reason != ReasonTagMismatch {
		t.Errorf("a changed cipher text: %+v", out)
	}
	if _, out := r.OpenElement(&Query{Seq: 2}, 0x2abcdef0, true, "tripledes-cbc", raw[:12], raw[12:]); out.Reason != ReasonUnsupported {
		t.Errorf("%+v", out)
	}
	r.Freeze()
	raw[20] ^= 1
	if _, out := r.OpenElement(&Query{Seq: 1}, 0x2abcdef0, true, "aes128-gcm", raw[:12], raw[12:]); !out.OK {
		t.Errorf("the second pass does not see a late key: %+v", out)
	}
}

// TestGivenKey finds P0 among the URIs of the capture when the user gave a key without one.
func TestGivenKey(t *testing.T) {
	raw, _ := base64.StdEncoding.DecodeString(katCipher)
	key := Key{Type: CSK, ID: 0x2abcdef0, Key: NewSecret(unhex(t, "000102030405060708090a0b0c0d0e0f")), Origin: Origin{Name: "--csk"}}
	r := NewRing(&Material{Keys: []Key{key}}, RingLimits{})
	if _, out := r.OpenElement(&Query{Seq: 5}, key.ID, true, "", raw[:12], raw[12:]); out.OK || out.Reason != ReasonP0Unknown || !strings.Contains(out.Hint, "MCID") {
		t.Errorf("%+v", out)
	}
	r.Learn(9, "sip:alice@example.org")
	if _, out := r.OpenElement(&Query{Seq: 5}, key.ID, true, "", raw[:12], raw[12:]); out.OK {
		t.Error("a URI of a later message was used")
	}
	if _, out := r.OpenElement(&Query{Seq: 9}, key.ID, true, "", raw[:12], raw[12:]); !out.OK || out.Origin.Name != "--csk" {
		t.Errorf("%+v", out)
	}
	// The message at hand comes before the dictionary; with a wrong user for certain the tag differs.
	key.URI = "sip:mallory@example.org"
	r = NewRing(&Material{Keys: []Key{key}}, RingLimits{})
	if _, out := r.OpenElement(&Query{Seq: 1}, key.ID, true, "", raw[:12], raw[12:]); out.Reason != ReasonTagMismatch {
		t.Errorf("%+v", out)
	}
	if _, out := r.OpenElement(&Query{Seq: 1, URIs: []string{"alice@example.org"}}, key.ID, true, "", raw[:12], raw[12:]); !out.OK {
		t.Errorf("%+v", out)
	}
}

// TestFailures sees every reason for a key that stays closed.
func TestFailures(t *testing.T) {
	msg := unhex(t, katMessage)
	open := func(change func(m *Material), raw []byte) *Unwrapped {
		m := katMaterial(t)
		change(m)
		return NewRing(m, RingLimits{}).Unwrap(&Query{Seq: 1}, raw)
	}
	if u := open(func(m *Material) { m.UserKeys = nil }, msg); u.Reason != ReasonNoRSK || !strings.Contains(u.Hint, "mcptt.example.org") {
		t.Errorf("no RSK: %s %s", u.Reason, u.Hint)
	}
	if u := open(func(m *Material) { m.UserKeys[0].Period = 1507 }, msg); u.Reason != ReasonWrongPeriod || !strings.Contains(u.Hint, "1507") || !strings.Contains(u.Hint, "1509") {
		t.Errorf("another period: %s %s", u.Reason, u.Hint)
	}
	wrong, err := sakke.NewMasterSecret(unhex(t, "0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if u := open(func(m *Material) {
		id := UID("mcptt.example.org", "kms.example.org", 2592000, 0, 1509)
		m.UserKeys[0].RSK, err = wrong.Extract(id[:])
	}, msg); u.Reason != ReasonWrongRSK || err != nil {
		t.Errorf("an RSK of another KMS: %s %s", u.Reason, u.Hint)
	}
	if u := open(func(m *Material) { m.KMSs[0].KPAK = nil }, msg); u.SignatureReason != ReasonNoKPAK || u.State != Recovered {
		t.Errorf("no KPAK: %s %s", u.SignatureReason, u.State)
	}
	damaged := append([]byte(nil), msg...)
	damaged[430] ^= 1 // inside H
	if u := open(func(*Material) {}, damaged); u.State != KeyFailed || u.Signature != SignatureInvalid {
		t.Errorf("a damaged message: %s %s, signature %s", u.State, u.Reason, u.Signature)
	}
	for n := range msg {
		if n%16 != 0 && n < 620 {
			continue
		}
		if u := open(func(*Material) {}, msg[:n]); u.Signature == SignatureValid {
			t.Fatalf("cut at %d: %s, signature %s", n, u.State, u.Signature)
		}
	}
}

// TestMaster derives every RSK from master secrets.
func TestMaster(t *testing.T) {
	z, err := sakke.NewMasterSecret(unhex(t, "0aff429d35f84b110d094803b3595a6e2998bc99f1"))
	if err != nil {
		t.Fatal(err)
	}
	m := &Material{Masters: []Master{{KMS: KMS{URI: "kms.example.org", Period: 2592000, Z: z.Public()}, SAKKE: z}}}
	r := NewRing(m, RingLimits{})
	id := UID("mcptt.example.org", "kms.example.org", 2592000, 0, 1509)
	sed, err := z.Public().EncapsulateSSV(id[:], unhex(t, "00112233445566778899aabbccddeeff"), 0)
	if err != nil {
		t.Fatal(err)
	}
	// The same message with another SED: its signature is then invalid, which is not the point here.
	msg := unhex(t, katMessage)
	i := strings.Index(string(msg), "\x01\x02\x01\x11\x04")
	copy(msg[i+4:], sed)
	u := r.Unwrap(&Query{Seq: 1}, msg)
	if u.State != Recovered || hex.EncodeToString(u.Key.Reveal()) != "00112233445566778899aabbccddeeff" {
		t.Errorf("%s %s", u.State, u.Hint)
	}
}

// TestHidden finds the users behind hidden identities in what the capture shows.
func TestHidden(t *testing.T) {
	r := NewRing(katMaterial(t), RingLimits{})
	uid := UID("sip:alice@example.org", "kms.example.org", 2592000, 0, 1509)
	ntp := NTPSeconds(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	if who := r.whoIs(10, uid[:], "kms.example.org", ntp); who != "" {
		t.Errorf("found %q before it was seen", who)
	}
	r.Learn(4, "sip:bob@example.org")
	r.Learn(7, "sip:alice@example.org")
	if who := r.whoIs(6, uid[:], "kms.example.org", ntp); who != "" {
		t.Errorf("message 6 sees %q of message 7", who)
	}
	if who := r.whoIs(7, uid[:], "kms.example.org", ntp); who != "sip:alice@example.org" {
		t.Errorf("found %q", who)
	}
	// At a period's boundary the neighbours are tried.
	if who := r.whoIs(7, uid[:], "kms.example.org", ntp+2592000); who != "sip:alice@example.org" {
		t.Errorf("found %q one period later", who)
	}
	if who := r.whoIs(7, uid[:], "kms.example.org", ntp+3*2592000); who != "" {
		t.Errorf("found %q three periods later", who)
	}
}

// TestPromise: a look-up waits for the message that announced the key, and for no later one.
func TestPromise(t *testing.T) {
	raw, _ := base64.StdEncoding.DecodeString(katCipher)
	r := NewRing(katMaterial(t), RingLimits{})
	p3 := r.Promise(3, []uint32{0x2abcdef0})
	p9 := r.Promise(9, nil)
	got := make(chan Outcome)
	go func() {
		_, out := r.OpenElement(&Query{Seq: 5}, 0x2abcdef0, true, "", raw[:12], raw[12:])
		got <- out
	}()
	select {
	case out := <-got:
		t.Fatalf("the look-up did not wait: %+v", out)
	case <-time.After(20 * time.Millisecond):
	}
	r.Unwrap(&Query{Seq: 3}, unhex(t, katMessage))
	p3.Keep()
	if out := <-got; !out.OK {
		t.Errorf("%+v", out)
	}
	p9.Keep()
}

// TestOpenPayload opens an MCData payload, by the key's identifier and by a user's GUK-ID.
func TestOpenPayload(t *testing.T) {
	gmk := Key{Type: GMK, ID: 0x09bf9d37, Key: NewSecret(unhex(t, "fcfe65cd967c58d260b603ccb9a887a9")), Origin: Origin{Name: "test"}}
	r := NewRing(&Material{Keys: []Key{gmk}}, RingLimits{})
	iv, aad := unhex(t, "101112131415161718191a1b1c1d1e1f"), []byte("header")
	seal := func(id uint32) []byte {
		block, err := aes.NewCipher(DPCK(gmk.Key.Reveal(), id))
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCMWithNonceSize(block, len(iv))
		if err != nil {
			t.Fatal(err)
		}
		return gcm.Seal(nil, iv, []byte("hello"), aad)
	}
	q := &Query{Seq: 3}
	if plain, out := r.OpenPayload(q, gmk.ID, iv, aad, seal(gmk.ID)); string(plain) != "hello" || !out.OK || out.Variant != "" {
		t.Errorf("by GMK-ID: %q %+v", plain, out)
	}
	const guk = 0x01c8de7b // of sip:p25user01@etherstack.com
	if _, out := r.OpenPayload(q, guk, iv, aad, seal(guk)); out.OK {
		t.Error("a GUK-ID of an unknown user was found")
	}
	r.Learn(2, "sip:p25user01@etherstack.com")
	if plain, out := r.OpenPayload(q, guk, iv, aad, seal(guk)); string(plain) != "hello" || !out.OK {
		t.Errorf("by GUK-ID: %q %+v", plain, out)
	}
	if plain, out := r.OpenPayload(q, guk, iv, aad, seal(gmk.ID)); string(plain) != "hello" || out.Variant != "dpck-by-gmk-id" {
		t.Errorf("derived by GMK-ID: %q %+v", plain, out)
	}
	if _, out := r.OpenPayload(q, gmk.ID, iv, []byte("other"), seal(gmk.ID)); out.Reason != ReasonTagMismatch {
		t.Errorf("%+v", out)
	}
	if _, out := r.OpenPayload(q, 0x2abcdef0, iv, aad, seal(gmk.ID)); out.Reason != ReasonNoKey {
		t.Errorf("%+v", out)
	}
}

// TestMisnamed opens what names another key than the one that the same message delivers, and says so when it cannot.
func TestMisnamed(t *testing.T) {
	raw, _ := base64.StdEncoding.DecodeString(katCipher)
	r := NewRing(katMaterial(t), RingLimits{})
	u := r.Unwrap(&Query{Seq: 1}, unhex(t, katMessage))
	q := &Query{Seq: 1, Delivered: []uint32{u.CSBID}}
	plain, out := r.OpenElement(q, 0x2fffffff, true, "", raw[:12], raw[12:])
	if !out.OK || out.KeyID != 0x2abcdef0 || out.Variant != keyNameMismatch || len(plain) == 0 {
		t.Errorf("%+v", out)
	}
	raw[20] ^= 1
	if _, out := r.OpenElement(q, 0x2fffffff, true, "", raw[:12], raw[12:]); out.OK || out.Reason != ReasonKeyName || !strings.Contains(out.Hint, "2abcdef0") {
		t.Errorf("%+v", out)
	}
	if _, out := r.OpenElement(&Query{Seq: 1}, 0x2fffffff, true, "", raw[:12], raw[12:]); out.Reason != ReasonNoKey {
		t.Errorf("without a key in the message: %+v", out)
	}
}
