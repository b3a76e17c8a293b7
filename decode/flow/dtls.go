package flow

import "github.com/mcxdump/mcxdump/decode/record"

// dtlsHello reports whether a datagram begins with a ClientHello of DTLS 1.0 to 1.3 (RFC 6347 4.1, RFC 9147 5.3): a
// handshake record of epoch 0, a version of 254.253 or 254.255, and the first fragment of a message of type 1.
func dtlsHello(b []byte) bool {
	return len(b) > 25 && b[0] == 22 && b[1] == 254 && b[2] >= 253 && b[3] == 0 && b[4] == 0 && b[13] == 1 && b[19] == 0 && b[20] == 0 && b[21] == 0
}

// dtls tells, once in a run, that there is DTLS, which is not decrypted. Where media are DTLS-SRTP there is one for each
// call.
func (d *Decoder) dtls(p *packet) {
	d.stats.DTLSHellos++
	if d.stats.DTLSHellos == 1 {
		d.h.Finding(record.Finding{ID: "dtls", Severity: record.Note, Clause: "RFC 6347",
			Message: "a DTLS handshake begins here; DTLS is not decrypted", Frames: d.frameList()}, d.context(p, UDP))
	}
}
