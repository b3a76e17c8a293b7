package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/record"
	"github.com/mcxdump/mcxdump/internal/lab"
	"github.com/mcxdump/mcxdump/output/schematest"
)

// What the program may use of the machine for any input of the campaign, none of which is large.
const (
	campaignCPU    = 10 * time.Second
	campaignMemory = 160 << 10 // KiB
)

// campaign is a run of the built program over mutated captures.
type campaign struct {
	t       *testing.T
	bin     string
	dir     string
	seeds   []seed
	scenes  []*scene
	schemas map[string]*schematest.Schema
	runs    int
	slowest time.Duration
	largest int64
	what    [2]string
	faults  int
}

// A seed is a capture to be mutated, with the keys that open it and what of them must never show.
type seed struct {
	name  string
	file  []byte
	keys  string
	leaks [][]byte
}

// TestMutatedCaptures runs the program, as it is built, over mutated captures: whatever the octets, every command ends soon and in
// little memory with a code of its own, prints nothing that a terminal would obey and no key, its JSON fits the schema, and the
// number of workers changes nothing. MCXDUMP_CAMPAIGN is how long it lasts (such as 45m), MCXDUMP_CAMPAIGN_SEED begins
// another series, MCXDUMP_CAMPAIGN_ONLY takes one mutant of it. Inputs that show a fault are kept in
// MCXDUMP_CAMPAIGN_KEEP.
func TestMutatedCaptures(t *testing.T) {
	length, _ := time.ParseDuration(os.Getenv("MCXDUMP_CAMPAIGN"))
	if testing.Short() && length == 0 {
		t.Skip("builds the program and runs it hundreds of times")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // what this process holds counts in what it starts
	c := &campaign{t: t, bin: built(t), dir: t.TempDir(), schemas: map[string]*schematest.Schema{}}
	for name, file := range map[string]string{"read": "mcxdump-1", "check": "mcxdump.check-1", "sessions": "mcxdump.sessions-1"} {
		b, err := os.ReadFile("../../docs/schema/" + file + ".schema.json")
		if err != nil {
			t.Fatal(err)
		}
		if c.schemas[name], err = schematest.New(b); err != nil {
			t.Fatal(err)
		}
	}
	c.collect()
	series, _ := strconv.ParseUint(os.Getenv("MCXDUMP_CAMPAIGN_SEED"), 10, 64)
	only, _ := strconv.Atoi(os.Getenv("MCXDUMP_CAMPAIGN_ONLY"))
	began := time.Now()
	n, classes := 0, map[string]int{}
	for k := 1; only == 0 && (k <= 25 || time.Since(began) < length) || k <= only && only > 0; k++ {
		if only > 0 {
			k = only
		}
		r := rand.New(rand.NewPCG(series, uint64(k)))
		at := r.IntN(len(c.seeds))
		m := mutate(r, c.scenes[at], c.scenes)
		for _, name := range m.names {
			classes[name]++
		}
		c.mutant(r, fmt.Sprintf("%d-%d-%s-%s", series, k, c.seeds[at].name, strings.Join(m.names, "+")), c.seeds[at], m.file())
		n++
		if n%500 == 0 {
			t.Logf("%d mutants, %d runs, %d faults", n, c.runs, c.faults)
		}
	}
	t.Logf("%d mutants of %d captures, %d runs; the slowest took %v (%s), the largest %d MiB (%s)\n%v", n, len(c.seeds), c.runs, c.slowest, c.what[0], c.largest>>10, c.what[1], classes)
}

// collect gathers the captures: of the repository, of others beside it, the messages of RFC 4475, and fresh ones of the
// lab with their keys.
func (c *campaign) collect() {
	shared := os.Getenv("MCXDUMP_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	var paths []string
	for _, dir := range []string{"../../testdata/pcaps", filepath.Join(shared, "pcaps")} {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.Contains(path, ".pcap") {
				paths = append(paths, path)
			}
			return nil
		})
	}
	known := []string{"../../testdata/pcaps/known-answer.mcxkeys", "../../testdata/pcaps/lab-world.mcxkeys", "../../testdata/pcaps/ims-esp.mcxkeys"}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		keys := known[0]
		for _, k := range known[1:] {
			if strings.Contains(path, strings.TrimSuffix(filepath.Base(k), ".mcxkeys")) {
				keys = k
			}
		}
		c.add(filepath.Base(path), b, keys)
	}
	torture, _ := filepath.Glob(filepath.Join(shared, "rfc4475", "*.dat"))
	udp, tcp := pcapHeader(), pcapHeader()
	seq := uint32(1)
	for i, path := range torture {
		b, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		udp = pcapFrame(udp, udpFrame(string(b)))
		tcp = pcapFrame(tcp, ipFrame(6, 0, append([]byte{0x13, 0xc4, 0x13, 0xc4, byte(seq >> 24), byte(seq >> 16), byte(seq >> 8), byte(seq), 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0}, b...)))
		seq += uint32(len(b))
		if i%4 == 0 {
			c.add(filepath.Base(path), pcapFrame(pcapHeader(), udpFrame(string(b))), known[0])
		}
	}
	if torture != nil {
		c.add("rfc4475-udp", udp, known[0])
		c.add("rfc4475-tcp", tcp, known[0])
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 30 {
		args := []string{"--seed", strconv.Itoa(100 + i), "--shape", lab.Shapes[i%len(lab.Shapes)].Name}
		if i%3 == 0 {
			args = append(args, "--tcp", "--shape", "ethernet")
		}
		if i > 0 {
			var names []string
			for range 4 {
				names = append(names, pick(r, lab.Scenarios()...).Name)
			}
			args = append(args, "--scenario", strings.Join(names, ","))
		}
		dir := filepath.Join(c.dir, fmt.Sprint("keys", i))
		args = append([]string{"lab", "-w", filepath.Join(c.dir, "lab.pcap"), "--keys-out", dir}, args...)
		if _, e, code := call(c.t, nil, args...); code != exitOK {
			c.t.Fatal(args, e)
		}
		b, err := os.ReadFile(filepath.Join(c.dir, "lab.pcap"))
		if err != nil {
			c.t.Fatal(err)
		}
		c.add(fmt.Sprint("lab", i), b, filepath.Join(dir, pick(r, "keys.mcxkeys", "kms.xml", "master", "wrapped")))
	}
	raw := 0
	for _, s := range c.scenes {
		if s.raw != nil {
			raw++
		}
	}
	c.t.Logf("%d captures, %d of them by their octets alone", len(c.seeds), raw)
}

var (
	keyLine = regexp.MustCompile(`(?m)^(?:CSK|SPK|PCK|MuSiK|GMK|MKFC|MSCCK|TrK|InK|RSK|SSK)\b.*?\b([0-9a-f]{32,})\b`)
	keyText = regexp.MustCompile(`(?:UserDecryptKey|UserSigningKeySSK)\b[^>]*>([0-9a-fA-F]{32,})<|_master_secret": *"([0-9a-f]{32,})"`)
)

// add takes a capture and what must not show of any key file beside the one that opens it, in hex, as octets of a dump
// and in base64.
func (c *campaign) add(name string, file []byte, keys string) {
	s := seed{name: name, file: file, keys: keys}
	dir := keys
	if strings.HasPrefix(keys, c.dir) {
		dir = filepath.Dir(keys)
		if filepath.Base(dir) == filepath.Base(c.dir) {
			dir = keys
		}
	}
	secrets := map[string]bool{}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		b, _ := os.ReadFile(path)
		for _, m := range append(keyLine.FindAllSubmatch(b, -1), keyText.FindAllSubmatch(b, -1)...) {
			for _, g := range m[1:] {
				if len(g) > 0 {
					secrets[strings.ToLower(string(g))] = true
				}
			}
		}
		return nil
	})
	for k := range secrets {
		b, err := hex.DecodeString(k)
		if err != nil {
			c.t.Fatal(err)
		}
		dump := fmt.Sprintf("% x", b[:8])
		for _, form := range []string{k[:32], strings.ToUpper(k[:32]), dump, base64.RawStdEncoding.EncodeToString(b)[:20]} {
			s.leaks = append(s.leaks, []byte(form))
		}
	}
	c.seeds = append(c.seeds, s)
	c.scenes = append(c.scenes, sceneOf(file))
}

// mutant runs every command over one file.
func (c *campaign) mutant(r *rand.Rand, name string, s seed, file []byte) {
	leaks := s.leaks
	path, before := filepath.Join(c.dir, "x.pcap"), c.faults
	if err := os.WriteFile(path, file, 0o600); err != nil {
		c.t.Fatal(err)
	}
	one := c.run(name, s, "json", "read", nil, "read", path, "--json", "--workers", "1")
	if four := c.run(name, s, "json", "", nil, "read", path, "--json", "--workers", "4"); one.sum != four.sum || one.code != four.code {
		c.fault(name, "four workers print something else than one")
	}
	table := c.run(name, s, "text", "", nil, "read", path, "-t", "e")
	c.run(name, s, "text", "", nil, "read", path, "--tree", "--hex")
	c.run(name, s, "fields", "", nil, "read", path, "-T", "fields", "-e", "number", "-e", "time", "-e", "src.ip", "-e", "sip.method", "-e", "sip.call_id", "-e", "sip.from.uri", "-e", "sip.headers.value", "-e", "mcptt_info.client_id", "-e", "info")
	c.run(name, s, "json", "sessions", nil, "sessions", path, "--json")
	c.run(name, s, "text", "", nil, "sessions", path, "--tree", "--keys", s.keys)
	c.run(name, s, "json", "check", nil, "check", path, "--json", "--fail-on", "never")
	c.run(name, s, "text", "", nil, "ladder", path, "--user", pick(r, "sip:", "@", "mcptt"))
	one = c.run(name, s, "json", "read", nil, "read", path, "--json", "--workers", "1", "--keys", s.keys)
	if four := c.run(name, s, "json", "", nil, "read", path, "--json", "--workers", "4", "--keys", s.keys); one.sum != four.sum || one.code != four.code {
		c.fault(name, "four workers with keys print something else than one")
	}
	switch r.IntN(6) {
	case 0:
		c.run(name, s, "text", "", nil, "read", path, "--tree", "--hex", "--keys", s.keys, "--check")
	case 1:
		c.run(name, s, "text", "", nil, "check", path, "--keys", s.keys, "--fail-on", "never", "--confidentiality", "on", "--integrity", "on")
	case 2:
		c.run(name, s, "json", "read", nil, "read", path, "--json", "--redact", "--keys", s.keys, "--all-http")
	case 3:
		c.run(name, s, "json", "read", file, "read", "-", "--json", "--keys", s.keys)
	case 4:
		c.run(name, s, "", "", nil, "keys", "log", path, "--keys", s.keys, "--show-secrets")
	case 5:
		c.run(name, s, "json", "read", nil, "read", path, "--json", "--show-secrets", "--keys", s.keys)
	}
	// A body by itself: the payload of a frame, or the octets from a random place on.
	body, whole := file[min(len(file), r.IntN(len(file)+1)):], false
	for _, text := range []string{"\r\n\r\n", "<?xml", "\x01\x1a", "v=0\r\n"} {
		if i := bytes.Index(body, []byte(text)); i >= 0 && r.IntN(2) == 0 {
			body, whole = body[i:], true
		}
	}
	if !whole {
		s.leaks = nil // an octet inside a name is no place to begin: nothing tells what follows
	}
	args := []string{"decode", pick(r, "--json", "--hex"), "--keys", s.keys}
	if r.IntN(2) == 0 {
		args = append(args, "--form", pick(r, "raw", "auto", "base64", "hex"))
	}
	if r.IntN(3) != 0 {
		args = append(args, "--type", pick(r, "mikey", "mcptt-info", "sip", "sdp", "mcptt-signed", "poc-settings", "application/xml", "multipart/mixed", "message/sip", "application/json", "text/plain"))
	}
	form, schema := "text", ""
	if args[1] == "--json" {
		form, schema = "json", "read"
	}
	c.run(name, s, form, schema, body[:min(len(body), 1<<20)], args...)
	s.leaks = leaks
	if r.IntN(8) == 0 {
		// A key file that is broken is told of without showing what is in it.
		keys, _ := os.ReadFile(s.keys)
		if len(keys) > 0 {
			for range 1 + r.IntN(4) {
				keys[r.IntN(len(keys))] = byte(r.Uint32())
			}
			broken := filepath.Join(c.dir, "broken.keys")
			os.WriteFile(broken, keys[:len(keys)-r.IntN(len(keys))/2*r.IntN(2)], 0o600)
			c.run(name, s, "text", "", nil, "keys", "show", broken)
			c.run(name, s, "text", "", nil, "read", path, "--keys", broken)
			c.run(name, s, "text", "", nil, "keys", "verify", broken)
		}
	}
	// What is written again reads the same, apart from what was wrong with the file.
	again := filepath.Join(c.dir, "again.pcapng")
	c.run(name, s, "text", "", nil, "read", path, "-q", "-w", again, "--write-secrets")
	if second := c.run(name, s, "text", "", nil, "read", again, "-t", "e"); table.code == exitOK && second.sum != table.sum && s.name != "tls.pcapng" { // its secrets are not seen in a compressed file (docs/keys.md)
		c.fault(name, "written again it reads differently")
	}
	os.Remove(again)
	// What the program says of places lies inside what it speaks of.
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(self, path)
	cmd.Args[0] = "ranges"
	if out, err := cmd.CombinedOutput(); err != nil {
		c.fault(name, "ranges: "+string(out[:min(len(out), 2000)]))
	}
	if dir := os.Getenv("MCXDUMP_CAMPAIGN_KEEP"); dir != "" && c.faults > before {
		os.WriteFile(filepath.Join(dir, name), file, 0o600)
	}
}

func (c *campaign) fault(name, what string) {
	c.t.Helper()
	c.faults++
	c.t.Errorf("%s: %s", name, what)
}

// A result is what a run printed and how it ended.
type result struct {
	sum  [32]byte
	code int
}

// run runs a command and looks at what it prints, in the manner of form, against a schema.
func (c *campaign) run(name string, s seed, form, schema string, in []byte, args ...string) (res result) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // of a machine that does other things too
	defer cancel()
	cmd := exec.CommandContext(ctx, c.bin, args...)
	if in != nil {
		cmd.Stdin = bytes.NewReader(in)
	}
	var errs bytes.Buffer
	cmd.Stderr = &limited{&errs, 1 << 20}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	leaks := s.leaks
	if slices.Contains(args, "--show-secrets") {
		leaks = nil
	}
	bad := c.look(out, &res, form, schema, leaks)
	err = cmd.Wait()
	c.runs++
	res.code = cmd.ProcessState.ExitCode()
	what := name + ": mcxdump " + strings.Join(args, " ")
	complain := func(text string) {
		c.faults++
		c.t.Errorf("%s: %s\n%s", what, text, errs.String()[:min(errs.Len(), 3000)])
	}
	if bad != "" {
		complain(bad)
	}
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) || res.code < 0 || res.code > exitUsage {
		complain(fmt.Sprint("ended with ", err))
	}
	if res.code == exitUsage && args[0] != "keys" && args[0] != "ladder" && !slices.Contains(args, "--form") {
		complain("usage")
	}
	for _, text := range []string{"panic:", "goroutine ", "runtime error", "fatal error", "%!"} {
		if strings.Contains(errs.String(), text) {
			complain("says " + text)
		}
	}
	if bad := c.look(&errs, new(result), "text", "", leaks); bad != "" {
		complain("errors: " + bad)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if cpu > campaignCPU {
		complain(fmt.Sprint("took ", cpu))
	}
	if c.slowest < cpu {
		c.slowest, c.what[0] = cpu, what
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		if c.largest < int64(u.Maxrss) {
			c.largest, c.what[1] = int64(u.Maxrss), what
		}
		if u.Maxrss > campaignMemory {
			complain(fmt.Sprint("took ", u.Maxrss>>10, " MiB"))
		}
	}
	return res
}

// look reads what a run prints and returns what is wrong with it.
func (c *campaign) look(out io.Reader, res *result, form, schema string, leaks [][]byte) (bad string) {
	sum := sha256.New()
	in := bufio.NewReaderSize(out, 1<<16)
	var line, block []byte // lines are searched for keys together
	search := func(least int) {
		if len(block) < least {
			return
		}
		for _, leak := range leaks {
			if bytes.Contains(block, leak) {
				bad = fmt.Sprintf("a key is shown, %s", leak)
			}
		}
		block = block[:0]
	}
	for n, last := 0, false; !last; n++ {
		line = line[:0]
		for {
			piece, err := in.ReadSlice('\n')
			line = append(line, piece...)
			if err == nil {
				break
			}
			if err != bufio.ErrBufferFull {
				last = true
				break
			}
		}
		sum.Write(line)
		if bytes.Contains(line, []byte(decode.FaultID)) || bytes.Contains(line, []byte("mcxdump fails on this message")) {
			bad = fmt.Sprintf("line %d tells of a fault: %.500q", n+1, line)
		}
		if bad != "" || len(line) == 0 {
			continue
		}
		if form != "" {
			for i, r := range string(line) {
				_, size := utf8.DecodeRune(line[i:])
				if r == utf8.RuneError && size == 1 || !strconv.IsPrint(r) && (r != '\n' || i != len(line)-1) && (r != '\t' || form != "fields") {
					bad = fmt.Sprintf("line %d holds %U at %d: %.200q", n+1, r, i, line[max(0, i-50):])
					break
				}
			}
		}
		if form == "json" {
			if !json.Valid(line) {
				bad = fmt.Sprintf("line %d is not JSON: %.500q", n+1, line)
			} else if s := c.schemas[schema]; s != nil && n < 300 && len(line) < 100_000 {
				if err := s.Validate(line); err != nil {
					bad = fmt.Sprintf("line %d breaks the schema: %v: %.1000s", n+1, err, line)
				}
			}
		}
		block = append(block, line...)
		search(256 << 10)
	}
	search(1)
	copy(res.sum[:], sum.Sum(nil))
	return bad
}

// limited keeps the beginning of what is written.
type limited struct {
	*bytes.Buffer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), l.left)
	l.left -= n
	l.Buffer.Write(b[:n])
	return len(b), nil
}

// ranges is a command of the test binary: it fails when a node, a finding or a segment of a capture's records lies outside
// of its source.
func ranges() {
	src, err := capture.Open(os.Args[1:], capture.Options{})
	if err != nil {
		return
	}
	_, err = decode.Run(context.Background(), src, decode.Options{Want: record.All(), Checks: &decode.CheckConfig{}}, rangeSink{})
	if _, bad := errors.AsType[rangeError](err); bad {
		fmt.Println(err)
		os.Exit(1)
	}
}

type rangeError string

func (e rangeError) Error() string { return string(e) }

type rangeSink struct{}

func (rangeSink) Encode(dst []byte, r *record.Record) []byte {
	outside := func(src int, off, n uint32) bool {
		return src >= len(r.Sources) || uint64(off)+uint64(n) > uint64(len(r.Sources[src].Data))
	}
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Flags&record.HasRange != 0 && outside(int(n.Src), n.Off, n.Len) {
			dst = fmt.Appendf(dst, "record %d: node %s at %d, %d octets of source %d\n", r.Number, n.Field.Name, n.Off, n.Len, n.Src)
		} else if int(n.End) <= i || int(n.End) > len(r.Nodes) {
			dst = fmt.Appendf(dst, "record %d: node %s, %d, ends at %d\n", r.Number, n.Field.Name, i, n.End)
		}
	}
	for _, f := range r.Findings {
		if f.HasRange && outside(int(f.Source), f.Off, f.Len) {
			dst = fmt.Appendf(dst, "record %d: finding %s at %d, %d octets of source %d\n", r.Number, f.ID, f.Off, f.Len, f.Source)
		}
		if f.ID == decode.FaultID {
			dst = fmt.Appendf(dst, "record %d: %s\n", r.Number, f.Message)
		}
		if f.ID == "" || f.Message == "" {
			dst = fmt.Appendf(dst, "record %d: a finding without words: %+v\n", r.Number, f)
		}
	}
	for i, s := range r.Sources {
		if s.Parent >= i || s.Parent >= 0 && outside(s.Parent, s.ParentOff, s.ParentLen) {
			dst = fmt.Appendf(dst, "record %d: source %d lies at %d, %d octets of source %d\n", r.Number, i, s.ParentOff, s.ParentLen, s.Parent)
		}
		for _, m := range s.Masked {
			if outside(i, m.Off, m.Len) {
				dst = fmt.Appendf(dst, "record %d: source %d masked at %d, %d octets\n", r.Number, i, m.Off, m.Len)
			}
		}
	}
	return dst
}

func (rangeSink) Write(b []byte) error {
	if len(b) > 0 {
		return rangeError(b)
	}
	return nil
}
