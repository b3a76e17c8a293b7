package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/keys/eccsi"
	"github.com/mcxdump/mcxdump/keys/sakke"
)

// An entry is one keyword of the MCX key log.
type entry struct {
	word string
	form string // what follows it
	min  int    // words that follow it
	max  int
	read func(l *loader, o Origin, e *entry, w []string) error
}

const formESP = "<spi> <dst-ip> <enc-alg> <enc-key|-> <auth-alg> <auth-key|->"

// entries lists the keywords of the MCX key log. It is filled in init since the functions use it.
var entries []*entry

func init() {
	key := func(word, uri string) *entry {
		return &entry{word, "<id> <key> [" + uri + "]", 2, 3, readKey}
	}
	user := func(word string) *entry {
		return &entry{word, "<user-uri> <kms-uri> <period-no> <hex> [uid]", 4, 5, readUser}
	}
	entries = []*entry{
		key("CSK", "user-uri"), key("SPK", "user-uri"), key("PCK", "user-uri"), key("MuSiK", "user-uri"),
		key("GMK", "group-uri"), key("MKFC", "group-uri"), key("MSCCK", "group-uri"),
		{"TrK", "<name> <key>", 2, 2, readNamed},
		{"InK", "<name> <key>", 2, 2, readNamed},
		{"KMS", "<kms-uri> <period> <offset> <Z> <KPAK>", 5, 5, readKMS},
		user("RSK"), user("SSK"), user("PVT"),
		{"Master", "<kms-uri> <period> <offset> <sakke-secret> <eccsi-secret>", 5, 5, readMaster},
		{"MCID", "<uri>", 1, 1, readMCID},
		{"ESP", formESP, 6, 6, readESP},
	}
}

// entryKind finds a keyword, in any case; nil when there is none.
func entryKind(word string) *entry {
	for _, e := range entries {
		if strings.EqualFold(e.word, word) {
			return e
		}
	}
	return nil
}

// typeOfWord is the key type of a keyword.
func typeOfWord(word string) Type {
	for t, n := range typeNames {
		if n == word {
			return Type(t)
		}
	}
	return 0xff
}

// text reads an MCX key log, with TLS key log lines and PEM blocks among its lines.
func (l *loader) text(name string, b []byte) {
	n := 0
	for len(b) > 0 {
		if n++; n > MaxLines {
			l.fail(name, n, "", fmt.Sprintf("more than %d lines", MaxLines), ErrLimit)
			return
		}
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("-----BEGIN ")) {
			block, after := l.pem(Origin{name, n}, b)
			n += bytes.Count(block, []byte("\n")) - 1
			if b = after; len(after) > 0 && !bytes.HasSuffix(block, []byte("\n")) {
				n++
			}
			continue
		}
		b = rest
		if !utf8.Valid(line) {
			l.fail(name, n, "", "not UTF-8", nil)
			continue
		}
		w := strings.Fields(string(line))
		for i := range w {
			if w[i][0] == '#' {
				w = w[:i]
				break
			}
		}
		if len(w) > 0 && !l.line(Origin{name, n}, w) {
			return
		}
	}
}

// line reads the words of one line. It is false when there is no room for more.
func (l *loader) line(o Origin, w []string) bool {
	if e := entryKind(w[0]); e != nil {
		if n := len(w) - 1; n < e.min || n > e.max {
			l.fail(o.Name, o.Line, e.word, fmt.Sprintf("%d words after it; expected %s", n, e.form), nil)
			return true
		}
		if err := e.read(l, o, e, w[1:]); err != nil {
			l.fail(o.Name, o.Line, e.word, "", fmt.Errorf("%w; expected %s", err, e.form))
		}
		return !l.full
	}
	if tlsLabel(w[0]) {
		l.tls(o, w)
		return !l.full
	}
	what := "unknown keyword " + quote(w[0])
	if near := nearest(w[0], entryWords()); near != "" {
		what += ", did you mean " + near + "?"
	} else {
		what += "; expected " + strings.Join(entryWords(), ", ") + " or a label of a TLS key log"
	}
	l.fail(o.Name, o.Line, "", what, nil)
	return true
}

func entryWords() []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.word
	}
	return out
}

func readKey(l *loader, o Origin, e *entry, w []string) error {
	k := Key{Type: typeOfWord(e.word), Origin: o}
	var err error
	if k.ID, err = parseID(w[0]); err != nil {
		return err
	}
	if k.Key, err = parseSecret("key", w[1], 16, 32); err != nil {
		return err
	}
	if len(w) > 2 {
		if k.URI, err = parseWord("URI", w[2]); err != nil {
			return err
		}
	}
	l.addKey(k)
	return nil
}

func readNamed(l *loader, o Origin, e *entry, w []string) error {
	name, err := parseWord("name", w[0])
	if err != nil {
		return err
	}
	// A TrK is an AES key, and a key of HMAC-SHA-256 may have 64 octets.
	lens := []int{16, 24, 32}
	list := &l.m.Transport
	if e.word == "InK" {
		lens, list = []int{16, 24, 32, 48, 64}, &l.m.Integrity
	}
	key, err := parseSecret("key", w[1], lens...)
	if err != nil {
		return err
	}
	l.addNamed(list, e.word, Named{name, key, o})
	return nil
}

func readKMS(l *loader, o Origin, _ *entry, w []string) error {
	k := KMS{Origin: o}
	var err error
	if k.URI, err = parseWord("KMS URI", w[0]); err != nil {
		return err
	}
	if k.Period, k.Offset, err = parsePeriod(w[1], w[2]); err != nil {
		return err
	}
	if k.Z, err = parseZ(w[3]); err != nil {
		return err
	}
	if k.KPAK, err = parseKPAK(w[4]); err != nil {
		return err
	}
	l.addKMS(k)
	return nil
}

func readMaster(l *loader, o Origin, _ *entry, w []string) error {
	k := KMS{Origin: o, UserIDFormat: "2", ParameterSet: 1}
	var err error
	if k.URI, err = parseWord("KMS URI", w[0]); err != nil {
		return err
	}
	if k.Period, k.Offset, err = parsePeriod(w[1], w[2]); err != nil {
		return err
	}
	var z, ksak []byte
	if w[3] != "-" {
		if z, err = parseHex("SAKKE master secret", w[3]); err != nil {
			return err
		}
	}
	if w[4] != "-" {
		if ksak, err = parseHex("ECCSI master secret", w[4]); err != nil {
			return err
		}
	}
	return l.addMaster(k, z, ksak)
}

// addMaster makes a Master and the certificate that belongs to it. Public keys which k has are checked.
func (l *loader) addMaster(k KMS, z, ksak []byte) error {
	if z == nil && ksak == nil {
		return errors.New("neither SAKKE nor ECCSI master secret")
	}
	m := Master{UserIDFormat: k.UserIDFormat, Origin: k.Origin}
	var err error
	if z != nil {
		if m.SAKKE, err = sakke.NewMasterSecret(z); err != nil {
			return fmt.Errorf("SAKKE master secret: %w", err)
		}
		pub := m.SAKKE.Public()
		if k.Z != nil && !k.Z.Equal(pub) {
			return errors.New("the SAKKE public key is not that of the SAKKE master secret")
		}
		k.Z = pub
	}
	if ksak != nil {
		if m.ECCSI, err = eccsi.NewMasterSecret(ksak); err != nil {
			return fmt.Errorf("ECCSI master secret: %w", err)
		}
		pub := m.ECCSI.Public()
		if k.KPAK != nil && !k.KPAK.Equal(pub) {
			return errors.New("the ECCSI public key is not that of the ECCSI master secret")
		}
		k.KPAK = pub
	}
	id := fmt.Sprintf("Master %q %d %d %x %x", k.URI, k.Period, k.Offset, z, ksak)
	if l.seen[id] || !l.room(k.Origin) {
		return nil
	}
	l.seen[id] = true
	if k.Period == 0 {
		k.Period, k.Offset = DefaultPeriod, DefaultOffset
		l.warn(k.Origin, "no key period given for the KMS %s: %d seconds assumed", k.URI, k.Period)
	}
	m.KMS = k
	l.m.Masters = append(l.m.Masters, m)
	return nil
}

func readUser(l *loader, o Origin, e *entry, w []string) error {
	u := UserKey{Origin: o}
	var err error
	if u.URI, err = parseWord("user URI", w[0]); err != nil {
		return err
	}
	if u.KMS, err = parseWord("KMS URI", w[1]); err != nil {
		return err
	}
	if w[2] != "-" {
		if u.Period, err = parseNumber("period number", w[2]); err != nil {
			return err
		}
	}
	b, err := parseHex(e.word, w[3])
	if err != nil {
		return err
	}
	switch e.word {
	case "RSK":
		u.RSK, err = sakke.ParseUserKey(b)
	case "SSK":
		u.SSK, err = parseSSK(b)
	case "PVT":
		u.PVT, err = parsePVT(b)
	}
	if err != nil {
		return err
	}
	if len(w) > 4 {
		uid, err := parseHex("UID", w[4])
		if err != nil {
			return err
		}
		if len(uid) != 32 {
			return fmt.Errorf("the UID has %d octets instead of 32", len(uid))
		}
		u.UID = uid
	}
	l.addUser(u)
	return nil
}

func readMCID(l *loader, o Origin, _ *entry, w []string) error {
	uri, err := parseWord("MC service ID", w[0])
	if err != nil {
		return err
	}
	if !l.seen["MCID "+uri] && l.room(o) {
		l.seen["MCID "+uri] = true
		l.m.MCIDs = append(l.m.MCIDs, uri)
	}
	return nil
}

func readESP(l *loader, o Origin, _ *entry, w []string) error {
	e, err := parseESP(w)
	if err != nil {
		return err
	}
	e.Origin = o
	l.addESP(e)
	return nil
}

func (l *loader) addESP(e ESPKey) {
	id := fmt.Sprintf("ESP %s %s %s %x %s %x", e.spi(), e.Dst, e.EncAlg, e.EncKey.Reveal(), e.AuthAlg, e.AuthKey.Reveal())
	if !l.seen[id] && l.room(e.Origin) {
		l.seen[id] = true
		l.m.ESP = append(l.m.ESP, e)
	}
}

// parseESP reads the six words of an ESP entry.
func parseESP(w []string) (e ESPKey, err error) {
	e.EncAlg, e.AuthAlg = strings.ToLower(w[2]), strings.ToLower(w[4])
	if e.AnySPI = w[0] == "*"; !e.AnySPI {
		digits := strings.TrimPrefix(strings.TrimPrefix(w[0], "0x"), "0X")
		spi, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || len(digits) > 8 {
			return e, fmt.Errorf("the SPI %s is not 1 to 8 hex digits", quote(w[0]))
		}
		e.SPI = uint32(spi)
	}
	if e.Dst, err = parseDst(w[1]); err != nil {
		return e, err
	}
	for _, k := range []struct {
		what, alg, text string
		to              *string
		key             *Secret
	}{{"encryption", e.EncAlg, w[3], &e.EncAlg, &e.EncKey}, {"authentication", e.AuthAlg, w[5], &e.AuthAlg, &e.AuthKey}} {
		if k.alg == "-" {
			*k.to = ""
		} else if len(k.alg) > 64 || looksSecret(k.alg) || k.alg[0] == '#' {
			return e, fmt.Errorf("the %s algorithm %s is not a name", k.what, quote(k.alg))
		}
		if k.text == "-" {
			continue
		}
		b, err := parseHex(k.what+" key", k.text)
		if err != nil {
			return e, err
		}
		if len(b) < 8 || len(b) > 64 {
			return e, fmt.Errorf("the %s key has %d octets instead of 8 to 64", k.what, len(b))
		}
		*k.key = NewSecret(b)
	}
	_, err = e.SA()
	return e, err
}

// parseDst reads an address, a prefix of addresses (192.0.2.0/24), or * for any.
func parseDst(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked().String(), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return "", fmt.Errorf("the destination %s is not an IP address", quote(s))
	}
	return a.Unmap().WithZone("").String(), nil
}

// ParseESPOption reads what --esp has: the line of a key log, with or without its keyword.
func ParseESPOption(s string) (ESPKey, error) {
	w := strings.Fields(s)
	if len(w) > 0 && strings.EqualFold(w[0], "ESP") {
		w = w[1:]
	}
	err := fmt.Errorf("%d words", len(w))
	if len(w) == 6 {
		var e ESPKey
		if e, err = parseESP(w); err == nil {
			e.Origin = Origin{Name: "--esp"}
			return e, nil
		}
	}
	return ESPKey{}, &FileError{File: "--esp", Err: fmt.Errorf("%w; expected '%s' in quotation marks", err, formESP)}
}

// ParseCSKOption reads ID=HEX or ID=HEX@URI, as --csk has it. The URI is what follows the first @.
func ParseCSKOption(s string) (Key, error) {
	k := Key{Type: CSK, Origin: Origin{Name: "--csk"}}
	fail := func(err error) (Key, error) {
		return Key{}, &FileError{File: "--csk", Err: fmt.Errorf("%w; expected ID=HEX or ID=HEX@URI", err)}
	}
	id, rest, ok := strings.Cut(strings.TrimSpace(s), "=")
	if !ok {
		return fail(errors.New("no ="))
	}
	key, uri, hasURI := strings.Cut(rest, "@")
	var err error
	if k.ID, err = parseID(id); err != nil {
		return fail(err)
	}
	if k.Key, err = parseSecret("key", key, 16, 32); err != nil {
		return fail(err)
	}
	if hasURI {
		if k.URI, err = parseWord("URI", uri); err != nil {
			return fail(err)
		}
	}
	return k, nil
}

// The parsers below describe a wrong word by what it should be. They quote it only when it cannot be a key, see quote.

func parseID(s string) (uint32, error) {
	v, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 8 {
		return 0, fmt.Errorf("the identifier %s is not 8 hex digits", quote(s))
	}
	return uint32(v), nil
}

func parseNumber(what, s string) (uint64, error) {
	v, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("the %s %s is not a decimal number", what, quote(s))
	}
	return v, nil
}

// parsePeriod reads a period and an offset. A - says that they are not known, which is a period of 0.
func parsePeriod(p, off string) (period, offset uint64, err error) {
	if p != "-" {
		if period, err = parseNumber("period", p); err != nil {
			return 0, 0, err
		}
		if err = checkPeriod(period); err != nil {
			return 0, 0, err
		}
	}
	if off != "-" {
		offset, err = parseNumber("offset", off)
	}
	return period, offset, err
}

// maxPeriod is 2^32 seconds: a longer period, or a later offset, would never end in NTP time.
const maxPeriod = 1 << 32

func checkPeriod(period uint64) error {
	if period == 0 || period > maxPeriod {
		return fmt.Errorf("the period of %d seconds is not 1 to %d", period, uint64(maxPeriod))
	}
	return nil
}

// parseHex reads hex digits; 0x before them is let pass.
func parseHex(what, s string) ([]byte, error) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		s = s[2:]
	}
	for i, c := range []byte(s) {
		if !isHex(c) {
			return nil, fmt.Errorf("character %d of %d of the %s is not a hex digit", i+1, len(s), what)
		}
	}
	if len(s)%2 != 0 {
		return nil, fmt.Errorf("the %s has %d hex digits, an odd number", what, len(s))
	}
	return hex.DecodeString(s)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func parseSecret(what, s string, lens ...int) (Secret, error) {
	b, err := parseHex(what, s)
	if err != nil {
		return Secret{}, err
	}
	if err := oneOf(what, len(b), lens...); err != nil {
		return Secret{}, err
	}
	return NewSecret(b), nil
}

func oneOf(what string, n int, lens ...int) error {
	var s []string
	for _, l := range lens {
		if l == n {
			return nil
		}
		s = append(s, strconv.Itoa(l))
	}
	last := len(s) - 1
	list := s[last]
	if last > 0 {
		list = strings.Join(s[:last], ", ") + " or " + list
	}
	return fmt.Errorf("the %s has %d octets instead of %s", what, n, list)
}

// parseSSK brings an SSK to 32 octets: some products write leading zeros, some leave them out.
func parseSSK(b []byte) (Secret, error) {
	t := bytes.TrimLeft(b, "\x00")
	if len(t) == 0 || len(t) > eccsi.ScalarSize || len(b) < eccsi.ScalarSize-2 {
		return Secret{}, fmt.Errorf("the SSK has %d octets instead of %d", len(b), eccsi.ScalarSize)
	}
	out := make([]byte, eccsi.ScalarSize)
	copy(out[len(out)-len(t):], t)
	return NewSecret(out), nil
}

// parsePVT checks a PVT, which is a point of the same curve as a KPAK.
func parsePVT(b []byte) ([]byte, error) {
	if _, err := eccsi.ParsePublicKey(b); err != nil {
		return nil, pointError("PVT", len(b), eccsi.PointSize, err)
	}
	return b, nil
}

func parseZ(s string) (*sakke.PublicKey, error) {
	if s == "-" {
		return nil, nil
	}
	b, err := parseHex("Z", s)
	if err != nil {
		return nil, err
	}
	z, err := sakke.ParsePublicKey(b)
	if err != nil {
		return nil, pointError("Z", len(b), sakke.PointSize, err)
	}
	return z, nil
}

func parseKPAK(s string) (*eccsi.PublicKey, error) {
	if s == "-" {
		return nil, nil
	}
	b, err := parseHex("KPAK", s)
	if err != nil {
		return nil, err
	}
	k, err := eccsi.ParsePublicKey(b)
	if err != nil {
		return nil, pointError("KPAK", len(b), eccsi.PointSize, err)
	}
	return k, nil
}

func pointError(what string, have, want int, err error) error {
	if have != want {
		return fmt.Errorf("the %s has %d octets instead of %d", what, have, want)
	}
	return fmt.Errorf("the %s is wrong: %w", what, err)
}

// parseWord reads a URI or a name. Some products leave the scheme of a URI out, so none is asked for; a key in the place of a
// URI is noticed.
func parseWord(what, s string) (string, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("the %s is empty", what)
	case len(s) > maxWord:
		return "", fmt.Errorf("the %s has %d octets, more than %d", what, len(s), maxWord)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }):
		return "", fmt.Errorf("the %s has spaces or characters that are not printable", what)
	case s[0] == '#':
		return "", fmt.Errorf("the %s begins with #", what)
	case len(s) >= 32 && strings.Trim(s, "0123456789abcdefABCDEF") == "":
		return "", fmt.Errorf("in the place of the %s are %d hex digits, a key?", what, len(s))
	}
	return s, nil
}

// quote shows a wrong word, unless it could be a key or part of one.
func quote(s string) string {
	if looksSecret(s) {
		return fmt.Sprintf("(a word of %d octets)", len(s))
	}
	return strconv.Quote(s)
}

// quoteText shows a text of several words likewise, up to 200 octets.
func quoteText(s string) string {
	out := ""
	for _, w := range strings.Fields(s) {
		if looksSecret(w) {
			w = "(...)"
		}
		if len(out)+len(w) > 200 {
			out += " ..."
			break
		}
		out += " " + w
	}
	return strconv.Quote(strings.TrimPrefix(out, " "))
}

// looksSecret is true for words with 10 hex digits in a row, with a long run of the base64 alphabet, or of great length.
// An identifier with a digit too many can be shown, a key cannot.
func looksSecret(s string) bool {
	if len(s) > 64 {
		return true
	}
	hexRun, run := 0, 0
	for _, c := range []byte(s) {
		if isHex(c) {
			hexRun++
		} else {
			hexRun = 0
		}
		if isHex(c) || 'g' <= c && c <= 'z' || 'G' <= c && c <= 'Z' || c == '+' || c == '/' || c == '=' || c == ':' {
			run++
		} else {
			run = 0
		}
		if hexRun >= 10 || run >= 20 {
			return true
		}
	}
	return false
}

// nearest is the word of the list that differs least, "" when none is near.
func nearest(s string, list []string) string {
	if len(s) > 64 {
		return ""
	}
	best, found := 1+len(s)/4, ""
	for _, w := range list {
		if d := distance(strings.ToLower(s), strings.ToLower(w)); d <= best && d < len(w) {
			best, found = d-1, w
		}
	}
	return found
}

// distance is the edit distance, with the exchange of two neighbours as one edit.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// tlsLabels are those of the NSS key log format, TLS 1.3 application traffic secrets having a number too.
var tlsLabels = map[string]bool{
	"CLIENT_RANDOM": true, "CLIENT_EARLY_TRAFFIC_SECRET": true, "CLIENT_HANDSHAKE_TRAFFIC_SECRET": true,
	"SERVER_HANDSHAKE_TRAFFIC_SECRET": true, "EARLY_EXPORTER_SECRET": true, "EARLY_EXPORTER_MASTER_SECRET": true,
	"EXPORTER_SECRET": true, "EXPORTER_MASTER_SECRET": true, "PMS_CLIENT_RANDOM": true, "RSA": true,
	"ECH_SECRET": true, "ECH_CONFIG": true,
}

func tlsLabel(word string) bool {
	if tlsLabels[word] {
		return true
	}
	for _, p := range []string{"CLIENT_TRAFFIC_SECRET_", "SERVER_TRAFFIC_SECRET_"} {
		if n, ok := strings.CutPrefix(word, p); ok {
			_, err := strconv.ParseUint(n, 10, 16)
			return err == nil
		}
	}
	return false
}

// tls reads a line of a TLS key log: label, client random, secret.
func (l *loader) tls(o Origin, w []string) {
	t, err := tlsLine(w)
	switch {
	case err != nil:
		l.fail(o.Name, o.Line, w[0], err.Error()+"; expected <client-random> <secret>", nil)
		return
	case t.Secret.Len() == 0:
		if strings.HasPrefix(w[0], "ECH_") {
			l.warn(o, "%s lines are not used", w[0])
		}
		return
	}
	id := t.Label + " " + t.id() + string(t.Secret.Reveal())
	if l.seen[id] || !l.room(o) {
		return
	}
	l.seen[id] = true
	l.m.TLS = append(l.m.TLS, t)
}

// pem reads one PEM block. A private key is kept as a TLSSecret of DER octets whose label is the type of the block.
func (l *loader) pem(o Origin, b []byte) (used, rest []byte) {
	block, rest := pem.Decode(b)
	// pem.Decode skips what it does not take for a block, and so could skip lines of the key log.
	end := bytes.Index(b, []byte("-----END "))
	if block == nil || end < 0 || len(b)-len(rest) < end || bytes.Count(b[:len(b)-len(rest)], []byte("-----BEGIN ")) != 1 {
		l.fail(o.Name, o.Line, "", "a PEM block that is not well-formed", nil)
		n := bytes.IndexByte(b, '\n')
		if n < 0 {
			return b, nil
		}
		if end >= 0 && bytes.Count(b[:end], []byte("-----BEGIN ")) == 1 { // skip to its end
			n = end
			if i := bytes.IndexByte(b[end:], '\n'); i >= 0 {
				n += i
			} else {
				return b, nil
			}
		}
		return b[:n+1], b[n+1:]
	}
	used = b[:len(b)-len(rest)]
	label := block.Type
	switch {
	case label != "PRIVATE KEY" && label != "RSA PRIVATE KEY" && label != "EC PRIVATE KEY" && label != "ENCRYPTED PRIVATE KEY":
		if !strings.HasSuffix(label, "CERTIFICATE") {
			l.warn(o, "a PEM block which is no private key is not used")
		}
		return used, rest
	case len(block.Headers) > 0 || label == "ENCRYPTED PRIVATE KEY":
		l.fail(o.Name, o.Line, "PEM", "the private key is encrypted; decrypt it first", nil)
		return used, rest
	}
	t := TLSSecret{Label: label, Secret: NewSecret(block.Bytes)}
	if _, err := t.PrivateKey(); err != nil {
		l.fail(o.Name, o.Line, "PEM", "the private key cannot be read as PKCS #1, PKCS #8 or SEC 1", nil)
		return used, rest
	}
	id := "PEM " + string(block.Bytes)
	if !l.seen[id] && l.room(o) {
		l.seen[id] = true
		l.m.TLS = append(l.m.TLS, t)
	}
	return used, rest
}

// IsPrivateKey says whether t is a private key from a PEM file and not a line of a TLS key log.
func (t TLSSecret) IsPrivateKey() bool { return strings.HasSuffix(t.Label, "PRIVATE KEY") }

// PrivateKey is the private key of a PEM file: *rsa.PrivateKey, which opens RSA key exchange, *ecdsa.PrivateKey or
// ed25519.PrivateKey, which open nothing.
func (t TLSSecret) PrivateKey() (any, error) {
	if !t.IsPrivateKey() {
		return nil, errors.New("not a private key")
	}
	der := t.Secret.Reveal()
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	if err == nil {
		err = errors.New("another kind of key")
	}
	return nil, err
}
