package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
	"github.com/mcxdump/mcxdump/sipparse"
)

// maxBody bounds what decode reads from standard input.
const maxBody = 16 << 20

func newDecode(s *streams) *cobra.Command {
	var typ, form, at, format string
	var asJSON, dump, show, explain bool
	var k keyFlags
	cmd := &cobra.Command{
		Use:   "decode [--type TYPE]",
		Short: "Decode one body from standard input, without a capture",
		Long: `Decode one body from standard input: a media type or a name (mikey, mcptt-info, sip ...) with --type, otherwise told by
content. The octets may be raw, hex or base64; --form says which when guessing is wrong. With --keys it is opened.`,
		Example: "  base64 imessage.bin | mcxdump decode --type mikey --keys kms.xml\n  mcxdump decode --type application/vnd.3gpp.mcptt-info+xml < info.xml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := io.ReadAll(io.LimitReader(s.in, maxBody+1))
			if err != nil {
				return err
			}
			switch {
			case len(raw) == 0:
				return fmt.Errorf("standard input is empty")
			case len(raw) > maxBody:
				return fmt.Errorf("the body is longer than %d octets", maxBody)
			}
			typ = strings.ToLower(typ)
			if names := bodyNames(); typ != "" && !strings.Contains(typ, "/") && !slices.Contains(names, typ) {
				return usage("--type %s is unknown; there are media types and %s", typ, strings.Join(names, ", "))
			}
			data, err := unform(raw, form)
			if err != nil {
				return &usageError{err}
			}
			when, err := parseTime(at)
			if err != nil {
				return &usageError{err}
			}
			if asJSON {
				format = "json"
			}
			width := terminal(s.out)
			f, err := output.New(format, output.Options{Terminal: width > 0, Width: width, Color: width > 0, Hex: dump, Secrets: show})
			if err != nil {
				return &usageError{err}
			}
			opt := decode.Options{Want: f.Needs(), ShowSecrets: show}
			m, err := k.load(s)
			if err != nil {
				return err
			}
			if m != nil {
				opt.Ring = keys.NewRing(m, keys.RingLimits{})
				defer opt.Ring.Close()
			}
			if explain {
				opt.Explain = 1
			}
			rec := decode.Body(cmd.Context(), typ, data, when, opt)
			_, err = s.out.Write(f.Append(nil, rec))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&typ, "type", "", "media type or `NAME` of the body")
	f.StringVar(&form, "form", "auto", "how the input is written: auto, raw, hex or base64")
	f.StringVar(&at, "time", "", "`TIME` at which it was sent, for expiries and key periods (default now)")
	f.StringVarP(&format, "output", "T", "tree", "output `FORMAT`: tree, json or table")
	f.BoolVar(&asJSON, "json", false, "short for -T json")
	f.BoolVar(&dump, "hex", false, "octet ranges and dumps")
	f.BoolVar(&explain, "explain", false, "every key, identity and variant tried")
	f.BoolVar(&show, "show-secrets", false, "print keys and whole tokens")
	k.register(f)
	return cmd
}

// bodyNames are the names that --type takes beside media types.
func bodyNames() []string {
	names := []string{"sip"}
	for _, t := range decode.BodyTypes() {
		if len(t.Types) > 0 {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unform turns the text forms of octets into octets. "auto" takes hex when nothing but hex digits and blanks is there;
// base64 when XML, SDP, multipart or SIP is found in it; that of MIKEY is left as it is, since its dissector takes both.
func unform(b []byte, form string) ([]byte, error) {
	clean := bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' || r == ':' {
			return -1
		}
		return r
	}, b)
	switch form {
	case "raw":
		return b, nil
	case "hex":
		out := make([]byte, hex.DecodedLen(len(clean)))
		if _, err := hex.Decode(out, clean); err != nil {
			return nil, fmt.Errorf("the input is not hex: %v", err)
		}
		return out, nil
	case "base64":
		out, err := base64.StdEncoding.DecodeString(string(clean))
		if err != nil {
			out, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(string(clean), "="))
		}
		if err != nil {
			return nil, fmt.Errorf("the input is not base64: %v", err)
		}
		return out, nil
	case "auto":
		if len(clean) >= 16 && len(clean)%2 == 0 {
			out := make([]byte, len(clean)/2)
			if _, err := hex.Decode(out, clean); err == nil {
				return out, nil
			}
		}
		if out, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(string(clean), "=")); err == nil && looksLikeText(out) {
			return out, nil
		}
		return b, nil
	}
	return nil, fmt.Errorf("--form is auto, raw, hex or base64")
}

// looksLikeText reports whether b begins as one of the bodies that are text.
func looksLikeText(b []byte) bool {
	b = bytes.TrimPrefix(bytes.TrimSpace(b), []byte("\xef\xbb\xbf"))
	for _, p := range []string{"<", "v=0", "--", "{"} {
		if len(b) >= 16 && bytes.HasPrefix(b, []byte(p)) {
			return true
		}
	}
	return sipparse.LooksLikeStart(b)
}
