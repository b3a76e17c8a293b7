package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/session"
)

const checksHead = `# Checks

Generated from the register (` + "`go generate ./...`" + `). ` + "`mcxdump check FILE...`" + ` runs every check below over captures and says what
breaks which clause.

## What a finding is

An id, a severity, the clause, one plain sentence, and where it is: the body's path, the field, the octets. Text from the
wire inside a sentence is quoted. Inside a third-party REGISTER the checks of REGISTER run on the user's own REGISTER in
message/sip (TPR-05); a finding about one of its bodies has that body's path there, one about its header has the path of
the message/sip body.

| severity | meaning |
|---|---|
| error | against what the specification, or two independent implementations of it, say |
| warning | likely wrong, or wrong by a rule that is known less surely |
| note | worth knowing |

Severity is softened by the evidence that a rule stands on:

| evidence | how the rule is known | at most |
|---|---|---|
| S | the change requests to TS 24.379 clauses 7.2.1, 7.2.2 and 7A.2.1 and to TS 33.180 clause 5.1.3.1 | error |
| C | read in the specification | error |
| I | implementations that cite the clause | error |
| R | recollection | warning |
| ? | unknown | note |
| - | a general specification (RFC, W3C) | error |

The sentences name MCPTT. The same checks run for MCVideo and MCData, with their feature tags, service identifiers,
elements and scopes, and with the clause of TS 24.281 or TS 24.282 in the place of that of TS 24.379 clause 7. MCData has no
answer mode and no multiplex support to publish (PUB-18, PUB-23).

## What is assumed

| flag | without it |
|---|---|
| ` + "`--confidentiality on\\|off`" + ` | auto: on for a message in which another element of the same body is encrypted; otherwise unknown, and REG-10 and REG-12 stay silent |
| ` + "`--integrity on\\|off`" + ` | auto: on for a message that carries signatures; otherwise unknown, and REG-11, MIG-10, PUB-16 and PUB-17 stay silent |
| ` + "`--mdsi ID`" + ` | unknown; REG-14 stays silent. With hidden identities it needs the keys that tell them |
| ` + "`--release N`" + ` | the newest: XML-10 and RSP-03 judge by it |
| ` + "`--role ue\\|core\\|server`" + ` | auto; ` + "`core` and `server`" + ` silence REG-18 |
| ` + "`--jwks FILE`" + ` | signatures of access tokens are not looked at; with it their state is ` + "`mcptt_info.access_token.signature`" + ` (TOK-07) |
| ` + "`--keys`, `--csk`" + ` | what is encrypted stays closed: SEC-04, SEC-12, SEC-13 and SEC-15 need keys, and so does what is said of values behind them |

- REG-07 and PUB-15 are warnings when the capture may have begun after the CSK was delivered, that is when it has no earlier
  message of the user. A key given with --keys or --csk that opens the content is a known one.
- REG-18 looks at the user's own hop: one Via, no ESP, no TLS. Behind the first proxy the protection of the network is not
  in the capture.
- A PUBLISH of another package, such as that of affiliations with Event: presence, is none of PUB.
- Of what a capture cut off nothing is said to be missing.
- A message that mcxdump itself fails on (internal-fault, a bug of mcxdump) was not judged: that is an error too. So is a header section that
  is not shown because it holds keys (sip-holds-secrets); limits that cut off header fields or bodies (sip-..., http-...) are told of with their severity.
- Unknown scopes of tokens are shown by mcxdump read and are never a finding; those of release 13 count.

## For CI

Exit code 0: nothing reaches ` + "`--fail-on`" + ` (error by default; warning, note, never); 3: something does; 1: unreadable or
cut-off input; 2: usage. ` + "`--junit FILE`" + ` writes JUnit XML, a test case for each check; ` + "`--sarif FILE`" + ` SARIF 2.1.0, a
result for each finding of a session with the number of its occurrences; ` + "`-`" + ` is standard output.

` + "`--write-baseline FILE`" + ` lists the findings of a run, a line each: id, fingerprint, sentence. ` + "`--baseline FILE`" + ` accepts
them: they are counted apart, suppressed in SARIF, and fail nothing. A fingerprint is made of the id, method and status,
body and field, and the sentence without its numbers and without what it quotes from the wire, so that another run of the
same traffic has the same one.

` + "`--json`" + ` prints one object a finding, in capture order, ` + "`\"schema\":\"mcxdump.check/1\"`" + ` (docs/schema/mcxdump.check-1.schema.json;
ignore members that you do not know):

| member | meaning |
|---|---|
| ` + "`id`, `severity`, `clause`, `message`" + ` | the finding |
| ` + "`title`" + ` | what the check is about |
| ` + "`number`, `time`, `frames`, `file`" + ` | the message it is about |
| ` + "`method`, `status`, `call_id`" + ` | of that message; of a response the method of its request |
| ` + "`body`, `field`, `source`, `offset`, `length`" + ` | where in the message |
| ` + "`session`" + ` | service, impu, mc_id, client_id, kind and state, as far as known |
| ` + "`fingerprint`, `accepted`" + ` | for baselines |

`

var checkGroups = []struct{ prefix, title string }{
	{"REG", "REGISTER"}, {"TPR", "Third-party REGISTER"}, {"PUB", "PUBLISH"}, {"MIG", "Migration REGISTER"}, {"XML", "XML"}, {"MIME", "MIME"},
	{"SEC", "Protection"}, {"TOK", "Access tokens"}, {"RSP", "Responses and state"},
}

// checksDoc is docs/checks.md.
func checksDoc() []byte {
	var b bytes.Buffer
	b.WriteString(checksHead)
	b.WriteString("## The checks\n\n\"Several\" marks those that need more than one message; they run in capture order.\n")
	for _, g := range checkGroups {
		fmt.Fprintf(&b, "\n### %s\n\n| id | severity | evidence | clause | says | fires on | |\n|---|---|---|---|---|---|---|\n", g.title)
		for _, c := range decode.Checks() {
			if !strings.HasPrefix(c.ID, g.prefix+"-") {
				continue
			}
			several := ""
			if c.Cross {
				several = "several"
			}
			fmt.Fprintf(&b, "| %s | %s | %c | %s | %s | %s | %s |\n", c.ID, c.Severity, c.Evidence, c.Clause, cell(c.Title), cell(c.Fires), several)
		}
	}
	b.WriteString("\n### Over HTTP, one message\n\n| id | severity | evidence | clause | says | fires on |\n|---|---|---|---|---|---|\n")
	for _, c := range decode.WebChecks() {
		fmt.Fprintf(&b, "| %s | %s | %c | %s | %s | %s |\n", c.ID, c.Severity, c.Evidence, c.Clause, cell(c.Title), cell(c.Fires))
	}
	b.WriteString("\n### Beyond the digest\n\n| id | severity | clause | says |\n|---|---|---|---|\n")
	for _, c := range session.Checks() {
		if _, ok := decode.CheckByID(c.ID); !ok {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.ID, c.Severity, c.Clause, cell(c.Title))
		}
	}
	b.WriteString("\nDefects of a message that have no id here, such as `sip-bare-lf` or `mikey-malformed`, are findings with the clause that they break.\n")
	return b.Bytes()
}

// cell keeps text from ending a table's cell.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s)
}
