package keys

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/mcxdump/mcxdump/internal/xmlsec"
)

const (
	kmsNS  = "urn:3gpp:ns:mcsecKMSInterface:1.0"
	xsiNS  = "http://www.w3.org/2001/XMLSchema-instance"
	tkName = "tk.12.user@example.org"
	ikName = "ink.12.user@example.org"
)

var (
	testTrK  = strings.Repeat("a1b2c3d4", 8)
	testTrK2 = strings.Repeat("b1b2c3d5", 8)
	testInK  = strings.Repeat("c1c2c3d6", 8)
)

func named(t testing.TB, name, key string) []Named {
	return []Named{{Name: name, Key: NewSecret(unhex(t, key))}}
}

// element writes an element around content of a key, in clear.
func element(tag, content string) string {
	return "<" + tag + ` xsi:type="se:KeyContentType">` + content + "</" + tag + ">"
}

// wrapped writes an element around a wrapped key.
func wrapped(t testing.TB, tag, key, trk, name, carried string, padded, inHex bool) string {
	t.Helper()
	ek, err := xmlsec.Wrap(unhex(t, key), xmlsec.WrapOptions{KEK: unhex(t, trk), KeyName: name, CarriedKeyName: carried, Padded: padded, Hex: inHex})
	if err != nil {
		t.Fatal(err)
	}
	d := etree.NewDocument()
	d.SetRoot(ek)
	s, err := d.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return "<" + tag + ` xsi:type="se:EncKeyContentType">` + s + "</" + tag + ">"
}

var katCertificate = `<KmsCertificate Version="1.1.0" Role="Root">
 <CertUri>cert1.kms.example.org</CertUri><KmsUri>kms.example.org</KmsUri><Issuer>Example KMS operator</Issuer>
 <ValidFrom>2023-01-01T00:00:00Z</ValidFrom><ValidTo>2030-01-01T00:00:00</ValidTo><Revoked>false</Revoked>
 <UserIdFormat>2</UserIdFormat><UserKeyPeriod>2592000</UserKeyPeriod><UserKeyOffset>0</UserKeyOffset>
 <PubEncKey>` + katZ + `</PubEncKey><PubAuthKey>` + katKPAK + `</PubAuthKey><ParameterSet>1</ParameterSet>
 <KmsDomainList><KmsDomain>example.org</KmsDomain><KmsDomain>example.com</KmsDomain></KmsDomainList>
</KmsCertificate>`

func keySet(user, uid, content string) string {
	return `<KmsKeySet Version="1.1.0"><KmsUri>kms.example.org</KmsUri><CertUri>cert1.kms.example.org</CertUri><UserUri>` + user + `</UserUri><UserID>` + uid +
		`</UserID><ValidFrom>2023-12-20T00:00:00Z</ValidFrom><ValidTo>2024-01-25T00:00:00Z</ValidTo><KeyPeriodNo>1509</KeyPeriodNo>` + content + `</KmsKeySet>`
}

// response wraps a message into a KmsResponse as TS 33.180 D.3.1 has it.
func response(message string) string {
	return `<KmsResponse xmlns="` + kmsNS + `" xmlns:xsi="` + xsiNS + `" xmlns:se="` + kmsNS + `" Version="1.0.0"><KmsUri>kms.example.org</KmsUri>` +
		`<UserUri>user@example.org</UserUri><Time>2024-01-01T00:00:00Z</Time><ClientReqUrl>https://kms.example.org/keymanagement/identity/v1/init</ClientReqUrl>` +
		`<KmsMessage>` + message + `</KmsMessage></KmsResponse>`
}

func katClear() string {
	return response(`<KmsInit Version="1.0.0">`+katCertificate+`</KmsInit>`) + "\n" + response(`<KmsKeyProv Version="1.0.0" xsi:type="se:KmsKeyProvTkType">`+
		keySet("sip:alice@example.org", katUIDAlice, element("UserSigningKeySSK", katSSK)+element("UserPubTokenPVT", katPVT))+"\n"+
		keySet("mcptt.example.org", base64.StdEncoding.EncodeToString(mustHex(katUIDServer)), element("UserDecryptKey", katRSK))+`</KmsKeyProv>`)
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// sameAsKeyLog compares the keys of the known-answer set.
func sameAsKeyLog(t *testing.T, m *Material) {
	t.Helper()
	if len(m.KMSs) != 1 || len(m.UserKeys) != 2 {
		t.Fatalf("%d certificates, %d users; warnings %q", len(m.KMSs), len(m.UserKeys), m.Warnings)
	}
	k := m.KMSs[0]
	if k.URI != "kms.example.org" || k.Period != 2592000 || k.Z == nil || k.KPAK == nil || hex.EncodeToString(k.Z.Bytes()) != katZHex ||
		k.Role != "Root" || k.Issuer != "Example KMS operator" || k.ParameterSet != 1 || fmt.Sprint(k.Domains) != "[example.org example.com]" ||
		k.ValidTo != time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) || k.UserIDFormat != "2" || k.CertURI != "cert1.kms.example.org" {
		t.Errorf("%+v", k)
	}
	alice, server := m.UserKeys[0], m.UserKeys[1]
	if hex.EncodeToString(alice.UID) != katUIDAlice || hex.EncodeToString(server.UID) != katUIDServer || alice.Period != 1509 ||
		hex.EncodeToString(alice.SSK.Reveal()) != katSSK || hex.EncodeToString(alice.PVT) != katPVT || server.RSK == nil ||
		hex.EncodeToString(server.RSK.Reveal()) != katRSKHex || alice.From.IsZero() {
		t.Errorf("%+v", m.UserKeys)
	}
	for _, v := range m.Verify(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) {
		if !v.OK || v.Reason != "" {
			t.Errorf("%+v", v)
		}
	}
}

func TestXMLInClear(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"as it is", katClear()},
		{"placeholder namespaces", strings.ReplaceAll(katClear(), kmsNS, "TOBEDEFINED")},
		{"prolog, mark and header", "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n<?xml version=\"1.0\"?>\n<!-- </KmsResponse> -->" + katClear()},
		{"base64", strings.ReplaceAll(katClear(), ">"+katSSK+"<", ">"+base64.StdEncoding.EncodeToString(mustHex(katSSK))+"<")},
		{"in one element", "<saved>" + katClear() + "</saved>"},
		{"parts alone", katCertificate + "<?xml version='1.0'?>" + strings.NewReplacer(` xsi:type="se:KeyContentType"`, "").Replace(
			keySet("sip:alice@example.org", katUIDAlice, element("UserSigningKeySSK", katSSK)+element("UserPubTokenPVT", katPVT))+
				keySet("mcptt.example.org", katUIDServer, element("UserDecryptKey", katRSK)))},
		{"without declarations", katCertificate + keySet("sip:alice@example.org", katUIDAlice, element("UserSigningKeySSK", katSSK)+element("UserPubTokenPVT", katPVT)) +
			keySet("mcptt.example.org", katUIDServer, element("UserDecryptKey", katRSK))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sameAsKeyLog(t, mustRead(t, "kms.xml", tt.text))
			m, err := ReadKMSXML([]byte(tt.text), XMLOptions{Origin: Origin{Name: "frame 7"}})
			if err != nil {
				t.Fatal(err)
			}
			sameAsKeyLog(t, m)
			if m.UserKeys[0].Origin != (Origin{Name: "frame 7"}) {
				t.Errorf("%+v", m.UserKeys[0].Origin)
			}
		})
	}
	m := mustRead(t, "kms.xml", katClear())
	if m.KMSs[0].Origin.Line != 1 || m.UserKeys[1].Origin.Line < m.UserKeys[0].Origin.Line || m.UserKeys[1].Origin.Line != 1+strings.Count(katClear()[:strings.LastIndex(katClear(), "<KmsKeySet")], "\n") {
		t.Errorf("lines %v %v %v", m.KMSs[0].Origin, m.UserKeys[0].Origin, m.UserKeys[1].Origin)
	}
}

// TestXMLWrapped opens key material in each of the four writings, with the transport key in a later file.
func TestXMLWrapped(t *testing.T) {
	for _, tt := range []struct{ padded, hex bool }{{true, false}, {true, true}, {false, false}, {false, true}} {
		t.Run(fmt.Sprintf("padded %v, hex %v", tt.padded, tt.hex), func(t *testing.T) {
			// RFC 3394 cannot wrap the 257 and 65 octets of RSK and PVT: these stay padded.
			doc := response(`<KmsInit>`+katCertificate+`</KmsInit>`) + response(`<KmsKeyProv>`+
				keySet("sip:alice@example.org", katUIDAlice, wrapped(t, "UserSigningKeySSK", katSSK, testTrK, tkName, "", tt.padded, tt.hex)+
					wrapped(t, "UserPubTokenPVT", katPVT, testTrK, tkName, "", true, tt.hex))+
				keySet("mcptt.example.org", katUIDServer, wrapped(t, "UserDecryptKey", katRSKHex, testTrK, tkName, "", true, tt.hex))+`</KmsKeyProv>`)
			x, k := write(t, "a.xml", doc), write(t, "b.keys", "TrK other.name "+testTrK+"\n")
			m, err := Load([]string{x, k}, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			sameAsKeyLog(t, m)
			m, err = ReadKMSXML([]byte(strings.ReplaceAll(doc, xmlsec.NSEnc+`"`, `TOBEDEFINED"`)), XMLOptions{Transport: named(t, tkName, testTrK)})
			if err != nil {
				t.Fatal(err)
			}
			if len(m.UserKeys) != 2 {
				t.Errorf("%q", m.Warnings)
			}

			m, err = Load([]string{x}, LoadOptions{})
			if err != nil || len(m.UserKeys) != 0 || len(m.Warnings) != 3 ||
				!strings.HasSuffix(m.Warnings[0], "UserSigningKeySSK: wrapped under the transport key "+tkName+", and no TrK is known: xmlsec: no key") {
				t.Errorf("%v %q", err, m.Warnings)
			}
			m, err = Load([]string{x, write(t, "c.keys", "TrK "+tkName+" "+testTrK2)}, LoadOptions{})
			if err != nil || len(m.UserKeys) != 0 || len(m.Warnings) != 3 || !strings.Contains(m.Warnings[0], "none of 1 TrK opens it") {
				t.Errorf("%v %q", err, m.Warnings)
			}
		})
	}
}

// TestXMLRotation opens a key set under a transport key which came wrapped under another one, in a later document.
func TestXMLRotation(t *testing.T) {
	doc := response(`<KmsKeyProv>`+keySet("sip:alice@example.org", katUIDAlice,
		wrapped(t, "UserSigningKeySSK", katSSK, testTrK2, "tk.13", "", true, false)+wrapped(t, "UserPubTokenPVT", katPVT, testTrK2, "tk.13", "", true, false))+`</KmsKeyProv>`) +
		response(`<KmsInit>`+katCertificate+wrapped(t, "NewTransportKey", testTrK2, testInK, "tk.12b", "tk.13", false, false)+`</KmsInit>`) +
		response(`<KmsInit>`+wrapped(t, "NewTransportKey", testInK, testTrK, tkName, "tk.12b", true, true)+
			wrapped(t, "NewIntegrityKey", testInK, testTrK, tkName, ikName, true, true)+`</KmsInit>`)
	m, err := ReadKMSXML([]byte(doc), XMLOptions{Transport: named(t, tkName, testTrK)})
	if err != nil || len(m.Warnings) != 0 {
		t.Fatalf("%v %q", err, m.Warnings)
	}
	if len(m.Transport) != 2 || m.Transport[0].Name != "tk.12b" || m.Transport[1].Name != "tk.13" || len(m.Integrity) != 1 || m.Integrity[0].Name != ikName {
		t.Errorf("%+v %+v", m.Transport, m.Integrity)
	}
	if v := verdict(t, m.Verdicts, "SSK and PVT of sip:alice"); !v.OK {
		t.Errorf("%+v", v)
	}
	m, err = ReadKMSXML([]byte(doc), XMLOptions{})
	if err != nil || len(m.Transport) != 0 || len(m.Warnings) != 5 {
		t.Errorf("without the first key: %v %q", err, m.Warnings)
	}
}

// signedResponse signs a response as TS 33.180 D.1 and the field have it.
func signedResponse(t testing.TB, key, name, uri string) string {
	t.Helper()
	d := etree.NewDocument()
	if err := d.ReadFromString(`<SignedKmsResponse xmlns="` + kmsNS + `" xmlns:xsi="` + xsiNS + `" xmlns:se="` + kmsNS + `" Id="xmldoc"></SignedKmsResponse>`); err != nil {
		t.Fatal(err)
	}
	inner := etree.NewDocument()
	if err := inner.ReadFromString(strings.Replace(response(`<KmsInit Id="part">`+katCertificate+`</KmsInit>`), `<KmsResponse `, `<KmsResponse Id="inner" `, 1)); err != nil {
		t.Fatal(err)
	}
	d.Root().AddChild(inner.Root())
	ref := xmlsec.SignReference{URI: uri}
	if uri == "#xmldoc" || uri == "" {
		ref.Transforms = []string{xmlsec.URIEnveloped}
	}
	if _, err := xmlsec.Sign(d.Root(), xmlsec.SignOptions{Key: unhex(t, key), KeyName: name, OutputLength: 256, References: []xmlsec.SignReference{ref}}); err != nil {
		t.Fatal(err)
	}
	s, err := d.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestXMLSigned(t *testing.T) {
	for _, tt := range []struct {
		name, uri, change, to string
		o                     XMLOptions
		ok                    bool
		reason                string
	}{
		{"good", "#xmldoc", "", "", XMLOptions{Integrity: named(t, ikName, testInK)}, true, ""},
		{"whole document", "", "", "", XMLOptions{Integrity: named(t, ikName, testInK)}, true, ""},
		{"the response alone", "#inner", "", "", XMLOptions{Integrity: named(t, ikName, testInK)}, true, ""},
		{"by the transport key", "#xmldoc", "", "", XMLOptions{Transport: named(t, ikName, testInK)}, true, ""},
		{"under another name", "#xmldoc", "", "", XMLOptions{Integrity: named(t, "ink.1", testInK)}, true, "by the key ink.1"},
		{"a part only", "#part", "", "", XMLOptions{Integrity: named(t, ikName, testInK)}, false, "the references do not cover the element"},
		{"changed", "#xmldoc", "2592000", "2592001", XMLOptions{Integrity: named(t, ikName, testInK)}, false, "digest_mismatch"},
		{"wrong key", "#xmldoc", "", "", XMLOptions{Integrity: named(t, ikName, testTrK)}, false, "hmac_mismatch"},
		{"no key", "#xmldoc", "", "", XMLOptions{}, false, "no_key: no InK or TrK is known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := signedResponse(t, testInK, ikName, tt.uri)
			m, err := ReadKMSXML([]byte(strings.Replace(doc, tt.change, tt.to, 1)), tt.o)
			if err != nil || len(m.KMSs) != 1 {
				t.Fatalf("%v %+v", err, m)
			}
			if v := verdict(t, m.Verdicts, "signature of SignedKmsResponse by "+ikName); v.OK != tt.ok || v.Reason != tt.reason {
				t.Errorf("%+v", v)
			}
			verdict(t, m.Verify(time.Time{}), "signature of SignedKmsResponse")
		})
	}
}

// TestXMLDefects holds errors to their place, and what is around a defect to being read.
func TestXMLDefects(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"RSK short", ">" + katRSK[:10], ">" + katRSK[2:10], "KmsKeySet: UserDecryptKey: the RSK has 256 octets instead of 257"},
		{"RSK point", ">" + katRSK[:10], ">0500000000", "KmsKeySet: UserDecryptKey: "},
		{"SSK odd", katSSK + "<", katSSK[1:] + "<", "KmsKeySet: UserSigningKeySSK: the UserSigningKeySSK has 63 hex digits, an odd number"},
		{"SSK empty", katSSK + "<", "<", "KmsKeySet: UserSigningKeySSK: empty"},
		{"PVT", katPVT + "<", katPVT + "00<", "KmsKeySet: UserPubTokenPVT: the PVT has 66 octets instead of 65"},
		{"Z", ">" + katZ[:10], ">0500000000", "KmsCertificate: PubEncKey: the Z is wrong"},
		{"KPAK", ">" + katKPAK[:10], ">0500000000", "KmsCertificate: PubAuthKey: the KPAK is wrong"},
		{"period", "1509<", "June<", `KmsKeySet: KeyPeriodNo: the value "June" is not a decimal number`},
		{"no period", "<KeyPeriodNo>1509</KeyPeriodNo>", "", "KmsKeySet: KeyPeriodNo: missing"},
		{"time", "2023-12-20T00:00:00Z", "yesterday", `KmsKeySet: ValidFrom: "yesterday" is not a time such as 2026-01-31T12:00:00Z`},
		{"revoked", "<Revoked>false", "<Revoked>no", `KmsCertificate: Revoked: "no" is not true or false`},
		{"entity", "<Revoked>false", "<Revoked>&x;", "reference (XML 1.0 4.1): undefined entity"},
	} {
		m, err := Read("kms.xml", []byte(strings.Replace(katClear(), tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) && tt.name != "entity" {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), "kms.xml:") || strings.Contains(err.Error(), katSSK[4:20]) || strings.Contains(err.Error(), katRSKHex[4:20]) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.name != "entity" && (len(m.KMSs) != 1 || len(m.UserKeys) == 0) {
			t.Errorf("%s: the rest is lost: %+v", tt.name, m)
		}
	}
	m := mustRead(t, "k", strings.Replace(katClear(), katUIDAlice, "0123456789abcdef0123456789abcdef", 1))
	if m.UserKeys[0].UID != nil || len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "the UserID is not 32 octets") {
		t.Errorf("%q", m.Warnings)
	}
	m = mustRead(t, "k", response("")[:strings.Index(response(""), "<KmsMessage>")]+"<KmsError><ErrorCode>7</ErrorCode><ErrorMsg>no such user among\nthose whom this KMS serves, with the key "+katSSK+" or without</ErrorMsg></KmsError></KmsResponse>")
	if len(m.Warnings) != 1 || m.Warnings[0] != `k:1: the KMS answered with error "7" "no such user among those whom this KMS serves, with the key (...) or without"` {
		t.Errorf("%q", m.Warnings)
	}
	if _, err := ReadKMSXML([]byte("<html/>"), XMLOptions{}); !errors.Is(err, ErrKind) {
		t.Error(err)
	}
	if _, err := ReadKMSXML(nil, XMLOptions{}); err == nil {
		t.Error("an empty document is no error")
	}
	many := strings.Repeat("<KmsInit/>", maxDocuments+1)
	if _, err := ReadKMSXML([]byte(many), XMLOptions{}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

// TestXMLCost holds documents of a capture, which anybody can have sent, to their bounds, and files not.
func TestXMLCost(t *testing.T) {
	for _, tt := range []struct {
		one  string
		want string
	}{
		{keySet("sip:alice@example.org", katUIDAlice, element("UserSigningKeySSK", katSSK)), "more than 256 keys in one document"},
		{wrapped(t, "NewTransportKey", testTrK2, testTrK, tkName, "tk.13", true, true), "more than 16 new transport and integrity keys"},
	} {
		doc := []byte(response("<KmsKeyProv>" + strings.Repeat(tt.one, 300) + "</KmsKeyProv>"))
		m, err := ReadKMSXML(doc, XMLOptions{Transport: named(t, tkName, testTrK)})
		if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n") > 0 || len(m.UserKeys)+len(m.Transport) != 1 {
			t.Errorf("%v %+v", err, m)
		}
		if _, err := Read("f", doc); err != nil {
			t.Error(err)
		}
	}
	signed := signedResponse(t, testInK, ikName, "#xmldoc")
	sig := signed[strings.Index(signed, "<ds:Signature "):strings.LastIndex(signed, "</SignedKmsResponse>")]
	m, err := ReadKMSXML([]byte(strings.Replace(signed, sig, strings.Repeat(sig, 20), 1)), XMLOptions{Integrity: named(t, ikName, testInK)})
	if !errors.Is(err, ErrLimit) || len(m.Verdicts) != 8 {
		t.Errorf("%v %+v", err, m.Verdicts)
	}
}

// TestXMLOddWrapping opens what products wrap in their own way: the hex text of a key, and an element which is the EncryptedKey.
func TestXMLOddWrapping(t *testing.T) {
	asText := wrapped(t, "UserSigningKeySSK", hex.EncodeToString([]byte(katSSK)), testTrK, tkName, "", true, false)
	bare := wrapped(t, "UserPubTokenPVT", katPVT, testTrK, tkName, "", true, false)
	bare = bare[:strings.Index(bare, "<xenc:EncryptedKey")] + strings.TrimSuffix(bare[strings.Index(bare, "<xenc:EncryptionMethod"):], "</xenc:EncryptedKey></UserPubTokenPVT>") + "</UserPubTokenPVT>"
	m, err := ReadKMSXML([]byte(katCertificate+keySet("sip:alice@example.org", katUIDAlice, asText+bare)), XMLOptions{Transport: named(t, tkName, testTrK)})
	if err != nil || len(m.UserKeys) != 1 || m.UserKeys[0].PVT == nil {
		t.Fatalf("%v %q", err, m.Warnings)
	}
	if v := verdict(t, m.Verdicts, "SSK and PVT"); !v.OK {
		t.Errorf("%+v", v)
	}
}

// TestXMLSignedOddly verifies what one product does: canonical form with comments over the wrapper.
func TestXMLSignedOddly(t *testing.T) {
	d := etree.NewDocument()
	if err := d.ReadFromString(`<SignedKmsResponse Id="xmldoc"><!-- made today -->` + response(`<KmsInit>`+katCertificate+`</KmsInit>`) + `</SignedKmsResponse>`); err != nil {
		t.Fatal(err)
	}
	if _, err := xmlsec.Sign(d.Root(), xmlsec.SignOptions{Key: unhex(t, testInK), KeyName: ikName, C14N: xmlsec.C14N{Comments: true}, References: []xmlsec.SignReference{
		{URI: "#xmldoc", Transforms: []string{xmlsec.URIEnveloped, xmlsec.URIC14N10Comments}}}}); err != nil {
		t.Fatal(err)
	}
	s, err := d.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text string
		ok   bool
	}{
		{s, true},
		{strings.Replace(s, "made today", "made tomorrow", 1), true}, // "#xmldoc" leaves comments out (XML Signature 1.1 4.4.3.3)
		{strings.Replace(s, "2592000", "2592001", 1), false},
	} {
		m, err := ReadKMSXML([]byte(tt.text), XMLOptions{Integrity: named(t, ikName, testInK)})
		if err != nil {
			t.Fatal(err)
		}
		if v := verdict(t, m.Verdicts, "signature of SignedKmsResponse"); v.OK != tt.ok {
			t.Errorf("%+v", v)
		}
	}
}
