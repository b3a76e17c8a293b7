package session

import (
	"bytes"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unique"

	"github.com/mcxdump/mcxdump/decode/record"
)

// code is what a field means to Read.
type code uint8

const (
	none code = iota
	cSIP
	cType
	cMethod
	cRequestURI
	cStatus
	cReason
	cCallID
	cCSeq
	cCSeqNumber
	cCSeqMethod
	cFrom
	cFromURI
	cFromTag
	cTo
	cToURI
	cToTag
	cContact
	cContactURI
	cContactParams
	cVia
	cViaHost
	cViaPort
	cViaBranch
	cPAI
	cPPI
	cService // P-Asserted-Service, P-Preferred-Service
	cAccept
	cAcceptParams
	cEvent
	cExpires
	cETag
	cIfMatch
	cSubState
	cWarning
	cWarnCode
	cWarnAgent
	cWarnText
	cWarnMC
	cAuth
	cAuthHeader
	cSecurity
	cSecHeader
	cSecMech
	cSecParams
	cESP
	cESPSPI
	cHeaders
	cHeaderName
	cHeaderValue
	cBodies
	cPath
	cMIKEY
	cCSB
	cKeyType
	cInitiator
	cResponder
	cInitiatorKMS
	cResponderKMS
	cHidden
	cSig
	cSigState
	cKey
	cKeyState
	cKeyReason
	cKeyUser
	cKeyServer
	cSignature
	cSignState
	cSignKey
	cSignRefs
	cSignBody
	cPoC
	cEntity
	cEntityID
	cAnswer
	cEntityProfile
	cMultiplex
	cXML
	cXMLName
	cXMLAttrs
	cInfoMCPTT
	cInfoMCVideo
	cInfoMCData
	cToken
	cClaims
	cFingerprint
	cClientID
	cInfoRequest
	cCallingUser
	cCalledParty
	cProfile
	cMultiple
	cHTTP
	cHTTPType
	cHTTPVersion
	cHTTPMethod
	cHTTPTarget
	cHTTPHost
	cHTTPStatus
	cHTTPReason
	cHTTPExchange
	cHTTPAuth
	cHTTPAuthHeader
	cHTTPScheme
	cHTTPParams
	cHTTPClaims
	cHTTPFingerprint
	cHTTPRequest
	cHTTPReqTarget
	cHTTPReqHost
	cKMS
	cKMSOperation
	cKMSUser
	cKMSURI
	cKMSClient
	cKMSTrK
	cKMSInK
	cKMSError
	cKMSErrorCode
	cKMSErrorText
	cKMSSignature
	cKMSSignState
	cKMSCerts
	cKMSSets
	cKMSSetUser
	cKMSSetKMS
	cKMSSetNumber
	cKMSSetStart
	cKMSSetEnd
	cKMSSetRevoked
	cKMSSetKey
	cKMSNewTrK
	cKMSNewTrKName
	cKMSNewInK
	cKMSNewInKName
	cKMSLearned
	cKMSLearnedNumber
	cIdM
	cIdMMessage
	cIdMGrant
	cIdMClient
	cIdMScope
	cIdMRedirect
	cIdMState
	cIdMChallenge
	cIdMMethod
	cIdMCode
	cIdMProof
	cIdMResource
	cIdMExpires
	cIdMTokens
	cIdMTokenKind
	cIdMTokenPrint
	cIdMTokenClaims
	cIdMError
	cIdMErrorCode
	cIdMErrorText
	cXCAP
	cXCAPAUID
	cXCAPTree
	cXCAPUser
	cXCAPDocument
	cXCAPSelector
	cXCAPKind
	cRecording
	cRecRole
	cRecAction
)

// fieldCodes maps the names of the register to codes; info elements are added for each service.
var fieldCodes = map[string]code{
	"sip": cSIP, "sip.type": cType, "sip.method": cMethod, "sip.request_uri": cRequestURI, "sip.status": cStatus, "sip.reason": cReason,
	"sip.call_id": cCallID, "sip.cseq": cCSeq, "sip.cseq.number": cCSeqNumber, "sip.cseq.method": cCSeqMethod,
	"sip.from": cFrom, "sip.from.uri": cFromURI, "sip.from.tag": cFromTag, "sip.to": cTo, "sip.to.uri": cToURI, "sip.to.tag": cToTag,
	"sip.contact": cContact, "sip.contact.uri": cContactURI, "sip.contact.params": cContactParams,
	"sip.via": cVia, "sip.via.host": cViaHost, "sip.via.port": cViaPort, "sip.via.branch": cViaBranch,
	"sip.p_asserted_identity": cPAI, "sip.p_preferred_identity": cPPI, "sip.p_asserted_service": cService, "sip.p_preferred_service": cService,
	"sip.accept_contact": cAccept, "sip.accept_contact.params": cAcceptParams,
	"sip.event": cEvent, "sip.expires": cExpires, "sip.etag": cETag, "sip.if_match": cIfMatch, "sip.subscription_state": cSubState,
	"sip.warning": cWarning, "sip.warning.code": cWarnCode, "sip.warning.agent": cWarnAgent, "sip.warning.text": cWarnText, "sip.warning.mc_code": cWarnMC,
	"sip.authorization": cAuth, "sip.authorization.header": cAuthHeader,
	"sip.security": cSecurity, "sip.security.header": cSecHeader, "sip.security.mechanism": cSecMech, "sip.security.params": cSecParams, "esp": cESP, "esp.spi": cESPSPI,
	"sip.headers": cHeaders, "sip.headers.name": cHeaderName, "sip.headers.value": cHeaderValue,
	"bodies": cBodies, "bodies.path": cPath,
	"mikey": cMIKEY, "mikey.csb_id": cCSB, "mikey.key_type": cKeyType, "mikey.initiator": cInitiator, "mikey.responder": cResponder,
	"mikey.initiator_kms": cInitiatorKMS, "mikey.responder_kms": cResponderKMS, "mikey.hidden": cHidden,
	"mikey.signature": cSig, "mikey.signature.state": cSigState, "mikey.key": cKey, "mikey.key.state": cKeyState, "mikey.key.reason": cKeyReason,
	"mikey.key.initiator": cKeyUser, "mikey.key.responder": cKeyServer,
	"signatures": cSignature, "signatures.state": cSignState, "signatures.key_id": cSignKey, "signatures.references": cSignRefs, "signatures.references.body": cSignBody,
	"poc_settings": cPoC, "poc_settings.entity": cEntity, "poc_settings.entity.id": cEntityID, "poc_settings.entity.answer_mode": cAnswer,
	"poc_settings.entity.selected_user_profile_index": cEntityProfile, "poc_settings.entity.multiplex_support": cMultiplex,
	"xml": cXML, "xml.name": cXMLName, "xml.attributes": cXMLAttrs,
	"mcptt_info": cInfoMCPTT, "mcvideo_info": cInfoMCVideo, "mcdata_info": cInfoMCData,
}

// webCodes are those of HTTP and of the services over it.
var webCodes = map[string]code{
	"http": cHTTP, "http.type": cHTTPType, "http.version": cHTTPVersion, "http.method": cHTTPMethod, "http.target": cHTTPTarget, "http.host": cHTTPHost,
	"http.status": cHTTPStatus, "http.reason": cHTTPReason, "http.exchange": cHTTPExchange,
	"http.authorization": cHTTPAuth, "http.authorization.header": cHTTPAuthHeader, "http.authorization.scheme": cHTTPScheme, "http.authorization.params": cHTTPParams,
	"http.authorization.claims": cHTTPClaims, "http.authorization.fingerprint": cHTTPFingerprint,
	"http.request": cHTTPRequest, "http.request.target": cHTTPReqTarget, "http.request.host": cHTTPReqHost,
	"kms": cKMS, "kms.operation": cKMSOperation, "kms.user_uri": cKMSUser, "kms.kms_uri": cKMSURI, "kms.client_id": cKMSClient, "kms.trk_id": cKMSTrK, "kms.ink_id": cKMSInK,
	"kms.error": cKMSError, "kms.error.code": cKMSErrorCode, "kms.error.text": cKMSErrorText, "kms.signature": cKMSSignature, "kms.signature.state": cKMSSignState,
	"kms.certificates": cKMSCerts, "kms.key_sets": cKMSSets, "kms.key_sets.user_uri": cKMSSetUser, "kms.key_sets.kms_uri": cKMSSetKMS, "kms.key_sets.key_period_no": cKMSSetNumber,
	"kms.key_sets.period_start": cKMSSetStart, "kms.key_sets.period_end": cKMSSetEnd, "kms.key_sets.revoked": cKMSSetRevoked, "kms.key_sets.user_decrypt_key": cKMSSetKey,
	"kms.new_transport_key": cKMSNewTrK, "kms.new_transport_key.name": cKMSNewTrKName, "kms.new_integrity_key": cKMSNewInK, "kms.new_integrity_key.name": cKMSNewInKName,
	"kms.learned": cKMSLearned, "kms.learned.certificates": cKMSLearnedNumber, "kms.learned.user_keys": cKMSLearnedNumber,
	"kms.learned.transport_keys": cKMSLearnedNumber, "kms.learned.integrity_keys": cKMSLearnedNumber,
	"idm": cIdM, "idm.message": cIdMMessage, "idm.grant_type": cIdMGrant, "idm.client_id": cIdMClient, "idm.scope": cIdMScope, "idm.redirect_uri": cIdMRedirect, "idm.state": cIdMState,
	"idm.code_challenge": cIdMChallenge, "idm.code_challenge_method": cIdMMethod, "idm.code_fingerprint": cIdMCode, "idm.verifier_challenge": cIdMProof, "idm.resource": cIdMResource,
	"idm.expires_in": cIdMExpires, "idm.tokens": cIdMTokens, "idm.tokens.kind": cIdMTokenKind, "idm.tokens.fingerprint": cIdMTokenPrint, "idm.tokens.claims": cIdMTokenClaims,
	"idm.error": cIdMError, "idm.error.code": cIdMErrorCode, "idm.error.description": cIdMErrorText,
	"xcap": cXCAP, "xcap.auid": cXCAPAUID, "xcap.tree": cXCAPTree, "xcap.user": cXCAPUser, "xcap.document": cXCAPDocument, "xcap.selector": cXCAPSelector, "xcap.kind": cXCAPKind,
	"recording": cRecording, "recording.role": cRecRole, "recording.action": cRecAction,
}

var infoCodes = map[string]code{
	"access_token": cToken, "access_token.claims": cClaims, "access_token.fingerprint": cFingerprint, "client_id": cClientID,
	"request_uri": cInfoRequest, "calling_user_id": cCallingUser, "called_party_id": cCalledParty, "selected_user_profile_index": cProfile,
	"multiple_devices_ind": cMultiple,
}

// codes is indexed by Field.ID. It is filled at first use, when every package that registers fields has done so.
var codes = sync.OnceValue(func() []code {
	var t []code
	set := func(name string, c code) {
		ref, ok := record.Lookup(name)
		if !ok || ref.Sub != "" || ref.Key != "" {
			return
		}
		for len(t) <= ref.Field.ID() {
			t = append(t, none)
		}
		t[ref.Field.ID()] = c
	}
	for name, c := range fieldCodes {
		set(name, c)
	}
	for name, c := range webCodes {
		set(name, c)
	}
	for _, s := range serviceNames {
		for name, c := range infoCodes {
			set(s+"_info."+name, c)
		}
	}
	return t
})

var digestSeed = maphash.MakeSeed()

// Limits of one event: what a hostile message has more of is left out.
const (
	maxList    = 64   // contacts, warnings, bodies, elements of any list
	maxText    = 512  // octets of one text
	maxCiphers = 256  // encrypted elements
	maxEmbeds  = 8    // message/sip bodies
	maxFrames  = 16   // frames that a message is cited by: the first and the last ones
	maxScope   = 2048 // octets of the scope of a token
)

// Read takes from a record what the tracker has to know, or returns nil for a record that does not matter: a finding, a
// summary, a message without a SIP start line. It is pure and cheap; the event owns its memory, so that the record may
// be reused at once. Whoever is done with the event may give it back to Release.
func Read(r *record.Record) *Event { return read(r, true) }

// read reads a record; without ladders only answers are compared by their digest.
func read(r *record.Record, ladders bool) *Event {
	if r.Type != record.Message {
		return nil
	}
	rd := readers.Get().(*reader)
	rd.r, rd.codes = r, codes()
	e := rd.event(ladders)
	rd.r = nil
	readers.Put(rd)
	return e
}

func (rd *reader) event(ladders bool) *Event {
	r := rd.r
	e := newEvent()
	e.Number, e.Time, e.File, e.Src, e.Dst, e.Transport, e.Quoted = r.Number, r.Time, intern(r.File), r.Src, r.Dst, intern(r.Transport), r.Quoted
	e.Frames = copyFrames(e.Frames, r.Frames)
	found := false
	for i := 0; i < len(r.Nodes); i = rd.next(i) {
		switch rd.code(i) {
		case cSIP:
			if !found {
				rd.sip(e, i, &e.Message)
				found = true
			}
		case cHTTP:
			if !found {
				rd.http(e, i)
				found = true
			}
		case cKMS, cIdM, cXCAP, cRecording:
			rd.webService(e, i)
		case cESP:
			rd.kids(i, func(_ int, c code, n *record.Node) {
				if c == cESPSPI {
					spi, err := strconv.ParseUint(n.Str, 16, 32)
					e.ESP, e.SPI = err == nil, uint32(spi)
				}
			})
		case cBodies:
			rd.body(e, i, &e.Message)
		}
	}
	if !found {
		Release(e)
		return nil
	}
	if len(r.Sources) > 0 && (ladders || !e.Request) {
		e.Digest = maphash.Bytes(digestSeed, r.Sources[0].Data)
	}
	rd.ciphers(e)
	return e
}

// copyFrames keeps the first and the last frames of a message that came in very many.
func copyFrames(dst, f []uint64) []uint64 {
	if len(f) <= maxFrames {
		return append(dst, f...)
	}
	return append(append(dst, f[:maxFrames/2]...), f[len(f)-maxFrames/2:]...)
}

// intern returns a shared copy of a text of which a capture has few.
func intern(s string) string {
	if s == "" {
		return ""
	}
	recent := &interned[(int(s[0])+31*int(s[len(s)-1])+7*len(s))%len(interned)]
	if p := recent.Load(); p != nil && *p == s {
		return *p
	}
	v := unique.Make(s).Value()
	recent.Store(&v)
	return v
}

// interned holds texts that came lately; package unique is slower.
var interned [256]atomic.Pointer[string]

// hasSpace tells whether there is white space of XML.
func hasSpace(b []byte) bool {
	for _, c := range [...]byte{'\n', ' ', '\r', '\t'} {
		if bytes.IndexByte(b, c) >= 0 {
			return true
		}
	}
	return false
}

// A reader takes events out of records.
type reader struct {
	r     *record.Record
	codes []code
	// texts came lately: identities, addresses and names come again and again, and need not be copied each time.
	texts [1024]string
	// tags are feature tags that came lately, with the services they name.
	tags [64]struct {
		name, value string
		tags, icsis Services
	}
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// maxShared is the length of a text that is kept to be shared.
const maxShared = 96

// text is a copy of a text that owns its memory, and is shared with other events.
func (rd *reader) text(s string) string {
	if s == "" || len(s) > maxShared {
		return text(s)
	}
	p := &rd.texts[maphash.String(digestSeed, s)%uint64(len(rd.texts))]
	if *p != s {
		*p = strings.Clone(s)
	}
	return *p
}

func (rd *reader) code(i int) code { return rd.codeOf(&rd.r.Nodes[i]) }

func (rd *reader) codeOf(n *record.Node) code {
	f := n.Field
	if f == nil || f.ID() >= len(rd.codes) {
		return none
	}
	return rd.codes[f.ID()]
}

// next is the index of the sibling after node j.
func (rd *reader) next(j int) int { return max(int(rd.r.Nodes[j].End), j+1) }

// end is the index behind the last descendant of node i.
func (rd *reader) end(i int) int { return min(int(rd.r.Nodes[i].End), len(rd.r.Nodes)) }

// kids calls f for each child of node i. What every message has goes without: the calls cost more than the looks.
func (rd *reader) kids(i int, f func(j int, c code, n *record.Node)) {
	end := rd.end(i)
	for j := i + 1; j < end; j = rd.next(j) {
		f(j, rd.code(j), &rd.r.Nodes[j])
	}
}

func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Clone(s)
}

var methods = map[string]string{}

func init() {
	for _, m := range []string{"REGISTER", "PUBLISH", "SUBSCRIBE", "NOTIFY", "MESSAGE", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "REFER", "PRACK"} {
		methods[m] = m
	}
}

// method returns a method's name without a copy where it is a known one.
func (rd *reader) method(s string) string {
	if m, ok := methods[s]; ok {
		return m
	}
	return rd.text(s)
}

// sip reads one SIP message from its node into m.
func (rd *reader) sip(e *Event, i int, m *Message) {
	d := m.Details
	if d == nil {
		d = &Details{Expires: -1}
		m.Details = d
	}
	vias := 0
	cseqMethod := ""
	nodes := rd.r.Nodes
	for j, end := i+1, rd.end(i); j < end; j = rd.next(j) {
		n := &nodes[j]
		switch c := rd.codeOf(n); c {
		case none:
		case cHeaders:
			rd.associated(j, d)
		case cType:
			m.Request = n.Str == "request"
		case cMethod:
			m.Method = rd.method(n.Str)
		case cRequestURI:
			m.RequestURI = rd.text(n.Str)
		case cStatus:
			m.Status = int(n.Num)
		case cReason:
			m.Reason = intern(clipText(n.Str, 80))
		case cCallID:
			m.CallID = rd.text(n.Str)
		case cCSeq:
			for k, end := j+1, rd.end(j); k < end; k = rd.next(k) {
				switch n := &nodes[k]; rd.codeOf(n) {
				case cCSeqNumber:
					m.CSeq = uint32(n.Num)
				case cCSeqMethod:
					cseqMethod = rd.method(n.Str)
				}
			}
		case cFrom, cTo:
			p := &m.From
			if c == cTo {
				p = &m.To
			}
			for k, end := j+1, rd.end(j); k < end; k = rd.next(k) {
				switch n := &nodes[k]; rd.codeOf(n) {
				case cFromURI, cToURI:
					p.URI = rd.text(n.Str)
				case cFromTag, cToTag:
					p.Tag = rd.text(n.Str)
				}
			}
		case cContact:
			rd.contact(j, d)
		case cVia:
			if vias++; vias > 1 {
				continue
			}
			host, port := "", int64(-1)
			for k, end := j+1, rd.end(j); k < end; k = rd.next(k) {
				switch n := &nodes[k]; rd.codeOf(n) {
				case cViaHost:
					host = n.Str
				case cViaPort:
					port = n.Num
				case cViaBranch:
					m.Branch = rd.text(n.Str)
				}
			}
			m.SentBy = strings.ToLower(rd.text(host))
			if port >= 0 && port != 5060 {
				m.SentBy += ":" + strconv.FormatInt(port, 10)
			}
		case cPAI:
			rd.add(&d.Asserted, n.Str)
		case cPPI:
			rd.add(&d.Preferred, n.Str)
		case cService:
			_, icsis := rd.services(icsiRef, n.Str)
			d.Services |= icsis
		case cAccept:
			for k, end := j+1, rd.end(j); k < end; k = rd.next(k) {
				if rd.codeOf(&nodes[k]) != cAcceptParams {
					continue
				}
				for l, end := k+1, rd.end(k); l < end; l = rd.next(l) {
					tag, icsi := rd.services(nodes[l].Key, nodes[l].Str)
					d.Services |= tag | icsi
				}
			}
		case cEvent:
			d.Event = strings.ToLower(rd.text(n.Str))
		case cExpires:
			d.Expires = n.Num
		case cETag:
			d.ETag = rd.text(n.Str)
		case cIfMatch:
			d.IfMatch = rd.text(n.Str)
		case cSubState:
			d.SubState = rd.text(n.Str)
		case cWarning:
			if len(d.Warnings) >= maxList {
				continue
			}
			w := Warning{MC: -1}
			rd.kids(j, func(_ int, c code, n *record.Node) {
				switch c {
				case cWarnCode:
					w.Code = int(n.Num)
				case cWarnAgent:
					w.Agent = rd.text(n.Str)
				case cWarnText:
					w.Text = rd.text(n.Str)
				case cWarnMC:
					w.MC = int(n.Num)
				}
			})
			d.Warnings = append(d.Warnings, w)
		case cAuth:
			rd.kids(j, func(_ int, c code, n *record.Node) {
				if c == cAuthHeader && (strings.EqualFold(n.Str, "Authorization") || strings.EqualFold(n.Str, "Proxy-Authorization")) {
					d.Authorized = true
				}
			})
		case cSecurity:
			rd.mechanism(j, d)
		case cBodies:
			rd.body(e, j, m)
		}
	}
	if !m.Request {
		m.Method = cseqMethod
	}
}

// add adds a text to a list that is bounded.
func (rd *reader) add(list *[]string, s string) {
	if len(*list) < maxList {
		*list = append(*list, rd.text(s))
	}
}

// associated reads a P-Associated-URI header field (RFC 7315 4.1).
func (rd *reader) associated(i int, d *Details) {
	const name = "P-Associated-URI"
	if n := &rd.r.Nodes[i]; int(n.End) > i+1 && rd.code(i+1) == cHeaderName && len(rd.r.Nodes[i+1].Str) != len(name) {
		return
	}
	wanted := false
	rd.kids(i, func(_ int, c code, n *record.Node) {
		switch {
		case c == cHeaderName:
			wanted = strings.EqualFold(n.Str, name)
		case c == cHeaderValue && wanted:
			for s := n.Str; ; {
				from := strings.IndexByte(s, '<')
				if from < 0 {
					return
				}
				to := strings.IndexByte(s[from:], '>')
				if to < 0 {
					return
				}
				rd.add(&d.Associated, s[from+1:from+to])
				s = s[from+to:]
			}
		}
	})
}

func (rd *reader) contact(i int, d *Details) {
	if len(d.Contacts) >= maxList {
		return
	}
	c := Contact{Expires: -1}
	for j, end := i+1, rd.end(i); j < end; j = rd.next(j) {
		switch n := &rd.r.Nodes[j]; rd.codeOf(n) {
		case cContactURI:
			c.URI = rd.text(n.Str)
		case cContactParams:
			for k, end := j+1, rd.end(j); k < end; k = rd.next(k) {
				rd.param(&c, rd.r.Nodes[k].Key, rd.r.Nodes[k].Str)
			}
		}
	}
	if c.URI == "*" {
		d.Star = true
		return
	}
	d.Contacts = append(d.Contacts, c)
}

// param takes one parameter of a Contact.
func (rd *reader) param(c *Contact, name, value string) {
	if tags, icsis := rd.services(name, value); tags|icsis != 0 {
		c.Tags |= tags
		c.ICSIs |= icsis
		return
	}
	switch low := strings.ToLower(name); low {
	case "expires":
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			c.Expires = int64(n)
		}
	case "+sip.instance":
		c.Instance = rd.text(strings.Trim(value, "<>"))
	case "reg-id":
		c.RegID = rd.text(value)
		if len(c.Continuity) < maxList {
			c.Continuity = append(c.Continuity, "reg-id="+rd.text(value))
		}
	case "pub-gruu":
		c.PubGRUU = rd.text(value)
	case "temp-gruu":
		c.TempGRUU = rd.text(value)
	default:
		if !strings.HasPrefix(low, "+") || len(c.Features) >= maxList {
			return
		}
		f := rd.text(name)
		if value != "" {
			f += "=" + rd.text(value)
		}
		c.Features = append(c.Features, f)
		if continuity(strings.TrimPrefix(low, "+")) {
			c.Continuity = append(c.Continuity, f)
		}
	}
}

// continuity recognises the feature tags of service continuity (TS 24.237 annex C, TS 24.292 annex B).
func continuity(tag string) bool {
	if !strings.HasPrefix(tag, "g.3gpp.") {
		return false
	}
	tag = tag[len("g.3gpp."):]
	switch tag {
	case "accesstype", "ics", "mid-call", "dynamic-stn", "iut-controller", "ti":
		return true
	}
	return strings.HasPrefix(tag, "atcf") || strings.Contains(tag, "srvcc") || strings.Contains(tag, "drvcc") || strings.HasPrefix(tag, "ps2ps") || strings.HasPrefix(tag, "cs2ps") || strings.HasPrefix(tag, "ps2cs")
}

// icsiRef is the feature tag whose value is an ICSI.
const icsiRef = "g.3gpp.icsi-ref"

// services is featureServices, which is asked about the same few tags again and again.
func (rd *reader) services(name, value string) (tags, icsis Services) {
	if len(name) < 8 || name[0] != '+' && name[0]|0x20 != 'g' {
		return 0, 0
	}
	last := byte(0)
	if value != "" {
		last = value[len(value)-1]
	}
	m := &rd.tags[(len(name)+3*len(value)+int(name[len(name)-1])+int(last))%len(rd.tags)]
	if m.name != name || m.value != value {
		if len(name)+len(value) > 2*maxShared {
			return featureServices(name, value)
		}
		m.name, m.value = strings.Clone(name), strings.Clone(value)
		m.tags, m.icsis = featureServices(name, value)
	}
	return m.tags, m.icsis
}

// featureServices tells which services a feature tag names: by itself, and by the ICSI in its value.
func featureServices(name, value string) (tags, icsis Services) {
	name = strings.TrimPrefix(name, "+")
	if len(name) < 8 || !strings.EqualFold(name[:7], "g.3gpp.") {
		return 0, 0
	}
	switch rest := strings.ToLower(name[7:]); {
	case rest == "mcptt":
		return Of(MCPTT), 0
	case rest == "mcvideo":
		return Of(MCVideo), 0
	case rest == "mcdata" || strings.HasPrefix(rest, "mcdata."):
		return Of(MCData), 0
	case rest == "icsi-ref":
		return 0, icsiServices(value)
	}
	return 0, 0
}

// icsiServices tells which services the ICSIs in a value name, percent-encoded (TS 24.229 7.2A.8) or not.
func icsiServices(v string) (set Services) {
	const mark = "icsi.mc"
	low := strings.ToLower(v)
	for {
		i := strings.Index(low, mark)
		if i < 0 {
			return set
		}
		low = low[i+len(mark):]
		for s, name := range serviceNames {
			tail := name[2:]
			if !strings.HasPrefix(low, tail) {
				continue
			}
			if rest := low[len(tail):]; rest == "" || !letter(rest[0]) {
				set |= 1 << s
			}
		}
	}
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' }

// body reads one leaf body.
func (rd *reader) body(e *Event, i int, m *Message) {
	if m.Details == nil {
		m.Details = &Details{Expires: -1}
	}
	d := m.Details
	if d.Bodies >= maxList {
		return
	}
	d.Bodies++
	path := ""
	for j, end := i+1, rd.end(i); j < end; j = rd.next(j) {
		n := &rd.r.Nodes[j]
		switch c := rd.codeOf(n); c {
		case none:
		case cPath:
			path = intern(clipText(n.Str, 40))
		case cMIKEY:
			if len(d.IMessages) < maxList {
				im := rd.mikey(j)
				im.Body = path
				d.IMessages = append(d.IMessages, im)
			}
		case cInfoMCPTT, cInfoMCVideo, cInfoMCData:
			if len(d.Infos) < maxList {
				d.Infos = append(d.Infos, Info{Service: Service(c - cInfoMCPTT), Body: path, Digest: rd.digest(i)})
				rd.info(j, &d.Infos[len(d.Infos)-1])
			}
		case cPoC:
			d.HasPoC = true
			for k, end := j+1, rd.end(j); k < end; k = rd.next(k) {
				if rd.code(k) == cEntity && len(d.Settings) < maxList {
					d.Settings = append(d.Settings, rd.entity(k))
				}
			}
		case cSignature:
			if len(d.Signatures) < maxList {
				d.Signatures = append(d.Signatures, rd.signature(j))
			}
		case cXML:
			rd.profile(j, d)
		case cKMS, cIdM, cXCAP:
			rd.webService(e, j)
		case cSIP:
			if len(e.Inner) < maxEmbeds {
				var in Message
				rd.sip(e, j, &in)
				e.Inner = append(e.Inner, in)
			}
		}
	}
}

// octets returns the octets that a node points at.
func (rd *reader) octets(n *record.Node) []byte {
	if n.Flags&record.HasRange == 0 || int(n.Src) >= len(rd.r.Sources) {
		return nil
	}
	data := rd.r.Sources[n.Src].Data
	from := min(int(n.Off), len(data))
	return data[from:min(from+int(n.Len), len(data))]
}

func (rd *reader) digest(i int) uint64 {
	if b := rd.octets(&rd.r.Nodes[i]); len(b) > 0 {
		return maphash.Bytes(digestSeed, b)
	}
	return 0
}

func (rd *reader) mikey(i int) (m IMessage) {
	user, server := "", ""
	for j, end := i+1, rd.end(i); j < end; j = rd.next(j) {
		n := &rd.r.Nodes[j]
		switch rd.codeOf(n) {
		case cCSB:
			m.CSBID = rd.text(n.Str)
		case cKeyType:
			m.KeyType = intern(clipText(n.Str, 40))
		case cInitiator:
			m.Initiator = rd.text(n.Str)
		case cResponder:
			m.Responder = rd.text(n.Str)
		case cInitiatorKMS:
			m.InitiatorKMS = rd.text(n.Str)
		case cResponderKMS:
			m.ResponderKMS = rd.text(n.Str)
		case cHidden:
			m.Hidden = n.Num != 0
		case cSig:
			rd.kids(j, func(_ int, c code, n *record.Node) {
				if c == cSigState {
					m.SigState = intern(n.Str)
				}
			})
		case cKey:
			rd.kids(j, func(_ int, c code, n *record.Node) {
				switch c {
				case cKeyState:
					m.KeyState = intern(n.Str)
				case cKeyReason:
					m.KeyReason = intern(n.Str)
				case cKeyUser:
					user = n.Str
				case cKeyServer:
					server = n.Str
				}
			})
		}
	}
	// A hashed identity is replaced by the one that was found behind it (TS 33.180 E.7).
	if user != "" {
		m.Initiator = rd.text(user)
	}
	if server != "" {
		m.Responder = rd.text(server)
	}
	if m.Hidden && user == "" {
		m.Initiator = ""
	}
	if m.Hidden && server == "" {
		m.Responder = ""
	}
	return m
}

// value reads an element that can be protected.
func (rd *reader) value(n *record.Node, v *Value) {
	*v = Value{Present: true, State: "clear"}
	if p := rd.r.Protection(n); p != nil {
		v.Encrypted, v.State, v.Reason, v.KeyID = p.Encrypted, p.State.String(), p.Reason.String(), rd.text(p.KeyID)
		v.Opened = p.Encrypted && p.State == record.Opened
		v.Signed, v.Verified = p.Signed, p.Verified
	}
	if n.Flags&record.HasValue != 0 {
		switch n.Field.Of {
		case record.Uint, record.Int:
			v.Text = strconv.FormatInt(n.Num, 10)
		case record.Bool:
			v.Text = strconv.FormatBool(n.Num != 0)
		default:
			v.Text = rd.text(n.Str)
		}
	}
}

// info reads an info body into an Info without values.
func (rd *reader) info(i int, in *Info) {
	for j, end := i+1, rd.end(i); j < end; j = rd.next(j) {
		n := &rd.r.Nodes[j]
		if p := rd.r.Protection(n); p != nil && p.Encrypted {
			in.Encrypted++
		}
		var v *Value
		switch rd.codeOf(n) {
		case cToken:
			if !in.Token.Present {
				rd.token(j, &in.Token)
			}
			continue
		case cClientID:
			v = &in.ClientID
		case cInfoRequest:
			v = &in.RequestURI
		case cCallingUser:
			v = &in.CallingUser
		case cCalledParty:
			v = &in.CalledParty
		case cProfile:
			v = &in.Profile
		case cMultiple:
			in.MultipleDevices = in.MultipleDevices || n.Num != 0
			continue
		default:
			continue
		}
		if !v.Present {
			rd.value(n, v)
		}
	}
}

// token reads an access token into one without values.
func (rd *reader) token(i int, t *Token) {
	rd.value(&rd.r.Nodes[i], &t.Value)
	t.Text = "" // a bearer token is a secret
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cFingerprint:
			t.Fingerprint = rd.text(n.Str)
		case cClaims:
			rd.claims(j, t)
		}
	})
}

// jsonText is a JSON string of a claim.
func (rd *reader) jsonText(raw string) string {
	if n := len(raw); n > 2 && n <= maxShared && raw[0] == '"' && raw[n-1] == '"' && strings.IndexByte(raw, '\\') < 0 {
		return rd.text(raw[1 : n-1])
	}
	return clipText(jsonText(raw), maxText)
}

// claims reads those claims of a token that matter.
func (rd *reader) claims(i int, t *Token) {
	rd.kids(i, func(_ int, _ code, n *record.Node) {
		switch n.Key {
		case "mcptt_id":
			t.IDs[MCPTT] = rd.jsonText(n.Str)
		case "mcvideo_id":
			t.IDs[MCVideo] = rd.jsonText(n.Str)
		case "mcdata_id":
			t.IDs[MCData] = rd.jsonText(n.Str)
		case "client_id":
			t.ClientID = rd.jsonText(n.Str)
		case "iss":
			t.Issuer = rd.jsonText(n.Str)
		case "scope":
			t.Scope = clipText(jsonText(n.Str), maxScope)
		case "exp":
			t.Exp, t.HasExp = jsonSeconds(n.Str)
		}
	})
}

func (rd *reader) entity(i int) Entity {
	e := Entity{Profile: -1}
	rd.kids(i, func(_ int, c code, n *record.Node) {
		switch c {
		case cEntityID:
			e.ID = rd.text(n.Str)
		case cAnswer:
			e.AnswerMode = intern(clipText(n.Str, 40))
		case cEntityProfile:
			if n.Flags&record.HasValue != 0 {
				e.Profile = n.Num
			}
		case cMultiplex:
			if n.Flags&record.HasValue != 0 {
				e.Multiplex = strconv.FormatBool(n.Num != 0)
			}
		}
	})
	return e
}

func (rd *reader) signature(i int) (s Signature) {
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cSignState:
			s.State = intern(n.Str)
		case cSignKey:
			s.KeyID = rd.text(n.Str)
		case cSignRefs:
			rd.kids(j, func(_ int, c code, n *record.Node) {
				if c == cSignBody && len(s.Bodies) < maxList {
					s.Bodies = append(s.Bodies, intern(clipText(n.Str, 40)))
				}
			})
		}
	})
	return s
}

// profile recognises a user profile document: mcptt-user-profile and its twins with XUI-URI and user-profile-index.
func (rd *reader) profile(i int, d *Details) {
	p := Profile{Index: -1}
	known := false
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cXMLName:
			for s, name := range serviceNames {
				if n.Str == name+"-user-profile" {
					p.Service, known = Service(s), true
				}
			}
		case cXMLAttrs:
			rd.kids(j, func(_ int, _ code, n *record.Node) {
				switch n.Key {
				case "XUI-URI":
					p.User = rd.text(n.Str)
				case "user-profile-index":
					if v, err := strconv.ParseUint(strings.TrimSpace(n.Str), 10, 31); err == nil {
						p.Index = int64(v)
					}
				}
			})
		}
	})
	if known && p.Index >= 0 && len(d.Profiles) < maxList {
		d.Profiles = append(d.Profiles, p)
	}
}

// ciphers takes fingerprints of every encrypted element, for the check that no IV is used twice under a key. The node
// of an element's cipher text length points at its EncryptedData or its URI.
func (rd *reader) ciphers(e *Event) {
	r := rd.r
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.Prot == 0 || len(e.Ciphers) >= maxCiphers {
			continue
		}
		p := r.Protection(n)
		if p == nil || !p.Encrypted || p.KeyID == "" {
			continue
		}
		for j := i + 1; j < int(n.End) && j < len(r.Nodes); j = max(int(r.Nodes[j].End), j+1) {
			k := &r.Nodes[j]
			if k.Field == nil || k.Field.Key() != cipherLength {
				continue
			}
			iv, all := ivOf(rd.octets(k))
			if iv != nil {
				e.Ciphers = append(e.Ciphers, Cipher{KeyID: rd.text(p.KeyID), IV: maphash.Bytes(digestSeed, iv), Text: maphash.Bytes(digestSeed, all)})
			}
			break
		}
	}
}

// cipherLength is the member of an encrypted element that points at its cipher text.
const cipherLength = "ciphertext_length"

// ivOf finds the IV in an EncryptedData element (the first 12 octets of CipherValue) or in a protected URI (;iv=), and
// the cipher text, both as base64 without white space.
func ivOf(b []byte) (iv, all []byte) {
	if i := bytes.Index(b, []byte("CipherValue")); i >= 0 {
		b = b[i:]
		if i = bytes.IndexByte(b, '>'); i < 0 {
			return nil, nil
		}
		b = b[i+1:]
		if i = bytes.IndexByte(b, '<'); i < 0 {
			return nil, nil
		}
		if all = b[:i]; hasSpace(all) {
			all = bytes.Join(bytes.Fields(all), nil)
		}
		if len(all) < 16 {
			return nil, nil
		}
		return all[:16], all // 16 characters of base64 are 12 octets
	}
	if i := bytes.Index(b, []byte(";iv=")); i >= 0 {
		v := b[i+4:]
		if j := bytes.IndexAny(v, ";@"); j >= 0 {
			v = v[:j]
		}
		if len(v) >= 16 {
			return v, b
		}
	}
	return nil, nil
}
