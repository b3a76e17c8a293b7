package decode

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/mikeyparse"
)

// mikeyFields are the fields of one MIKEY message; they exist for the body of its own and for the one in an SDP line.
type mikeyFields struct {
	self, form, version, dataType, dataName, v, prf, csbID, keyType, numCS, mapType  *record.Field
	time, timeForm, initiator, responder, initiatorKMS, responderKMS, hidden         *record.Field
	cs, csID, csName, csProt, csPolicies, csSession, csSPI, csSSRC, csROC            *record.Field
	payloads, pType, pName, pLength                                                  *record.Field
	tsType, tsTime, random, role, roleName, idType, id, uid                          *record.Field
	policyNo, protType, params, paramType, paramName, paramValue, paramMeaning       *record.Field
	sakkeParams, idScheme, sed                                                       *record.Field
	extType, extName, extData                                                        *record.Field
	prot, protMessage, protTime, protID, protSeq, protAlg, protIV, protKey, protSize *record.Field
	plain, plainType, plainStatus, plainFrom, plainTo, plainText, plainGroups        *record.Field
	sigType, sig                                                                     *record.Field
	fields, fieldName, fieldOctets                                                   *record.Field
	rest                                                                             *record.Field
	signature, sigState, sigReason, sigWords, key, keyState, keyReason, keyWords     *record.Field
	keyVariants, keyUser, keyServer, keyGMK, keyValue, keySelf, keyOrigin, sigOrigin *record.Field
	keyParams, srtp, srtpCS, srtpKey, srtpSalt, srtpMKI                              *record.Field
}

func registerMikey(base string) *mikeyFields {
	f := func(name, title, clause string, k record.Kind) *record.Field { return reg(base+name, title, clause, k) }
	list := func(name, title, clause string, k record.Kind) *record.Field {
		return regList(base+name, title, clause, k)
	}
	id := func(name, title, clause string) *record.Field { return regID(base+name, title, clause) }
	uid := func(name, title, clause string) *record.Field {
		return record.Register(record.Field{Name: base + name, Title: title, Clause: clause, Kind: record.Octets, Identity: true})
	}
	return &mikeyFields{
		self:         f("", "MIKEY message", "RFC 3830 6", record.Object),
		form:         f(".form", "How the body holds the message", "TS 33.180 9.2.1", record.String),
		version:      f(".version", "Version", "RFC 3830 6.1", record.Uint),
		dataType:     f(".data_type", "Data type", "RFC 3830 6.1", record.Uint),
		dataName:     f(".data_type_name", "Name of the data type", "RFC 3830 6.1", record.String),
		v:            f(".v", "Verification message expected", "RFC 3830 6.1", record.Bool),
		prf:          f(".prf", "PRF function", "RFC 3830 6.1", record.String),
		csbID:        f(".csb_id", "CSB ID (the key's identifier)", "RFC 3830 6.1", record.String),
		keyType:      f(".key_type", "Purpose of the key, by the top bits of its identifier", "TS 33.180 annex G", record.String),
		numCS:        f(".num_cs", "Number of crypto sessions", "RFC 3830 6.1", record.Uint),
		mapType:      f(".map_type", "CS ID map type", "RFC 3830 6.1", record.String),
		time:         f(".time", "Time stamp", "RFC 3830 6.6", record.Time),
		timeForm:     f(".time_form", "How the time stamp was understood", "RFC 3830 6.6", record.String),
		initiator:    id(".initiator", "Initiator: URI, or hashed UID in hex", "RFC 6043 6.6"),
		responder:    id(".responder", "Responder: URI, or hashed UID in hex", "RFC 6043 6.6"),
		initiatorKMS: f(".initiator_kms", "KMS of the initiator", "RFC 6509 4.4", record.String),
		responderKMS: f(".responder_kms", "KMS of the responder", "RFC 6509 4.4", record.String),
		hidden:       f(".hidden", "Identities are hashed", "TS 33.180 E.7", record.Bool),

		cs:         list(".cs", "Crypto sessions", "RFC 3830 6.1.1", record.Object),
		csID:       f(".cs.id", "CS ID", "RFC 6043 6.1.1", record.Uint),
		csName:     f(".cs.name", "Stream", "TS 33.180 E.1.3", record.String),
		csProt:     f(".cs.prot_type", "Protocol type", "RFC 6043 6.1.1", record.Uint),
		csPolicies: f(".cs.policies", "Policy numbers", "RFC 6043 6.1.1", record.Octets),
		csSession:  f(".cs.session_data", "Session data", "RFC 6043 6.1.1", record.Octets),
		csSPI:      f(".cs.spi", "SPI (MKI)", "RFC 6043 6.1.1", record.Octets),
		csSSRC:     f(".cs.ssrc", "SSRC", "RFC 3830 6.1.1", record.Uint),
		csROC:      f(".cs.roc", "Rollover counter", "RFC 3830 6.1.1", record.Uint),

		payloads: list(".payloads", "Payloads", "RFC 3830 6", record.Object),
		pType:    f(".payloads.type", "Payload type", "RFC 3830 6.1", record.Uint),
		pName:    f(".payloads.name", "Payload", "RFC 3830 6.1", record.String),
		pLength:  f(".payloads.length", "Octets of the payload", "RFC 3830 6", record.Uint),

		tsType:       f(".payloads.ts_type", "Time stamp type", "RFC 3830 6.6", record.String),
		tsTime:       f(".payloads.time", "Time stamp", "RFC 3830 6.6", record.Time),
		random:       f(".payloads.rand", "Random octets", "RFC 3830 6.11", record.Octets),
		role:         f(".payloads.role", "Role", "RFC 6043 6.6", record.Uint),
		roleName:     f(".payloads.role_name", "Name of the role", "RFC 6043 6.6", record.String),
		idType:       f(".payloads.id_type", "Identity type", "RFC 6043 6.5", record.String),
		id:           id(".payloads.id", "Identity", "RFC 6043 6.6"),
		uid:          uid(".payloads.uid", "Hashed identity", "TS 33.180 F.2.1"),
		policyNo:     f(".payloads.policy_no", "Policy number", "RFC 3830 6.10", record.Uint),
		protType:     f(".payloads.prot_type", "Protocol type", "RFC 3830 6.10", record.Uint),
		params:       list(".payloads.params", "Policy parameters", "RFC 3830 6.10.1", record.Object),
		paramType:    f(".payloads.params.type", "Type", "RFC 3830 6.10.1", record.Uint),
		paramName:    f(".payloads.params.name", "Parameter", "RFC 3830 6.10.1", record.String),
		paramValue:   f(".payloads.params.value", "Value", "RFC 3830 6.10.1", record.Octets),
		paramMeaning: f(".payloads.params.meaning", "Meaning of the value", "RFC 3830 6.10.1", record.String),
		sakkeParams:  f(".payloads.sakke_params", "SAKKE parameter set", "RFC 6509 4.2", record.Uint),
		idScheme:     f(".payloads.id_scheme", "Identifier scheme", "RFC 6509 4.2", record.String),
		sed:          f(".payloads.encapsulated", "SAKKE encapsulated data", "RFC 6508 4", record.Octets),
		extType:      f(".payloads.ext_type", "Extension type", "RFC 3830 6.15", record.Uint),
		extName:      f(".payloads.ext_name", "Extension", "RFC 3830 6.15", record.String),
		extData:      f(".payloads.data", "Data", "RFC 3830 6.15", record.Octets),

		prot:        f(".payloads.protected", "Protected key parameters", "TS 33.180 E.6.1", record.Object),
		protMessage: f(".payloads.protected.message_type", "Message type with its flags", "TS 33.180 8.5.4.1", record.Uint),
		protTime:    f(".payloads.protected.time", "Date and time", "TS 33.180 8.5.4.1", record.Time),
		protID:      f(".payloads.protected.payload_id", "Payload ID", "TS 33.180 8.5.4.1", record.String),
		protSeq:     f(".payloads.protected.sequence", "Payload sequence number", "TS 33.180 8.5.4.1", record.Uint),
		protAlg:     f(".payloads.protected.algorithm", "Payload algorithm", "TS 33.180 8.5.4.1", record.String),
		protIV:      f(".payloads.protected.iv", "IV", "TS 33.180 8.5.4.1", record.Octets),
		protKey:     f(".payloads.protected.dppk_id", "DPPK-ID", "TS 33.180 8.5.4.1", record.String),
		protSize:    f(".payloads.protected.ciphertext_length", "Length of cipher text and tag in octets", "TS 33.180 8.5.4.1", record.Uint),

		plain:       f(".payloads.key_parameters", "Key parameters", "TS 33.180 E.6.1", record.Object),
		plainType:   f(".payloads.key_parameters.key_type", "Key type", "TS 33.180 E.6.11", record.String),
		plainStatus: f(".payloads.key_parameters.status", "Status bits", "TS 33.180 E.6.9", record.Uint),
		plainFrom:   f(".payloads.key_parameters.activation", "Activation time", "TS 33.180 E.6.4", record.Time),
		plainTo:     f(".payloads.key_parameters.expiry", "Expiry time", "TS 33.180 E.6.10", record.Time),
		plainText:   f(".payloads.key_parameters.text", "Text", "TS 33.180 E.6.5", record.String),
		plainGroups: record.Register(record.Field{Name: base + ".payloads.key_parameters.groups", Title: "Groups", Clause: "TS 33.180 E.6.3", Kind: record.String, List: true, Identity: true}),

		sigType:     f(".payloads.sig_type", "Signature type", "RFC 3830 6.5", record.String),
		sig:         f(".payloads.signature", "Signature", "RFC 3830 6.5", record.Octets),
		fields:      list(".payloads.fields", "Fields of a payload that has no members of its own", "RFC 3830 6", record.Object),
		fieldName:   f(".payloads.fields.name", "Field", "RFC 3830 6", record.String),
		fieldOctets: f(".payloads.fields.octets", "Octets", "RFC 3830 6", record.Octets),
		rest:        f(".undecoded", "Octets that could not be read", "RFC 3830 6", record.Octets),

		signature: f(".signature", "Signature", "TS 33.180 E.1.2", record.Object),
		sigState:  f(".signature.state", "State", "TS 33.180 5.2.2", record.String),
		sigReason: f(".signature.reason", "Reason", "TS 33.180 5.2.2", record.String),
		key:       f(".key", "Encapsulated key", "TS 33.180 5.2.2", record.Object),
		keyState:  f(".key.state", "State", "TS 33.180 5.2.2", record.String),
		keyReason: f(".key.reason", "Reason", "TS 33.180 5.2.2", record.String),

		sigWords:    f(".signature.hint", "In words", "TS 33.180 5.2.2", record.String),
		keyWords:    f(".key.hint", "In words", "TS 33.180 5.2.2", record.String),
		keyVariants: list(".key.variants", "What had to be read otherwise than specified", "mcxdump", record.String),
		keyOrigin:   f(".key.origin", "Message that brought the RSK which opened it", "mcxdump", record.String),
		sigOrigin:   f(".signature.origin", "Message that brought the KPAK which proved it", "mcxdump", record.String),
		keySelf:     f(".key.from_sakke_to_self", "Recovered from the SAKKE-to-self payload", "TS 33.180 E.5", record.Bool),
		keyUser:     id(".key.initiator", "Initiator, found behind its hashed UID", "TS 33.180 E.7"),
		keyServer:   id(".key.responder", "Responder, found behind its hashed UID", "TS 33.180 E.7"),
		keyGMK:      f(".key.gmk_id", "GMK-ID", "TS 33.180 5.2.3", record.String),
		keyValue:    f(".key.value", "The key itself (only with --show-secrets)", "TS 33.180 E.1.1", record.Octets),
		keyParams:   f(".key.parameters", "decrypted, no_key or failed: the key parameters, whose tag confirms the key", "TS 33.180 E.6", record.String),
		srtp:        list(".key.srtp", "SRTP and SRTCP keys of the crypto sessions (only with --show-secrets)", "TS 33.180 7.4", record.Object),
		srtpCS:      f(".key.srtp.cs_id", "CS ID", "TS 33.180 E.1.3", record.Uint),
		srtpKey:     f(".key.srtp.master_key", "Master key", "RFC 3830 4.1.3", record.Octets),
		srtpSalt:    f(".key.srtp.master_salt", "Master salt", "RFC 3830 4.1.3", record.Octets),
		srtpMKI:     f(".key.srtp.mki", "MKI", "TS 33.180 7.4.1", record.Octets),
	}
}

var mikeyBody = registerMikey("mikey")

func init() {
	registerBody(BodyType{Name: "mikey", Types: []string{"application/mikey", "application/vnd.3gpp.mikey", "application/x-mikey"},
		Look: looksLikeMikey, Dissect: dissectMikey})
}

// looksLikeMikey recognises an I_MESSAGE as such: version 1 and data type 26, raw or in base64.
func looksLikeMikey(b []byte) bool {
	if len(b) > 10 && b[0] == 1 && b[1] == byte(mikeyparse.DataSAKKE) {
		return true
	}
	b = trimSpace(clip(b, 128))
	if len(b) > 40 && strings.EqualFold(string(b[:6]), "mikey ") {
		return true
	}
	return len(b) > 40 && string(b[:3]) == "ARo"
}

func dissectMikey(c *Context, p *Part) {
	c.mcx = true
	if c.planMikey && !c.B.Wants(mikeyBody.self) && c.mikeys.follow(c, p.Data) {
		return
	}
	c.mikey(p, mikeyBody, true)
}

// A mikeyPlan is what there is to say of messages of a pattern, around the key's identifier, when no ring is asked and
// nothing but words is wanted: they have no findings.
type mikeyPlan struct {
	pattern       *mikeyparse.Pattern
	before, after string
}

const (
	maxMikeyPlans = 4
	// A plan costs about as much as reading a message; traffic of ever new patterns gets one for so many that fit.
	fitsPerPlan = 32
)

// follow says of a message what its dissector would, when it is one of a pattern.
func (mem *mikeyMemory) follow(c *Context, raw []byte) bool {
	for i := range mem.plans {
		if pl := &mem.plans[i]; pl.pattern.Match(raw) {
			mem.fits++
			c.Say(c.join(pl.before, c.hex8(mikeyparse.CSBIDOf(raw)), pl.after))
			return true
		}
	}
	return false
}

// learn keeps the pattern of a message of which nothing was to be found.
func (mem *mikeyMemory) learn(raw []byte, m *mikeyparse.Message) {
	if mem.learned >= maxMikeyPlans+mem.fits/fitsPerPlan {
		return
	}
	pattern := m.Pattern(raw)
	if pattern == nil {
		return
	}
	mem.learned++
	kind, way, who, about := mikeyWords(m)
	pl := mikeyPlan{pattern, kind + way, strings.Clone(who + about)}
	if len(mem.plans) < maxMikeyPlans {
		mem.plans = append(mem.plans, pl)
	} else {
		mem.plans[mem.learned%maxMikeyPlans] = pl
	}
}

// A mikeyRun is the state of one message while it is shown.
type mikeyRun struct {
	*Context
	f     *mikeyFields
	p     *Part // its Data are the octets of the message
	trace []tracedField

	un      *keys.Unwrapped // what the ring made of it; nil without keys
	verdict string          // the same for the one-line view
}

// mikeyMemory is what messages are read in, one after the other.
type mikeyMemory struct {
	parser mikeyparse.Parser
	trace  []tracedField
	see    mikeyparse.Tracer

	plans         []mikeyPlan
	learned, fits int
}

func (mem *mikeyMemory) tracer() mikeyparse.Tracer {
	if mem.see == nil {
		mem.see = func(name string, off, end int) { mem.trace = append(mem.trace, tracedField{name, off, end}) }
	}
	if cap(mem.trace) == 0 || cap(mem.trace) > maxKeptTrace {
		mem.trace = make([]tracedField, 0, 96)
	}
	return mem.see
}

// maxKeptTrace is how many fields the memory of one message may have to serve the next.
const maxKeptTrace = 4096

type tracedField struct {
	name     string
	off, end int
}

// mikey shows a message. own tells a body of its own from a message inside a session description.
func (c *Context) mikey(p *Part, f *mikeyFields, own bool) {
	raw, form, err := mikeyparse.Decode(p.Data)
	if err != nil {
		if c.B.Open(f.self, p.Place(0, len(p.Data))) {
			c.B.Str(f.form, form.String(), record.Place{})
		}
		c.B.Close()
		at := p.Place(0, len(p.Data))
		var e *mikeyparse.Error
		if errors.As(err, &e) {
			at = p.Place(min(e.Off, len(p.Data)), 0)
		}
		if f == mikeyBody {
			c.B.Str(fBodyError, "no MIKEY message: "+err.Error(), at)
		}
		c.Find("mikey-form", record.Error, "TS 33.180 9.2.1", "no MIKEY message: "+err.Error(), p, f.self, at)
		return
	}
	q := *p
	if form != mikeyparse.FormRaw {
		src := c.B.Source(record.Source{Kind: record.Decoded, Name: "MIKEY message", Data: raw, Parent: p.Src, ParentOff: uint32(p.Off), ParentLen: uint32(len(p.Data))})
		if src < 0 {
			return
		}
		q.Src, q.Off = src, 0
	}
	q.Data = raw
	r := mikeyRun{Context: c, f: f, p: &q}
	mem := c.mikeys
	if mem == nil {
		mem = new(mikeyMemory)
	}
	var see mikeyparse.Tracer
	if mem.trace = mem.trace[:0]; c.B.Wants(f.self) {
		see = mem.tracer()
	}
	m, err := mem.parser.Parse(raw, see)
	r.trace = mem.trace
	if m == nil {
		m = &mikeyparse.Message{}
	}
	r.unwrap(raw)
	found, dropped := len(c.B.R.Findings), c.B.Dropped
	r.show(m, form)
	r.check(m, err, own)
	r.keyFindings(m)
	if m.Header.DataType != mikeyparse.DataSAKKE {
		c.Say(c.join("MIKEY ", m.Header.DataType.String(), r.verdict))
		return
	}
	kind, way, who, about := mikeyWords(m)
	c.Say(c.join(kind, way, c.hex8(m.CSBID()), who, about, r.verdict))
	if c.planMikey && own && form == mikeyparse.FormRaw && err == nil && len(c.B.R.Findings) == found && c.B.Dropped == dropped {
		mem.learn(raw, m)
	}
}

// from is the index of the first traced field at octet off or behind it; the trace ascends.
func (r *mikeyRun) from(off int) int {
	return sort.Search(len(r.trace), func(i int) bool { return r.trace[i].off >= off })
}

// at finds where a field of the message lies: the first of that name from off on.
func (r *mikeyRun) at(name string, off, end int) record.Place { return r.within(off, end).at(name) }

// A mikeyRange is a stretch of the message in which fields are looked for.
type mikeyRange struct {
	r        *mikeyRun
	off, end int
	from     int // first of its fields in the trace
}

func (r *mikeyRun) within(off, end int) mikeyRange { return mikeyRange{r, off, end, r.from(off)} }

// at finds where a field lies: the first of that name.
func (g mikeyRange) at(name string) record.Place {
	r := g.r
	for i := g.from; i < len(r.trace) && r.trace[i].off < g.end; i++ {
		if t := &r.trace[i]; t.end <= g.end && t.name == name {
			return r.p.Place(t.off, t.end-t.off)
		}
	}
	return r.p.Place(g.off, max(g.end-g.off, 0))
}

func (c *Context) identity(d *mikeyparse.IDR) string {
	if s, ok := d.TextOctets(); ok {
		return text(s)
	}
	return c.hex(d.ID)
}

func (r *mikeyRun) show(m *mikeyparse.Message, form mikeyparse.Form) {
	f, b := r.f, r.B
	if !b.Open(f.self, r.p.Place(0, len(r.p.Data))) {
		b.Close()
		return
	}
	h := &m.Header
	hdr := r.within(0, max(h.End, min(10, len(r.p.Data)))).at
	b.Str(f.form, form.String(), record.Place{})
	if n := len(r.p.Data); n >= 10 || h.End > 0 {
		b.Num(f.version, int64(h.Version), hdr("hdr.version"))
		b.Num(f.dataType, int64(h.DataType), hdr("hdr.data_type"))
		b.Str(f.dataName, h.DataType.String(), hdr("hdr.data_type"))
		b.Bool(f.v, h.V, hdr("hdr.v_prf"))
		b.Str(f.prf, h.PRF.String(), hdr("hdr.v_prf"))
		b.Str(f.csbID, r.hex8(h.CSBID), hdr("hdr.csb_id"))
		b.Str(f.keyType, mikeyparse.KeyTypeOf(h.CSBID).String(), hdr("hdr.csb_id"))
		b.Num(f.numCS, int64(h.NumCS), hdr("hdr.num_cs"))
		b.Str(f.mapType, h.MapType.String(), hdr("hdr.map_type"))
	}
	if t := m.Timestamp(); t != nil && t.Form() != mikeyparse.TimeNone {
		at := r.at("t.value", t.Off, t.End)
		b.Num(f.time, t.Time().UnixNano(), at)
		b.Str(f.timeForm, t.Form().String(), record.Place{})
	}
	hidden := false
	for _, x := range []struct {
		f *record.Field
		d *mikeyparse.IDR
	}{{f.initiator, m.Initiator()}, {f.responder, m.Responder()}, {f.initiatorKMS, m.InitiatorKMS()}, {f.responderKMS, m.ResponderKMS()}} {
		if x.d != nil {
			hidden = hidden || x.d.Hidden()
			b.Str(x.f, r.identity(x.d), r.at("idr.data", x.d.Off, x.d.End))
		}
	}
	if hidden {
		b.Bool(f.hidden, true, record.Place{})
	}
	r.sessions(h)
	for _, pl := range m.Payloads {
		r.payload(pl, false)
	}
	if m.Partial != nil {
		r.payload(m.Partial, true)
	}
	if len(m.Rest) > 0 {
		b.Str(f.rest, text(m.Rest), r.p.Place(m.RestOff, len(m.Rest)))
	}
	r.outcome(m)
	b.Close()
}

// sessions shows the CS ID map.
func (r *mikeyRun) sessions(h *mikeyparse.Header) {
	f, b := r.f, r.B
	off := 10
	for _, g := range h.Generic {
		size := 7 + len(g.Policies) + len(g.Session) + len(g.SPI) - 1
		size = min(size, max(len(r.p.Data)-off, 0))
		at := r.within(off, off+size).at
		b.Open(f.cs, r.p.Place(off, size))
		b.Num(f.csID, int64(g.CSID), at("hdr.generic.cs_id"))
		if n := mikeyparse.CSIDName(g.CSID); n != "" {
			b.Str(f.csName, n, at("hdr.generic.cs_id"))
		}
		b.Num(f.csProt, int64(g.ProtType), at("hdr.generic.prot_type"))
		if len(g.Policies) > 0 {
			b.Str(f.csPolicies, text(g.Policies), at("hdr.generic.policies"))
		}
		if len(g.Session) > 0 {
			b.Str(f.csSession, text(g.Session), at("hdr.generic.session"))
		}
		if len(g.SPI) > 0 {
			b.Str(f.csSPI, text(g.SPI), at("hdr.generic.spi"))
		}
		b.Close()
		off += size
	}
	for i, e := range h.SRTP {
		at := r.p.Place(10+9*i, 9)
		b.Open(f.cs, at)
		b.Num(f.csID, int64(i+1), at)
		b.Num(f.csSSRC, int64(e.SSRC), r.p.Place(11+9*i, 4))
		b.Num(f.csROC, int64(e.ROC), r.p.Place(15+9*i, 4))
		b.Octets(f.csPolicies, []byte{e.PolicyNo}, r.p.Place(10+9*i, 1))
		b.Close()
	}
}

// payload shows one payload of the chain.
func (r *mikeyRun) payload(pl mikeyparse.Payload, partial bool) {
	f, b := r.f, r.B
	off, end := pl.Range()
	end = min(max(end, off), len(r.p.Data))
	if partial {
		end = len(r.p.Data)
	}
	if !b.Open(f.payloads, r.p.Place(off, end-off)) {
		b.Close()
		return
	}
	at := r.within(off, end).at
	b.Num(f.pType, int64(pl.Type()), record.Place{})
	b.Str(f.pName, pl.Type().String(), record.Place{})
	b.Num(f.pLength, int64(end-off), record.Place{})
	switch v := pl.(type) {
	case *mikeyparse.T:
		b.Str(f.tsType, v.TSType.String(), at("t.type"))
		if v.Form() != mikeyparse.TimeNone && !partial {
			b.Num(f.tsTime, v.Time().UnixNano(), at("t.value"))
		}
	case *mikeyparse.RAND:
		b.Str(f.random, text(v.Data), at("rand.data"))
	case *mikeyparse.IDR:
		b.Num(f.role, int64(v.Role), at("idr.role"))
		b.Str(f.roleName, v.Role.String(), at("idr.role"))
		b.Str(f.idType, v.IDType.String(), at("idr.type"))
		if s, ok := v.TextOctets(); ok {
			b.Str(f.id, text(s), at("idr.data"))
		} else {
			b.Str(f.uid, text(v.ID), at("idr.data"))
		}
	case *mikeyparse.SP:
		b.Num(f.policyNo, int64(v.PolicyNo), at("sp.policy_no"))
		b.Num(f.protType, int64(v.ProtType), at("sp.prot_type"))
		o := off + 5
		for _, q := range v.Params {
			n := 2 + len(q.Value)
			n = min(n, max(end-o, 0))
			pat := r.p.Place(o, n)
			b.Open(f.params, pat)
			b.Num(f.paramType, int64(q.Type), pat)
			b.Str(f.paramName, q.Type.String(), pat)
			b.Str(f.paramValue, text(q.Value), pat)
			b.Str(f.paramMeaning, q.ValueName(), pat)
			b.Close()
			o += n
		}
	case *mikeyparse.SAKKE:
		r.sakke(v, at("sakke.params"), at("sakke.id_scheme"), at("sakke.data"))
	case *mikeyparse.GenExt:
		b.Num(f.extType, int64(v.ExtType), at("genext.type"))
		b.Str(f.extName, v.ExtType.String(), at("genext.type"))
		switch {
		case v.Self != nil:
			whole := r.p.Place(v.Self.Off, max(v.Self.End-v.Self.Off, 0))
			r.sakke(v.Self, whole, whole, whole)
		case v.Protected != nil:
			r.protected(v.Protected, off, end)
			if r.un != nil && r.un.Params != nil {
				r.keyParameters(r.un.Params, r.p.Place(off, end-off))
			}
		case v.Plain != nil:
			r.keyParameters(v.Plain, r.p.Place(off, end-off))
		default:
			b.Str(f.extData, text(v.Data), r.p.Place(off, end-off))
		}
	case *mikeyparse.SIGN:
		b.Str(f.sigType, v.SigType.String(), at("sign.type_length"))
		b.Str(f.sig, text(v.Signature), at("sign.signature"))
	default:
		r.fieldsOf(off, end, keyInside(pl))
	}
	b.Close()
}

// keyInside tells whether a payload can hold a key in the clear.
func keyInside(pl mikeyparse.Payload) bool {
	switch v := pl.(type) {
	case *mikeyparse.KEMAC:
		return v.EncrAlg == 0
	case *mikeyparse.KeyData:
		return true
	}
	return pl.Type() == mikeyparse.TypeKeyData || pl.Type() == mikeyparse.TypeSK
}

// fieldsOf shows a payload as the list of its fields. A key in the clear is withheld.
func (r *mikeyRun) fieldsOf(off, end int, secret bool) {
	f, b := r.f, r.B
	if secret && !r.ShowSecrets() {
		r.mask(r.p.Src, r.p.Off+off, end-off)
	}
	for i := r.from(off); i < len(r.trace) && r.trace[i].off < end; i++ {
		t := r.trace[i]
		if t.end > end {
			continue
		}
		at := r.p.Place(t.off, t.end-t.off)
		b.Open(f.fields, at)
		b.Str(f.fieldName, t.name, at)
		if n := b.Node(f.fieldOctets, at); n != nil {
			if secret && !r.ShowSecrets() && t.end-t.off > 2 {
				n.Flags |= record.Withheld
			} else {
				n.Str, n.Flags = string(r.p.Data[t.off:t.end]), n.Flags|record.HasValue
			}
		}
		b.Close()
	}
}

func (r *mikeyRun) sakke(v *mikeyparse.SAKKE, params, scheme, data record.Place) {
	r.B.Num(r.f.sakkeParams, int64(v.Params), params)
	r.B.Str(r.f.idScheme, v.IDScheme.String(), scheme)
	r.B.Str(r.f.sed, text(v.Data), data)
}

func (r *mikeyRun) protected(v *mikeyparse.Protected, off, end int) {
	f, b := r.f, r.B
	at := r.within(off, end).at
	b.Open(f.prot, r.p.Place(v.Off, max(min(v.End, len(r.p.Data))-v.Off, 0)))
	b.Num(f.protMessage, int64(v.MessageType), at("protected.message_type"))
	b.Num(f.protTime, unixNano(int64(v.DateTime)), at("protected.date_time"))
	b.Str(f.protID, r.hex8(v.PayloadID), at("protected.payload_id"))
	b.Num(f.protSeq, int64(v.Sequence), at("protected.sequence"))
	b.Str(f.protAlg, v.Algorithm.String(), at("protected.algorithm"))
	b.Str(f.protIV, text(v.IV), at("protected.iv"))
	b.Str(f.protKey, r.hex8(v.DPPKID), at("protected.dppk_id"))
	b.Num(f.protSize, int64(len(v.Sealed)), at("protected.sealed"))
	b.Close()
}

// keyParameters shows key parameters that are in the clear; they hold no key.
func (r *mikeyRun) keyParameters(v *mikeyparse.KeyParameters, at record.Place) {
	f, b := r.f, r.B
	b.Open(f.plain, at)
	b.Str(f.plainType, v.KeyType.String(), at)
	b.Num(f.plainStatus, int64(v.Status), at)
	if t, ok := v.ActivationTime(); ok {
		b.Num(f.plainFrom, unixNano(t.Unix()), at)
	}
	if t, ok := v.ExpiryTime(); ok {
		b.Num(f.plainTo, unixNano(t.Unix()), at)
	}
	if len(v.Text) > 0 {
		b.Str(f.plainText, string(v.Text), at)
	}
	for _, g := range v.Groups {
		b.Str(f.plainGroups, string(g.ID), at)
	}
	b.Close()
}

// unixNano is a time in nanoseconds, held within what 64 bits can hold.
func unixNano(sec int64) int64 { return min(max(sec, -9223372036), 9223372036) * 1e9 }

// Severities of what mikeyparse calls deviations. What products do every day is a note.
var mikeySeverity = map[mikeyparse.Kind]record.Severity{
	mikeyparse.DevUIDType: record.Note, mikeyparse.DevMapLegacy: record.Note, mikeyparse.DevMapCount: record.Note,
	mikeyparse.DevTimeUnixLE: record.Note, mikeyparse.DevKeyParamsPlain: record.Note, mikeyparse.DevSigAlgOctet: record.Note,
	mikeyparse.DevReserved: record.Note, mikeyparse.DevKMSRole: record.Note, mikeyparse.DevSPEmptyMap: record.Note,
	mikeyparse.DevVersion: record.Error, mikeyparse.DevUndecodable: record.Error, mikeyparse.DevSEDLength: record.Error,
	mikeyparse.DevSEDPoint: record.Error, mikeyparse.DevSignLength: record.Error,
}

func (r *mikeyRun) check(m *mikeyparse.Message, err error, own bool) {
	f := r.f
	header := len(r.p.Data) >= 10
	if err != nil {
		clause, at, text := "RFC 3830 6", r.p.Place(len(r.p.Data), 0), err.Error()
		var e *mikeyparse.Error
		if errors.As(err, &e) {
			clause, at = e.Spec, r.p.Place(min(e.Off, len(r.p.Data)), 0)
			text = fmt.Sprintf("%s at octet %d: %v", e.Field, e.Off, e.Err)
		}
		if f == mikeyBody && m.Header.End == 0 {
			r.B.Str(fBodyError, text, at)
		}
		r.Find("mikey-malformed", record.Error, clause, "MIKEY message cannot be read to its end: "+text, r.p, f.self, at)
	}
	sakke := m.Header.DataType == mikeyparse.DataSAKKE
	if own && header && !sakke {
		r.Find("SEC-01", record.Error, "TS 36.579-1 5.5.9.1", "not a MIKEY-SAKKE I_MESSAGE: data type is "+m.Header.DataType.String(), r.p, f.dataType, r.p.Place(1, 1))
	}
	if own && header && sakke && uploads(m) && mikeyparse.KeyTypeOf(m.CSBID()) != mikeyparse.KeyCSK {
		r.Find("SEC-02", record.Error, "TS 33.180 9.2.1", fmt.Sprintf("key is not a CSK: top digit of CSB ID %08x is not 2, though a user sends it to a server", m.CSBID()), r.p, f.csbID, r.p.Place(4, 4))
	}
	for i := range m.Deviations {
		d := &m.Deviations[i]
		at := r.p.Place(min(d.Off, len(r.p.Data)), max(min(d.End, len(r.p.Data))-d.Off, 0))
		switch {
		case d.Kind == mikeyparse.DevMissing:
			if err == nil {
				r.Find("SEC-03", record.Error, d.Spec, "payload missing: "+d.Text, r.p, f.payloads, at)
			}
			continue
		case d.Kind == mikeyparse.DevDataType && own:
			continue
		}
		sev, ok := mikeySeverity[d.Kind]
		if !ok {
			sev = record.Warning
		}
		r.Find("mikey-"+string(d.Kind), sev, d.Spec, d.Text, r.p, f.self, at)
	}
}

// server tells the name of a server's security domain from a user's URI: it has neither scheme nor user part.
func server(d *mikeyparse.IDR) (is, known bool) {
	if d == nil {
		return false, false
	}
	s, ok := d.TextOctets()
	return ok && bytes.IndexByte(s, '@') < 0 && bytes.IndexByte(s, ':') < 0, ok
}

// uploads tells whether a user sends the key to a server, as far as the identities are open.
func uploads(m *mikeyparse.Message) bool {
	from, ok1 := server(m.Initiator())
	to, ok2 := server(m.Responder())
	return ok1 && ok2 && !from && to
}

// mikeyWords says what an I_MESSAGE brings, around the identifier of the key: "CSK upload 2abcdef0 → mcptt.example.org".
func mikeyWords(m *mikeyparse.Message) (kind, way, who, about string) {
	way = " "
	from, okFrom := server(m.Initiator())
	to, okTo := server(m.Responder())
	switch {
	case okFrom && okTo && !from && to:
		way = " upload "
	case okFrom && okTo && from && !to:
		way = " download "
	}
	if okTo {
		if s, ok := m.Responder().TextOctets(); ok {
			who, about = " → ", shorten(text(s))
		}
	} else if m.Responder() != nil {
		who = " (identities hidden)"
	}
	return mikeyparse.KeyTypeOf(m.CSBID()).String(), way, who, about
}
