package session

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Services that are authorised over HTTP (TS 33.180 5.1.3.1). They follow the three of SIP.
const (
	KMS       = services + iota // key management, TS 33.180 5.3
	IdM                         // identity management, TS 33.180 annex B
	CMS                         // configuration management, TS 24.484
	GMS                         // group management, TS 24.481
	Recording                   // recording administration and replay, TS 33.180 5.1.3.1
	Web                         // another server that was shown a bearer token
	allServices
)

var webNames = [...]string{"kms", "idm", "cms", "gms", "recording", "http"}

// HTTP reports whether the service is authorised over HTTP.
func (s Service) HTTP() bool { return s >= services && s < allServices }

// How a user asked for authorisation over HTTP.
const (
	ByCode     = "authorization_code" // RFC 6749 4.1, TS 33.180 B.4.2
	ByRefresh  = "refresh_token"      // RFC 6749 6, TS 33.180 B.5
	ByExchange = "token_exchange"     // RFC 8693, TS 33.180 B.7: a security token for a partner domain
	ByJWT      = "jwt_bearer"         // RFC 7523, TS 33.180 B.9: a security token at the partner's IdM
	ByGrant    = "other_grant"        // another grant type
	ByBearer   = "bearer"             // RFC 6750, TS 33.180 B.10
	ByNothing  = "no_token"           // no bearer token in the request
)

// HTTP is what matters of one HTTP message: who shows which token to whom for what, and with what answer.
type HTTP struct {
	Path     string // of the request's target, without its query; of a response too
	Host     string // that the request is for
	Exchange uint64 // equal for a request and its response, 0: unknown
	Version  string
	Bearer   Token  // Authorization: Bearer of a request
	Field    string // registered name of the field that the token was read from
	Other    string // scheme of other credentials
	Error    string // of WWW-Authenticate in words: error and description (RFC 6750 3)
	IdM      *IdMPart
	KMS      *KMSPart
	XCAP     *XCAPPart
	Record   string // action at a recording server
	Role     string // of its user: admin, replay
}

// IdMPart is one message of identity management (TS 33.180 annex B). Secrets are fingerprints.
type IdMPart struct {
	Kind        string // authorisation_request, authorisation_response, user_authentication, token_request, token_response, token_error, ...
	ClientID    string
	RedirectURI string
	State       string // fingerprint
	Scope       string
	Challenge   string // code_challenge
	Method      string // code_challenge_method
	Verifier    string // the code_challenge that fits the code_verifier (S256)
	Code        string // fingerprint
	GrantType   string
	Refresh     string // fingerprint of the refresh token presented
	Subject     Token  // security token or other token presented: subject_token, assertion
	Resource    string // of a partner domain
	Error       string
	ErrorText   string
	ExpiresIn   int64 // -1: not told
	Issued      []Issued
}

// Issued is one token that an IdM hands out.
type Issued struct {
	Kind string // access, id, refresh, security
	Token
}

// KMSPart is one message of the KMS interface (TS 33.180 annex D).
type KMSPart struct {
	Operation string // init, keyprov, certcache, cert, lookup, redirect
	User, KMS string
	ClientID  string
	TrK, InK  string // identifiers named in the message
	Signature string // state of its signature
	Error     string // in words, "" for none
	Sets      []KeySet
	Certs     int
	NewTrK    []string
	NewInK    []string
	Learned   int // keys that the run took over
}

// KeySet is the key material of one user and one key period.
type KeySet struct {
	User, KMS  string
	PeriodNo   int64
	Start, End int64  // Unix nanoseconds, 0: not known
	State      string // of the decryption key: clear, decrypted, no_key, failed
	Revoked    bool
}

// XCAPPart is one XCAP request (TS 24.484, TS 24.481, RFC 4825).
type XCAPPart struct {
	AUID, Tree, User, Document, Selector, Kind string
}

// web returns the service that an HTTP request is for.
func (h *HTTP) service() (Service, bool) {
	switch {
	case h.IdM != nil:
		return IdM, true
	case h.KMS != nil:
		return KMS, true
	case h.Record != "":
		return Recording, true
	case h.XCAP != nil && h.XCAP.group():
		return GMS, true
	case h.XCAP != nil && strings.HasPrefix(h.XCAP.AUID, "org.3gpp.mc"):
		return CMS, true
	case h.Bearer.Present:
		return Web, true
	}
	return 0, false
}

// group tells documents of group management (TS 24.481 7) from those of configuration management (TS 24.484).
func (x *XCAPPart) group() bool {
	return strings.Contains(x.Kind, "group") || strings.HasPrefix(x.AUID, "org.openmobilealliance.group")
}

// users are the MC service IDs of a token, each once.
func (t *Token) users() (out []string) {
	for _, id := range t.IDs {
		if id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// known reports whether a token could be looked into.
func (t *Token) known() bool {
	return t.Issuer+t.Scope+t.ClientID != "" || t.HasExp || len(t.users()) > 0
}

// words says in a few words what an HTTP message is, for ladders.
func (h *HTTP) words(request bool) string {
	var out []string
	add := func(s ...string) {
		for _, x := range s {
			if x == "" {
				return
			}
		}
		out = append(out, strings.Join(s, " "))
	}
	switch {
	case h.IdM != nil:
		p := h.IdM
		add(strings.ReplaceAll(p.Kind, "_", " "))
		add("grant", p.GrantType)
		add("client", p.ClientID)
		add("error", p.Error)
		for i := range p.Issued {
			add(p.Issued[i].Kind+" token", p.Issued[i].Fingerprint)
		}
	case h.KMS != nil:
		p := h.KMS
		add("KMS", p.Operation)
		add("error", p.Error)
		add(Count(len(p.Sets), "key set"))
		add(Count(p.Certs, "certificate"))
	case h.XCAP != nil:
		add(firstNonEmpty(h.XCAP.Kind, h.XCAP.AUID))
	case h.Record != "":
		add("recording", h.Record)
	}
	if request && len(out) == 0 {
		add(h.Path)
	}
	if h.Bearer.Present {
		add("token", firstNonEmpty(h.Bearer.Fingerprint, "of another kind"))
	}
	add(h.Error)
	return clipText(strings.Join(out, ", "), 120)
}

// Count says how many things there are, "" for none.
func Count(n int, thing string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

func firstNonEmpty(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// Fingerprint lets a secret or a token be followed without showing it: the first 8 octets of its SHA-256, in hex.
func Fingerprint(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}
