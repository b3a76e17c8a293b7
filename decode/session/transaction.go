package session

import (
	"strconv"
	"strings"
)

// Ageing of transactions, in nanoseconds of packet time: 64*T1 is 32 s (RFC 3261 17.1.2.2), an INVITE may ring for
// three minutes (timer C, 16.6).
const (
	second        = int64(1e9)
	ageTransact   = 40 * second
	ageInvite     = 200 * second
	provisional   = 100
	finalResponse = 200
)

// A transaction is one request on one hop with its responses (RFC 3261 17).
type transaction struct {
	method, callID, toTag, requestURI string
	cseq                              uint32
	number                            uint64 // of the request
	frame                             uint64
	time                              int64
	digest                            uint64
	repeats                           int
	status                            int // last one seen
	answer                            uint64
	answerDigest                      uint64
	answerRepeats                     int
	final, cancelled, acked           bool
	attempt                           *attempt
}

// role is what a message is within its transaction.
type role uint8

const (
	newRequest role = iota
	repeatedRequest
	newResponse
	repeatedResponse
	orphanResponse
	ackRequest
)

// transactionKey builds the key of RFC 3261 17.2.3: branch, sent-by and method (an ACK belongs to its INVITE). Without
// the magic cookie of RFC 3261 8.1.1.7 it falls back to the rules of RFC 2543: Call-ID, From tag, CSeq and topmost Via.
func (t *Tracker) transactionKey(m *Message, method string) []byte {
	k := t.key[:0]
	if len(m.Branch) > 7 && strings.EqualFold(m.Branch[:7], "z9hG4bK") {
		k = append(k, 'b')
		k = append(k, m.Branch...)
		k = append(k, 0)
		k = append(k, m.SentBy...)
	} else {
		k = append(k, 'o')
		k = append(k, m.CallID...)
		k = append(k, 0)
		k = append(k, m.From.Tag...)
		k = append(k, 0)
		k = strconv.AppendUint(k, uint64(m.CSeq), 10)
		k = append(k, 0)
		k = append(k, m.SentBy...)
		k = append(k, 0)
		k = append(k, m.Branch...)
	}
	k = append(k, 0)
	k = append(k, method...)
	t.key = k
	return k
}

// transact finds or opens the transaction of a message.
func (t *Tracker) transact(e *Event) (*transaction, role) {
	m := &e.Message
	if !m.Request {
		return t.response(e)
	}
	if m.Method == "ACK" {
		// The ACK to a non-2xx response is part of the INVITE transaction; that to a 2xx has a branch of its own.
		if x, ok := t.transactions.get(t.transactionKey(m, "INVITE")); ok && x.callID == m.CallID {
			if x.acked {
				t.stats.RequestRepeats++
				return x, repeatedRequest
			}
			x.acked = true
			return x, ackRequest
		}
		return nil, ackRequest
	}
	key := t.transactionKey(m, m.Method)
	if x, ok := t.transactions.get(key); ok && x.same(m) {
		// Equal octets are a retransmission or a second capture of the same hop; the same transaction with other octets
		// is one too, of a stack that changes a header field (a time stamp) on the way.
		x.repeats++
		t.stats.RequestRepeats++
		return x, repeatedRequest
	}
	x := t.newTransaction()
	*x = transaction{method: m.Method, callID: m.CallID, toTag: m.To.Tag, requestURI: m.RequestURI, cseq: m.CSeq, number: e.Number, frame: e.frame(), time: t.now, digest: e.Digest}
	t.transactions.put(key, x)
	t.stats.Transactions++
	if m.Branch == "" || len(m.Branch) < 7 || !strings.EqualFold(m.Branch[:7], "z9hG4bK") {
		t.stats.OldStyle++
	}
	if m.Method == "CANCEL" {
		if inv, ok := t.transactions.get(t.transactionKey(m, "INVITE")); ok {
			inv.cancelled = true
			t.stats.Cancelled++
		}
	}
	return x, newRequest
}

// same tells whether a request belongs to the transaction: a stack that uses one branch for everything must not
// swallow later requests.
func (x *transaction) same(m *Message) bool {
	return x.callID == m.CallID && x.cseq == m.CSeq && x.toTag == m.To.Tag && x.requestURI == m.RequestURI
}

func (t *Tracker) response(e *Event) (*transaction, role) {
	m := &e.Message
	x, ok := t.transactions.get(t.transactionKey(m, m.Method))
	if !ok || x.callID != m.CallID || x.cseq != m.CSeq {
		t.stats.Orphans++
		return nil, orphanResponse
	}
	switch {
	case x.final:
		// A second final response: the same one again, or a fork's.
		if x.answerDigest == e.Digest || x.status == m.Status {
			x.answerRepeats++
			t.stats.ResponseRepeats++
			return x, repeatedResponse
		}
	case x.answerDigest != 0 && x.answerDigest == e.Digest:
		x.answerRepeats++
		t.stats.ResponseRepeats++
		return x, repeatedResponse
	}
	x.status, x.answer, x.answerDigest = m.Status, e.Number, e.Digest
	if m.Status >= finalResponse && !x.final {
		x.final = true
		t.stats.Answered++
		d := max(0, t.now-x.time)
		t.stats.ResponseNS += d
		t.stats.MaxResponseNS = max(t.stats.MaxResponseNS, d)
	}
	return x, newResponse
}

// age ends transactions whose answer can no longer come. It looks at a few entries a message, so that its cost is flat.
func (t *Tracker) age() {
	for range 4 {
		x, ok := t.transactions.oldest()
		if !ok {
			return
		}
		limit := ageTransact
		if x.method == "INVITE" {
			limit = ageInvite
		}
		if t.now-x.time < limit {
			return
		}
		t.transactions.drop()
		t.ended(x)
	}
}

// ended accounts for a transaction that leaves the table.
func (t *Tracker) ended(x *transaction) {
	if !x.final {
		t.stats.Unanswered++
	}
	if x.attempt != nil {
		t.unanswered(x.attempt)
	}
	if len(t.idle) < maxIdle {
		*x = transaction{}
		t.idle = append(t.idle, x)
	}
}

// maxIdle is how many ended transactions are kept for use again.
const maxIdle = 64

func (t *Tracker) newTransaction() *transaction {
	n := len(t.idle)
	if n == 0 {
		return new(transaction)
	}
	x := t.idle[n-1]
	t.idle = t.idle[:n-1]
	return x
}
