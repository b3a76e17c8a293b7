package mikeyparse

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tpMessage is a message of the public collection with what an independent
// model read from it.
type tpMessage struct {
	ID     string `json:"id"`
	Base64 string `json:"mikey_base64"`
	Length int    `json:"length"`
	Roles  []int  `json:"id_roles"`
	Header struct {
		Version, V, NumCS, MapType int
		DataType                   int    `json:"data_type"`
		Next                       int    `json:"next_payload"`
		VFlag                      int    `json:"v_flag"`
		PRF                        int    `json:"prf_func"`
		CSBID                      string `json:"csb_id"`
		NCS                        int    `json:"n_cs"`
		MapTyp                     int    `json:"cs_id_map_type"`
		Length                     int    `json:"length"`
		Map                        []struct {
			CSID     int    `json:"cs_id"`
			Prot     int    `json:"prot_type"`
			S        int    `json:"s_flag"`
			Policies []int  `json:"policies"`
			Session  string `json:"session_data"`
			SPI      string `json:"spi"`
			PolicyNo int    `json:"policy_no"`
			SSRC     string `json:"ssrc"`
			ROC      uint32 `json:"roc"`
		} `json:"cs_id_map_info"`
	} `json:"header"`
	Payloads []struct {
		Type     int    `json:"type"`
		Offset   int    `json:"offset"`
		Length   int    `json:"length"`
		Next     int    `json:"next_payload"`
		TSType   int    `json:"ts_type"`
		TSValue  string `json:"ts_value"`
		RAND     string `json:"rand"`
		Role     int    `json:"id_role"`
		IDType   int    `json:"id_type"`
		IDData   string `json:"id_data"`
		PolicyNo int    `json:"policy_no"`
		Prot     int    `json:"prot_type"`
		Params   []struct {
			Type  int    `json:"type"`
			Value string `json:"value"`
		} `json:"params"`
		SAKKEParams int    `json:"sakke_params"`
		IDScheme    int    `json:"id_scheme"`
		SAKKEData   string `json:"sakke_data"`
		ExtType     int    `json:"ext_type"`
		Data        string `json:"data"`
		SType       int    `json:"s_type"`
		Signature   string `json:"signature"`
	} `json:"payloads"`
}

// thirdParty reads the collection, or ends the test when it is not there.
func thirdParty(t testing.TB) []tpMessage {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "shared", "vectors", "third-party", "tp-messages.json"))
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") == "true" {
			t.Fatal("the published messages are absent")
		}
		t.Skip("the published messages are absent")
	}
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Messages []tpMessage }
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Messages) != 25 {
		t.Fatalf("%d messages instead of 25", len(f.Messages))
	}
	return f.Messages
}

func (m *tpMessage) raw(t testing.TB) []byte {
	t.Helper()
	b, form, err := Decode([]byte(m.Base64))
	if err != nil || form != FormBase64 || len(b) != m.Length {
		t.Fatalf("%s: Decode: %d octets, %s, %v", m.ID, len(b), form, err)
	}
	return b
}

// tiles is a Tracer that checks the promise of a Tracer.
type tiles struct {
	t    testing.TB
	at   int
	seen map[string]int
}

var fieldNames = func() map[string]bool {
	m := make(map[string]bool)
	for _, f := range Fields() {
		m[f.Name] = true
	}
	return m
}()

func (c *tiles) see(field string, off, end int) {
	if off != c.at || end <= off {
		c.t.Errorf("%s is [%d,%d), but the last field ended at %d", field, off, end, c.at)
	}
	if !fieldNames[field] {
		c.t.Errorf("%s is not among Fields", field)
	}
	c.at = end
	if c.seen != nil {
		c.seen[field]++
	}
}

// mustHold checks what holds for any octets: no loss on writing back, tiles,
// errors with a place, ranges in order, agreement of Names with Parse.
func mustHold(t testing.TB, b []byte) (*Message, error) {
	t.Helper()
	trace := &tiles{t: t}
	m, err := Parse(b, trace.see)
	if m == nil {
		t.Fatalf("no message for %x", b)
	}
	if len(b) <= 64<<10 && trace.at != len(b) {
		t.Fatalf("the fields end at %d of %d octets", trace.at, len(b))
	}
	if err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Off < 0 || e.Off > len(b) || e.Field == "" || e.Spec == "" || e.Err == nil {
			t.Fatalf("error %#v for %d octets", err, len(b))
		}
		if !fieldNames[e.Field] {
			t.Errorf("error in %s, which is not among Fields", e.Field)
		}
		if e.Error() == "" || errors.Unwrap(err) == nil {
			t.Errorf("error without text or cause: %#v", err)
		}
	}
	out, aerr := m.AppendBinary([]byte("x"))
	if aerr != nil || string(out) != "x"+string(b) {
		t.Fatalf("written back (%v)\n%x\ninstead of\n%x", aerr, out[1:], b)
	}
	at := m.Header.End
	for _, p := range m.Payloads {
		off, end := p.Range()
		if off != at || end <= off || end > len(b) {
			t.Fatalf("%s has range [%d,%d) after %d", p.Type(), off, end, at)
		}
		at = end
	}
	if len(m.Rest) > 0 && m.RestOff+len(m.Rest) != len(b) {
		t.Fatalf("%d octets of rest at %d of %d", len(m.Rest), m.RestOff, len(b))
	}
	for _, d := range m.Deviations {
		if d.Off < 0 || d.End < d.Off || d.End > len(b) || d.Kind == "" || d.Field == "" || d.Spec == "" || d.Text == "" {
			t.Errorf("deviation %+v of %d octets", d, len(b))
		}
	}
	withHeader, without := m.SignedOctets(b)
	if s := m.Sign(); s != nil && (len(without) != s.Off || len(withHeader) != s.Off+2 || !bytes.HasPrefix(b, withHeader)) {
		t.Errorf("signed octets %d and %d, SIGN at %d", len(withHeader), len(without), s.Off)
	}
	agree(t, b, m, err)
	return m, err
}

// agree checks that Names finds what Parse finds.
func agree(t testing.TB, b []byte, m *Message, err error) {
	t.Helper()
	n, ok := Names(b)
	raw := err != nil
	if k := len(m.Payloads); k > 0 {
		_, r := m.Payloads[k-1].(*Raw)
		raw = raw || r
	}
	raw = raw || m.Header.MapType > MapGenericID
	if ok == raw {
		t.Fatalf("Names says %v, Parse says %v", ok, err)
	}
	if !ok {
		return
	}
	if n.CSBID != m.CSBID() || n.DataType != m.Header.DataType || n.KeyType() != m.KeyType() {
		t.Errorf("Names: %08x %s", n.CSBID, n.DataType)
	}
	if ts := m.Timestamp(); (ts != nil) != n.HasTime || ts != nil && ts.TS != n.Time {
		t.Errorf("Names: time %+v, Parse: %+v", n.Time, ts)
	}
	same := func(what string, s Span, id *IDR) {
		t.Helper()
		if id == nil || len(id.ID) == 0 {
			return // a span cannot tell an empty identity from none
		}
		if !bytes.Equal(s.Of(b), id.ID) {
			// Names passes over empty identities, the accessors do not.
			t.Errorf("Names: %s is %x, Parse: %x", what, s.Of(b), id.ID)
		}
	}
	same("initiator", n.Initiator, m.IDR(RoleInitiator))
	same("responder", n.Responder, m.IDR(RoleResponder))
	same("hidden initiator", n.InitiatorUID, m.IDR(RoleUIDInitiator))
	same("hidden responder", n.ResponderUID, m.IDR(RoleUIDResponder))
	same("initiator's KMS", n.InitiatorKMS, m.InitiatorKMS())
	same("responder's KMS", n.ResponderKMS, m.ResponderKMS())
	if s := m.SAKKE(); s != nil && len(s.Data) > 0 && !bytes.Equal(n.SAKKE.Of(b), s.Data) {
		t.Error("Names: SAKKE data differ")
	}
	if r := m.RAND(); r != nil && len(r.Data) > 0 && !bytes.Equal(n.RAND.Of(b), r.Data) {
		t.Error("Names: RAND differs")
	}
	if s := m.Sign(); (s != nil) != n.Sign.Present() || s != nil && (s.Off != n.Sign.Off || s.End != n.Sign.End) {
		t.Errorf("Names: SIGN at %+v", n.Sign)
	}
}

// kinds lists the deviations for comparison.
func kinds(m *Message) string {
	var s []string
	for _, d := range m.Deviations {
		s = append(s, string(d.Kind))
	}
	return strings.Join(s, " ")
}
