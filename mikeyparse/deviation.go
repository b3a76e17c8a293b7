package mikeyparse

// Kind names a sort of deviation; the strings are stable.
type Kind string

// The deviations Parse can report.
const (
	DevVersion        Kind = "version"         // version is not 1
	DevVSet           Kind = "v-set"           // V set in a SAKKE message
	DevPRF            Kind = "prf"             // PRF is not PRF-HMAC-SHA-256 in a SAKKE message
	DevDataType       Kind = "data-type"       // data type is not registered
	DevMapType        Kind = "map-type"        // CS ID map type is not registered
	DevMapLegacy      Kind = "map-legacy"      // SRTP-ID map in a SAKKE message
	DevMapCount       Kind = "map-count"       // number of sessions and map type contradict each other
	DevSPEmptyMap     Kind = "sp-empty-map"    // security policy beside an empty map
	DevUnknownPayload Kind = "unknown-payload" // payload of unknown layout; the rest is raw
	DevUndecodable    Kind = "undecodable"     // a value hides the length of what follows
	DevInner          Kind = "inner-structure" // lengths inside a payload do not fit
	DevSignNotLast    Kind = "sign-not-last"   // octets follow the signature
	DevSignLength     Kind = "sign-length"     // ECCSI signature is not 129 octets
	DevSignType       Kind = "sign-type"       // signature of a SAKKE message is not ECCSI
	DevTrailing       Kind = "trailing-octets" // octets follow the last payload
	DevKMSRole        Kind = "kms-role"        // ID role 3 instead of 6 and 7
	DevUIDType        Kind = "uid-type"        // hidden identity labelled as something other than a byte string
	DevUIDLength      Kind = "uid-length"      // hidden identity is not 32 octets
	DevIDType         Kind = "id-type"         // identity type is not registered
	DevUIDRole        Kind = "uid-role"        // IDRi or IDRr holds a hashed UID
	DevIDNUL          Kind = "id-nul"          // identity ends in zero octets
	DevIDText         Kind = "id-text"         // identity labelled as text is none
	DevIDRole         Kind = "id-role"         // identity role is not registered
	DevTimeUnixLE     Kind = "time-unix-le"    // time is Unix seconds, little-endian
	DevTimeLow32      Kind = "time-low-32"     // NTP seconds lie in the low 32 bits
	DevTimeType       Kind = "time-type"       // time stamp of a SAKKE message is not NTP
	DevRandShort      Kind = "rand-short"      // RAND has fewer than 16 octets
	DevKeyType        Kind = "key-type"        // purpose tag of the CSB ID is not assigned
	DevCSID           Kind = "cs-id"           // CS ID does not go with the type of the key
	DevMissing        Kind = "missing-payload" // mandatory payload is absent
	DevDuplicate      Kind = "duplicate"       // payload that may occur once occurs again
	DevSEDLength      Kind = "sed-length"      // SAKKE data is not 273 octets
	DevSEDPoint       Kind = "sed-point"       // SAKKE data does not start with 04
	DevSAKKEParams    Kind = "sakke-params"    // SAKKE parameter set is not 1
	DevIDScheme       Kind = "id-scheme"       // SAKKE ID scheme is not the MCX hashed UID
	DevReserved       Kind = "reserved-bits"   // reserved bits are not zero
	DevKeyParamsPlain Kind = "keyparams-plain" // key parameters are not protected
	DevDPPKID         Kind = "dppk-id"         // DPPK-ID differs from the CSB ID
	DevSigAlgOctet    Kind = "sig-alg-octet"   // protected payload has a signalling-algorithm octet
	DevKeyDataOutside Kind = "subpayload"      // sub-payload outside the payload it belongs to
)

// A Deviation is a place where a message departs from its specification and
// could be read nevertheless.
type Deviation struct {
	Kind     Kind
	Off, End int    // the octets concerned; Off == End for something absent
	Field    string // as told to the Tracer
	Spec     string // the clause that says otherwise
	Text     string
}

func (d Deviation) String() string { return string(d.Kind) + ": " + d.Text + " (" + d.Spec + ")" }
