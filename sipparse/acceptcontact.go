package sipparse

// ParseFeatures reads one value of Accept-Contact, Reject-Contact or Feature-Caps (RFC 3841 9.2, RFC 6809 6.2): a "*"
// and feature tags as parameters, such as *;+g.3gpp.mcptt;require;explicit. The token of the result is the "*".
func ParseFeatures(b []byte) (TokenParams, error) {
	return tokenParams(b, DiagParamSyntax, "feature set")
}

// ICSI is the feature tag that carries an IMS communication service identifier, TS 24.229 7.9.2.
const ICSI = "+g.3gpp.icsi-ref"

// Unescape undoes percent escapes, RFC 3261 19.1.2, such as those in urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt. A broken
// escape stays as it is.
func Unescape(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) && hexValue(b[i+1]) < 16 && hexValue(b[i+2]) < 16 {
			out = append(out, hexValue(b[i+1])<<4|hexValue(b[i+2]))
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return string(out)
}
