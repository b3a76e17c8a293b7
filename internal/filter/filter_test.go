package filter

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Expressions about sample. The third column is not a comment but a group, so that a failure says what is broken.
var expressions = []struct {
	text string
	want bool
}{
	// nothing
	{"", true}, {"  \t\n", true},
	// existence
	{"sip", true}, {"sip.method", true}, {"sip.status", false}, {"mikey", true}, {"other", false}, {"mcptt_info", true}, {"bodies", true},
	{"mcptt_info.emergency_ind", true}, {"mcptt_info.emergency_ind.value", false}, {"mcptt_info.client_id.value", true},
	{"mcptt_info.client_id.reason", false}, {"mcptt_info.emergency_ind.reason", true}, {"mcptt_info.client_id.state", true},
	{"sip.contact.params", true}, {"sip.contact.params.expires", true}, {"sip.contact.params.EXPIRES", true}, {"sip.contact.params.q", false},
	{"sip.contact.params.+g", false}, {"sip.contact.params.+g.3gpp.mcptt", true}, {`sip.contact.params.+g.3gpp.mcptt == ""`, true}, {"src", true}, {"dst", true}, {"findings", true}, {"quoted", false}, {"interface", false}, {"file", true}, {"number", true}, {"got", true},
	{"not sip", false}, {"!sip", false}, {"! ! sip", true}, {"not not not sip", false}, {"!sip.status", true},
	// equality of text
	{`sip.method == "INVITE"`, true}, {`sip.method == INVITE`, true}, {`sip.method eq "INVITE"`, true}, {`sip.method == "invite"`, false}, {`sip.method == "ACK"`, false},
	{`sip.method != "ACK"`, true}, {`sip.method ne "INVITE"`, false}, {`sip.method any_eq "INVITE"`, true}, {`sip.method all_ne "ACK"`, true},
	{`"INVITE" == sip.method`, true}, {`sip.method == "INV"`, false}, {`bodies.path == 1.2`, true}, {`bodies.path == "1.2"`, true}, {`sip.request_uri == sip:psi@example.org`, true},
	{`sip.method == 'I'`, false}, {`sip.method[0] == 'I'`, true}, {`transport == udp`, true}, {`transport == "tcp"`, false}, {`record == message`, true}, {`schema == "mcxdump/1"`, true},
	// several values: == any, != all differ, === all equal, !== any differs
	{`sip.contact.uri == "sip:alice@10.0.0.1"`, true}, {`sip.contact.uri == "sip:bob@10.0.0.9"`, true}, {`sip.contact.uri != "sip:bob@10.0.0.9"`, false},
	{`sip.contact.uri != "sip:carol@x"`, true}, {`sip.contact.uri === "sip:bob@10.0.0.9"`, false}, {`sip.contact.uri !== "sip:bob@10.0.0.9"`, true},
	{`sip.contact.uri ~= "sip:bob@10.0.0.9"`, true}, {`sip.contact.uri any_ne "sip:bob@10.0.0.9"`, true}, {`sip.contact.uri all_eq "x"`, false}, {`sip.method === "INVITE"`, true},
	{`any sip.contact.uri != "sip:bob@10.0.0.9"`, true}, {`all sip.contact.uri == "sip:bob@10.0.0.9"`, false}, {`all sip.contact.uri contains "sip:"`, true},
	{`all sip.contact.uri contains "bob"`, false}, {`any sip.contact.uri contains "bob"`, true}, {`all frames > 10`, true}, {`all frames > 11`, false}, {`any frames > 11`, true}, {`all frames in {11..12}`, true}, {`all frames in {11}`, false},
	// absent fields
	{`sip.status == 200`, false}, {`sip.status != 200`, false}, {`sip.status === 200`, false}, {`sip.status !== 200`, false}, {`not sip.status == 200`, true},
	{`sip.status < 300`, false}, {`sip.status in {200}`, false}, {`sip.status not in {200}`, true}, {`not sip.status in {200}`, true}, {`mcptt_info.emergency_ind == true`, false},
	{`all sip.status == 1`, false}, {`interface == ""`, false}, {`interface != "x"`, false}, {`count(sip.status) == 0`, false}, {`len(interface) == 0`, false},
	// numbers
	{`sip.cseq.number == 3`, true}, {`sip.cseq.number == 0x3`, true}, {`sip.cseq.number == 0b11`, true}, {`sip.cseq.number == 03`, true}, {`sip.cseq.number == 0o3`, true}, {`sip.cseq.number > 2`, true}, {`sip.cseq.number >= 3`, true},
	{`sip.cseq.number < 3`, false}, {`sip.cseq.number le 3`, true}, {`sip.cseq.number gt 3`, false}, {`sip.cseq.number lt 4`, true}, {`sip.cseq.number ge 4`, false},
	{`sip.cseq.number == -3`, false}, {`sip.cseq.number > -3`, true}, {`3 == sip.cseq.number`, true}, {`2 < sip.cseq.number`, true}, {`2 < sip.cseq.number < 4`, true}, {`2 < sip.cseq.number < 3`, false}, {`4 > sip.cseq.number >= 3`, true},
	{`mikey.offset == -5`, true}, {`mikey.offset < 0`, true}, {`mikey.offset > -6`, true}, {`mikey.big == 18446744073709551615`, true}, {`mikey.big > 18446744073709551614`, true},
	{`mikey.big == -1`, false}, {`mikey.big < 0`, false}, {`mikey.big > 5`, true}, {`mikey.offset < mikey.big`, true}, {`mikey.big < mikey.offset`, false}, {`number == 7`, true}, {`frames == 12`, true}, {`frames == 13`, false},
	{`sip.cseq.number == '\x03'`, true}, {`got == 1`, true}, {`got == 2`, false}, {`count(got) == 2`, true},
	// booleans
	{`mikey.v == false`, true}, {`mikey.v == FALSE`, true}, {`mikey.v == 0`, true}, {`mikey.v == True`, false}, {`mikey.v == TRUE`, false}, {`mikey.v != true`, true}, {`mikey.v == 1`, false}, {`mikey.v`, true},
	// octets
	{`mikey.rand == 00:ff:10:41`, true}, {`mikey.rand == 00-ff-10-41`, true}, {`mikey.rand == 00.ff.10.41`, true}, {`mikey.rand == 00ff1041`, true}, {`mikey.rand == 00:ff`, false}, {`mikey.rand contains ff:10`, true},
	{`mikey.rand contains "A"`, true}, {`mikey.rand contains 10:ff`, false}, {`mikey.rand[0:2] == 00:ff`, true}, {`mikey.rand[1-2] == ff:10`, true}, {`mikey.rand[3] == "A"`, true}, {`mikey.rand[3] == 0x41`, true}, {`mikey.rand[1] == ff`, true},
	{`mikey.rand[-1] == 41`, true}, {`mikey.rand[-2:2] == 10:41`, true}, {`mikey.rand[:2] == 00:ff`, true}, {`mikey.rand[2:] == 10:41`, true}, {`mikey.rand[0,2-3] == 00:10:41`, true}, {`mikey.rand[3,0] == 41:00`, true},
	{`mikey.rand[0:99]`, false}, {`mikey.rand[9] == 00`, false}, {`mikey.rand[9]`, false}, {`mikey.rand[0,9] == 00`, true}, {`mikey.rand[0:4][1] == ff`, true}, {`mikey.rand[1] > 80`, true}, {`mikey.rand > 00:fe`, true}, {`mikey.rand[-9:2]`, false}, {`mikey.rand[-3--2] == ff:10`, true},
	{`mikey.rand in {00:ff:10:41}`, true}, {`mikey.rand[0] in {00..0f}`, true}, {`len(mikey.rand) == 4`, true}, {`mikey.rand == "\x00\xff\x10A"`, true}, {`mikey.rand matches "a$"`, true},
	// slices of text
	{`sip.method[0:3] == "INV"`, true}, {`sip.method[0:3] == INV`, true}, {`sip.method[0:3] == 49:4e:56`, true}, {`sip.method[-1] == "E"`, true}, {`sip.method[1-2] == "NV"`, true}, {`sip.method[0:3] contains "N"`, true}, {`sip.method[0:99] == "INVITE"`, false},
	{`sip.method[0:3]`, true}, {`len(sip.method[1:]) == 5`, true}, {`lower(sip.method[0:3]) == "inv"`, true}, {`sip.method[ 0 : 3 ] == "INV"`, true},
	// contains and matches
	{`sip.request_uri contains "example"`, true}, {`sip.request_uri contains example`, true}, {`sip.request_uri contains "EXAMPLE"`, false}, {`sip.request_uri contains ""`, true}, {`sip.call_id contains sip.method`, false}, {`sip.method contains sip.cseq.method`, true},
	{`sip.request_uri matches "^SIP:.*\\.org$"`, true}, {`sip.request_uri ~ "psi@"`, true}, {`sip.request_uri matches r"example\.org"`, true}, {`sip.request_uri matches "exampleXorg"`, false}, {`sip.request_uri matches "(?-i)PSI"`, false},
	{`sip.headers.value contains "\n"`, true}, {`sip.headers.value contains "\xff"`, true}, {`sip.headers.value contains "\377"`, true}, {`sip.headers.name matches "^x-"`, true}, {`all sip.headers.name matches "^x-"`, false},
	// membership
	{`sip.method in {"ACK", "INVITE"}`, true}, {`sip.method in {ACK, BYE}`, false}, {`sip.cseq.number in {1, 2..5}`, true}, {`sip.cseq.number in {4 .. 5}`, false}, {`sip.cseq.number not in {4..5}`, true}, {`sip.cseq.number not in {3}`, false}, {`not sip.cseq.number in {3}`, false},
	{`sip.method in {"A".."J"}`, true}, {`sip.method in {"a", "b", "c", "d", "e", "f", "g", "h", "INVITE"}`, true}, {`sip.method in {"a", "b", "c", "d", "e", "f", "g", "h", "H".."J"}`, true}, {`sip.method in {"a", "b", "c", "d", "e", "f", "g", "h", "i"}`, false},
	{`mikey.offset in {-9..-1}`, true}, {`mikey.big in {5..18446744073709551615}`, true}, {`frames in {12}`, true}, {`frames not in {12}`, false},
	// addresses
	{`src.ip == 10.0.0.1`, true}, {`src.ip == "10.0.0.1"`, true}, {`src.ip == 10.0.0.0/8`, true}, {`src.ip == 10.0.0.0/30`, true}, {`src.ip == 11.0.0.0/8`, false}, {`src.ip != 11.0.0.0/8`, true}, {`src.ip != 10.0.0.0/8`, false}, {`src.ip == ::ffff:10.0.0.1`, true},
	{`dst.ip == 2001:db8::2`, true}, {`dst.ip == 2001:db8::/32`, true}, {`dst.ip == 2001:db8:1::/48`, false}, {`src.ip == ::/0`, false}, {`dst.ip == ::/0`, true}, {`src.ip == 0.0.0.0/0`, true}, {`dst.ip == 0.0.0.0/0`, false},
	{`ip.addr == 10.0.0.1`, true}, {`ip.addr != 10.0.0.1`, false}, {`ip.addr == 2001:db8::2`, true}, {`ip.addr != 10.0.0.9`, true}, {`src.ip > 10.0.0.0`, true}, {`dst.ip > 10.0.0.0`, false}, {`src.ip < 10.0.0.2`, true}, {`src.ip in {10.0.0.0/8}`, true}, {`src.ip in {10.0.0.0..10.0.0.5}`, true},
	{`dst.ip in {2001:db8::..2001:db8::5}`, true}, {`dst.ip in {10.0.0.0..10.0.0.5}`, false}, {`mikey.addr == 10.0.0.7`, true}, {`mikey.addr == 2001:db8::7`, true}, {`count(mikey.addr) == 2`, true}, {`src.ip > 9.0.0.0/8`, true}, {`src.ip > 10.0.0.0/8`, false}, {`src.ip >= 10.0.0.0/8`, true}, {`10.0.0.0/8 == src.ip`, true}, {`src.ip == dst.ip`, false}, {`ip.src == src.ip`, true},
	// times
	{`time > "2024-01-01 00:00:00"`, true}, {`time == "2024-01-01 00:00:00.5"`, true}, {`time < "2024-01-01 00:00:01"`, true}, {`time > 2024-01-01T00:00:00Z`, true}, {`time > "2024-01-01T01:00:00+01:00"`, true}, {`time >= 2024-01-01`, true}, {`time > "Jan 1, 2024 00:00:00"`, true},
	{`time == 1704067200.5`, true}, {`time > 1704067200`, true}, {`mikey.time < time`, true}, {`time in {"2024-01-01 00:00:00".."2024-01-02 00:00:00"}`, true}, {`frame.time < "2023-12-31 23:59:59"`, false}, {`time == "2024-01-01 00:00:00.5 UTC"`, true},
	// field against field
	{`sip.method == sip.cseq.method`, true}, {`sip.method != sip.cseq.method`, false}, {`sip.call_id == sip.method`, false}, {`src.port == dst.port`, false}, {`src.port < dst.port`, true}, {`sip.status == sip.cseq.number`, false}, {`sip.contact.uri == sip.contact.uri`, true}, {`sip.contact.uri === sip.contact.uri`, false},
	// functions and arithmetic
	{`len(sip.method) == 6`, true}, {`len(sip.contact.uri) > 17`, true}, {`count(sip.contact.uri) == 2`, true}, {`count(sip.contact) == 0`, false}, {`lower(sip.method) == "invite"`, true}, {`upper(sip.request_uri) contains "PSI"`, true}, {`string(sip.cseq.number) == "3"`, true},
	{`string(src.ip) matches "^10\\."`, true}, {`string(mikey.rand) == "00ff1041"`, true}, {`string(mikey.v) == "false"`, true}, {`string(time) contains "2024-01-01T"`, true}, {`lower(lower(sip.method)) == "invite"`, true}, {`string(sip.cseq.number)[0] == "3"`, true},
	{`sip.cseq.number & 1`, true}, {`sip.cseq.number & 4`, false}, {`sip.cseq.number & 2 == 2`, true}, {`sip.cseq.number bitand 2 == 2`, true}, {`sip.cseq.number & 0xff == 3`, true}, {`sip.cseq.number + 1 == 4`, true}, {`sip.cseq.number - 5 == -2`, true}, {`sip.cseq.number * 2 == 6`, true}, {`10 - sip.cseq.number == 7`, true},
	{`sip.cseq.number + 2 * 3 == 9`, true}, {`sip.cseq.number == 1 + 2`, true}, {`sip.cseq.number == 7 & 3`, true}, {`7 / sip.cseq.number == 2`, true}, {`7 % sip.cseq.number == 1`, true}, {`{sip.cseq.number + 1} * 2 == 8`, true}, {`len(sip.method) + 1 == 7`, true}, {`mikey.big + 1 == 0`, false}, {`sip.status / 100 == 2`, false}, {`mikey.offset + -9223372036854775808 > 0`, false}, {`mikey.offset - 9223372036854775807 > 0`, false}, {`sip.cseq.number * 9223372036854775807 > 5`, false}, {`sip.cseq.number * 9223372036854775807 < 5`, false},
	// protection
	{`mcptt_info.client_id == "urn:uuid:1"`, true}, {`mcptt_info.client_id.value == "urn:uuid:1"`, true}, {`mcptt_info.client_id.state == "decrypted"`, true}, {`mcptt_info.client_id.state == decrypted`, true}, {`mcptt_info.emergency_ind.state == "no_key"`, true},
	{`mcptt_info.client_id.key_id == 2abcdef0`, true}, {`mcptt_info.client_id.key_id == "2abcdef0"`, true}, {`mcptt_info.client_id.protection == encrypted`, true}, {`mcptt_info.client_id.algorithm contains "GCM"`, true}, {`mcptt_info.claims.exp == "1704070800"`, true},
	// maps
	{`sip.contact.params.expires == "60"`, true}, {`sip.contact.params.expires == 0`, true}, {`sip.contact.params.expires == "61"`, false},
	// findings and the record itself
	{`findings.id == "SEC-10"`, true}, {`findings.severity == "note"`, true}, {`findings.severity == "warning"`, false}, {`findings.frames == 14`, true}, {`findings.frames == 15`, false}, {`count(findings.frames) == 3`, true}, {`findings.offset == 10`, true}, {`findings.length == 5`, true}, {`findings.source == 1`, true},
	{`findings.clause contains "33.180"`, true}, {`findings.message == "gap"`, true}, {`findings.field == "mcptt_info"`, true}, {`findings.body`, false}, {`encapsulation == "gtpu"`, true}, {`info contains "call"`, true}, {`file == "a.pcap"`, true},
	// aliases
	{`sip.Method == "INVITE"`, true}, {`sip.Status-Code == 200`, false}, {`sip.Call-ID contains "abc"`, true}, {`sip.CSeq.method == "INVITE"`, true}, {`sip.r-uri contains "psi"`, true}, {`frame.number == 11`, true}, {`udp.port == 5060`, true}, {`udp.port == 5061`, true},
	{`udp.srcport == 5061`, false}, {`udp.dstport == 5061`, true}, {`tcp.port == 5060`, false}, {`tcp.port`, false}, {`udp.port`, true}, {`udp.port in {5061}`, true}, {`udp.port != 5060`, false}, {`ip.src == 10.0.0.1`, true}, {`ip.dst == 10.0.0.1`, false}, {`sip.Contact contains "bob"`, true},
	// logic and precedence
	{`sip and mikey`, true}, {`sip && other`, false}, {`sip or other`, true}, {`other || other`, false}, {`sip xor mikey`, false}, {`sip xor other`, true}, {`sip ^^ other ^^ mikey`, false}, {`sip and not other`, true}, {`other and sip or mikey`, true}, {`mikey or sip and other`, true},
	{`(mikey or sip) and other`, false}, {`not other and sip`, true}, {`not (other and sip)`, true}, {`!other && !other`, true}, {`sip and mikey and bodies and other`, false}, {`other or other or other or sip`, true}, {`sip xor mikey or bodies`, true}, {`not sip or mikey`, true},
	{`((((sip))))`, true}, {`not sip.method == "ACK" and sip`, true}, {`!sip.method == "ACK"`, true}, {"sip\nand\tmikey", true},
}

func TestMatch(t *testing.T) {
	r := sample()
	for _, e := range expressions {
		f, err := Compile(e.text)
		if err != nil {
			t.Errorf("%s: %v\n%s", e.text, err, err.(*Error).Caret(e.text))
			continue
		}
		if got := f.Match(r); got != e.want {
			t.Errorf("%s: got %v", e.text, got)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		text, msg, hint string
		off             int
	}{
		{`sip.metod`, `unknown field "sip.metod"`, "did you mean sip.method", 0},
		{`sip and sip.metod == 1`, `unknown field "sip.metod"`, "did you mean sip.method", 8},
		{`sip.call-id == "x"`, `unknown field "sip.call-id"`, "names have underscores: sip.call_id", 0},
		{`SIP.method`, `unknown field`, "names are in lower case: sip.method", 0},
		{`qqqqqqqqqqq`, `unknown field`, "`mcxdump fields` lists the fields", 0},
		{`frames-1 == 3`, `unknown field`, "put blanks around - to subtract", 0},
		{`sip.method == sip.metod`, `unknown field "sip.metod"`, "did you mean sip.method", 14},
		{`sip.method =`, `unexpected character "="`, "equality is ==", 11},
		{`sip.method = "x"`, `unexpected character "="`, "equality is ==", 11},
		{`sip | mikey`, `unexpected character "|"`, "joined with ||", 4},
		{`ip.addr#1 == 1.2.3.4`, `unexpected character "#"`, "not supported", 7},
		{`sip AND mikey`, `"AND" where "and", "or" or the end is expected`, "lower case", 4},
		{`sip.method like "x"`, `"like" where`, "contains or matches", 11},
		{`sip.method == `, "the filter ends where a field or a value is expected", "", 14},
		{`(sip`, `"(" is not closed`, "", 0},
		{`sip)`, `")" where`, "", 3},
		{`()`, `")" where a field or a value is expected`, "", 1},
		{`sip and`, "the filter ends", "", 7},
		{`and sip`, `"and" where`, "", 0},
		{`"x" == "y"`, `"x" where a field is expected`, "", 0},
		{`5 == 5`, `unknown field "5"`, "", 0},
		{`"x"`, `"x" where a field is expected`, "", 0},
		{`"x" contains sip.method`, `"x" where a field is expected`, "", 0},
		{`sip == 1`, "sip is of kind object and holds no value to compare", "compare one of its members", 0},
		{`sip.contact.params == "x"`, "sip.contact.params is of kind map", "", 0},
		{`count(5) == 1`, "unknown field", "", 6},
		{`sip.cseq.number == "3"`, "text where a number is expected", "numbers have no quotes", 19},
		{`sip.cseq.number == x`, "x is not a number", "", 19},
		{`sip.cseq.number == 1_0`, "1_0 is not a number", "", 19},
		{`sip.cseq.number == 99999999999999999999`, "is not a number", "", 19},
		{`sip.cseq.number == sip.cseq.numer`, "is not a number", "did you mean sip.cseq.number", 19},
		{`sip.cseq.number == sip.method`, "do not compare", "string()", 16},
		{`sip.cseq.number contains 3`, "contains of a value of kind uint", "string()", 0},
		{`sip.cseq.number matches "3"`, "matches of a value of kind uint", "", 0},
		{`sip.method matches INVITE`, "matches takes a regular expression in double quotes", "", 19},
		{`sip.method matches "("`, "not a regular expression", "RE2", 19},
		{`mikey.v == maybe`, "maybe is neither true nor false", "", 11},
		{`mikey.rand == zz`, "zz is not octets", "aa:bb:cc", 14},
		{`mikey.rand == 0x1234`, "0x1234 is not octets", "", 14},
		{`time > "yesterday"`, `"yesterday" is not a time`, "seconds since 1970", 7},
		{`time > "2024-01-01 00:00:00 XYZ"`, "is not a time", "", 7},
		{`time > 2500-01-01`, "is not a time", "", 7},
		{`src.ip == 10.0.0`, "10.0.0 is not an address or network", "", 10},
		{`src.ip == 10.0.0.0/33`, "is not an address or network", "", 10},
		{`src.ip in {10.0.0.0/8..10.0.0.9}`, "a range runs from one address to another", "", 11},
		{`sip.cseq.number in {5..3}`, "a range that holds nothing", "", 20},
		{`src.ip in {10.0.0.1..::1}`, "a range that holds nothing", "", 11},
		{`sip.cseq.number in 5`, `"5" where "{" is expected`, "{a, b, 5..9}", 19},
		{`sip.cseq.number in {}`, `"}" where a value is expected`, "", 20},
		{`sip.cseq.number in {1 2}`, `"2" where "," or "}"`, "", 22},
		{`sip.cseq.number in {1,`, "the filter ends", "", 22},
		{`sip.cseq.number not 5`, `"5" where "in" is expected`, "", 20},
		{`5 in {5}`, "unknown field", "", 0},
		{`sip in {5}`, "in of a value of kind object", "", 0},
		{`foo(sip.method) == 1`, `unknown function "foo"`, "there are len", 0},
		{`len(sip.cseq.number) == 1`, "len() of a value of kind uint", "", 4},
		{`lower(mikey.rand) == 1`, "lower() of a value of kind octets", "", 6},
		{`string(sip) == "x"`, "string() of a value of kind object", "", 7},
		{`count(len(sip.method)) == 1`, "count() takes a field", "", 6},
		{`len("x") == 1`, "where a field is expected", "", 4},
		{`len(sip.method`, "the filter ends", "", 14},
		{`len(sip.method)`, "a value that is not compared with anything", "", 0},
		{`sip.cseq.number + 1`, "a value that is not compared with anything", "", 0},
		{`sip.method & 1`, "& of a value of kind string", "", 0},
		{`sip.cseq.number & src.port`, "& takes a number on one side", "", 18},
		{`sip.cseq.number / 0 == 1`, "division by zero", "", 18},
		{`1 + 1 == 2`, "unknown field", "", 0},
		{`sip.cseq.number == 1 / 0`, "division by zero", "", 19},
		{`sip.cseq.number == x + 1`, "unknown field", "", 19},
		{`sip.cseq.number[0]`, "a slice of a value of kind uint", "string()", 0},
		{`"x"[0] == 1`, `"x" where a field is expected`, "", 0},
		{`x[0] == 1`, `unknown field "x"`, "", 0},
		{`sip.method[]`, "a slice is [offset:length]", "", 10},
		{`sip.method[0`, "a slice has no closing ]", "", 10},
		{`sip.method[0:0]`, "the length of a slice must be above 0", "", 14},
		{`sip.method[:]`, "a slice needs an offset or a length", "", 12},
		{`sip.method[1-]`, "needs its last offset", "", 13},
		{`sip.method[99999999999]`, "an offset out of range", "", 11},
		{`sip.method == "x`, "a string has no closing quote", "", 14},
		{`sip.method == r"x\"`, "a string has no closing quote", "", 14},
		{`sip.method == "\q"`, "an unknown escape", "raw string", 15},
		{`sip.method == "\xg"`, "a malformed escape", "", 15},
		{`sip.method == "\u12"`, "a malformed escape", "", 15},
		{`sip.method == "\777"`, "an octal escape above", "", 15},
		{`sip.method == 'ab'`, "a character constant holds one character", "double quotes", 14},
		{`sip.method == ''`, "a character constant holds one character", "", 14},
		{`any sip.method`, "the filter ends where a comparison is expected", "", 14},
		{`any "x" == sip.method`, `"any" is followed by a value`, "", 4},
		{`sip ] mikey`, "] without [", "", 4},
		{`sip.method == "a" == `, "the filter ends", "", 21},
		{strings.Repeat("(", 300) + "sip", "nested deeper than 200", "", 200},
		{strings.Repeat("!", 300) + "sip", "nested deeper than 200", "", 200},
		{"sip" + strings.Repeat(" or sip", 8000), "more than 10000 terms", "", -1},
		{"sip.cseq.number in {1" + strings.Repeat(",1", 12000) + "}", "more than 10000 terms", "", -1},
		{strings.Repeat(" ", MaxText+1), "a filter longer than", "", MaxText},
	} {
		f, err := Compile(c.text)
		if err == nil {
			t.Errorf("%.60s: no error (%v)", c.text, f)
			continue
		}
		e, ok := err.(*Error)
		if !ok || !strings.Contains(e.Msg, c.msg) || !strings.Contains(e.Hint, c.hint) || c.off >= 0 && e.Off != c.off {
			t.Errorf("%.60s: got %d %q, hint %q; want %d %q, %q", c.text, e.Off, e.Msg, e.Hint, c.off, c.msg, c.hint)
		}
	}
}

func TestCaret(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`sip and sip.metod == 1`, "sip and sip.metod == 1\n        ^~~~~~~~~\n"},
		{`sip.method == `, "sip.method == \n              ^\n"},
		{"sip\t\x1b", "sip  \n    ^\n"},
		{"info == \"ü\" and q", "info == \"ü\" and q\n                ^\n"},
	} {
		_, err := Compile(c.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: no error", c.text)
		}
		if got := e.Caret(c.text); got != c.want {
			t.Errorf("%q: got\n%swant\n%s", c.text, got, c.want)
		}
	}
}

func TestNeeds(t *testing.T) {
	f, err := Compile(`sip.method == "x" or mcptt_info.client_id.state == "no_key" and number > 1`)
	if err != nil {
		t.Fatal(err)
	}
	w := f.Needs()
	for f, want := range map[*record.Field]bool{fSIP: true, fMethod: true, fClientID: true, fInfo: true, fMikey: false, fCallID: false, record.FieldNumber: false} {
		if w.Has(f) != want {
			t.Errorf("%s: %v", f.Name, !want)
		}
	}
	for _, f := range []*Filter{nil, {}} {
		if w := f.Needs(); w.Has(fSIP) || !f.Match(sample()) || f.String() != "" {
			t.Error("the empty filter")
		}
	}
	if f.String() == "" {
		t.Error("no text")
	}
}

// Each alias leads to registered fields of one kind, or to fields that only the decoder registers.
func TestAliases(t *testing.T) {
	for _, a := range Aliases {
		if _, own := record.Lookup(a.Name); own {
			continue // our own name comes first
		}
		kinds := map[record.Kind]bool{}
		for _, n := range a.Fields {
			if ref, ok := record.Lookup(n); ok {
				kinds[ref.Kind()] = true
			}
		}
		if len(kinds) > 1 {
			t.Errorf("%s mixes kinds", a.Name)
		}
	}
	if len(aliasByName) != len(Aliases) {
		t.Error("an alias is there twice")
	}
}

// The direct readers of the record's own fields give what the fields' Get gives.
func TestMetaFields(t *testing.T) {
	for seed := range uint64(200) {
		r := random(seed)
		for _, f := range record.Fields() {
			if f.Get == nil {
				continue
			}
			var want []val
			f.Get(r, func(v record.Value) bool {
				if v.Valid {
					want = append(want, fromValue(v))
				}
				return true
			})
			var got []val
			q := metaValues(f)
			for v, at := q(r, 0); at >= 0; v, at = q(r, at) {
				got = append(got, v)
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d, %s: %v, want %v", seed, f.Name, got, want)
			}
			for i := range got {
				if got[i].k != want[i].k || !equal(&got[i], &want[i]) {
					t.Fatalf("seed %d, %s: %v, want %v", seed, f.Name, got, want)
				}
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	r := sample()
	for _, text := range []string{
		`sip.method == "INVITE"`, `sip.method != "ACK"`, `ip.addr == 10.0.0.9`, `udp.port == 9`, `sip.request_uri matches "example"`, `frames > 100 and findings.id == "x"`,
		`mcptt_info.client_id.state == "failed"`, `sip.contact.params.expires == "61"`, `len(sip.method) == 7`, `sip.method[0:3] == "xxx"`,
		`sip.cseq.number & 4 == 4`, `time > 2025-01-01`, `sip.contact.uri == sip.call_id`, `sip.method in {"a", "b", "c", "d", "e", "f", "g", "h", "i"}`, `count(frames) == 9`,
	} {
		f, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { f.Match(r) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func TestConcurrent(t *testing.T) {
	f, err := Compile(`sip.request_uri matches "example" and udp.port == 5060 and sip.contact.params.expires == "60"`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r := sample()
			for range 200 {
				if !f.Match(r) {
					t.Error("no match")
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkMatch(b *testing.B) {
	r := sample()
	small := &record.Record{Nodes: r.Nodes[:2], Transport: "udp", Src: r.Src, Dst: r.Dst}
	for _, c := range []struct {
		name, text string
		r          *record.Record
	}{
		{"first field", `sip.method == "INVITE"`, r},
		{"only what is needed", `sip.method == "ACK"`, small},
		{"absent", `sip.status == 200`, r},
		{"two tests", `sip.method == "INVITE" && mcptt_info.client_id != ""`, r},
		{"address", `ip.addr == 10.0.0.0/8`, r},
		{"matches", `sip.request_uri matches "example\\.org$"`, r},
	} {
		b.Run(c.name, func(b *testing.B) {
			f, err := Compile(c.text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				f.Match(c.r)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(`sip.method == "INVITE" && mcptt_info.client_id != "" or ip.addr in {10.0.0.0/8, 1.2.3.4}`); err != nil {
			b.Fatal(err)
		}
	}
}
