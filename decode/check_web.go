package decode

import (
	"slices"

	"github.com/mcxdump/mcxdump/decode/record"
)

// webTable is the register of what the dissectors of the HTTP half look at in service authorisation (TS 33.180 5.1.3.1,
// annex B, annex D): one message each. What needs several messages is in package session. TOK-01 to TOK-03 apply to bearer
// tokens in HTTP too.
var webTable = []Check{
	{ID: "bearer-missing", Clause: "TS 33.180 5.1.3.1", Severity: record.Warning, Evidence: 'C', at: atBody,
		Title: "request for a service without an access token", Fires: "request to a KMS resource, or for a document of configuration or group management, without Authorization: Bearer"},
	{ID: "bearer-refused", Clause: "TS 33.180 B.10, RFC 6750 3", Severity: record.Warning, Evidence: 'C', at: atBody,
		Title: "the server refused the token", Fires: "WWW-Authenticate: Bearer, or 401 or 403 to a request for a service"},
	{ID: "idm-error", Clause: "RFC 6749 5.2", Severity: record.Warning, Evidence: '-', at: atBody,
		Title: "the identity server refused", Fires: "error in an authorisation or token response"},
	{ID: "idm-missing", Clause: "TS 33.180 B.4.2", Severity: record.Warning, Evidence: 'S', at: atBody,
		Title: "a required parameter is missing", Fires: "authorisation request, token request or token response without one"},
	{ID: "idm-scope-openid", Clause: "TS 33.180 B.4.2.2", Severity: record.Error, Evidence: 'C', at: atBody,
		Title: "scope lacks openid", Fires: "scope of the authorisation request"},
	{ID: "idm-response-type", Clause: "TS 33.180 B.4.2.1", Severity: record.Warning, Evidence: 'C', at: atBody,
		Title: "response_type is not code", Fires: "response_type of the authorisation request"},
	{ID: "idm-grant-password", Clause: "TS 33.180 B.4.2.1", Severity: record.Warning, Evidence: 'C', at: atBody,
		Title: "token request with the password itself", Fires: "grant_type=password"},
	{ID: "idm-pkce-missing", Clause: "TS 33.180 B.4.2.2", Severity: record.Warning, Evidence: 'S', at: atBody,
		Title: "authorisation request without PKCE", Fires: "no code_challenge"},
	{ID: "idm-pkce-plain", Clause: "TS 33.180 B.4.2.2, RFC 7636 4.2", Severity: record.Warning, Evidence: 'S', at: atBody,
		Title: "PKCE with the method plain", Fires: "code_challenge_method absent or plain"},
	{ID: "idm-pkce-method", Clause: "RFC 7636 4.3", Severity: record.Error, Evidence: '-', at: atBody,
		Title: "unknown PKCE method", Fires: "another code_challenge_method"},
	{ID: "idm-pkce-challenge", Clause: "RFC 7636 4.2", Severity: record.Error, Evidence: '-', at: atBody,
		Title: "code challenge is no SHA-256", Fires: "S256, but not 43 characters of base64url"},
	{ID: "idm-pkce-verifier", Clause: "RFC 7636 4.1", Severity: record.Error, Evidence: '-', at: atBody,
		Title: "code verifier of a wrong length", Fires: "not 43 to 128 characters"},
	{ID: "idm-token-type", Clause: "TS 33.180 B.10", Severity: record.Warning, Evidence: 'C', at: atBody,
		Title: "token_type is not bearer", Fires: "token response"},
	{ID: "kms-error", Clause: "TS 33.180 D.3.1", Severity: record.Warning, Evidence: 'C', at: atBody,
		Title: "the KMS answered with an error", Fires: "KmsError, or ClientError, in a document"},
}

// WebChecks lists the register of the checks of the HTTP half.
func WebChecks() []Check { return slices.Clone(webTable) }
