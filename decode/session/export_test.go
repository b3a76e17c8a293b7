package session

// Spoil makes Release overwrite what is given back, and never use it again, until the function that it returns is called.
func Spoil() (undo func()) {
	poison = func(e *Event) {
		d := &e.pooled.details
		wrong := Value{Present: true, Encrypted: true, State: "spoiled", KeyID: "spoiled", Text: "spoiled"}
		spoil(d.Contacts, Contact{URI: "sip:spoiled", Instance: "spoiled", Tags: 7, Features: []string{"spoiled"}})
		spoil(d.Warnings, Warning{Code: 399, Text: "spoiled", MC: 101})
		spoil(d.Asserted, "spoiled")
		spoil(d.Preferred, "spoiled")
		spoil(d.Associated, "spoiled")
		spoil(d.Security, Mechanism{Name: "spoiled"})
		spoil(d.Infos, Info{Body: "spoiled", Digest: 1, Token: Token{Value: wrong, Fingerprint: "spoiled"}, ClientID: wrong, RequestURI: wrong, Profile: wrong})
		spoil(d.Settings, Entity{ID: "spoiled", AnswerMode: "spoiled"})
		spoil(d.IMessages, IMessage{CSBID: "spoiled", Initiator: "spoiled"})
		spoil(d.Signatures, Signature{State: "spoiled", KeyID: "spoiled"})
		spoil(d.Profiles, Profile{User: "spoiled"})
		spoil(e.Frames, 1<<40)
		spoil(e.Inner, Message{Method: "spoiled", CallID: "spoiled"})
		spoil(e.Ciphers, Cipher{KeyID: "spoiled"})
		*d = Details{Event: "spoiled", ETag: "spoiled", Authorized: true, Expires: 12345}
		*e = Event{Number: 1 << 40, Time: 1, Message: Message{Method: "spoiled", CallID: "spoiled", Status: 699, Details: d}, pooled: e.pooled}
		e.pooled = &readEvent{}
	}
	return func() { poison = nil }
}

func spoil[T any](list []T, x T) {
	for i := range list[:cap(list)] {
		list[:cap(list)][i] = x
	}
}

// Plain is an event without what it points at.
func Plain(e *Event) *Event {
	c := *e
	c.Details, c.HTTP, c.Inner, c.pooled = nil, nil, nil, nil
	return &c
}
