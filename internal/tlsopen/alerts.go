package tlsopen

import "strconv"

// An Alert is an alert description (RFC 8446 6, RFC 5246 7.2).
type Alert uint8

const (
	alertCloseNotify     Alert = 0
	alertUserCanceled    Alert = 90
	alertNoRenegotiation Alert = 100
)

var alertWords = map[Alert][2]string{
	0:   {"close_notify", "nothing more will be sent"},
	10:  {"unexpected_message", "a message that does not belong there came"},
	20:  {"bad_record_mac", "a record could not be opened or its MAC is wrong"},
	21:  {"decryption_failed", "a record could not be decrypted"},
	22:  {"record_overflow", "a record is longer than allowed"},
	30:  {"decompression_failure", "a record could not be decompressed"},
	40:  {"handshake_failure", "no acceptable set of security parameters: cipher suites, groups, signature algorithms or a client certificate that is wanted"},
	41:  {"no_certificate", "there is no certificate to send"},
	42:  {"bad_certificate", "the certificate is corrupt, or its signature does not verify"},
	43:  {"unsupported_certificate", "the certificate is of a type that is not supported"},
	44:  {"certificate_revoked", "the certificate was revoked"},
	45:  {"certificate_expired", "the certificate has expired or is not valid yet"},
	46:  {"certificate_unknown", "the certificate is not accepted, for a reason that is not named"},
	47:  {"illegal_parameter", "a field of the handshake has a value that is not allowed"},
	48:  {"unknown_ca", "the issuer of the certificate is not known or not trusted"},
	49:  {"access_denied", "the certificate is valid, but its owner is not admitted"},
	50:  {"decode_error", "a message could not be decoded"},
	51:  {"decrypt_error", "a signature or a Finished message could not be verified"},
	60:  {"export_restriction", "the parameters are not in line with export restrictions"},
	70:  {"protocol_version", "the offered protocol version is not supported"},
	71:  {"insufficient_security", "the offered cipher suites are not secure enough"},
	80:  {"internal_error", "an error that has nothing to do with the other side"},
	86:  {"inappropriate_fallback", "a fallback to an older version than both sides support"},
	90:  {"user_canceled", "the user ended the handshake"},
	100: {"no_renegotiation", "renegotiation is refused"},
	109: {"missing_extension", "an extension that has to be there is missing"},
	110: {"unsupported_extension", "an extension that was not asked for"},
	111: {"certificate_unobtainable", "the certificate cannot be had from its URL"},
	112: {"unrecognized_name", "no server of the name that was asked for (SNI)"},
	113: {"bad_certificate_status_response", "the OCSP response is invalid or not accepted"},
	114: {"bad_certificate_hash_value", "the certificate does not have the hash that was announced"},
	115: {"unknown_psk_identity", "no pre-shared key of that identity"},
	116: {"certificate_required", "a client certificate is wanted and none was sent"},
	120: {"no_application_protocol", "none of the offered application protocols (ALPN) is supported"},
	121: {"ech_required", "encrypted ClientHello is wanted"},
}

// Name is the registered name.
func (a Alert) Name() string {
	if w, ok := alertWords[a]; ok {
		return w[0]
	}
	return "alert " + strconv.Itoa(int(a))
}

// String is the registered name with what it means, in words.
func (a Alert) String() string {
	if w, ok := alertWords[a]; ok {
		return w[0] + " (" + w[1] + ")"
	}
	return a.Name()
}

// fatal reports whether an alert ends a connection in disorder. In TLS 1.3 its severity is that of its description.
func (a Alert) fatal(level byte, v13 bool) bool {
	switch a {
	case alertCloseNotify, alertUserCanceled, alertNoRenegotiation:
		return false
	}
	return level == 2 || v13
}
