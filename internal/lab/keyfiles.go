package lab

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/internal/xmlsec"
	"github.com/mcxdump/mcxdump/keys"
)

// KeyLog is the MCX key log of everything handed out: keys, the MC service IDs, and the certificate of each KMS.
func (s *System) KeyLog() []byte {
	var b strings.Builder
	b.WriteString("# MCX key log of a synthetic capture: keys of nobody.\n")
	for _, d := range s.Domains {
		fmt.Fprintf(&b, "KMS %s %d %d %x %x\n", d.KMS, d.Period, d.Offset, d.Z.Bytes(), d.KPAK.Bytes())
	}
	b.Write(s.Identities())
	for _, k := range s.log {
		fmt.Fprintf(&b, "%s %s %x %s\n", k.Type, keys.FormatID(k.ID), k.Key, k.URI)
	}
	return []byte(b.String())
}

// Identities lists the MC service IDs and the identities of servers as lines of a key log.
func (s *System) Identities() []byte {
	var b strings.Builder
	for _, p := range s.identities() {
		fmt.Fprintf(&b, "MCID %s\n", p.URI)
	}
	return []byte(b.String())
}

// MasterSecrets is the document of the master secrets of every KMS.
func (s *System) MasterSecrets() ([]byte, error) {
	type entry struct {
		URI    string `json:"kms_uri"`
		Format string `json:"user_id_format"`
		Period uint64 `json:"user_key_period"`
		Offset uint64 `json:"user_key_offset"`
		Set    int    `json:"sakke_parameter_set"`
		Z      string `json:"sakke_master_secret"`
		KSAK   string `json:"eccsi_master_secret"`
		PubZ   string `json:"sakke_public_key"`
		KPAK   string `json:"eccsi_public_key"`
	}
	var list []entry
	for _, d := range s.Domains {
		list = append(list, entry{d.KMS, "2", d.Period, d.Offset, 1, hex.EncodeToString(d.SAKKE.Reveal()), hex.EncodeToString(d.ECCSI.Reveal()), hex.EncodeToString(d.Z.Bytes()), hex.EncodeToString(d.KPAK.Bytes())})
	}
	b, err := json.MarshalIndent(map[string][]entry{"kms_master_secrets": list}, "", "  ")
	return append(b, '\n'), err
}

// kmsNS declares the name spaces of KMS documents, TS 33.180 annex D.
const kmsNS = `xmlns="urn:3gpp:ns:mcsecKMSInterface:1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`

// response is a KmsResponse around a message, TS 33.180 D.3.1.
func (d *Domain) response(user, path, message string) string {
	return `<KmsResponse Version="1.0.0"><UserUri>` + user + `</UserUri><KmsUri>` + d.KMS + `</KmsUri><Time>` + Epoch.Format(time.RFC3339) + `</Time><KmsId>KMS-1</KmsId>` +
		`<ClientReqUrl>https://` + d.KMS + `/keymanagement/identity/v1/` + path + `</ClientReqUrl><KmsMessage>` + message + `</KmsMessage></KmsResponse>`
}

// certificate is the KmsInit of a domain, TS 33.180 D.3.2.
func (d *Domain) certificate() string {
	from, to := Epoch.AddDate(-1, 0, 0), Epoch.AddDate(4, 0, 0)
	return fmt.Sprintf(`<KmsInit Version="1.0.0"><KmsCertificate Version="1.1.0" Role="Root"><CertUri>cert1.%[1]s</CertUri><KmsUri>%[1]s</KmsUri><Issuer>%[1]s</Issuer><ValidFrom>%[2]s</ValidFrom><ValidTo>%[3]s</ValidTo>`+
		`<Revoked>false</Revoked><UserIdFormat>2</UserIdFormat><UserKeyPeriod>%[4]d</UserKeyPeriod><UserKeyOffset>%[5]d</UserKeyOffset><PubEncKey>%[6]x</PubEncKey><PubAuthKey>%[7]x</PubAuthKey><ParameterSet>1</ParameterSet></KmsCertificate></KmsInit>`,
		d.KMS, from.Format(time.RFC3339), to.Format(time.RFC3339), d.Period, d.Offset, d.Z.Bytes(), d.KPAK.Bytes())
}

// keySet is the KmsKeyProv of one identity for the period of the capture, TS 33.180 D.3.3. content writes key octets.
func (p Party) keySet(content func([]byte) (string, error)) (string, error) {
	d := p.Domain
	no := keys.PeriodOf(Epoch, d.Period, d.Offset)
	uid := d.uid(p.URI, Epoch)
	rsk, err := d.SAKKE.Extract(uid[:])
	if err != nil {
		return "", err
	}
	ssk, err := d.signing(uid[:])
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<KmsKeyProv Version="1.0.0"><KmsKeySet Version="1.1.0"><KmsUri>%s</KmsUri><UserUri>%s</UserUri><UserID>%s</UserID><ValidFrom>%s</ValidFrom><ValidTo>%s</ValidTo><KeyPeriodNo>%d</KeyPeriodNo>`,
		d.KMS, p.URI, base64.StdEncoding.EncodeToString(uid[:]), instant(keys.PeriodStart(no, d.Period, d.Offset)), instant(keys.PeriodStart(no+1, d.Period, d.Offset)), no)
	for _, e := range []struct {
		name string
		b    []byte
	}{{"UserDecryptKey", rsk.Reveal()}, {"UserSigningKeySSK", ssk.Reveal()}, {"UserPubTokenPVT", ssk.PVT()}} {
		s, err := content(e.b)
		if err != nil {
			return "", err
		}
		b.WriteString("<" + e.name + s + "</" + e.name + ">")
	}
	b.WriteString("</KmsKeySet></KmsKeyProv>")
	return b.String(), nil
}

func instant(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// KMSDocuments are the responses of every KMS to KmsInit and to the KmsKeyProv of every identity, plain, one document a line.
func (s *System) KMSDocuments() ([]byte, error) {
	var b strings.Builder
	write := func(r string) {
		b.WriteString(strings.Replace(r, "<KmsResponse", "<KmsResponse "+kmsNS, 1) + "\n")
	}
	for _, d := range s.Domains {
		write(d.response("sip:operator@"+d.KMS, "init", d.certificate()))
	}
	for _, p := range s.identities() {
		set, err := p.keySet(func(k []byte) (string, error) { return ` xsi:type="KeyContentType">` + hex.EncodeToString(k), nil })
		if err != nil {
			return nil, err
		}
		write(p.Domain.response(p.URI, "keyprov", set))
	}
	return []byte(b.String()), nil
}

// WrappedDocuments are the same under transport keys (TrK) and signed with integrity keys (InK), TS 33.180 D.1, and a key
// log with these.
func (s *System) WrappedDocuments() (doc, log []byte, err error) {
	var b, l strings.Builder
	l.WriteString("# Transport and integrity keys of a synthetic KMS: keys of nobody.\n")
	sign := func(r string, ink LogKey) error {
		fmt.Fprintf(&l, "InK %s %x\n", ink.URI, ink.Key)
		doc, err := sealResponse(r, ink.URI, ink.Key)
		b.WriteString(doc + "\n")
		return err
	}
	for _, d := range s.Domains {
		user := "sip:operator@" + d.KMS
		_, ink := s.transport(user)
		if err := sign(d.response(user, "init", d.certificate()), ink); err != nil {
			return nil, nil, err
		}
	}
	for _, p := range s.identities() {
		trk, ink := s.transport(p.URI)
		fmt.Fprintf(&l, "TrK %s %x\n", trk.URI, trk.Key)
		set, err := p.keySet(func(k []byte) (string, error) {
			el, err := xmlsec.Wrap(k, xmlsec.WrapOptions{KEK: trk.Key, KeyName: trk.URI, Padded: true})
			if err != nil {
				return "", err
			}
			return ` xsi:type="EncKeyContentType">` + string(xmlsec.C14N{}.Element(el)), nil
		})
		if err != nil {
			return nil, nil, err
		}
		if err := sign(p.Domain.response(p.URI, "keyprov", set), ink); err != nil {
			return nil, nil, err
		}
	}
	return []byte(b.String()), []byte(l.String()), nil
}

// MasterFile is the document of master secrets in the folder that [System.WriteKeys] writes.
const MasterFile = string(FormMaster) + "/kms-master.json"

// WriteKeys writes every form of key file into a folder, readable by the owner alone. It comes after the captures, since
// the key log holds the keys that they used.
func (s *System) WriteKeys(dir string) error {
	master, err := s.MasterSecrets()
	if err != nil {
		return err
	}
	plain, err := s.KMSDocuments()
	if err != nil {
		return err
	}
	wrapped, transport, err := s.WrappedDocuments()
	if err != nil {
		return err
	}
	for _, f := range []Form{FormMaster, FormWrapped} {
		if err := os.MkdirAll(filepath.Join(dir, string(f)), 0o700); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name string
		b    []byte
	}{{string(FormLog), s.KeyLog()}, {MasterFile, master}, {filepath.Join(string(FormMaster), "identities.mcxkeys"), s.Identities()}, {string(FormXML), plain},
		{filepath.Join(string(FormWrapped), "kms.xml"), wrapped}, {filepath.Join(string(FormWrapped), "transport.mcxkeys"), transport}} {
		if err := writeSecret(filepath.Join(dir, f.name), f.b); err != nil {
			return err
		}
	}
	return nil
}

// writeSecret writes a file that only its owner may read, also where there was one before.
func writeSecret(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Close()
}
