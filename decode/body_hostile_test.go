package decode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/testkit"
)

// A hostileBody is made to be expensive.
type hostileBody struct {
	what, typ, body string
	siblings        []Part
}

// hostileBodies makes bodies of about size octets.
func hostileBodies(size int) []hostileBody {
	rep := func(s string) string { return strings.Repeat(s, size/len(s)) }
	numbered := func(format string) string {
		var b bytes.Buffer
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	big := []Part{{Path: "2", Type: "text/plain", ContentID: "b", Data: []byte(rep("x\n"))}}
	ref := `<ds:Reference URI="cid:b"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>`
	return []hostileBody{
		{"elements", "application/xml", "<a>" + rep("<b/>") + "</a>", nil},
		{"mixed content", "application/xml", "<a>" + rep("x<b/>") + "</a>", nil},
		{"attributes", "application/xml", "<a" + numbered(" a%d='1'") + "/>", nil},
		{"attributes in one name space", "application/xml", "<a xmlns:p='u'" + numbered(" p:a%d='1'") + "/>", nil},
		{"declarations", "application/xml", "<a" + numbered(" xmlns:a%d='1'") + "/>", nil},
		{"prefixes", "application/xml", "<a" + strings.Repeat(" xmlns:b='1'", 1) + ">" + rep("<c:d/>") + "</a>", nil},
		{"depth", "application/xml", rep("<a>"), nil},
		{"entities", "application/xml", "<a>" + rep("&amp;") + "</a>", nil},
		{"CDATA", "application/xml", "<a>" + rep("<![CDATA[x]]>") + "</a>", nil},
		{"EncryptedData", "application/xml", "<a>" + rep(encrypted(kat)) + "</a>", nil},
		{"alternating lists", "application/xml", "<a>" + rep(encrypted(kat)+"<b/>") + "</a>", nil},
		{"unknown elements", typMCPTT, mcptt(rep("<new/>")), nil},
		{"one element again and again", typMCPTT, mcptt(rep("<session-type>a</session-type>")), nil},
		{"value children", typMCPTT, mcptt("<emergency-ind type='Normal'>" + rep("<mcpttBoolean>x</mcpttBoolean>") + "</emergency-ind>"), nil},
		{"tokens", typMCPTT, mcptt(rep(clearToken)), nil},
		{"token of many claims", typMCPTT, token1(`{}`, "{"+strings.TrimSuffix(numbered(`"a%d":1,`)[:min(size, 40<<10)], ",")+`"z":1}`, sig86), nil},
		{"token of one claim", typMCPTT, token1(`{}`, "{"+strings.Repeat(`"a":1,`, size/64)+`"z":1}`, sig86), nil},
		{"parameters of a URI", typMCPTT, mcptt("<mcptt-request-uri type='Normal'><mcpttURI>sip:a" + rep(";iv=A;key-id=A") + "@mc1-encrypted.3gppnetwork.org</mcpttURI></mcptt-request-uri>"), nil},
		{"entities of settings", "application/poc-settings+xml", poc("</entity>" + rep("<entity id='1'></entity>") + "<entity id='2'>"), nil},
		{"references", typSigned, strings.Replace(signedDoc, "<ds:Reference ", rep(ref)+"<ds:Reference ", 1), big},
		{"signatures", typSigned, "<signatures xmlns='urn:3gpp:ns:mcpttSignedDoc:1.0'>" + rep("<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'><ds:SignedInfo>"+ref+"</ds:SignedInfo></ds:Signature>") + "</signatures>", big},
		{"keys in SDP", "application/sdp", "v=0\r\n" + rep("a=crypto:1 X inline:AAAA\r\n"), nil},
		{"media", "application/sdp", "v=0\r\n" + rep("m=audio 1 RTP/AVP 0\r\n"), nil},
		{"formats", "application/sdp", "v=0\r\nm=audio 1 RTP/AVP" + rep(" 0") + "\r\n", nil},
		{"key-mgmt", "application/sdp", "v=0\r\n" + rep("a=key-mgmt:mikey ARoFASq83vABAgYAAQAAAAQqvN7w\r\n"), nil},
		{"floor control", "application/sdp", "v=0\r\nm=application 1 udp MCPTT\r\na=fmtp:MCPTT " + numbered("a%d;") + "\r\n", nil},
		{"objects in JSON", "application/json", strings.Repeat(`{"code":`, min(9000, size/40)) + `"` + rep("x") + `"` + strings.Repeat("}", min(9000, size/40)), nil},
		{"secrets in JSON", "application/json", "[" + rep(`{"code":"x"},`) + "1]", nil},
		{"certificates", typKMS, "<KmsCertCache>" + rep("<KmsCertificate><KmsUri>k</KmsUri><UserKeyPeriod>1</UserKeyPeriod></KmsCertificate>") + "</KmsCertCache>", nil},
		{"key sets", typKMS, "<KmsKeyProv>" + rep("<KmsKeySet><UserDecryptKey>04</UserDecryptKey><KeyPeriodNo>1</KeyPeriodNo></KmsKeySet>") + "</KmsKeyProv>", nil},
		{"new transport keys", typKMS, "<KmsInit>" + rep("<NewTransportKey><EncryptedKey><CipherData><CipherValue>AAAA</CipherValue></CipherData></EncryptedKey></NewTransportKey>") + "</KmsInit>", nil},
		{"signatures of certificates", typKMS, "<KmsCertCache>" + rep("<SignedKmsCertificate><KmsCertificate/><Signature xmlns='http://www.w3.org/2000/09/xmldsig#'><SignedInfo/></Signature></SignedKmsCertificate>") + "</KmsCertCache>", nil},
		{"KMS depth", typKMS, rep("<KmsMessage>"), nil},
		{"redirects", typKMS, "<KmsRedirectResponse>" + rep("<KmsUri>k</KmsUri>") + "</KmsRedirectResponse>", nil},
		{"group members", "application/vnd.oma.poc.groups+xml", "<group xmlns='urn:oma:xml:poc:list-service'><list-service><list>" + rep("<entry uri='a'/>") + "</list></list-service></group>", nil},
		{"keys of a group", "application/vnd.oma.poc.groups+xml", "<group xmlns='urn:oma:xml:poc:list-service'>" + rep("<k>ARoFAQxl2h4BAgQAAQAAAAgFII3PDGXaHgsA6Tx/AQAAAAAOEHqg+UCxdRAhDW606hU9KToOCAIAIDX2HA8mhm+mHkXUBAGR09snrN4WFMbzactc00xh4JlQ</k>") + "</group>", nil},
		{"parameters", "application/x-www-form-urlencoded", "grant_type=x&" + rep("scope=a+b+c&"), nil},
		{"scopes", "application/x-www-form-urlencoded", "response_type=code&client_id=a&scope=" + rep("3gpp:mc:x+"), nil},
		{"payloads", "application/vnd.3gpp.mcdata-payload", "\x03\xff" + rep("\x78\x00\x01\x01"), nil},
		{"elements of MCData", "application/vnd.3gpp.mcdata-payload", "\x03\xff" + rep("\x80\x78\x00\x01\x01"), nil},
		{"identities", "application/mikey", string(imessage[:21]) + string(append([]byte{14}, imessage[22:31]...)) + strings.Repeat("\x0e\x01\x01\x00\x00", 12000), nil},
		{"policies", "application/mikey", string(imessage[:21]) + string(append([]byte{10}, imessage[22:31]...)) + strings.Repeat("\x0a\x00\x00\x00\xc8"+strings.Repeat("\x01\x00", 100), 250), nil},
	}
}

// TestHostileBodies: each is read with work in proportion to its size, and its record stays within the limits.
func TestHostileBodies(t *testing.T) {
	var loads []testkit.Load
	for i, c := range hostileBodies(1000) {
		loads = append(loads, testkit.Load{Name: c.what, Size: 100 << 10, Do: func(n int) {
			c := hostileBodies(n)[i]
			bt := bodyByType(c.typ)
			r, _ := dissectWith(t, bt, c.typ, []byte(c.body), everything(), c.siblings)
			dissectWith(t, bt, c.typ, []byte(c.body), Options{}, c.siblings)
			if len(r.Nodes) > record.DefaultNodes || len(r.Findings) > record.MaxFindings {
				t.Errorf("%s: %d nodes, %d findings", c.what, len(r.Nodes), len(r.Findings))
			}
		}})
	}
	testkit.Linear(t, loads)
}

// The register of fields holds to the rules of its names.
func TestBodyFields(t *testing.T) {
	roots := map[string]bool{}
	for _, b := range []*record.Field{mcpttInfo.self, mcvideoInfo.self, mcdataInfo.self, mikeyBody.self, pocSelf, sigList, sdpSelf, xmlFields.self, mdSelf, textField, jsonField, dataSelf, kmsSelf, idmSelf, xcapSelf, cfgSelf, recSelf} {
		roots[b.Name] = true
	}
	seen := 0
	for _, f := range record.Fields() {
		root, _, _ := strings.Cut(f.Name, ".")
		if !roots[root] {
			continue
		}
		seen++
		switch {
		case f.Title == "" || strings.TrimSpace(f.Title) != f.Title || strings.HasSuffix(f.Title, "."):
			t.Errorf("%s: title %q", f.Name, f.Title)
		case f.Clause != "mcxdump" && !strings.HasPrefix(f.Clause, "TS ") && !strings.HasPrefix(f.Clause, "RFC ") && !strings.HasPrefix(f.Clause, "XML ") && !strings.HasPrefix(f.Clause, "OpenID "):
			t.Errorf("%s: clause %q", f.Name, f.Clause)
		case f.Kind == record.Protected && f.Of == record.Object:
			t.Errorf("%s: protected without a kind of value", f.Name)
		case strings.Contains(f.Name, "mcptt_info.mcptt_"), strings.Contains(f.Name, "mcvideo_info.mcvideo_"), strings.Contains(f.Name, "mcdata_info.mcdata_"):
			t.Errorf("%s: the service's prefix is not dropped", f.Name)
		}
	}
	if seen < 400 {
		t.Errorf("only %d fields", seen)
	}
	for _, s := range infoServices {
		if len(s.elements) > maxInfoElements {
			t.Errorf("%s has %d elements", s.name, len(s.elements))
		}
	}
}

// A body of which nothing can be read says so in its error (docs/json.md).
func TestBodyError(t *testing.T) {
	for _, c := range []struct{ typ, body, want string }{
		{typMCPTT, "no XML", "text before the root element"},
		{typMCPTT, "<!DOCTYPE a><a/>", "document type declaration is not accepted"},
		{"application/poc-settings+xml", "", "document has no element"},
		{"application/vnd.3gpp.mcptt-signed+xml", "\x00", "text before the root element"},
		{"application/resource-lists+xml", "<", "document ends in a tag"},
		{"application/mikey", "\x01\x02", "-"}, // a part of its header
		{"application/mikey", "not base64!", "no MIKEY message"},
		{typMCPTT, "<mcpttinfo><broken", "-"},
	} {
		rec := Body(t.Context(), c.typ, []byte(c.body), time.Unix(0, noon), everything())
		got := "-"
		for i := range rec.Nodes {
			if rec.Nodes[i].Field == fBodyError {
				got = rec.Nodes[i].Str
			}
		}
		if c.want == "-" != (got == "-") || !strings.Contains(got, c.want) {
			t.Errorf("%s %q: error %q, want %q", c.typ, c.body, got, c.want)
		}
	}
}
