package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

func newKeys(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show, verify and derive key material; export a key log from a capture",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(keysShow(s), keysVerify(s), keysUID(s), keysDerive(s), keysLog(s))
	return cmd
}

func loadKeys(s *streams, files []string) (*keys.Material, error) {
	k := keyFlags{files: files}
	m, err := k.load(s)
	if err == nil && m == nil {
		return nil, usage("name at least one key FILE")
	}
	return m, err
}

// dash is what an empty cell of a table holds.
func dash(v string) string {
	if v == "" {
		return "-"
	}
	return v
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func keysShow(s *streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show FILE...",
		Short:   "What key files hold, never the secrets",
		Example: "  mcxdump keys show lab.mcxkeys kms-response.xml",
		RunE: func(_ *cobra.Command, files []string) error {
			m, err := loadKeys(s, files)
			if err != nil {
				return err
			}
			items := m.Describe()
			if asJSON {
				return lines(s.out, items)
			}
			rows := [][]string{}
			for _, i := range items {
				valid := ""
				if !i.From.IsZero() || !i.To.IsZero() {
					valid = day(i.From) + " to " + day(i.To)
				}
				rows = append(rows, []string{i.Kind, dash(i.Name), dash(i.URI), dash(i.KMS), dash(i.Period), dash(valid), dash(i.Detail), i.Origin})
			}
			return s.table([]string{"kind", "name", "uri", "kms", "period", "key period", "holds", "from"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func keysVerify(s *streams) *cobra.Command {
	var at string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Verify RSKs against Z, SSK and PVT against KPAK, UIDs, periods, signatures of KMS documents",
		Long: `Verify key material: each RSK against the KMS public key Z (RFC 6508 6.1.2), each SSK and PVT against KPAK (RFC 6507
5.1.2), UIDs recomputed by TS 33.180 F.2.1, key periods against a time, HMAC signatures of KMS documents. Exit code 1
when something does not hold.`,
		RunE: func(_ *cobra.Command, files []string) error {
			m, err := loadKeys(s, files)
			if err != nil {
				return err
			}
			when, err := parseTime(at)
			if err != nil {
				return &usageError{err}
			}
			verdicts := append(m.Verdicts[:len(m.Verdicts):len(m.Verdicts)], m.Verify(when)...)
			bad := 0
			for _, v := range verdicts {
				if !v.OK {
					bad++
				}
			}
			if asJSON {
				type row struct {
					What   string `json:"what"`
					OK     bool   `json:"ok"`
					Reason string `json:"reason,omitempty"`
					Origin string `json:"origin"`
				}
				var rows []row
				for _, v := range verdicts {
					rows = append(rows, row{v.What, v.OK, v.Reason, v.Origin.String()})
				}
				err = lines(s.out, rows)
			} else {
				var rows [][]string
				for _, v := range verdicts {
					word := "ok"
					if !v.OK {
						word = "FAILED"
					}
					rows = append(rows, []string{word, v.What, dash(v.Reason), v.Origin.String()})
				}
				err = s.table([]string{"verdict", "what", "why", "from"}, rows)
			}
			if err == nil && bad > 0 {
				fmt.Fprintf(s.err, "mcxdump: %d of %d verifications failed\n", bad, len(verdicts))
				return errReported
			}
			return err
		},
	}
	cmd.Flags().StringVar(&at, "time", "", "`TIME` that key periods have to hold at, RFC 3339 (default now)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func parseTime(v string) (time.Time, error) {
	if v == "" {
		return time.Now(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: RFC 3339 is expected, as 2024-01-01T00:00:00Z", v)
}

func keysUID(s *streams) *cobra.Command {
	var user, kms, at string
	var period, offset uint64
	var number int64
	cmd := &cobra.Command{
		Use:     "uid --user URI --kms URI",
		Short:   "The UID of an identity in a key period, TS 33.180 F.2.1",
		Example: "  mcxdump keys uid --user sip:user@example.org --kms kms.example.org --time 2014-01-26T10:07:14Z",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if user == "" || kms == "" {
				return usage("--user and --kms are needed")
			}
			if period == 0 || offset >= period {
				return usage("--period must be above 0 and --offset below it")
			}
			no := uint64(number)
			if number < 0 {
				when, err := parseTime(at)
				if err != nil {
					return &usageError{err}
				}
				if when.Unix()+ntpSeconds < int64(offset) {
					return usage("--time %s is before the first key period, which begins %d s after 1 January 1900", when.Format(time.RFC3339), offset)
				}
				no = keys.PeriodOf(when, period, offset)
			}
			uid := keys.UID(user, kms, period, offset, no)
			return s.pairs([][2]string{
				{"uid", hex.EncodeToString(uid[:])},
				{"base64", base64.StdEncoding.EncodeToString(uid[:])},
				{"period_no", fmt.Sprint(no)},
				{"from", day(time.Unix(keys.PeriodStart(no, period, offset), 0))},
				{"to", day(time.Unix(keys.PeriodStart(no+1, period, offset), 0))},
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&user, "user", "", "identity `URI`, as provisioned")
	f.StringVar(&kms, "kms", "", "KMS `URI`")
	f.StringVar(&at, "time", "", "`TIME` that gives the key period (default now)")
	f.Uint64Var(&period, "period", keys.DefaultPeriod, "UserKeyPeriod in `SECONDS`")
	f.Uint64Var(&offset, "offset", keys.DefaultOffset, "UserKeyOffset in `SECONDS`")
	f.Int64Var(&number, "period-no", -1, "key period number, instead of a time")
	return cmd
}

func keysDerive(s *streams) *cobra.Command {
	var csk, user, random string
	var csID int
	var show bool
	cmd := &cobra.Command{
		Use:   "derive --csk ID=HEX[@URI] --user URI",
		Short: "Keys derived from a CSK or another key: XPK keys, DPCK, user salt, SRTP keys",
		Long: `Derive keys: the confidentiality and integrity keys of TS 33.180 F.1.4, the DPCK of F.1.5, the user salt and GUK-ID of
F.1.3, and with --rand the SRTP master key and salt of RFC 3830 4.1.3. Nothing is printed without --show-secrets.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			k, err := keys.ParseCSKOption(csk)
			if err != nil {
				return &usageError{err}
			}
			if user == "" {
				user = k.URI
			}
			if !show {
				return usage("derived keys are secrets: say --show-secrets to print them")
			}
			key := k.Key.Reveal()
			rows := [][2]string{{"key_id", keys.FormatID(k.ID)}, {"key_type", keys.TypeOf(k.ID).String()}}
			if user != "" {
				rows = append(rows,
					[2]string{"user", user},
					[2]string{"confidentiality_key", hex.EncodeToString(keys.DeriveXPK(key, keys.Confidentiality, user, k.ID, keys.Variant{}))},
					[2]string{"integrity_key", hex.EncodeToString(keys.DeriveXPK(key, keys.Integrity, user, k.ID, keys.Variant{}))},
					[2]string{"user_salt", fmt.Sprintf("%07x", keys.UserSalt(key, user))},
					[2]string{"guk_id", keys.FormatID(keys.GUKID(key, k.ID, user))})
			}
			rows = append(rows, [2]string{"dpck", hex.EncodeToString(keys.DPCK(key, k.ID))})
			if random != "" {
				r, err := hex.DecodeString(random)
				if err != nil {
					return usage("--rand is hex")
				}
				mk, ms := keys.SRTP(key, uint8(csID), k.ID, r)
				rows = append(rows, [2]string{"srtp_master_key", hex.EncodeToString(mk)}, [2]string{"srtp_master_salt", hex.EncodeToString(ms)})
			}
			return s.pairs(rows)
		},
	}
	f := cmd.Flags()
	f.StringVar(&csk, "csk", "", "key as `ID=HEX[@URI]`")
	f.StringVar(&user, "user", "", "MC service user ID (P0)")
	f.StringVar(&random, "rand", "", "RAND of the I_MESSAGE in `HEX`, for SRTP keys")
	f.IntVar(&csID, "cs", 6, "CS ID for SRTP keys")
	f.BoolVar(&show, "show-secrets", false, "print the derived keys")
	return cmd
}

func keysLog(s *streams) *cobra.Command {
	var k keyFlags
	var show bool
	cmd := &cobra.Command{
		Use:   "log CAPTURE...",
		Short: "Everything recovered from a capture as an MCX key log",
		Long: `Open a capture with the keys given, and with those that a KMS hands out inside it, and write every key that was recovered
from its I_MESSAGEs as an MCX key log, with the identity that each is bound to. Needs --show-secrets.`,
		Example: "  mcxdump keys log capture.pcap --keys kms-master.json --show-secrets > capture.mcxkeys",
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return usage("keys log needs a CAPTURE")
			}
			if !show {
				return usage("a key log is secrets: say --show-secrets to print it")
			}
			m, err := k.load(s)
			if err != nil {
				return err
			}
			if m == nil {
				m = new(keys.Material) // a KMS may hand keys out inside the capture
			}
			return exportKeys(cmd.Context(), s, &k, m, files)
		},
	}
	k.register(cmd.Flags())
	cmd.Flags().BoolVar(&show, "show-secrets", false, "print the keys")
	return cmd
}

// nothing is the sink of a run that is about its keys only.
type nothing struct{}

func (*nothing) Encode(dst []byte, _ *record.Record) []byte { return dst }
func (*nothing) Write([]byte) error                         { return nil }

func (*nothing) EncodeOpen(dst []byte, _ *record.Record) (out []byte, at int, ok bool) {
	return dst, -1, true
}
func (*nothing) EncodeRoots(dst []byte, _ *record.Record) []byte { return dst }

func exportKeys(ctx context.Context, s *streams, k *keyFlags, m *keys.Material, files []string) error {
	transport, err := k.flow(m)
	if err != nil {
		return err
	}
	ring := keys.NewRing(m, keys.RingLimits{})
	defer ring.Close()
	src, err := capture.Open(files, k.source(s))
	if err != nil {
		return err
	}
	defer src.Close()
	if _, err := s.decode(ctx, src, decode.Options{Ring: ring, TwoPasses: true, Flow: transport}, &nothing{}); err != nil {
		return err
	}
	found := ring.Recovered()
	_, err = s.out.Write((&keys.Material{Keys: found}).AppendKeyLog(nil))
	if err == nil {
		fmt.Fprintf(s.err, "mcxdump: %d keys recovered\n", len(found))
	}
	return err
}

// lines writes one JSON object a line.
func lines[T any](w io.Writer, rows []T) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, r := range rows {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	_, err := w.Write(output.AppendSafeJSON(nil, b.String()))
	return err
}

// table writes rows under headings, with rules on a terminal.
func (s *streams) table(header []string, rows [][]string) error {
	return output.WriteTable(s.out, header, rows, output.Options{Terminal: terminal(s.out) > 0, Width: terminal(s.out)})
}

// pairs writes names and values, one a line.
func (s *streams) pairs(rows [][2]string) error {
	b := bufio.NewWriter(s.out)
	for _, r := range rows {
		if terminal(s.out) > 0 {
			fmt.Fprintf(b, "%-20s %s\n", r[0], output.Safe(r[1]))
		} else {
			fmt.Fprintf(b, "%s\t%s\n", r[0], output.Safe(r[1]))
		}
	}
	return b.Flush()
}

// ntpSeconds lie between the eras of NTP, which key periods count from, and of Unix.
const ntpSeconds = 2208988800
