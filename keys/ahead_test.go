package keys

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/keys/sakke"
)

// TestAhead: messages that go ahead side by side come out as they do one by one, and nothing of them stays behind.
func TestAhead(t *testing.T) {
	z, err := sakke.NewMasterSecret(unhex(t, "0aff429d35f84b110d094803b3595a6e2998bc99f1"))
	if err != nil {
		t.Fatal(err)
	}
	id := UID("mcptt.example.org", "kms.example.org", 2592000, 0, 1509)
	var raws [][]byte
	var queries []*Query
	for i := range 20 {
		sed, err := z.Public().EncapsulateSSV(id[:], bytes.Repeat([]byte{byte(i + 1)}, 16), 0)
		if err != nil {
			t.Fatal(err)
		}
		if i%9 == 5 {
			sed[len(sed)-1] ^= 1
		}
		msg := unhex(t, katMessage)
		copy(msg[strings.Index(string(msg), "\x01\x02\x01\x11\x04")+4:], sed)
		raws, queries = append(raws, msg), append(queries, &Query{Seq: uint64(i + 1)})
	}
	raws[7] = raws[7][:300]
	ring := func() *Ring {
		rsk, err := z.Extract(id[:])
		if err != nil {
			t.Fatal(err)
		}
		return NewRing(&Material{
			KMSs:     []KMS{{URI: "kms.example.org", Period: 2592000, Z: z.Public()}},
			UserKeys: []UserKey{{URI: "mcptt.example.org", KMS: "kms.example.org", Period: 1509, RSK: rsk}},
		}, RingLimits{})
	}
	plain, r := ring(), ring()
	defer r.Close()
	check := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			want, got := plain.Unwrap(queries[i], raws[i]), r.Unwrap(queries[i], raws[i])
			if got.State != want.State || got.Reason != want.Reason || got.Hint != want.Hint || len(got.Variants) != len(want.Variants) ||
				hex.EncodeToString(got.Key.Reveal()) != hex.EncodeToString(want.Key.Reveal()) {
				t.Errorf("message %d: %s %s, want %s %s", i, got.State, got.Hint, want.State, want.Hint)
			}
		}
	}
	r.Ahead(queries, raws)()
	if len(r.ahead) != 0 || len(r.aheadKeys) != 0 {
		t.Fatalf("%d kept of an RSK without tables", len(r.ahead))
	}
	check(0, 3) // two make the RSK warm
	// What is kept for all workers together is bounded.
	for i := range maxAhead {
		r.ahead[aheadKey{id: string(rune(i))}] = nil
	}
	over := r.Ahead(queries, raws)
	if len(r.ahead) != maxAhead {
		t.Fatalf("%d keys are kept", len(r.ahead))
	}
	over()
	clear(r.ahead)
	done := r.Ahead(queries, raws)
	k := r.mat.UserKeys[0].RSK
	if k.Many(z.Public(), id[:]) { // the processor can
		// 17 unseen, of which three are bad; the fill of a last run may be left out
		if n := len(r.ahead); n < 17-3-sakke.ManyMin+1 || n > 17-3 {
			t.Errorf("%d went ahead", n)
		}
		had := len(r.ahead)
		check(3, 6)
		if n := len(r.ahead); n != had-2 { // one of the three is bad
			t.Errorf("%d are left of %d", n, had)
		}
	}
	done()
	if len(r.ahead) != 0 {
		t.Errorf("%d are left behind", len(r.ahead))
	}
	done = r.Ahead(queries, raws)
	check(3, len(raws))
	if len(r.ahead) != 0 {
		t.Errorf("%d were not taken", len(r.ahead))
	}
	done()
	if st := r.Stats(); st.Recovered != 17 {
		t.Errorf("%d recovered", st.Recovered)
	}
}
