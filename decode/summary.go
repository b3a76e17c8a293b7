package decode

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
)

// A Summary is what a run has to say at its end.
type Summary struct {
	Capture capture.Stats
	Flow    flow.Stats
	work    workStats
	headers bool // bodies were not read
	ring    keys.RingStats

	unprinted uint64 // messages left out because output stood still
}

// workStats are the counters of the parallel stage; one per batch, merged in order.
type workStats struct {
	Messages, Requests, Responses uint64
	Notes, Warnings, Errors       uint64
	Encrypted, Signed             uint64
	Dropped                       uint64 // nodes, findings and sources over a record's limits
	MCX                           uint64
}

func (s *workStats) count(r *record.Record, w *worker) {
	if r.Type == record.Message {
		s.Messages++
		if w.response {
			s.Responses++
		} else {
			s.Requests++
		}
		if w.mcx {
			s.MCX++
		}
	}
	s.findings(r.Findings)
	for i := range r.Prots {
		if r.Prots[i].Encrypted {
			s.Encrypted++
		}
	}
	s.Dropped += uint64(w.b.Dropped)
}

func (s *workStats) findings(fs []record.Finding) {
	for i := range fs {
		switch fs[i].Severity {
		case record.Error:
			s.Errors++
		case record.Warning:
			s.Warnings++
		default:
			s.Notes++
		}
	}
}

func (s *workStats) merge(o *workStats) {
	s.Messages += o.Messages
	s.Requests += o.Requests
	s.Responses += o.Responses
	s.Notes += o.Notes
	s.Warnings += o.Warnings
	s.Errors += o.Errors
	s.Encrypted += o.Encrypted
	s.Signed += o.Signed
	s.Dropped += o.Dropped
	s.MCX += o.MCX
}

func (s *Summary) add(f flow.Stats, c capture.Stats) { s.Flow, s.Capture = f, c }

// The summary record: what was read, what was found, and everything that was lost or left out.
var (
	fSummary         = reg("summary", "Summary", "mcxdump", record.Object)
	fSumFiles        = reg("summary.files", "Inputs", "mcxdump", record.Uint)
	fSumFrames       = reg("summary.frames", "Frames", "mcxdump", record.Uint)
	fSumOctets       = reg("summary.octets", "Captured octets", "mcxdump", record.Uint)
	fSumMessages     = reg("summary.messages", "SIP and HTTP messages", "mcxdump", record.Uint)
	fSumRequests     = reg("summary.requests", "Requests", "mcxdump", record.Uint)
	fSumResponses    = reg("summary.responses", "Responses", "mcxdump", record.Uint)
	fSumHTTPOther    = reg("summary.http_other", "HTTP messages left out: nothing in them has to do with mission critical services (--all-http)", "mcxdump", record.Uint)
	fSumMCX          = reg("summary.mcx_messages", "Messages with mission critical bodies", "mcxdump", record.Uint)
	fSumEncrypted    = reg("summary.encrypted_elements", "Encrypted elements", "mcxdump", record.Uint)
	fSumErrors       = reg("summary.errors", "Findings of severity error", "mcxdump", record.Uint)
	fSumWarnings     = reg("summary.warnings", "Findings of severity warning", "mcxdump", record.Uint)
	fSumNotes        = reg("summary.notes", "Findings of severity note", "mcxdump", record.Uint)
	fSumKeepAlives   = reg("summary.keep_alives", "SIP keep-alives", "RFC 5626 3.5", record.Uint)
	fSumQuoted       = reg("summary.quoted", "Messages quoted in ICMP errors", "RFC 792", record.Uint)
	fSumTruncated    = reg("summary.truncated_messages", "Messages with octets missing", "mcxdump", record.Uint)
	fSumCutFrames    = reg("summary.truncated_frames", "Frames that the capture cut off", "mcxdump", record.Uint)
	fSumDrops        = reg("summary.drops", "Frames lost by the capturing system", "mcxdump", record.Uint)
	fSumGaps         = reg("summary.gaps", "Gaps in SIP streams", "mcxdump", record.Uint)
	fSumGapOctets    = reg("summary.gap_octets", "Octets missing in them", "mcxdump", record.Uint)
	fSumJunk         = reg("summary.junk_octets", "Octets of SIP streams that belong to no message", "mcxdump", record.Uint)
	fSumRetrans      = reg("summary.retransmissions", "Segments and chunks seen before", "mcxdump", record.Uint)
	fSumFragTimeouts = reg("summary.fragment_timeouts", "Datagrams whose fragments did not all come", "RFC 791 3.2", record.Uint)
	fSumMalformed    = reg("summary.malformed_frames", "Layers that contradict themselves", "mcxdump", record.Uint)
	fSumESP          = reg("summary.esp", "ESP packets", "RFC 4303", record.Object)
	fSumESPPackets   = reg("summary.esp.packets", "All of them", "RFC 4303", record.Uint)
	fSumESPNull      = reg("summary.esp.null", "With null encryption, recognised by content", "RFC 5879", record.Uint)
	fSumESPDecrypted = reg("summary.esp.decrypted", "Read with a key that was given", "RFC 4303 3.4", record.Uint)
	fSumESPUnread    = reg("summary.esp.unreadable", "Not readable without a key, or with the wrong one", "RFC 4303 3.4", record.Uint)
	fSumESPWrongKey  = reg("summary.esp.wrong_key", "Of them, those that a key was given for", "RFC 4303 3.4", record.Uint)
	fSumESPBadICV    = reg("summary.esp.icv_bad", "Read, with a wrong integrity check value", "RFC 4303 3.4.4", record.Uint)
	fSumESPDouble    = reg("summary.esp.duplicates", "With a sequence number seen before", "RFC 4303 3.4.3", record.Uint)
	fSumESPSPIs      = regMap("summary.esp.unreadable_spis", "SPIs and destinations of unreadable packets, with how many", "RFC 4303 2.1", record.String)
	fSumSigComp      = reg("summary.sigcomp", "SigComp messages and streams that are not decompressed", "RFC 3320 7", record.Uint)
	fSumTimeJumps    = reg("summary.time_jumps", "Forward jumps of packet time that were clamped", "mcxdump", record.Uint)
	fSumTimeBacks    = reg("summary.time_backs", "Frames older than the one before", "mcxdump", record.Uint)
	fSumLeftOut      = reg("summary.left_out", "Items over the limits of one record", "mcxdump", record.Uint)
	fSumHEP          = reg("summary.hep_packets", "HEP packets", "HEP3", record.Uint)
	fSumHEPOther     = reg("summary.hep_other", "HEP packets without SIP: RTCP, reports, logs", "HEP3", record.Uint)
	fSumHEPMalformed = reg("summary.hep_malformed", "HEP packets that contradict themselves or hold no message", "HEP3", record.Uint)
	fSumLimits       = regMap("summary.limits", "Limits that were reached, with how often", "mcxdump", record.String)
	fSumTLS          = reg("summary.tls_connections", "TLS connections whose handshake was seen", "RFC 8446", record.Uint)
	fSumTLSOpened    = reg("summary.tls_decrypted", "of them those that were decrypted", "mcxdump", record.Uint)
	fSumTLSNoKey     = reg("summary.tls_no_key", "of them those without a key", "mcxdump", record.Uint)
	fSumTLSFailed    = reg("summary.tls_failed", "of them those whose handshake failed", "RFC 8446 6", record.Uint)
	fSumUnknownLinks = regMap("summary.unknown_link_types", "Frames of unknown link types", "mcxdump", record.String)
	fSumFaults       = regList("summary.faults", "Faults of the input", "mcxdump", record.String)
)

// Lost reports whether anything on the way was lost, left out or given up, so that the user has to be told.
func (s *Summary) Lost() bool {
	f := &s.Flow
	for _, n := range f.Limits {
		if n > 0 {
			return true
		}
	}
	for _, l := range s.ringLimits() {
		if l.n > 0 {
			return true
		}
	}
	return s.unprinted > 0 || s.Capture.Drops > 0 || s.Capture.Errors > 0 || f.Gaps > 0 || f.FragmentTimedOut > 0 || len(f.UnknownLinks) > 0 || s.work.Dropped > 0
}

type ringLimit struct {
	name string
	n    uint64
}

// ringLimits are the limits of the keys, with how often they were reached.
func (s *Summary) ringLimits() []ringLimit {
	r := &s.ring
	return []ringLimit{{"uris", r.URIsDropped}, {"imessages", r.MessagesDropped}, {"imessages-again", r.RetriesDropped}, {"search", r.SearchCut}, {"kms-material", r.MaterialDropped}}
}

// Messages is the number of messages.
func (s *Summary) Messages() uint64 { return s.work.Messages }

// Record makes the summary a record, so that every format can print it.
func (s *Summary) Record() *record.Record {
	r := &record.Record{Type: record.SummaryType}
	b := record.Builder{R: r, Want: record.All()}
	b.Open(fSummary, record.Place{})
	always := func(f *record.Field, n uint64) { b.Num(f, int64(n), record.Place{}) }
	some := func(f *record.Field, n uint64) {
		if n > 0 {
			always(f, n)
		}
	}
	f, w := &s.Flow, &s.work
	always(fSumFiles, uint64(s.Capture.Files))
	always(fSumFrames, f.Frames)
	always(fSumOctets, f.Octets)
	always(fSumMessages, w.Messages)
	always(fSumRequests, w.Requests)
	always(fSumResponses, w.Responses)
	some(fSumHTTPOther, f.HTTPOther)
	if !s.headers {
		always(fSumMCX, w.MCX)
		always(fSumEncrypted, w.Encrypted)
		always(fSumErrors, w.Errors)
		always(fSumWarnings, w.Warnings)
		always(fSumNotes, w.Notes)
	}
	some(fSumKeepAlives, f.KeepAlives)
	some(fSumQuoted, f.Quoted)
	some(fSumTruncated, f.Truncated)
	some(fSumCutFrames, f.CutFrames)
	always(fSumDrops, s.Capture.Drops)
	always(fSumGaps, f.Gaps)
	some(fSumGapOctets, f.GapOctets)
	some(fSumJunk, f.Junk)
	some(fSumRetrans, f.Retransmissions)
	some(fSumFragTimeouts, f.FragmentTimedOut)
	some(fSumMalformed, f.Malformed)
	if f.ESP > 0 {
		b.Open(fSumESP, record.Place{})
		always(fSumESPPackets, f.ESP)
		some(fSumESPNull, f.ESPNull)
		some(fSumESPDecrypted, f.ESPDecrypted)
		some(fSumESPUnread, f.Encrypted)
		some(fSumESPWrongKey, f.ESPWrongKey)
		some(fSumESPBadICV, f.ESPBadICV)
		some(fSumESPDouble, f.ESPDuplicates)
		if len(f.UnreadSPIs) > 0 {
			b.Open(fSumESPSPIs, record.Place{})
			for _, s := range f.UnreadSPIs {
				b.Entry(fSumESPSPIs, fmt.Sprintf("%08x %s", s.SPI, s.Dst), strconv.FormatUint(s.Packets, 10), record.Place{})
			}
			b.Close()
		}
		b.Close()
	}
	some(fSumSigComp, f.SigComp)
	some(fSumTimeJumps, f.TimeJumps)
	some(fSumTimeBacks, f.TimeBacks)
	some(fSumLeftOut, w.Dropped)
	some(fSumTLS, f.TLSConnections)
	some(fSumTLSOpened, f.TLSOpened)
	some(fSumTLSNoKey, f.TLSNoKey)
	some(fSumTLSFailed, f.TLSFailed)
	some(fSumHEP, f.HEP)
	some(fSumHEPOther, f.HEPOther)
	some(fSumHEPMalformed, f.HEPMalformed+f.HEPEmpty)
	b.Open(fSumLimits, record.Place{})
	for l, n := range f.Limits {
		if n > 0 {
			b.Entry(fSumLimits, flow.Limit(l).String(), strconv.FormatUint(n, 10), record.Place{})
		}
	}
	if s.unprinted > 0 {
		b.Entry(fSumLimits, "output-slow", strconv.FormatUint(s.unprinted, 10), record.Place{})
	}
	for _, l := range s.ringLimits() {
		if l.n > 0 {
			b.Entry(fSumLimits, l.name, strconv.FormatUint(l.n, 10), record.Place{})
		}
	}
	b.Close()
	if len(f.UnknownLinks) > 0 {
		b.Open(fSumUnknownLinks, record.Place{})
		for _, l := range slices.Sorted(maps.Keys(f.UnknownLinks)) {
			b.Entry(fSumUnknownLinks, itoa(int(l)), strconv.FormatUint(f.UnknownLinks[l], 10), record.Place{})
		}
		b.Close()
	}
	for _, e := range s.Capture.List {
		b.Str(fSumFaults, e.Error(), record.Place{})
	}
	b.Close()
	return r
}
