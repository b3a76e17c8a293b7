package output

import "github.com/mcxdump/mcxdump/decode/record"

// pipe appends what line makes of a message for a pipe without colours: every column whole, so that none has to know where
// the one before it ends.
func (t *tableFormat) pipe(dst []byte, r *record.Record) []byte {
	w := t.row(r)
	if r.Number == 0 {
		dst = append(dst, "    - "...)
	} else {
		dst = append(appendRight(dst, r.Number, 5), ' ')
	}
	if t.style == TimeUTC {
		dst = appendRFC3339(dst, r.Time)
	} else {
		var tmp [32]byte
		at := appendTime(tmp[:0], r.Time, t.style, t.clock)
		dst = append(appendBlanks(dst, t.timeWidth()-len(at)), at...)
	}
	dst = append(dst, ' ')
	at := len(dst)
	dst = appendAddrPort(dst, r.Src)
	dst = append(appendBlanks(dst, 21-(len(dst)-at)), " -> "...)
	at = len(dst)
	dst = appendAddrPort(dst, r.Dst)
	dst = append(appendBlanks(dst, 21-(len(dst)-at)), ' ')
	dst = append(appendCell(dst, dash(r.Transport), 4), ' ')
	switch {
	case w.status != 0:
		at = len(dst)
		dst = appendUint(dst, w.status)
		dst = appendBlanks(dst, 10-(len(dst)-at))
	case w.method != "":
		dst = appendCell(dst, oneWord(w.method), 10)
	default:
		dst = appendCell(dst, r.Type.String(), 10)
	}
	dst = append(dst, ' ')
	at = len(dst)
	dst = appendMarksColumn(dst, r)
	dst = append(appendBlanks(dst, 5-(len(dst)-at)), ' ')
	if len(r.Findings) == 0 {
		dst = append(dst, "- "...)
	} else {
		l := line{dst: dst, max: unlimited}
		l.findings(r)
		dst = append(l.dst, ' ')
	}
	at = len(dst)
	if n := len(r.Frames); n == 0 {
		dst = append(dst, '-')
	} else {
		dst = appendUint(dst, r.Frames[n-1])
	}
	dst = append(appendBlanks(dst, 5-(len(dst)-at)), ' ')
	if w.status != 0 && w.reason != "" {
		dst = append(AppendSafe(dst, w.reason), ' ')
	}
	switch {
	case r.Info != "":
		dst = append(AppendSafe(dst, r.Info), ' ')
	case w.status == 0 && w.target != "":
		dst = append(AppendSafe(dst, w.target), ' ')
	}
	if r.Quoted {
		dst = append(dst, "(quoted in ICMP)"...)
	}
	for dst[len(dst)-1] == ' ' { // there are columns before that are not blank
		dst = dst[:len(dst)-1]
	}
	return append(dst, '\n')
}

// appendCell appends text from the wire, and blanks up to a width.
func appendCell(dst []byte, s string, width int) []byte {
	at := len(dst)
	dst = AppendSafe(dst, s)
	return appendBlanks(dst, width-width0(dst[at:]))
}
