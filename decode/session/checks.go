package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A Check is one rule that the tracker looks at.
type Check struct {
	ID       string
	Severity record.Severity // at most; softened by the evidence that the rule stands on
	Clause   string
	Title    string
}

// Checks lists the rules of this package: those of TS 24.379 section 7 and its neighbours that need more than one
// message, and those of Warning header fields.
func Checks() []Check { return slices.Clone(checks) }

var checks = []Check{
	{"REG-07", record.Error, "TS 24.379 7.2.1", "protected content but no CSK delivered and none known"},
	{"REG-16", record.Note, "TS 24.379 7.1", "log-off by re-registration"},
	{"REG-17", record.Warning, "TS 24.379 7.1", "inconsistent log-off: one of the two tags is gone"},
	{"REG-20", record.Note, "TS 24.379 7.2.1", "MC bodies sent before IMS authentication"},
	{"REG-21", record.Warning, "TS 24.229 5.1.1.6", "access token in a de-registration"},
	{"TPR-03", record.Warning, "TS 24.229 5.4.1.7", "public identity mismatch between outer and inner REGISTER"},
	{"TPR-06", record.Warning, "TS 24.379 7.3.2", "embedded response is not 200"},
	{"TPR-07", record.Warning, "TS 24.379 7.3.2", "the server refuses the third-party REGISTER"},
	{"PUB-15", record.Error, "TS 24.379 7.2.2 step 3", "protection used with a token, no CSK delivered and none known"},
	{"PUB-25", record.Warning, "TS 24.379 7.2.1A", "entity id differs from the client ID"},
	{"PUB-29", record.Warning, "TS 24.379 7.2.3", "settings before any successful authorisation"},
	{"PUB-31", record.Warning, "TS 24.379 7.2.2", "user-profile-index not in the user profile documents seen"},
	{"MIG-05", record.Warning, "TS 24.379 7A.2.1", "token issued by the primary IdM in a migration REGISTER"},
	{"MIME-04", record.Warning, "TS 24.379 7.2", "two info bodies of one service in one request"},
	{"SEC-06", record.Warning, "TS 33.180 5.4", "CSK initiator is not the authorised user"},
	{"SEC-22", record.Warning, "TS 33.180 9.3.4", "GCM nonce reuse"},
	{"SEC-23", record.Warning, "TS 24.379 6.6", "asymmetric protection of request and response"},
	{"TOK-06", record.Note, "TS 24.379 7.3.3", "MC service ID differs from the public user identity: normal, shown for correlation"},
	{"RSP-01", record.Error, "TS 24.379 4.4.1", "MC code in the place of the warn-code"},
	{"RSP-02", record.Note, "TS 24.379 4.4.1", "Warning without the host name of the server"},
	{"RSP-03", record.Warning, "TS 24.379 4.4.2", "Warning code not allocated"},
	{"RSP-04", record.Note, "TS 24.379 4.4.2", "Warning text differs from the table"},
	{"RSP-05", record.Warning, "TS 24.379 7.3.3", "403 to a service authorisation without a Warning"},
	{"RSP-06", record.Note, "TS 24.379 7.3.3", "403 with 101: service authorisation failed"},
	{"RSP-07", record.Note, "TS 24.379 7.3.4", "404 with 141: no binding for this user"},
	{"RSP-08", record.Note, "TS 24.379 7.3.3", "486 with 164: limit of simultaneous authorisations"},
	{"RSP-09", record.Error, "RFC 3903 11.3.1", "2xx to PUBLISH without SIP-ETag"},
	{"RSP-10", record.Warning, "RFC 3903 6", "bad or missing Expires in the 2xx to PUBLISH"},
	{"RSP-11", record.Note, "TS 24.379 7.2.2", "the client must consider itself not authorised"},
	{"RSP-12", record.Warning, "TS 24.379 7.2.2", "service used without authorisation"},
	{"RSP-13", record.Note, "TS 24.379 7.3.3 step 9", "user is authorised on several clients"},
	{"RSP-14", record.Warning, "RFC 3903 11.3.2", "stale SIP-If-Match"},
	{"RSP-15", record.Warning, "TS 24.379 7.3.3", "server lost service settings"},
	{"RSP-16", record.Warning, "TS 24.379 7.3.6.1", "subscription to another user's settings"},
	{"binding-mc-id", record.Warning, "TS 33.180 5.1.3.1", "a client is authorised for another MC service ID without a log-off"},
	{"binding-impu", record.Warning, "TS 33.180 5.1.3.1", "a client ID is bound to two public user identities"},
	{"token-scope", record.Warning, "TS 33.180 5.1.3.1, B.4.2.2", "a token is presented to a server that its scope does not cover"},
	{"token-client", record.Warning, "RFC 6749 4.1.3, 6", "a token or code is used by another client than it was issued to"},
	{"token-before-issue", record.Warning, "TS 33.180 5.1.2, 5.1.3.1", "a token is presented before it is issued"},
	{"token-not-issued", record.Note, "TS 33.180 5.1.3.1", "a token is presented whose issue is not in the capture, though the issuer is"},
	{"token-kind", record.Warning, "TS 33.180 B.10", "a token is presented as an access token and was issued as another kind"},
	{"pkce-mismatch", record.Error, "RFC 7636 4.6", "code verifier and code challenge do not fit"},
	{"code-reuse", record.Warning, "RFC 6749 4.1.2", "an authorisation code is used twice"},
	{"kms-user", record.Warning, "TS 33.180 5.1.3.1", "the KMS provides keys of a user whom the token does not name"},
	{"csk-replaced", record.Warning, "TS 33.180 9.2.1.2", "a CSK is used after it was replaced"},
}

var checkByID = func() map[string]*Check {
	m := map[string]*Check{}
	for i := range checks {
		m[checks[i].ID] = &checks[i]
	}
	return m
}()

// single runs the checks that one message is enough for but that need the values behind the protection.
func (t *Tracker) single(e *Event) {
	t.oneMessage(e, &e.Message)
	for i := range e.Inner {
		t.oneMessage(e, &e.Inner[i])
	}
	if !e.Request {
		t.warnings(e)
	}
}

func (t *Tracker) oneMessage(e *Event, m *Message) {
	d := m.details()
	var count [services]int
	for i := range d.Infos {
		in := &d.Infos[i]
		if count[in.Service]++; count[in.Service] == 2 && m.Request {
			t.find("MIME-04", "only one "+in.Service.String()+"-info body is expected in one request", in.Body, "bodies")
		}
		if !m.Request {
			continue
		}
		if id := in.ClientID.Text; id != "" && m.Method == "PUBLISH" {
			for k := range d.Settings {
				n := d.Settings[k].ID
				if n != "" && !strings.EqualFold(n, id) && !slices.ContainsFunc(d.Settings, func(o Entity) bool { return strings.EqualFold(o.ID, id) }) {
					t.find("PUB-25", fmt.Sprintf("entity id should be the client's instance URN: %q, but the client ID is %q", n, id), "", "poc_settings.entity.id")
				}
			}
		}
		if in.Token.Present {
			t.initiator(d, in)
		}
	}
}

// initiator is SEC-06: the CSK of an upload comes from the user whom the token names.
func (t *Tracker) initiator(d *Details, in *Info) {
	ids := in.Token.IDs
	if ids == [services]string{} {
		return
	}
	key := t.keyFor(d, in)
	for i := range d.IMessages {
		m := &d.IMessages[i]
		if !isCSK(m) || m.Initiator == "" || key != m.CSBID && len(d.IMessages) > 1 {
			continue
		}
		if v := in.RequestURI.Text; v != "" && sameURI(v, m.Initiator) {
			continue // migration: the user's ID in the primary system (TS 24.379 7A.2.1)
		}
		if in.RequestURI.Encrypted && !in.RequestURI.Opened {
			continue
		}
		if !slices.ContainsFunc(ids[:], func(id string) bool { return id != "" && sameURI(id, m.Initiator) }) {
			who := ids[in.Service]
			if who == "" {
				who = ids[0] + ids[1] + ids[2]
			}
			t.find("SEC-06", fmt.Sprintf("CSK initiator %q is not the authorised user %q", m.Initiator, who), m.Body, "mikey.initiator")
		}
	}
}

// warnings checks the Warning header fields of a response (TS 24.379 4.4).
func (t *Tracker) warnings(e *Event) {
	d := e.Details
	svc := t.warningService(e)
	for i := range d.Warnings {
		w := &d.Warnings[i]
		if w.Code >= 100 && w.Code < 250 {
			t.find("RSP-01", fmt.Sprintf("Warning must use 399 with the code inside the text, not %d as warn-code", w.Code), "", "sip.warning.code")
			continue
		}
		if w.Code != 399 {
			continue
		}
		if w.MC >= 0 && (w.Agent == "" || w.Agent == "-") {
			t.find("RSP-02", "the host name of the server is missing in Warning", "", "sip.warning.agent")
		}
		if w.MC < 0 {
			continue
		}
		if words, bad, soft := allocation(svc, w.MC, t.cfg.Release); bad {
			sev := record.Warning
			if soft {
				sev = record.Note
			}
			t.findAs("RSP-03", sev, words, "", "sip.warning.mc_code")
		} else if want, ok := Text(svc, w.MC); ok && !softEqual(w.MC, warnText(w), want) {
			t.find("RSP-04", fmt.Sprintf("text of Warning code %d is %q, the table has %q", w.MC, clipText(warnText(w), 120), want), "", "sip.warning.text")
		}
	}
	switch {
	case e.Status == 403 && hasMC(d, 101):
		t.find("RSP-06", "service authorisation failed: check the token", "", "sip.warning.mc_code")
	case e.Status == 404 && hasMC(d, 141):
		t.find("RSP-07", "no binding for this user: authorise first", "", "sip.warning.mc_code")
	case e.Status == 486 && hasMC(d, 164):
		t.find("RSP-08", "limit of simultaneous authorisations reached", "", "sip.warning.mc_code")
	}
}

// warningService tells whose table of Warning codes a response uses.
func (t *Tracker) warningService(e *Event) Service {
	d := e.Details
	if len(d.Infos) > 0 {
		return d.Infos[0].Service
	}
	if set := d.Services | tagsOf(d.Contacts); set != 0 {
		return serviceOf(d)
	}
	if x, ok := t.transactions.get(t.transactionKey(&e.Message, e.Method)); ok && x.attempt != nil {
		if len(x.attempt.items) > 0 {
			return x.attempt.items[0].s.Service
		}
		return x.attempt.service
	}
	return MCPTT
}

func hasMC(d *Details, code int) bool {
	return slices.ContainsFunc(d.Warnings, func(w Warning) bool { return w.MC == code && w.Code == 399 })
}
