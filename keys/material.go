package keys

import (
	"net/netip"
	"time"

	"github.com/mcxdump/mcxdump/internal/esp"
	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

// Origin says where a key came from, for the record: a file and line, an option, or a frame of the capture.
type Origin struct {
	Name string // file name, "--csk", "capture"
	Line int    // 1-based; 0 for none
}

// A Key is one key with its identifier: CSK, SPK, PCK, MuSiK, GMK and the legacy kinds, told apart by Type.
type Key struct {
	Type   Type
	ID     uint32 // of a GMK the GMK-ID
	Key    Secret // 16 or 32 octets
	URI    string // CSK, SPK, PCK, MuSiK: the MC service user ID (P0 of TS 33.180 F.1.4); GMK: the group; "" when not given
	Origin Origin
}

// A KMS is a KMS certificate: what is public about a security domain (TS 33.180 D.3.2.2).
type KMS struct {
	URI          string
	Period       uint64           // UserKeyPeriod, seconds
	Offset       uint64           // UserKeyOffset, seconds
	UserIDFormat string           // "2" is the UID of F.2.1
	ParameterSet int              // 1 of RFC 6509; 0 when not given
	Z            *sakke.PublicKey // nil when not given
	KPAK         *eccsi.PublicKey // nil when not given
	CertURI      string
	Issuer       string
	Role         string // Root, External
	ValidFrom    time.Time
	ValidTo      time.Time
	Revoked      bool
	Domains      []string
	Origin       Origin
}

// A UserKey is what a KMS provisions for one identity and one key period (TS 33.180 D.3.3.2). Any of the three keys may
// be missing.
type UserKey struct {
	URI    string // the identity; some products leave the scheme out
	KMS    string
	Period uint64 // number of the key period
	UID    []byte // 32 octets as the KMS gave them; nil when absent or of another length
	RSK    *sakke.UserKey
	SSK    Secret // 32 octets
	PVT    []byte // 65 octets
	From   time.Time
	To     time.Time
	Origin Origin
}

// A Master is a lab KMS's master secrets, from which every user key can be derived.
type Master struct {
	KMS          KMS
	UserIDFormat string
	SAKKE        *sakke.MasterSecret
	ECCSI        *eccsi.MasterSecret
	Origin       Origin
}

// A Named key is a transport key (TrK) or an integrity key (InK) of the KMS interface.
type Named struct {
	Name   string
	Key    Secret
	Origin Origin
}

// An ESPKey opens one IPsec security association, or all that a wildcard covers.
type ESPKey struct {
	SPI     uint32
	AnySPI  bool   // "*"
	Dst     string // an address, a prefix, or "*"
	EncAlg  string // "" is null
	EncKey  Secret // with its salt, where the algorithm has one
	AuthAlg string // "" when it is not known
	AuthKey Secret
	Origin  Origin
}

// SA is the key as decode/flow takes it. The names of algorithms and the lengths of keys are checked.
func (e *ESPKey) SA() (esp.SA, error) {
	sa, err := esp.New(e.EncAlg, e.EncKey.Reveal(), e.AuthAlg, e.AuthKey.Reveal())
	if err != nil {
		return sa, err
	}
	sa.SPI, sa.AnySPI = e.SPI, e.AnySPI
	if a, err := netip.ParseAddr(e.Dst); err == nil {
		sa.Dst = netip.PrefixFrom(a, a.BitLen())
	} else if p, err := netip.ParsePrefix(e.Dst); err == nil {
		sa.Dst = p
	}
	return sa, nil
}

// spi is the SPI as it is written.
func (e *ESPKey) spi() string {
	if e.AnySPI {
		return "*"
	}
	return FormatID(e.SPI)
}

// SAs are the ESP keys as decode/flow takes them.
func (m *Material) SAs() (out []esp.SA) {
	for i := range m.ESP {
		if sa, err := m.ESP[i].SA(); err == nil { // it was checked when it was read
			out = append(out, sa)
		}
	}
	return out
}

// ForRing reports whether there is anything that a [Ring] has use for: keys of what lies above the transport.
func (m *Material) ForRing() bool {
	return len(m.Keys)+len(m.MCIDs)+len(m.KMSs)+len(m.UserKeys)+len(m.Masters)+len(m.Transport)+len(m.Integrity) > 0
}

// Material is everything that key files and options hold.
type Material struct {
	Keys      []Key
	MCIDs     []string // MC service IDs to try as P0 and against hidden identities
	KMSs      []KMS
	UserKeys  []UserKey
	Masters   []Master
	Transport []Named // TrK
	Integrity []Named // InK
	ESP       []ESPKey
	TLS       []TLSSecret
	Verdicts  []Verdict // what was verified while loading: InK signatures, RSK against Z, SSK and PVT against KPAK
	Logs      []string  // files of key log lines, which may grow
	Warnings  []string  // a file readable by others, a wrapped key without its TrK ...
}

// A TLSSecret is one line of a TLS key log (NSS format), or a private key of a PEM file. In a line with the label RSA the first
// 8 octets of ClientRandom are those of the encrypted premaster secret, which is its name.
type TLSSecret struct {
	Label        string
	ClientRandom [32]byte
	Secret       Secret
}

// A Verdict is the outcome of one verification of key material.
type Verdict struct {
	What   string // "signature of SignedKmsResponse by ink.12", "RSK of sip:alice@example.org, period 1509, against Z of kms.example.org"
	OK     bool
	Reason string // why not, or which variant matched; "" otherwise
	Origin Origin
}
