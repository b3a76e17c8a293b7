// Package session follows what spans several messages: transactions, registrations, publications, subscriptions, the
// life of client-server keys, and above them the service authorisation of each user, the answer to "why was this user
// (not) authorised?".
//
// Start with [Read], which takes from a record what matters here and is called by the parallel workers, and with
// [Tracker.Add], which is given those events in capture order by one goroutine and answers with what to attach to the
// message: a [Link] and findings of the checks that need more than one message. [Tracker.Sessions] is the result,
// [Ladder] and [LadderSVG] draw it.
//
// Promises: time is packet time and never goes back; the answer depends on the order of the messages only; every table
// is bounded, the longest idle entry leaves first, and each loss is counted; the cost of a message does not grow with
// the capture. No event, session or drawing holds a key or a token, only fingerprints of them.
//
// Covered: RFC 3261 17 (transactions, with the RFC 2543 fallback of 17.2.3), RFC 3261 10 and TS 24.229 5.1.1
// (registration), TS 24.229 5.4.1.7 (third-party registration), RFC 3903 (publication), RFC 6665 (poc-settings
// subscriptions), TS 24.379 7.2, 7.3 and 7A.2.1 with their twins in TS 24.281 and TS 24.282, TS 33.180 5.1.3.1 (the
// binding of MC service ID, IMPU and client ID), 5.4, 5.8 and 9.2.1 (client-server keys).
//
// Over HTTP: TS 33.180 annex B (authentication and tokens, with RFC 6749, RFC 7636, RFC 8693 and RFC 7523), annex D (key
// management), TS 24.484 and TS 24.481 (documents), and the bearer token shown to each of them (RFC 6750). [Chains] puts the
// sessions of one user together as one story.
//
// It leaves out calls, affiliation and groups, and it opens nothing: what is encrypted and was not opened by decode
// stays unknown here, with its fingerprint.
package session
