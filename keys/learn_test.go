package keys

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// katDocument is what the KMS of the known-answer set hands out: its certificate and the RSK of the server.
func katDocument() string {
	q := func(s string) string { return strings.Join(strings.Fields(s), "") }
	return `<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0"><KmsUri>kms.example.org</KmsUri><KmsMessage><KmsInit><KmsCertificate><KmsUri>kms.example.org</KmsUri><UserIdFormat>2</UserIdFormat><UserKeyPeriod>2592000</UserKeyPeriod>` +
		`<UserKeyOffset>0</UserKeyOffset><PubEncKey>` + q(katZ) + `</PubEncKey><PubAuthKey>` + q(katKPAK) + `</PubAuthKey></KmsCertificate></KmsInit></KmsMessage></KmsResponse>` +
		`<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0"><KmsMessage><KmsKeyProv><KmsKeySet><KmsUri>kms.example.org</KmsUri><UserUri>mcptt.example.org</UserUri><KeyPeriodNo>1509</KeyPeriodNo>` +
		`<UserDecryptKey>` + q(katRSK) + `</UserDecryptKey></KmsKeySet></KmsKeyProv></KmsMessage></KmsResponse>`
}

// TestLearn opens the known-answer I_MESSAGE with what a KMS document of message 5 brings: from message 5 on in the first
// pass, everywhere in the second.
func TestLearn(t *testing.T) {
	r := NewRing(&Material{}, RingLimits{})
	defer r.Close()
	raw := unhex(t, katMessage)
	if u := r.Unwrap(&Query{Seq: 3}, raw); u.State != KeyMissing || u.Signature != SignatureNoKey {
		t.Errorf("before: %s, signature %s", u.State, u.Signature)
	}
	m, n, err := r.ReadKMS(&Query{Seq: 5}, []byte(katDocument()), XMLOptions{Origin: Origin{Name: "message 5"}}, true)
	if err != nil || n.Certificates != 1 || n.UserKeys != 1 || len(m.KMSs) != 1 {
		t.Fatalf("%+v, %v", n, err)
	}
	u := r.Unwrap(&Query{Seq: 6}, raw)
	if u.State != Recovered || u.Signature != SignatureValid || u.From.Name != "message 5" || u.SignatureFrom.Name != "message 5" {
		t.Fatalf("after: %s (%s) from %v, signature %s from %v", u.State, u.Hint, u.From, u.Signature, u.SignatureFrom)
	}
	if u := r.Unwrap(&Query{Seq: 4}, raw); u.State != KeyMissing {
		t.Errorf("message 4 sees what message 5 brought")
	}
	if u := r.Unwrap(&Query{Seq: 9}, raw); u.State != Recovered {
		t.Errorf("message 9: %s", u.State)
	}
	// The key that it carries is known from message 6 on, though message 9 and 3 were seen with it.
	if got := r.candidates(&Query{Seq: 5}, 0x2abcdef0, true); len(got) != 0 {
		t.Errorf("message 5 has the key of message 6")
	}
	r.Freeze()
	if u := r.Unwrap(&Query{Seq: 1}, raw); u.State != Recovered || u.Signature != SignatureValid {
		t.Errorf("second pass: %s, %s", u.State, u.Signature)
	}
	// Read once more in the second pass, the document brings the same again, and nothing new.
	if _, n, _ := r.ReadKMS(&Query{Seq: 5}, []byte(katDocument()), XMLOptions{}, true); n.Certificates != 1 || n.UserKeys != 1 || r.Stats().Material != 2 {
		t.Errorf("second pass: %+v, %+v", n, r.Stats())
	}
	if _, n, _ := r.ReadKMS(&Query{Seq: 7}, []byte(katDocument()), XMLOptions{}, true); n != (Learned{}) {
		t.Errorf("the same in another message: %+v", n)
	}
}

// TestLearnOrder has the certificate come after the user key, with a period of its own, so that the UID is another one.
func TestLearnOrder(t *testing.T) {
	doc := katDocument()
	cut := strings.Index(doc, "</KmsResponse>") + len("</KmsResponse>")
	cert, set := doc[:cut], doc[cut:]
	for _, order := range [][2]string{{cert, set}, {set, cert}} {
		r := NewRing(&Material{}, RingLimits{})
		for i, d := range order {
			if _, _, err := r.ReadKMS(&Query{Seq: uint64(i + 1)}, []byte(d), XMLOptions{}, true); err != nil {
				t.Fatal(err)
			}
		}
		if u := r.Unwrap(&Query{Seq: 2}, unhex(t, katMessage)); u.State != Recovered {
			t.Errorf("%s: %s", u.State, u.Hint)
		}
		if u := r.Unwrap(&Query{Seq: 1}, unhex(t, katMessage)); u.State == Recovered {
			t.Error("message 1 has both halves")
		}
		r.Close()
	}
}

// TestLearnWaits has a later message ask first: it waits for the KMS document that was promised before it.
func TestLearnWaits(t *testing.T) {
	r := NewRing(&Material{}, RingLimits{})
	defer r.Close()
	p := r.PromiseMaterial(1)
	r.Promise(2, nil)
	got := make(chan *Unwrapped)
	go func() { got <- r.Unwrap(&Query{Seq: 3}, unhex(t, katMessage)) }()
	select {
	case <-got:
		t.Fatal("nobody waited")
	case <-time.After(20 * time.Millisecond):
	}
	if _, _, err := r.ReadKMS(&Query{Seq: 1}, []byte(katDocument()), XMLOptions{}, true); err != nil {
		t.Fatal(err)
	}
	p.Keep()
	if u := <-got; u.State != Recovered {
		t.Errorf("%s: %s", u.State, u.Hint)
	}
}

// TestLearnLimit drives the table of learned material over its edge.
func TestLearnLimit(t *testing.T) {
	r := NewRing(&Material{}, RingLimits{Material: 10})
	defer r.Close()
	var dropped int
	var wg sync.WaitGroup
	for i := range 30 {
		doc := fmt.Sprintf(`<KmsInit><KmsCertificate><KmsUri>kms%d.example.org</KmsUri><UserIdFormat>2</UserIdFormat><UserKeyPeriod>%d</UserKeyPeriod></KmsCertificate></KmsInit>`, i, i+1)
		_, n, _ := r.ReadKMS(&Query{Seq: uint64(i + 1)}, []byte(doc), XMLOptions{}, true)
		dropped += n.Dropped
		wg.Go(func() { r.Certificates(&Query{Seq: uint64(i + 1)}, "kms1.example.org") })
	}
	wg.Wait()
	if st := r.Stats(); dropped != 20 || st.Material != 10 || st.MaterialDropped != 20 {
		t.Errorf("%d dropped, %+v", dropped, st)
	}
}

// TestLearnProducts hands the published key sets of products to a ring as their KMS would, and opens their messages.
func TestLearnProducts(t *testing.T) {
	var sets []tpKeySet
	thirdParty(t, "tp-keysets.json", &sets)
	var file struct {
		Messages []struct {
			ID            string
			Base64        string `json:"mikey_base64"`
			Decapsulation *struct{ SSV string }
		}
	}
	thirdParty(t, "tp-messages.json", &file)
	r := NewRing(&Material{}, RingLimits{})
	defer r.Close()
	for i, s := range sets {
		doc := fmt.Sprintf(`<KmsResponse xmlns="TOBEDEFINED"><KmsUri>%[1]s</KmsUri><KmsMessage><KmsInit><KmsCertificate Role="Root"><KmsUri>%[1]s</KmsUri><UserIdFormat>2</UserIdFormat><UserKeyPeriod>%[2]d</UserKeyPeriod><UserKeyOffset>%[3]d</UserKeyOffset>`+
			`<PubEncKey>%[4]s</PubEncKey><PubAuthKey>%[5]s</PubAuthKey></KmsCertificate></KmsInit></KmsMessage></KmsResponse>`+
			`<KmsResponse xmlns="TOBEDEFINED"><KmsMessage><KmsKeyProv><KmsKeySet><KmsUri>%[1]s</KmsUri><UserUri>%[6]s</UserUri><UserID>%[7]s</UserID><KeyPeriodNo>%[8]d</KeyPeriodNo><UserDecryptKey>%[9]s</UserDecryptKey></KmsKeySet></KmsKeyProv></KmsMessage></KmsResponse>`,
			s.KMS, s.Period, s.Offset, s.Z, s.KPAK, strings.Trim(s.User, "()"), s.UID, s.No, s.RSK)
		r.ReadKMS(&Query{Seq: uint64(i + 1)}, []byte(doc), XMLOptions{}, true)
	}
	opened := 0
	for i, m := range file.Messages {
		raw, err := base64.StdEncoding.DecodeString(m.Base64)
		if err != nil {
			t.Fatal(err)
		}
		u := r.Unwrap(&Query{Seq: uint64(100 + i), Time: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)}, raw)
		if m.Decapsulation == nil {
			continue
		}
		if u.State != Recovered || hex.EncodeToString(u.Key.Reveal()) != m.Decapsulation.SSV {
			t.Errorf("%s: %s (%s)", m.ID, u.State, u.Hint)
			continue
		}
		opened++
	}
	if opened != 13 {
		t.Errorf("%d opened, want 13; %+v", opened, r.Stats())
	}
}

// TestSecondPass: what the second pass knows does not depend on which message is looked at first. An I_MESSAGE that only later
// material opens is open before anybody asks, and one that nothing opens is known to be there.
func TestSecondPass(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(katCipher)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *Ring, seq uint64) Outcome {
		_, out := r.OpenElement(&Query{Seq: seq}, 0x2abcdef0, true, "aes128-gcm", raw[:12], raw[12:])
		return out
	}
	late := NewRing(&Material{}, RingLimits{})
	defer late.Close()
	late.Collect()
	if u := late.Unwrap(&Query{Seq: 3}, unhex(t, katMessage)); u.State != KeyMissing {
		t.Fatal(u.State)
	}
	if _, _, err := late.ReadKMS(&Query{Seq: 5}, []byte(katDocument()), XMLOptions{}, true); err != nil {
		t.Fatal(err)
	}
	late.Freeze()
	if out := ask(late, 1); !out.OK {
		t.Errorf("not open before the I_MESSAGE is looked at again: %+v", out)
	}

	never := NewRing(&Material{}, RingLimits{})
	defer never.Close()
	never.Collect()
	never.Unwrap(&Query{Seq: 3}, unhex(t, katMessage))
	if out := ask(never, 2); !strings.Contains(out.Hint, "no I_MESSAGE before") {
		t.Errorf("first pass: %+v", out)
	}
	never.Freeze()
	for _, seq := range []uint64{1, 3, 9} {
		before := ask(never, seq)
		never.Unwrap(&Query{Seq: 3}, unhex(t, katMessage))
		never.Unwrap(&Query{Seq: 8}, unhex(t, katMessage))
		never.ReadKMS(&Query{Seq: 9}, []byte(katDocument()), XMLOptions{}, true)
		never.Learn(9, "sip:alice@example.org")
		if after := ask(never, seq); before.OK || before != after || !strings.Contains(before.Hint, "could not be opened") {
			t.Errorf("message %d: %+v, then %+v", seq, before, after)
		}
	}

	// What is kept to be tried again is bounded.
	many := NewRing(&Material{}, RingLimits{})
	defer many.Close()
	many.Collect()
	many.retryOctets = maxRetryOctets - 1000
	msg := unhex(t, katMessage)
	for i := range 10 {
		msg[30] = byte(i)
		many.Unwrap(&Query{Seq: uint64(i + 1)}, msg)
	}
	if s := many.Stats(); s.RetriesDropped != 9 || len(many.retry) != 1 {
		t.Errorf("%d kept, %+v", len(many.retry), s)
	}
}
