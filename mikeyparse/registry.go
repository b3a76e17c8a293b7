package mikeyparse

import "strconv"

// enumName gives the registered name, or Type(number) for one that is not in
// the table: the number is never lost.
func enumName(kind string, v uint8, names []string) string {
	if int(v) < len(names) && names[v] != "" {
		return names[v]
	}
	return kind + "(" + strconv.Itoa(int(v)) + ")"
}

// DataType says what kind of MIKEY message this is (RFC 3830 6.1, table 6.1.a).
type DataType uint8

// The registered data types.
const (
	DataPreShared      DataType = 0  // RFC 3830 6.1
	DataPreSharedVer   DataType = 1  // RFC 3830 6.1
	DataPublicKey      DataType = 2  // RFC 3830 6.1
	DataPublicKeyVer   DataType = 3  // RFC 3830 6.1
	DataDHInit         DataType = 4  // RFC 3830 6.1
	DataDHResp         DataType = 5  // RFC 3830 6.1
	DataError          DataType = 6  // RFC 3830 6.1
	DataDHHMACInit     DataType = 7  // RFC 4650
	DataDHHMACResp     DataType = 8  // RFC 4650
	DataRSARInit       DataType = 9  // RFC 4738 6
	DataRSARResp       DataType = 10 // RFC 4738 6
	DataRequestInitPSK DataType = 11 // RFC 6043 6.1
	DataRequestInitPK  DataType = 12 // RFC 6043 6.1
	DataRequestResp    DataType = 13 // RFC 6043 6.1
	DataTransferInit   DataType = 14 // RFC 6043 6.1
	DataTransferResp   DataType = 15 // RFC 6043 6.1
	DataResolveInitPSK DataType = 16 // RFC 6043 6.1
	DataResolveInitPK  DataType = 17 // RFC 6043 6.1
	DataResolveResp    DataType = 18 // RFC 6043 6.1
	DataRequestKeyPSK  DataType = 19 // RFC 6267 table 2
	DataRequestKeyPKE  DataType = 20 // RFC 6267 table 2
	DataRequestKeyResp DataType = 21 // RFC 6267 table 2
	DataIBAKEI1        DataType = 22 // RFC 6267 table 2
	DataIBAKER1        DataType = 23 // RFC 6267 table 2
	DataIBAKEI2        DataType = 24 // RFC 6267 table 2
	DataIBAKER2        DataType = 25 // RFC 6267 table 2
	DataSAKKE          DataType = 26 // RFC 6509 table 1
)

var dataTypeNames = []string{
	"Pre-shared key", "PSK verification", "Public key", "PK verification",
	"DH init", "DH response", "Error", "DHHMAC init", "DHHMAC response",
	"RSA-R I_MSG", "RSA-R R_MSG", "REQUEST_INIT_PSK", "REQUEST_INIT_PK",
	"REQUEST_RESP", "TRANSFER_INIT", "TRANSFER_RESP", "RESOLVE_INIT_PSK",
	"RESOLVE_INIT_PK", "RESOLVE_RESP", "REQUEST_KEY_PSK", "REQUEST_KEY_PKE",
	"REQUEST_KEY_RESP", "I_MESSAGE_1", "R_MESSAGE_1", "I_MESSAGE_2",
	"R_MESSAGE_2", "SAKKE I_MESSAGE",
}

func (v DataType) String() string { return enumName("DataType", uint8(v), dataTypeNames) }

// PayloadType is the value of a next-payload octet (RFC 3830 6.1, table 6.1.b).
type PayloadType uint8

// The registered payload types.
const (
	TypeLast    PayloadType = 0  // RFC 3830 6.1
	TypeKEMAC   PayloadType = 1  // RFC 3830 6.2
	TypePKE     PayloadType = 2  // RFC 3830 6.3
	TypeDH      PayloadType = 3  // RFC 3830 6.4
	TypeSIGN    PayloadType = 4  // RFC 3830 6.5
	TypeT       PayloadType = 5  // RFC 3830 6.6
	TypeID      PayloadType = 6  // RFC 3830 6.7
	TypeCERT    PayloadType = 7  // RFC 3830 6.7
	TypeCHASH   PayloadType = 8  // RFC 3830 6.8
	TypeV       PayloadType = 9  // RFC 3830 6.9
	TypeSP      PayloadType = 10 // RFC 3830 6.10
	TypeRAND    PayloadType = 11 // RFC 3830 6.11
	TypeERR     PayloadType = 12 // RFC 3830 6.12
	TypeTR      PayloadType = 13 // RFC 6043 6.4
	TypeIDR     PayloadType = 14 // RFC 6043 6.6
	TypeRANDR   PayloadType = 15 // RFC 6043 6.8
	TypeTP      PayloadType = 16 // RFC 6043 6.10
	TypeTICKET  PayloadType = 17 // RFC 6043 6.10
	TypeKeyData PayloadType = 20 // RFC 3830 6.13
	TypeGenExt  PayloadType = 21 // RFC 3830 6.15
	TypeIBAKE   PayloadType = 22 // RFC 6267 6.1.1
	TypeESK     PayloadType = 23 // RFC 6267 6.1.2
	TypeSK      PayloadType = 24 // RFC 6267 table 3
	TypeECCPT   PayloadType = 25 // RFC 6267 table 3
	TypeSAKKE   PayloadType = 26 // RFC 6509 4.2
)

var payloadTypeNames = []string{
	"Last", "KEMAC", "PKE", "DH", "SIGN", "T", "ID", "CERT", "CHASH", "V", "SP",
	"RAND", "ERR", "TR", "IDR", "RANDR", "TP", "TICKET", "", "", "Key data",
	"General Ext", "IBAKE", "ESK", "SK", "ECCPT", "SAKKE",
}

func (v PayloadType) String() string { return enumName("PayloadType", uint8(v), payloadTypeNames) }

// PRF names the pseudo-random function of key derivation (RFC 3830 6.1, RFC
// 6043 6.1). Only 7 bits are carried.
type PRF uint8

// The registered functions.
const (
	PRFMIKEY1     PRF = 0 // RFC 3830 4.1.2, HMAC-SHA-1
	PRFHMACSHA256 PRF = 1 // RFC 6043 6.1
)

var prfNames = []string{"MIKEY-1", "PRF-HMAC-SHA-256"}

func (v PRF) String() string { return enumName("PRF", uint8(v), prfNames) }

// MapType says how the CS ID map information is laid out (RFC 3830 6.1.1).
type MapType uint8

// The registered map types.
const (
	MapSRTPID    MapType = 0 // RFC 3830 6.1.1
	MapEmpty     MapType = 1 // RFC 4563 5
	MapGenericID MapType = 2 // RFC 6043 6.1.1
)

var mapTypeNames = []string{"SRTP-ID", "Empty map", "GENERIC-ID"}

func (v MapType) String() string { return enumName("MapType", uint8(v), mapTypeNames) }

// KeyType is the purpose of an MCX key: the top four bits of its identifier,
// and the first octet of its key parameters (TS 33.180 E.6.11).
type KeyType uint8

// The key types of TS 33.180.
const (
	KeyGMK   KeyType = 0 // group master key
	KeyPCK   KeyType = 1 // private call key
	KeyCSK   KeyType = 2 // client-server key
	KeySPK   KeyType = 3 // signalling protection key
	KeyMKFC  KeyType = 4 // multicast floor control key (legacy)
	KeyMSCCK KeyType = 5 // MBMS subchannel control key (legacy)
	KeyMuSiK KeyType = 6 // multicast signalling key
)

var keyTypeNames = []string{"GMK", "PCK", "CSK", "SPK", "MKFC", "MSCCK", "MuSiK"}

func (v KeyType) String() string { return enumName("KeyType", uint8(v), keyTypeNames) }

// KeyTypeOf reads the purpose tag from the top four bits of a key identifier.
func KeyTypeOf(id uint32) KeyType { return KeyType(id >> 28) }

// ForGroup reports whether keys of this type carry a list of group identities
// in their key parameters (TS 33.180 E.6.3).
func (v KeyType) ForGroup() bool { return v == KeyGMK || v == KeyMKFC || v == KeyMuSiK }

// CSIDName names the stream that TS 33.180 table E.1.3-1 gives a CS ID, or is
// empty when the table has none.
func CSIDName(id uint8) string {
	if int(id) < len(csNames) {
		return csNames[id]
	}
	return ""
}

var csNames = []string{
	"MCPTT private call, initiator", "MCPTT private call, receiver",
	"MCVideo private call, initiator", "MCVideo private call, receiver",
	"MCPTT group", "MCVideo group", "CSK SRTCP MCPTT", "MuSiK SRTCP MCPTT",
	"CSK SRTCP MCVideo", "MuSiK SRTCP MCVideo",
}
