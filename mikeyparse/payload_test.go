package mikeyparse

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const (
	hex20 = "000102030405060708090a0b0c0d0e0f10111213"
	hex32 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

// zoo has a specimen of each payload; the first octet is the next payload.
var zoo = []struct {
	name string
	kind PayloadType
	hex  string
	want string // fmt %+v of the fields behind Base, octets as hex
}{
	{"KEMAC NULL", TypeKEMAC, "00 00 0003 aabbcc 00", "EncrAlg:NULL Data:aabbcc MACAlg:NULL MAC:"},
	{"KEMAC SHA-1", TypeKEMAC, "00 01 0002 aabb 01" + hex20, "EncrAlg:AES-CM-128 Data:aabb MACAlg:HMAC-SHA-1-160 MAC:" + hex20},
	{"KEMAC SHA-256", TypeKEMAC, "00 03 0000 02" + hex32, "EncrAlg:AES-CM-256 Data: MACAlg:HMAC-SHA-256-256 MAC:" + hex32},
	{"PKE", TypePKE, "00 8002 aabb", "Cache:Cache for CSB Data:aabb"},
	{"DH OAKLEY 1", TypeDH, "00 01" + hex32 + hex32 + hex32 + "01 02 abcd", "Group:OAKLEY 1 Value:" + hex32 + hex32 + hex32 + " Reserved:0 KV:{Type:SPI/MKI SPI:abcd ValidFrom: ValidTo:}"},
	{"DH OAKLEY 2", TypeDH, "00 02" + hex32 + hex32 + hex32 + hex32 + "02 01 01 02 0203", "Group:OAKLEY 2 Value:" + hex32 + hex32 + hex32 + hex32 + " Reserved:0 KV:{Type:Interval SPI: ValidFrom:01 ValidTo:0203}"},
	{"DH OAKLEY 5", TypeDH, "00 00" + hex32 + hex32 + hex32 + hex32 + hex32 + hex32 + "00", "Group:OAKLEY 5 Value:" + hex32 + hex32 + hex32 + hex32 + hex32 + hex32 + " Reserved:0 KV:{Type:NULL SPI: ValidFrom: ValidTo:}"},
	{"SIGN", TypeSIGN, "1002 aabb", "SigType:RSA/PSS Signature:aabb"},
	{"T NTP", TypeT, "00 01 e93c7f0080000000", "TS:{TSType:NTP Value:16806447549564059648}"},
	{"T counter", TypeT, "00 02 00000007", "TS:{TSType:COUNTER Value:7}"},
	{"T 32", TypeT, "00 03 e93c7f00", "TS:{TSType:NTP-UTC-32 Value:3913056000}"},
	{"ID", TypeID, "00 00 0003 616263", "IDType:NAI ID:616263"},
	{"CERT", TypeCERT, "00 01 0003 616263", "CertType:X.509v3 URL Data:616263"},
	{"CHASH SHA-1", TypeCHASH, "00 00" + hex20, "Func:SHA-1 Hash:" + hex20},
	{"CHASH MD5", TypeCHASH, "00 01" + hex20[:32], "Func:MD5 Hash:" + hex20[:32]},
	{"CHASH SHA-256", TypeCHASH, "00 02" + hex32, "Func:SHA-256 Hash:" + hex32},
	{"V", TypeV, "00 01" + hex20, "AuthAlg:HMAC-SHA-1-160 Data:" + hex20},
	{"SP", TypeSP, "00 07 00 0007 00 01 06 0d 02 0001", "PolicyNo:7 ProtType:SRTP Params:[{Type:encryption algorithm Value:06} {Type:ROC transmission rate Value:0001}] Tail:"},
	{"SP empty", TypeSP, "00 00 01 0000", "PolicyNo:0 ProtType:TESLA Params:[] Tail:"},
	{"SP with a tail", TypeSP, "00 00 00 0005 00 01 06 01 05", "PolicyNo:0 ProtType:SRTP Params:[{Type:encryption algorithm Value:06}] Tail:0105"},
	{"RAND", TypeRAND, "00 10" + hex20[:32], "Data:" + hex20[:32]},
	{"ERR", TypeERR, "00 0d 0000", "ErrorNo:Unsupported message type Reserved:0"},
	{"TR", TypeTR, "00 02 00 e93c7f0000000000", "Role:start (TRs) TS:{TSType:NTP-UTC Value:16806447547416576000}"},
	{"IDR", TypeIDR, "00 09 02 0003 aabbcc", "Role:IDRuidr IDType:Byte string ID:aabbcc"},
	{"RANDR", TypeRANDR, "00 03 02 aabb", "Role:RANDRkms Data:aabb"},
	{"TP", TypeTP, "00 0001 02 03 03ffe0 0002 aabb", "TicketPolicy:{TicketType:MIKEY base ticket Subtype:2 Version:3 PRF:PRF-HMAC-SHA-256 Flags:4095 Reserved:0 Data:aabb}"},
	{"TICKET", TypeTICKET, "00 0002 02 03 020020 0001 aa 0002 bbcc 0001 dd", "TicketPolicy:{TicketType:3GPP base ticket Subtype:2 Version:3 PRF:PRF-HMAC-SHA-256 Flags:1 Reserved:0 Data:aa} Ticket:bbcc Initiator:dd"},
	{"Key data", TypeKeyData, "00 21 0002 aabb 01 cc", "KeyDataType:TEK Key:aabb Salt: KV:{Type:SPI/MKI SPI:cc ValidFrom: ValidTo:}"},
	{"Key data, salted", TypeKeyData, "00 52 0001 aa 0002 bbcc 01 01 01 02", "KeyDataType:GTGK+SALT Key:aa Salt:bbcc KV:{Type:Interval SPI: ValidFrom:01 ValidTo:02}"},
	{"IBAKE", TypeIBAKE, "00 0002 aabb", "Data:aabb"},
	{"ESK", TypeESK, "00 0002 aabb", "Data:aabb"},
	{"SAKKE", TypeSAKKE, "00 01 02 0002 aabb", "Params:Parameter Set 1 IDScheme:3GPP MCX hashed UID Data:aabb"},
	{"vendor", TypeGenExt, "00 00 0002 aabb", "ExtType:Vendor ID Data:aabb"},
	{"SDP IDs", TypeGenExt, "00 01 000b 6d696b65793b6b65797031", "ExtType:SDP IDs Data:6d696b65793b6b65797031"},
	{"TESLA", TypeGenExt, "00 02 0001 aa", "ExtType:TESLA I-Key Data:aa"},
	{"Key ID", TypeGenExt, "00 03 0007 00 01 aa 02 02 bbcc", "ExtType:Key ID Data:0001aa0202bbcc KeyIDs:[{Type:MBMS Key Domain ID ID:aa} {Type:MBMS Traffic Key ID ID:bbcc}]"},
	{"CSB ID", TypeGenExt, "00 04 0004 12345678", "ExtType:CSB_ID Data:12345678"},
	{"BCAST", TypeGenExt, "00 05 0003 02 aabb", "ExtType:OMA BCAST Data:02aabb"},
	{"SAKKE-to-self", TypeGenExt, "00 06 0007 1a 01 02 0002 aabb", "ExtType:SAKKE-to-self Data:1a01020002aabb"},
	{"key parameters, sealed", TypeGenExt, "00 07 0026 43 0065920080 00000000 00 01" + hex20[:32] + "00000000 78 0003 aabbcc", ""},
	{"key parameters, sealed, longer", TypeGenExt, "00 07 0027 43 0065920080 00000000 00 01 05" + hex20[:32] + "00000000 78 0003 aabbcc", ""},
	{"key parameters, plain", TypeGenExt, "00 07 0011 01 00000001 0000000000 0000000000 0000", ""},
	{"key parameters, group", TypeGenExt, "00 07 0019 00 00000001 0000000001 00ffffffff 0001 61 0005 01 7b 0001 62", ""},
	{"extension 99", TypeGenExt, "00 63 0002 aabb", "ExtType:ExtType(99) Data:aabb"},
}

// show prints the fields of a payload behind Base, octet strings as hex.
func show(p Payload) string {
	s := reflect.ValueOf(p).Elem()
	var out []string
	for i := range s.NumField() {
		f := s.Type().Field(i)
		if f.Name == "Base" || !f.IsExported() || f.Type.Kind() == reflect.Pointer || f.Name == "KeyIDs" && s.Field(i).Len() == 0 {
			continue
		}
		out = append(out, f.Name+":"+showValue(s.Field(i)))
	}
	return strings.Join(out, " ")
}

func showValue(v reflect.Value) string {
	if str, ok := v.Interface().(fmt.Stringer); ok {
		return str.String()
	}
	switch {
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return hex.EncodeToString(v.Bytes())
	case v.Kind() == reflect.Slice:
		var out []string
		for i := range v.Len() {
			out = append(out, showValue(v.Index(i)))
		}
		return "[" + strings.Join(out, " ") + "]"
	case v.Kind() == reflect.Struct:
		var out []string
		for i := range v.NumField() {
			out = append(out, v.Type().Field(i).Name+":"+showValue(v.Field(i)))
		}
		return "{" + strings.Join(out, " ") + "}"
	}
	return fmt.Sprint(v.Interface())
}

func TestPayloads(t *testing.T) {
	for _, c := range zoo {
		t.Run(c.name, func(t *testing.T) {
			body := unhex(t, c.hex)
			b := append([]byte{1, 0, uint8(c.kind), 0, 0, 0, 0, 0, 0, 1}, body...)
			m, err := mustHold(t, b)
			if err != nil || len(m.Payloads) != 1 || len(m.Rest) != 0 {
				t.Fatalf("%v: %v, rest %x", err, m.Payloads, m.Rest)
			}
			p := m.Payloads[0]
			if p.Type() != c.kind {
				t.Errorf("type %s", p.Type())
			}
			if got := show(p); c.want != "" && got != c.want {
				t.Errorf("read\n%s instead of\n%s", got, c.want)
			}
			for n := len(b) - len(body); n < len(b); n++ {
				if m, err := mustHold(t, b[:n:n]); err == nil || len(m.Payloads) != 0 {
					t.Errorf("cut at %d: %v, %v", n, m.Payloads, err)
				}
			}
		})
	}
}

// zooMessage chains all specimens, SIGN last.
func zooMessage(t testing.TB) []byte {
	m := &Message{Header: Header{Version: 1, DataType: DataRequestInitPK, MapType: MapSRTPID, SRTP: []SRTPID{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}}}
	var sign Payload
	for _, c := range zoo {
		b := append([]byte{1, 0, uint8(c.kind), 0, 0, 0, 0, 0, 0, 1}, unhex(t, c.hex)...)
		one, err := Parse(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.kind == TypeSIGN {
			sign = one.Payloads[0]
			continue
		}
		m.Payloads = append(m.Payloads, one.Payloads[0])
	}
	m.Payloads = append(m.Payloads, sign)
	m.Link()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each name of Fields is told to a Tracer by one specimen or another.
func TestFieldsComplete(t *testing.T) {
	c := &tiles{t: t, seen: make(map[string]int)}
	run := func(b []byte) {
		c.at = 0
		Parse(b, c.see)
	}
	run(unhex(t, csk641))
	run(append(zooMessage(t), 0))
	run(unhex(t, "011a05012abcdef001010600"))
	run(unhex(t, "011a0b012abcdef0010206008100 0002 aabb 04 2abcdef0 00"))
	run(unhex(t, "01001500000000000001 0a 04 0006 01020304 0506 63 00 00 0002 0001 aabb"))
	run(unhex(t, "01000a00000000000001 00 00 00 0004 0005aabb"))
	for _, s := range []string{keyParamsGMK, "78 0013 02 00000001 0000000000 0000000000 0000 ffff", "00 00000001 0000000000 0000000000 0000 0003 02 7b 00"} {
		c.at = 0
		ParseKeyParameters(unhex(t, s), c.see)
	}
	c.at = 0
	ParseProtected(append(unhex(t, protectedCSK), 1, 2, 3), 0, c.see)
	for _, f := range Fields() {
		if c.seen[f.Name] == 0 {
			t.Errorf("%s is never told", f.Name)
		}
		if f.Title == "" || f.Spec == "" {
			t.Errorf("%s has no title or clause", f.Name)
		}
	}
}

// Every number of an enumeration prints as a name or as Type(number).
func TestEnumerations(t *testing.T) {
	check := func(kind string, unknown int, f func(uint8) string) {
		t.Helper()
		seen := make(map[string]bool)
		for v := range 256 {
			s := f(uint8(v))
			if s == "" || seen[s] {
				t.Errorf("%s %d prints as %q", kind, v, s)
			}
			seen[s] = true
		}
		if got, want := f(uint8(unknown)), fmt.Sprintf("%s(%d)", kind, unknown); got != want {
			t.Errorf("%s prints as %s", want, got)
		}
	}
	check("DataType", 77, func(v uint8) string { return DataType(v).String() })
	check("DataType", 27, func(v uint8) string { return DataType(v).String() })
	check("PayloadType", 18, func(v uint8) string { return PayloadType(v).String() })
	check("PayloadType", 27, func(v uint8) string { return PayloadType(v).String() })
	check("PRF", 2, func(v uint8) string { return PRF(v).String() })
	check("MapType", 7, func(v uint8) string { return MapType(v).String() })
	check("KeyType", 7, func(v uint8) string { return KeyType(v).String() })
	check("TSType", 4, func(v uint8) string { return TSType(v).String() })
	check("TimeForm", 5, func(v uint8) string { return TimeForm(v).String() })
	check("TSRole", 0, func(v uint8) string { return TSRole(v).String() })
	check("IDType", 3, func(v uint8) string { return IDType(v).String() })
	check("IDRole", 0, func(v uint8) string { return IDRole(v).String() })
	check("CertType", 4, func(v uint8) string { return CertType(v).String() })
	check("ProtType", 2, func(v uint8) string { return ProtType(v).String() })
	check("SPParamType", 21, func(v uint8) string { return SPParamType(v).String() })
	check("RANDRole", 4, func(v uint8) string { return RANDRole(v).String() })
	check("SAKKEParams", 0, func(v uint8) string { return SAKKEParams(v).String() })
	check("IDScheme", 0, func(v uint8) string { return IDScheme(v).String() })
	check("SigType", 3, func(v uint8) string { return SigType(v).String() })
	check("ExtType", 8, func(v uint8) string { return ExtType(v).String() })
	check("KeyIDType", 3, func(v uint8) string { return KeyIDType(v).String() })
	check("BCASTType", 0, func(v uint8) string { return BCASTType(v).String() })
	check("ProtAlg", 0, func(v uint8) string { return ProtAlg(v).String() })
	check("EncrAlg", 4, func(v uint8) string { return EncrAlg(v).String() })
	check("MACAlg", 3, func(v uint8) string { return MACAlg(v).String() })
	check("KeyDataType", 8, func(v uint8) string { return KeyDataType(v).String() })
	check("KVType", 3, func(v uint8) string { return KVType(v).String() })
	check("CacheType", 3, func(v uint8) string { return CacheType(v).String() })
	check("DHGroup", 3, func(v uint8) string { return DHGroup(v).String() })
	check("HashFunc", 3, func(v uint8) string { return HashFunc(v).String() })
	check("ErrorNo", 16, func(v uint8) string { return ErrorNo(v).String() })
	check("Form", 5, func(v uint8) string { return Form(v).String() })
	check("TicketType", 3, func(v uint8) string { return TicketType(v).String() })
	if DataType(26).String() != "SAKKE I_MESSAGE" || PayloadType(21) != TypeGenExt || IDRole(8).String() != "IDRuidi" || KeyTypeOf(0x6fffffff) != KeyMuSiK {
		t.Error("numbers and names do not match")
	}
	if CSIDName(6) != "CSK SRTCP MCPTT" || CSIDName(10) != "" {
		t.Error("CS ID names")
	}
}
