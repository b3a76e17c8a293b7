package session

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// clean is traffic that breaks nothing: registration with a challenge, authorisation both ways, settings, refresh, use,
// key download, log-off.
func clean(s *scene) {
	r := s.request("REGISTER")
	s.answer(r, 401)
	r = s.request("REGISTER", auth(alice, clientID), csk(csk1, alice), sealed(csk1, true))
	t := s.thirdParty(r)
	s.answer(t, 200)
	s.answer(r, 200, contact(Contact{URI: "sip:ue1@192.0.2.10:5060", Expires: 600000, PubGRUU: "sip:ue1@mcptt.example.org;gr=x"}))
	p := s.request("PUBLISH", auth(alice, clientID), csk(csk1, alice), sealed(csk1, true), settings(clientID), call("p1"))
	s.answer(p, 200)
	etag := s.events[len(s.events)-1].ETag
	p = s.request("PUBLISH", settingsOnly(alice, clientID), sealed(csk1, true), ifMatch(etag), call("p2"))
	s.answer(p, 200)
	etag = s.events[len(s.events)-1].ETag
	i := s.request("INVITE", call("i1"))
	s.answer(i, 200)
	u := s.request("SUBSCRIBE", func(e *Event) { e.Infos = []Info{{Service: MCPTT, RequestURI: clear(alice)}} })
	s.answer(u, 200)
	d := s.request("MESSAGE", call("kd"), csk(csk2, "mcptt.example.org"), from(server, ueAddr), func(e *Event) {
		e.From.URI, e.To.URI, e.RequestURI, e.Preferred = "sip:server.example.org", impu, impu, nil
		e.IMessages[0].Responder = alice
	})
	s.answer(d, 200)
	p = s.request("PUBLISH", expires(0), ifMatch(etag), call("p3"))
	s.answer(p, 200)
	r = s.request("REGISTER", expires(0))
	s.answer(r, 200)
}

// allowed are the notes that say something of clean traffic too.
var allowed = []string{"TOK-06"}

func TestCleanIsSilent(t *testing.T) {
	var s scene
	clean(&s)
	o := s.run(t)
	for _, id := range o.ids {
		if !slices.Contains(allowed, id) {
			t.Errorf("clean traffic: %v", o.words)
			break
		}
	}
	if len(o.sessions) != 1 || o.sessions[0].State != LoggedOff {
		for _, x := range o.sessions {
			t.Logf("%+v", x)
		}
		t.Fatalf("%d sessions", len(o.sessions))
	}
	x := o.sessions[0]
	if x.MCID != alice || x.ClientID != clientID || x.Profile != 1 || x.AnswerMode != "automatic" || x.GRUU == "" || x.ThirdParty == 0 || x.TiedBy != "body" {
		t.Errorf("session lacks facts: %+v", x)
	}
	if x.Key == nil || x.Key.ID != csk2 || x.Key.Way != "download" {
		t.Errorf("key in use is %+v, want the downloaded one", x.Key)
	}
}

type caseOf struct {
	id     string
	fire   func(*scene)
	silent func(*scene) // nil: clean
	sev    record.Severity
}

var cases = []caseOf{
	{id: "REG-07", sev: record.Warning,
		fire: func(s *scene) { s.request("REGISTER", auth(alice, clientID), sealed(csk1, false)) },
		silent: func(s *scene) {
			s.answer(s.request("REGISTER", auth(alice, clientID), csk(csk1, alice), sealed(csk1, false)), 200)
			s.request("REGISTER", auth(alice, clientID), sealed(csk1, false))
		}},
	{id: "REG-07", sev: record.Error, fire: func(s *scene) {
		s.answer(s.request("INVITE", func(e *Event) { e.Services = 0 }, call("x")), 200)
		s.answer(s.request("PUBLISH", auth(alice, clientID), call("old"), settings(clientID)), 200)
		s.request("REGISTER", auth(alice, clientID), sealed(csk1, false))
	}, silent: func(s *scene) {
		s.request("REGISTER", auth(alice, clientID), sealed(csk1, true)) // opened by a key of the user
	}},
	{id: "REG-16", sev: record.Note, fire: func(s *scene) {
		s.answer(s.request("REGISTER", auth(alice, clientID), contact(tagged(MCPTT, MCVideo))), 200)
		s.answer(s.request("REGISTER", contact(tagged(MCVideo))), 200)
	}, silent: func(s *scene) {
		s.answer(s.request("REGISTER", auth(alice, clientID), contact(tagged(MCPTT, MCVideo))), 200)
		s.answer(s.request("REGISTER", contact(tagged(MCVideo, MCPTT))), 200)
		s.answer(s.request("REGISTER", contact(tagged()), expires(0)), 200)
	}},
	{id: "REG-17", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
		c := tagged(MCPTT)
		c.ICSIs = 0
		s.answer(s.request("REGISTER", contact(c)), 200)
	}, silent: func(s *scene) {
		s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
		s.answer(s.request("REGISTER", contact(tagged())), 200)
	}},
	{id: "REG-20", sev: record.Note, fire: func(s *scene) { s.answer(s.request("REGISTER", auth(alice, clientID)), 401) }},
	{id: "REG-21", sev: record.Warning, fire: func(s *scene) { s.request("REGISTER", auth(alice, clientID), expires(0)) }},
	{id: "TPR-03", sev: record.Warning, fire: func(s *scene) {
		s.thirdParty(s.request("REGISTER", auth(alice, clientID)), func(e *Event) { e.To.URI = "sip:other@mcptt.example.org" })
	}, silent: func(s *scene) {
		r := s.request("REGISTER", auth(alice, clientID))
		s.answer(r, 200, func(e *Event) { e.Associated = []string{impu, "sip:other@mcptt.example.org"} })
		s.thirdParty(r, func(e *Event) { e.To.URI = "sip:other@mcptt.example.org" })
	}},
	{id: "TPR-06", sev: record.Warning, fire: func(s *scene) {
		s.thirdParty(s.request("REGISTER", auth(alice, clientID)), func(e *Event) { e.Inner = append(e.Inner, Message{Status: 404, Method: "REGISTER"}) })
	}, silent: func(s *scene) {
		s.thirdParty(s.request("REGISTER", auth(alice, clientID)), func(e *Event) { e.Inner = append(e.Inner, Message{Status: 200, Method: "REGISTER"}) })
	}},
	{id: "TPR-07", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.thirdParty(s.request("REGISTER", auth(alice, clientID))), 403, warning(101, "service authorisation failed"))
	}},
	{id: "PUB-15", sev: record.Warning, fire: func(s *scene) { s.request("PUBLISH", auth(alice, clientID), sealed(csk1, false)) }},
	{id: "PUB-15", sev: record.Error, fire: func(s *scene) {
		s.answer(s.request("REGISTER"), 200)
		s.request("PUBLISH", auth(alice, clientID), sealed(csk1, false))
	}},
	{id: "PUB-25", sev: record.Warning, fire: func(s *scene) { s.request("PUBLISH", auth(alice, clientID), settings("urn:uuid:other")) }},
	{id: "PUB-29", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("REGISTER"), 200)
		s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 404, warning(141, "user unknown to the participating function"))
	}},
	{id: "PUB-29", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 404, warning(141, "user unknown to the participating function"))
	}, silent: func(s *scene) { s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 200) }},
	{id: "PUB-31", sev: record.Warning, fire: func(s *scene) {
		s.request("NOTIFY", func(e *Event) { e.Event, e.Profiles = "xcap-diff", []Profile{{MCPTT, alice, 7}} })
		s.request("PUBLISH", auth(alice, clientID), settings(clientID))
	}, silent: func(s *scene) {
		s.request("NOTIFY", func(e *Event) {
			e.Event, e.Profiles = "xcap-diff", []Profile{{MCPTT, alice, 7}, {MCPTT, alice, 1}, {MCPTT, bob, 3}}
		})
		s.request("PUBLISH", auth(alice, clientID), settings(clientID))
	}},
	{id: "MIG-05", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
		s.request("REGISTER", auth("sip:alice@partner.example", ""), migrate(alice, "https://idms.example.org"), call("m"))
	}, silent: func(s *scene) {
		s.answer(s.request("REGISTER", auth(alice, clientID)), 200)
		s.request("REGISTER", auth("sip:alice@partner.example", ""), migrate(alice, "https://idms.partner.example"), call("m"))
	}},
	{id: "MIME-04", sev: record.Warning, fire: func(s *scene) { s.request("REGISTER", auth(alice, clientID), auth(alice, clientID)) },
		silent: func(s *scene) { s.request("REGISTER", auth(alice, clientID), authFor(MCVideo, alice, clientID)) }},
	{id: "SEC-06", sev: record.Warning, fire: func(s *scene) { s.request("REGISTER", auth(alice, clientID), csk(csk1, bob)) },
		silent: func(s *scene) {
			s.request("REGISTER", auth(alice, clientID), csk(csk1, "")) // hidden
			s.request("REGISTER", auth("sip:alice@partner.example", ""), csk(csk1, alice), migrate(alice, "https://p"))
		}},
	{id: "SEC-22", sev: record.Warning, fire: func(s *scene) {
		s.request("MESSAGE", func(e *Event) { e.Ciphers = []Cipher{{csk1, 1, 10}} })
		s.request("MESSAGE", func(e *Event) { e.Ciphers = []Cipher{{csk1, 1, 11}} })
	}, silent: func(s *scene) {
		s.request("MESSAGE", func(e *Event) { e.Ciphers = []Cipher{{csk1, 1, 10}, {csk1, 2, 11}, {csk2, 1, 12}} })
		s.request("MESSAGE", func(e *Event) { e.Ciphers = []Cipher{{csk1, 1, 10}} })
	}},
	{id: "SEC-23", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID), csk(csk1, alice), sealed(csk1, true), settings(clientID)), 200, func(e *Event) { e.Infos = []Info{{MultipleDevices: true}} })
	}, silent: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID), settings(clientID)), 200, func(e *Event) { e.Infos = []Info{{MultipleDevices: true}} })
	}},
	{id: "TOK-06", sev: record.Note, fire: func(s *scene) { s.request("REGISTER", auth(alice, clientID)) },
		silent: func(s *scene) { s.request("REGISTER", auth(impu, clientID)) }},
	{id: "RSP-01", sev: record.Error, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 403, func(e *Event) {
			e.Warnings = []Warning{{Code: 101, Agent: "h", Text: "service authorisation failed", MC: -1}}
		})
	}, silent: refused(101, "service authorisation failed")},
	{id: "RSP-02", sev: record.Note, fire: func(s *scene) {
		s.answer(s.request("INVITE"), 403, func(e *Event) { e.Warnings = []Warning{{Code: 399, Text: "101 service authorisation failed", MC: 101}} })
	}, silent: refused(101, "service authorisation failed")},
	{id: "RSP-03", sev: record.Warning, fire: refused(131, "never allocated"), silent: refused(201, "functional alias")},
	{id: "RSP-03", sev: record.Warning, fire: refused(999, "what"), silent: refused(301, "interworking")},
	{id: "RSP-04", sev: record.Note, fire: refused(101, "go away"), silent: refused(101, "Service  Authorization FAILED because of the token")},
	{id: "RSP-05", sev: record.Warning, fire: func(s *scene) { s.answer(s.request("PUBLISH", auth(alice, clientID)), 403) }, silent: refused(101, "service authorisation failed")},
	{id: "RSP-06", sev: record.Note, fire: refused(101, "service authorisation failed"), silent: refused(139, "integrity protection check failed")},
	{id: "RSP-07", sev: record.Note, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 404, warning(141, "user unknown to the participating function"))
	}, silent: refused(141, "user unknown to the participating function")},
	{id: "RSP-08", sev: record.Note, fire: func(s *scene) { s.answer(s.request("PUBLISH", auth(alice, clientID)), 486, warning(164, "too many")) }},
	{id: "RSP-09", sev: record.Error, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200, func(e *Event) { e.ETag = "" })
	}},
	{id: "RSP-10", sev: record.Warning, fire: func(s *scene) { s.answer(s.request("PUBLISH", auth(alice, clientID), expires(100)), 200, expires(101)) },
		silent: func(s *scene) { s.answer(s.request("PUBLISH", auth(alice, clientID), expires(100)), 200, expires(99)) }},
	{id: "RSP-10", sev: record.Warning, fire: func(s *scene) { s.answer(s.request("PUBLISH", auth(alice, clientID)), 200, expires(-1)) }},
	{id: "RSP-11", sev: record.Note, fire: refused(101, "service authorisation failed"), silent: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 401)
		s.answer(s.request("PUBLISH", settingsOnly(alice, clientID)), 500)
	}},
	{id: "RSP-12", sev: record.Warning, fire: func(s *scene) {
		refused(101, "service authorisation failed")(s)
		s.request("INVITE")
	}, silent: func(s *scene) {
		refused(101, "service authorisation failed")(s)
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
		s.request("INVITE")
	}},
	{id: "RSP-13", sev: record.Note, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200, func(e *Event) { e.Infos = []Info{{MultipleDevices: true}} })
	}, silent: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200, func(e *Event) { e.Infos = []Info{{}} })
	}},
	{id: "RSP-14", sev: record.Warning, fire: func(s *scene) { s.answer(s.request("PUBLISH", settingsOnly(alice, clientID), ifMatch("gone")), 412) }},
	{id: "RSP-15", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID), settings(clientID)), 200)
		i := s.request("INVITE", as("sip:caller@example.org"), func(e *Event) { e.To.URI = impu })
		s.answer(i, 480, warning(146, "T-PF unable to determine the service settings for the called user"))
	}, silent: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID), settings(clientID)), 403, warning(101, "service authorisation failed"))
		i := s.request("INVITE", as("sip:caller@example.org"), func(e *Event) { e.To.URI = impu })
		s.answer(i, 480, warning(146, "T-PF unable to determine the service settings for the called user"))
	}},
	{id: "RSP-16", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
		s.request("SUBSCRIBE", func(e *Event) { e.Infos = []Info{{RequestURI: clear(bob)}} })
	}},
	{id: "RSP-16", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("SUBSCRIBE", func(e *Event) { e.Infos = []Info{{RequestURI: clear(bob)}} }), 403)
	}, silent: func(s *scene) {
		s.answer(s.request("SUBSCRIBE", func(e *Event) { e.Infos = []Info{{RequestURI: clear(bob)}} }), 200)
		s.answer(s.request("SUBSCRIBE", call("x")), 403)
	}},
	{id: "binding-mc-id", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
		s.answer(s.request("PUBLISH", auth(bob, clientID)), 200)
	}, silent: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
		s.answer(s.request("PUBLISH", expires(0)), 200)
		s.answer(s.request("PUBLISH", auth(bob, clientID)), 200)
	}},
	{id: "binding-impu", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
		s.answer(s.request("PUBLISH", auth(alice, clientID), as("sip:ue2@mcptt.example.org")), 200)
	}, silent: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID)), 200)
		s.answer(s.request("PUBLISH", auth(alice, "urn:uuid:second"), as("sip:ue2@mcptt.example.org")), 200)
	}},
	{id: "csk-replaced", sev: record.Warning, fire: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID), csk(csk1, alice), sealed(csk1, true)), 200)
		s.answer(s.request("PUBLISH", auth(alice, clientID), csk(csk2, alice), sealed(csk2, true)), 200)
		s.request("PUBLISH", settingsOnly(alice, clientID), sealed(csk1, true))
	}, silent: func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID), csk(csk1, alice), sealed(csk1, true)), 200)
		s.answer(s.request("PUBLISH", auth(alice, clientID), csk(csk2, alice), sealed(csk2, true)), 403, warning(136, "authentication of the MIKEY-SAKKE I_MESSAGE failed"))
		s.request("PUBLISH", settingsOnly(alice, clientID), sealed(csk1, true))
	}},
}

func refused(mc int, words string) func(*scene) {
	return func(s *scene) {
		s.answer(s.request("PUBLISH", auth(alice, clientID), settings(clientID)), 403, warning(mc, words))
	}
}

// TestChecks sees each check fire, with its severity, and stay silent where nothing is wrong.
func TestChecks(t *testing.T) {
	fired := map[string]bool{}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			var s scene
			c.fire(&s)
			tr := NewTracker(Config{})
			sev, found := record.Note, false
			for _, e := range s.events {
				for _, f := range tr.Add(e).Findings {
					if f.ID == c.id {
						found, sev = true, max(sev, f.Severity)
					}
				}
			}
			if !found {
				t.Errorf("%s does not fire", c.id)
			} else if sev != c.sev {
				t.Errorf("%s has severity %s, want %s", c.id, sev, c.sev)
			}
			s.run(t)
			var q scene
			if c.silent == nil {
				c.silent = clean
			}
			c.silent(&q)
			if o := q.run(t); o.has(c.id) {
				t.Errorf("%s fires on clean traffic: %v", c.id, o.words)
			}
		})
		fired[c.id] = true
	}
	for _, c := range Checks() {
		if !fired[c.ID] {
			t.Errorf("%s has no test", c.ID)
		}
		if c.Clause == "" || c.Title == "" || strings.TrimSpace(c.Title) != c.Title {
			t.Errorf("%s lacks clause or title", c.ID)
		}
	}
}

func TestReleases(t *testing.T) {
	for _, c := range []struct {
		release, code int
		bad, soft     bool
	}{{13, 150, false, false}, {13, 151, true, false}, {14, 156, false, false}, {15, 159, true, false}, {16, 165, false, false}, {17, 183, false, false}, {17, 184, true, false},
		{18, 195, false, false}, {18, 196, true, false}, {19, 196, true, true}, {20, 201, false, false}, {0, 201, false, false}, {0, 202, true, false}, {0, 129, true, false}, {0, 135, true, false}, {0, 99, true, false}, {13, 302, false, false}} {
		if _, bad, soft := allocation(MCPTT, c.code, c.release); bad != c.bad || soft != c.soft {
			t.Errorf("release %d code %d: %v %v, want %v %v", c.release, c.code, bad, soft, c.bad, c.soft)
		}
	}
	if _, bad, _ := allocation(MCData, 217, 13); bad {
		t.Error("MCData has a table of its own")
	}
	if w, _ := Text(MCVideo, 154); !strings.Contains(w, "viewing") {
		t.Errorf("MCVideo 154 is %q", w)
	}
	if w := Meaning(MCData, 199); !strings.Contains(w, "MIME") {
		t.Errorf("MCData 199 is %q", w)
	}
	for code := -5; code < 1200; code++ {
		for s := range services {
			Meaning(s, code)
			allocation(s, code, code%25)
		}
	}
	for _, w := range []string{"", "1", "101", "101 ", "9999999", "abc", "101service"} {
		softEqual(112, warnText(&Warning{Text: w}), texts[112])
	}
}

// TestWithdraw sees the tracker take over the question whether a key is known, for every copy of a request.
func TestWithdraw(t *testing.T) {
	play := func(known bool) *scene {
		var s scene
		if known {
			s.answer(s.request("REGISTER", auth(alice, clientID), csk(csk1, alice), sealed(csk1, false)), 200)
		}
		r := s.request("REGISTER", auth(alice, clientID), sealed(csk1, false))
		c := *r
		s.put(&c)
		hop := *r
		hop.Branch, hop.Src, hop.Dst, hop.Digest = "z9hG4bKhop", pcscf, scscf, 0
		s.put(&hop)
		s.thirdParty(r)
		return &s
	}
	for _, known := range []bool{true, false} {
		s := play(known)
		tr := NewTracker(Config{})
		for i, e := range s.events {
			f := tr.Add(e)
			if known && i < 2 {
				if len(f.Withdraw) != 0 {
					t.Errorf("message %d withdraws %v", e.Number, f.Withdraw)
				}
				continue
			}
			if !slices.Contains(f.Withdraw, "REG-07") {
				t.Errorf("known %v: message %d withdraws nothing", known, e.Number)
			}
			if fires := slices.ContainsFunc(f.Findings, func(f record.Finding) bool { return f.ID == "REG-07" }); fires == known {
				t.Errorf("known %v: message %d: REG-07 %v", known, e.Number, fires)
			}
		}
	}
}
