package sipparse

import (
	"encoding/binary"
	"strconv"
)

// HeaderID is the number of a known header field name; HdrOther is every other one. The numbers are this package's own
// and may change between versions; the names do not.
type HeaderID uint8

// The header field names that have a number.
const (
	HdrOther HeaderID = iota
	HdrVia
	HdrFrom
	HdrTo
	HdrContact
	HdrCSeq
	HdrCallID
	HdrContentLength
	HdrContentType
	HdrContentID
	HdrContentDisposition
	HdrContentTransferEncoding
	HdrContentEncoding
	HdrContentLanguage
	HdrContentDescription
	HdrMIMEVersion
	HdrEvent
	HdrExpires
	HdrWarning
	HdrAuthorization
	HdrWWWAuthenticate
	HdrProxyAuthenticate
	HdrProxyAuthorization
	HdrProxyRequire
	HdrAuthenticationInfo
	HdrProxyAuthenticationInfo
	HdrRoute
	HdrRecordRoute
	HdrPath
	HdrServiceRoute
	HdrPAssertedIdentity
	HdrPPreferredIdentity
	HdrPAssertedService
	HdrPPreferredService
	HdrPAccessNetworkInfo
	HdrPAnswerState
	HdrPAssociatedURI
	HdrPCalledPartyID
	HdrPChargingFunctionAddresses
	HdrPChargingVector
	HdrPEarlyMedia
	HdrPMediaAuthorization
	HdrPProfileKey
	HdrPRefusedURIList
	HdrPServedUser
	HdrPUserDatabase
	HdrPVisitedNetworkID
	HdrAcceptContact
	HdrRejectContact
	HdrRequestDisposition
	HdrSIPETag
	HdrSIPIfMatch
	HdrSuppressIfMatch
	HdrSecurityClient
	HdrSecurityServer
	HdrSecurityVerify
	HdrSupported
	HdrUnsupported
	HdrRequire
	HdrAllow
	HdrAllowEvents
	HdrAccept
	HdrAcceptEncoding
	HdrAcceptLanguage
	HdrAcceptResourcePriority
	HdrMaxForwards
	HdrMaxBreadth
	HdrMinExpires
	HdrMinSE
	HdrRSeq
	HdrRAck
	HdrSessionExpires
	HdrSessionID
	HdrSubscriptionState
	HdrReferTo
	HdrReferredBy
	HdrReferSub
	HdrReferEventsAt
	HdrReplaces
	HdrJoin
	HdrTargetDialog
	HdrReason
	HdrRetryAfter
	HdrUserAgent
	HdrServer
	HdrDate
	HdrTimestamp
	HdrSubject
	HdrOrganization
	HdrPriority
	HdrPriorityShare
	HdrResourcePriority
	HdrResourceShare
	HdrAnswerMode
	HdrPrivAnswerMode
	HdrPrivacy
	HdrInfoPackage
	HdrRecvInfo
	HdrInReplyTo
	HdrReplyTo
	HdrAlertInfo
	HdrCallInfo
	HdrErrorInfo
	HdrFeatureCaps
	HdrFlowTimer
	HdrGeolocation
	HdrGeolocationError
	HdrGeolocationRouting
	HdrHistoryInfo
	HdrIdentity
	HdrIdentityInfo
	HdrPermissionMissing
	HdrPolicyContact
	HdrPolicyID
	HdrTriggerConsent
	HdrUserToUser
	HdrRelayedCharge
	HdrRestorationInfo
	HdrCellularNetworkInfo
	HdrServiceInteractInfo
	HdrAdditionalIdentity
	HdrAttestationInfo
	HdrOriginationID

	hdrCount
)

// Properties of a header field.
const (
	hSingle = 1 << iota // at most once in a message
	hList               // comma-separated values are as good as several header fields
	hAddr               // name-addr or addr-spec with parameters
	hNumber             // one number, 32 bits
)

type headerInfo struct {
	name    string
	compact byte
	flags   uint8
	clause  string
}

var headerTable = [hdrCount]headerInfo{
	HdrOther:                      {"", 0, 0, "RFC 3261 7.3.1"},
	HdrVia:                        {"Via", 'v', hList, "RFC 3261 20.42"},
	HdrFrom:                       {"From", 'f', hSingle | hAddr, "RFC 3261 20.20"},
	HdrTo:                         {"To", 't', hSingle | hAddr, "RFC 3261 20.39"},
	HdrContact:                    {"Contact", 'm', hList | hAddr, "RFC 3261 20.10"},
	HdrCSeq:                       {"CSeq", 0, hSingle, "RFC 3261 20.16"},
	HdrCallID:                     {"Call-ID", 'i', hSingle, "RFC 3261 20.8"},
	HdrContentLength:              {"Content-Length", 'l', hSingle, "RFC 3261 20.14"},
	HdrContentType:                {"Content-Type", 'c', hSingle, "RFC 3261 20.15"},
	HdrContentID:                  {"Content-ID", 0, hSingle, "RFC 8262 1.2"},
	HdrContentDisposition:         {"Content-Disposition", 0, hSingle, "RFC 3261 20.11"},
	HdrContentTransferEncoding:    {"Content-Transfer-Encoding", 0, hSingle, "RFC 2045 6"},
	HdrContentEncoding:            {"Content-Encoding", 'e', hList, "RFC 3261 20.12"},
	HdrContentLanguage:            {"Content-Language", 0, hList, "RFC 3261 20.13"},
	HdrContentDescription:         {"Content-Description", 0, hSingle, "RFC 2045 8"},
	HdrMIMEVersion:                {"MIME-Version", 0, hSingle, "RFC 3261 20.24"},
	HdrEvent:                      {"Event", 'o', hSingle, "RFC 6665 8.2.1"},
	HdrExpires:                    {"Expires", 0, hSingle | hNumber, "RFC 3261 20.19"},
	HdrWarning:                    {"Warning", 0, hList, "RFC 3261 20.43"},
	HdrAuthorization:              {"Authorization", 0, 0, "RFC 3261 20.7"},
	HdrWWWAuthenticate:            {"WWW-Authenticate", 0, 0, "RFC 3261 20.44"},
	HdrProxyAuthenticate:          {"Proxy-Authenticate", 0, 0, "RFC 3261 20.27"},
	HdrProxyAuthorization:         {"Proxy-Authorization", 0, 0, "RFC 3261 20.28"},
	HdrProxyRequire:               {"Proxy-Require", 0, hList, "RFC 3261 20.29"},
	HdrAuthenticationInfo:         {"Authentication-Info", 0, 0, "RFC 3261 20.6"},
	HdrProxyAuthenticationInfo:    {"Proxy-Authentication-Info", 0, 0, "RFC 7615 4"},
	HdrRoute:                      {"Route", 0, hList | hAddr, "RFC 3261 20.34"},
	HdrRecordRoute:                {"Record-Route", 0, hList | hAddr, "RFC 3261 20.30"},
	HdrPath:                       {"Path", 0, hList | hAddr, "RFC 3327 4"},
	HdrServiceRoute:               {"Service-Route", 0, hList | hAddr, "RFC 3608 5"},
	HdrPAssertedIdentity:          {"P-Asserted-Identity", 0, hList | hAddr, "RFC 3325 9.1"},
	HdrPPreferredIdentity:         {"P-Preferred-Identity", 0, hList | hAddr, "RFC 3325 9.2"},
	HdrPAssertedService:           {"P-Asserted-Service", 0, hList, "RFC 6050 4.1"},
	HdrPPreferredService:          {"P-Preferred-Service", 0, hList, "RFC 6050 4.2"},
	HdrPAccessNetworkInfo:         {"P-Access-Network-Info", 0, hList, "RFC 7315 4.4"},
	HdrPAnswerState:               {"P-Answer-State", 0, hSingle, "RFC 4964 6"},
	HdrPAssociatedURI:             {"P-Associated-URI", 0, hList | hAddr, "RFC 7315 4.1"},
	HdrPCalledPartyID:             {"P-Called-Party-ID", 0, hSingle | hAddr, "RFC 7315 4.2"},
	HdrPChargingFunctionAddresses: {"P-Charging-Function-Addresses", 0, hList, "RFC 7315 4.5"},
	HdrPChargingVector:            {"P-Charging-Vector", 0, hSingle, "RFC 7315 4.6"},
	HdrPEarlyMedia:                {"P-Early-Media", 0, hList, "RFC 5009 8"},
	HdrPMediaAuthorization:        {"P-Media-Authorization", 0, hList, "RFC 3313 5.1"},
	HdrPProfileKey:                {"P-Profile-Key", 0, hSingle | hAddr, "RFC 5002 5"},
	HdrPRefusedURIList:            {"P-Refused-URI-List", 0, hList, "RFC 5318 5"},
	HdrPServedUser:                {"P-Served-User", 0, hSingle | hAddr, "RFC 5502 6"},
	HdrPUserDatabase:              {"P-User-Database", 0, hSingle, "RFC 4457 4"},
	HdrPVisitedNetworkID:          {"P-Visited-Network-ID", 0, hList, "RFC 7315 4.3"},
	HdrAcceptContact:              {"Accept-Contact", 'a', hList, "RFC 3841 9.2"},
	HdrRejectContact:              {"Reject-Contact", 'j', hList, "RFC 3841 9.2"},
	HdrRequestDisposition:         {"Request-Disposition", 'd', hList, "RFC 3841 9.1"},
	HdrSIPETag:                    {"SIP-ETag", 0, hSingle, "RFC 3903 11.3.1"},
	HdrSIPIfMatch:                 {"SIP-If-Match", 0, hSingle, "RFC 3903 11.3.2"},
	HdrSuppressIfMatch:            {"Suppress-If-Match", 0, hSingle, "RFC 5839 6.2"},
	HdrSecurityClient:             {"Security-Client", 0, hList, "RFC 3329 2.2"},
	HdrSecurityServer:             {"Security-Server", 0, hList, "RFC 3329 2.2"},
	HdrSecurityVerify:             {"Security-Verify", 0, hList, "RFC 3329 2.2"},
	HdrSupported:                  {"Supported", 'k', hList, "RFC 3261 20.37"},
	HdrUnsupported:                {"Unsupported", 0, hList, "RFC 3261 20.40"},
	HdrRequire:                    {"Require", 0, hList, "RFC 3261 20.32"},
	HdrAllow:                      {"Allow", 0, hList, "RFC 3261 20.5"},
	HdrAllowEvents:                {"Allow-Events", 'u', hList, "RFC 6665 8.2.2"},
	HdrAccept:                     {"Accept", 0, hList, "RFC 3261 20.1"},
	HdrAcceptEncoding:             {"Accept-Encoding", 0, hList, "RFC 3261 20.2"},
	HdrAcceptLanguage:             {"Accept-Language", 0, hList, "RFC 3261 20.3"},
	HdrAcceptResourcePriority:     {"Accept-Resource-Priority", 0, hList, "RFC 4412 3.2"},
	HdrMaxForwards:                {"Max-Forwards", 0, hSingle, "RFC 3261 20.22"},
	HdrMaxBreadth:                 {"Max-Breadth", 0, hSingle | hNumber, "RFC 5393 5.3.3"},
	HdrMinExpires:                 {"Min-Expires", 0, hSingle | hNumber, "RFC 3261 20.23"},
	HdrMinSE:                      {"Min-SE", 0, hSingle, "RFC 4028 5"},
	HdrRSeq:                       {"RSeq", 0, hSingle | hNumber, "RFC 3262 7.1"},
	HdrRAck:                       {"RAck", 0, hSingle, "RFC 3262 7.2"},
	HdrSessionExpires:             {"Session-Expires", 'x', hSingle, "RFC 4028 4"},
	HdrSessionID:                  {"Session-ID", 0, hSingle, "RFC 7989 5"},
	HdrSubscriptionState:          {"Subscription-State", 0, hSingle, "RFC 6665 8.2.3"},
	HdrReferTo:                    {"Refer-To", 'r', hSingle | hAddr, "RFC 3515 2.1"},
	HdrReferredBy:                 {"Referred-By", 'b', hSingle | hAddr, "RFC 3892 3"},
	HdrReferSub:                   {"Refer-Sub", 0, hSingle, "RFC 4488 4"},
	HdrReferEventsAt:              {"Refer-Events-At", 0, hSingle, "RFC 7614 4.8"},
	HdrReplaces:                   {"Replaces", 0, hSingle, "RFC 3891 6.1"},
	HdrJoin:                       {"Join", 0, hSingle, "RFC 3911 7.1"},
	HdrTargetDialog:               {"Target-Dialog", 0, hSingle, "RFC 4538 7"},
	HdrReason:                     {"Reason", 0, hList, "RFC 3326 2"},
	HdrRetryAfter:                 {"Retry-After", 0, hSingle, "RFC 3261 20.33"},
	HdrUserAgent:                  {"User-Agent", 0, hSingle, "RFC 3261 20.41"},
	HdrServer:                     {"Server", 0, hSingle, "RFC 3261 20.35"},
	HdrDate:                       {"Date", 0, hSingle, "RFC 3261 20.17"},
	HdrTimestamp:                  {"Timestamp", 0, hSingle, "RFC 3261 20.38"},
	HdrSubject:                    {"Subject", 's', hSingle, "RFC 3261 20.36"},
	HdrOrganization:               {"Organization", 0, hSingle, "RFC 3261 20.25"},
	HdrPriority:                   {"Priority", 0, hSingle, "RFC 3261 20.26"},
	HdrPriorityShare:              {"Priority-Share", 0, hSingle, "TS 24.229 7.2.16"},
	HdrResourcePriority:           {"Resource-Priority", 0, hList, "RFC 4412 3.1"},
	HdrResourceShare:              {"Resource-Share", 0, hSingle, "TS 24.229 7.2.13"},
	HdrAnswerMode:                 {"Answer-Mode", 0, hSingle, "RFC 5373 3"},
	HdrPrivAnswerMode:             {"Priv-Answer-Mode", 0, hSingle, "RFC 5373 3"},
	HdrPrivacy:                    {"Privacy", 0, hSingle, "RFC 3323 4.2"},
	HdrInfoPackage:                {"Info-Package", 0, hSingle, "RFC 6086 7.2"},
	HdrRecvInfo:                   {"Recv-Info", 0, hList, "RFC 6086 7.3"},
	HdrInReplyTo:                  {"In-Reply-To", 0, hList, "RFC 3261 20.21"},
	HdrReplyTo:                    {"Reply-To", 0, hSingle | hAddr, "RFC 3261 20.31"},
	HdrAlertInfo:                  {"Alert-Info", 0, hList, "RFC 3261 20.4"},
	HdrCallInfo:                   {"Call-Info", 0, hList, "RFC 3261 20.9"},
	HdrErrorInfo:                  {"Error-Info", 0, hList, "RFC 3261 20.18"},
	HdrFeatureCaps:                {"Feature-Caps", 0, hList, "RFC 6809 6.2"},
	HdrFlowTimer:                  {"Flow-Timer", 0, hSingle | hNumber, "RFC 5626 10"},
	HdrGeolocation:                {"Geolocation", 0, hList, "RFC 6442 4.1"},
	HdrGeolocationError:           {"Geolocation-Error", 0, hSingle, "RFC 6442 4.4"},
	HdrGeolocationRouting:         {"Geolocation-Routing", 0, hSingle, "RFC 6442 4.2"},
	HdrHistoryInfo:                {"History-Info", 0, hList | hAddr, "RFC 7044 5"},
	HdrIdentity:                   {"Identity", 'y', 0, "RFC 8224 4"},
	HdrIdentityInfo:               {"Identity-Info", 'n', hSingle, "RFC 4474 9"},
	HdrPermissionMissing:          {"Permission-Missing", 0, hList, "RFC 5360 5.9.3"},
	HdrPolicyContact:              {"Policy-Contact", 0, hList, "RFC 6794 4.4.5.2"},
	HdrPolicyID:                   {"Policy-ID", 0, hSingle, "RFC 6794 4.4.5.1"},
	HdrTriggerConsent:             {"Trigger-Consent", 0, hList, "RFC 5360 5.11.2"},
	HdrUserToUser:                 {"User-to-User", 0, hList, "RFC 7433 4.1"},
	HdrRelayedCharge:              {"Relayed-Charge", 0, hSingle, "TS 24.229 7.2.12"},
	HdrRestorationInfo:            {"Restoration-Info", 0, hSingle, "TS 24.229 7.2.11"},
	HdrCellularNetworkInfo:        {"Cellular-Network-Info", 0, hList, "TS 24.229 7.2.15"},
	HdrServiceInteractInfo:        {"Service-Interact-Info", 0, hSingle, "TS 24.229 7.2.14"},
	HdrAdditionalIdentity:         {"Additional-Identity", 0, hAddr | hSingle, "TS 24.229 7.2.20"},
	HdrAttestationInfo:            {"Attestation-Info", 0, hSingle, "TS 24.229 7.2.18"},
	HdrOriginationID:              {"Origination-Id", 0, hSingle, "TS 24.229 7.2.19"},
}

// String is the long name in its usual spelling, "Other" for HdrOther.
func (id HeaderID) String() string {
	switch {
	case id == HdrOther:
		return "Other"
	case id < hdrCount:
		return headerTable[id].name
	}
	return "HeaderID(" + strconv.Itoa(int(id)) + ")"
}

// Compact is the compact form (RFC 3261 7.3.3), 0 when there is none.
func (id HeaderID) Compact() byte {
	if id < hdrCount {
		return headerTable[id].compact
	}
	return 0
}

// Clause is where the header field is defined.
func (id HeaderID) Clause() string {
	if id < hdrCount {
		return headerTable[id].clause
	}
	return ""
}

// Single tells whether a message may carry the header field only once.
func (id HeaderID) Single() bool { return id < hdrCount && headerTable[id].flags&hSingle != 0 }

// List tells whether the header field's value is a comma-separated list, so that it can be split and joined over
// several header fields (RFC 3261 7.3.1).
func (id HeaderID) List() bool { return id < hdrCount && headerTable[id].flags&hList != 0 }

// Address tells whether the header field holds name-addr or addr-spec values.
func (id HeaderID) Address() bool { return id < hdrCount && headerTable[id].flags&hAddr != 0 }

// HeaderIDs gives every number but HdrOther.
func HeaderIDs() []HeaderID {
	ids := make([]HeaderID, 0, hdrCount-1)
	for id := HdrOther + 1; id < hdrCount; id++ {
		ids = append(ids, id)
	}
	return ids
}

const maxName = 32 // no known name is longer; checked when the table is built

// foldedName is a name ready for comparison eight octets at a time: the lower-case octets, and 0x20 wherever the octet
// is a letter, so that (input | mask) == word is exactly "equal but for case". The words are the first eight octets, the
// last eight, and for longer names those from 8 and from 16 on.
type foldedName struct {
	n          uint8
	id         HeaderID
	word, mask [4]uint64
}

const (
	nameSlots  = 1024
	compactMax = 128
)

var (
	nameTable    [nameSlots]foldedName
	compactTable [compactMax]HeaderID
)

func nameHash(first, last uint64, n int) uint64 {
	h := (first|0x20*ones)*0x9E3779B97F4A7C15 ^ (last|0x20*ones)*0xC2B2AE3D27D4EB4F + uint64(n)<<40
	return h >> 40 & (nameSlots - 1)
}

// nameWords gives the first and the last eight octets of a name of 2 to maxName octets; for fewer than eight both are
// all there is.
func nameWords(b []byte) (first, last uint64) {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	}
	for i := len(b) - 1; i >= 0; i-- {
		first = first<<8 | uint64(b[i])
	}
	return first, first
}

func init() {
	for id := HdrOther + 1; id < hdrCount; id++ {
		info := headerTable[id]
		n := len(info.name)
		if n < 2 || n > maxName {
			panic("sipparse: bad header name " + info.name)
		}
		low, mask := make([]byte, n, maxName), make([]byte, n, maxName)
		for i := range n {
			low[i] = lowerOctet(info.name[i])
			if is(low[i], clAlpha) {
				mask[i] = 0x20
			}
		}
		f := foldedName{n: uint8(n), id: id}
		f.word[0], f.word[1] = nameWords(low)
		f.mask[0], f.mask[1] = nameWords(mask)
		low, mask = low[:maxName], mask[:maxName]
		for i := 2; i < 4; i++ {
			if n > 8*i {
				f.word[i], _ = nameWords(low[8*i-8 : 8*i])
				f.mask[i], _ = nameWords(mask[8*i-8 : 8*i])
			}
		}
		slot := nameHash(f.word[0], f.word[1], n)
		for nameTable[slot].id != HdrOther {
			slot = (slot + 1) % nameSlots
		}
		nameTable[slot] = f
		if info.compact != 0 {
			compactTable[info.compact] = id
			compactTable[info.compact&^0x20] = id
		}
	}
}

// LookupHeader gives the number of a header field name, long or compact, in any case. It does not allocate.
func LookupHeader(name []byte) HeaderID {
	n := len(name)
	if n <= 1 {
		if n == 1 && name[0] < compactMax {
			return compactTable[name[0]]
		}
		return HdrOther
	}
	if n > maxName {
		return HdrOther
	}
	first, last := nameWords(name)
	return lookup(name, first, last)
}

func lookup(name []byte, first, last uint64) HeaderID {
	n := len(name)
	for slot := nameHash(first, last, n); ; slot = (slot + 1) % nameSlots {
		f := &nameTable[slot]
		if f.id == HdrOther {
			return HdrOther
		}
		if int(f.n) == n && first|f.mask[0] == f.word[0] && last|f.mask[1] == f.word[1] && (n <= 16 || f.middle(name)) {
			return f.id
		}
	}
}

// middle compares what lies between the first and the last eight octets.
func (f *foldedName) middle(b []byte) bool {
	return binary.LittleEndian.Uint64(b[8:])|f.mask[2] == f.word[2] &&
		(len(b) <= 24 || binary.LittleEndian.Uint64(b[16:])|f.mask[3] == f.word[3])
}
