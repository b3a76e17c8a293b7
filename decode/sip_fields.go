package decode

import "github.com/mcxdump/mcxdump/decode/record"

// reg declares a field; the dissectors' own files use it too.
func reg(name, title, clause string, k record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: clause, Kind: k})
}

func regList(name, title, clause string, k record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: clause, Kind: k, List: true})
}

// regID declares a text field that names a person, a client or an address of one (for --redact).
func regID(name, title, clause string) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: clause, Kind: record.String, Identity: true})
}

func regMap(name, title, clause string, of record.Kind) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: clause, Kind: record.Map, Of: of})
}

func regIDList(name, title, clause string) *record.Field {
	return record.Register(record.Field{Name: name, Title: title, Clause: clause, Kind: record.String, Identity: true, List: true})
}

// The SIP message, in the order in which its nodes are built.
var (
	fSIP           = reg("sip", "Session Initiation Protocol", "RFC 3261 7", record.Object)
	fSIPType       = reg("sip.type", "Type", "RFC 3261 7", record.String)
	fSIPMethod     = reg("sip.method", "Method", "RFC 3261 7.1", record.String)
	fSIPRequestURI = regID("sip.request_uri", "Request-URI", "RFC 3261 7.1")
	fSIPVersion    = reg("sip.version", "SIP-Version", "RFC 3261 7.1", record.String)
	fSIPStatus     = reg("sip.status", "Status-Code", "RFC 3261 7.2", record.Uint)
	fSIPReason     = reg("sip.reason", "Reason-Phrase", "RFC 3261 7.2", record.String)
	fSIPCallID     = reg("sip.call_id", "Call-ID", "RFC 3261 20.8", record.String)

	fSIPCSeq       = reg("sip.cseq", "CSeq", "RFC 3261 20.16", record.Object)
	fSIPCSeqNumber = reg("sip.cseq.number", "Sequence number", "RFC 3261 20.16", record.Uint)
	fSIPCSeqMethod = reg("sip.cseq.method", "Method", "RFC 3261 20.16", record.String)

	fSIPFrom = addressFields("sip.from", "From", "RFC 3261 20.20")
	fSIPTo   = addressFields("sip.to", "To", "RFC 3261 20.39")

	fSIPContact        = regList("sip.contact", "Contact", "RFC 3261 20.10", record.Object)
	fSIPContactURI     = regID("sip.contact.uri", "URI", "RFC 3261 20.10")
	fSIPContactDisplay = regID("sip.contact.display", "Display name", "RFC 3261 20.10")
	fSIPContactParams  = regMap("sip.contact.params", "Parameters and feature tags", "RFC 3840 9", record.String)

	fSIPVia         = regList("sip.via", "Via", "RFC 3261 20.42", record.Object)
	fSIPViaTranspo  = reg("sip.via.transport", "Transport", "RFC 3261 20.42", record.String)
	fSIPViaHost     = reg("sip.via.host", "Sent-by host", "RFC 3261 20.42", record.String)
	fSIPViaPort     = reg("sip.via.port", "Sent-by port", "RFC 3261 20.42", record.Uint)
	fSIPViaBranch   = reg("sip.via.branch", "Branch", "RFC 3261 20.42", record.String)
	fSIPViaParams   = regMap("sip.via.params", "Parameters", "RFC 3261 20.42", record.String)
	fSIPRoute       = regList("sip.route", "Route", "RFC 3261 20.34", record.String)
	fSIPRecordRoute = regList("sip.record_route", "Record-Route", "RFC 3261 20.30", record.String)
	fSIPPath        = regList("sip.path", "Path", "RFC 3327 4", record.String)

	fSIPPAI = regIDList("sip.p_asserted_identity", "P-Asserted-Identity", "RFC 3325 9.1")
	fSIPPPI = regIDList("sip.p_preferred_identity", "P-Preferred-Identity", "RFC 3325 9.2")
	fSIPPAS = regList("sip.p_asserted_service", "P-Asserted-Service", "RFC 6050 4.1", record.String)
	fSIPPPS = regList("sip.p_preferred_service", "P-Preferred-Service", "RFC 6050 4.2", record.String)

	fSIPAcceptContact       = regList("sip.accept_contact", "Accept-Contact", "RFC 3841 9.2", record.Object)
	fSIPAcceptContactParams = regMap("sip.accept_contact.params", "Feature tags", "RFC 3841 9.2", record.String)

	fSIPEvent       = reg("sip.event", "Event package", "RFC 6665 8.2.1", record.String)
	fSIPEventParams = regMap("sip.event_params", "Event parameters", "RFC 6665 8.2.1", record.String)
	fSIPExpires     = reg("sip.expires", "Expires in seconds", "RFC 3261 20.19", record.Uint)
	fSIPETag        = reg("sip.etag", "SIP-ETag", "RFC 3903 11.3.1", record.String)
	fSIPIfMatch     = reg("sip.if_match", "SIP-If-Match", "RFC 3903 11.3.2", record.String)
	fSIPSubState    = reg("sip.subscription_state", "Subscription-State", "RFC 6665 8.2.3", record.String)
	fSIPMaxForwards = reg("sip.max_forwards", "Max-Forwards", "RFC 3261 20.22", record.Uint)
	fSIPUserAgent   = reg("sip.user_agent", "User-Agent", "RFC 3261 20.41", record.String)
	fSIPServer      = reg("sip.server", "Server", "RFC 3261 20.35", record.String)

	fSIPWarning       = regList("sip.warning", "Warning", "RFC 3261 20.43", record.Object)
	fSIPWarningCode   = reg("sip.warning.code", "Warn-code", "RFC 3261 20.43", record.Uint)
	fSIPWarningAgent  = reg("sip.warning.agent", "Warn-agent", "RFC 3261 20.43", record.String)
	fSIPWarningText   = reg("sip.warning.text", "Warn-text", "RFC 3261 20.43", record.String)
	fSIPWarningMCCode = reg("sip.warning.mc_code", "MC code inside the text", "TS 24.379 4.4.2", record.Uint)

	fSIPAuth       = regList("sip.authorization", "Authorization", "RFC 3261 20.7", record.Object)
	fSIPAuthHeader = reg("sip.authorization.header", "Header field", "RFC 3261 20.7", record.String)
	fSIPAuthScheme = reg("sip.authorization.scheme", "Scheme", "RFC 3261 25.1", record.String)
	fSIPAuthToken  = reg("sip.authorization.token", "Bearer token", "RFC 6750 2.1", record.String)
	fSIPAuthParams = regMap("sip.authorization.params", "Parameters", "RFC 3261 25.1", record.String)

	fSIPSecurity          = regList("sip.security", "Security mechanism agreement", "RFC 3329 2.2", record.Object)
	fSIPSecurityHeader    = reg("sip.security.header", "Header field", "RFC 3329 2.2", record.String)
	fSIPSecurityMechanism = reg("sip.security.mechanism", "Mechanism", "RFC 3329 2.2", record.String)
	fSIPSecurityParams    = regMap("sip.security.params", "Parameters", "TS 33.203 H", record.String)

	fSIPContentType   = reg("sip.content_type", "Content-Type", "RFC 3261 20.15", record.String)
	fSIPContentLength = reg("sip.content_length", "Content-Length", "RFC 3261 20.14", record.Uint)

	fSIPHeaders     = regList("sip.headers", "Header field", "RFC 3261 7.3", record.Object)
	fSIPHeaderName  = reg("sip.headers.name", "Name", "RFC 3261 7.3", record.String)
	fSIPHeaderValue = regID("sip.headers.value", "Value", "RFC 3261 7.3")
)

// address is a header field with one name-addr.
type address struct{ self, uri, tag, display *record.Field }

func addressFields(name, title, clause string) address {
	return address{
		self:    reg(name, title, clause, record.Object),
		uri:     regID(name+".uri", "URI", clause),
		tag:     reg(name+".tag", "Tag", clause, record.String),
		display: regID(name+".display", "Display name", clause),
	}
}

// The bodies: flat and depth-first, multipart containers left out.
var (
	fBodies       = regList("bodies", "Body", "RFC 2045, RFC 3261 7.4", record.Object)
	fBodyPath     = reg("bodies.path", "Path", "mcxdump", record.String)
	fBodyType     = reg("bodies.type", "Media type", "RFC 2045 5", record.String)
	fBodyCID      = reg("bodies.content_id", "Content-ID", "RFC 2045 7", record.String)
	fBodyDispo    = reg("bodies.disposition", "Content-Disposition", "RFC 3261 20.11", record.String)
	fBodyEncoding = reg("bodies.transfer_encoding", "Content-Transfer-Encoding", "RFC 2045 6", record.String)
	fBodyLength   = reg("bodies.length", "Length in octets", "RFC 2046 5.1", record.Uint)
	fBodyError    = reg("bodies.error", "Why the body could not be read", "mcxdump", record.String)
)
