package session

// Brief is a copy that holds what Chains looks at and no more: a capture may have very many sessions.
func (s *Session) Brief() *Session {
	b := &Session{
		ID: s.ID, IMPU: s.IMPU, Service: s.Service, How: s.How, MCID: s.MCID, Primary: s.Primary, State: s.State, Cause: s.Cause, KeyState: s.KeyState,
		Server: s.Server, Members: s.Members, FirstNumber: s.FirstNumber, FirstFrame: s.FirstFrame, Rejections: s.Rejections, Learned: s.Learned,
		Keys: s.Keys, Trail: s.Trail, Tokens: s.Tokens, From: s.From,
	}
	b.Token.Present, b.Token.Fingerprint, b.Token.Issuer = s.Token.Present, s.Token.Fingerprint, s.Token.Issuer
	return b
}
