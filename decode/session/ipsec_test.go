package session

import (
	"fmt"
	"strings"
	"testing"
)

// secured is a REGISTER, or a response to one, with a security header field.
func secured(n uint64, call string, cseq uint32, status int, ms ...Mechanism) *Event {
	e := &Event{Number: n, Time: int64(n) * second, Frames: []uint64{n}}
	e.Message = Message{Request: status == 0, Method: "REGISTER", Status: status, CallID: call, CSeq: cseq, From: Party{"sip:a@example.org", "1"}, To: Party{URI: "sip:a@example.org"},
		Branch: fmt.Sprintf("z9hG4bK%s%d", call, cseq), SentBy: "192.0.2.1", Details: &Details{Expires: -1, Security: ms}}
	return e
}

func TestIPsecAgreement(t *testing.T) {
	offer := func(alg, ealg string, spi uint32) Mechanism {
		return Mechanism{Header: "Security-Client", Name: "ipsec-3gpp", Alg: alg, EAlg: ealg, Prot: "esp", Mod: "trans", End: IPsecEnd{spi, spi + 1, 5062, 5063}}
	}
	answer := func(alg, ealg string, q float64, spi uint32) Mechanism {
		m := offer(alg, ealg, spi)
		m.Header, m.Q = "Security-Server", q
		return m
	}
	tr := NewTracker(Config{})
	tr.Add(secured(1, "c1", 1, 0, offer("hmac-md5-96", "null", 10), offer("hmac-sha-1-96", "aes-cbc", 20)))
	u := tr.known("sip:a@example.org")
	if a := u.ipsecOf("c1"); a == nil || a.Agreed || a.UE.SPIC != 10 || a.json().IPsecEnd != nil {
		t.Fatalf("%+v", a)
	}
	tr.Add(secured(2, "c1", 1, 401, answer("hmac-sha-256-128", "aes-gcm", 0.9, 50), answer("hmac-md5-96", "null", 0.1, 60), answer("hmac-sha-1-96", "aes-cbc", 0.5, 70)))
	a := u.ipsecOf("c1")
	if !a.Agreed || a.Alg != "hmac-sha-1-96" || a.EAlg != "aes-cbc" || a.Server.SPIS != 71 || a.UE.SPIC != 20 || a.Frame != 2 {
		t.Errorf("%+v", a)
	}
	for spi, want := range map[uint32][2]int{20: {1, 0}, 71: {1, 0}, 60: {0, 1}} {
		b := *a
		b.count(&Event{ESP: true, SPI: spi})
		b.count(&Event{SPI: spi})
		if b.Messages != want[0] || b.OtherSPI != want[1] {
			t.Errorf("SPI %d: %+v", spi, b)
		}
	}
	// A new offer does not end what is in use until it is answered.
	tr.Add(secured(3, "c1", 2, 0, offer("hmac-sha-1-96", "aes-cbc", 30)))
	if a = u.ipsecOf("c1"); !a.Agreed || a.UE.SPIC != 20 {
		t.Errorf("%+v", a)
	}
	tr.Add(secured(4, "c1", 2, 401, answer("hmac-sha-1-96", "aes-cbc", 0, 80)))
	if a = u.ipsecOf("c1"); a.UE.SPIC != 30 || a.Server.SPIC != 80 {
		t.Errorf("%+v", a)
	}
	// Other devices of the user, without end.
	for i := range uint64(20) {
		tr.Add(secured(10+i, fmt.Sprintf("d%d", i), 1, 0, offer("hmac-md5-96", "null", uint32(1000+i))))
	}
	if len(u.ipsec) != maxIPsec || u.ipsecOf("d19").UE.SPIC != 1019 || u.ipsecOf("c1").callID != "d19" {
		t.Errorf("%d agreements", len(u.ipsec))
	}
	// What is no IPsec, and what nobody can read.
	tr.Add(secured(40, "t1", 1, 0, Mechanism{Header: "Security-Client", Name: "tls"}))
	if u.ipsecOf("t1").callID == "t1" {
		t.Error("TLS is taken for IPsec")
	}
	m := Mechanism{}
	for k, v := range map[string]string{"spi-c": "4294967296", "port-s": "65536", "q": "7", "alg": strings.Repeat("x", 32)} {
		m.param(k, v)
	}
	if m.End != (IPsecEnd{}) || m.Q != 0 {
		t.Errorf("%+v", m)
	}
}
