package decode

import "github.com/mcxdump/mcxdump/decode/record"

// The documents of the KMS interface, TS 33.180 annex D. What the target of the HTTP request says stands beside the http
// object under the same names.
var (
	kmsSelf      = reg("kms", "KMS interface", "TS 33.180 D.1", record.Object)
	kmsOperation = reg("kms.operation", "Operation", "TS 33.180 D.1", record.String)
	kmsDocument  = reg("kms.document", "Root element", "TS 33.180 D.2.2", record.String)
	kmsMessage   = reg("kms.message", "Content", "TS 33.180 D.3.1", record.String)
	kmsVersion   = reg("kms.version", "Version", "TS 33.180 D.2.2", record.String)
	kmsUser      = regID("kms.user_uri", "UserUri", "TS 33.180 D.2.2")
	kmsURI       = reg("kms.kms_uri", "KmsUri (the security domain)", "TS 33.180 D.2.2", record.String)
	kmsID        = reg("kms.kms_id", "KmsId", "TS 33.180 D.3.1", record.String)
	kmsTime      = reg("kms.time", "Time", "TS 33.180 D.2.2", record.Time)
	kmsClient    = regID("kms.client_id", "ClientId", "TS 33.180 D.2.2")
	kmsDevice    = regID("kms.device_id", "DeviceId", "TS 33.180 D.2.2")
	kmsReqURL    = regID("kms.client_req_url", "ClientReqUrl", "TS 33.180 D.2.2")
	kmsTrK       = regID("kms.trk_id", "TrK-ID (transport key)", "TS 33.180 D.2.2")
	kmsInK       = regID("kms.ink_id", "InK-ID or Signature-ID (key of signatures)", "TS 33.180 D.2.2")
	kmsCacheNum  = reg("kms.cache_number", "Number of the certificate cache", "TS 33.180 D.2", record.Uint)
	kmsPeriodAt  = reg("kms.key_time", "Time for which keys are asked (in the target, NTP 64 bits)", "TS 33.180 D.2", record.Time)

	kmsError       = reg("kms.error", "KmsError or ClientError", "TS 33.180 D.3.1", record.Object)
	kmsErrorSide   = reg("kms.error.of", "Reported by", "TS 33.180 D.3.1", record.String)
	kmsErrorCode   = reg("kms.error.code", "ErrorCode", "TS 33.180 D.3.1", record.String)
	kmsErrorText   = reg("kms.error.text", "ErrorMsg", "TS 33.180 D.3.1", record.String)
	kmsErrorDetail = registerTree("kms.error.detail", "Element of another name space", "TS 33.180 D.3.1", true)

	kmsSignature = registerKMSSignature("kms.signature")

	kmsCerts       = regList("kms.certificates", "KMS certificates", "TS 33.180 D.3.2.2", record.Object)
	kmsCertVersion = reg("kms.certificates.version", "Version", "TS 33.180 D.3.2.2", record.String)
	kmsCertRole    = reg("kms.certificates.role", "Role: Root, External", "TS 33.180 D.3.2.2", record.String)
	kmsCertGateway = reg("kms.certificates.is_security_gateway", "Of a security gateway", "TS 33.180 L.3.2", record.Bool)
	kmsCertURI     = reg("kms.certificates.cert_uri", "CertUri", "TS 33.180 D.3.2.2", record.String)
	kmsCertKMS     = reg("kms.certificates.kms_uri", "KmsUri", "TS 33.180 D.3.2.2", record.String)
	kmsCertIssuer  = reg("kms.certificates.issuer", "Issuer", "TS 33.180 D.3.2.2", record.String)
	kmsCertFrom    = reg("kms.certificates.valid_from", "ValidFrom", "TS 33.180 D.3.2.2", record.Time)
	kmsCertTo      = reg("kms.certificates.valid_to", "ValidTo", "TS 33.180 D.3.2.2", record.Time)
	kmsCertRevoked = reg("kms.certificates.revoked", "Revoked", "TS 33.180 D.3.2.2", record.Bool)
	kmsCertFormat  = reg("kms.certificates.user_id_format", "UserIdFormat", "TS 33.180 D.3.2.2", record.String)
	kmsCertPeriod  = reg("kms.certificates.user_key_period", "UserKeyPeriod in seconds", "TS 33.180 D.3.2.2", record.Uint)
	kmsCertOffset  = reg("kms.certificates.user_key_offset", "UserKeyOffset in seconds", "TS 33.180 D.3.2.2", record.Uint)
	kmsCertNumber  = reg("kms.certificates.key_period_no", "Number of the key period at the time of the message", "TS 33.180 F.2.1", record.Uint)
	kmsCertEnc     = reg("kms.certificates.pub_enc_key", "PubEncKey (SAKKE public key Z)", "TS 33.180 D.3.2.2", record.Octets)
	kmsCertAuth    = reg("kms.certificates.pub_auth_key", "PubAuthKey (ECCSI public key KPAK)", "TS 33.180 D.3.2.2", record.Octets)
	kmsCertSet     = reg("kms.certificates.parameter_set", "ParameterSet", "TS 33.180 D.3.2.2", record.Uint)
	kmsCertDomains = regList("kms.certificates.domains", "KmsDomainList", "TS 33.180 D.3.2.2", record.String)
	kmsCertUnknown = registerTree("kms.certificates.unknown", "Element without a place", "TS 33.180 D.3.2.2", true)
	kmsCertSign    = registerKMSSignature("kms.certificates.signature")

	kmsSets       = regList("kms.key_sets", "Key sets", "TS 33.180 D.3.3.2", record.Object)
	kmsSetVersion = reg("kms.key_sets.version", "Version", "TS 33.180 D.3.3.2", record.String)
	kmsSetKMS     = reg("kms.key_sets.kms_uri", "KmsUri", "TS 33.180 D.3.3.2", record.String)
	kmsSetCert    = reg("kms.key_sets.cert_uri", "CertUri", "TS 33.180 D.3.3.2", record.String)
	kmsSetIssuer  = reg("kms.key_sets.issuer", "Issuer", "TS 33.180 D.3.3.2", record.String)
	kmsSetUser    = regID("kms.key_sets.user_uri", "UserUri", "TS 33.180 D.3.3.2")
	kmsSetUID     = record.Register(record.Field{Name: "kms.key_sets.user_id", Title: "UserID", Clause: "TS 33.180 F.2.1", Kind: record.Octets, Identity: true})
	kmsSetUIDForm = reg("kms.key_sets.user_id_form", "Coding of UserID", "TS 33.180 D.3.3.2", record.String)
	kmsSetFrom    = reg("kms.key_sets.valid_from", "ValidFrom", "TS 33.180 D.3.3.2", record.Time)
	kmsSetTo      = reg("kms.key_sets.valid_to", "ValidTo", "TS 33.180 D.3.3.2", record.Time)
	kmsSetNumber  = reg("kms.key_sets.key_period_no", "KeyPeriodNo", "TS 33.180 D.3.3.2", record.Uint)
	kmsSetStart   = reg("kms.key_sets.period_start", "When that key period begins, by the KMS certificate", "TS 33.180 F.2.1", record.Time)
	kmsSetEnd     = reg("kms.key_sets.period_end", "When that key period ends, by the KMS certificate", "TS 33.180 F.2.1", record.Time)
	kmsSetRevoked = reg("kms.key_sets.revoked", "Revoked", "TS 33.180 D.3.3.2", record.Bool)
	kmsSetRSK     = registerKMSKey("kms.key_sets.user_decrypt_key", "UserDecryptKey (RSK)", "TS 33.180 D.3.3.2", false)
	kmsSetSSK     = registerKMSKey("kms.key_sets.user_signing_key_ssk", "UserSigningKeySSK", "TS 33.180 D.3.3.2", false)
	kmsSetPVT     = registerKMSKey("kms.key_sets.user_pub_token_pvt", "UserPubTokenPVT", "TS 33.180 D.3.3.2", false)
	kmsSetUnknown = registerKMSOpaque("kms.key_sets.unknown", "Element without a place: content withheld, it may be a key", "TS 33.180 D.3.3.2")

	kmsNewTrK = registerKMSKey("kms.new_transport_key", "NewTransportKey", "TS 33.180 D.3.2", true)
	kmsNewInK = registerKMSKey("kms.new_integrity_key", "NewIntegrityKey", "TS 33.180 D.3.2", true)

	kmsLookup    = registerTree("kms.lookup", "KmsLookup (content not confirmed: as it stands)", "TS 33.180 D.3.1", true)
	kmsRedirect  = registerTree("kms.redirect", "KMS redirect response (content not confirmed: as it stands)", "TS 33.180 D.4.3", true)
	kmsMentioned = regIDList("kms.uris", "URIs named in a redirect or lookup", "TS 33.180 D.4.3")
	kmsInterKM   = registerKMSOpaque("kms.inter_km_rec", "Interworking key management record: content withheld, it may be a key", "TS 33.180 11.2.3")
	kmsUnknown   = registerTree("kms.unknown", "Element without a place", "TS 33.180 D.2.2", true)

	kmsLearned      = reg("kms.learned", "What this message added to the keys of the run", "mcxdump", record.Object)
	kmsLearnedCerts = reg("kms.learned.certificates", "Certificates", "mcxdump", record.Uint)
	kmsLearnedUsers = reg("kms.learned.user_keys", "User keys", "mcxdump", record.Uint)
	kmsLearnedTrK   = reg("kms.learned.transport_keys", "Transport keys (TrK)", "mcxdump", record.Uint)
	kmsLearnedInK   = reg("kms.learned.integrity_keys", "Integrity keys (InK)", "mcxdump", record.Uint)

	kmsVerdicts      = regList("kms.verdicts", "Verifications of key material", "RFC 6507 5.1.2", record.Object)
	kmsVerdictWhat   = regID("kms.verdicts.what", "What was verified", "RFC 6507 5.1.2")
	kmsVerdictOK     = reg("kms.verdicts.ok", "Outcome", "RFC 6507 5.1.2", record.Bool)
	kmsVerdictReason = regID("kms.verdicts.reason", "Why not, or which reading fitted", "RFC 6507 5.1.2")
)

// kmsSignatureFields are those of one signature of a response, request or certificate.
type kmsSignatureFields struct {
	self, state, reason, hint, keyName, key, origin, variant, method *record.Field
}

func registerKMSSignature(base string) *kmsSignatureFields {
	return &kmsSignatureFields{
		self:    reg(base, "Signature", "TS 33.180 D.1", record.Object),
		state:   reg(base+".state", "State", "TS 33.180 D.1", record.String),
		reason:  reg(base+".reason", "Reason", "TS 33.180 D.1", record.String),
		hint:    regID(base+".hint", "In words", "TS 33.180 D.1"),
		keyName: regID(base+".key_name", "KeyName", "TS 33.180 D.1"),
		key:     regID(base+".key", "Name of the key that proved it, where it is another", "TS 33.180 D.1"),
		origin:  reg(base+".origin", "Message that brought that key", "mcxdump", record.String),
		variant: reg(base+".variant", "What was proved, where it is not what the signature states", "XML Signature 1.1 3.2", record.String),
		method:  reg(base+".method", "Signature method", "TS 33.180 D.1", record.String),
	}
}

// kmsKeyFields are those of one element with key material. Its value is there with --show-secrets only.
type kmsKeyFields struct {
	f, name, keyName, length, fingerprint, origin *record.Field
}

func registerKMSKey(base, title, clause string, list bool) *kmsKeyFields {
	k := &kmsKeyFields{f: record.Register(record.Field{Name: base, Title: title, Clause: clause, Kind: record.Protected, Of: record.Octets, List: list})}
	if list {
		k.name = regID(base+".name", "Name of the new key", clause)
	}
	k.keyName = regID(base+".key_name", "Name of the transport key that wraps it", "TS 33.180 D.1")
	k.length = reg(base+".length", "Octets of the key", clause, record.Uint)
	k.fingerprint = reg(base+".fingerprint", "First 32 bits of SHA-256 over the key", "mcxdump", record.String)
	k.origin = reg(base+".origin", "Message that brought the transport key which opened it", "mcxdump", record.String)
	return k
}

// kmsOpaqueFields are those of content that is not shown.
type kmsOpaqueFields struct{ self, name, length *record.Field }

func registerKMSOpaque(base, title, clause string) *kmsOpaqueFields {
	return &kmsOpaqueFields{
		self:   regList(base, title, clause, record.Object),
		name:   reg(base+".name", "Element", clause, record.String),
		length: reg(base+".length", "Octets of its content", clause, record.Uint),
	}
}
