package bpf

import (
	"sort"
	"strings"
)

// Presets are filters that have a name.
var Presets = map[string]string{
	// What may carry SIP on whatever port, without the media: fragments (whose ports are in the first one only), TCP, SCTP,
	// ICMP (which quotes), tunnels, tags and labels as a whole, and UDP whose payload begins like text, or which uses the
	// ports of SIP.
	"sip": "ip[6:2] & 0x1fff != 0 or ip6[6] = 44 or tcp or sctp or esp or ah or icmp or icmp6 or gre" +
		" or proto 4 or proto 41 or proto 115 or proto 137" +
		" or ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100 or ether proto 0x8847 or ether proto 0x8864" +
		" or udp port 5060 or 5061 or 2152 or 4500 or 4789 or 6081 or 1701" +
		" or (udp[8] >= 0x41 and udp[8] <= 0x7a) or (ip6[6] = 17 and ip6[48] >= 0x41 and ip6[48] <= 0x7a)",
}

// Load makes a program of an expression, of the name of a preset, or of what tcpdump -ddd prints. Nothing takes every
// packet.
func Load(text string, t Target) ([]Instruction, error) {
	text = strings.TrimSpace(text)
	if e, ok := Presets[text]; ok {
		return Compile(e, t)
	}
	if prog, ok, err := ParseDDD(text); ok {
		if err != nil {
			return nil, &Error{Text: strings.SplitN(text, "\n", 2)[0] + "...", Msg: err.Error()}
		}
		return prog, nil
	}
	return Compile(text, t)
}

// PresetNames lists the presets.
func PresetNames() []string {
	var list []string
	for n := range Presets {
		list = append(list, n)
	}
	sort.Strings(list)
	return list
}

// LosesFragments tells whether a filter asks for ports, or anything else behind the header of IP, and so passes the first
// fragment of a datagram and loses the others, which do not have it. corrected is the same filter with them.
func LosesFragments(text string, t Target) (corrected string, loses bool) {
	text = strings.TrimSpace(text)
	if e, ok := Presets[text]; ok {
		text = e
	}
	t.Kernel = false
	prog, p, err := compile(text, t)
	if err != nil || !p.ports {
		return "", false
	}
	passes := func(link uint16) bool {
		for _, proto := range []byte{6, 17, 132} {
			if Run(prog, laterFragment(link, proto), 1514, nil) == 0 {
				return false
			}
		}
		return true
	}
	if passes(t.Link) {
		return "", false
	}
	// In front, so that vlan and mpls in the filter do not shift it.
	return "ip[6:2] & 0x1fff != 0 or ip6[6] = 44 or (" + text + ")", true
}

// laterFragment is a fragment of IPv4 that is not the first.
func laterFragment(link uint16, proto byte) []byte {
	b := map[uint16][]byte{LinkEthernet: {12: 8, 13: 0}, LinkSLL2: {0: 8, 19: 0}, LinkRaw: {}}[link]
	b = append([]byte{}, b...)
	b = append(b, 0x45, 0, 5, 220, 0, 1, 0x00, 0xb9, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	return append(b, make([]byte, 1480)...)
}
