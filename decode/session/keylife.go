package session

import (
	"fmt"
	"slices"
	"strings"
)

// key finds a key of a user.
func (u *user) key(id string) *Key {
	for i := len(u.keys) - 1; i >= 0; i-- {
		if u.keys[i].ID == id {
			return u.keys[i]
		}
	}
	return nil
}

// seenBefore tells whether the capture has an earlier message of the user outside the exchange of this Call-ID: then
// it did not begin after the key was delivered.
func (u *user) seenBefore(callID string) bool { return u.firstCall != callID }

func (t *Tracker) addKey(u *user, k *Key) *Key {
	if len(u.keys) >= t.cfg.Limits.PerUser {
		u.keys = slices.Delete(u.keys, 0, 1)
		t.stats.EvictedPerUser++
	}
	u.keys = append(u.keys, k)
	return k
}

// isCSK tells whether an I_MESSAGE delivers a client-server key (TS 33.180 annex G: purpose tag 2).
func isCSK(m *IMessage) bool {
	return len(m.CSBID) == 8 && m.CSBID[0] == '2'
}

// deliver notes the keys that a request delivers.
func (t *Tracker) deliver(e *Event, u *user, m *Message, a *attempt, way string) {
	d := m.details()
	for i := range d.IMessages {
		im := &d.IMessages[i]
		if !isCSK(im) {
			continue
		}
		k := u.key(im.CSBID)
		if k != nil && k.Way != "named" && k.Replaced == "" {
			// The same key again: a retry after a challenge, or the third-party REGISTER.
			if k.State == "" || im.KeyState == "recovered" {
				k.State, k.Signature = im.KeyState, im.SigState
			}
			a.keys = append(a.keys, k)
			continue
		}
		if k == nil {
			k = t.addKey(u, &Key{ID: im.CSBID})
		} else if k.Replaced != "" {
			k.Replaced, k.at, k.Accepted = "", 0, false
		}
		k.Type, k.Way, k.Number, k.Frame, k.Time = "CSK", way, e.Number, e.frame(), t.now
		k.State, k.Signature, k.Initiator, k.Responder = im.KeyState, im.SigState, im.Initiator, im.Responder
		a.keys = append(a.keys, k)
		if way == "upload" {
			t.stats.KeyUploads++
		} else {
			t.stats.KeyDownloads++
		}
	}
}

// useKey notes which key a session's protection names.
func (t *Tracker) useKey(e *Event, s *Session, id string) {
	u := s.user
	if u == nil {
		return
	}
	k := u.key(id)
	if k == nil {
		k = t.addKey(u, &Key{ID: id, Type: "CSK", Way: "named", Number: e.Number, Frame: e.frame(), Time: t.now})
	}
	s.addKey(k)
	if s.Key == nil {
		s.Key = k
		t.fact(s, e, "key", id, "mikey.csb_id", "")
	}
}

func (s *Session) addKey(k *Key) {
	if slices.Contains(s.Keys, k) {
		return
	}
	if len(s.Keys) >= 8 {
		s.Keys = slices.Delete(s.Keys, 0, 1)
	}
	s.Keys = append(s.Keys, k)
}

// keysAccepted puts the keys that a request delivered into use: the one that the session's body is protected with, or
// the only one. The one before is replaced (TS 33.180 9.2.1.2).
func (t *Tracker) keysAccepted(s *Session, e *Event, a *attempt) {
	if len(a.keys) == 0 {
		return
	}
	k := a.keys[0]
	for _, o := range a.keys {
		o.Accepted = true
		if slices.Contains(s.Keys, o) && o != s.Key {
			k = o
		} else if o == s.Key {
			k = o
			break
		}
	}
	if k == s.Key {
		return
	}
	if len(a.keys) > 1 && !slices.Contains(s.Keys, k) && s.Key != nil {
		return // several keys, none of which the body names: not told which is for this service
	}
	if old := s.Key; old != nil && !inUse(s.user, s, old) {
		old.Replaced, old.at = k.ID, e.Number
	}
	s.addKey(k)
	s.Key = k
	t.fact(s, e, "key", k.ID, "mikey.csb_id", "")
}

// inUse tells whether another session of the user still has the key.
func inUse(u *user, but *Session, k *Key) bool {
	if u == nil {
		return false
	}
	return slices.ContainsFunc(u.sessions, func(s *Session) bool { return s != but && s.live() && s.Key == k })
}

// used checks the keys that a message uses against their life.
func (t *Tracker) used(e *Event, u *user, m *Message) {
	check := func(id, body string) {
		if id == "" {
			return
		}
		k := u.key(id)
		if k == nil || k.Replaced == "" || e.Number <= k.at {
			return
		}
		k.Misused++
		t.find("csk-replaced", fmt.Sprintf("CSK %s is used after it was replaced by %s in message %d", id, k.Replaced, k.at), body, "")
	}
	d := m.details()
	for i := range d.Infos {
		in := &d.Infos[i]
		for _, v := range []*Value{&in.Token.Value, &in.ClientID, &in.RequestURI, &in.CallingUser, &in.CalledParty, &in.Profile} {
			if v.Encrypted {
				check(v.KeyID, in.Body)
			}
		}
	}
	for i := range d.Signatures {
		check(d.Signatures[i].KeyID, "")
	}
}

// knownKey is REG-07 and PUB-15: protection without a key delivered, in this message or before.
func (t *Tracker) knownKey(e *Event, u *user, m *Message, a *attempt, id string) {
	d := m.details()
	t.used(e, u, m)
	if !d.protected() || len(d.IMessages) > 0 {
		return
	}
	t.owns, a.owns = true, true
	missing, body, field := "", "", ""
	known := func(key string, opened bool) bool {
		if opened || key != "" && u.key(key) != nil {
			return true
		}
		return key == "" && len(u.keys) > 0
	}
	for i := range d.Infos {
		in := &d.Infos[i]
		for _, v := range []*Value{&in.Token.Value, &in.ClientID, &in.RequestURI, &in.Profile} {
			if v.Encrypted && !known(v.KeyID, v.Opened) {
				missing, body, field = keyName(v.KeyID), in.Body, in.Service.String()+"_info"
			}
		}
	}
	for i := range d.Signatures {
		if g := &d.Signatures[i]; !known(g.KeyID, g.State == "valid" || g.State == "invalid") {
			missing, field = keyName(g.KeyID), "signatures"
		}
	}
	if missing == "" {
		return
	}
	words := "protected content but no CSK delivered and none known: " + missing
	if id == "PUB-15" {
		words = "CSK missing: protection is used with a token, but no CSK is delivered and none is known: " + missing
	}
	started := u.seenBefore(m.CallID)
	if !started {
		words += "; the capture may have begun after its delivery"
	}
	t.findAs(id, severityFor(started), words, body, field)
	if n := len(t.out); n > 0 && t.out[n-1].ID == id {
		f := t.out[n-1]
		a.missing = &f
	}
}

func keyName(id string) string {
	if id == "" {
		return "no key is named"
	}
	return "CSK " + id
}

// keyDownload handles a MESSAGE by which the server gives a client a new key (TS 33.180 5.8, TS 24.379 7.2.5, 7.3.7).
func (t *Tracker) keyDownload(e *Event, a *attempt) *Link {
	d := e.Details
	var u *user
	for _, x := range []string{e.RequestURI, e.To.URI} {
		if u == nil {
			u = t.known(x)
		}
	}
	svc := serviceOf(d)
	if u == nil {
		for i := range d.IMessages {
			for s := range services {
				if o := t.member(s, d.IMessages[i].Responder); u == nil && o != nil {
					u, svc = o, s
				}
			}
		}
	}
	if u == nil {
		return t.newLink(Link{Kind: "key_download"})
	}
	a.user, a.kind = u, "key_download"
	t.deliver(e, u, &e.Message, a, "download")
	explicit := d.Services|tagsOf(d.Contacts) != 0
	for _, s := range u.sessions {
		if !s.live() || explicit && s.Service != svc {
			continue
		}
		if who := d.IMessages[0].Responder; who != "" && s.MCID != "" && strings.Contains(who, ":") && !sameURI(who, s.MCID) {
			continue
		}
		t.item(a, s, opOther)
		t.touch(s, e, false)
		for _, k := range a.keys {
			s.addKey(k)
			t.fact(s, e, "key_download", k.ID, "mikey.csb_id", "")
		}
	}
	if len(a.items) > 0 {
		return t.newLink(Link{}).of(a.items[0].s, a.kind)
	}
	return t.newLink(Link{Kind: a.kind, IMPU: u.impu})
}

// nonces is SEC-22: AES-GCM breaks when an IV serves twice under one key for different texts. The same cipher text
// again (a retransmission, a relayed body, TS 24.379 6.6.2.5) is none.
func (t *Tracker) nonces(e *Event) {
	for i := range e.Ciphers {
		c := &e.Ciphers[i]
		if text, again := t.ivs.seen(c); again && text != c.Text {
			t.find("SEC-22", "GCM nonce reuse: two different cipher texts under key "+c.KeyID+" have one IV", "", "")
		}
	}
}

// documents are the user profile documents of one user.
type documents struct{ indexes []int64 }

// profiles notes the user profile documents that pass.
func (t *Tracker) profiles(e *Event) {
	for i := range e.Details.Profiles {
		p := &e.Details.Profiles[i]
		t.key = append(append(t.key[:0], byte('0'+p.Service)), canon(p.User)...)
		doc, ok := t.documents.get(t.key)
		if !ok {
			doc = &documents{}
			t.documents.put(t.key, doc)
		}
		if !slices.Contains(doc.indexes, p.Index) && len(doc.indexes) < 64 {
			doc.indexes = append(doc.indexes, p.Index)
		}
	}
}

// profileKnown is PUB-31: the selected profile against the documents seen.
func (t *Tracker) profileKnown(s *Session, n *Entity) {
	if n.Profile < 0 || s.MCID == "" {
		return
	}
	t.key = append(append(t.key[:0], byte('0'+s.Service)), canon(s.MCID)...)
	if doc, ok := t.documents.get(t.key); ok && !slices.Contains(doc.indexes, n.Profile) {
		t.find("PUB-31", fmt.Sprintf("unknown user-profile-index %d: not in the user profile documents of %q seen so far", n.Profile, s.MCID), "", "poc_settings.entity.selected_user_profile_index")
	}
}
