package pcapng

// A Packet is one captured packet. Reader.Next fills every field; Writer.WritePacket uses Data, Orig, Time,
// Link, Interface, Flags, Drops and Comments.
type Packet struct {
	Data      []byte   // the captured octets, valid until the next call of Next
	Time      int64    // Unix time in nanoseconds, saturating; the last known one where NoTime is set
	Off       int64    // offset of the record or block in the (uncompressed) file
	Orig      uint32   // length on the wire, as written in the file: may be less than len(Data)
	Flags     uint32   // epb_flags (pcapng 4.3.1), also made from the packet type of modified pcap; 0 where absent
	Interface int      // index in Reader.Interfaces, over all sections
	Link      uint16   // link type of the interface (LINKTYPE_ value)
	NoTime    bool     // a Simple Packet Block carries no time
	Drops     uint64   // epb_dropcount: packets lost between this one and the one before
	Comments  []string // opt_comment of the block
}

// Direction bits of Packet.Flags, as described in pcapng 4.3.1.
const (
	DirUnknown  = 0
	DirInbound  = 1
	DirOutbound = 2
)

// Direction gives bits 0 and 1 of the flags: DirUnknown, DirInbound or DirOutbound (3 is not assigned).
func (p *Packet) Direction() uint8 { return uint8(p.Flags & 3) }

// An Interface is where packets were captured. A classic pcap file has exactly one.
type Interface struct {
	Link        uint16 // LINKTYPE_ value
	LinkField   uint32 // the field as written: in classic pcap with FCS and reserved bits
	SnapLen     uint32 // 0 means no limit
	FCS         int    // octets of frame check sequence at the end of each packet, -1 if not said
	Resolution  uint8  // if_tsresol: units are 10^-n, or 2^-n where the top bit is set (pcapng 4.2)
	Offset      int64  // if_tsoffset, seconds
	Section     int    // number of the section, from 0
	Off         int64  // offset of the describing block or header in the file
	Name        string // if_name
	Description string // if_description
	Filter      string // if_filter, when it is text
	OS          string // if_os
	Hardware    string // if_hardware
	Comment     string // first opt_comment

	Packets  uint64      // packets delivered so far
	DropsEPB uint64      // sum of epb_dropcount and of the drop counts of obsolete Packet Blocks so far
	Stats    *Statistics // the latest Interface Statistics Block, nil if there was none
	clock    clock       // ticks to nanoseconds
}

// Dropped tells how many packets the capturing system says it lost on this interface: the larger of what the
// statistics block and what the packets themselves say.
func (i *Interface) Dropped() uint64 {
	n := i.DropsEPB
	if s := i.Stats; s != nil {
		n = max(n, satAdd(s.Dropped, s.OSDropped))
	}
	return n
}

// Statistics is an Interface Statistics Block (pcapng 4.6). Has tells which counters were present.
type Statistics struct {
	Time       int64 // when the counters were read, Unix nanoseconds
	Start, End int64 // isb_starttime, isb_endtime
	Received   uint64
	Dropped    uint64 // by the interface
	Accepted   uint64 // by the filter
	OSDropped  uint64
	Delivered  uint64
	Has        StatField
}

// StatField is a set of the options of an Interface Statistics Block: bit n stands for option code n.
type StatField uint16

// The options of an Interface Statistics Block, pcapng 4.6.
const (
	HasStart     StatField = 1 << 2
	HasEnd       StatField = 1 << 3
	HasReceived  StatField = 1 << 4
	HasDropped   StatField = 1 << 5
	HasAccepted  StatField = 1 << 6
	HasOSDropped StatField = 1 << 7
	HasDelivered StatField = 1 << 8
)

// A Section is one Section Header Block (pcapng 4.1).
type Section struct {
	Off          int64
	BigEndian    bool
	Major, Minor uint16
	Length       int64 // as written; -1 is "not specified". Read, never relied on.
	Hardware     string
	OS           string
	Application  string
	Comment      string
}

// SecretsType names what a Decryption Secrets Block holds, pcapng 4.7.
type SecretsType uint32

// Secrets types of pcapng 4.7.
const (
	SecretsTLSKeyLog SecretsType = 0x544c534b // TLSK, NSS key log
	SecretsSSHKeyLog SecretsType = 0x5353484b // SSHK
	SecretsWireGuard SecretsType = 0x57474b4c // WGKL
	SecretsZigBeeNWK SecretsType = 0x5a4e574b // ZNWK
	SecretsZigBeeAPS SecretsType = 0x5a415053 // ZAPS
	SecretsOPCUAKeys SecretsType = 0x55414b4c // UAKL
)

// Secrets is the content of one Decryption Secrets Block. It is key material: it has no String method that
// prints it, and fmt shows only its length.
type Secrets struct {
	Type SecretsType
	Off  int64 // of the block in the file
	data func() []byte
}

// Reveal gives the octets. They are a copy of their own.
func (s Secrets) Reveal() []byte {
	if s.data == nil {
		return nil
	}
	return s.data()
}

// satAdd adds and stays at the largest value on overflow.
func satAdd(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return ^uint64(0)
}
