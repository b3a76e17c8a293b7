package filter

import (
	"math/big"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

// The reference: the tree of a filter walked plainly, with lists of values, big integers and record.Ref.Values.

type refVal struct {
	k    record.Kind
	s    string
	n    *big.Int
	a    netip.Addr
	bits int
}

func ref(v record.Value) (refVal, bool) {
	out := refVal{k: v.Kind, s: v.Str, n: big.NewInt(v.Num), bits: -1}
	if !v.Valid {
		return out, false // Ref.Values hands on what a field's Get yields, absent or not
	}
	switch v.Kind {
	case record.Uint:
		out.n = new(big.Int).SetUint64(uint64(v.Num))
	case record.Addr:
		a, err := netip.ParseAddr(v.Str)
		if err != nil {
			return out, false
		}
		out.a = a.Unmap().WithZone("")
	}
	return out, true
}

func refLit(v *val) refVal {
	out, _ := ref(record.Value{Kind: v.k, Str: v.s, Num: v.n, Valid: true})
	out.a, out.bits = v.a, int(v.bits)-1
	return out
}

func refValuesOf(o *operand, r *record.Record) (out []refVal) {
	switch o.op {
	case isField:
		for _, s := range o.src {
			if s.transports != nil && !slices.Contains(s.transports, r.Transport) {
				continue
			}
			for v := range s.ref.Values(r) {
				if x, ok := ref(v); ok {
					out = append(out, x)
				}
			}
		}
	case isSlice:
		for _, v := range refValuesOf(o.arg, r) {
			b := []byte(v.s)
			var cut []byte
			for _, sp := range o.spans {
				from, to := sp.from, len(b)-1 // inclusive
				if from < 0 {
					from = len(b) + from
				}
				if sp.end == byLength {
					to = from + sp.n - 1
				}
				if sp.end == byLast {
					to = sp.n
					if to < 0 {
						to = len(b) + to
					}
				}
				if from < 0 || from >= len(b) || to < from || to >= len(b) {
					continue
				}
				for i := from; i <= to; i++ {
					cut = append(cut, b[i])
				}
			}
			if len(cut) > 0 {
				out = append(out, refVal{k: record.Octets, s: string(cut), n: new(big.Int), bits: -1})
			}
		}
	case isCall:
		vs := refValuesOf(o.arg, r)
		if o.fn == "count" {
			if len(vs) > 0 {
				out = append(out, refVal{k: record.Uint, n: big.NewInt(int64(len(vs))), bits: -1})
			}
			return out
		}
		for _, v := range vs {
			x := refVal{k: record.String, n: new(big.Int), bits: -1}
			switch o.fn {
			case "len":
				x.k, x.n = record.Uint, big.NewInt(int64(len(v.s)))
			case "lower":
				x.s = strings.ToLower(v.s)
			case "upper":
				x.s = strings.ToUpper(v.s)
			case "string":
				switch v.k {
				case record.Uint, record.Int:
					x.s = v.n.String()
				case record.Addr:
					x.s = v.a.String()
				default:
					x.s = string(record.Value{Kind: v.k, Str: v.s, Num: v.n.Int64(), Valid: true}.AppendText(nil))
				}
			}
			out = append(out, x)
		}
	case isArith:
		field := o.arg
		if field.op == isLiteral {
			field = o.arg2
		}
		for _, v := range refValuesOf(field, r) {
			a, b := v.n, refLit(&o.lit).n
			if o.arg.op == isLiteral {
				a, b = b, a
			}
			x := new(big.Int)
			if o.fn == "&" {
				word := new(big.Int).SetUint64(1<<64 - 1)
				x.And(x.And(a, word), b).And(x, word)
				out = append(out, refVal{k: record.Uint, n: x, bits: -1})
				continue
			}
			if !a.IsInt64() || !b.IsInt64() || strings.Contains("/%", o.fn) && b.Sign() == 0 {
				continue
			}
			switch o.fn {
			case "+":
				x.Add(a, b)
			case "-":
				x.Sub(a, b)
			case "*":
				x.Mul(a, b)
			case "/":
				x.Quo(a, b)
			case "%":
				if x.Quo(a, b); x.IsInt64() {
					x.Rem(a, b)
				}
			}
			if x.IsInt64() {
				out = append(out, refVal{k: record.Int, n: x, bits: -1})
			}
		}
	}
	return out
}

func refOne(rel string, a, b refVal) bool {
	c := 0
	switch classOf(a.k) {
	case textClass:
		if rel == "contains" {
			return strings.Contains(a.s, b.s)
		}
		c = strings.Compare(a.s, b.s)
	case addrClass:
		same := a.a.Is4() == b.a.Is4()
		for _, x := range []*refVal{&a, &b} {
			if x.bits >= 0 && same {
				a.a = netip.PrefixFrom(a.a, x.bits).Masked().Addr()
				b.a = netip.PrefixFrom(b.a, x.bits).Masked().Addr()
			}
		}
		if !same {
			return rel == "!="
		}
		c = a.a.Compare(b.a)
	default:
		c = a.n.Cmp(b.n)
	}
	return rel == "==" && c == 0 || rel == "!=" && c != 0 || rel == "<" && c < 0 || rel == "<=" && c <= 0 || rel == ">" && c > 0 || rel == ">=" && c >= 0
}

func refEval(e *expr, r *record.Record) bool {
	switch e.op {
	case opNot:
		return !refEval(e.kids[0], r)
	case opAnd:
		out := true
		for _, k := range e.kids {
			out = refEval(k, r) && out
		}
		return out
	case opOr:
		out := false
		for _, k := range e.kids {
			out = refEval(k, r) || out
		}
		return out
	case opXor:
		n := 0
		for _, k := range e.kids {
			if refEval(k, r) {
				n++
			}
		}
		return n%2 == 1
	case opExists:
		return refExists(e.l, r)
	case opIn:
		hits, vs := 0, refValuesOf(e.l, r)
		for _, v := range vs {
			for _, m := range e.members {
				if !m.isRange && refOne("==", v, refLit(&m.lo)) || m.isRange && refOne(">=", v, refLit(&m.lo)) && refOne("<=", v, refLit(&m.hi)) {
					hits++
					break
				}
			}
		}
		ok := hits > 0
		if e.quant == "all" {
			ok = hits == len(vs) && hits > 0
		}
		return ok != e.not
	}
	side := func(o *operand) []refVal {
		if o.op == isLiteral {
			if e.lit == nil {
				return nil // a regular expression
			}
			return []refVal{refLit(e.lit)}
		}
		return refValuesOf(o, r)
	}
	yes, total := 0, 0
	one, all := e.rel, false
	switch e.rel {
	case "!=":
		all = true
	case "===":
		one, all = "==", true
	case "!==":
		one = "!="
	}
	switch e.quant {
	case "any":
		all = false
	case "all":
		all = true
	}
	ls, rs := side(e.l), side(e.r)
	if e.rel == "matches" {
		rs = []refVal{{}}
	}
	for _, a := range ls {
		for _, b := range rs {
			total++
			hit := false
			if e.rel == "matches" {
				hit = regexp.MustCompile("(?i)" + e.r.text).MatchString(a.s)
			} else {
				hit = refOne(one, a, b)
			}
			if hit {
				yes++
			}
		}
	}
	if all {
		return total > 0 && yes == total
	}
	return yes > 0
}

func refExists(o *operand, r *record.Record) bool {
	switch o.op {
	case isArith:
		for _, v := range refValuesOf(o, r) {
			if v.n.Sign() != 0 {
				return true
			}
		}
		return false
	case isSlice:
		return len(refValuesOf(o, r)) > 0
	}
	for _, s := range o.src {
		if s.transports != nil && !slices.Contains(s.transports, r.Transport) {
			continue
		}
		f := s.ref.Field
		switch {
		case f.Name == "src" && r.Src.IsValid(), f.Name == "dst" && r.Dst.IsValid(), f.Name == "findings" && len(r.Findings) > 0:
			return true
		case f.Get == nil && s.ref.Sub == "":
			for i := range r.Nodes {
				if n := &r.Nodes[i]; n.Field == f && (s.ref.Key == "" || strings.EqualFold(n.Key, s.ref.Key)) {
					return true
				}
			}
		default:
			for v := range s.ref.Values(r) {
				if v.Valid {
					return true
				}
			}
		}
	}
	return false
}

// randomText writes an expression from pieces that mostly fit together.
func randomText(g *rand.Rand, depth int) string {
	pick := func(s ...string) string { return s[g.IntN(len(s))] }
	if depth > 0 {
		switch g.IntN(6) {
		case 0:
			return randomText(g, depth-1) + pick(" and ", " && ", " or ", " || ", " xor ", " ^^ ") + randomText(g, depth-1)
		case 1:
			return pick("not ", "!") + randomText(g, depth-1)
		case 2:
			return "(" + randomText(g, depth-1) + ")"
		}
	}
	text := pick("sip.method", "sip.call_id", "sip.contact.uri", "sip.contact.params.expires", "mcptt_info.client_id", "mcptt_info.client_id.state", "mcptt_info.client_id.key_id", "mikey.rand", "info", "encapsulation", "transport", "findings.id", "findings.severity", "sip.Method", "mikey.rand[0]", "sip.method[0:2]", "sip.contact.uri[-1]", "sip.contact.uri[0,2-9]", "lower(sip.method)", "upper(sip.contact.uri)", "string(sip.status)", "string(ip.addr)", "mcptt_info.claims.exp", "file", "record")
	num := pick("sip.status", "sip.cseq.number", "mikey.offset", "mikey.big", "number", "frames", "udp.port", "tcp.port", "src.port", "findings.offset", "findings.frames", "len(sip.method)", "count(sip.contact.uri)", "count(frames)", "got", "sip.status & 3", "sip.status + 1", "mikey.offset * 2", "mikey.offset - 1", "5 - sip.status", "mikey.big % 3", "7 / sip.status", "sip.Status-Code")
	addr := pick("src.ip", "dst.ip", "ip.addr", "mikey.addr", "ip.src")
	rel := " " + pick("==", "!=", "===", "!==", "<", "<=", ">", ">=", "eq", "ne", "~=") + " "
	quant := pick("", "", "", "any ", "all ")
	not := pick("", " not")
	lt := pick(`"INVITE"`, `"a"`, `"abc"`, `""`, `"1"`, `r"A\xff"`, `"A\xff"`, `"decrypted"`, `41`, `61`)
	ln := pick("0", "1", "2", "5", "200", "-1", "0xff", "18446744073709551615", "-9223372036854775808", "404")
	la := pick("10.0.0.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32", "10.0.0.2", "::ffff:10.0.0.1", "0.0.0.0/0")
	switch g.IntN(14) {
	case 0:
		return pick(text, num, addr, "sip", "bodies", "mikey", "src", "dst", "findings", "quoted", "mcptt_info.client_id.reason", "sip.contact.params", "sip.contact.params.q", "mikey.v")
	case 1:
		return quant + text + rel + lt
	case 2:
		return lt + rel + text
	case 3:
		return quant + text + pick(" contains ", " matches ", " ~ ") + pick(`"a"`, `"i"`, `"^a.?"`, `"\xff"`)
	case 4:
		return quant + text + not + " in {" + lt + ", " + pick(`"A".."J"`, `"b"`, `"a", "b", "c", "d", "e", "f", "g", "h"`) + "}"
	case 5:
		return quant + num + rel + ln
	case 6:
		return ln + rel + num
	case 7:
		return quant + num + not + " in {" + ln + "," + pick("1..5", "-5..-1", "0..18446744073709551615") + "}"
	case 8:
		return quant + addr + rel + la
	case 9:
		return quant + addr + not + " in {" + la + ", 10.0.0.0..10.0.0.1}"
	case 10:
		return text + pick(rel, " contains ") + pick("sip.call_id", "sip.contact.uri", "mikey.rand", "info")
	case 11:
		return quant + num + rel + pick("sip.cseq.number", "frames", "mikey.big", "mikey.offset")
	case 12:
		return pick("time", "mikey.time") + rel + pick(`"2024-01-01 00:00:01"`, "mikey.time", "1704067200")
	}
	return pick("mikey.v", "mcptt_info.emergency_ind", "quoted") + rel + pick("true", "false")
}

func compare(t *testing.T, text string, seed uint64) (bool, bool) {
	f, err := Compile(text)
	if err != nil {
		e := err.(*Error)
		if e.Off < 0 || e.Off > len(text) || e.Len < 1 || e.Off+e.Len > len(text)+1 || e.Msg == "" {
			t.Fatalf("%q: the error has no place: %+v", text, e)
		}
		if strings.Count(e.Caret(text), "\n") != 2 {
			t.Fatalf("%q: %q", text, e.Caret(text))
		}
		return false, false
	}
	if f.tree == nil {
		return true, true
	}
	r := random(seed)
	got, want := f.Match(r), refEval(f.tree, r)
	if got != want {
		t.Fatalf("%q, record %d: got %v, want %v", text, seed, got, want)
	}
	return true, got
}

func TestAgainstReference(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	compiled, matched := 0, 0
	const n = 40_000
	for i := range n {
		ok, hit := compare(t, randomText(g, 3), uint64(i))
		if ok {
			compiled++
		}
		if hit {
			matched++
		}
	}
	// The comparison is worth something only when most expressions compile and both answers occur.
	if compiled < n*8/10 || matched < compiled/5 || matched > compiled*4/5 {
		t.Errorf("%d of %d compiled, %d matched", compiled, n, matched)
	}
}

func FuzzCompile(f *testing.F) {
	for i, e := range expressions {
		f.Add(e.text, uint64(i))
	}
	g := rand.New(rand.NewPCG(5, 5))
	for i := range 50 {
		f.Add(randomText(g, 2), uint64(i))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) { compare(t, text, seed) })
}

// Every prefix of every expression gives an error with a place, or a filter that agrees with the reference.
func TestEveryCut(t *testing.T) {
	for i, e := range expressions {
		for n := range e.text {
			compare(t, e.text[:n], uint64(i))
		}
	}
}
