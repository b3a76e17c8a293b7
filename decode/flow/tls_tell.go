package flow

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/tlsopen"
)

// tlsServerKey says which connections are told of together.
type tlsServerKey struct {
	id, sni, detail string
	server          netip.AddrPort
}

// tlsServer counts what was not told of one by one.
type tlsServer struct {
	n, most uint64
	last    Context
}

// How many connections to one server are told of one by one; those that follow are counted and told of at the end.
const (
	tellNoKey  = 1
	tellFailed = 20
)

// tlsTell hands out a finding about a connection, unless the like was told often enough.
func (d *Decoder) tlsTell(f record.Finding, ctx Context, k tlsServerKey) {
	s := d.tlsServers[k]
	if s == nil {
		if len(d.tlsServers) >= d.cfg.TLSServers {
			d.limit(LimitTLSServers)
			return
		}
		s = &tlsServer{most: tellFailed}
		if f.Severity == record.Note {
			s.most = tellNoKey
		}
		d.tlsServers[k] = s
		d.tlsOrder = append(d.tlsOrder, k)
	}
	if s.n++; s.n > s.most {
		s.last = ctx
		s.last.Number = 0
		return
	}
	d.h.Finding(f, ctx)
}

// flushTLS tells of the connections that were only counted.
func (d *Decoder) flushTLS() {
	for _, k := range d.tlsOrder {
		s := d.tlsServers[k]
		if s.n <= s.most {
			continue
		}
		text := fmt.Sprintf("%d more TLS connections to %s like those told of before", s.n-s.most, k.server)
		if k.sni != "" {
			text += " (SNI " + k.sni + ")"
		}
		d.h.Finding(record.Finding{ID: k.id, Severity: record.Note, Clause: "RFC 8446 4.1", Message: text}, s.last)
	}
	clear(d.tlsServers)
	d.tlsOrder = nil
}

// snapshot is what is known of the connection, as it is handed out.
func (c *tlsConn) snapshot() *TLS {
	i := c.c.Info()
	t := TLS{Version: tlsopen.VersionName(i.Version), SNI: i.SNI, ALPN: i.ALPN, Resumed: i.Resumed, EarlyData: i.EarlyData, State: TLSNoKey, Alert: c.alert}
	if i.Version != 0 {
		t.Suite = tlsopen.SuiteName(i.Suite)
	}
	switch {
	case c.failed:
		t.State = TLSFailed
	case i.Opened:
		t.State = TLSDecrypted
	}
	if c.info == nil || *c.info != t {
		own := t
		c.info = &own
	}
	return c.info
}

// words describes a connection for a finding.
func (c *tlsConn) words() string {
	t := c.snapshot()
	var w []string
	if t.SNI != "" {
		w = append(w, "SNI "+t.SNI)
	}
	if t.Version != "" {
		w = append(w, "TLS "+strings.TrimPrefix(t.Version, "TLS "), t.Suite)
	}
	if t.ALPN != "" {
		w = append(w, "ALPN "+t.ALPN)
	}
	if len(w) == 0 {
		return ""
	}
	return " (" + strings.Join(w, ", ") + ")"
}

// client is the side of the client; the one that spoke first when it is not known.
func (c *tlsConn) client() int { return max(0, c.c.Info().Client) }

func (c *tlsConn) who(side int) string {
	if side == c.c.Info().Client {
		return "client"
	}
	return "server"
}

// context is where a finding about a side was made.
func (c *tlsConn) context(side int) Context {
	x := c.where
	x.Src, x.Dst, x.TLS, x.Transport = c.src[side], c.src[1-side], c.snapshot(), OverTLS
	return x
}

func (c *tlsConn) key(id, detail string) tlsServerKey {
	return tlsServerKey{id: id, sni: c.c.Info().SNI, detail: detail, server: c.src[1-c.client()]}
}

func (c *tlsConn) tell(side int, id string, sev record.Severity, clause, detail, text string) {
	x := c.context(side)
	f := record.Finding{ID: id, Severity: sev, Clause: clause, Message: text}
	if x.Number != 0 {
		f.Frames = []uint64{x.Number}
	}
	c.d.tlsTell(f, x, c.key(id, detail))
}

// Alert reports a fatal alert.
func (c *tlsConn) Alert(side int, a tlsopen.Alert) {
	if c.alert != "" {
		return
	}
	i := c.c.Info()
	c.alert = a.String()
	what := "connection"
	if !i.Finished {
		what, c.failed = "handshake", true
	}
	c.d.stats.TLSFailed++
	c.told = true
	c.tell(side, "tls-alert", record.Warning, "RFC 8446 6.2", a.Name(), "the "+c.who(side)+" ended the "+what+": "+a.String()+c.words()+c.certificate(a))
}

// certificate describes the server's certificate where an alert is about it.
func (c *tlsConn) certificate(a tlsopen.Alert) string {
	i := c.c.Info()
	if a < 42 || a > 48 || a == 47 || len(i.Certificate) == 0 {
		return ""
	}
	x, err := x509.ParseCertificate(i.Certificate)
	if err != nil {
		return "; the server's certificate cannot be read"
	}
	name := func(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "\ufffd") }
	text := "; the server's certificate is for " + name(x.Subject.String()) + ", issued by " + name(x.Issuer.String())
	now := time.Unix(0, c.where.Time)
	switch {
	case now.Before(x.NotBefore):
		text += ", valid from " + x.NotBefore.UTC().Format(time.RFC3339)
	case now.After(x.NotAfter):
		text += ", expired " + x.NotAfter.UTC().Format(time.RFC3339)
	case x.Subject.String() == x.Issuer.String():
		text += " (itself)"
	}
	if i.SNI != "" && x.VerifyHostname(i.SNI) != nil {
		text += ", not for " + i.SNI
	}
	return text
}

// Problem reports a defect of a connection.
func (c *tlsConn) Problem(p tlsopen.Problem) {
	x := c.context(p.Side)
	f := record.Finding{Severity: record.Warning, Frames: c.frames(p)}
	at := fmt.Sprintf("record %d of the %s, at octet %d of the stream", p.Record, c.who(p.Side), p.Off)
	switch p.Kind {
	case tlsopen.ProblemTag:
		f.ID, f.Clause, f.Message = "tls-tag", "RFC 8446 5.2", at+": the tag does not fit; the record was changed, or the key is another connection's"
	case tlsopen.ProblemMAC:
		f.ID, f.Clause, f.Message = "tls-mac", "RFC 5246 6.2.3", at+": MAC or padding does not fit; the record was changed, or the key is another connection's"
	case tlsopen.ProblemRecord:
		f.ID, f.Clause, f.Message = "tls-record", "RFC 8446 5.1", fmt.Sprintf("octets of the %s at %d of the stream begin no TLS record", c.who(p.Side), p.Off)
	case tlsopen.ProblemHandshake:
		f.ID, f.Clause, f.Message = "tls-handshake", "RFC 8446 4", at+": a handshake message that does not belong there, ends early or is too long"
	case tlsopen.ProblemCut:
		f.ID, f.Severity, f.Clause, f.Message = "tls-cut", record.Note, "RFC 8446 6.1", fmt.Sprintf("what the %s sent ends in the middle of record %d", c.who(p.Side), p.Record)
	case tlsopen.ProblemGiveUp:
		f.ID, f.Clause, f.Message = "tls-tag", "RFC 8446 5.2", at+": the rest of what the "+c.who(p.Side)+" sent is left out, since nothing of it can be decrypted"
	case tlsopen.ProblemNoKey:
		f.ID, f.Severity, f.Clause, f.Message = "tls-no-key", record.Note, "RFC 8446 7.1", "the key log has no secret for what the "+c.who(p.Side)+" sent from here on"
	case tlsopen.ProblemEarlyData:
		f.ID, f.Severity, f.Clause, f.Message = "tls-early-data", record.Note, "RFC 8446 2.3", "early data of the client cannot be read: its key is in no key log"
	}
	f.Message += c.words()
	c.d.tlsTell(f, x, c.key(f.ID, c.who(p.Side)+" "+strconv.Itoa(int(p.Kind))))
}

// frames are those that a record came in.
func (c *tlsConn) frames(p tlsopen.Problem) []uint64 {
	if st := c.out[p.Side]; st != nil && st.streamData != nil {
		segs, _ := st.spans.segments(nil, p.Off, p.End, 0)
		if n := frameNumbers(segs); len(n) > 0 {
			return n[:min(len(n), 16)]
		}
	}
	if c.where.Number == 0 {
		return nil
	}
	return []uint64{c.where.Number}
}

// End says that nothing more will come: the connection is summarised and leaves the road.
func (c *tlsConn) End(r tlsopen.Reason) {
	i := c.c.Info()
	c.left = true
	switch r {
	case tlsopen.EndHidden:
		c.failed, c.told = true, true
		c.d.stats.TLSFailed++
		c.tell(i.HiddenAlert, "tls-alert", record.Warning, "RFC 8446 6", "encrypted alert",
			"the "+c.who(i.HiddenAlert)+" ended the handshake with an alert that is encrypted"+c.words())
		return
	case tlsopen.EndBroken:
		return
	}
	if c.told {
		return
	}
	c.told = true
	c.d.stats.TLSNoKey++
	var why string
	switch r {
	case tlsopen.EndUnsupported:
		why = "cipher suite, compression or version of this TLS connection are not supported"
	case tlsopen.EndNoHello:
		why = "the ClientHello of this TLS connection is not in the capture; without it no key can be found"
	case tlsopen.EndNoAnswer:
		why = "the ServerHello of this TLS connection is not in the capture"
	default:
		why = "no key for this TLS connection"
	}
	if i.EarlyData {
		why += ", which has early data"
	}
	t := c.snapshot()
	c.tell(c.client(), "tls-no-key", record.Note, "RFC 8446 7", t.Version+" "+t.Suite, why+c.words())
}

// tlsEnded summarises a connection of which nothing more will come.
func (d *Decoder) tlsEnded(c *tlsConn) {
	i := c.c.Info()
	if i.EarlyData && i.Opened {
		text := "data were sent before the handshake was done, which can be replayed"
		if i.EarlyRefused {
			text = "data were sent before the handshake was done and refused by the server: they come again"
		}
		c.tell(c.client(), "tls-early-data", record.Note, "RFC 8446 2.3", "", text+c.words())
	}
	if c.told {
		return
	}
	c.told = true
	switch {
	case i.Version == 0:
		d.tlsNotAnswered(c, "")
	case i.Finished || i.Opened && c.ending:
	case c.closer >= 0:
		c.failed = true
		d.stats.TLSFailed++
		how := "closed"
		if c.reset {
			how = "reset"
		}
		c.tell(c.closer, "tls-unfinished", record.Warning, "RFC 8446 6.1", how, "the "+c.who(c.closer)+" "+how+" the connection in the middle of the handshake, without an alert"+c.words())
	case !i.Opened:
		d.stats.TLSNoKey++
		c.tell(c.client(), "tls-no-key", record.Note, "RFC 8446 7", "cut", "the capture ends in the middle of this TLS handshake"+c.words())
	}
}

// tlsNotAnswered reports a ClientHello without a ServerHello.
func (d *Decoder) tlsNotAnswered(c *tlsConn, why string) {
	if c.failed {
		return
	}
	i := c.c.Info()
	c.told, c.failed = true, true
	d.stats.TLSFailed++
	sev := record.Warning
	switch {
	case why != "":
	case i.Client < 0:
		why, sev = "the handshake of this TLS connection is not in the capture", record.Note
	case c.closer == 1-i.Client && c.reset:
		why = "the server reset the connection instead of answering the ClientHello"
	case c.closer == 1-i.Client:
		why = "the server closed the connection without answering the ClientHello"
	case c.closer >= 0:
		why = "the client gave up: the ClientHello was not answered"
	default:
		why, sev = "the capture ends before the ClientHello is answered", record.Note
	}
	if len(i.Offered) > 0 {
		why += ", which offers " + strings.Join(slices.Clone(i.Offered), ", ")
	}
	c.tell(c.client(), "tls-unanswered", sev, "RFC 8446 4.1.3", why, why+c.words())
	c.c.Finish()
	c.left = true
}
