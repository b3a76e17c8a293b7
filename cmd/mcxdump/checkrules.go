package main

import (
	"sync"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/output"
)

// registers are the rules of every register of checks: those of the digest, of the HTTP half, and of what spans messages.
var registers = sync.OnceValues(func() (order []string, rules map[string]output.CheckRule) {
	rules = map[string]output.CheckRule{}
	add := func(r output.CheckRule) {
		if _, ok := rules[r.ID]; !ok {
			order = append(order, r.ID)
			rules[r.ID] = r
		}
	}
	for _, list := range [][]decode.Check{decode.Checks(), decode.WebChecks()} {
		for _, k := range list {
			add(output.CheckRule{ID: k.ID, Title: k.Title, Fires: k.Fires, Clause: k.Clause, Severity: k.Severity})
		}
	}
	for _, k := range session.Checks() {
		add(output.CheckRule{ID: k.ID, Title: k.Title, Clause: k.Clause, Severity: k.Severity})
	}
	return order, rules
})

func checkOrder() []string {
	order, _ := registers()
	return order
}

func checkRules() map[string]output.CheckRule {
	_, rules := registers()
	return rules
}
