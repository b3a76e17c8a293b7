package decode

import "github.com/mcxdump/mcxdump/decode/record"

// The HTTP message, in the order in which its nodes are built.
var (
	fHTTP          = reg("http", "Hypertext Transfer Protocol", "RFC 9110 6", record.Object)
	fHTTPType      = reg("http.type", "Type", "RFC 9110 6", record.String)
	fHTTPVersion   = reg("http.version", "Version: 1.0, 1.1 or 2", "RFC 9110 2.5", record.String)
	fHTTPMethod    = reg("http.method", "Method", "RFC 9110 9", record.String)
	fHTTPTarget    = regID("http.target", "Request target", "RFC 9112 3.2")
	fHTTPScheme    = reg("http.scheme", "Scheme", "RFC 9110 4.2", record.String)
	fHTTPHost      = regID("http.host", "Host and port", "RFC 9110 7.2")
	fHTTPStatus    = reg("http.status", "Status code", "RFC 9110 15", record.Uint)
	fHTTPReason    = reg("http.reason", "Reason phrase", "RFC 9112 4", record.String)
	fHTTPUserAgent = reg("http.user_agent", "User-Agent", "RFC 9110 10.1.5", record.String)
	fHTTPServer    = reg("http.server", "Server", "RFC 9110 10.2.4", record.String)
	fHTTPLocation  = regID("http.location", "Location", "RFC 9110 10.2.2")

	fHTTPAuth       = regList("http.authorization", "Credentials and challenges", "RFC 9110 11.6", record.Object)
	fHTTPAuthHeader = reg("http.authorization.header", "Header field", "RFC 9110 11.6", record.String)
	fHTTPAuthScheme = reg("http.authorization.scheme", "Scheme", "RFC 9110 11.1", record.String)
	fHTTPAuthToken  = reg("http.authorization.token", "Bearer token", "RFC 6750 2.1", record.String)
	httpToken       = &tokenFields{
		fingerprint: reg("http.authorization.fingerprint", "First octets of SHA-256 over the token", "mcxdump", record.String),
		header:      reg("http.authorization.token_header", "JOSE header", "RFC 7515 4", record.Raw),
		claims:      record.Register(record.Field{Name: "http.authorization.claims", Title: "Claims", Clause: "TS 33.180 B.2.2", Kind: record.Map, Of: record.Raw, Identity: true}),
		expiresIn:   reg("http.authorization.expires_in", "Seconds from the message to the expiry of the token", "RFC 7519 4.1.4", record.Int),
	}
	fHTTPAuthParams = regMap("http.authorization.params", "Parameters", "RFC 9110 11.2", record.String)

	fHTTPContentType     = reg("http.content_type", "Content-Type", "RFC 9110 8.3", record.String)
	fHTTPContentEncoding = reg("http.content_encoding", "Content-Encoding", "RFC 9110 8.4", record.String)
	fHTTPContentLength   = reg("http.content_length", "Octets of content as sent, without transfer coding", "RFC 9110 8.6", record.Uint)
	fHTTPETag            = reg("http.etag", "ETag", "RFC 9110 8.8.3", record.String)

	fHTTPConnection = reg("http.connection", "Number of the connection", "mcxdump", record.Uint)
	fHTTPStream     = reg("http.stream", "Stream identifier", "RFC 9113 5.1.1", record.Uint)
	fHTTPExchange   = reg("http.exchange", "Number that a request and its response share", "mcxdump", record.Uint)

	fHTTPRequest       = reg("http.request", "Request that the response answers", "RFC 9110 3.4", record.Object)
	fHTTPRequestNumber = reg("http.request.number", "Message number", "mcxdump", record.Uint)
	fHTTPRequestMethod = reg("http.request.method", "Method", "RFC 9110 9", record.String)
	fHTTPRequestTarget = regID("http.request.target", "Request target", "RFC 9112 3.2")
	fHTTPRequestHost   = regID("http.request.host", "Host and port", "RFC 9110 7.2")

	fHTTPHeaders     = regList("http.headers", "Header field", "RFC 9110 6.3", record.Object)
	fHTTPHeaderName  = reg("http.headers.name", "Name", "RFC 9110 5.1", record.String)
	fHTTPHeaderValue = regID("http.headers.value", "Value", "RFC 9110 5.5")
	fHTTPTrailers    = regList("http.trailers", "Trailer field", "RFC 9110 6.5", record.Object)
	fHTTPTrailerName = reg("http.trailers.name", "Name", "RFC 9110 5.1", record.String)
	fHTTPTrailer     = regID("http.trailers.value", "Value", "RFC 9110 5.5")
)
