package mikeyparse

// Span is a range of octets; the zero Span means absent.
type Span struct{ Off, End int }

// Of returns the octets of the span in b, nil when it is absent.
func (s Span) Of(b []byte) []byte {
	if s.End <= s.Off || s.End > len(b) {
		return nil
	}
	return b[s.Off:s.End:s.End]
}

// Present reports whether the span stands for something.
func (s Span) Present() bool { return s.End > s.Off }

// NameSet is what identifies a message and its key, without its content.
type NameSet struct {
	DataType     DataType
	CSBID        uint32
	Time         TS   // the first T payload
	HasTime      bool // there is one
	Initiator    Span // IDRi
	Responder    Span // IDRr
	InitiatorUID Span // IDRuidi
	ResponderUID Span // IDRuidr
	InitiatorKMS Span // IDRkmsi, or the first IDRkms
	ResponderKMS Span // IDRkmsr, or the last IDRkms
	RAND         Span // the random octets
	SAKKE        Span // the encapsulated data
	Sign         Span // the SIGN payload with its two leading octets
}

// KeyType returns the purpose tag of the CSB ID.
func (n *NameSet) KeyType() KeyType { return KeyTypeOf(n.CSBID) }

// Names reads no more than the names of a message, for a planner that must not
// spend time or memory: it allocates nothing for a message that is in order.
// ok is false when reading stopped early; what was read is returned then too.
func Names(b []byte) (n NameSet, ok bool) {
	if len(b) > (Limits{}).withDefaults().Message {
		return n, false
	}
	r := reader{b: b, end: len(b)}
	r.u8("hdr.version")
	n.DataType = DataType(r.u8("hdr.data_type"))
	next := PayloadType(r.u8("hdr.next"))
	r.u8("hdr.v_prf")
	n.CSBID = r.u32("hdr.csb_id")
	sessions := r.u8("hdr.num_cs")
	switch MapType(r.u8("hdr.map_type")) {
	case MapSRTPID:
		r.bytes("hdr.srtp", 9*int(sessions))
	case MapEmpty:
	case MapGenericID:
		for range sessions {
			r.bytes("hdr.generic", 2)
			r.bytes("hdr.generic.policies", int(r.u8("hdr.generic.s_num_policies")&0x7f))
			r.lv16("hdr.generic.session_length", "hdr.generic.session")
			r.lv8("hdr.generic.spi_length", "hdr.generic.spi")
		}
	default:
		return n, false
	}
	var kmsFirst, kmsLast, kmsi, kmsr Span
	for count := 0; next != TypeLast && r.err == nil; count++ {
		if count == (Limits{}).withDefaults().Payloads {
			r.fail("next", ErrLimit)
			break
		}
		if next == TypeSIGN {
			start := r.off
			r.bytes("sign.signature", int(r.u16("sign.type_length")&0xfff))
			if r.err == nil && !n.Sign.Present() {
				n.Sign = Span{start, r.off}
			}
			break
		}
		t := next
		next = PayloadType(r.u8("next"))
		switch t {
		case TypeT:
			ts := r.stamp()
			if r.err == nil && !n.HasTime {
				n.Time, n.HasTime = ts, true
			}
		case TypeRAND:
			v := r.span(int(r.u8("rand.length")))
			if !n.RAND.Present() {
				n.RAND = v
			}
		case TypeIDR:
			role := IDRole(r.u8("idr.role"))
			r.u8("idr.type")
			v := r.span(int(r.u16("idr.length")))
			if r.err != nil {
				break
			}
			switch role {
			case RoleInitiator:
				n.Initiator = first(n.Initiator, v)
			case RoleResponder:
				n.Responder = first(n.Responder, v)
			case RoleUIDInitiator:
				n.InitiatorUID = first(n.InitiatorUID, v)
			case RoleUIDResponder:
				n.ResponderUID = first(n.ResponderUID, v)
			case RoleKMSInitiator:
				kmsi = first(kmsi, v)
			case RoleKMSResponder:
				kmsr = first(kmsr, v)
			case RoleKMS:
				kmsFirst, kmsLast = first(kmsFirst, v), v
			}
		case TypeSAKKE:
			r.bytes("sakke.params", 2)
			v := r.span(int(r.u16("sakke.length")))
			if !n.SAKKE.Present() {
				n.SAKKE = v
			}
		default:
			if !r.skip(t) {
				n.InitiatorKMS, n.ResponderKMS = first(kmsi, kmsFirst), first(kmsr, kmsLast)
				return n, false
			}
		}
	}
	n.InitiatorKMS, n.ResponderKMS = first(kmsi, kmsFirst), first(kmsr, kmsLast)
	return n, r.err == nil
}

func first(a, b Span) Span {
	if a.Present() {
		return a
	}
	return b
}

// span passes over n octets.
func (r *reader) span(n int) Span {
	start := r.off
	if r.bytes("data", n); r.err != nil {
		return Span{}
	}
	return Span{start, r.off}
}

// stamp is readTS without a parser.
func (r *reader) stamp() TS {
	p := TS{TSType: TSType(r.u8("t.type"))}
	n := p.TSType.width()
	if n == 0 {
		r.unknown("t.type", 1, p.TSType)
	}
	for _, o := range r.bytes("t.value", n) {
		p.Value = p.Value<<8 | uint64(o)
	}
	return p
}

// skip passes over the rest of a payload behind its next-payload octet. It
// reports false for one whose length cannot be known.
func (r *reader) skip(t PayloadType) bool {
	switch t {
	case TypeKEMAC:
		r.u8("kemac.encr_alg")
		r.lv16("kemac.length", "kemac.data")
		n, ok := MACAlg(r.u8("kemac.mac_alg")).width()
		r.bytes("kemac.mac", n)
		return ok
	case TypePKE:
		r.bytes("pke.data", int(r.u16("pke.cache_length")&0x3fff))
	case TypeDH:
		n := DHGroup(r.u8("dh.group")).width()
		r.bytes("dh.value", n)
		return n != 0 && r.skipKV(r.u8("dh.kv"))
	case TypeID, TypeCERT, TypeGenExt:
		r.u8("type")
		r.lv16("length", "data")
	case TypeCHASH:
		n := HashFunc(r.u8("chash.func")).width()
		r.bytes("chash.hash", n)
		return n != 0
	case TypeV:
		n, ok := MACAlg(r.u8("v.auth_alg")).width()
		r.bytes("v.data", n)
		return ok
	case TypeSP:
		r.bytes("sp.policy_no", 2)
		r.lv16("sp.length", "sp.params")
	case TypeERR:
		r.bytes("err.error_no", 3)
	case TypeTR:
		r.u8("tr.role")
		r.stamp()
	case TypeRANDR:
		r.u8("randr.role")
		r.lv8("randr.length", "randr.data")
	case TypeTP, TypeTICKET:
		r.bytes("tp.type", 7)
		r.lv16("tp.length", "tp.data")
		if t == TypeTICKET {
			r.lv16("ticket.length", "ticket.data")
			r.lv16("ticket.initiator_length", "ticket.initiator_data")
		}
	case TypeKeyData:
		v := r.u8("keydata.type_kv")
		r.lv16("keydata.length", "keydata.key")
		if KeyDataType(v >> 4).Salted() {
			r.lv16("keydata.salt_length", "keydata.salt")
		}
		return r.skipKV(v)
	case TypeIBAKE, TypeESK:
		r.lv16("length", "data")
	default:
		return false
	}
	return true
}

func (r *reader) skipKV(v uint8) bool {
	switch KVType(v & 0xf) {
	case KVNull:
	case KVInterval:
		r.lv8("kv.from_length", "kv.from")
		r.lv8("kv.to_length", "kv.to")
	case KVSPI:
		r.lv8("kv.spi_length", "kv.spi")
	default:
		return false
	}
	return true
}
