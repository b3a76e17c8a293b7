package session

import (
	"fmt"
	"slices"
	"strings"
)

// A Chain is one user's way through the services of TS 33.180 5.1.3.1 as one story: who issued the token, who gave the
// keys, to whom the token was shown and with what answer; what is missing is named.
type Chain struct {
	ID      int      // in order of first message, from 1
	Users   []string // MC service IDs
	IMPUs   []string
	Steps   []Step
	Tokens  []*Trail
	Verdict string
}

// A Step is one service of the chain.
type Step struct {
	Stage    string // idm, kms, cms, sip, gms, recording, http
	Sessions []*Session
	Gap      string // what is missing, in words; "" when nothing is
}

// Stages are the values of Step.Stage in their order.
var Stages = []string{"idm", "kms", "cms", "sip", "gms", "recording", "http"}

func stageOf(s Service) string {
	if s.HTTP() {
		return s.String()
	}
	return "sip"
}

// HTTP reports whether anything of the chain went over HTTP.
func (c *Chain) HTTP() bool {
	return slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Stage != "sip" && len(s.Sessions) > 0 })
}

// Sessions are those of all steps in order of their first message.
func (c *Chain) Sessions() (out []*Session) {
	for _, s := range c.Steps {
		out = append(out, s.Sessions...)
	}
	slices.SortFunc(out, func(a, b *Session) int { return a.ID - b.ID })
	return out
}

// Chains puts sessions together by user: by MC service ID (the claims of a token, UserUri of the KMS, the user of an
// XCAP path, the binding of SIP), by the fingerprint of the token, by what a session goes on from. A SIP session whose
// MC service ID is not known belongs to the one user that its public user identity has.
func Chains(sessions []*Session, tokens []*Trail) []*Chain {
	parent := make([]int, len(sessions))
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	first := map[string]int{}
	join := func(i int, key string) {
		if j, ok := first[key]; ok {
			a, b := find(i), find(j)
			parent[max(a, b)] = min(a, b)
			return
		}
		first[key] = i
	}
	byIMPU := map[string]string{} // the one MC service ID of a public user identity, "*" for several
	for i, s := range sessions {
		join(i, fmt.Sprintf("s%d", s.ID))
		if s.From != 0 {
			join(i, fmt.Sprintf("s%d", s.From))
		}
		for _, id := range s.names() {
			join(i, "u"+id)
		}
		if s.Token.Fingerprint != "" {
			join(i, "t"+s.Token.Fingerprint)
		}
		for _, x := range s.Tokens {
			join(i, "t"+x.Fingerprint)
		}
		if s.IMPU != "" && s.MCID != "" {
			if o, ok := byIMPU[s.IMPU]; ok && o != canon(s.MCID) {
				byIMPU[s.IMPU] = "*"
			} else {
				byIMPU[s.IMPU] = canon(s.MCID)
			}
		}
	}
	for i, s := range sessions {
		if s.IMPU == "" || s.MCID != "" {
			continue
		}
		switch id := byIMPU[s.IMPU]; id {
		case "", "*":
			join(i, "i"+s.IMPU)
		default:
			join(i, "u"+id)
		}
	}
	at := map[int]*Chain{}
	var out []*Chain
	for i, s := range sessions {
		root := find(i)
		c := at[root]
		if c == nil {
			c = &Chain{ID: len(out) + 1}
			at[root] = c
			out = append(out, c)
		}
		c.add(s)
	}
	byPrint := map[string]*Trail{}
	for _, x := range tokens {
		byPrint[x.Fingerprint] = x
	}
	shared := false // keys were taken over from a KMS exchange of anybody
	for _, s := range sessions {
		shared = shared || s.Learned > 0
	}
	for _, c := range out {
		c.follow(byPrint)
		c.gaps(shared)
	}
	return out
}

// names are the MC service IDs of a session as they are compared.
func (s *Session) names() (out []string) {
	for _, id := range append([]string{s.MCID, s.Primary}, s.Members...) {
		if id != "" && !slices.Contains(out, canon(id)) {
			out = append(out, canon(id))
		}
	}
	return out
}

func (c *Chain) add(s *Session) {
	stage := stageOf(s.Service)
	i := slices.IndexFunc(c.Steps, func(x Step) bool { return x.Stage == stage })
	if i < 0 {
		c.Steps = append(c.Steps, Step{Stage: stage})
		slices.SortStableFunc(c.Steps, func(a, b Step) int { return slices.Index(Stages, a.Stage) - slices.Index(Stages, b.Stage) })
		i = slices.IndexFunc(c.Steps, func(x Step) bool { return x.Stage == stage })
	}
	c.Steps[i].Sessions = append(c.Steps[i].Sessions, s)
	for _, id := range append([]string{s.MCID, s.Primary}, s.Members...) {
		if id != "" && !containsURI(c.Users, id) && len(c.Users) < 16 {
			c.Users = append(c.Users, id)
		}
	}
	if s.IMPU != "" && !slices.Contains(c.IMPUs, s.IMPU) && len(c.IMPUs) < 16 {
		c.IMPUs = append(c.IMPUs, s.IMPU)
	}
}

// follow gathers the tokens that the chain's sessions issued or presented.
func (c *Chain) follow(byPrint map[string]*Trail) {
	add := func(x *Trail) {
		if x != nil && len(c.Tokens) < 64 && !slices.ContainsFunc(c.Tokens, func(o *Trail) bool { return o.Fingerprint == x.Fingerprint }) {
			c.Tokens = append(c.Tokens, x)
		}
	}
	for _, s := range c.Sessions() {
		for _, x := range s.Tokens {
			add(x)
		}
		add(s.Trail)
		add(byPrint[s.Token.Fingerprint])
	}
}

// gaps names what is missing, and says in one sentence how far the user came.
func (c *Chain) gaps(shared bool) {
	have := map[string]*Step{}
	for i := range c.Steps {
		have[c.Steps[i].Stage] = &c.Steps[i]
	}
	var steps []Step
	for _, stage := range Stages {
		if s := have[stage]; s != nil {
			s.Gap = c.doubt(s)
			steps = append(steps, *s)
			continue
		}
		if g := c.missing(stage, shared); g != "" {
			steps = append(steps, Step{Stage: stage, Gap: g})
		}
	}
	c.Steps = steps
	c.Verdict = c.verdict()
}

// missing is the gap of a stage without sessions; "" where none is needed.
func (c *Chain) missing(stage string, shared bool) string {
	var presented, recovered, closed bool
	issuer := ""
	for _, s := range c.Sessions() {
		presented = presented || s.Token.Present
		issuer = firstNonEmpty(issuer, s.Token.Issuer)
		recovered = recovered || s.KeyState == "decrypted"
		closed = closed || s.KeyState == "no_key" || s.KeyState == "failed"
		for _, k := range s.Keys {
			recovered = recovered || k.State == "recovered"
			closed = closed || k.State == "no_key" || k.State == "failed"
		}
	}
	switch stage {
	case "idm":
		switch {
		case issuer != "":
			return "no token issue in this capture: " + issuer + " issued the token before it, or elsewhere"
		case presented:
			return "no token issue in this capture"
		}
		return "no token issue in this capture, and no token was presented"
	case "kms":
		switch {
		case recovered && shared:
			return "no KMS exchange of this user: keys came from key files, or from what the KMS gave to others"
		case recovered:
			return "no KMS exchange: keys came from key files"
		case closed:
			return "no KMS exchange, and no key was given that fits: what is protected stays closed"
		}
		return "no KMS exchange in this capture"
	case "cms":
		return "no configuration management in this capture: the user profile and the service configuration are not known from it"
	case "sip":
		return "no service authorisation over SIP in this capture"
	case "gms":
		return "no group management in this capture"
	}
	return ""
}

// doubt is what a stage lacks although it has sessions.
func (c *Chain) doubt(s *Step) string {
	if s.Stage != "idm" {
		return ""
	}
	for _, x := range c.Tokens {
		if x.Issued == nil && len(x.Shown) > 0 {
			return "the token " + x.Fingerprint + " was presented, but not seen issued"
		}
	}
	return ""
}

// verdict says how far the user came.
func (c *Chain) verdict() string {
	var missing []string
	for _, st := range c.Steps {
		if len(st.Sessions) == 0 {
			missing = append(missing, st.Stage)
			continue
		}
		last := st.Sessions[len(st.Sessions)-1]
		if last.Failed() && last.State != Accepted && last.State != LoggedOff {
			return fmt.Sprintf("stops at %s: %s", st.Stage, firstNonEmpty(last.Cause, last.State.String()))
		}
	}
	if len(missing) == 0 {
		return "complete"
	}
	return "all that is here went well; not in this capture: " + strings.Join(missing, ", ")
}

// Failed reports whether a session of the chain failed.
func (c *Chain) Failed() bool {
	return slices.ContainsFunc(c.Sessions(), func(s *Session) bool { return s.Failed() })
}

type jsonChain struct {
	Schema  string      `json:"schema"`
	Record  string      `json:"record"`
	ID      int         `json:"id"`
	Users   []string    `json:"identities"`
	IMPUs   []string    `json:"impus,omitempty"`
	Verdict string      `json:"verdict"`
	Steps   []jsonStep  `json:"steps"`
	Tokens  []jsonTrail `json:"tokens,omitempty"`
}

type jsonStep struct {
	Stage    string        `json:"stage"`
	Sessions []jsonStepRef `json:"sessions"`
	Gap      string        `json:"gap,omitempty"`
}

type jsonStepRef struct {
	ID      int    `json:"id"`
	Service string `json:"service"`
	How     string `json:"how"`
	State   string `json:"state"`
	Cause   string `json:"cause,omitempty"`
	Number  uint64 `json:"number,omitempty"`
	Frame   uint64 `json:"frame,omitempty"`
	Server  string `json:"server,omitempty"`
}

type jsonTrail struct {
	Fingerprint string      `json:"fingerprint"`
	Kind        string      `json:"kind,omitempty"`
	Issuer      string      `json:"issuer,omitempty"`
	Scopes      []string    `json:"scopes,omitempty"`
	Expires     string      `json:"expires,omitempty"`
	Issued      *jsonIssued `json:"issued,omitempty"`
	Shown       []jsonShown `json:"presented"`
	ShownTotal  int         `json:"presented_total"`
}

// AppendJSON appends the chain as one line of mcxdump.sessions/1, without the line feed.
func (c *Chain) AppendJSON(dst []byte) []byte {
	j := jsonChain{Schema: Schema, Record: "chain", ID: c.ID, Users: c.Users, IMPUs: c.IMPUs, Verdict: c.Verdict, Steps: []jsonStep{}}
	if j.Users == nil {
		j.Users = []string{}
	}
	for _, s := range c.Steps {
		o := jsonStep{Stage: s.Stage, Sessions: []jsonStepRef{}, Gap: s.Gap}
		for _, x := range s.Sessions {
			o.Sessions = append(o.Sessions, jsonStepRef{x.ID, x.Service.String(), x.How, x.State.String(), x.Cause, x.FirstNumber, x.FirstFrame, x.Server})
		}
		j.Steps = append(j.Steps, o)
	}
	for _, x := range c.Tokens {
		o := jsonTrail{Fingerprint: x.Fingerprint, Kind: x.Kind, Issuer: x.Issuer, Scopes: strings.Fields(x.Scope), Issued: x.jsonIssued(), Shown: []jsonShown{}, ShownTotal: x.ShownTotal}
		if x.HasExp && x.Exp > -maxSeconds && x.Exp < maxSeconds {
			o.Expires = when(x.Exp * second)
		}
		for _, p := range x.Shown {
			o.Shown = append(o.Shown, jsonShown{p.Number, p.Frame, p.Service.String(), p.Session})
		}
		j.Tokens = append(j.Tokens, o)
	}
	return appendLine(dst, &j, "chain")
}

// Events are the messages of all the chain's sessions, kept for a ladder, in capture order.
func (c *Chain) Events() (out []*Event) {
	seen := map[uint64]bool{}
	for _, s := range c.Sessions() {
		for _, e := range s.Events() {
			if !seen[e.Number] {
				seen[e.Number] = true
				out = append(out, e)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *Event) int { return int(min(max(int64(a.Number)-int64(b.Number), -1), 1)) })
	return out
}
