package session

import (
	"fmt"
	"net/netip"
)

var (
	idmAddr = netip.MustParseAddrPort("192.0.2.20:443")
	kmsAddr = netip.MustParseAddrPort("192.0.2.21:443")
	cmsAddr = netip.MustParseAddrPort("192.0.2.22:443")
	gmsAddr = netip.MustParseAddrPort("192.0.2.23:443")
	recAddr = netip.MustParseAddrPort("192.0.2.24:443")
	ueHTTP  = netip.MustParseAddrPort("192.0.2.10:40000")
)

const (
	idmHost  = "idm.example.org"
	kmsHost  = "kms.example.org"
	issuer   = "https://idms.example.org"
	allScope = "openid 3gpp:mc:ptt_service 3gpp:mc:ptt_key_management_service 3gpp:mc:ptt_config_management_service 3gpp:mc:ptt_group_management_service"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	s256     = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWBuGJSstw-cM"
)

// ask makes an HTTP request of the UE.
func (s *scene) ask(to netip.AddrPort, host, method, path string, cs ...change) *Event {
	e := &Event{Src: ueHTTP, Dst: to, Host: host, Message: Message{Request: true, Method: method, Details: &Details{Expires: -1}},
		HTTP: &HTTP{Path: path, Host: host, Exchange: 1000 + s.n, Field: "http.authorization"}}
	for _, c := range cs {
		c(e)
	}
	return s.put(e)
}

// reply makes the response to an HTTP request.
func (s *scene) reply(r *Event, status int, cs ...change) *Event {
	e := &Event{Src: r.Dst, Dst: r.Src, Message: Message{Status: status, Reason: map[int]string{200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}[status], Details: &Details{Expires: -1}},
		HTTP: &HTTP{Path: r.HTTP.Path, Host: r.HTTP.Host, Exchange: r.HTTP.Exchange}}
	for _, c := range cs {
		c(e)
	}
	return s.put(e)
}

func idm(p IdMPart) change {
	return func(e *Event) { e.HTTP.IdM = &p }
}

func kmsPart(p KMSPart) change {
	return func(e *Event) { e.HTTP.KMS = &p }
}

func bearer(tok Token) change {
	return func(e *Event) { e.HTTP.Bearer = tok }
}

// access is an access token that lives for an hour from the scene's beginning.
func access(id, fp string) Token {
	t := tokenOf(id)
	t.Fingerprint, t.Scope, t.Issuer, t.Exp = fp, allScope, issuer, 1_704_067_200+3600
	return t
}

// logIn is a user's authentication at the IdM, and the tokens.
func (s *scene) logIn(tok Token) {
	r := s.ask(idmAddr, idmHost, "GET", "/authorize", idm(IdMPart{Kind: "authorisation_request", ClientID: tok.ClientID, RedirectURI: "mcptt://cb", State: "st" + tok.Fingerprint, Scope: tok.Scope, Challenge: s256, Method: "S256", ExpiresIn: -1}))
	s.reply(r, 200)
	r = s.ask(idmAddr, idmHost, "POST", "/login")
	s.reply(r, 302, idm(IdMPart{Kind: "authorisation_response", State: "st" + tok.Fingerprint, Code: "c" + tok.Fingerprint, ExpiresIn: -1}))
	r = s.ask(idmAddr, idmHost, "POST", "/token", idm(redeemed(tok)))
	s.reply(r, 200, idm(tokens(tok)))
}

func redeemed(tok Token) IdMPart {
	return IdMPart{Kind: "token_request", GrantType: "authorization_code", Code: "c" + tok.Fingerprint, ClientID: tok.ClientID, RedirectURI: "mcptt://cb", Verifier: s256, ExpiresIn: -1}
}

func tokens(tok Token) IdMPart {
	refresh := Token{Value: Value{Present: true}, Fingerprint: "r-" + tok.Fingerprint}
	return IdMPart{Kind: "token_response", ExpiresIn: 3600, Issued: []Issued{{"access", tok}, {"refresh", refresh}}}
}

// keysOf is a key management authorisation.
func (s *scene) keysOf(tok Token, user string) *Event {
	r := s.ask(kmsAddr, kmsHost, "POST", "/keymanagement/identity/v1/init", bearer(tok), kmsPart(KMSPart{Operation: "init", User: user, KMS: kmsHost}))
	s.reply(r, 200, kmsPart(KMSPart{Operation: "init", Certs: 1}))
	r = s.ask(kmsAddr, kmsHost, "POST", "/keymanagement/identity/v1/keyprov", bearer(tok), kmsPart(KMSPart{Operation: "keyprov", User: user, KMS: kmsHost, TrK: "tk.1"}))
	return s.reply(r, 200, kmsPart(KMSPart{Operation: "keyprov", User: user, Sets: []KeySet{{User: user, KMS: kmsHost, PeriodNo: 1514, State: "clear"}}, Learned: 3}))
}

func (s *scene) document(to netip.AddrPort, host string, tok Token, x XCAPPart, status int) {
	s.reply(s.ask(to, host, "GET", "/xcap-root/"+x.AUID, bearer(tok), func(e *Event) { e.HTTP.XCAP = &x }), status)
}

// chain is one user's whole way: IdM, KMS, CMS, SIP, GMS, recording.
func chain(s *scene, id, fp string) {
	tok := access(id, fp)
	s.logIn(tok)
	s.keysOf(tok, id)
	s.document(cmsAddr, "cms.example.org", tok, XCAPPart{AUID: "org.3gpp.mcptt.user-profile", Tree: "users", User: id, Document: "user-profile-1.xml", Kind: "mcptt_user_profile"}, 200)
	r := s.request("REGISTER", as(userPart(id)), call("reg-"+fp), auth(id, clientID+fp), csk(csk1, id), sealed(csk1, true), func(e *Event) {
		e.Infos[0].Token = tok
		e.Infos[0].Token.Value = sealedWith(csk1, "x")
		e.Infos[0].Digest = uint64(len(fp)) + uint64(fp[len(fp)-1])<<8
	})
	s.answer(r, 200)
	s.document(gmsAddr, "gms.example.org", tok, XCAPPart{AUID: "org.openmobilealliance.groups", Tree: "global", Document: "group1.xml"}, 200)
	s.reply(s.ask(recAddr, "rec.example.org", "GET", "/recordings/1", bearer(tok), func(e *Event) { e.HTTP.Record = "GET /recordings/1" }), 200)
}

// userPart is the IMPU of a user of the scenes.
func userPart(id string) string { return fmt.Sprintf("sip:ims-%s", id[len("sip:"):]) }
