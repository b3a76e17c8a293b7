package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// jsonRoot is the only member of a document of KMS master secrets, and jsonMembers are those of its entries.
const jsonRoot = "kms_master_secrets"

var jsonMembers = []string{
	"kms_uri", "user_id_format", "user_key_period", "user_key_offset", "sakke_parameter_set",
	"sakke_master_secret", "eccsi_master_secret", "sakke_public_key", "eccsi_public_key",
}

// json reads a document of KMS master secrets.
func (l *loader) json(name string, b []byte) {
	j := jsonReader{l: l, name: name, doc: b, dec: json.NewDecoder(bytes.NewReader(b))}
	j.dec.UseNumber()
	if err := j.document(); err != nil {
		l.fail(name, j.line(), jsonRoot, "", err)
	}
}

// jsonReader walks the tokens of a document, so that every error has its line and repeated members are seen.
type jsonReader struct {
	l    *loader
	name string
	doc  []byte
	dec  *json.Decoder
}

func (j *jsonReader) line() int {
	return 1 + bytes.Count(j.doc[:min(int(j.dec.InputOffset()), len(j.doc))], []byte("\n"))
}

var errSyntax = errors.New("not well-formed JSON")

// token returns the next token. The decoder's own errors may quote the input and so are not passed on.
func (j *jsonReader) token() (json.Token, error) {
	t, err := j.dec.Token()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: it ends early", errSyntax)
	case err != nil:
		return nil, errSyntax
	}
	return t, nil
}

func (j *jsonReader) delim(want json.Delim, what string) error {
	t, err := j.token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("expected %s", what)
	}
	return nil
}

func (j *jsonReader) document() error {
	form := `an object with the member "` + jsonRoot + `"`
	if err := j.delim('{', form); err != nil {
		return err
	}
	found := false
	for j.dec.More() {
		t, err := j.token()
		if err != nil {
			return err
		}
		if name, _ := t.(string); name != jsonRoot {
			return unknownMember(name, []string{jsonRoot})
		}
		if found {
			return errors.New("the member is there twice")
		}
		found = true
		if err := j.delim('[', "a list of objects"); err != nil {
			return err
		}
		for n := 1; j.dec.More(); n++ {
			if err := j.entry(); err != nil {
				if j.l.full {
					return nil
				}
				return err
			}
		}
		if _, err := j.token(); err != nil {
			return err
		}
	}
	if _, err := j.token(); err != nil {
		return err
	}
	if !found {
		return errors.New("expected " + form)
	}
	if _, err := j.dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more follows its end", errSyntax)
	}
	return nil
}

func unknownMember(name string, known []string) error {
	err := "unknown member " + quote(name)
	if near := nearest(name, known); near != "" {
		return errors.New(err + ", did you mean " + near + "?")
	}
	return errors.New(err + "; expected " + strings.Join(known, ", "))
}

// errStop means that the reader is out of room, which was reported.
var errStop = errors.New("no room")

// entry reads one KMS. An error of its contents is reported and the next KMS is read; an error that is returned ends the
// document.
func (j *jsonReader) entry() error {
	if err := j.delim('{', "an object for each KMS"); err != nil {
		return err
	}
	line := j.line()
	values := map[string]string{}
	var wrong error
	for j.dec.More() {
		t, err := j.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		known := false
		for _, m := range jsonMembers {
			known = known || m == name
		}
		if !known {
			return unknownMember(name, jsonMembers)
		}
		v, err := j.token()
		if err != nil {
			return err
		}
		if _, twice := values[name]; twice {
			wrong = fmt.Errorf("the member %s is there twice", name)
		}
		switch v := v.(type) {
		case string:
			values[name] = strings.TrimSpace(v)
		case json.Number:
			values[name] = v.String()
		case nil:
			continue
		case json.Delim:
			return fmt.Errorf("the member %s is not text or a number", name)
		default:
			wrong = fmt.Errorf("the member %s is not text or a number", name)
		}
	}
	if _, err := j.token(); err != nil {
		return err
	}
	if wrong == nil {
		wrong = j.master(Origin{j.name, line}, values)
	}
	if wrong != nil {
		j.l.fail(j.name, line, jsonRoot, "", wrong)
	}
	if j.l.full {
		return errStop
	}
	return nil
}

func (j *jsonReader) master(o Origin, v map[string]string) error {
	k := KMS{Origin: o, UserIDFormat: v["user_id_format"], ParameterSet: 1}
	var err error
	if k.URI, err = parseWord("kms_uri", v["kms_uri"]); err != nil {
		return err
	}
	if k.UserIDFormat == "" {
		k.UserIDFormat = "2"
	}
	if len(k.UserIDFormat) > 16 {
		return errors.New("user_id_format is no number")
	}
	if k.UserIDFormat != "2" {
		j.l.warn(o, "user_id_format %s is not 2, the only one described (TS 33.180 F.2.1)", quote(k.UserIDFormat))
	}
	if s := v["sakke_parameter_set"]; s != "" && s != "1" {
		return fmt.Errorf("sakke_parameter_set %s is not 1, the only one there is (RFC 6509 appendix A)", quote(s))
	}
	if k.Period, k.Offset, err = parsePeriod(dash(v["user_key_period"]), dash(v["user_key_offset"])); err != nil {
		return err
	}
	if k.Z, err = parseZ(dash(v["sakke_public_key"])); err != nil {
		return err
	}
	if k.KPAK, err = parseKPAK(dash(v["eccsi_public_key"])); err != nil {
		return err
	}
	var z, ksak []byte
	if s := v["sakke_master_secret"]; s != "" {
		if z, err = parseHex("sakke_master_secret", s); err != nil {
			return err
		}
	}
	if s := v["eccsi_master_secret"]; s != "" {
		if ksak, err = parseHex("eccsi_master_secret", s); err != nil {
			return err
		}
	}
	return j.l.addMaster(k, z, ksak)
}
