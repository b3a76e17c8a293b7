package mikeyparse

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/mcxdump/mcxdump/internal/lab/known"
)

// csk641 is a CSK upload of alice to mcptt.example.org with one crypto session and protected key parameters.
var csk641 = hex.EncodeToString(known.IMessage())

func TestKnownMessage(t *testing.T) {
	b := unhex(t, csk641)
	m, err := mustHold(t, b)
	if err != nil || len(m.Deviations) != 0 || len(m.Rest) != 0 || len(b) != 641 {
		t.Fatalf("%d octets: %v, %v, rest %x", len(b), err, m.Deviations, m.Rest)
	}
	got := func(what string, have, want any) {
		t.Helper()
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s is %v instead of %v", what, have, want)
		}
	}
	h := &m.Header
	got("header", fmt.Sprint(h.Version, h.DataType, h.Next, h.V, h.PRF, h.NumCS, h.MapType, h.End), "1 SAKKE I_MESSAGE T false PRF-HMAC-SHA-256 1 GENERIC-ID 21")
	got("CSB ID", fmt.Sprintf("%08x", m.CSBID()), "2abcdef0")
	got("key type", m.KeyType(), "CSK")
	g := h.Generic[0]
	got("map", fmt.Sprintf("%d %s %s %v %x %x %x", g.CSID, CSIDName(g.CSID), g.ProtType, g.S, g.Policies, g.Session, g.SPI), "6 CSK SRTCP MCPTT SRTP false 00  2abcdef0")
	ts := m.Timestamp()
	got("T", fmt.Sprint(ts.TSType, ts.Time(), ts.Form(), ts.NTPSeconds()), "NTP-UTC 2024-01-01 00:00:00 +0000 UTC NTP 3913056000")
	got("RAND", hex.EncodeToString(m.RAND().Data), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf")
	for _, c := range []struct {
		id         *IDR
		role, text string
	}{
		{m.Initiator(), "IDRi", "sip:alice@example.org"},
		{m.Responder(), "IDRr", "mcptt.example.org"},
		{m.InitiatorKMS(), "IDRkmsi", "kms.example.org"},
		{m.ResponderKMS(), "IDRkmsr", "kms.example.org"},
	} {
		text, ok := c.id.Text()
		got("identity", fmt.Sprintln(c.id.Role, c.id.IDType, text, ok), fmt.Sprintln(c.role, "URI", c.text, true))
	}
	sp := m.SP()
	got("policy", fmt.Sprint(sp.PolicyNo, sp.ProtType, len(sp.Params)), "0 SRTP 6")
	var params []string
	for _, q := range sp.Params {
		params = append(params, fmt.Sprintf("%d=%s", q.Type, q.ValueName()))
	}
	got("parameters", params, "[0=AES-GCM 1=16 4=12 5=AES-CM 6=0 20=16]")
	s := m.SAKKE()
	r, hh, ok := s.Split()
	got("SAKKE", fmt.Sprintf("%s, %s, %d, %x.. %d, ..%x %d, %v", s.Params, s.IDScheme, len(s.Data), r[:3], len(r), hh[12:], len(hh), ok), "Parameter Set 1, 3GPP MCX hashed UID, 273, 040e53.. 257, ..4440c1e9 16, true")
	q := m.KeyParameters().Protected
	got("key parameters", fmt.Sprintf("%02x %v %v %d %s %08x %d %s %x %08x %02x %d %v", q.MessageType, q.Encrypted(), q.Authenticated(), q.Message(), q.Time().Format("2006-01-02"), q.PayloadID, q.Sequence, q.Algorithm, q.IV, q.DPPKID, q.IEI, len(q.Sealed), q.HasSigAlg),
		"43 true false 3 2024-01-01 00000000 0 AEAD_AES_128_GCM 101112131415161718191a1b1c1d1e1f 2abcdef0 78 33 false")
	got("AAD", hex.EncodeToString(q.AAD), "430065920080000000000001101112131415161718191a1b1c1d1e1f2abcdef0")
	sg := m.Sign()
	sr, ss, pvt, ok := sg.ECCSI()
	got("SIGN", fmt.Sprintf("%s %d %x %x %x %d %v", sg.SigType, len(sg.Signature), sr[:4], ss[28:], pvt[:4], len(pvt), ok), "ECCSI 129 2fe1ebae 3b98e104 04ed447e 65 true")
	with, without := m.SignedOctets(b)
	got("signed octets", fmt.Sprint(len(with), len(without)), "512 510")
	if m.SAKKEToSelf() != nil || m.Extension(ExtSAKKEToSelf) != nil || m.KEMAC() != nil {
		t.Error("payloads found that are not there")
	}
}

func TestThirdParty(t *testing.T) {
	for _, v := range thirdParty(t) {
		t.Run(v.ID, func(t *testing.T) {
			b := v.raw(t)
			m, err := mustHold(t, b)
			if err != nil {
				t.Fatal(err)
			}
			h := &m.Header
			if int(h.Version) != v.Header.Version || int(h.DataType) != v.Header.DataType || int(h.Next) != v.Header.Next ||
				h.V != (v.Header.VFlag == 1) || int(h.PRF) != v.Header.PRF || fmt.Sprintf("%08x", m.CSBID()) != v.Header.CSBID ||
				int(h.NumCS) != v.Header.NCS || int(h.MapType) != v.Header.MapTyp || h.End != v.Header.Length {
				t.Errorf("header %+v, want %+v", h, v.Header)
			}
			if len(h.Generic)+len(h.SRTP) != len(v.Header.Map) {
				t.Fatalf("%d map entries instead of %d", len(h.Generic)+len(h.SRTP), len(v.Header.Map))
			}
			for i, e := range h.Generic {
				w := v.Header.Map[i]
				if int(e.CSID) != w.CSID || int(e.ProtType) != w.Prot || e.S != (w.S == 1) || len(e.Policies) != len(w.Policies) || hex.EncodeToString(e.Session) != w.Session || hex.EncodeToString(e.SPI) != w.SPI {
					t.Errorf("map entry %+v, want %+v", e, w)
				}
			}
			for i, e := range h.SRTP {
				w := v.Header.Map[i]
				if int(e.PolicyNo) != w.PolicyNo || fmt.Sprintf("%08x", e.SSRC) != w.SSRC || e.ROC != w.ROC {
					t.Errorf("map entry %+v, want %+v", e, w)
				}
			}
			if len(m.Payloads) != len(v.Payloads) {
				t.Fatalf("%d payloads instead of %d", len(m.Payloads), len(v.Payloads))
			}
			for i, w := range v.Payloads {
				p := m.Payloads[i]
				off, end := p.Range()
				if int(p.Type()) != w.Type || off != w.Offset || end-off != w.Length || int(p.base().Next) != w.Next {
					t.Errorf("payload %s at %d with %d octets, next %s, want %+v", p.Type(), off, end-off, p.base().Next, w)
				}
				var have, want string
				switch p := p.(type) {
				case *T:
					have, want = fmt.Sprintf("%d %016x", p.TSType, p.Value), fmt.Sprintf("%d %s", w.TSType, w.TSValue)
				case *RAND:
					have, want = hex.EncodeToString(p.Data), w.RAND
				case *IDR:
					have, want = fmt.Sprintf("%d %d %x", p.Role, p.IDType, p.ID), fmt.Sprintf("%d %d %s", w.Role, w.IDType, w.IDData)
				case *SP:
					have, want = fmt.Sprintf("%d %d", p.PolicyNo, p.ProtType), fmt.Sprintf("%d %d", w.PolicyNo, w.Prot)
					for _, q := range p.Params {
						have += fmt.Sprintf(" %d=%x", q.Type, q.Value)
					}
					for _, q := range w.Params {
						want += fmt.Sprintf(" %d=%s", q.Type, q.Value)
					}
				case *SAKKE:
					have, want = fmt.Sprintf("%d %d %x", p.Params, p.IDScheme, p.Data), fmt.Sprintf("%d %d %s", w.SAKKEParams, w.IDScheme, w.SAKKEData)
				case *GenExt:
					have, want = fmt.Sprintf("%d %x", p.ExtType, p.Data), fmt.Sprintf("%d %s", w.ExtType, w.Data)
				case *SIGN:
					have, want = fmt.Sprintf("%d %x", p.SigType, p.Signature), fmt.Sprintf("%d %s", w.SType, w.Signature)
				default:
					t.Errorf("payload %T", p)
				}
				if have != want {
					t.Errorf("%T is %s, want %s", p, have, want)
				}
			}
			if want, ok := tpDeviations[v.ID]; kinds(m) != want || !ok {
				t.Errorf("deviations\n%q: %q,", v.ID, kinds(m))
			}
		})
	}
}

// Each message of the collection departs from the specification somewhere.
var tpDeviations = map[string]string{
	"tp-01": "uid-type uid-type",
	"tp-02": "uid-type uid-type",
	"tp-03": "uid-type uid-type sp-empty-map",
	"tp-04": "map-legacy uid-type uid-type keyparams-plain",
	"tp-05": "uid-type uid-type sp-empty-map",
	"tp-06": "uid-type uid-type sp-empty-map",
	"tp-07": "map-count uid-type uid-type",
	"tp-08": "uid-type uid-type",
	"tp-09": "uid-type uid-type",
	"tp-10": "uid-type uid-type",
	"tp-11": "uid-type uid-type",
	"tp-12": "",
	"tp-13": "v-set prf map-legacy uid-role uid-role id-nul id-nul keyparams-plain",
	"tp-14": "v-set prf map-legacy uid-role uid-role id-nul id-nul keyparams-plain",
	"tp-15": "v-set prf map-legacy uid-role uid-role id-nul id-nul keyparams-plain",
	"tp-16": "v-set prf map-legacy uid-role uid-role id-nul id-nul keyparams-plain",
	"tp-17": "time-low-32 keyparams-plain inner-structure",
	"tp-18": "prf time-unix-le kms-role kms-role sp-empty-map keyparams-plain",
	"tp-19": "",
	"tp-20": "",
	"tp-21": "",
	"tp-22": "prf time-unix-le kms-role kms-role sp-empty-map keyparams-plain",
	"tp-23": "prf time-unix-le kms-role kms-role sp-empty-map sed-length keyparams-plain",
	"tp-24": "prf time-unix-le kms-role kms-role sp-empty-map keyparams-plain",
	"tp-25": "sp-empty-map sed-length",
}

func TestCuts(t *testing.T) {
	vectors := [][]byte{unhex(t, csk641), zooMessage(t)}
	for n := range vectors {
		cutAll(t, vectors[n])
	}
}

func TestThirdPartyCuts(t *testing.T) {
	for _, v := range thirdParty(t) {
		cutAll(t, v.raw(t))
	}
}

// cutAll parses every beginning of b: each is short somewhere, and all that
// stands before the cut is returned.
func cutAll(t *testing.T, b []byte) {
	t.Helper()
	whole, err := Parse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		m, err := mustHold(t, b[:n:n])
		if !errors.Is(err, ErrShort) {
			t.Fatalf("cut at %d of %d: %v", n, len(b), err)
		}
		var complete int
		for _, p := range whole.Payloads {
			if _, end := p.Range(); end <= n {
				complete++
			}
		}
		if n < whole.Header.End {
			if n >= 8 && m.CSBID() != whole.CSBID() {
				t.Fatalf("cut at %d: CSB ID %08x", n, m.CSBID())
			}
			continue
		}
		if len(m.Payloads) != complete {
			t.Fatalf("cut at %d: %d payloads instead of %d", n, len(m.Payloads), complete)
		}
		if m.Partial == nil || m.Partial.Type() != whole.Payloads[complete].Type() {
			t.Fatalf("cut at %d: partial payload %v", n, m.Partial)
		}
	}
}

func TestDamage(t *testing.T) {
	b := unhex(t, csk641)
	whole, _ := Parse(b, nil)
	// at changes octets of payload number i (T, RAND, four IDR, SP, SAKKE, general
	// extension, SIGN), or of the header when i is negative.
	at := func(i, off int, with string) func([]byte) []byte {
		if i >= 0 {
			off += whole.Payloads[i].base().Off
		}
		return func(b []byte) []byte {
			copy(b[off:], unhex(t, with))
			return b
		}
	}
	sign := whole.Sign().Off
	last := whole.Payloads[8].base().Off
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		want   string
		cause  error
	}{
		{"none", func(b []byte) []byte { return b }, "", nil},
		{"version", at(-1, 0, "02"), "version", nil},
		{"data type", at(-1, 1, "4d"), "data-type", nil},
		{"V", at(-1, 3, "81"), "v-set", nil},
		{"PRF", at(-1, 3, "02"), "prf", nil},
		{"map type", at(-1, 9, "07"), "map-type", nil},
		{"map of SRTP-IDs instead, payloads astray", at(-1, 9, "00"), "map-legacy undecodable", nil},
		{"no session, payloads astray", at(-1, 8, "00"), "map-count unknown-payload", nil},
		{"RAND as unknown payload", at(0, 0, "1b"), "unknown-payload", nil},
		{"RAND as SK", at(0, 0, "18"), "subpayload", nil},
		{"RAND short", at(1, 1, "0f"), "rand-short id-text id-role unknown-payload", nil},
		{"time stamp type", at(0, 1, "09"), "undecodable", nil},
		{"Unix time", at(0, 2, "8000926500000000"), "time-unix-le", nil},
		{"low time", at(0, 2, "00000000e93c7f00"), "time-low-32", nil},
		{"ID role", at(2, 1, "0a"), "id-role missing-payload", nil},
		{"ID type", at(2, 2, "03"), "id-type", nil},
		{"hidden", at(2, 1, "08"), "uid-type uid-length", nil},
		{"hidden, byte string", at(2, 1, "0802"), "uid-length", nil},
		{"identity with a zero", at(3, 21, "00"), "id-nul", nil},
		{"identity with a control octet", at(3, 20, "00"), "id-text", nil},
		{"CS ID", at(-1, 10, "05"), "cs-id", nil},
		{"purpose tag", at(-1, 4, "7a"), "dppk-id key-type", nil},
		{"KMS role", at(4, 1, "03"), "kms-role", nil},
		{"no KMS", at(4, 1, "05"), "missing-payload", nil},
		{"SAKKE parameters", at(7, 1, "02"), "sakke-params", nil},
		{"ID scheme", at(7, 2, "01"), "id-scheme", nil},
		{"SED point", at(7, 5, "02"), "sed-point", nil},
		{"DPPK-ID", at(8, 32, "2abcdef1"), "dppk-id", nil},
		{"RSA signature", at(9, 0, "0081"), "sign-type", nil},
		{"signature beyond the end", at(9, 0, "2082"), "", ErrShort},
		{"trailing", func(b []byte) []byte { return append(b, 0, 0) }, "sign-not-last trailing-octets", nil},
		{"short signature", at(9, 0, "2080"), "sign-length sign-not-last trailing-octets", nil},
		{"no SIGN", func(b []byte) []byte { b[last] = 0; return b[:sign] }, "missing-payload", nil},
		{"no SIGN, trailing", func(b []byte) []byte { b[last] = 0; return b }, "trailing-octets missing-payload", nil},
		{"unknown payload, but none", func(b []byte) []byte { b[last] = 99; return b[:sign] }, "", ErrShort},
		{"no payload", func(b []byte) []byte { b[2] = 0; return b[:21] }, "missing-payload missing-payload missing-payload missing-payload missing-payload missing-payload missing-payload missing-payload", nil},
		{"policy value too long", at(6, 21, "ff"), "inner-structure", nil},
		{"extension type", at(8, 1, "20"), "", nil},
		{"plain key parameters", at(8, 4, "02"), "", nil},
		{"key parameters cut", at(8, 37, "0022"), "inner-structure", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mustHold(t, c.change(bytes.Clone(b)))
			if !errors.Is(err, c.cause) || kinds(m) != c.want {
				t.Errorf("%v; %q instead of %q", err, kinds(m), c.want)
			}
		})
	}
}

func TestDuplicates(t *testing.T) {
	m, err := Parse(unhex(t, csk641), nil)
	if err != nil {
		t.Fatal(err)
	}
	again := *m.RAND()
	m.Payloads = append([]Payload{&again}, m.Payloads...)
	m.Link()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := mustHold(t, b)
	if err != nil || kinds(back) != "duplicate" || back.Deviations[0].Off != back.Payloads[2].base().Off {
		t.Errorf("%v, %v", err, back.Deviations)
	}
}

func TestLimits(t *testing.T) {
	b := unhex(t, csk641)
	m, err := Limits{Message: 640}.Parse(b, nil)
	if !errors.Is(err, ErrLimit) || !bytes.Equal(m.Rest, b) {
		t.Errorf("size: %v, %d octets of rest", err, len(m.Rest))
	}
	if out, err := m.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
		t.Errorf("size: written back %x, %v", out, err)
	}
	m, err = Limits{Payloads: 4}.Parse(b, nil)
	if !errors.Is(err, ErrLimit) || len(m.Payloads) != 4 || m.RestOff != m.Payloads[3].base().End {
		t.Errorf("payloads: %v, %d payloads", err, len(m.Payloads))
	}
	m, err = Limits{Entries: 3}.Parse(b, nil)
	if err != nil || kinds(m) != "inner-structure" || len(m.SP().Params) != 3 || len(m.SP().Tail) != 9 {
		t.Errorf("entries: %v, %q, %+v", err, kinds(m), m.SP())
	}
	if out, err := m.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
		t.Errorf("entries: written back %x, %v", out, err)
	}
	long := append(unhex(t, "011a0501000000000001"), bytes.Repeat(unhex(t, "050000000000000000 00"), 300)...)
	if _, err := mustHold(t, long); !errors.Is(err, ErrLimit) {
		t.Errorf("300 payloads: %v", err)
	}
	if _, err := Parse(make([]byte, 64<<10+1), nil); !errors.Is(err, ErrLimit) {
		t.Errorf("64 KiB and one octet: %v", err)
	}
}

func TestLink(t *testing.T) {
	m := &Message{
		Header:   Header{Version: 1, DataType: DataSAKKE, PRF: PRFHMACSHA256, CSBID: 0x2abcdef0, MapType: MapEmpty},
		Payloads: []Payload{&T{TS: TS{TSNTPUTC, 1}}, &RAND{Data: make([]byte, 16)}, &SIGN{SigType: SigECCSI}},
	}
	m.Link()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := mustHold(t, b)
	if err != nil || len(back.Payloads) != 3 || back.Payloads[2].Type() != TypeSIGN {
		t.Fatalf("%x: %v, %v", b, back.Payloads, err)
	}
}

func TestAppendRefuses(t *testing.T) {
	long := make([]byte, 1<<16)
	for _, p := range []Payload{
		&SIGN{Signature: long[:4096]}, &SIGN{SigType: 16}, &IDR{ID: long}, &ID{ID: long}, &CERT{Data: long},
		&RAND{Data: long[:256]}, &RANDR{Data: long[:256]}, &SAKKE{Data: long}, &GenExt{Data: long},
		&SP{Tail: long}, &SP{Params: []SPParam{{0, long[:256]}}}, &T{TS: TS{TSType: 9}}, &TR{TS: TS{TSType: TSCounter, Value: 1 << 32}},
		&KEMAC{Data: long}, &KEMAC{MACAlg: MACHMACSHA1160}, &KEMAC{MACAlg: 9}, &V{AuthAlg: MACNULL, Data: long[:1]},
		&PKE{Data: long[:1<<14]}, &PKE{Cache: 4}, &DH{Group: 9}, &DH{Group: DHOakley1}, &CHASH{Func: 9}, &CHASH{},
		&KeyData{Key: long}, &KeyData{KeyDataType: 16}, &KeyData{KV: KV{Type: 3}}, &KeyData{KeyDataType: KeyTGKSalt, Salt: long},
		&KeyData{KV: KV{Type: KVSPI, SPI: long[:256]}}, &KeyData{KV: KV{Type: KVInterval, ValidFrom: long[:256]}},
		&TP{TicketPolicy: TicketPolicy{Flags: 1 << 12}}, &TICKET{TicketPolicy: TicketPolicy{PRF: 128}}, &TICKET{Ticket: long},
		&TICKET{Initiator: long}, &IBAKE{Data: long}, &ESK{Data: long},
	} {
		m := Message{Payloads: []Payload{p}}
		if _, err := m.AppendBinary(nil); err == nil {
			t.Errorf("%T was written", p)
		}
	}
	for _, h := range []Header{
		{PRF: 128}, {MapType: MapSRTPID, SRTP: make([]SRTPID, 256)},
		{MapType: MapGenericID, Generic: []GenericID{{Policies: long[:128]}}},
		{MapType: MapGenericID, Generic: []GenericID{{Session: long}}},
		{MapType: MapGenericID, Generic: []GenericID{{SPI: long[:256]}}},
	} {
		if _, err := (&Message{Header: h}).AppendBinary(nil); err == nil {
			t.Errorf("%+v was written", h)
		}
	}
}

func FuzzParse(f *testing.F) {
	b := unhex(f, csk641)
	f.Add(b)
	f.Add(b[:300])
	f.Add(zooMessage(f))
	for _, s := range zoo {
		f.Add(append(unhex(f, fmt.Sprintf("0100%02x00000000000001", uint8(s.kind))), unhex(f, s.hex)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := mustHold(t, b)
		out, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Parse(out, nil)
		if len(again.Payloads) != len(m.Payloads) || kinds(again) != kinds(m) || again.RestOff != m.RestOff {
			t.Fatalf("%d payloads, then %d", len(m.Payloads), len(again.Payloads))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	msg := unhex(b, csk641)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(msg, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	msg := unhex(b, csk641)
	m, err := Parse(msg, nil)
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, len(msg))
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if out, err = m.AppendBinary(out[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
