package decode

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys"
)

const typKMS = "application/vnd.3gpp.kmsredirectresponse+xml"

const kmsRequest = `<?xml version="1.0" encoding="UTF-8"?><SignedKmsRequest xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0" Id="xmldoc"><KmsRequest Version="1.1.0">` +
	`<UserUri>sip:alice@example.org</UserUri><KmsUri>kms.example.org</KmsUri><Time>2024-01-01T11:59:59Z</Time><ClientId>UE-1</ClientId><DeviceId>imei-1</DeviceId>` +
	`<ClientReqUrl>https://kms.example.org/keymanagement/identity/v1/keyprov/sip%3Aalice%40example.org</ClientReqUrl>` +
	`<TrK-ID>tk.12.alice@example.org</TrK-ID><Signature-ID>ink.12.alice@example.org</Signature-ID></KmsRequest></SignedKmsRequest>`

const kmsErrorDoc = `<KmsResponse xmlns="TOBEDEFINED" Version="1.0.0"><UserUri>alice@example.org</UserUri><KmsUri>kms.example.org</KmsUri><Time>2024-01-01T12:00:00Z</Time>` +
	`<ClientReqUrl>https://kms.example.org/keymanagement/identity/v1/keyprov</ClientReqUrl><KmsError><ErrorCode>17</ErrorCode><ErrorMsg>no such user</ErrorMsg><x:more xmlns:x="u">1</x:more></KmsError></KmsResponse>`

const kmsKRR = `<k:KmsRedirectResponse xmlns:k="urn:3gpp:ns:mcsecKMSKRR:1.0"><k:InitiatorKms><k:KmsUri>kms1.example.org</k:KmsUri></k:InitiatorKms><k:ReceiverKmsUris><k:Uri>kms2.example.org</k:Uri></k:ReceiverKmsUris>` +
	`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></k:KmsRedirectResponse>`

// kmsWrapped is the wrapped SSK of the known-answer set's alice, by a tool that announces RFC 3394 and pads (docs/keys.md).
const kmsWrapped = `<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" Version="1.0.0"><KmsMessage><KmsKeyProv Version="1.0.0">` +
	`<KmsKeySet Version="1.1.0"><KmsUri>kms.example.org</KmsUri><UserUri>alice@example.org</UserUri><UserID>5wDXZl84DCDIdKMLm3u0aajbYWcS30JCmJ5HiacavBM=</UserID><KeyPeriodNo>1509</KeyPeriodNo>` +
	`<UserSigningKeySSK xsi:type="EncKeyContentType"><xenc:EncryptedKey xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#kw-aes256"/>` +
	`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:KeyName>tk.12.user@example.org</ds:KeyName></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>bNA0HnOkV3DFDPXcw7R0C9qop5j+H2NQ69MQDjrdEYjtvPWbCMjf9w==</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></UserSigningKeySSK>` +
	`<VendorKey>0011223344556677</VendorKey></KmsKeySet></KmsKeyProv></KmsMessage></KmsResponse>`

var katTrK = []byte(strings.Repeat("\xa1\xb2\xc3\xd4", 8))

// withRing dissects a body with a ring that holds what is given.
func withRing(t testing.TB, data string, m *keys.Material, secrets bool) (*record.Record, *keys.Ring, string) {
	t.Helper()
	ring := keys.NewRing(m, keys.RingLimits{})
	t.Cleanup(ring.Close)
	opt := everything()
	opt.Ring, opt.ShowSecrets = ring, secrets
	r := Body(t.Context(), "", []byte(data), time.Unix(0, noon), opt)
	checkTree(t, r)
	return r, ring, r.Info
}

func TestKMS(t *testing.T) {
	trk := &keys.Material{Transport: []keys.Named{{Name: "tk.12.user@example.org", Key: keys.NewSecret(katTrK)}}}
	wrong := &keys.Material{Transport: []keys.Named{{Name: "tk.12.user@example.org", Key: keys.NewSecret(make([]byte, 32))}}}
	for _, c := range []struct {
		what, doc string
		m         *keys.Material
		want      map[string]string
		findings  string
		info      string
	}{
		{"request", kmsRequest, &keys.Material{}, map[string]string{"kms.operation": "keyprov", "kms.document": "SignedKmsRequest", "kms.version": "1.1.0", "kms.user_uri": "sip:alice@example.org",
			"kms.kms_uri": "kms.example.org", "kms.time": "2024-01-01T11:59:59.000000000Z", "kms.client_id": "UE-1", "kms.device_id": "imei-1", "kms.trk_id": "tk.12.alice@example.org",
			"kms.ink_id": "ink.12.alice@example.org", "kms.signature.state": "absent"}, "kms-signature", "KmsRequest"},
		{"error", kmsErrorDoc, &keys.Material{}, map[string]string{"kms.error.code": "17", "kms.error.text": "no such user", "kms.error.of": "kms", "kms.error.detail.name": "more"},
			"kms-error", "KmsResponse, kms error 17 no such user"},
		{"redirect", kmsKRR, &keys.Material{}, map[string]string{"kms.uris": "kms1.example.org,kms2.example.org", "kms.redirect.name": "KmsRedirectResponse", "kms.signature.state": "no_key"}, "", "KMS redirect response"},
		{"wrapped, no TrK", kmsWrapped, &keys.Material{}, map[string]string{"kms.key_sets.user_signing_key_ssk.state": "no_key", "kms.key_sets.user_signing_key_ssk.reason": "no_key",
			"kms.key_sets.user_signing_key_ssk.key_name": "tk.12.user@example.org", "kms.learned.user_keys": ""}, "kms-key-missing",
			"KmsResponse, KmsKeyProv, keys of alice@example.org, period 1509 (SSK wrapped, no TrK)"},
		{"wrapped, another TrK", kmsWrapped, wrong, map[string]string{"kms.key_sets.user_signing_key_ssk.state": "failed", "kms.key_sets.user_signing_key_ssk.reason": "tag_mismatch"}, "kms-key-wrapped", ""},
		{"wrapped, opened", kmsWrapped, trk, map[string]string{"kms.key_sets.user_signing_key_ssk.state": "decrypted", "kms.key_sets.user_signing_key_ssk.algorithm": "kw-aes256",
			"kms.key_sets.user_signing_key_ssk.length": "32", "kms.key_sets.user_signing_key_ssk": "", "kms.key_sets.key_period_no": "1509", "kms.key_sets.unknown.name": "VendorKey",
			"kms.key_sets.unknown.length": "16", "kms.key_sets.user_id_form": "base64", "kms.learned.user_keys": "1"}, "", ""},
		{"a time that is none", strings.Replace(kmsErrorDoc, "2024-01-01T12:00:00Z", "noon", 1), &keys.Material{}, map[string]string{"kms.time": ""}, "XML-11 kms-error", ""},
		{"a UserID of filler", strings.Replace(kmsWrapped, "5wDXZl84DCDIdKMLm3u0aajbYWcS30JCmJ5HiacavBM=", "0123456789abcdef0123456789abcdef", 1), trk, map[string]string{"kms.key_sets.user_id": "", "kms.key_sets.user_id_form": "other"}, "kms-user-id", ""},
		{"a period that is none", strings.Replace(kmsWrapped, ">1509<", ">soon<", 1), trk, nil, "XML-11 kms-malformed", ""},
	} {
		r, _, info := withRing(t, c.doc, c.m, false)
		for name, want := range c.want {
			if got := value(t, r, name); got != want && !(want == "" && got == "[withheld]") {
				t.Errorf("%s: %s is %q, want %q\n%s", c.what, name, got, want, dump(r))
			}
		}
		got := map[string]bool{}
		for _, f := range r.Findings {
			got[f.ID] = true
		}
		for _, id := range strings.Fields(c.findings) {
			if !got[id] {
				t.Errorf("%s: no finding %s: %s", c.what, id, ids(r))
			}
		}
		if c.findings == "" && len(r.Findings) > 0 {
			t.Errorf("%s: findings %s\n%s", c.what, ids(r), dump(r))
		}
		if c.info != "" && !strings.HasPrefix(info, c.info) {
			t.Errorf("%s: %q, want %q", c.what, info, c.info)
		}
	}
}

// TestKMSSecrets looks for key octets in everything that is shown, and in what a dump may show.
func TestKMSSecrets(t *testing.T) {
	const ssk = "a17d70087ca96eba10b84ee4ef100d093c85abfe4d335615d1a88321752a568f"
	trk := &keys.Material{Transport: []keys.Named{{Name: "tk.12.user@example.org", Key: keys.NewSecret(katTrK)}}}
	raw, _ := hex.DecodeString(ssk)
	for _, doc := range []string{kmsWrapped, strings.Replace(kmsWrapped, kmsWrapped[strings.Index(kmsWrapped, "<xenc:EncryptedKey"):strings.Index(kmsWrapped, "</UserSigningKeySSK")], ssk, 1)} {
		r, _, _ := withRing(t, doc, trk, false)
		for _, n := range r.Nodes {
			if strings.Contains(n.Str, ssk) || strings.Contains(n.Str, string(raw)) || strings.Contains(n.Str, "0011223344556677") {
				t.Errorf("%s shows a key", n.Field.Name)
			}
		}
		for _, s := range r.Sources {
			b := []byte(string(s.Data))
			for _, m := range s.Masked {
				clear(b[m.Off : m.Off+m.Len])
			}
			if strings.Contains(string(b), ssk) || strings.Contains(string(b), "0011223344556677") {
				t.Errorf("a dump of the %s octets shows a key", s.Name)
			}
		}
		for _, f := range r.Findings {
			if strings.Contains(f.Message, ssk[:16]) {
				t.Errorf("finding %s shows a key", f.ID)
			}
		}
		r, _, _ = withRing(t, doc, trk, true)
		if got := value(t, r, "kms.key_sets.user_signing_key_ssk"); got != ssk {
			t.Errorf("with secrets: %q", got)
		}
	}
}

// TestKMSChain provisions a ring from documents alone: certificate, new keys wrapped under others, key sets; each with its
// signature.
func TestKMSChain(t *testing.T) {
	sys, err := lab.NewSystem(lab.Options{Seed: 5, Users: 1})
	if err != nil {
		t.Fatal(err)
	}
	doc, log, err := sys.WrappedDocuments()
	if err != nil {
		t.Fatal(err)
	}
	m, err := keys.Read("transport", log)
	if err != nil {
		t.Fatal(err)
	}
	ring := keys.NewRing(m, keys.RingLimits{})
	defer ring.Close()
	opt := everything()
	opt.Ring = ring
	valid := 0
	for line := range strings.Lines(string(doc)) {
		r := Body(t.Context(), "", []byte(line), time.Unix(0, noon), opt)
		checkTree(t, r)
		if got := value(t, r, "kms.signature.state"); got != "valid" {
			t.Errorf("signature %s\n%s", got, dump(r))
		}
		valid++
		if set := value(t, r, "kms.key_sets.user_decrypt_key.state"); set != "" {
			if set != "decrypted" || strings.Contains(value(t, r, "kms.verdicts.ok"), "false") || value(t, r, "kms.key_sets.period_start") != value(t, r, "kms.key_sets.valid_from") {
				t.Errorf("key set: %s\n%s", set, dump(r))
			}
		}
		broken := strings.Replace(line, "KMS-1", "KMS-2", 1)
		r = Body(t.Context(), "", []byte(broken), time.Unix(0, noon), opt)
		if got := value(t, r, "kms.signature.state") + " " + value(t, r, "kms.signature.reason"); got != "invalid digest_mismatch" || !strings.Contains(ids(r), "kms-signature") {
			t.Errorf("changed content: %s, %s", got, ids(r))
		}
	}
	if valid < 5 || ring.Stats().Material < 5 {
		t.Errorf("%d documents, %+v", valid, ring.Stats())
	}
}

// TestKMSNewTransportKey opens with the key that an earlier document brought.
func TestKMSNewTransportKey(t *testing.T) {
	old, fresh := katTrK, []byte(strings.Repeat("\x55", 32))
	wrap := func(key, kek []byte, name, carried string) string {
		el, err := xmlsec.Wrap(key, xmlsec.WrapOptions{KEK: kek, KeyName: name, Padded: true})
		if err != nil {
			t.Fatal(err)
		}
		s := string(xmlsec.C14N{}.Element(el))
		if carried != "" {
			s = strings.Replace(s, "</EncryptedKey>", "<CarriedKeyName>"+carried+"</CarriedKeyName></EncryptedKey>", 1)
			s = strings.Replace(s, "</xenc:EncryptedKey>", "<xenc:CarriedKeyName>"+carried+"</xenc:CarriedKeyName></xenc:EncryptedKey>", 1)
		}
		return s
	}
	init := `<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0"><KmsMessage><KmsInit><NewTransportKey>` + wrap(fresh, old, "tk.1", "tk.2") + `</NewTransportKey></KmsInit></KmsMessage></KmsResponse>`
	ssk, _ := hex.DecodeString("a17d70087ca96eba10b84ee4ef100d093c85abfe4d335615d1a88321752a568f")
	prov := fmt.Sprintf(`<KmsResponse xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0"><KmsMessage><KmsKeyProv><KmsKeySet><KmsUri>k</KmsUri><UserUri>sip:a@b</UserUri><KeyPeriodNo>1</KeyPeriodNo><UserSigningKeySSK>%s</UserSigningKeySSK></KmsKeySet></KmsKeyProv></KmsMessage></KmsResponse>`, wrap(ssk, fresh, "tk.2", ""))
	ring := keys.NewRing(&keys.Material{Transport: []keys.Named{{Name: "tk.1", Key: keys.NewSecret(old), Origin: keys.Origin{Name: "given"}}}}, keys.RingLimits{})
	defer ring.Close()
	opt := everything()
	opt.Ring = ring
	r := Body(t.Context(), "", []byte(prov), time.Unix(0, noon), opt)
	if got := value(t, r, "kms.key_sets.user_signing_key_ssk.state"); got != "failed" {
		t.Errorf("opened before the key came: %s", got)
	}
	r = Body(t.Context(), "", []byte(init), time.Unix(0, noon), opt)
	if got := value(t, r, "kms.new_transport_key.state") + " " + value(t, r, "kms.new_transport_key.name") + " " + value(t, r, "kms.learned.transport_keys"); got != "decrypted tk.2 1" {
		t.Errorf("new transport key: %s\n%s", got, dump(r))
	}
	r = Body(t.Context(), "", []byte(prov), time.Unix(0, noon), opt)
	if got := value(t, r, "kms.key_sets.user_signing_key_ssk.state") + " " + value(t, r, "kms.key_sets.user_signing_key_ssk.origin"); got != "decrypted KMS document in message 1" {
		t.Errorf("%s\n%s", got, dump(r))
	}
}

// TestKMSTarget takes the targets of TS 33.180 D.2 apart.
func TestKMSTarget(t *testing.T) {
	for _, c := range []struct{ target, op, user, more string }{
		{"/keymanagement/identity/v1/init", "init", "", ""},
		{"https://kms.example.org/keymanagement/identity/v1/keyprov/sip%3Auser%40example.org/D6B4323200000000", "keyprov", "sip:user@example.org", "2014-02-23T08:39:14.000000000Z"},
		{"/keymanagement/identity/v1/certcache/12", "certcache", "", "12"},
		{"/keymanagement/identity/v1/cert/kms2.example.org", "cert", "", "kms2.example.org"},
		{"/keymanagement/identity/v1/lookup/sip%3Abob%40example.org", "lookup", "sip:bob@example.org", ""},
		{"/keymanagement/identity/v1/redirect?x=y", "redirect", "", ""},
		{"/other", "", "", ""},
	} {
		r := newRecordWith([]byte(c.target))
		ctx := &Context{B: newBuilderFor(r), opt: &Options{}}
		if got := ctx.kmsTarget(c.target, record.At(0, 0, len(c.target))); got != (c.op != "") {
			t.Errorf("%s: %v", c.target, got)
		}
		checkTree(t, r)
		more := value(t, r, "kms.key_time") + value(t, r, "kms.cache_number") + value(t, r, "kms.kms_uri")
		if value(t, r, "kms.operation") != c.op || value(t, r, "kms.user_uri") != c.user || more != c.more || len(r.Findings) > 0 {
			t.Errorf("%s: %s", c.target, dump(r))
		}
	}
}
