package decode

import (
	"strings"
	"testing"
)

func poc(entity string) string {
	return `<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings" xmlns:mcs10Set="urn:3gpp:mcsSettings:1.0"><entity id="urn:uuid:1">` + entity + `</entity></poc-settings>`
}

const (
	pocAM = `<am-settings><answer-mode>automatic</answer-mode></am-settings>`
	pocUP = `<mcs10Set:selected-user-profile-index><mcs10Set:user-profile-index>1</mcs10Set:user-profile-index></mcs10Set:selected-user-profile-index>`
	pocMX = `<mcs10Set:multiplex-support>true</mcs10Set:multiplex-support>`
)

func TestPoCSettings(t *testing.T) {
	for _, in := range []string{poc(pocAM + pocUP + pocMX), strings.ReplaceAll(poc(pocAM+pocUP+pocMX), "urn:3gpp:mcsSettings", "urn:3gpp:ns:mcsSettings")} {
		r, words := dissectOne(t, "application/poc-settings+xml", []byte(in), everything())
		if ids(r) != "" {
			t.Fatalf("a standard body has findings\n%s", dump(r))
		}
		for name, want := range map[string]string{"id": "urn:uuid:1", "answer_mode": "automatic", "selected_user_profile_index": "1", "multiplex_support": "true"} {
			if got := value(t, r, "poc_settings.entity."+name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if got := strings.Join(words, ";"); got != "poc-settings automatic, profile 1" {
			t.Errorf("words %q", got)
		}
	}
}

func TestPoCFindings(t *testing.T) {
	isb := `<isb-settings><incoming-session-barring active="0"/></isb-settings>`
	for _, c := range []struct{ what, in, want string }{
		{"all of RFC 4354", poc(isb + pocAM + `<ipab-settings><incoming-personal-alert-barring active="true"/></ipab-settings><sss-settings><simultaneous-sessions-support active="false"/></sss-settings>`), ""},
		{"no entity", `<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"/>`, ""},
		{"other name spaces", poc(pocAM + `<x:y xmlns:x="urn:x"/>`), ""},
		{"manual", poc(strings.Replace(pocAM, "automatic", " manual ", 1)), ""},
		{"child of the index unqualified", poc(pocAM + `<s:selected-user-profile-index xmlns:s="urn:3gpp:mcsSettings:1.0"><user-profile-index xmlns="">1</user-profile-index></s:selected-user-profile-index>`), ""},

		{"answer-mode", poc(strings.Replace(pocAM, "automatic", "auto", 1)), "PUB-19"},
		{"name of the user setting", poc(strings.Replace(pocAM, "automatic", "auto-answer", 1)), "PUB-20"},
		{"index", poc(strings.Replace(pocUP, ">1<", ">-1<", 1)), "PUB-22"},
		{"index without wrapper", poc(`<mcs10Set:selected-user-profile-index>1</mcs10Set:selected-user-profile-index>`), "PUB-22"},
		{"index twice", poc(pocUP + pocUP), "PUB-26"},
		{"multiplex", poc(strings.Replace(pocMX, "true", "yes", 1)), "XML-11"},
		{"active", poc(strings.Replace(isb, `"0"`, `"no"`, 1)), "XML-11"},
		{"active missing", poc(strings.Replace(isb, `active="0"`, ``, 1)), "PUB-26"},
		{"root", `<poc xmlns="urn:oma:params:xml:ns:poc:poc-settings"/>`, "PUB-26"},
		{"name space", strings.Replace(poc(pocAM), "urn:oma:params:xml:ns:poc:poc-settings", "urn:x", 1), "PUB-26"},
		{"id", strings.Replace(poc(pocAM), ` id="urn:uuid:1"`, ``, 1), "PUB-26"},
		{"empty am-settings", poc(`<am-settings/>`), "PUB-26"},
		{"order", poc(pocAM + isb), "PUB-26"},
		{"extension before", poc(pocMX + pocAM), "PUB-26"},
		{"no name space", poc(pocAM + `<y xmlns=""/>`), "PUB-26"},
		{"malformed", poc(pocAM)[:100], "XML-12"},
	} {
		r, _ := dissectOne(t, "application/poc-settings+xml", []byte(c.in), everything())
		if got := ids(r); got != c.want {
			t.Errorf("%s: %q, want %q\n%s", c.what, got, c.want, dump(r))
		}
	}
}
