package xmlsec

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// SignOptions describe a signature to write with [Sign].
type SignOptions struct {
	ID           string // Id of the Signature; none when empty
	C14N         C14N
	Method       string // default [URIHMACSHA256]
	OutputLength int    // HMACOutputLength in bits; not written when 0
	Key          []byte
	KeyName      string // no KeyInfo when empty
	References   []SignReference
}

// SignReference is one reference to write.
type SignReference struct {
	URI          string
	ID, Type     string
	DigestMethod string   // default [URISHA256]
	Transforms   []string // algorithm identifiers
	Prefixes     []string // PrefixList of exclusive canonicalisation
	Octets       []byte   // target outside the document; nil for "" and "#id"
}

// Sign adds a ds:Signature to parent as its last child, in the form of TS 33.180
// 9.3.5. The parent has to be where the signature stays, since the namespaces
// around a signature go into what is signed. On error parent is as before.
func Sign(parent *etree.Element, o SignOptions) (*etree.Element, error) {
	if o.Method == "" {
		o.Method = URIHMACSHA256
	}
	h := hmacs[o.Method]
	if h == nil {
		return nil, ErrUnsupportedAlgorithm{o.Method}
	}
	size := h().Size()
	if o.OutputLength != 0 {
		if _, err := outputLength(strconv.Itoa(o.OutputLength), size); err != nil {
			return nil, err
		}
		size = o.OutputLength / 8
	}
	if len(o.Key) == 0 {
		return nil, ErrNoKey
	}
	if len(o.References) == 0 || len(o.References) > maxReferences {
		return nil, fmt.Errorf("xmlsec: a signature has 1 to %d references", maxReferences)
	}
	sig := parent.CreateElement("ds:Signature")
	sig.CreateAttr("xmlns:ds", NSSig)
	if o.ID != "" {
		sig.CreateAttr("Id", o.ID)
	}
	info := sig.CreateElement("ds:SignedInfo")
	cm := info.CreateElement("ds:CanonicalizationMethod")
	cm.CreateAttr("Algorithm", o.C14N.URI())
	writePrefixes(cm, o.C14N)
	sm := info.CreateElement("ds:SignatureMethod")
	sm.CreateAttr("Algorithm", o.Method)
	if o.OutputLength != 0 {
		sm.CreateElement("ds:HMACOutputLength").SetText(strconv.Itoa(o.OutputLength))
	}
	lim, _ := Limits{}.check()
	for i := range o.References {
		if err := signReference(sig, info, &o.References[i], lim); err != nil {
			sig.Remove()
			return nil, err
		}
	}
	mac := hmac.New(h, o.Key)
	mac.Write(o.C14N.Element(info))
	sig.CreateElement("ds:SignatureValue").SetText(base64.StdEncoding.EncodeToString(mac.Sum(nil)[:size]))
	if o.KeyName != "" {
		sig.CreateElement("ds:KeyInfo").CreateElement("ds:KeyName").SetText(o.KeyName)
	}
	return sig, nil
}

func signReference(sig, info *etree.Element, sr *SignReference, lim Limits) error {
	method := sr.DigestMethod
	if method == "" {
		method = URISHA256
	}
	h := digests[method]
	if h == nil {
		return ErrUnsupportedAlgorithm{method}
	}
	ref := info.CreateElement("ds:Reference")
	for _, a := range [...][2]string{{"Id", sr.ID}, {"Type", sr.Type}} {
		if a[1] != "" {
			ref.CreateAttr(a[0], a[1])
		}
	}
	ref.CreateAttr("URI", sr.URI)
	var list []transform
	if len(sr.Transforms) > 0 {
		if len(sr.Transforms) > maxTransforms {
			return fmt.Errorf("xmlsec: more than %d transforms", maxTransforms)
		}
		ts := ref.CreateElement("ds:Transforms")
		for _, uri := range sr.Transforms {
			t := ts.CreateElement("ds:Transform")
			t.CreateAttr("Algorithm", uri)
			tr := transform{uri: uri}
			if c, ok := C14NByURI(uri); ok && c.Exclusive {
				c.Prefixes = sr.Prefixes
				writePrefixes(t, c)
				tr.prefixes = sr.Prefixes
			}
			list = append(list, tr)
		}
	}
	ref.CreateElement("ds:DigestMethod").CreateAttr("Algorithm", method)
	s := newSpace(sig, func(string) (Target, error) {
		if sr.Octets == nil {
			return Target{}, ErrUnresolved
		}
		return Target{Octets: sr.Octets}, nil
	}, lim)
	m, err := s.start(&Reference{URI: sr.URI})
	if err != nil {
		return err
	}
	v, _, err := s.apply(m, list)
	if err != nil {
		return err
	}
	if m.el != nil && within(ref, m.el) && !signatureLeftOut(sr.Transforms) {
		return errors.New("xmlsec: the reference covers its own signature without the enveloped-signature transform")
	}
	d := h()
	d.Write(v.octets)
	ref.CreateElement("ds:DigestValue").SetText(base64.StdEncoding.EncodeToString(d.Sum(nil)))
	return nil
}

func signatureLeftOut(transforms []string) bool {
	for _, t := range transforms {
		if t == URIEnveloped {
			return true
		}
	}
	return false
}

// writePrefixes writes ec:InclusiveNamespaces.
func writePrefixes(el *etree.Element, c C14N) {
	if c.Exclusive && len(c.Prefixes) > 0 {
		n := el.CreateElement("ec:InclusiveNamespaces")
		n.CreateAttr("xmlns:ec", URIExcC14N)
		n.CreateAttr("PrefixList", strings.Join(c.Prefixes, " "))
	}
}
