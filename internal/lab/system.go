package lab

import (
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

// Options describe a System. The zero value has fresh secrets, three users and one KMS, and hides identities.
type Options struct {
	Seed    uint64 // the same seed gives the same octets; 0 draws fresh secrets
	Users   int    // default 3
	Domains int    // security domains, each with its KMS (TS 33.180 5.3.1); default 1
	Plain   bool   // identities in the clear (IDR roles 1 and 2) instead of hidden (8 and 9, TS 33.180 E.7)
	Reuse   bool   // one CSK for a user and service, instead of a fresh one for every request that carries one
	TCP     bool   // SIP between clients and core over TCP instead of UDP
}

// MaxUsers bounds Options.Users: every user has an address of its own, and an RSK is extracted for each identity.
const MaxUsers = 100_000

// MaxDomains bounds Options.Domains.
const MaxDomains = 16

// A System is a small world of mission critical services with its own cryptography: key management servers, users and
// the servers of three services.
type System struct {
	Options
	Domains []*Domain
	Users   []*User

	stray  *Domain // a KMS whose secrets are never handed out
	rng    *rand.Rand
	random io.Reader
	log    []LogKey
	held   map[string]CSK       // Options.Reuse
	wraps  map[string][2][]byte // transport and integrity key by identity
}

// A Domain is a security domain: one KMS (TS 33.180 5.3.1).
type Domain struct {
	KMS            string // its URI
	Period, Offset uint64 // UserKeyPeriod and UserKeyOffset in seconds
	SAKKE          *sakke.MasterSecret
	ECCSI          *eccsi.MasterSecret
	Z              *sakke.PublicKey
	KPAK           *eccsi.PublicKey

	random io.Reader
	ssk    map[string]*eccsi.UserKey
}

// A User is a human with one client a service on one UE.
type User struct {
	Name   string
	IMPU   string
	UE     netip.AddrPort
	Domain *Domain
	IDs    map[string]string // MC service ID by service
	Client map[string]string // client ID by service
}

// A Service is one of the three, as clause 7 of its specification names things.
type Service struct {
	Name     string // mcptt, mcvideo, mcdata: the prefix of its elements
	Clause   string // the specification
	ICSI     string // service identifier, unescaped
	Ref      string // the same in g.3gpp.icsi-ref
	Tag      string // feature tag
	InfoType string // media type of its info body
	NS       string // name space of the info body
	SignType string
	SignNS   string
	Scope    string // of the access token (TS 33.180 B.4.2.2)
	Claim    string // claim with the MC service ID
	MDSI     string // MC domain security identifier: who receives CSKs
	PSI      string // public service identity of the participating function
	CS       uint8  // crypto session of a CSK (TS 33.180 table E.1.3-1)
}

// Services are MCPTT, MCVideo and MCData.
var Services = []*Service{
	newService("mcptt", "TS 24.379", "mcptt", "g.3gpp.mcptt", "ptt", 6),
	newService("mcvideo", "TS 24.281", "mcvideo", "g.3gpp.mcvideo", "video", 8),
	newService("mcdata", "TS 24.282", "mcdata.sds", "g.3gpp.mcdata.sds", "data", 6),
}

func newService(name, clause, icsi, tag, scope string, cs uint8) *Service {
	return &Service{
		Name: name, Clause: clause, ICSI: "urn:urn-7:3gpp-service.ims.icsi." + icsi, Ref: "urn%3Aurn-7%3A3gpp-service.ims.icsi." + icsi, Tag: tag,
		InfoType: "application/vnd.3gpp." + name + "-info+xml", NS: "urn:3gpp:ns:" + name + "Info:1.0",
		SignType: "application/vnd.3gpp." + name + "-signed+xml", SignNS: "urn:3gpp:ns:" + name + "SignedDoc:1.0",
		Scope: "3gpp:mc:" + scope + "_service", Claim: name + "_id", CS: cs,
		MDSI: name + ".mc.example.org", PSI: "sip:" + name + "-part@mc.example.org",
	}
}

// The group and its management server.
const (
	gmsURI   = "sip:gms@mc.example.org"
	groupURI = "sip:rescue@mc.example.org"
	coreURI  = "sip:ims.example.org"
)

// A LogKey is a key that the system handed out, for its key log.
type LogKey struct {
	Type keys.Type
	ID   uint32
	Key  []byte
	URI  string
}

// A Party is one end of an I_MESSAGE.
type Party struct {
	URI    string
	Domain *Domain
}

// NewSystem builds the world of the options. Drawing the secrets of a domain costs milliseconds.
func NewSystem(o Options) (*System, error) {
	if o.Users == 0 {
		o.Users = 3
	}
	if o.Domains == 0 {
		o.Domains = 1
	}
	if o.Users < 0 || o.Users > MaxUsers || o.Domains < 0 || o.Domains > MaxDomains {
		return nil, fmt.Errorf("lab: %d users in %d domains; at most %d in %d", o.Users, o.Domains, MaxUsers, MaxDomains)
	}
	src, err := source(o.Seed)
	if err != nil {
		return nil, err
	}
	s := &System{Options: o, rng: rand.New(src), random: src, held: map[string]CSK{}, wraps: map[string][2][]byte{}}
	for i := range o.Domains {
		d, err := newDomain(src, i)
		if err != nil {
			return nil, err
		}
		s.Domains = append(s.Domains, d)
	}
	if s.stray, err = newDomain(src, 99); err != nil {
		return nil, err
	}
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank"}
	for i := range o.Users {
		name := fmt.Sprintf("user%d", i+1)
		if i < len(names) {
			name = names[i]
		}
		u := &User{Name: name, IMPU: fmt.Sprintf("sip:+49151%07d@ims.example.org", i+1), Domain: s.Domains[i%o.Domains],
			UE: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(45 + i>>16), byte(i >> 8), byte(i)}), 5060), IDs: map[string]string{}, Client: map[string]string{}}
		for _, v := range Services {
			u.IDs[v.Name] = "sip:" + name + "@" + v.MDSI
			u.Client[v.Name] = s.uuid()
		}
		s.Users = append(s.Users, u)
	}
	return s, nil
}

// source is where all numbers of a system come from: ChaCha8, keyed by the seed or by the machine.
func source(seed uint64) (*rand.ChaCha8, error) {
	var key [32]byte
	if seed == 0 {
		if _, err := crand.Read(key[:]); err != nil {
			return nil, err
		}
	} else {
		copy(key[:], "mcxdump lab")
		binary.BigEndian.PutUint64(key[24:], seed)
	}
	return rand.NewChaCha8(key), nil
}

func newDomain(random io.Reader, i int) (*Domain, error) {
	d := &Domain{KMS: "kms.example.org", Period: 2592000, random: random, ssk: map[string]*eccsi.UserKey{}}
	if i > 0 {
		d.KMS, d.Period, d.Offset = fmt.Sprintf("kms%d.example.net", i), 604800, 86400
	}
	var err error
	if d.SAKKE, err = sakke.GenerateMasterSecret(random); err != nil {
		return nil, err
	}
	if d.ECCSI, err = eccsi.GenerateMasterSecret(random); err != nil {
		return nil, err
	}
	d.Z, d.KPAK = d.SAKKE.Public(), d.ECCSI.Public()
	return d, nil
}

// uid is the identifier of a URI at a moment, TS 33.180 F.2.1.
func (d *Domain) uid(uri string, at time.Time) [32]byte {
	return keys.UID(uri, d.KMS, d.Period, d.Offset, keys.PeriodOf(at, d.Period, d.Offset))
}

// signing is the SSK and PVT of an identifier, drawn once.
func (d *Domain) signing(id []byte) (*eccsi.UserKey, error) {
	if k := d.ssk[string(id)]; k != nil {
		return k, nil
	}
	k, err := d.ECCSI.Extract(d.random, id)
	if err == nil {
		d.ssk[string(id)] = k
	}
	return k, err
}

func (s *System) octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return b
}

func (s *System) uuid() string {
	b := s.octets(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// keyID draws an identifier with the purpose tag of a type, TS 33.180 5.2.2.
func (s *System) keyID(t keys.Type) uint32 { return uint32(t)<<28 | s.rng.Uint32()&0x0fffffff }

func (u *User) party(v *Service) Party { return Party{u.IDs[v.Name], u.Domain} }

// server is the receiver of CSKs; servers belong to the first domain.
func (s *System) server(v *Service) Party { return Party{v.MDSI, s.Domains[0]} }

// identities lists everybody whom a KMS provisions, by domain.
func (s *System) identities() []Party {
	out := []Party{{gmsURI, s.Domains[0]}}
	for _, v := range Services {
		out = append(out, s.server(v))
	}
	for _, u := range s.Users {
		for _, v := range Services {
			out = append(out, u.party(v))
		}
	}
	return out
}

// Keys lists the keys handed out so far, each once.
func (s *System) Keys() []LogKey { return slices.Clone(s.log) }
