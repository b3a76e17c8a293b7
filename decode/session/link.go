package session

import "github.com/mcxdump/mcxdump/decode/record"

// A Link says what a message is to a session. It is attached to the message's record as "session".
type Link struct {
	Session    *Session // nil for a transaction that belongs to none
	Kind       string   // one of Kinds
	Service    string
	IMPU       string
	MCID       string
	MCPTTID    string
	ClientID   string
	State      string // of the session after the message
	Reason     string // in words
	Request    uint64 // number of the request that this message answers
	HasTime    bool
	ResponseNS int64  // from the first copy of the request to this response
	Repeat     uint64 // number of the message that this one repeats
	Server     string // over HTTP: host name of the server
	Token      *Trail // that the session presents, or was issued
}

// Kinds are the values of session.kind.
var Kinds = []string{"register", "publish", "settings", "migration", "third_party_register", "refresh", "log_off", "registration", "subscription", "notification", "key_download", "use", "transaction",
	kindAuthorise, kindTokens, kindKeys, kindConfig, kindGroups, kindRecording, kindWeb}

var (
	fSession = record.Register(record.Field{Name: "session", Title: "Session", Clause: "TS 33.180 5.1.3.1", Kind: record.Object})
	fKind    = record.Register(record.Field{Name: "session.kind", Title: "What the message is to the session", Clause: "TS 24.379 7.2", Kind: record.String})
	fService = record.Register(record.Field{Name: "session.service", Title: "Service", Clause: "TS 33.180 5.1.3.1", Kind: record.String})
	fIMPU    = record.Register(record.Field{Name: "session.impu", Title: "Public user identity", Clause: "TS 33.180 5.1.3.1", Kind: record.String, Identity: true})
	fMCID    = record.Register(record.Field{Name: "session.mc_id", Title: "MC service ID bound to it", Clause: "TS 33.180 5.1.3.1", Kind: record.String, Identity: true})
	fMCPTTID = record.Register(record.Field{Name: "session.mcptt_id", Title: "MCPTT ID bound to it", Clause: "TS 24.379 7.3.2", Kind: record.String, Identity: true})
	fClient  = record.Register(record.Field{Name: "session.client_id", Title: "MC client ID bound to it", Clause: "TS 24.379 7.3.2", Kind: record.String, Identity: true})
	fState   = record.Register(record.Field{Name: "session.state", Title: "State of the service authorisation after the message", Clause: "TS 24.379 7.2", Kind: record.String})
	fReason  = record.Register(record.Field{Name: "session.reason", Title: "Why, in words", Clause: "TS 24.379 4.4.2", Kind: record.String})
	fRequest = record.Register(record.Field{Name: "session.request", Title: "Number of the request that the message answers", Clause: "RFC 3261 17.1.3", Kind: record.Uint})
	fTime    = record.Register(record.Field{Name: "session.response_time_ms", Title: "Milliseconds from the request's first copy to this response", Clause: "RFC 3261 17.1.3", Kind: record.Uint})
	fRepeat  = record.Register(record.Field{Name: "session.repeat_of", Title: "Number of the message that this one repeats", Clause: "RFC 3261 17.2", Kind: record.Uint})

	fServer      = record.Register(record.Field{Name: "session.server", Title: "Server", Clause: "TS 33.180 5.1.3.1", Kind: record.String})
	fToken       = record.Register(record.Field{Name: "session.token", Title: "Token", Clause: "TS 33.180 B.2.2", Kind: record.Object})
	fTokenPrint  = record.Register(record.Field{Name: "session.token.fingerprint", Title: "Fingerprint", Clause: "mcxdump", Kind: record.String})
	fTokenKind   = record.Register(record.Field{Name: "session.token.kind", Title: "Issued as", Clause: "TS 33.180 B.2", Kind: record.String})
	fTokenIssued = record.Register(record.Field{Name: "session.token.issued_in", Title: "Issued in message", Clause: "TS 33.180 B.4.2", Kind: record.Uint})
	fTokenShown  = record.Register(record.Field{Name: "session.token.presented", Title: "Presented so far", Clause: "TS 33.180 5.1.3.1", Kind: record.Uint})
)

// AppendNodes adds a link to a record as the object "session".
func AppendNodes(b *record.Builder, l *Link) {
	if l == nil {
		return
	}
	b.Open(fSession, record.Place{})
	str := func(f *record.Field, s string) {
		if s != "" {
			b.Str(f, s, record.Place{})
		}
	}
	str(fKind, l.Kind)
	str(fService, l.Service)
	str(fIMPU, l.IMPU)
	str(fMCID, l.MCID)
	str(fMCPTTID, l.MCPTTID)
	str(fClient, l.ClientID)
	str(fState, l.State)
	str(fReason, l.Reason)
	if l.Request != 0 {
		b.Num(fRequest, int64(l.Request), record.Place{})
	}
	if l.HasTime {
		b.Num(fTime, l.ResponseNS/1e6, record.Place{})
	}
	if l.Repeat != 0 {
		b.Num(fRepeat, int64(l.Repeat), record.Place{})
	}
	str(fServer, l.Server)
	appendTrail(b, l.Token)
	b.Close()
}
