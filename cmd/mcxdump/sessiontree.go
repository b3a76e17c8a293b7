package main

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/decode/session"
	"github.com/mcxdump/mcxdump/output"
)

// sessionTree writes all that is known of one session, each fact with the message it came from.
func sessionTree(b *bufio.Writer, x *session.Session) {
	line := func(depth int, title, value string) {
		if value == "" {
			return
		}
		fmt.Fprintf(b, "%s%s: %s\n", strings.Repeat("    ", depth), title, output.Safe(value))
	}
	fmt.Fprintf(b, "Session %d: %s, %s by %s: %s\n", x.ID, output.Safe(firstOf(x.MCID, x.IMPU)), x.Service, x.How, x.State)
	line(1, "Cause", x.Cause)
	line(1, "IMPU", x.IMPU)
	for _, a := range x.Aliases {
		line(1, "Also seen as", a)
	}
	line(1, "MC service ID", x.MCID)
	line(1, "MC service ID in the primary system", x.Primary)
	line(1, "Client ID", x.ClientID)
	line(1, "Server", x.Server)
	for _, id := range x.Members {
		if id != x.MCID {
			line(1, "Identity", id)
		}
	}
	line(1, "OAuth client", x.OAuthClient)
	line(1, "Contact", x.Contact)
	line(1, "Instance", x.Instance)
	if !x.Service.HTTP() {
		line(1, "Protection", protection(x))
	}
	line(1, "What could be opened", x.KeyState)
	line(1, "Signatures", x.SignatureState)
	line(1, "Token", tokenWords(x))
	line(1, "Token issuer", x.Token.Issuer)
	if t := x.Trail; t != nil && t.Issued != nil && x.Service != session.IdM {
		line(1, "Token issued", fmt.Sprintf("in session %d", t.IssuedBy)+at(t.Issued.Number, t.Issued.Frame))
	}
	line(1, "Scopes", strings.Join(x.Scopes(), " "))
	if x.Profile >= 0 {
		line(1, "Profile index", fmt.Sprint(x.Profile))
	}
	line(1, "Answer mode", x.AnswerMode)
	for _, k := range x.Keys {
		w := strings.TrimSpace(fmt.Sprintf("%s %s %s", k.Type, k.ID, k.Way))
		if k.State != "" {
			w += ", " + k.State
		}
		if k.Signature != "" {
			w += ", signature " + k.Signature
		}
		line(1, "Key", w+at(k.Number, k.Frame))
	}
	line(1, "Transport key", x.TrK)
	line(1, "Integrity key", x.InK)
	for _, k := range x.KeySets {
		line(1, "Keys of", keySetWords(&k))
	}
	if x.From != 0 {
		line(1, "Goes on from", fmt.Sprintf("session %d", x.From))
	}
	for _, a := range x.Actions {
		answer := a.Outcome
		if answer == "" {
			answer = "no answer in the capture"
		} else {
			answer += ", after " + seconds(a.NS)
		}
		line(1, "Action", strings.TrimSpace(a.What+" "+a.Object)+": "+answer+at(a.Number, a.Frame))
	}
	if a := x.IPsec; a != nil {
		w := fmt.Sprintf("%s offered", a.Mech)
		if a.Agreed {
			w = fmt.Sprintf("%s, SPIs of the P-CSCF %08x, %08x (ports %d, %d)", a.Mech, a.Server.SPIC, a.Server.SPIS, a.Server.PortC, a.Server.PortS)
		}
		w += fmt.Sprintf(", of the UE %08x, %08x (ports %d, %d), alg %s, ealg %s", a.UE.SPIC, a.UE.SPIS, a.UE.PortC, a.UE.PortS, a.Alg, a.EAlg)
		if a.Messages > 0 {
			w += fmt.Sprintf("; %d messages came so", a.Messages)
		}
		if a.OtherSPI > 0 {
			w += fmt.Sprintf("; %d came with other SPIs", a.OtherSPI)
		}
		line(1, "IPsec", w+fmt.Sprintf(" (frame %d)", a.Frame))
	}
	line(1, "Messages", fmt.Sprintf("%d, %d repeated, frames %s, %s", x.Messages, x.Retransmissions, frameWords(x), seconds(x.Duration())))
	if len(x.Evidence) > 0 {
		fmt.Fprintf(b, "    Evidence\n")
		for _, e := range x.Evidence {
			w := e.Value
			if e.KeyID != "" {
				w += ", opened with " + e.KeyID
			}
			line(2, strings.ReplaceAll(e.Fact, "_", " "), w+at(e.Number, e.Frame))
		}
	}
	if len(x.History) > 0 {
		fmt.Fprintf(b, "    History\n")
		for _, h := range x.History {
			w := fmt.Sprintf("%s to %s", h.From, h.To)
			if h.Cause != "" {
				w += ": " + h.Cause
			}
			line(2, string(record.AppendTime(nil, h.Time)), w+at(h.Number, h.Frame))
		}
	}
	if x.Lost > 0 {
		line(1, "Left out", fmt.Sprintf("%d facts over the limit", x.Lost))
	}
	b.WriteByte('\n')
}

func at(number, frame uint64) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf(" (message %d, frame %d)", number, frame)
}

// keySetWords is one set of user keys in words.
func keySetWords(k *session.KeySet) string {
	w := fmt.Sprintf("%s, period %d", k.User, k.PeriodNo)
	if k.Start != 0 && k.End != 0 {
		w += fmt.Sprintf(" (%s to %s)", dateOf(k.Start), dateOf(k.End))
	}
	if k.State != "" {
		w += ", " + k.State
	}
	if k.Revoked {
		w += ", revoked"
	}
	return w
}

func dateOf(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02") }

// chainTree tells one user's way through the services as one story, with its gaps.
func chainTree(b *bufio.Writer, c *session.Chain) {
	who := append(append([]string{}, c.Users...), c.IMPUs...)
	if len(who) == 0 {
		who = []string{"not known"}
	}
	fmt.Fprintf(b, "User %d: %s\n", c.ID, output.Safe(strings.Join(who, ", ")))
	fmt.Fprintf(b, "    %s\n", output.Safe(c.Verdict))
	for _, s := range c.Steps {
		for _, x := range s.Sessions {
			what := fmt.Sprintf("%s by %s: %s", x.Service, x.How, x.State)
			if x.Server != "" {
				what = fmt.Sprintf("%s at %s by %s: %s", x.Service, x.Server, x.How, x.State)
			}
			if x.Cause != "" {
				what += ", " + x.Cause
			}
			fmt.Fprintf(b, "    %-10s session %d, %s%s\n", s.Stage, x.ID, output.Safe(what), at(x.FirstNumber, x.FirstFrame))
		}
		if s.Gap != "" {
			fmt.Fprintf(b, "    %-10s %s\n", s.Stage, output.Safe(s.Gap))
		}
	}
	for _, t := range c.Tokens {
		if t.Issued == nil && len(t.Shown) < 2 {
			continue
		}
		w := strings.TrimSpace(t.Kind+" token "+t.Fingerprint) + ": "
		if t.Issued != nil {
			w += fmt.Sprintf("issued in message %d", t.Issued.Number)
			if t.IssuedTo != "" {
				w += " to client " + t.IssuedTo
			}
		} else {
			w += "not seen issued"
		}
		w += shownWords(t.Shown)
		if n := t.ShownTotal - len(t.Shown); n > 0 {
			w += fmt.Sprintf(" and %d times more", n)
		}
		fmt.Fprintf(b, "    %s\n", output.Safe(w))
	}
	b.WriteByte('\n')
}

// shownWords says to whom a token was presented: each service once, with the messages.
func shownWords(list []session.Showing) string {
	var order []session.Service
	by := map[session.Service][]string{}
	for _, p := range list {
		if by[p.Service] == nil {
			order = append(order, p.Service)
		}
		by[p.Service] = append(by[p.Service], fmt.Sprint(p.Number))
	}
	var out []string
	for _, s := range order {
		word := "message"
		if len(by[s]) > 1 {
			word = "messages"
		}
		out = append(out, fmt.Sprintf("%s (%s %s)", s, word, strings.Join(by[s], ", ")))
	}
	if len(out) == 0 {
		return ""
	}
	return ", presented to " + strings.Join(out, ", ")
}
