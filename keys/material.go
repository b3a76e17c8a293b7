package keys

import (
	"time"

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

// An ESPKey opens one IPsec security association.
type ESPKey struct {
	SPI     uint32
	Dst     string
	EncAlg  string
	EncKey  Secret
	AuthAlg string
	AuthKey Secret
	Origin  Origin
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
	Warnings  []string  // a file readable by others, a wrapped key without its TrK ...
}

// A TLSSecret is one line of a TLS key log (NSS format).
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
