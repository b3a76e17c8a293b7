package session

import (
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// A Mechanism is one element of Security-Client, Security-Server or Security-Verify (RFC 3329 2.2, TS 33.203 annex H).
type Mechanism struct {
	Header string // as it is named, in full
	Name   string // ipsec-3gpp, tls ...
	Alg    string // integrity
	EAlg   string // encryption; "null" when it is left out
	Prot   string // esp or ah; "esp" when it is left out
	Mod    string // trans, tun or UDP-enc-tun; "trans" when it is left out
	Q      float64
	End    IPsecEnd
}

// An IPsecEnd is what one side receives with: SPIs and ports of its client and its server.
type IPsecEnd struct {
	SPIC  uint32 `json:"spi_c"`
	SPIS  uint32 `json:"spi_s"`
	PortC uint16 `json:"port_c"`
	PortS uint16 `json:"port_s"`
}

// An IPsec is the security agreement of a registration (TS 33.203 7.2): what the UE offered in Security-Client and what the
// P-CSCF chose in Security-Server.
type IPsec struct {
	Agreed          bool // the P-CSCF has answered
	Frame           uint64
	Mech, Alg, EAlg string
	Prot, Mod       string
	UE, Server      IPsecEnd
	Messages        int // of the session that came in ESP with one of the SPIs
	OtherSPI        int // that came in ESP with another one

	callID string
	offer  []Mechanism
}

// maxIPsec bounds the agreements kept of one user: one for each device, the latest.
const maxIPsec = 8

// mechanism reads one element.
func (rd *reader) mechanism(i int, d *Details) {
	if len(d.Security) >= maxList {
		return
	}
	m := Mechanism{EAlg: "null", Prot: "esp", Mod: "trans"}
	rd.kids(i, func(j int, c code, n *record.Node) {
		switch c {
		case cSecHeader:
			m.Header = intern(clipText(n.Str, 32))
		case cSecMech:
			m.Name = intern(strings.ToLower(clipText(n.Str, 32)))
		case cSecParams:
			rd.kids(j, func(_ int, _ code, n *record.Node) { m.param(strings.ToLower(n.Key), clipText(n.Str, 32)) })
		}
	})
	d.Security = append(d.Security, m)
}

func (m *Mechanism) param(name, value string) {
	number := func(bits int) uint64 {
		n, err := strconv.ParseUint(value, 10, bits)
		if err != nil {
			return 0
		}
		return n
	}
	switch name {
	case "q":
		if q, err := strconv.ParseFloat(value, 64); err == nil && q >= 0 && q <= 1 {
			m.Q = q
		}
	case "alg":
		m.Alg = intern(value)
	case "ealg":
		m.EAlg = intern(value)
	case "prot":
		m.Prot = intern(value)
	case "mod", "mode":
		m.Mod = intern(value)
	case "spi-c":
		m.End.SPIC = uint32(number(32))
	case "spi-s":
		m.End.SPIS = uint32(number(32))
	case "port-c":
		m.End.PortC = uint16(number(16))
	case "port-s":
		m.End.PortS = uint16(number(16))
	}
}

// security takes an offer out of a REGISTER, or the answer out of a 401 or 494 to one, and gives it to the sessions of the
// registration.
func (t *Tracker) security(e *Event) {
	m := &e.Message
	if len(m.Security) == 0 || m.Method != "REGISTER" {
		return
	}
	header := "Security-Client"
	if !m.Request {
		header = "Security-Server"
	}
	var of []Mechanism
	for _, x := range m.Security {
		if strings.EqualFold(x.Header, header) && strings.HasPrefix(x.Name, "ipsec-") {
			of = append(of, x)
		}
	}
	if len(of) == 0 {
		return
	}
	u := t.user(m.To.URI, m.CallID)
	var a *IPsec
	for i, x := range u.ipsec {
		if x.callID == m.CallID {
			a = x
			if !m.Request || !x.Agreed {
				break
			}
			// A new offer for the same registration: the associations until now stay in use until it is answered.
			next := *x
			next.offer = of
			u.ipsec[i] = &next
			t.attachIPsec(u, &next)
			return
		}
	}
	if a == nil {
		a = &IPsec{callID: m.CallID}
		if len(u.ipsec) >= maxIPsec {
			u.ipsec = append(u.ipsec[:0], u.ipsec[1:]...)
		}
		u.ipsec = append(u.ipsec, a)
	}
	if m.Request {
		a.offer = of
		a.take(of[0], e.frame())
		a.UE = of[0].End
	} else {
		// The UE takes the first mechanism of the highest preference that it offered itself (RFC 3329 2.3.1).
		best := -1
		for i := range of {
			if best >= 0 && of[i].Q <= of[best].Q || len(a.offer) > 0 && a.offered(&of[i]) == nil {
				continue
			}
			best = i
		}
		best = max(best, 0)
		a.take(of[best], e.frame())
		a.Agreed, a.Server, a.Messages, a.OtherSPI = true, of[best].End, 0, 0
		if o := a.offered(&of[best]); o != nil {
			a.UE = o.End
		}
	}
	t.attachIPsec(u, a)
}

func (a *IPsec) take(m Mechanism, frame uint64) {
	a.Frame, a.Mech, a.Alg, a.EAlg, a.Prot, a.Mod = frame, m.Name, m.Alg, m.EAlg, m.Prot, m.Mod
}

// offered finds the offer that has the algorithms of an answer.
func (a *IPsec) offered(m *Mechanism) *Mechanism {
	for i := range a.offer {
		if o := &a.offer[i]; o.Name == m.Name && strings.EqualFold(o.Alg, m.Alg) && strings.EqualFold(o.EAlg, m.EAlg) {
			return o
		}
	}
	return nil
}

// attachIPsec shows an agreement in the sessions of its registration.
func (t *Tracker) attachIPsec(u *user, a *IPsec) {
	for _, s := range u.sessions {
		if s.IPsec == nil || s.IPsec.callID == a.callID {
			s.IPsec = a
		}
	}
}

// ipsecOf is the agreement of a registration of the user, the latest when none has the Call-ID.
func (u *user) ipsecOf(callID string) *IPsec {
	for _, a := range u.ipsec {
		if a.callID == callID {
			return a
		}
	}
	if n := len(u.ipsec); n > 0 {
		return u.ipsec[n-1]
	}
	return nil
}

// count notes with which SPI a message came.
func (a *IPsec) count(e *Event) {
	if a == nil || !e.ESP {
		return
	}
	switch e.SPI {
	case a.UE.SPIC, a.UE.SPIS, a.Server.SPIC, a.Server.SPIS:
		a.Messages++
	default:
		a.OtherSPI++
	}
}

// jsonIPsec is the agreement: SPIs and ports of the P-CSCF beside the algorithms, those of the UE below.
type jsonIPsec struct {
	Agreed bool   `json:"agreed"`
	Frame  uint64 `json:"frame,omitempty"`
	Mech   string `json:"mech"`
	Alg    string `json:"alg,omitempty"`
	EAlg   string `json:"ealg"`
	Prot   string `json:"prot"`
	Mod    string `json:"mod"`
	*IPsecEnd
	UE       IPsecEnd `json:"ue"`
	Messages int      `json:"messages,omitempty"`
	OtherSPI int      `json:"other_spi,omitempty"`
}

func (a *IPsec) json() *jsonIPsec {
	if a == nil {
		return nil
	}
	j := &jsonIPsec{Agreed: a.Agreed, Frame: a.Frame, Mech: a.Mech, Alg: a.Alg, EAlg: a.EAlg, Prot: a.Prot, Mod: a.Mod, UE: a.UE, Messages: a.Messages, OtherSPI: a.OtherSPI}
	if a.Agreed {
		j.IPsecEnd = &a.Server
	}
	return j
}
