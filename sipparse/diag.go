package sipparse

import "strconv"

// Severity says how bad a defect is.
type Severity uint8

// The severities, mildest first.
const (
	SevNote    Severity = iota // allowed or harmless, but worth knowing
	SevWarning                 // against the grammar, yet the meaning is not in doubt
	SevError                   // a receiver may reject the message or read it differently
)

// String gives the severity's name.
func (s Severity) String() string {
	switch s {
	case SevNote:
		return "note"
	case SevWarning:
		return "warning"
	case SevError:
		return "error"
	}
	return "Severity(" + strconv.Itoa(int(s)) + ")"
}

// Diag is one defect of a message, a frame or a MIME part. Off and Len are octets of the buffer that was parsed; Header
// is the header field it is about, HdrOther when it is about none or one without a number.
type Diag struct {
	ID       DiagID
	Header   HeaderID
	Off, Len uint32
	Detail   string // what exactly, when the place alone does not say it
}

// Severity is the severity of the diagnostic's kind.
func (d Diag) Severity() Severity { return d.ID.Severity() }

// Clause is the clause that the defect is against.
func (d Diag) Clause() string { return d.ID.Clause() }

// Message is one sentence for a reader, without place: "CSeq number above 2^31-1: 36893488147419103232".
func (d Diag) Message() string {
	if d.Detail == "" {
		return d.ID.Message()
	}
	return d.ID.Message() + ": " + d.Detail
}

// String is the diagnostic on one line.
func (d Diag) String() string {
	s := d.Severity().String() + " " + d.ID.String() + " at octet " + strconv.FormatUint(uint64(d.Off), 10)
	if d.Header != HdrOther {
		s += " (" + d.Header.String() + ")"
	}
	return s + ": " + d.Message()
}

// Error is a syntax error of a single value, as the typed views (ParseURI, ParseVia, ...) return it. Off is an octet of
// the value that was given.
type Error struct {
	ID    DiagID
	Off   int
	Field string
}

// Error gives field, octet, clause and cause.
func (e *Error) Error() string {
	return e.Field + " at octet " + strconv.Itoa(e.Off) + " (" + e.ID.Clause() + "): " + e.ID.Message()
}

// DiagID is the kind of a defect. Its String is stable and can be used as an identifier.
type DiagID uint8

// The kinds of defects. The table below holds name, clause, severity and text of each.
const (
	DiagNone DiagID = iota

	// start line
	DiagLeadingCRLF
	DiagStartLineSpace
	DiagStartLineTrailingSpace
	DiagRequestURISpace
	DiagRequestURIAngle
	DiagRequestURIHeaders
	DiagRequestURIBad
	DiagVersionMissing
	DiagVersionCase
	DiagVersionUnsupported
	DiagStatusRange
	DiagReasonMissing
	DiagStartLineCut

	// header section
	DiagBareLF
	DiagBareCR
	DiagNUL
	DiagControl
	DiagNonASCII
	DiagInvalidUTF8
	DiagHeaderNoColon
	DiagHeaderName
	DiagFoldWithoutHeader
	DiagMissingEmptyLine
	DiagTooManyHeaders
	DiagTooManyDiags
	DiagMissingVia
	DiagMissingFrom
	DiagMissingTo
	DiagMissingCallID
	DiagMissingCSeq
	DiagMissingMaxForwards
	DiagMissingContact
	DiagDuplicateHeader
	DiagEmptyValue

	// values
	DiagCSeqSyntax
	DiagCSeqRange
	DiagCSeqMethod
	DiagNumberSyntax
	DiagNumberRange
	DiagMaxForwardsRange
	DiagWarningSyntax
	DiagWarningCode
	DiagDateSyntax
	DiagDateZone
	DiagUnbalancedQuotes
	DiagUnbalancedAngle
	DiagUnbalancedComment
	DiagDisplayName
	DiagAngleSpace
	DiagAddrNeedsAngle
	DiagAddrEmpty
	DiagParamEmpty
	DiagParamSyntax
	DiagListEmpty
	DiagListNotAllowed
	DiagViaSyntax
	DiagViaVersion
	DiagViaNoBranch
	DiagViaBranchCookie
	DiagViaBranchEmpty
	DiagURIScheme
	DiagURIHost
	DiagURIPort
	DiagURISyntax
	DiagMissingTag
	DiagMediaType
	DiagAuthSyntax
	DiagEventSyntax
	DiagSecuritySyntax
	DiagReasonSyntax
	DiagSubscriptionState
	DiagRAckSyntax

	// length and body
	DiagContentLengthSyntax
	DiagContentLengthNegative
	DiagContentLengthConflict
	DiagContentLengthTooLarge
	DiagContentLengthShort
	DiagContentLengthMissing
	DiagContentLengthLimit
	DiagExtraOctets
	DiagMissingContentType

	// framing
	DiagHeaderTooLarge
	DiagGap
	DiagEndOfStream
	DiagResync
	DiagUnusableLength

	// MIME
	DiagBoundaryMissing
	DiagBoundaryGuessed
	DiagBoundaryBad
	DiagBoundaryNeverSeen
	DiagBoundaryNotClosed
	DiagBoundaryBareLF
	DiagPartNoEmptyLine
	DiagPartsLimit
	DiagDepthLimit
	DiagDecodedLimit
	DiagDuplicateContentID
	DiagContentIDSyntax
	DiagBase64
	DiagQuotedPrintable
	DiagTransferEncodingUnknown
	DiagTransferEncodingComposite
	DiagPreamble
	DiagEpilogue
	DiagPartEmpty

	diagCount
)

var diagTable = [diagCount]struct {
	name, clause string
	sev          Severity
	msg          string
}{
	DiagNone: {"none", "", SevNote, "no defect"},

	DiagLeadingCRLF:            {"leading-crlf", "RFC 3261 7.5", SevNote, "empty lines before the start line"},
	DiagStartLineSpace:         {"start-line-space", "RFC 3261 7.1", SevWarning, "more than one space, or a tab, between elements of the start line"},
	DiagStartLineTrailingSpace: {"start-line-trailing-space", "RFC 3261 7.1", SevWarning, "white space at the end of the request line"},
	DiagRequestURISpace:        {"request-uri-space", "RFC 3261 7.1", SevError, "white space inside the Request-URI"},
	DiagRequestURIAngle:        {"request-uri-angle", "RFC 3261 7.1", SevError, "Request-URI in angle brackets"},
	DiagRequestURIHeaders:      {"request-uri-headers", "RFC 3261 19.1.1", SevWarning, "Request-URI with a headers component"},
	DiagRequestURIBad:          {"request-uri-bad", "RFC 3261 25.1", SevError, "Request-URI cannot be read as a URI"},
	DiagVersionMissing:         {"version-missing", "RFC 3261 7.1", SevError, "request line without SIP version"},
	DiagVersionCase:            {"version-case", "RFC 3261 7.1", SevWarning, "SIP version not in upper case"},
	DiagVersionUnsupported:     {"version-unsupported", "RFC 3261 7.1", SevError, "SIP version is not 2.0"},
	DiagStatusRange:            {"status-range", "RFC 3261 7.2", SevError, "status code is not three digits from 100 to 699"},
	DiagReasonMissing:          {"reason-missing", "RFC 3261 7.2", SevNote, "no space after the status code"},
	DiagStartLineCut:           {"start-line-cut", "RFC 3261 7.1", SevWarning, "octets end inside the start line"},

	DiagBareLF:             {"bare-lf", "RFC 3261 7", SevWarning, "line ends in LF without CR"},
	DiagBareCR:             {"bare-cr", "RFC 3261 25.1", SevWarning, "CR that is not part of a line end"},
	DiagNUL:                {"nul-octet", "RFC 3261 25.1", SevWarning, "NUL octet in the header section"},
	DiagControl:            {"control-octet", "RFC 3261 25.1", SevWarning, "control octet in the header section"},
	DiagNonASCII:           {"non-ascii", "RFC 3261 7.3.1", SevNote, "non-ASCII text in the header section"},
	DiagInvalidUTF8:        {"invalid-utf8", "RFC 3261 7", SevWarning, "text in the header section is not UTF-8"},
	DiagHeaderNoColon:      {"header-no-colon", "RFC 3261 7.3.1", SevError, "header line without a colon"},
	DiagHeaderName:         {"header-name", "RFC 3261 7.3.1", SevWarning, "header name is not a token"},
	DiagFoldWithoutHeader:  {"fold-without-header", "RFC 3261 7.3.1", SevWarning, "continuation line without a header line before it"},
	DiagMissingEmptyLine:   {"missing-empty-line", "RFC 3261 7", SevWarning, "octets end before the empty line that ends the header section"},
	DiagTooManyHeaders:     {"too-many-headers", "", SevError, "header table is full; later header fields were not read"},
	DiagTooManyDiags:       {"too-many-diagnostics", "", SevNote, "later diagnostics were dropped"},
	DiagMissingVia:         {"missing-via", "RFC 3261 8.1.1", SevError, "no Via header field"},
	DiagMissingFrom:        {"missing-from", "RFC 3261 8.1.1", SevError, "no From header field"},
	DiagMissingTo:          {"missing-to", "RFC 3261 8.1.1", SevError, "no To header field"},
	DiagMissingCallID:      {"missing-call-id", "RFC 3261 8.1.1", SevError, "no Call-ID header field"},
	DiagMissingCSeq:        {"missing-cseq", "RFC 3261 8.1.1", SevError, "no CSeq header field"},
	DiagMissingMaxForwards: {"missing-max-forwards", "RFC 3261 8.1.1", SevNote, "request without Max-Forwards"},
	DiagMissingContact:     {"missing-contact", "RFC 3261 8.1.1.8", SevWarning, "request that opens a dialog has no Contact header field"},
	DiagDuplicateHeader:    {"duplicate-header", "RFC 3261 7.3.1", SevError, "header field that may be present once is repeated"},
	DiagEmptyValue:         {"empty-value", "RFC 3261 7.3.1", SevWarning, "header field that needs a value is empty"},

	DiagCSeqSyntax:        {"cseq-syntax", "RFC 3261 20.16", SevError, "CSeq is not a number and a method"},
	DiagCSeqRange:         {"cseq-range", "RFC 3261 8.1.1.5", SevError, "CSeq number is not below 2^31"},
	DiagCSeqMethod:        {"cseq-method", "RFC 3261 8.1.1.5", SevError, "CSeq method differs from the request's method"},
	DiagNumberSyntax:      {"number-syntax", "RFC 3261 25.1", SevWarning, "value is not a number"},
	DiagNumberRange:       {"number-range", "RFC 3261 20", SevError, "number above 2^32-1"},
	DiagMaxForwardsRange:  {"max-forwards-range", "RFC 3261 20.22", SevError, "Max-Forwards above 255"},
	DiagWarningSyntax:     {"warning-syntax", "RFC 3261 20.43", SevWarning, "Warning is not code, agent and quoted text"},
	DiagWarningCode:       {"warning-code", "RFC 3261 20.43", SevError, "warn-code is not three digits"},
	DiagDateSyntax:        {"date-syntax", "RFC 3261 20.17", SevWarning, "Date is not an RFC 1123 date"},
	DiagDateZone:          {"date-zone", "RFC 3261 20.17", SevWarning, "Date is not in GMT"},
	DiagUnbalancedQuotes:  {"unbalanced-quotes", "RFC 3261 25.1", SevError, "quoted string is not closed"},
	DiagUnbalancedAngle:   {"unbalanced-angle", "RFC 3261 25.1", SevError, "angle bracket is not closed"},
	DiagUnbalancedComment: {"unbalanced-comment", "RFC 3261 25.1", SevWarning, "comment is not closed"},
	DiagDisplayName:       {"display-name", "RFC 3261 25.1", SevWarning, "display name is neither tokens nor a quoted string"},
	DiagAngleSpace:        {"angle-space", "RFC 3261 25.1", SevWarning, "white space inside angle brackets"},
	DiagAddrNeedsAngle:    {"address-needs-angle", "RFC 3261 20", SevError, "URI with a comma or question mark is not in angle brackets"},
	DiagAddrEmpty:         {"address-empty", "RFC 3261 20", SevError, "no URI in the address"},
	DiagParamEmpty:        {"param-empty", "RFC 3261 25.1", SevWarning, "empty parameter"},
	DiagParamSyntax:       {"param-syntax", "RFC 3261 25.1", SevWarning, "parameter is not a token with an optional value"},
	DiagListEmpty:         {"list-empty-element", "RFC 3261 7.3.1", SevWarning, "empty element in a comma-separated list"},
	DiagListNotAllowed:    {"list-not-allowed", "RFC 3261 7.3.1", SevError, "comma-separated list in a header field that takes one value"},
	DiagViaSyntax:         {"via-syntax", "RFC 3261 20.42", SevError, "Via is not protocol, transport and host"},
	DiagViaVersion:        {"via-version", "RFC 3261 20.42", SevWarning, "Via protocol is not SIP/2.0"},
	DiagViaNoBranch:       {"via-no-branch", "RFC 3261 8.1.1.7", SevNote, "Via without branch parameter (RFC 2543 sender)"},
	DiagViaBranchCookie:   {"via-branch-cookie", "RFC 3261 8.1.1.7", SevNote, "Via branch does not begin with z9hG4bK (RFC 2543 sender)"},
	DiagViaBranchEmpty:    {"via-branch-empty", "RFC 3261 8.1.1.7", SevWarning, "Via branch has nothing after z9hG4bK, so it is not unique"},
	DiagURIScheme:         {"uri-scheme", "RFC 3261 19.1.1", SevError, "URI without a scheme"},
	DiagURIHost:           {"uri-host", "RFC 3261 19.1.1", SevError, "URI without a host, or with octets that no host has"},
	DiagURIPort:           {"uri-port", "RFC 3261 19.1.1", SevError, "port is not a number from 0 to 65535"},
	DiagURISyntax:         {"uri-syntax", "RFC 3261 25.1", SevWarning, "octet that a URI may not hold unescaped"},
	DiagMissingTag:        {"missing-tag", "RFC 3261 8.1.1.3", SevWarning, "From without tag parameter"},
	DiagMediaType:         {"media-type", "RFC 3261 20.15", SevError, "Content-Type is not type and subtype"},
	DiagAuthSyntax:        {"auth-syntax", "RFC 3261 20.7", SevWarning, "authentication value is not a scheme and parameters"},
	DiagEventSyntax:       {"event-syntax", "RFC 6665 8.2.1", SevWarning, "Event is not an event type and parameters"},
	DiagSecuritySyntax:    {"security-syntax", "RFC 3329 2.2", SevWarning, "security mechanism is not a token and parameters"},
	DiagReasonSyntax:      {"reason-syntax", "RFC 3326 2", SevWarning, "Reason is not a protocol and parameters"},
	DiagSubscriptionState: {"subscription-state-syntax", "RFC 6665 8.2.3", SevWarning, "Subscription-State is not a state and parameters"},
	DiagRAckSyntax:        {"rack-syntax", "RFC 3262 7.2", SevError, "RAck is not two numbers and a method"},

	DiagContentLengthSyntax:   {"content-length-syntax", "RFC 3261 20.14", SevError, "Content-Length is not a number"},
	DiagContentLengthNegative: {"content-length-negative", "RFC 3261 20.14", SevError, "Content-Length is negative"},
	DiagContentLengthConflict: {"content-length-conflict", "RFC 3261 20.14", SevError, "Content-Length header fields disagree"},
	DiagContentLengthTooLarge: {"content-length-too-large", "RFC 3261 18.3", SevError, "Content-Length is larger than the octets that follow"},
	DiagContentLengthShort:    {"content-length-short", "RFC 3261 18.3", SevWarning, "octets follow after the length that Content-Length gives"},
	DiagContentLengthMissing:  {"content-length-missing", "RFC 3261 18.3", SevError, "no Content-Length on a stream; taken as 0"},
	DiagContentLengthLimit:    {"content-length-limit", "", SevError, "Content-Length is above the limit"},
	DiagExtraOctets:           {"extra-octets", "RFC 3261 18.3", SevNote, "empty lines after the body"},
	DiagMissingContentType:    {"missing-content-type", "RFC 3261 20.15", SevWarning, "body without Content-Type"},

	DiagHeaderTooLarge: {"header-too-large", "", SevError, "header section is above the limit"},
	DiagGap:            {"gap", "", SevWarning, "octets of the stream were not captured"},
	DiagEndOfStream:    {"end-of-stream", "RFC 3261 18.3", SevWarning, "stream ends inside the message"},
	DiagResync:         {"resync", "RFC 3261 18.3", SevWarning, "octets that are not SIP; skipped to the next start line"},
	DiagUnusableLength: {"unusable-length", "RFC 3261 18.3", SevError, "length is not usable; the message was taken to end at the next start line"},

	DiagBoundaryMissing:           {"boundary-missing", "RFC 2046 5.1.1", SevError, "multipart without boundary parameter"},
	DiagBoundaryGuessed:           {"boundary-guessed", "RFC 2046 5.1.1", SevWarning, "boundary taken from the first line of the body"},
	DiagBoundaryBad:               {"boundary-bad", "RFC 2046 5.1.1", SevWarning, "boundary longer than 70 octets or with octets that a boundary may not hold"},
	DiagBoundaryNeverSeen:         {"boundary-never-seen", "RFC 2046 5.1.1", SevError, "boundary does not occur in the body"},
	DiagBoundaryNotClosed:         {"boundary-not-closed", "RFC 2046 5.1.1", SevWarning, "closing boundary is missing"},
	DiagBoundaryBareLF:            {"boundary-bare-lf", "RFC 2046 5.1.1", SevWarning, "boundary line ends in LF without CR"},
	DiagPartNoEmptyLine:           {"part-no-empty-line", "RFC 2046 5.1", SevWarning, "no empty line between a part's header and its content"},
	DiagPartsLimit:                {"parts-limit", "", SevError, "too many body parts; the rest was not split"},
	DiagDecodedLimit:              {"decoded-limit", "", SevError, "transfer-decoded octets are above the limit; left encoded"},
	DiagDepthLimit:                {"depth-limit", "", SevError, "multiparts nested too deep; not split further"},
	DiagDuplicateContentID:        {"duplicate-content-id", "RFC 2045 7", SevWarning, "Content-ID is used by an earlier part"},
	DiagContentIDSyntax:           {"content-id-syntax", "RFC 2392 2", SevNote, "Content-ID is not in angle brackets"},
	DiagBase64:                    {"base64", "RFC 2045 6.8", SevWarning, "base64 with octets outside the alphabet or a wrong end"},
	DiagQuotedPrintable:           {"quoted-printable", "RFC 2045 6.7", SevWarning, "quoted-printable with a broken escape"},
	DiagTransferEncodingUnknown:   {"transfer-encoding-unknown", "RFC 2045 6.1", SevWarning, "unknown Content-Transfer-Encoding; left as it is"},
	DiagTransferEncodingComposite: {"transfer-encoding-composite", "RFC 2045 6.4", SevWarning, "multipart in an encoding other than 7bit, 8bit or binary"},
	DiagPreamble:                  {"preamble", "RFC 2046 5.1.1", SevNote, "text before the first boundary"},
	DiagEpilogue:                  {"epilogue", "RFC 2046 5.1.1", SevNote, "text after the closing boundary"},
	DiagPartEmpty:                 {"multipart-empty", "RFC 2046 5.1", SevWarning, "multipart without parts"},
}

// String is the stable name, such as "bare-lf".
func (id DiagID) String() string {
	if id < diagCount {
		return diagTable[id].name
	}
	return "DiagID(" + strconv.Itoa(int(id)) + ")"
}

// Clause is the clause that is broken, empty for a limit of this package.
func (id DiagID) Clause() string {
	if id < diagCount {
		return diagTable[id].clause
	}
	return ""
}

// Severity says how bad the defect is.
func (id DiagID) Severity() Severity {
	if id < diagCount {
		return diagTable[id].sev
	}
	return SevNote
}

// Message is the text for a reader.
func (id DiagID) Message() string {
	if id < diagCount {
		return diagTable[id].msg
	}
	return id.String()
}

// DiagIDs gives every kind of diagnostic, for registers and documents.
func DiagIDs() []DiagID {
	ids := make([]DiagID, 0, diagCount-1)
	for id := DiagNone + 1; id < diagCount; id++ {
		ids = append(ids, id)
	}
	return ids
}
