package flow

import "fmt"

// A Verdict says what became of a frame.
type Verdict uint8

const (
	VerdictNone      Verdict = iota // empty or undecided
	VerdictMedia                    // UDP that is not SIP: RTP, RTCP, STUN, DNS and all else
	VerdictStream                   // TCP or SCTP that is not known to be SIP
	VerdictOther                    // IP with another protocol (ICMP without quoted SIP, ESP that is not readable, and others)
	VerdictNetwork                  // not IP: ARP, LLDP, spanning tree, tunnel signalling
	VerdictFragment                 // fragment kept, or of a datagram that is not SIP
	VerdictUnknown                  // link type not known
	VerdictMalformed                // headers that contradict themselves or end early
	VerdictKeepAlive                // keep-alive of SIP (RFC 5626 3.5)
	VerdictTransport                // octets or acknowledgements of a SIP stream that completed no message
	VerdictSIP                      // completed at least one message
	NumVerdicts
)

var verdictNames = [NumVerdicts]string{"none", "media", "stream", "other", "network", "fragment", "unknown", "malformed", "keep-alive", "transport", "sip"}

// String returns the name of the verdict, in lower case with hyphens.
func (v Verdict) String() string {
	if v < NumVerdicts {
		return verdictNames[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Stats counts what a Decoder saw. All numbers only grow.
type Stats struct {
	Frames   uint64
	Octets   uint64 // as captured
	Verdicts [NumVerdicts]uint64

	Messages   uint64 // units handed out
	Truncated  uint64 // of them with octets missing
	Quoted     uint64 // of them quoted in ICMP errors
	KeepAlives uint64 // CRLF and other keep-alives on SIP flows
	Junk       uint64 // octets of SIP streams that belong to no message

	CutFrames     uint64 // frames that the capture cut off
	Malformed     uint64 // layers that contradict themselves or end early
	UnknownLinks  map[uint16]uint64
	LooseLengths  uint64 // UDP length that contradicts IP's
	TunnelSignals uint64 // tunnel signalling: GTP echo and end marker, L2TP control, PPPoE discovery

	Segments        uint64 // TCP segments with payload on streams that were looked at
	Retransmissions uint64 // TCP segments and SCTP chunks seen before
	Overlaps        uint64 // overlaps of TCP segments or fragments
	Conflicts       uint64 // of them with differing content
	OutOfOrder      uint64 // TCP segments that had to wait
	Gaps            uint64 // stretches of a SIP stream that are missing
	GapOctets       uint64
	StreamsSIP      uint64 // directions that turned out to be SIP
	StreamsWS       uint64 // directions that turned out to be WebSocket
	StreamsHTTP     uint64 // directions that turned out to be HTTP
	HTTPOther       uint64 // HTTP messages that were left out: nothing in them has to do with mission critical services
	H2Pushes        uint64 // promises of HTTP/2 servers, which are left out
	StreamsIgnored  uint64 // directions that were dropped from the road
	StreamsTLS      uint64 // directions of TLS connections

	TLSConnections uint64 // connections that began with a handshake
	TLSOpened      uint64 // of them decrypted
	TLSNoKey       uint64 // of them without a key
	TLSFailed      uint64 // of them ended by a fatal alert, not answered, or broken off in the handshake
	DTLSHellos     uint64 // ClientHellos of DTLS
	TLSMidstream   uint64 // directions of connections that began before the capture

	Fragments          uint64 // IP fragments
	FragmentSets       uint64 // datagrams that came in fragments
	FragmentCompleted  uint64
	FragmentTimedOut   uint64
	FragmentDropped    uint64 // sets given up: not SIP, oversize or a limit
	FragmentDuplicates uint64
	FragmentHeadless   uint64 // sets given up without having seen the first fragment

	HEP          uint64 // HEP packets
	HEPOther     uint64 // of them those with a payload that is not SIP
	HEPMalformed uint64 // of them those that contradict themselves or end early
	HEPEmpty     uint64 // of them those that hold no SIP message though they should

	Chunks uint64 // SCTP DATA and I-DATA chunks looked at

	TimeJumps uint64 // forward jumps of packet time that were clamped
	TimeBacks uint64 // frames older than the one before

	ESP           uint64 // ESP packets
	ESPNull       uint64 // of them those in the clear, recognised by content
	ESPDecrypted  uint64 // read with a key that was given
	Encrypted     uint64 // not readable without their keys, or with the wrong ones
	ESPWrongKey   uint64 // of them those that a key was given for
	ESPBadICV     uint64 // read, but with an integrity check value that is wrong
	ESPDuplicates uint64 // with a sequence number seen before
	UnreadSPIs    []SPICount

	SigComp uint64 // SigComp messages, and streams of them; they are not decompressed

	Limits [NumLimits]uint64 // how often each limit bit
}
