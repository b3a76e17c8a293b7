package decode

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/sipparse"
)

// The innermost ESP layer around a message.
var (
	fESP       = reg("esp", "ESP around the message", "RFC 4303 2", record.Object)
	fESPSPI    = reg("esp.spi", "Security parameters index in hex", "RFC 4303 2.1", record.String)
	fESPSeq    = reg("esp.sequence", "Sequence number", "RFC 4303 2.2", record.Uint)
	fESPEnc    = reg("esp.encryption", "Encryption algorithm", "TS 33.203 H", record.String)
	fESPAuth   = reg("esp.integrity", "Integrity algorithm, where a key names it", "TS 33.203 H", record.String)
	fESPICV    = reg("esp.icv", "Integrity check value: ok, bad, unchecked or none", "RFC 4303 2.8", record.String)
	fESPICVLen = reg("esp.icv_length", "Its length in octets", "RFC 4303 2.8", record.Uint)
	fESPMode   = reg("esp.mode", "transport or tunnel", "RFC 4301 4.1", record.String)
	fESPUDP    = reg("esp.udp", "In UDP, for address translators", "RFC 3948 2.1", record.Bool)
)

// esp adds the layer of ESP that the message came in.
func (w *worker) esp(u *flow.Unit) {
	l := u.ESP
	if l == nil || !w.b.Wants(fESP) {
		return
	}
	b := &w.b
	none := record.Place{}
	b.Open(fESP, none)
	b.Str(fESPSPI, fmt.Sprintf("%08x", l.SPI), none)
	b.Num(fESPSeq, int64(l.Sequence), none)
	b.Str(fESPEnc, l.Enc, none)
	if l.Auth != "" {
		b.Str(fESPAuth, l.Auth, none)
	}
	b.Str(fESPICV, l.ICV.String(), none)
	if l.ICVLen > 0 {
		b.Num(fESPICVLen, int64(l.ICVLen), none)
	}
	mode := "transport"
	if l.Tunnel {
		mode = "tunnel"
	}
	b.Str(fESPMode, mode, none)
	if l.UDP {
		b.Bool(fESPUDP, true, none)
	}
	b.Close()
}

// espVerified compares the SPI that a request came with to those that its Security-Verify gives back: a user agent sends to
// the port and SPI of the server that Security-Server named, and repeats that header field in every request but ACK and
// CANCEL (RFC 3329 2.3.1, TS 24.229 5.1.1.4). Only an SA around nothing but this message counts: others belong to the
// network below.
func (w *worker) espVerified(u *flow.Unit) {
	l := u.ESP
	if l == nil || w.response || u.Encap[len(u.Encap)-1] != "esp" || !w.at(0).sip.Has(sipparse.HdrSecurityVerify) {
		return
	}
	m := w.at(0)
	var given []string
	var at record.Place
	w.elements(m, sipparse.HdrSecurityVerify, func(h *sipparse.Header, _ placer, v []byte) {
		mech, rest, _ := bytes.Cut(v, []byte(";"))
		mod := ""
		var spis []string
		for p := range sipparse.Params(rest) {
			switch val := text(p.Value.In(rest)); strings.ToLower(text(p.Name.In(rest))) {
			case "spi-s":
				spis = append(spis, val)
			case "mod":
				mod = strings.ToLower(val)
			}
		}
		if !strings.EqualFold(text(bytes.TrimSpace(mech)), "ipsec-3gpp") || l.Tunnel != (mod == "tun" || mod == "udp-enc-tun") {
			return
		}
		given, at = append(given, spis...), m.place(h.Value)
	})
	if len(given) == 0 || slices.ContainsFunc(given, func(s string) bool { n, err := strconv.ParseUint(s, 10, 32); return err != nil || uint32(n) == l.SPI }) {
		return
	}
	f := record.Finding{ID: "esp-spi", Severity: record.Warning, Clause: "TS 33.203 7.1", Field: fSIPSecurity.Name,
		Message: fmt.Sprintf("the request came with ESP SPI %d, but Security-Verify gives %q as the server's protected port's", l.SPI, strings.Join(given[:min(len(given), 8)], ", "))}
	if at.Known {
		f.Source, f.Off, f.Len, f.HasRange = uint16(at.Src), at.Off, at.Len, true
	}
	w.b.Finding(f)
}
