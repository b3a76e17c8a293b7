package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Limits of reading key material. They bound time and memory, whatever the files hold.
const (
	MaxFileSize = 16 << 20 // octets of one file
	MaxFiles    = 4096     // files of one directory
	MaxLines    = 1 << 20  // lines of one file
	MaxEntries  = 1 << 16  // entries over all files
	MaxErrors   = 20       // errors reported; the others are counted
	maxWord     = 2048     // octets of a URI or name
	maxWarnings = 1000     // warnings kept; the others are counted
)

// LoadOptions are what [Load] reads besides its paths. The zero value is fine.
type LoadOptions struct {
	CSK []string // values of --csk, see [ParseCSKOption]
	ESP []string // values of --esp, see [ParseESPOption]
	Env string   // value of MCXDUMP_KEYS: paths with the separator of the system's path lists
}

// A FileError says which line of which file of key material is wrong, and why. It never holds octets of a key.
type FileError struct {
	File  string // path, or "--csk"
	Line  int    // 1-based; 0 when no line is meant
	Entry string // "CSK", "KmsKeySet"; "" when none is meant
	What  string // what is wrong and what was expected
	Err   error  // cause, may be nil
}

// Error is "file:line: entry: what: cause".
func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString(place(e.File, e.Line))
	for _, s := range []string{e.Entry, e.What} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

func place(file string, line int) string {
	switch {
	case file == "" && line > 0:
		return "line " + strconv.Itoa(line)
	case file == "":
		return "key material"
	case line > 0:
		return file + ":" + strconv.Itoa(line)
	}
	return file
}

// Causes of a FileError; use errors.Is.
var (
	ErrKind  = errors.New("not a kind of key file that is known")
	ErrLimit = errors.New("limit exceeded")
)

const kindsExpected = "expected an MCX key log, a TLS key log, PEM private keys, KMS XML or KMS master secrets JSON"

// Load reads key files, in this order: the values of o.CSK and o.ESP, the paths, and those in o.Env. A path is a file or a directory, of
// which every regular file is read in the order of their names. What a file is, its content says: an MCX key log, a TLS key log
// (NSS format) or PEM private keys, all of which may be mixed; KMS XML (TS 33.180 annex D); KMS master secrets as JSON.
//
// Keys may come in any order: a transport key opens what is wrapped under it also when it is read later.
//
// The material holds what could be read, also when there is an error. The error joins a [*FileError] for each wrong entry,
// up to [MaxErrors].
func Load(paths []string, o LoadOptions) (*Material, error) {
	l := newLoader()
	for _, s := range o.CSK {
		k, err := ParseCSKOption(s)
		if err != nil {
			l.errs.add(err)
			continue
		}
		l.addKey(k)
	}
	for _, s := range o.ESP {
		k, err := ParseESPOption(s)
		if err != nil {
			l.errs.add(err)
			continue
		}
		l.addESP(k)
	}
	for _, p := range paths {
		l.path(p)
	}
	for _, p := range filepath.SplitList(o.Env) {
		if p != "" {
			l.path(p)
		}
	}
	return l.done()
}

// Read reads one document of key material of any kind, such as a pcapng decryption secrets block or standard input. The name
// is for origins and errors.
func Read(name string, doc []byte) (*Material, error) {
	l := newLoader()
	if len(doc) > MaxFileSize {
		l.fail(name, 0, "", fmt.Sprintf("has %d octets, more than %d", len(doc), MaxFileSize), ErrLimit)
	} else {
		l.document(name, doc, true)
	}
	return l.done()
}

// loader gathers material and errors over the files.
type loader struct {
	m       *Material
	errs    errorList
	entries int
	full    bool // the limit of entries was reported
	warned  int  // warnings left out
	keys    map[string]int
	users   map[string]int
	seen    map[string]bool
	xml     []*xmlFile
	given   *XMLOptions // of ReadKMSXML
	cost    [3]int      // what was spent on a document of a capture, see spend
}

func newLoader() *loader {
	return &loader{m: &Material{}, keys: map[string]int{}, users: map[string]int{}, seen: map[string]bool{}}
}

// errorList keeps the first errors and counts the rest.
type errorList struct {
	list []error
	more int
}

func (e *errorList) add(err error) {
	if len(e.list) < MaxErrors {
		e.list = append(e.list, err)
	} else {
		e.more++
	}
}

func (e *errorList) err() error {
	if e.more > 0 {
		return errors.Join(append(e.list[:len(e.list):len(e.list)], fmt.Errorf("and %d more errors in key files", e.more))...)
	}
	return errors.Join(e.list...)
}

func (l *loader) fail(file string, line int, entry, what string, err error) {
	l.errs.add(&FileError{file, line, entry, what, err})
}

func (l *loader) warn(o Origin, format string, a ...any) {
	if len(l.m.Warnings) >= maxWarnings {
		l.warned++
		return
	}
	l.m.Warnings = append(l.m.Warnings, place(o.Name, o.Line)+": "+fmt.Sprintf(format, a...))
}

func (l *loader) done() (*Material, error) {
	l.finishXML()
	l.m.Verdicts = append(l.m.Verdicts, l.m.cheapVerdicts(l.given)...)
	if l.warned > 0 {
		l.m.Warnings = append(l.m.Warnings, fmt.Sprintf("and %d more warnings", l.warned))
	}
	return l.m, l.errs.err()
}

// room counts one more entry and says whether there is room for it.
func (l *loader) room(o Origin) bool {
	if l.entries >= MaxEntries {
		if !l.full {
			l.full = true
			l.fail(o.Name, o.Line, "", fmt.Sprintf("more than %d entries of key material", MaxEntries), ErrLimit)
		}
		return false
	}
	l.entries++
	return true
}

func (l *loader) path(p string) {
	info, err := os.Stat(p)
	if err != nil {
		l.fail(p, 0, "", "", cause(err))
		return
	}
	if !info.IsDir() {
		l.file(p, info, true)
		return
	}
	entries, err := os.ReadDir(p) // sorted
	if err != nil {
		l.fail(p, 0, "", "", cause(err))
	}
	if len(entries) > MaxFiles {
		l.fail(p, 0, "", fmt.Sprintf("more than %d files in a directory of keys", MaxFiles), ErrLimit)
		entries = entries[:MaxFiles]
	}
	for _, e := range entries {
		name := filepath.Join(p, e.Name())
		// A link to a file is followed, which is how secrets are mounted; directories are not entered, linked or not.
		info, err := os.Stat(name)
		switch {
		case err != nil:
			l.warn(Origin{Name: name}, "skipped: %v", cause(err))
		case info.Mode().IsRegular():
			l.file(name, info, false)
		case !info.IsDir():
			l.warn(Origin{Name: name}, "skipped: not a regular file")
		}
	}
}

// cause leaves out what a path error repeats.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

func (l *loader) file(name string, info fs.FileInfo, named bool) {
	if info.Mode().IsRegular() && info.Size() > MaxFileSize {
		l.tooLong(name, named)
		return
	}
	f, err := os.Open(name)
	if err != nil {
		l.fail(name, 0, "", "", cause(err))
		return
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	f.Close()
	if err != nil {
		l.fail(name, 0, "", "", cause(err))
		return
	}
	if len(b) > MaxFileSize {
		l.tooLong(name, named)
		return
	}
	known := l.document(name, b, named)
	if known && kindOf(b) == kindText && info.Mode().IsRegular() {
		l.m.Logs = append(l.m.Logs, name)
	}
	if known && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		l.warn(Origin{Name: name}, "others can read this file (mode %04o); make it 0600", info.Mode().Perm())
	}
}

func (l *loader) tooLong(name string, named bool) {
	if !named {
		l.warn(Origin{Name: name}, "skipped: longer than %d octets", MaxFileSize)
		return
	}
	l.fail(name, 0, "", fmt.Sprintf("longer than %d octets", MaxFileSize), ErrLimit)
}

// document reads one file of any kind and says whether it was of a known kind.
func (l *loader) document(name string, b []byte, named bool) bool {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	switch kindOf(b) {
	case kindText:
		l.text(name, b)
	case kindXML:
		return l.xmlText(name, b, named)
	case kindJSON:
		if !named && !bytes.Contains(b, []byte(jsonRoot)) {
			l.warn(Origin{Name: name}, "skipped: %v", ErrKind)
			return false
		}
		l.json(name, b)
	default:
		if named {
			l.fail(name, 0, "", kindsExpected, ErrKind)
		} else {
			l.warn(Origin{Name: name}, "skipped: %v", ErrKind)
		}
		return false
	}
	return true
}

type kind uint8

const (
	kindUnknown kind = iota
	kindText
	kindXML
	kindJSON
)

// kindOf tells the kind of a document without a byte order mark from its content.
func kindOf(b []byte) kind {
	t := bytes.TrimLeft(b, " \t\r\n")
	if len(t) == 0 {
		return kindText
	}
	switch t[0] {
	case '<':
		return kindXML
	case '{', '[':
		return kindJSON
	}
	if bytes.HasPrefix(t, []byte("HTTP/1.")) && bytes.Contains(t[:min(len(t), 1<<16)], []byte("\n<")) {
		return kindXML // a response saved with its header
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return kindUnknown
	}
	// One good line makes a key log, so that the bad ones are reported with their numbers. Comments alone do too.
	comments, lines := false, 0
	for line := range bytes.Lines(t) {
		if lines++; lines > MaxLines {
			break
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if line[0] == '#' {
			comments = true
			continue
		}
		if bytes.HasPrefix(line, []byte("-----BEGIN ")) {
			return kindText
		}
		word, rest, _ := bytes.Cut(line, []byte(" "))
		if i := bytes.IndexByte(word, '\t'); i >= 0 {
			word, rest = word[:i], word[i:]
		}
		if len(rest) > 0 && (entryKind(string(word)) != nil || tlsLabel(string(word))) {
			return kindText
		}
		comments = false
		if lines > 1000 {
			break
		}
	}
	if comments {
		return kindText
	}
	return kindUnknown
}

// addKey adds a key unless it is there already; a key which was there without its URI gets it.
func (l *loader) addKey(k Key) {
	if !l.room(k.Origin) {
		return
	}
	if k.Type <= MuSiK && TypeOf(k.ID) != k.Type {
		l.warn(k.Origin, "the identifier %s begins with %x, which is %s and not %s (TS 33.180 5.2.2 and annex G); kept as %s",
			FormatID(k.ID), k.ID>>28, TypeOf(k.ID), k.Type, k.Type)
	}
	bare := fmt.Sprintf("%d %x %s ", k.Type, k.ID, k.Key.Reveal())
	if _, ok := l.keys[bare+k.URI]; ok {
		return
	}
	if i, ok := l.keys[bare]; ok { // there without a URI
		l.m.Keys[i].URI = k.URI
		delete(l.keys, bare)
		l.keys[bare+k.URI] = i
		l.keys[bare+"*"] = i
		return
	}
	if _, ok := l.keys[bare+"*"]; ok && k.URI == "" {
		return
	}
	l.keys[bare+k.URI] = len(l.m.Keys)
	if k.URI != "" {
		l.keys[bare+"*"] = len(l.m.Keys)
	}
	l.m.Keys = append(l.m.Keys, k)
}

// addNamed adds a transport or integrity key unless it is there already.
func (l *loader) addNamed(list *[]Named, kind string, n Named) {
	id := kind + " " + n.Name + " " + string(n.Key.Reveal())
	if l.seen[id] || !l.room(n.Origin) {
		return
	}
	l.seen[id] = true
	*list = append(*list, n)
}

// addKMS adds a certificate unless the same is there already.
func (l *loader) addKMS(k KMS) {
	var z, kpak []byte
	if k.Z != nil {
		z = k.Z.Bytes()
	}
	if k.KPAK != nil {
		kpak = k.KPAK.Bytes()
	}
	id := fmt.Sprintf("KMS %q %d %d %x %x %q %d %d %v", k.URI, k.Period, k.Offset, z, kpak, k.CertURI, k.ValidFrom.Unix(), k.ValidTo.Unix(), k.Revoked)
	if l.seen[id] || !l.room(k.Origin) {
		return
	}
	l.seen[id] = true
	l.m.KMSs = append(l.m.KMSs, k)
}

// addUser adds keys of a user, to those of the same user and period when they do not contradict.
func (l *loader) addUser(u UserKey) {
	if !l.room(u.Origin) {
		return
	}
	id := fmt.Sprintf("%q %q %d", u.URI, u.KMS, u.Period)
	i, ok := l.users[id]
	if ok && joinUser(&l.m.UserKeys[i], u) {
		return
	}
	l.users[id] = len(l.m.UserKeys)
	l.m.UserKeys = append(l.m.UserKeys, u)
}

// joinUser fills what is missing in have from u. It changes nothing and is false when they contradict.
func joinUser(have *UserKey, u UserKey) bool {
	switch {
	case have.UID != nil && u.UID != nil && !bytes.Equal(have.UID, u.UID),
		have.RSK != nil && u.RSK != nil && !bytes.Equal(have.RSK.Reveal(), u.RSK.Reveal()),
		have.SSK.Len() > 0 && u.SSK.Len() > 0 && !have.SSK.Equal(u.SSK),
		have.PVT != nil && u.PVT != nil && !bytes.Equal(have.PVT, u.PVT),
		!have.From.IsZero() && !u.From.IsZero() && !have.From.Equal(u.From),
		!have.To.IsZero() && !u.To.IsZero() && !have.To.Equal(u.To):
		return false
	}
	if have.UID == nil {
		have.UID = u.UID
	}
	if have.RSK == nil {
		have.RSK = u.RSK
	}
	if have.SSK.Len() == 0 {
		have.SSK = u.SSK
	}
	if have.PVT == nil {
		have.PVT = u.PVT
	}
	if have.From.IsZero() {
		have.From = u.From
	}
	if have.To.IsZero() {
		have.To = u.To
	}
	return true
}
