package decode

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// The checks: what in a message breaks which clause of TS 24.379 and its neighbours. Those of one message are functions
// over its finished tree; they run for the captured message and again for a REGISTER inside message/sip. Those that need
// several messages are run by package session in the ordered stage and are listed here all the same.

// A Check is one entry of the register of checks.
type Check struct {
	ID     string
	Clause string
	// Severity is what the finding has at most: softened by the evidence that the rule stands on, an error only where the
	// specification or two independent implementations say so.
	Severity record.Severity
	Title    string
	Fires    string // what it takes
	// Evidence tells how the rule is known: S change request, C specification, I implementations, R recollection,
	// ? unknown, - the rule of a general specification.
	Evidence byte
	// Cross marks a check that needs more than one message.
	Cross bool

	at checkPlace
}

// checkPlace is the part of the program that finds it.
type checkPlace uint8

const (
	atCheck   checkPlace = iota // the functions in check_*.go
	atBody                      // the dissector of the body
	atSession                   // package session
)

// soften holds a severity to what the evidence bears: a recollection is at most a warning, the unknown at most a note.
func soften(s record.Severity, evidence byte) record.Severity {
	switch evidence {
	case 'R':
		return min(s, record.Warning)
	case '?':
		return record.Note
	}
	return s
}

var checkIndex = func() map[string]int {
	m := make(map[string]int, len(checkTable))
	for i := range checkTable {
		c := &checkTable[i]
		c.Severity, c.Cross = soften(c.Severity, c.Evidence), c.at == atSession
		if _, twice := m[c.ID]; twice {
			panic("decode: check " + c.ID + " is registered twice")
		}
		m[c.ID] = i
	}
	return m
}()

// Checks lists the register of checks, those of single messages and those of several.
func Checks() []Check { return slices.Clone(checkTable) }

// CheckByID finds an entry of the register.
func CheckByID(id string) (Check, bool) {
	i, ok := checkIndex[id]
	if !ok {
		return Check{}, false
	}
	return checkTable[i], true
}

// Tri is a setting that is on, off, or left to be told from the traffic.
type Tri uint8

// The values of a Tri.
const (
	Auto Tri = iota
	On
	Off
)

var triNames = [...]string{"auto", "on", "off"}

// String is the name of the value.
func (t Tri) String() string {
	if int(t) < len(triNames) {
		return triNames[t]
	}
	return fmt.Sprintf("Tri(%d)", uint8(t))
}

// ParseTri reads auto, on or off.
func ParseTri(s string) (Tri, error) {
	if i := slices.Index(triNames[:], s); i >= 0 {
		return Tri(i), nil
	}
	return Auto, fmt.Errorf("%q is none of auto, on and off", s)
}

// Roles are the values of CheckConfig.Role: where the capture was taken.
var Roles = []string{"auto", "ue", "core", "server"}

// CheckConfig is what the checks may assume. The zero value assumes the newest release and infers the rest from each
// message, conservatively: what the message does not tell is not held against it.
type CheckConfig struct {
	Release int // 13 to 20; 0 is the newest
	// Confidentiality and Integrity are the two elements of signalling-protection in the service configuration
	// (TS 24.484 8.4).
	Confidentiality, Integrity Tri
	MDSI                       []string // security identifiers of the servers' domains (TS 24.379 7.2.1)
	Role                       string   // one of Roles; "" is auto
	JWKS                       *JWKS    // keys of the identity management servers; nil leaves signatures of tokens alone
}

// Check tells what is wrong with the configuration.
func (c *CheckConfig) Check() error {
	switch {
	case c.Release != 0 && (c.Release < 13 || c.Release > 20):
		return fmt.Errorf("release %d is not one of 13 to 20", c.Release)
	case c.Role != "" && !slices.Contains(Roles, c.Role):
		return fmt.Errorf("role %q is none of %s", c.Role, strings.Join(Roles, ", "))
	case c.Confidentiality > Off || c.Integrity > Off:
		return fmt.Errorf("protection is none of auto, on and off")
	}
	return nil
}

// A checkRun is the view of one message that the checks read. Its memory serves the next message.
type checkRun struct {
	*Context
	cfg   *CheckConfig
	said  *policy // what service configurations before the message said
	track bool    // a tracker looks at what needs several messages
	m     *message
	r     *record.Record
	from  int    // first finding of the message
	whole bool   // the capture has the message to its end
	body  string // path of the message/sip body that it stands in

	request, register, publish bool
	expires                    int64 // -1: missing or no number

	contacts []checkContact
	infos    []checkInfo
	pocs     []checkPoC
	mikeys   []checkMikey
	sigs     []checkSig
	cover    []string        // paths of the bodies to which a signature refers,
	covers   map[string]bool // and more of them
	embedded []*Part         // message/sip bodies
	signed   []*Part         // signed bodies
	xmls     []*Part         // XML bodies that can be signed

	thirdParty bool
	memo       *checkMemo
}

// checkInfo is one info body. Its members are indices of nodes, -1 where there is none.
type checkInfo struct {
	s                           *infoService
	p                           *Part
	node                        int
	whole                       bool // it was read to its end
	token, client, uri, profile int
}

type checkPoC struct {
	p        *Part
	node     int
	whole    bool
	entities []int
}

type checkMikey struct {
	p    *Part
	node int
	csb  string
}

type checkSig struct {
	node  int
	key   string
	state string
	refs  []int
}

// A checkMemo holds what came of header field values that were looked at lately: the same few come again and again.
type checkMemo struct {
	icsis   remembered // icsiService
	accepts remembered // required
}

type remembered [16]struct {
	text string
	is   int
	set  bool
}

// of is what slow makes of a value.
func (m *remembered) of(b []byte, slow func([]byte) int) int {
	if len(b) == 0 || len(b) > 256 {
		return slow(b)
	}
	e := &m[(len(b)+int(b[len(b)-1])+int(b[len(b)/2]))%len(m)]
	if !e.set || e.text != string(b) {
		e.text, e.is, e.set = string(b), slow(b), true
	}
	return e.is
}

// check runs the checks on a message whose nodes begin at node from and whose findings begin at finding first.
func (w *worker) check(m *message, from, first int) {
	cfg := w.opt.Checks
	if cfg == nil || m.depth > 0 && !m.sip.Request || w.rec.Quoted {
		return // what an ICMP error quotes was or will be seen for itself
	}
	if w.cut && m.depth == 0 && m.sip.HeaderEnd >= len(m.sip.Raw) {
		return // the capture cut the header
	}
	c := &w.checks
	*c = checkRun{Context: &w.c, cfg: cfg, said: w.policy, track: w.opt.Tracker != nil, m: m, r: &w.rec, from: first, whole: !w.cut || m.depth > 0, expires: -1, request: m.sip.Request,
		contacts: c.contacts[:0], infos: c.infos[:0], pocs: c.pocs[:0], mikeys: c.mikeys[:0], sigs: c.sigs[:0],
		embedded: c.embedded[:0], signed: c.signed[:0], xmls: c.xmls[:0], cover: c.cover[:0], memo: c.memo}
	if c.memo == nil {
		c.memo = new(checkMemo)
	}
	c.mime()
	if len(m.parts) == 0 && !c.request {
		return
	}
	method := ""
	if c.request {
		method = string(m.sip.Bytes(m.sip.Method))
	}
	c.register, c.publish = method == "REGISTER", method == "PUBLISH"
	if len(m.parts) == 0 && !c.register && !c.publish {
		return
	}
	if m.depth > 0 {
		if !c.register {
			return
		}
		outer := w.at(m.depth - 1)
		for i := range outer.parts {
			if p := &outer.parts[i]; p.Src == m.src && p.Off == m.base {
				c.body = p.Path
			}
		}
	}
	c.view(from)
	if n, ok := m.sip.Expires(); ok {
		c.expires = int64(n)
	}
	c.bodies()
	switch {
	case c.register:
		c.registers()
	case c.publish:
		c.publishes()
	}
}

// view finds the bodies among the nodes.
func (c *checkRun) view(from int) {
	r, m := c.r, c.m
	if m.depth > 0 {
		if from >= len(r.Nodes) || r.Nodes[from].Field != fSIP {
			return // over the limits of one record
		}
		from++ // into the sip object, which is not closed yet
	}
	k := 0
	for i := from; i < len(r.Nodes); i = max(int(r.Nodes[i].End), i+1) {
		if r.Nodes[i].Field != fBodies {
			continue
		}
		path := c.str(c.child(i, fBodyPath))
		for k < len(m.parts) && m.parts[k].Path != path {
			k++
		}
		if k == len(m.parts) {
			return // the tree was cut at a limit
		}
		c.viewBody(i, &m.parts[k])
	}
}

// infoFields are the fields of info bodies that the checks look for in each, by service.
var infoFields = sync.OnceValue(func() []infoField {
	out := make([]infoField, len(infoServices))
	for i, s := range infoServices {
		out[i] = infoField{s.byName[s.name+"-access-token"].f.f, s.byName[s.name+"-request-uri"].f.f, s.byName["selected-user-profile-index"].f.f}
	}
	return out
})

type infoField struct{ token, uri, profile *record.Field }

func (c *checkRun) viewBody(body int, p *Part) {
	r := c.r
	isSigned := false
	for i := range r.Children(body) {
		f := r.Nodes[i].Field
		switch f {
		case pocSelf:
			v := checkPoC{p: p, node: i, whole: c.readWhole(p)}
			for k := range r.Children(i) {
				if r.Nodes[k].Field == pocEntity {
					v.entities = append(v.entities, k)
				}
			}
			c.pocs = append(c.pocs, v)
		case mikeyBody.self:
			c.mikeys = append(c.mikeys, checkMikey{p, i, c.str(c.child(i, mikeyBody.csbID))})
		case sigList:
			isSigned = true
			s := checkSig{node: i, key: c.str(c.child(i, sigKeyID)), state: c.str(c.child(i, sigState))}
			for k := range r.Children(i) {
				if r.Nodes[k].Field != sigRefs {
					continue
				}
				s.refs = append(s.refs, k)
				if b := c.child(k, sigRefBody); b >= 0 {
					c.addCover(c.str(b))
				}
			}
			c.sigs = append(c.sigs, s)
		case fSIP:
			c.embedded = append(c.embedded, p)
		}
		for k, s := range infoServices {
			if f == s.self {
				of := &infoFields()[k]
				c.infos = append(c.infos, checkInfo{s: s, p: p, node: i, whole: c.readWhole(p), token: c.child(i, of.token),
					client: c.child(i, s.clientID.f.f), uri: c.child(i, of.uri), profile: c.child(i, of.profile)})
			}
		}
	}
	switch {
	case isSigned || strings.HasSuffix(p.Type, "-signed+xml"):
		c.signed = append(c.signed, p)
	case p.Type == "message/sip" || p.Type == "message/sipfrag":
		if !slices.Contains(c.embedded, p) {
			c.embedded = append(c.embedded, p)
		}
	case strings.HasSuffix(p.Type, "+xml") || p.Type == "application/xml" || p.Type == "text/xml":
		c.xmls = append(c.xmls, p)
	}
}

// addCover notes that a signature refers to a body. A few are looked through faster than asked of a map.
func (c *checkRun) addCover(path string) {
	if len(c.cover) < 16 {
		c.cover = append(c.cover, path)
		return
	}
	if c.covers == nil {
		c.covers = map[string]bool{}
	}
	c.covers[path] = true
}

// child is the first child of a node with a field, -1 when there is none.
func (c *checkRun) child(i int, f *record.Field) int {
	for k := range c.r.Children(i) {
		if c.r.Nodes[k].Field == f {
			return k
		}
	}
	return -1
}

// str is the text of a node, "" for -1.
func (c *checkRun) str(i int) string {
	if i < 0 {
		return ""
	}
	return c.r.Nodes[i].Str
}

// at is where a node stands.
func (c *checkRun) at(i int) record.Place {
	if i < 0 {
		return record.Place{}
	}
	n := &c.r.Nodes[i]
	return record.Place{Src: int(n.Src), Off: n.Off, Len: n.Len, Known: n.Flags&record.HasRange != 0}
}

// encrypted tells whether the element at a node is encrypted, however it came out.
func (c *checkRun) encrypted(i int) bool {
	if i < 0 {
		return false
	}
	p := c.r.Protection(&c.r.Nodes[i])
	return p != nil && p.Encrypted
}

// readWhole tells whether a body was read to its end: nothing is missing from what was not.
func (c *checkRun) readWhole(p *Part) bool {
	return c.whole && !c.found(p, "XML-12") && !c.found(p, "limit-xml")
}

// found tells whether the dissector of a body has made a finding already.
func (c *checkRun) found(p *Part, id string) bool {
	for i := c.from; i < len(c.r.Findings); i++ {
		f := &c.r.Findings[i]
		if f.ID != id {
			continue
		}
		if !f.HasRange {
			if f.Body == p.Path {
				return true
			}
			continue
		}
		src, off := int(f.Source), int(f.Off)
		for range len(c.r.Sources) {
			if src == p.Src {
				if off >= p.Off && off <= p.Off+len(p.Data) {
					return true
				}
				break
			}
			if src < 0 || src >= len(c.r.Sources) || c.r.Sources[src].Parent < 0 {
				break
			}
			src, off = c.r.Sources[src].Parent, int(c.r.Sources[src].ParentOff)
		}
	}
	return false
}

// fire makes a finding of a check. Service s, where it is not nil, decides which specification has the clause.
func (c *checkRun) fire(id string, s *infoService, p *Part, f *record.Field, at record.Place, format string, a ...any) {
	c.fireAs(id, record.Error, s, p, f, at, format, a...)
}

// fireAs is fire with another bound for the severity.
func (c *checkRun) fireAs(id string, most record.Severity, s *infoService, p *Part, f *record.Field, at record.Place, format string, a ...any) {
	k := &checkTable[checkIndex[id]]
	words := fmt.Sprintf(format, a...)
	for i := c.from; i < len(c.r.Findings); i++ {
		if o := &c.r.Findings[i]; o.ID == id && o.Message == words && o.Off == at.Off && int(o.Source) == at.Src {
			return
		}
	}
	n := len(c.r.Findings)
	c.Find(id, min(k.Severity, most), clauseOf(k.Clause, s), words, p, f, at)
	if p == nil && len(c.r.Findings) > n {
		c.r.Findings[n].Body = c.body
	}
}

// clauseOf is a clause of TS 24.379 clause 7 in the specification of another service, which has the same numbers.
func clauseOf(clause string, s *infoService) string {
	if s == nil || s == mcpttInfo {
		return clause
	}
	if rest, ok := strings.CutPrefix(clause, "TS 24.379 7"); ok {
		spec, _, _ := strings.Cut(strings.TrimPrefix(s.clause, "TS "), " ")
		return "TS " + spec + " 7" + rest
	}
	return clause
}

// head is where the value of a header field stands, or the start line when it is missing.
func (c *checkRun) head(id sipparse.HeaderID) record.Place {
	if h, ok := c.m.sip.First(id); ok {
		return c.m.place(h.Value)
	}
	return c.m.place(c.m.sip.StartLine)
}

// quoted is octets of the wire, quoted for a sentence.
func quoted(b []byte) string { return fmt.Sprintf("%q", clip(b, 120)) }
