package session

import (
	"fmt"
	"strconv"
	"strings"
)

// texts are the Warning texts of TS 24.379 table 4.4.2-2 as far as they are confirmed by the specification or by two
// independent implementations; a text that is only known by its ending begins with "…".
var texts = map[int]string{
	100: "function not allowed due to",
	101: "service authorisation failed",
	102: "too many simultaneous affiliations",
	103: "maximum simultaneous MCPTT group calls reached",
	104: "isfocus not assigned",
	105: "subscription not allowed in a broadcast group call",
	106: "user not authorised to join chat group",
	107: "user not authorised to make private calls",
	108: "user not authorised to make chat group calls",
	109: "user not authorised to make prearranged group calls",
	110: "user declined the call invitation",
	111: "group call proceeded without all required group members",
	112: "group call abandoned due to required group member",
	113: "group document does not exist",
	114: "unable to retrieve group document",
	115: "group is disabled",
	116: "user is not part of the MCPTT group",
	117: "the group identity indicated in the request is a prearranged group",
	118: "the group identity indicated in the request is a chat group",
	119: "user is not authorised to initiate the group call",
	120: "user is not affiliated to this group",
	121: "user is not authorised to join the group call",
	122: "too many participants",
	123: "MCPTT session already exists",
	124: "maximum number of private calls reached",
	125: "…authorised to make private call with automatic commencement",
	126: "…authorised to make private call with manual commencement",
	127: "user not authorised to be called in private call",
	136: "authentication of the MIKEY-SAKKE I_MESSAGE failed",
	137: "the indicated group call does not exist",
	138: "subscription of conference events not allowed",
	139: "integrity protection check failed",
	140: "unable to decrypt XML content",
	141: "user unknown to the participating function",
	142: "unable to determine the controlling function",
	144: "user not authorised to call this particular user",
	145: "unable to determine called party",
	146: "T-PF unable to determine the service settings for the called user",
	147: "user is authorized to initiate a temporary group call",
	148: "MCPTT group is regrouped",
	149: "SIP INFO request pending",
	151: "user not authorised to make a private call call-back request",
	152: "user not authorised to make a private call call-back cancel request",
	153: "user not authorised to call any of the users requested in the first-to-answer call",
	154: "user not authorised to make ambient listening call",
	156: "user not authorised to originate a first-to-answer call",
	163: "the group identity indicated in the request does not exist",
	165: "group ID for regroup already in use",
	167: "call is not allowed on the preconfigured group",
	168: "alert is not allowed on the preconfigured group",
	179: "service not authorized with the interconnected system",
	185: "user not authorised to initiate the adhoc group call",
	186: "the MCPTT system do not support adhoc group call",
	187: "can't determine the adhoc group participants",
	189: "maximum number of allowed adhoc group participants exceeded",
	190: "…authorised to modify adhoc group call participants",
}

// uses are codes whose text is not confirmed but whose meaning is known from where they are used.
var uses = map[int]string{
	143: "not authorised to force auto answer",
	164: "limit of simultaneous service authorisations",
}

// dataCodes are codes that TS 24.282 table 4.9-1 uses otherwise than TS 24.379.
var dataCodes = map[int]string{
	198: "no users affiliated to this group",
	199: "expected MIME bodies not in the request",
	204: "unable to determine the target of the one-to-one SDS",
	205: "unable to determine the target of the one-to-one FD",
	206: "SDS not allowed for the group",
	213: "file distribution not allowed for the group",
	217: "message size",
}

// Text is the text of an MC Warning code in the service's table, false when it is not known.
func Text(s Service, code int) (string, bool) {
	if s == MCData && code > 142 {
		return "", false
	}
	w, ok := texts[code]
	if s == MCVideo {
		if code == 154 {
			return "user not authorised to make ambient viewing call", true
		}
		w = strings.ReplaceAll(w, "MCPTT", "MCVideo")
	}
	return w, ok
}

// Meaning is what a code says in words, from the table or from its known use; "" when nothing is known.
func Meaning(s Service, code int) string {
	if s == MCData {
		if w, ok := dataCodes[code]; ok {
			return w
		}
	}
	if w, ok := Text(s, code); ok {
		return strings.TrimPrefix(w, "…")
	}
	if s != MCData {
		return uses[code]
	}
	return ""
}

// lastCode is the highest code of the MCPTT table for each release (TS 24.379 table 4.4.2-2).
func lastCode(release int) int {
	switch {
	case release <= 0 || release >= 20:
		return 201
	case release <= 13:
		return 150
	case release == 14:
		return 156
	case release == 15:
		return 158
	case release == 16:
		return 165
	case release == 17:
		return 183
	}
	return 195 // 18; of 19 see allocation
}

// allocation tells whether a code is outside the table of a release, and whether that is doubtful.
func allocation(s Service, code, release int) (words string, bad, soft bool) {
	switch {
	case code >= 300 && code <= 350:
		return "", false, false // TS 29.379 table 4.2.2-1: interworking
	case code >= 129 && code <= 135:
		return fmt.Sprintf("unknown Warning code %d: 129 to 135 were never allocated", code), true, false
	case s == MCData && code >= 100 && code < 300:
		return "", false, false // TS 24.282 table 4.9-1 has numbers of its own
	case code < 100 || code > 201:
		return fmt.Sprintf("unknown Warning code %d", code), true, false
	case code > lastCode(release):
		// It is not settled whether 196 to 201 came with release 19 or 20.
		return fmt.Sprintf("Warning code %d is not allocated in release %d", code, release), true, release == 19 && code >= 196
	}
	return "", false, false
}

// warnText is the text behind the code.
func warnText(w *Warning) string {
	t := strings.TrimSpace(w.Text)
	if len(t) >= 3 {
		if _, err := strconv.Atoi(t[:3]); err == nil {
			return strings.TrimSpace(t[3:])
		}
	}
	return t
}

// softEqual compares a text with the table's: case, white space, British and American spelling and what follows do not
// count.
func softEqual(code int, have, want string) bool {
	h, w := soft(have), soft(want)
	if tail, ok := strings.CutPrefix(w, "…"); ok {
		return strings.HasSuffix(h, tail)
	}
	if code == 112 {
		return strings.HasPrefix(h, "group call abandoned due to") && strings.Contains(h, "required group member")
	}
	return h != "" && (strings.HasPrefix(h, w) || strings.HasPrefix(w, h))
}

func soft(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "authoriz", "authoris")
	return strings.Trim(strings.Join(strings.Fields(s), " "), " .")
}

// causeWords says why a request was refused: status, reason phrase, and each Warning in the server's words and, where
// they differ, the table's.
func causeWords(e *Event, s Service) string {
	d := e.details()
	b := itoa(e.Status)
	if e.Reason != "" {
		b += " " + e.Reason
	}
	for i := range d.Warnings {
		if i == 4 {
			break
		}
		w := &d.Warnings[i]
		b += "; "
		if w.Code != 399 {
			b += itoa(w.Code) + " "
		}
		b += clipText(w.Text, 160)
		if w.MC >= 0 {
			if m := Meaning(s, w.MC); m != "" && !softEqual(w.MC, warnText(w), m) {
				b += " (" + itoa(w.MC) + ": " + m + ")"
			}
		}
	}
	return b
}
