package flow

// encapKind numbers the names that Unit.Encap can hold.
type encapKind uint8

const (
	encVLAN encapKind = iota
	encQinQ
	encPPP
	encPPPoE
	encHDLC
	encMPLS
	encIPIP
	enc6in4
	encIP6
	encGRE
	encERSPAN
	encVXLAN
	encGENEVE
	encGTPU
	encL2TP
	encNFLOG
	encExported
	encICMP
	encESP
	encHEP // version 3
	encLAN // an Ethernet frame inside another layer
	numEncap
)

var encapNames = [numEncap]string{"vlan", "qinq", "ppp", "pppoe", "hdlc", "mpls", "ipip", "6in4", "ip6tnl", "gre", "erspan", "vxlan", "geneve",
	"gtpu", "l2tp", "nflog", "exported", "icmp", "esp", "hep", "eth"}

// EncapNames lists every name that [Unit.Encap] can hold.
func EncapNames() []string { return append([]string(nil), encapNames[:]...) }

// An encap is one interned list of encapsulations. The lists form a tree, so that going one layer inwards needs
// neither an allocation nor a comparison.
type encap struct {
	names []string
	kids  [numEncap]*encap
}

// encapTree bounds how many different lists are interned. Beyond that, the inner layers are left out of the list.
type encapTree struct {
	root *encap
	left int
}

const maxEncaps = 4096

func (t *encapTree) init() { t.root, t.left = &encap{}, maxEncaps }

func (t *encapTree) child(e *encap, k encapKind) *encap {
	if c := e.kids[k]; c != nil {
		return c
	}
	if t.left == 0 {
		return e
	}
	t.left--
	c := &encap{names: append(e.names[:len(e.names):len(e.names)], encapNames[k])}
	e.kids[k] = c
	return c
}
