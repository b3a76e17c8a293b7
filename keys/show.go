package keys

import (
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Item is one row of what [Material.Describe] shows. It never holds a secret.
type Item struct {
	Kind      string    `json:"kind"`                  // "CSK", "KMS", "user keys", "TLS" ...
	Name      string    `json:"name,omitempty"`        // identifier, name, SPI or label
	URI       string    `json:"uri,omitempty"`         // identity; of a KMS its URI
	KMS       string    `json:"kms,omitempty"`         // KMS URI of user keys
	Period    string    `json:"period,omitempty"`      // number of the key period; of a KMS the length in seconds and the offset
	From      time.Time `json:"from,omitzero"`         // when the key period begins
	To        time.Time `json:"to,omitzero"`           // and ends
	ValidFrom time.Time `json:"valid_from,omitzero"`   // validity that the KMS stated
	ValidTo   time.Time `json:"valid_to,omitzero"`     //
	Detail    string    `json:"detail,omitempty"`      // which keys there are, lengths
	Print     string    `json:"fingerprint,omitempty"` // tells two keys apart, gives neither away
	Origin    string    `json:"origin,omitempty"`      // file and line
}

func octetsWord(s Secret) string { return strconv.Itoa(s.Len()) + " octets" }

// Describe lists the material for the user, in the order in which it is tried.
func (m *Material) Describe() []Item {
	var out []Item
	certs := m.certificates(nil)
	for _, k := range m.Keys {
		out = append(out, Item{Kind: k.Type.String(), Name: FormatID(k.ID), URI: k.URI, Detail: octetsWord(k.Key),
			Print: k.Key.Fingerprint(), Origin: k.Origin.String()})
	}
	for i := range m.KMSs {
		out = append(out, m.KMSs[i].describe("KMS"))
	}
	for i := range m.Masters {
		s := &m.Masters[i]
		it := s.KMS.describe("KMS master secrets")
		var has []string
		if s.SAKKE != nil {
			has = append(has, "SAKKE")
		}
		if s.ECCSI != nil {
			has = append(has, "ECCSI")
		}
		it.Detail = strings.Join(has, ", ")
		out = append(out, it)
	}
	for i := range m.UserKeys {
		u := &m.UserKeys[i]
		it := Item{Kind: "user keys", URI: u.URI, KMS: u.KMS, Period: strconv.FormatUint(u.Period, 10), ValidFrom: u.From, ValidTo: u.To,
			Origin: u.Origin.String()}
		for _, k := range certs.of(u.KMS) {
			if from, to, ok := k.periodTimes(u.Period); ok {
				it.From, it.To = from, to
				break
			}
		}
		var has []string
		for _, p := range []struct {
			name string
			has  bool
		}{{"RSK", u.RSK != nil}, {"SSK", u.SSK.Len() > 0}, {"PVT", u.PVT != nil}, {"UserID", u.UID != nil}} {
			if p.has {
				has = append(has, p.name)
			}
		}
		it.Detail = strings.Join(has, ", ")
		out = append(out, it)
	}
	for _, list := range []struct {
		kind string
		keys []Named
	}{{"TrK", m.Transport}, {"InK", m.Integrity}} {
		for _, n := range list.keys {
			out = append(out, Item{Kind: list.kind, Name: n.Name, Detail: octetsWord(n.Key), Print: n.Key.Fingerprint(), Origin: n.Origin.String()})
		}
	}
	for _, id := range m.MCIDs {
		out = append(out, Item{Kind: "MCID", URI: id})
	}
	for _, e := range m.ESP {
		var has []string
		for _, p := range []struct {
			alg string
			key Secret
		}{{e.EncAlg, e.EncKey}, {e.AuthAlg, e.AuthKey}} {
			s := dash(p.alg)
			if p.key.Len() > 0 {
				s += " (" + octetsWord(p.key) + ")"
			}
			has = append(has, s)
		}
		out = append(out, Item{Kind: "ESP", Name: e.spi(), URI: e.Dst, Detail: strings.Join(has, ", "), Origin: e.Origin.String()})
	}
	for _, t := range m.TLS {
		it := Item{Kind: "TLS", Name: t.Label, Detail: octetsWord(t.Secret), Print: t.Secret.Fingerprint()}
		if !t.IsPrivateKey() {
			it.Detail += ", client random " + hex.EncodeToString(t.ClientRandom[:4]) + "…"
		}
		out = append(out, it)
	}
	return out
}

func (k *KMS) describe(kind string) Item {
	it := Item{Kind: kind, Name: k.Role, URI: k.URI, ValidFrom: k.ValidFrom, ValidTo: k.ValidTo, Origin: k.Origin.String()}
	if k.Period != 0 {
		it.Period = fmt.Sprintf("%d s, offset %d s", k.Period, k.Offset)
	}
	var has []string
	if k.Z != nil {
		has = append(has, "Z")
	}
	if k.KPAK != nil {
		has = append(has, "KPAK")
	}
	if k.Revoked {
		has = append(has, "revoked")
	}
	it.Detail = strings.Join(has, ", ")
	return it
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// AppendKeyLog writes the material as an MCX key log, secrets included, for --show-secrets only. Reading it gives the same
// keys; of KMS certificates and key sets, what the key log has no place for is left out, with validity times as comments.
func (m *Material) AppendKeyLog(dst []byte) []byte {
	line := func(words ...string) {
		for i, w := range words {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = append(dst, word(w)...)
		}
		dst = append(dst, '\n')
	}
	h := hex.EncodeToString
	num := func(v uint64) string { return strconv.FormatUint(v, 10) }
	valid := func(from, to time.Time) {
		if d := dates(from, to); d != "" {
			dst = append(dst, "# valid "+d+"\n"...)
		}
	}
	period := func(k *KMS) (string, string) {
		if k.Period == 0 {
			return "-", "-"
		}
		return num(k.Period), num(k.Offset)
	}
	for i := range m.KMSs {
		k := &m.KMSs[i]
		p, off := period(k)
		z, kpak := "-", "-"
		if k.Z != nil {
			z = h(k.Z.Bytes())
		}
		if k.KPAK != nil {
			kpak = h(k.KPAK.Bytes())
		}
		valid(k.ValidFrom, k.ValidTo)
		line("KMS", k.URI, p, off, z, kpak)
	}
	for i := range m.Masters {
		s := &m.Masters[i]
		p, off := period(&s.KMS)
		z, ksak := "-", "-"
		if s.SAKKE != nil {
			z = h(s.SAKKE.Reveal())
		}
		if s.ECCSI != nil {
			ksak = h(s.ECCSI.Reveal())
		}
		line("Master", s.KMS.URI, p, off, z, ksak)
	}
	for i := range m.UserKeys {
		u := &m.UserKeys[i]
		valid(u.From, u.To)
		for _, k := range []struct {
			word   string
			octets func() []byte
			has    bool
		}{
			{"RSK", func() []byte { return u.RSK.Reveal() }, u.RSK != nil},
			{"SSK", u.SSK.Reveal, u.SSK.Len() > 0},
			{"PVT", func() []byte { return u.PVT }, u.PVT != nil},
		} {
			if !k.has {
				continue
			}
			words := []string{k.word, u.URI, u.KMS, num(u.Period), h(k.octets())}
			if u.UID != nil {
				words = append(words, h(u.UID))
			}
			line(words...)
		}
	}
	for _, k := range m.Keys {
		if int(k.Type) >= len(typeNames) {
			dst = append(dst, fmt.Sprintf("# %s %s: there is no keyword for this type\n", k.Type, FormatID(k.ID))...)
			continue
		}
		words := []string{k.Type.String(), FormatID(k.ID), h(k.Key.Reveal())}
		if k.URI != "" {
			words = append(words, k.URI)
		}
		line(words...)
	}
	for _, n := range m.Transport {
		line("TrK", n.Name, h(n.Key.Reveal()))
	}
	for _, n := range m.Integrity {
		line("InK", n.Name, h(n.Key.Reveal()))
	}
	for _, id := range m.MCIDs {
		line("MCID", id)
	}
	for _, e := range m.ESP {
		line("ESP", e.spi(), e.Dst, dash(e.EncAlg), dash(h(e.EncKey.Reveal())), dash(e.AuthAlg), dash(h(e.AuthKey.Reveal())))
	}
	for _, t := range m.TLS {
		if t.IsPrivateKey() {
			dst = append(dst, pem.EncodeToMemory(&pem.Block{Type: t.Label, Bytes: t.Secret.Reveal()})...)
			continue
		}
		line(t.Label, t.id(), h(t.Secret.Reveal()))
	}
	return dst
}

// word makes a word of text that came from elsewhere, such as an identity that a message made known.
func word(s string) string {
	if _, err := parseWord("word", s); err == nil {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || r == 0xfffd {
			return '_'
		}
		return r
	}, s)
	if s == "" || s[0] == '#' {
		s = "_" + s
	}
	return s
}
