package session

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Schema is the version of the JSON form of a session; docs/schema/mcxdump.sessions-1.schema.json describes it.
const Schema = "mcxdump.sessions/1"

type jsonSession struct {
	Schema          string           `json:"schema"`
	Record          string           `json:"record"`
	ID              int              `json:"id"`
	IMPU            string           `json:"impu,omitempty"`
	Aliases         []string         `json:"aliases,omitempty"`
	Service         string           `json:"service"`
	How             string           `json:"how"`
	MCID            string           `json:"mc_id,omitempty"`
	MCPTTID         string           `json:"mcptt_id,omitempty"`
	Primary         string           `json:"primary_id,omitempty"`
	ClientID        string           `json:"client_id,omitempty"`
	State           string           `json:"state"`
	Cause           string           `json:"cause,omitempty"`
	Hints           []string         `json:"hints,omitempty"`
	Status          int              `json:"status,omitempty"`
	Failed          bool             `json:"failed"`
	Warnings        []jsonWarning    `json:"warnings,omitempty"`
	Protection      jsonProtection   `json:"protection"`
	Keys            []jsonKey        `json:"keys,omitempty"`
	Token           *jsonToken       `json:"token,omitempty"`
	Profile         *int64           `json:"profile_index,omitempty"`
	AnswerMode      string           `json:"answer_mode,omitempty"`
	Multiplex       *bool            `json:"multiplex,omitempty"`
	MultipleDevices bool             `json:"multiple_devices,omitempty"`
	Contact         string           `json:"contact,omitempty"`
	Instance        string           `json:"instance,omitempty"`
	GRUU            string           `json:"gruu,omitempty"`
	Continuity      []string         `json:"continuity,omitempty"`
	IPsec           *jsonIPsec       `json:"ipsec,omitempty"`
	File            string           `json:"file,omitempty"`
	First           jsonPlace        `json:"first"`
	Last            jsonPlace        `json:"last"`
	Duration        float64          `json:"duration_ms"`
	Until           string           `json:"granted_until,omitempty"`
	Frames          []uint64         `json:"frames"`
	Messages        int              `json:"messages"`
	Retransmissions int              `json:"retransmissions"`
	Rejections      int              `json:"rejections,omitempty"`
	Response        *jsonResponse    `json:"response_times,omitempty"`
	ThirdParty      *jsonThird       `json:"third_party,omitempty"`
	Evidence        []jsonEvidence   `json:"evidence,omitempty"`
	History         []jsonTransition `json:"history,omitempty"`
	Lost            int              `json:"left_out,omitempty"`
	Server          string           `json:"server,omitempty"`
	Identities      []string         `json:"identities,omitempty"`
	OAuthClient     string           `json:"oauth_client,omitempty"`
	Actions         []jsonAction     `json:"actions,omitempty"`
	KeySets         []jsonKeySet     `json:"key_sets,omitempty"`
	TrK             string           `json:"trk_id,omitempty"`
	InK             string           `json:"ink_id,omitempty"`
	Learned         int              `json:"keys_taken_over,omitempty"`
	Issued          []string         `json:"issued_tokens,omitempty"`
	From            int              `json:"continues,omitempty"`
}

type jsonAction struct {
	What     string  `json:"action"`
	Object   string  `json:"object,omitempty"`
	Number   uint64  `json:"number,omitempty"`
	Frame    uint64  `json:"frame,omitempty"`
	Status   int     `json:"status,omitempty"`
	Outcome  string  `json:"answer,omitempty"`
	Response float64 `json:"response_time_ms,omitempty"`
}

type jsonKeySet struct {
	User    string `json:"user,omitempty"`
	KMS     string `json:"kms,omitempty"`
	Period  int64  `json:"key_period_no"`
	Start   string `json:"period_start,omitempty"`
	End     string `json:"period_end,omitempty"`
	State   string `json:"state,omitempty"`
	Revoked bool   `json:"revoked,omitempty"`
}

type jsonIssued struct {
	Number  uint64 `json:"number"`
	Frame   uint64 `json:"frame,omitempty"`
	Time    string `json:"time,omitempty"`
	Session int    `json:"session,omitempty"`
	Client  string `json:"client_id,omitempty"`
}

type jsonShown struct {
	Number  uint64 `json:"number"`
	Frame   uint64 `json:"frame,omitempty"`
	Service string `json:"service"`
	Session int    `json:"session,omitempty"`
}

type jsonPlace struct {
	Time   string `json:"time,omitempty"`
	Number uint64 `json:"number,omitempty"`
	Frame  uint64 `json:"frame,omitempty"`
}

type jsonWarning struct {
	Code    int    `json:"code"`
	Agent   string `json:"agent,omitempty"`
	Text    string `json:"text"`
	MC      int    `json:"mc_code,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

type jsonProtection struct {
	Confidentiality bool   `json:"confidentiality"`
	Integrity       bool   `json:"integrity"`
	KeyID           string `json:"key_id,omitempty"`
	State           string `json:"state,omitempty"`
	Signature       string `json:"signature,omitempty"`
}

type jsonKey struct {
	ID        string `json:"id"`
	Type      string `json:"type,omitempty"`
	Way       string `json:"way"`
	Time      string `json:"time,omitempty"`
	Number    uint64 `json:"number,omitempty"`
	Frame     uint64 `json:"frame,omitempty"`
	State     string `json:"state,omitempty"`
	Signature string `json:"signature,omitempty"`
	Initiator string `json:"initiator,omitempty"`
	Responder string `json:"responder,omitempty"`
	Accepted  bool   `json:"accepted"`
	Replaced  string `json:"replaced_by,omitempty"`
	Misused   int    `json:"used_after_replacement,omitempty"`
}

type jsonToken struct {
	Fingerprint string   `json:"fingerprint,omitempty"`
	State       string   `json:"state"`
	Reason      string   `json:"reason,omitempty"`
	KeyID       string   `json:"key_id,omitempty"`
	Issuer      string   `json:"issuer,omitempty"`
	ClientID    string   `json:"client_id,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	Expires     string   `json:"expires,omitempty"`
	Expired     *bool    `json:"expired,omitempty"`

	Kind   string      `json:"kind,omitempty"`
	Issued *jsonIssued `json:"issued,omitempty"`
}

type jsonResponse struct {
	Count int     `json:"count"`
	Min   float64 `json:"min_ms"`
	Mean  float64 `json:"mean_ms"`
	Max   float64 `json:"max_ms"`
}

type jsonThird struct {
	Number uint64 `json:"number"`
	Status int    `json:"status,omitempty"`
	TiedBy string `json:"tied_by,omitempty"`
}

type jsonEvidence struct {
	Fact   string `json:"fact"`
	Value  string `json:"value,omitempty"`
	Number uint64 `json:"number,omitempty"`
	Frame  uint64 `json:"frame,omitempty"`
	Field  string `json:"field,omitempty"`
	KeyID  string `json:"key_id,omitempty"`
}

type jsonTransition struct {
	Time   string `json:"time"`
	Number uint64 `json:"number,omitempty"`
	Frame  uint64 `json:"frame,omitempty"`
	From   string `json:"from"`
	To     string `json:"to"`
	Cause  string `json:"cause,omitempty"`
}

func when(ns int64) string { return string(record.AppendTime(nil, ns)) }

func ms(ns int64) float64 { return float64(ns/1000) / 1000 }

// TokenExpired reports whether the token's time was over at the session's last message; known is false when the token
// tells no time.
func (s *Session) TokenExpired() (expired, known bool) {
	if !s.Token.HasExp {
		return false, false
	}
	return s.Token.Exp < s.Last/second, true
}

// AppendJSON appends the session as one line of mcxdump.sessions/1, without the line feed. It holds no secret: keys are
// named, the token is a fingerprint with its claims.
func (s *Session) AppendJSON(dst []byte) []byte {
	j := jsonSession{Schema: Schema, Record: "session", ID: s.ID, IMPU: s.IMPU, Aliases: s.Aliases, Service: s.Service.String(), How: s.How, MCID: s.MCID,
		Primary: s.Primary, ClientID: s.ClientID, State: s.State.String(), Cause: s.Cause, Hints: s.Hints, Status: s.Status, Failed: s.Failed(),
		Protection: jsonProtection{Confidentiality: s.Confidentiality, Integrity: s.Integrity, State: s.KeyState, Signature: s.SignatureState},
		AnswerMode: s.AnswerMode, MultipleDevices: s.MultipleDevices, Contact: s.Contact, Instance: s.Instance, GRUU: s.GRUU, Continuity: s.Continuity, IPsec: s.IPsec.json(),
		File: s.File, First: jsonPlace{when(s.First), s.FirstNumber, s.FirstFrame}, Last: jsonPlace{when(s.Last), s.LastNumber, s.LastFrame},
		Duration: ms(s.Duration()), Frames: s.Frames, Messages: s.Messages, Retransmissions: s.Retransmissions, Rejections: s.Rejections, Lost: s.Lost}
	if j.Frames == nil {
		j.Frames = []uint64{}
	}
	if s.Service == MCPTT {
		j.MCPTTID = s.MCID
	}
	if s.Key != nil {
		j.Protection.KeyID = s.Key.ID
	}
	for _, w := range s.Warnings {
		o := jsonWarning{Code: w.Code, Agent: w.Agent, Text: w.Text}
		if w.MC >= 0 {
			o.MC, o.Meaning = w.MC, Meaning(s.Service, w.MC)
		}
		j.Warnings = append(j.Warnings, o)
	}
	for _, k := range s.Keys {
		j.Keys = append(j.Keys, jsonKey{k.ID, k.Type, k.Way, when(k.Time), k.Number, k.Frame, k.State, k.Signature, k.Initiator, k.Responder, k.Accepted, k.Replaced, k.Misused})
	}
	if s.Token.Present {
		o := &jsonToken{Fingerprint: s.Token.Fingerprint, State: s.Token.State, Reason: s.Token.Reason, KeyID: s.Token.KeyID, Issuer: s.Token.Issuer, ClientID: s.Token.ClientID, Scopes: s.Scopes()}
		if s.Token.HasExp && s.Token.Exp > -maxSeconds && s.Token.Exp < maxSeconds {
			o.Expires = when(s.Token.Exp * second)
		}
		if x, ok := s.TokenExpired(); ok {
			o.Expired = &x
		}
		if x := s.Trail; x != nil && x.Fingerprint == s.Token.Fingerprint {
			o.Kind, o.Issued = x.Kind, x.jsonIssued()
		}
		j.Token = o
	}
	if s.Profile >= 0 {
		j.Profile = &s.Profile
	}
	if s.Multiplex != "" {
		b := s.Multiplex == "true"
		j.Multiplex = &b
	}
	if s.Until > 0 {
		j.Until = when(s.Until)
	}
	if s.Responses > 0 {
		j.Response = &jsonResponse{s.Responses, ms(s.ResponseMin), ms(s.ResponseSum / int64(s.Responses)), ms(s.ResponseMax)}
	}
	if s.ThirdParty > 0 {
		j.ThirdParty = &jsonThird{s.ThirdParty, s.ThirdPartyStatus, s.TiedBy}
	}
	for _, v := range s.Evidence {
		j.Evidence = append(j.Evidence, jsonEvidence(v))
	}
	for _, h := range s.History {
		j.History = append(j.History, jsonTransition{when(h.Time), h.Number, h.Frame, h.From.String(), h.To.String(), h.Cause})
	}
	s.webJSON(&j)
	return appendLine(dst, &j, "session")
}

// appendLine appends a JSON object as one line.
func appendLine(dst []byte, v any, record string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Nothing in the structures can fail: texts are made valid UTF-8 by the encoder, numbers are finite.
		return append(dst, `{"schema":"`+Schema+`","record":"`+record+`","error":"cannot be written"}`...)
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// webJSON adds what only an authorisation over HTTP has.
func (s *Session) webJSON(j *jsonSession) {
	j.Server, j.Identities, j.OAuthClient, j.TrK, j.InK, j.Learned, j.From = s.Server, s.Members, s.OAuthClient, s.TrK, s.InK, s.Learned, s.From
	for _, a := range s.Actions {
		j.Actions = append(j.Actions, jsonAction{a.What, a.Object, a.Number, a.Frame, a.Status, a.Outcome, ms(a.NS)})
	}
	for _, k := range s.KeySets {
		o := jsonKeySet{User: k.User, KMS: k.KMS, Period: k.PeriodNo, State: k.State, Revoked: k.Revoked}
		if k.Start != 0 {
			o.Start = when(k.Start)
		}
		if k.End != 0 {
			o.End = when(k.End)
		}
		j.KeySets = append(j.KeySets, o)
	}
	for _, x := range s.Tokens {
		j.Issued = append(j.Issued, x.Fingerprint)
	}
}

func (x *Trail) jsonIssued() *jsonIssued {
	if x.Issued == nil {
		return nil
	}
	return &jsonIssued{x.Issued.Number, x.Issued.Frame, when(x.Issued.Time), x.IssuedBy, x.IssuedTo}
}

// maxSeconds is what nanoseconds in 64 bits can hold.
const maxSeconds = 9_000_000_000

// Redacted returns a copy in which every identity is replaced by what name makes of it, in free text too. Ladder events
// are not copied: their addresses and labels are the caller's to replace.
func (s *Session) Redacted(name func(string) string) *Session {
	c := *s
	c.events, c.user, c.attempt = &eventList{}, nil, nil
	seen := map[string]string{}
	id := func(x string) string {
		if x == "" {
			return ""
		}
		if y, ok := seen[x]; ok {
			return y
		}
		y := name(x)
		seen[x] = y
		return y
	}
	ids := func(l []string) (out []string) {
		for _, x := range l {
			out = append(out, id(x))
		}
		return out
	}
	c.IMPU, c.MCID, c.Primary, c.ClientID = id(s.IMPU), id(s.MCID), id(s.Primary), id(s.ClientID)
	c.Contact, c.Instance, c.GRUU, c.Aliases = id(s.Contact), id(s.Instance), id(s.GRUU), ids(s.Aliases)
	c.Token.ClientID = id(s.Token.ClientID)
	if s.Trail != nil {
		c.Trail = s.Trail.Redacted(name)
	}
	c.Tokens = nil
	for _, x := range s.Tokens {
		c.Tokens = append(c.Tokens, x.Redacted(name))
	}
	c.Members, c.Server, c.OAuthClient = ids(s.Members), id(s.Server), id(s.OAuthClient)
	c.KeySets = slices.Clone(s.KeySets)
	for i := range c.KeySets {
		c.KeySets[i].User = id(c.KeySets[i].User)
	}
	for i, x := range s.Token.IDs {
		c.Token.IDs[i] = id(x)
	}
	c.Keys = nil
	for _, k := range s.Keys {
		o := *k
		o.Initiator, o.Responder = id(k.Initiator), id(k.Responder)
		c.Keys = append(c.Keys, &o)
		if k == s.Key {
			c.Key = &o
		}
	}
	c.Evidence = slices.Clone(s.Evidence)
	for i := range c.Evidence {
		v := &c.Evidence[i]
		switch v.Fact {
		case "mc_id", "client_id", "primary_id", "third_party_register", "mcptt_id", "mcvideo_id", "mcdata_id", "kms_user", "oauth_client", "server", "trk", "ink", "new_trk", "new_ink":
			v.Value = id(v.Value)
		case "binding":
			a, b, _ := strings.Cut(v.Value, " = ")
			v.Value = id(a) + " = " + id(b)
		}
	}
	// Longer identities first, so that one inside another leaves no rest.
	keys := make([]string, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	hide := func(text string) string {
		if rest, ok := strings.CutPrefix(text, "replaced by "); ok {
			return "replaced by " + id(rest)
		}
		for _, k := range keys {
			if len(k) > 3 {
				text = strings.ReplaceAll(text, k, seen[k])
			}
		}
		return text
	}
	for i := range c.Evidence {
		if c.Evidence[i].Fact == "keys_provisioned" {
			c.Evidence[i].Value = hide(c.Evidence[i].Value)
		}
	}
	c.TrK, c.InK = id(s.TrK), id(s.InK) // named after the user
	c.Actions = slices.Clone(s.Actions)
	for i := range c.Actions {
		a := &c.Actions[i]
		words := strings.Split(a.Object, " ") // whose document, and its name, which may be the user's too
		a.What, a.Object, a.Outcome = hide(a.What), strings.Join(ids(words), " "), hide(a.Outcome)
	}
	c.Cause = hide(s.Cause)
	c.History = slices.Clone(s.History)
	for i := range c.History {
		c.History[i].Cause = hide(c.History[i].Cause)
	}
	c.Warnings = slices.Clone(s.Warnings)
	for i := range c.Warnings {
		c.Warnings[i].Text = hide(c.Warnings[i].Text)
	}
	return &c
}
