package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// TestChain follows one user through every service.
func TestChain(t *testing.T) {
	var s scene
	chain(&s, alice, "aa")
	o := s.run(t)
	for _, id := range o.ids {
		if id != "TOK-06" {
			t.Errorf("clean traffic: %v", o.words)
		}
	}
	var got []string
	for _, x := range o.sessions {
		got = append(got, fmt.Sprintf("%s %s %s %s", x.Service, x.How, x.MCID, x.State))
		if x.Trail == nil || x.Trail.Fingerprint != "aa" || x.Trail.Issued == nil || x.Trail.Issued.Number != 6 {
			t.Errorf("session %d has the trail %+v", x.ID, x.Trail)
		}
	}
	want := "idm authorization_code A accepted, kms bearer A accepted, cms bearer A accepted, mcptt register A accepted, gms bearer A accepted, recording bearer A accepted"
	if g := strings.ReplaceAll(strings.Join(got, ", "), alice, "A"); g != want {
		t.Errorf("sessions\n%s, want\n%s", g, want)
	}
	toks := o.tr.Tokens()
	if len(toks) != 2 || len(toks[0].Shown) != 6 || toks[0].IssuedTo != "MCPTT_UE_1" || toks[0].Kind != "access" || toks[1].Kind != "refresh" {
		for _, x := range toks {
			t.Logf("%+v", x)
		}
		t.Error("tokens")
	}
	if x := o.sessions[1]; len(x.KeySets) != 1 || x.KeySets[0].PeriodNo != 1514 || x.TrK != "tk.1" || len(x.Actions) != 2 || x.Actions[1].Status != 200 || x.Learned != 3 {
		t.Errorf("key management: %+v", x)
	}
	if l := o.links[6]; l.Kind != "token_request" || l.Request != 5 || !l.HasTime || l.Server != idmHost || l.Token == nil {
		t.Errorf("link of the token response: %+v", l)
	}
	if l := o.links[13]; l == nil || l.Kind != "register" || l.Token == nil || l.Token.Issued.Number != 6 {
		t.Errorf("link of the REGISTER: %+v", l)
	}
}

// TestWebStates drives every state of an authorisation over HTTP.
func TestWebStates(t *testing.T) {
	tok := access(alice, "aa")
	key := func(s *scene, cs ...change) *Event {
		return s.ask(kmsAddr, kmsHost, "POST", "/keymanagement/identity/v1/keyprov", append([]change{kmsPart(KMSPart{Operation: "keyprov", User: alice})}, cs...)...)
	}
	for name, c := range map[string]struct {
		play  func(*scene)
		state State
		words string
	}{
		"accepted":  {func(s *scene) { s.reply(key(s, bearer(tok)), 200) }, Accepted, "200 OK to keyprov"},
		"no answer": {func(s *scene) { key(s, bearer(tok)) }, Unknown, "the answer is not in the capture"},
		"late answer": {func(s *scene) {
			r := key(s, bearer(tok))
			s.wait(301)
			s.ask(cmsAddr, "x", "GET", "/")
			s.reply(r, 200)
		}, Unknown, "the answer is not in the capture"},
		"no token":        {func(s *scene) { s.reply(key(s), 401) }, Challenged, "401 Unauthorized"},
		"no token, 200":   {func(s *scene) { s.reply(key(s), 200) }, Accepted, "200 OK"},
		"then with token": {func(s *scene) { s.reply(key(s), 401); s.reply(key(s, bearer(tok)), 200) }, Accepted, "200 OK"},
		"bad token": {func(s *scene) {
			s.reply(key(s, bearer(tok)), 401, func(e *Event) { e.HTTP.Error = "invalid_token: the token expired" })
		}, Rejected, "401 Unauthorized; invalid_token: the token expired"},
		"forbidden":     {func(s *scene) { s.reply(key(s, bearer(tok)), 403) }, Rejected, "403 Forbidden"},
		"KMS error":     {func(s *scene) { s.reply(key(s, bearer(tok)), 200, kmsPart(KMSPart{Error: "5 no such user"})) }, Rejected, "KMS error 5 no such user"},
		"other failure": {func(s *scene) { s.reply(key(s, bearer(tok)), 404) }, Rejected, "404 Not Found"},
		"404 after 200": {func(s *scene) { s.reply(key(s, bearer(tok)), 200); s.reply(key(s, bearer(tok)), 404) }, Accepted, "200 OK"},
		"403 after 200": {func(s *scene) { s.reply(key(s, bearer(tok)), 200); s.reply(key(s, bearer(tok)), 403) }, Rejected, "403 Forbidden"},
		"answer only": {func(s *scene) {
			r := key(s)
			s.events = nil
			s.reply(r, 200, kmsPart(KMSPart{Sets: []KeySet{{User: alice}}}))
		}, Accepted, "1 key set provided, of sip:alice@example.org for period 0"},
		"second hop": {func(s *scene) { s.reply(key(s, bearer(tok)), 200); s.reply(key(s, bearer(tok)), 200) }, Accepted, "200 OK to keyprov"},
	} {
		t.Run(name, func(t *testing.T) {
			var s scene
			c.play(&s)
			x := s.run(t).one(t)
			if x.State != c.state || !strings.Contains(x.Cause, c.words) || x.MCID != alice || x.Service != KMS {
				t.Errorf("%s %s %q for %q", x.Service, x.State, x.Cause, x.MCID)
			}
		})
	}
}

// TestIdMStates drives every state of an authentication.
func TestIdMStates(t *testing.T) {
	tok := access(alice, "aa")
	req := func(s *scene) *Event {
		return s.ask(idmAddr, idmHost, "GET", "/authorize", idm(IdMPart{Kind: "authorisation_request", ClientID: tok.ClientID, RedirectURI: "mcptt://cb", State: "st", Challenge: s256, Method: "S256"}))
	}
	code := func(s *scene, r *Event) {
		s.reply(r, 302, idm(IdMPart{Kind: "authorisation_response", State: "st", Code: "caa"}))
	}
	for name, c := range map[string]struct {
		play  func(*scene)
		state State
		words string
	}{
		"no answer":  {func(s *scene) { req(s) }, Unknown, "the answer is not in the capture"},
		"log-in":     {func(s *scene) { s.reply(req(s), 200) }, Challenged, "log in"},
		"code":       {func(s *scene) { code(s, req(s)) }, Unknown, "the answer is not in the capture"},
		"code later": {func(s *scene) { s.reply(req(s), 200); code(s, s.ask(idmAddr, idmHost, "POST", "/login")) }, Unknown, "the answer"},
		"denied": {func(s *scene) {
			s.reply(req(s), 302, idm(IdMPart{Kind: "authorisation_response", State: "st", Error: "access_denied", ErrorText: "wrong password"}))
		}, Rejected, "access_denied: wrong password"},
		"token": {func(s *scene) { s.logIn(tok) }, Accepted, "issued: access, refresh; for 3600 s"},
		"tokens alone": {func(s *scene) {
			s.reply(s.ask(idmAddr, idmHost, "POST", "/token", idm(redeemed(tok))), 200, idm(tokens(tok)))
		}, Accepted, "issued"},
		"response alone": {func(s *scene) {
			r := s.ask(idmAddr, idmHost, "POST", "/token", idm(redeemed(tok)))
			s.events = nil
			s.reply(r, 200, idm(tokens(tok)))
		}, Accepted, "issued"},
		"refused": {func(s *scene) {
			s.reply(s.ask(idmAddr, idmHost, "POST", "/token", idm(redeemed(tok))), 400, idm(IdMPart{Error: "invalid_grant"}))
		}, Rejected, "400 Bad Request; invalid_grant"},
		"expired": {func(s *scene) { s.logIn(tok); s.wait(4000); s.ask(cmsAddr, "x", "GET", "/") }, Expired, "not refreshed"},
		"refreshed": {func(s *scene) {
			s.logIn(tok)
			s.wait(3000)
			s.reply(s.ask(idmAddr, idmHost, "POST", "/token", idm(IdMPart{Kind: "token_request", GrantType: "refresh_token", Refresh: "r-aa", ClientID: tok.ClientID})), 200, idm(tokens(access(alice, "bb"))))
			s.wait(3000)
			s.ask(cmsAddr, "x", "GET", "/")
		}, Accepted, "issued"},
	} {
		t.Run(name, func(t *testing.T) {
			var s scene
			c.play(&s)
			x := s.run(t).one(t)
			if x.State != c.state || !strings.Contains(x.Cause, c.words) || x.Service != IdM {
				t.Errorf("%s %s %q", x.Service, x.State, x.Cause)
			}
		})
	}
	// A refresh after the expiry goes on as a new session that knows the user and where it comes from.
	var s scene
	s.logIn(tok)
	s.wait(4000)
	s.ask(idmAddr, idmHost, "POST", "/token", idm(IdMPart{Kind: "token_request", GrantType: "refresh_token", Refresh: "r-aa"}))
	o := s.run(t)
	if len(o.sessions) != 2 || o.sessions[1].From != o.sessions[0].ID || o.sessions[1].How != ByRefresh || o.sessions[1].MCID != alice {
		t.Errorf("%+v", o.sessions)
	}
	// A security token for a partner domain: issued at home, shown abroad.
	s = scene{}
	s.logIn(tok)
	sec := access(alice, "ss")
	s.reply(s.ask(idmAddr, idmHost, "POST", "/token", idm(IdMPart{Kind: "token_request", GrantType: "urn:ietf:params:oauth:grant-type:token-exchange", Subject: tok, Resource: "https://idm.partner.org"})), 200,
		idm(IdMPart{Kind: "token_response", ExpiresIn: 60, Issued: []Issued{{"security", sec}}}))
	abroad := access("sip:alice@partner.org", "pp")
	s.reply(s.ask(kmsAddr, "idm.partner.org", "POST", "/token", idm(IdMPart{Kind: "token_request", GrantType: "urn:ietf:params:oauth:grant-type:jwt-bearer", Subject: sec})), 200, idm(tokens(abroad)))
	o = s.run(t)
	if len(o.sessions) != 3 || o.sessions[1].How != ByExchange || o.sessions[2].How != ByJWT || o.sessions[2].From != o.sessions[1].ID || o.sessions[1].From != o.sessions[0].ID || !o.sessions[2].Is(alice) {
		for _, x := range o.sessions {
			t.Logf("%d %s %s %s from %d", x.ID, x.How, x.State, x.MCID, x.From)
		}
		t.Error("exchange for a partner domain")
	}
	if len(o.ids) != 0 {
		t.Error(o.words)
	}
}

func init() {
	tok := access(alice, "aa")
	narrow := access(alice, "aa")
	narrow.Scope = "openid 3gpp:mc:ptt_service"
	old := narrow
	old.Scope = "openid 3gpp:mcptt:key_management_server"
	ask := func(s *scene, tok Token) {
		s.reply(s.ask(kmsAddr, kmsHost, "POST", "/init", bearer(tok), kmsPart(KMSPart{Operation: "init", User: alice})), 200)
	}
	silent := func(s *scene) { chain(s, alice, "aa") }
	login := func(change func(p *IdMPart)) func(*scene) {
		return func(s *scene) {
			r := s.ask(idmAddr, idmHost, "GET", "/authorize", idm(IdMPart{Kind: "authorisation_request", ClientID: tok.ClientID, State: "st", Challenge: s256, Method: "S256"}))
			s.reply(r, 302, idm(IdMPart{Kind: "authorisation_response", State: "st", Code: "caa"}))
			p := redeemed(tok)
			change(&p)
			s.reply(s.ask(idmAddr, idmHost, "POST", "/token", idm(p)), 200, idm(tokens(tok)))
		}
	}
	plain := func(s *scene, shown string) {
		r := s.ask(idmAddr, idmHost, "GET", "/authorize", idm(IdMPart{Kind: "authorisation_request", ClientID: tok.ClientID, State: "st", Challenge: verifier, Method: "plain"}))
		s.reply(r, 302, idm(IdMPart{Kind: "authorisation_response", State: "st", Code: "caa"}))
		p := redeemed(tok)
		p.Verifier = s256Of(shown)
		s.ask(idmAddr, idmHost, "POST", "/token", idm(p))
	}
	cases = append(cases,
		caseOf{id: "token-scope", sev: record.Warning, fire: func(s *scene) { ask(s, narrow) }, silent: func(s *scene) { ask(s, old); chain(s, alice, "bb") }},
		caseOf{id: "token-scope", sev: record.Warning, fire: func(s *scene) {
			s.document(gmsAddr, "gms", narrow, XCAPPart{AUID: "org.openmobilealliance.groups"}, 200)
		}, silent: func(s *scene) {
			s.reply(s.ask(recAddr, "rec", "GET", "/r", bearer(narrow), func(e *Event) { e.HTTP.Record = "GET /r" }), 200)
		}},
		caseOf{id: "token-scope", sev: record.Warning, fire: func(s *scene) {
			s.document(cmsAddr, "cms", narrow, XCAPPart{AUID: "org.3gpp.mcptt.service-config"}, 200)
		}, silent: silent},
		caseOf{id: "token-client", sev: record.Warning, fire: login(func(p *IdMPart) { p.ClientID = "other" }), silent: silent},
		caseOf{id: "token-client", sev: record.Warning, fire: func(s *scene) {
			s.logIn(tok)
			s.ask(idmAddr, idmHost, "POST", "/token", idm(IdMPart{Kind: "token_request", GrantType: "refresh_token", Refresh: "r-aa", ClientID: "other"}))
		}, silent: func(s *scene) {
			s.logIn(tok)
			s.ask(idmAddr, idmHost, "POST", "/token", idm(IdMPart{Kind: "token_request", GrantType: "refresh_token", Refresh: "r-aa", ClientID: tok.ClientID}))
		}},
		caseOf{id: "token-before-issue", sev: record.Warning, fire: func(s *scene) { ask(s, tok); s.logIn(tok) }, silent: silent},
		caseOf{id: "token-not-issued", sev: record.Note, fire: func(s *scene) { s.logIn(access(bob, "bb")); ask(s, tok) }, silent: func(s *scene) {
			other := tok
			other.Issuer = "https://elsewhere.example.org"
			s.logIn(access(bob, "bb"))
			ask(s, other)
		}},
		caseOf{id: "token-not-issued", sev: record.Note, fire: func(s *scene) {
			s.logIn(access(bob, "bb"))
			s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
		}, silent: func(s *scene) { s.answer(s.request("REGISTER", auth(alice, clientID)), 200) }},
		caseOf{id: "token-kind", sev: record.Warning, fire: func(s *scene) {
			s.logIn(access(bob, "bb"))
			r := s.ask(idmAddr, idmHost, "POST", "/token", idm(redeemed(tok)))
			s.reply(r, 200, idm(IdMPart{Kind: "token_response", Issued: []Issued{{"id", tok}}}))
			ask(s, tok)
		}, silent: silent},
		caseOf{id: "pkce-mismatch", sev: record.Error, fire: login(func(p *IdMPart) { p.Verifier = "x" }), silent: login(func(*IdMPart) {})},
		caseOf{id: "pkce-mismatch", sev: record.Error, fire: login(func(p *IdMPart) { p.Verifier = "" }), silent: silent},
		caseOf{id: "pkce-mismatch", sev: record.Error, fire: func(s *scene) { plain(s, "other") }, silent: func(s *scene) { plain(s, verifier) }},
		caseOf{id: "code-reuse", sev: record.Warning, fire: func(s *scene) {
			s.logIn(tok)
			s.ask(idmAddr, idmHost, "POST", "/token", idm(redeemed(tok)))
		}, silent: silent},
		caseOf{id: "kms-user", sev: record.Warning, fire: func(s *scene) { s.keysOf(tok, bob) }, silent: func(s *scene) { s.keysOf(tok, alice) }},
	)
}
