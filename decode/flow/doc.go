// Package flow is the road from captured frames to framed SIP and HTTP messages: link layers, tunnels, IP fragments, UDP,
// TCP, SCTP, TLS, WebSocket, HTTP/1 and HTTP/2, in one goroutine and without locks.
//
// Start with [New], which takes a [Handler], then call [Decoder.Frame] for each frame in capture order and
// [Decoder.Flush] at the end of the input.
//
// Its promises: no panic, hang or unbounded memory on any octets; each table and each buffer is bounded, evicts its
// oldest entry first, and counts it in [Stats]; packet time rules all ageing, and one hostile time stamp moves it by
// [Config.MaxStep] at most; the order of units is the order in which they became complete; a frame that cannot carry
// a message leaves after a look at fixed offsets without an allocation; a unit knows which frame each of its octets came from.
//
// It covers the link types of tcpdump.org/linktypes.html that carry IP (Ethernet, BSD loopback, PPP, Cisco HDLC, raw IP,
// Linux cooked v1 and v2, NFLOG, exported PDUs), IEEE 802.1Q and 802.1ad tags, PPPoE (RFC 2516), MPLS (RFC 3032), IPv4
// (RFC 791), IPv6 (RFC 8200) and their fragments (RFC 5722, RFC 6946), IP in IP (RFC 2003, RFC 2473), GRE (RFC 2784,
// RFC 2890) with ERSPAN, VXLAN (RFC 7348), GENEVE (RFC 8926), L2TP (RFC 2661, RFC 3931), GTP-U (TS 29.281), ESP (RFC
// 4303) with null encryption or with keys, in UDP too (RFC 3948), as the access of IMS uses it (TS 33.203), ICMP errors
// that quote SIP (RFC 792, RFC 4443, RFC 4884), TCP (RFC 9293), SCTP (RFC 9260) and SIP over each of them (RFC 3261 18,
// RFC 4168, RFC 7118), HTTP/1.x (RFC 9112) and HTTP/2 (RFC 9113, HPACK of RFC 7541), HEP v3.
//
// TLS (package internal/tlsopen) is opened with keys that [Config.TLSKeys] finds; what is inside takes the same road.
//
// It leaves out DTLS, the decompression of SigComp and the content of messages; checksums are not verified, since captures taken
// on the sender hold unfinished ones.
package flow
