package session

// An attempt is one request, over all the hops on which it was captured.
type attempt struct {
	number uint64
}

func (t *Tracker) unanswered(a *attempt) {}

// A Session is one service authorisation: an IMPU, an MC service and a client.
type Session struct{}

// Add takes the next message in capture order.
func (t *Tracker) Add(e *Event) Effect {
	if e == nil {
		return Effect{}
	}
	t.stats.Events++
	if e.Quoted {
		t.stats.Quoted++
		return Effect{}
	}
	t.clock(e.Time)
	t.age()
	x, r := t.transact(e)
	if x == nil {
		return Effect{}
	}
	l := &Link{Kind: "transaction"}
	switch r {
	case newResponse, repeatedResponse:
		l.Request, l.HasTime, l.ResponseNS = x.number, true, max(0, t.now-x.time)
		if r == repeatedResponse {
			l.Repeat = x.answer
		}
	case repeatedRequest:
		l.Repeat = x.number
	default:
		return Effect{}
	}
	return Effect{Session: l}
}

// Finish ends the capture: what is still open becomes unknown.
func (t *Tracker) Finish() {}

// Sessions returns the sessions in the order of their first message.
func (t *Tracker) Sessions() []*Session { return nil }

// AppendJSON appends the session as one line of mcxdump.sessions/1, without the line feed.
func (s *Session) AppendJSON(dst []byte) []byte { return dst }
