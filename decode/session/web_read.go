package session

import (
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// http reads an HTTP message from its node.
func (rd *reader) http(e *Event, i int) {
	h := &HTTP{}
	e.HTTP = h
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cHTTPType:
			e.Request = n.Str == "request"
		case cHTTPVersion:
			h.Version = intern(clipText(n.Str, 8))
		case cHTTPMethod:
			e.Method = intern(clipText(n.Str, 20))
		case cHTTPTarget:
			h.Path = pathOf(n.Str)
		case cHTTPHost:
			h.Host = hostOf(n.Str)
		case cHTTPStatus:
			e.Status = int(n.Num)
		case cHTTPReason:
			e.Reason = intern(clipText(n.Str, 80))
		case cHTTPExchange:
			h.Exchange = uint64(n.Num)
		case cHTTPAuth:
			rd.credentials(j, h)
		case cHTTPRequest:
			rd.kids(j, func(_ int, c code, n *record.Node) {
				switch c {
				case cHTTPReqTarget:
					h.Path = pathOf(n.Str)
				case cHTTPReqHost:
					h.Host = hostOf(n.Str)
				}
			})
		}
	})
	if e.Request {
		e.Host = h.Host
	}
}

// pathOf is a request target without query and fragment, which may hold secrets.
func pathOf(target string) string {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	if i := strings.Index(target, "://"); i > 0 {
		if k := strings.IndexByte(target[i+3:], '/'); k >= 0 {
			target = target[i+3+k:]
		}
	}
	return text(target)
}

// hostOf is an authority in lower case without the ports that go without saying.
func hostOf(authority string) string {
	h := strings.ToLower(text(authority))
	for _, port := range []string{":443", ":80"} {
		h = strings.TrimSuffix(h, port)
	}
	return intern(h)
}

// credentials reads one field of credentials or of a challenge.
func (rd *reader) credentials(i int, h *HTTP) {
	var header, scheme string
	tok := Token{Value: Value{Present: true, State: "clear"}}
	said, words := "", ""
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cHTTPAuthHeader:
			header = n.Str
		case cHTTPScheme:
			scheme = n.Str
		case cHTTPFingerprint:
			tok.Fingerprint = text(n.Str)
		case cHTTPClaims:
			rd.claims(j, &tok)
		case cHTTPParams:
			rd.kids(j, func(_ int, _ code, n *record.Node) {
				switch strings.ToLower(n.Key) {
				case "error":
					said = clipText(n.Str, 80)
				case "error_description":
					words = clipText(n.Str, 160)
				}
			})
		}
	})
	switch {
	case strings.EqualFold(header, "WWW-Authenticate"):
		if said+words != "" && h.Error == "" {
			h.Error = strings.Trim(said+": "+words, ": ")
		}
	case !strings.EqualFold(header, "Authorization"):
	case strings.EqualFold(scheme, "Bearer") && tok.Fingerprint != "":
		if !h.Bearer.Present {
			h.Bearer, h.Field = tok, "http.authorization"
		}
	default:
		h.Other = intern(clipText(scheme, 20))
	}
}

// webService reads what the target or a body says of the service. In SIP it is something else: a KMS redirect response
// (TS 33.180 D.4.1), a group document.
func (rd *reader) webService(e *Event, i int) {
	if e.HTTP == nil {
		return
	}
	switch rd.code(i) {
	case cKMS:
		rd.kms(e.HTTP, i)
	case cIdM:
		rd.idm(e.HTTP, i)
	case cXCAP:
		rd.xcap(e.HTTP, i)
	case cRecording:
		var role, action string
		rd.fill(i, slot{cRecRole, &role}, slot{cRecAction, &action})
		e.HTTP.Record, e.HTTP.Role = clipText(role+" "+action, 80), intern(clipText(role, 20))
	}
}

func (rd *reader) xcap(h *HTTP, i int) {
	if h.XCAP != nil {
		return // of a document: the target says where it belongs
	}
	x := &XCAPPart{}
	rd.fill(i, slot{cXCAPAUID, &x.AUID}, slot{cXCAPTree, &x.Tree}, slot{cXCAPUser, &x.User}, slot{cXCAPDocument, &x.Document}, slot{cXCAPSelector, &x.Selector}, slot{cXCAPKind, &x.Kind})
	h.XCAP = x
}

// A slot is where the text of a child goes.
type slot struct {
	c code
	p *string
}

// fill copies the texts of children; the first one of a kind holds.
func (rd *reader) fill(i int, slots ...slot) {
	rd.kids(i, func(_ int, c code, n *record.Node) {
		for _, s := range slots {
			if s.c == c && *s.p == "" {
				*s.p = text(n.Str)
			}
		}
	})
}

// idm reads one message of identity management; what stands in the query and what stands in a form are one message.
func (rd *reader) idm(h *HTTP, i int) {
	if h.IdM == nil {
		h.IdM = &IdMPart{ExpiresIn: -1}
	}
	p := h.IdM
	rd.fill(i, slot{cIdMMessage, &p.Kind}, slot{cIdMGrant, &p.GrantType}, slot{cIdMClient, &p.ClientID}, slot{cIdMRedirect, &p.RedirectURI}, slot{cIdMChallenge, &p.Challenge},
		slot{cIdMMethod, &p.Method}, slot{cIdMCode, &p.Code}, slot{cIdMProof, &p.Verifier}, slot{cIdMResource, &p.Resource})
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cIdMScope:
			if len(p.Scope)+len(n.Str) < maxScope {
				p.Scope = strings.TrimPrefix(p.Scope+" "+n.Str, " ")
			}
		case cIdMState:
			if p.State == "" {
				p.State = Fingerprint([]byte(n.Str))
			}
		case cIdMExpires:
			p.ExpiresIn = n.Num
		case cIdMTokens:
			rd.issued(j, p)
		case cIdMError:
			rd.fill(j, slot{cIdMErrorCode, &p.Error}, slot{cIdMErrorText, &p.ErrorText})
		}
	})
}

// tokenKinds are the names of tokens in a response, as they were issued.
var tokenKinds = map[string]string{"access_token": "access", "id_token": "id", "refresh_token": "refresh"}

// issued reads one token of a message: issued in a response, presented in a request.
func (rd *reader) issued(i int, p *IdMPart) {
	tok := Token{Value: Value{Present: true, State: "clear"}}
	kind := ""
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cIdMTokenKind:
			kind = n.Str
		case cIdMTokenPrint:
			tok.Fingerprint = text(n.Str)
		case cIdMTokenClaims:
			rd.claims(j, &tok)
		}
	})
	switch kind {
	case "subject_token", "assertion":
		if !p.Subject.Present {
			p.Subject = tok
		}
	case "refresh_token":
		if p.Kind == "token_request" {
			p.Refresh = tok.Fingerprint
			return
		}
		fallthrough
	case "access_token", "id_token":
		if p.Kind != "token_request" && len(p.Issued) < maxList {
			p.Issued = append(p.Issued, Issued{tokenKinds[kind], tok})
		}
	}
}

// kms reads a message of the KMS interface, from the target or from a body.
func (rd *reader) kms(h *HTTP, i int) {
	if h.KMS == nil {
		h.KMS = &KMSPart{}
	}
	k := h.KMS
	rd.fill(i, slot{cKMSOperation, &k.Operation}, slot{cKMSUser, &k.User}, slot{cKMSURI, &k.KMS}, slot{cKMSClient, &k.ClientID}, slot{cKMSTrK, &k.TrK}, slot{cKMSInK, &k.InK})
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cKMSError:
			number, words := "", ""
			rd.fill(j, slot{cKMSErrorCode, &number}, slot{cKMSErrorText, &words})
			k.Error = firstNonEmpty(k.Error, clipText(strings.TrimSpace(clipText(number, 20)+" "+words), 200), "without code and text")
		case cKMSSignature:
			rd.fill(j, slot{cKMSSignState, &k.Signature})
		case cKMSCerts:
			k.Certs++
		case cKMSSets:
			if len(k.Sets) < maxList {
				k.Sets = append(k.Sets, rd.keySet(j))
			}
		case cKMSNewTrK:
			rd.names(j, cKMSNewTrKName, &k.NewTrK)
		case cKMSNewInK:
			rd.names(j, cKMSNewInKName, &k.NewInK)
		case cKMSLearned:
			rd.kids(j, func(_ int, c code, n *record.Node) {
				if c == cKMSLearnedNumber {
					k.Learned += int(min(max(n.Num, 0), 1<<20))
				}
			})
		}
	})
}

// names adds the texts of one kind of child to a list.
func (rd *reader) names(i int, want code, list *[]string) {
	rd.kids(i, func(_ int, c code, n *record.Node) {
		if c == want {
			rd.add(list, n.Str)
		}
	})
}

func (rd *reader) keySet(i int) (k KeySet) {
	rd.kids(i, func(_ int, c code, n *record.Node) {
		switch c {
		case cKMSSetUser:
			k.User = text(n.Str)
		case cKMSSetKMS:
			k.KMS = text(n.Str)
		case cKMSSetNumber:
			k.PeriodNo = n.Num
		case cKMSSetStart:
			k.Start = n.Num
		case cKMSSetEnd:
			k.End = n.Num
		case cKMSSetRevoked:
			k.Revoked = n.Num != 0
		case cKMSSetKey:
			var v Value
			rd.value(n, &v)
			k.State = v.State
		}
	})
	return k
}
