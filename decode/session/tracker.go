package session

import (
	"github.com/mcxdump/mcxdump/decode/record"
)

// Limits bound the tracker's memory. Zero means the default, which keeps all tables together below about 96 MiB.
type Limits struct {
	Transactions  int // 16384 transactions, and as many requests followed over several hops
	Users         int // 16384 public user identities
	Sessions      int // 16384 service authorisations
	Publications  int // 16384 published states
	Subscriptions int // 4096 subscriptions to poc-settings
	Tokens        int // 8192 tokens, followed by fingerprint; as many codes, issuers and users of HTTP servers
	Exchanges     int // 8192 HTTP requests that wait for their response
	Nonces        int // 32768 fingerprints of IVs
	Profiles      int // 4096 user profile documents
	Events        int // 32768 messages kept for ladders, over all sessions
	SessionEvents int // 64 messages kept for the ladder of one session: the first and the last ones
	PerUser       int // 16 sessions, contacts and keys of one user
	Evidence      int // 32 facts with their evidence, and as many transitions, of one session
}

const defaultMemory = 96 << 20

// LimitsFor returns limits for a memory budget in octets, in proportion to the defaults.
func LimitsFor(memory int64) Limits {
	l := Limits{}.withDefaults()
	if memory <= 0 {
		return l
	}
	f := float64(memory) / defaultMemory
	for _, p := range []*int{&l.Transactions, &l.Users, &l.Sessions, &l.Publications, &l.Subscriptions, &l.Tokens, &l.Exchanges, &l.Nonces, &l.Profiles, &l.Events} {
		*p = int(min(max(float64(*p)*f, 64), 1<<30))
	}
	return l
}

func (l Limits) withDefaults() Limits {
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&l.Transactions, 16384)
	def(&l.Users, 16384)
	def(&l.Sessions, 16384)
	def(&l.Publications, 16384)
	def(&l.Subscriptions, 4096)
	def(&l.Tokens, 8192)
	def(&l.Exchanges, 8192)
	def(&l.Nonces, 32768)
	def(&l.Profiles, 4096)
	def(&l.Events, 32768)
	def(&l.SessionEvents, 64)
	def(&l.PerUser, 16)
	def(&l.Evidence, 32)
	return l
}

// Config of a Tracker. The zero value is ready: default limits, newest release.
type Config struct {
	Limits Limits
	// Release decides which Warning codes are allocated (TS 24.379 4.4.2): 13 to 20, 0 for the newest.
	Release int
	// NoLadders keeps no messages for ladders: Session.Events is empty.
	NoLadders bool
	// Evicted is given each session that leaves because of a limit, settled as far as the capture tells. Nil drops it.
	Evicted func(*Session)
}

// Stats are the tracker's counters.
type Stats struct {
	Events, Quoted              uint64
	TimeBacks, TimeJumps        uint64
	Transactions, Answered      uint64
	Unanswered, Cancelled       uint64
	Orphans                     uint64 // responses without a request
	OldStyle                    uint64 // transactions matched by the rules of RFC 2543
	RequestRepeats              uint64
	ResponseRepeats             uint64
	ResponseNS, MaxResponseNS   int64  // sum and maximum over final responses
	Hops                        uint64 // requests seen again on a further hop
	Registrations, Refreshes    uint64
	Deregistrations             uint64
	ThirdParty, ThirdPartyTied  uint64
	Publications, Subscriptions uint64
	KeyUploads, KeyDownloads    uint64
	Sessions                    uint64
	Findings                    uint64
	EvictedTransactions         uint64
	EvictedUsers                uint64
	EvictedSessions             uint64
	EvictedPublications         uint64
	EvictedSubscriptions        uint64
	EvictedNonces               uint64
	EvictedProfiles             uint64
	EvictedEvents               uint64 // messages that a ladder lacks
	EvictedPerUser              uint64
	EvictedFacts                uint64
	HTTPRequests, HTTPAnswered  uint64
	HTTPUnanswered, HTTPOrphans uint64
	Tokens                      uint64 // handed out by an IdM
	EvictedTokens               uint64
	EvictedGrants               uint64 // authorisation requests, codes, issuers and users of HTTP servers
	EvictedExchanges            uint64
}

// An Effect is what a message did.
type Effect struct {
	Session  *Link // valid until the next message
	Findings []record.Finding
	// Withdraw are ids of findings that a look at the one message may have added to its record and that the messages
	// before it answer better (REG-07, PUB-15: is the CSK known?). They are to be taken out of the record before
	// Findings are added.
	Withdraw []string
}

// A Tracker follows transactions, registrations, publications and service authorisations. It is for one goroutine.
type Tracker struct {
	cfg   Config
	stats Stats
	now   int64
	jump  int64 // a forward jump that one message alone has claimed

	transactions table[*transaction]
	attempts     table[*attempt]
	users        table[*user]
	members      table[*user] // by service and MC service ID
	sessions     table[*Session]
	publications table[*publication]
	subscribed   table[*subscription]
	ivs          nonceTable
	documents    table[*documents]
	exchanges    table[*exchange]
	servers      table[int]    // numbers of sessions by service, host and user or token
	grants       table[*grant] // by state, by code, by client
	tokens       table[*Trail] // by fingerprint
	issuers      table[struct{}]
	queue        queue
	nextID       int

	key  []byte         // scratch
	idle []*transaction // that ended, to be used again
	out  []record.Finding
	link Link
	owns bool // the tracker has the last word on REG-07 and PUB-15 of this message
}

// keyChecks are the checks whose single-message form the tracker replaces.
var keyChecks = []string{"REG-07", "PUB-15"}

// NewTracker returns a tracker.
func NewTracker(c Config) *Tracker {
	c.Limits = c.Limits.withDefaults()
	t := &Tracker{cfg: c}
	t.transactions = newTable(c.Limits.Transactions, t.ended)
	t.attempts = newTable[*attempt](c.Limits.Transactions, nil)
	t.users = newTable(c.Limits.Users, t.dropUser)
	t.members = newTable[*user](c.Limits.Users, nil)
	t.sessions = newTable(c.Limits.Sessions, t.dropSession)
	t.publications = newTable[*publication](c.Limits.Publications, nil)
	t.subscribed = newTable[*subscription](c.Limits.Subscriptions, nil)
	t.ivs = newNonceTable(c.Limits.Nonces)
	t.documents = newTable[*documents](c.Limits.Profiles, nil)
	t.exchanges = newTable(c.Limits.Exchanges, t.webUnanswered)
	t.servers = newTable[int](4*c.Limits.Tokens, nil)
	t.grants = newTable[*grant](2*c.Limits.Tokens, nil)
	t.tokens = newTable[*Trail](c.Limits.Tokens, nil)
	t.issuers = newTable[struct{}](c.Limits.Tokens, nil)
	return t
}

// Read is the function Read, but leaves out of the event what this tracker does not look at. It may be called from any goroutine.
func (t *Tracker) Read(r *record.Record) *Event { return read(r, !t.cfg.NoLadders) }

// maxJump is the longest silence that a single message may claim: a longer one is believed when the next message
// confirms it.
const maxJump = 24 * 3600 * second

// clock moves packet time. It never goes back, and one hostile time stamp does not move it far.
func (t *Tracker) clock(at int64) {
	switch {
	case t.now == 0 || at >= t.now && at-t.now <= maxJump:
		t.now, t.jump = max(at, 1), 0
	case at < t.now:
		t.stats.TimeBacks++
	default:
		if t.jump != 0 && at >= t.jump && at-t.jump <= maxJump {
			t.now, t.jump = at, 0
			return
		}
		t.stats.TimeJumps++
		t.jump = at
	}
}

// Stats returns the counters.
func (t *Tracker) Stats() Stats {
	s := t.stats
	s.EvictedTransactions, s.EvictedUsers, s.EvictedSessions = t.transactions.evicted, t.users.evicted, t.sessions.evicted
	s.EvictedPublications, s.EvictedSubscriptions, s.EvictedNonces, s.EvictedProfiles = t.publications.evicted, t.subscribed.evicted, t.ivs.evicted, t.documents.evicted
	s.EvictedTokens, s.EvictedExchanges = t.tokens.evicted, t.exchanges.evicted
	s.EvictedGrants = t.grants.evicted + t.servers.evicted + t.issuers.evicted
	return s
}
