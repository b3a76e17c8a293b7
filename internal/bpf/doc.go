// Package bpf compiles tcpdump's filter language (pcap-filter(7)) to classic BPF.
//
// Start with [Load], which takes an expression, the name of a preset or what tcpdump -ddd prints, or with [Compile].
// [LosesFragments] tells whether a filter passes the first fragment of a datagram and not the others.
//
// Promises: no panic and no endless work on any text; a program that is returned is one that the kernel accepts
// ([Check]): at most 4096 instructions, jumps forward and inside, scratch cells and shifts in range; on link types
// that both know, the verdict is libpcap's (tests compare with tcpdump where there is one).
//
// Covered: host, net (with prefix length or mask), port, portrange, proto with src and dst in every combination; ether
// host and proto; the names ip, ip6, arp, rarp, tcp, udp, sctp, icmp, icmp6, igmp, pim, vrrp, ah, esp and, beyond
// libpcap, gre; vlan and mpls, which shift what follows them as in libpcap; multicast, broadcast, inbound, outbound;
// less, greater, len; arithmetic over octets of a packet; and, or, not with the precedence of libpcap (and, or: the
// same, from left to right) and values that inherit their qualifiers (port 5060 or 5061).
//
// Link types: Ethernet, raw IP and Linux cooked v2. With Target.Kernel the program fits a packet socket, where a cooked
// frame has no link header and the outermost VLAN tag stands beside the frame; vlan finds it there.
//
// It leaves out names of hosts and networks (nothing is looked up), gateway, ip broadcast, protochain, pppoes, geneve,
// the Wi-Fi, ATM, SS7 and pf primitives; each is refused with its name.
package bpf
