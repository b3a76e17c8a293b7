package keys

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/keys/sakke"
)

// TestEdges drives the limits of a ring over their edge: nothing is counted at the limit, and beyond it the counter
// rises.
func TestEdges(t *testing.T) {
	msg := unhex(t, katMessage)
	cipher, err := base64.StdEncoding.DecodeString(katCipher)
	if err != nil {
		t.Fatal(err)
	}
	key := Key{Type: CSK, ID: 0x2abcdef0, Key: NewSecret(unhex(t, "000102030405060708090a0b0c0d0e0f"))}
	z, err := sakke.NewMasterSecret(unhex(t, "0aff429d35f84b110d094803b3595a6e2998bc99f1"))
	if err != nil {
		t.Fatal(err)
	}
	master := &Master{KMS: KMS{URI: "kms.example.org", Period: 2592000, Z: z.Public()}, SAKKE: z}
	for _, x := range []struct {
		name string
		lim  RingLimits
		do   func(r *Ring, n int)
		bit  func(r *Ring) bool
	}{
		{"URIs", RingLimits{URIs: 5}, func(r *Ring, n int) {
			for i := range n {
				r.Learn(1, fmt.Sprintf("sip:%d@a", i))
				r.Learn(2, "sip:0@a") // again
			}
		}, func(r *Ring) bool { return r.Stats().URIsDropped > 0 || len(r.uris) > 5 }},
		{"Messages", RingLimits{Messages: 5}, func(r *Ring, n int) {
			for i := range n {
				m := bytes.Clone(msg)
				m[30] = byte(i)
				r.Unwrap(&Query{Seq: uint64(i + 1)}, m)
			}
			if len(r.seen) > 5 || len(r.order) > 5 || len(r.unopened[0x2abcdef0]) != len(r.seen) {
				t.Errorf("%d outcomes are kept, %d unopened", len(r.seen), len(r.unopened[0x2abcdef0]))
			}
		}, func(r *Ring) bool { return r.Stats().MessagesDropped > 0 }},
		{"Search", RingLimits{Search: 5}, func(r *Ring, n int) {
			for i := range n {
				r.Learn(1, fmt.Sprintf("sip:%d@a", i))
			}
			r.OpenElement(&Query{Seq: 2}, key.ID, true, "", cipher[:12], cipher[12:])
		}, func(r *Ring) bool { return r.Stats().SearchCut > 0 }},
	} {
		for over := range 2 {
			r := NewRing(&Material{Keys: []Key{key}}, x.lim)
			x.do(r, 5+over)
			if x.bit(r) != (over == 1) {
				t.Errorf("%s at %d: %+v", x.name, 5+over, r.Stats())
			}
			r.Close()
		}
	}

	// User keys that master secrets give: the oldest is derived again, and is the same.
	r := NewRing(&Material{}, RingLimits{RSKs: 2, Tables: 2})
	var first []byte
	for i := range 3 {
		k := r.derive(master, bytes.Repeat([]byte{byte(i)}, 32))
		if i == 0 {
			first = k.Reveal()
		}
		for range 2 {
			r.warm(k, z.Public(), bytes.Repeat([]byte{byte(i)}, 32))
		}
	}
	if len(r.derived) != 2 || len(r.derivedOrder) != 2 || len(r.hot) != 2 {
		t.Errorf("%d user keys, %d with tables", len(r.derived), len(r.hot))
	}
	if again := r.derive(master, bytes.Repeat([]byte{0}, 32)); !bytes.Equal(again.Reveal(), first) {
		t.Error("derived again, a key is another")
	}

	// Secrets of TLS.
	k := NewTLSKeys(&Material{})
	var log strings.Builder
	const line = "CLIENT_RANDOM %064x " + "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
	for i := range 1000 {
		fmt.Fprintf(&log, line, i)
	}
	for n := 0; n < maxTLSSecrets; n += 1000 {
		log.Reset()
		for i := range min(1000, maxTLSSecrets-n) {
			fmt.Fprintf(&log, line, n+i)
		}
		k.Add([]byte(log.String()))
	}
	if len(k.m) != maxTLSSecrets || k.full {
		t.Errorf("%d secrets at the limit, full %v", len(k.m), k.full)
	}
	k.Add(fmt.Appendf(nil, line, maxTLSSecrets))
	if len(k.m) != maxTLSSecrets || !k.full {
		t.Errorf("%d secrets over the limit, full %v", len(k.m), k.full)
	}
}

// TestAheadEdges: how many user keys get the tables for messages side by side.
func TestAheadEdges(t *testing.T) {
	r := NewRing(&Material{}, RingLimits{})
	ks := make([]*sakke.UserKey, aheadKeys+1)
	for i := range ks {
		ks[i] = new(sakke.UserKey)
		if got := r.mayGoAhead(ks[i]); got != (i < aheadKeys) {
			t.Errorf("key %d: %v", i, got)
		}
	}
	if !r.mayGoAhead(ks[0]) || len(r.aheadKeys) != aheadKeys {
		t.Errorf("%d keys", len(r.aheadKeys))
	}
}
