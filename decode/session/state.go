package session

import "strconv"

// A State is where a service authorisation stands (TS 24.379 7.2, 7.3, 7A.2).
type State uint8

const (
	Fresh      State = iota // nothing was asked yet
	Requested               // the request is out
	Challenged              // 401 or 407: the network wants credentials first
	Accepted                // answered with 2xx
	Rejected                // answered with 3xx to 6xx, by the registrar, the server, or the server to the third-party REGISTER
	Expired                 // accepted, and the granted time ran out without a refresh
	LoggedOff               // by Expires 0, or by a re-REGISTER without the service's tags
	Replaced                // another user or another public identity took over the client
	Unknown                 // the answer is not in the capture
)

var stateNames = [...]string{"fresh", "requested", "challenged", "accepted", "rejected", "expired", "logged_off", "replaced", "unknown"}

// String returns the value of "state" in JSON.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// States lists the values of "state".
func States() []string { return append([]string(nil), stateNames[1:]...) }

// moves are the transitions that exist. Everything else cannot happen, whatever is missing from a capture.
var moves = [...][]State{
	Fresh:      {Requested},
	Requested:  {Challenged, Accepted, Rejected, Unknown, Replaced},
	Challenged: {Requested, Accepted, Rejected, Unknown, Replaced},
	Accepted:   {Rejected, Expired, LoggedOff, Replaced},
	Rejected:   {Requested, Replaced},
	Unknown:    {Requested, Challenged, Accepted, Rejected, LoggedOff, Replaced},
	Expired:    nil,
	LoggedOff:  nil,
	Replaced:   nil,
}

// Can reports whether a session may go from s to another state.
func (s State) Can(to State) bool {
	if int(s) >= len(moves) {
		return false
	}
	for _, m := range moves[s] {
		if m == to {
			return true
		}
	}
	return false
}

// Ended reports whether the authorisation is over: a new request opens a new session.
func (s State) Ended() bool { return s == Expired || s == LoggedOff || s == Replaced }
