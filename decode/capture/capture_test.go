package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

const t0 = 1_700_000_000 * int64(1e9)

// A pkt is a packet to write: its time behind t0 and its octets.
type pkt struct {
	at   int64
	data string
}

// capfile writes a capture.
func capfile(t testing.TB, format pcapng.Format, list ...pkt) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b, pcapng.WriterOptions{Format: format, Interfaces: []pcapng.Interface{{Link: 1, Name: "eth0"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if err := w.WritePacket(&pcapng.Packet{Data: []byte(p.data), Orig: uint32(len(p.data)), Time: t0 + p.at, Link: 1, Flags: pcapng.DirOutbound}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func save(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zst(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

// all reads a source to its end and closes it.
func all(t testing.TB, s Source) (data []string, st Stats, err error) {
	t.Helper()
	var f Frame
	for {
		if err = s.Next(&f); err != nil {
			break
		}
		data = append(data, string(f.Data))
	}
	if again := s.Next(&f); fmt.Sprint(again) != fmt.Sprint(err) {
		t.Errorf("Next after its end: %v, then %v", err, again)
	}
	st = s.Stats()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if after := s.Stats(); fmt.Sprint(after) != fmt.Sprint(st) {
		t.Errorf("Close changes Stats:\n%+v\n%+v", st, after)
	}
	if err == io.EOF {
		err = nil
	}
	return
}

func open(t testing.TB, o Options, paths ...string) Source {
	t.Helper()
	s, err := Open(paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFrame(t *testing.T) {
	path := save(t, t.TempDir(), "x.pcapng", capfile(t, pcapng.PcapNG, pkt{1, "one"}, pkt{2, "two"}))
	s := open(t, Options{}, path)
	var f Frame
	s.Next(&f)
	if err := s.Next(&f); err != nil {
		t.Fatal(err)
	}
	if f.Number != 2 || f.Time != t0+2 || string(f.Data) != "two" || f.Orig != 3 || f.Link != 1 || f.File != path || f.FileIndex != 0 || f.Interface != "eth0" || f.Direction != Outbound || f.Offset == 0 {
		t.Errorf("%+v", f)
	}
	if err := s.Next(&f); err != io.EOF {
		t.Error(err)
	}
	if st := s.Stats(); st.Files != 1 || st.Frames != 2 || st.Octets != 6 || st.Read == 0 || st.Read != st.Size {
		t.Errorf("%+v", st)
	}
	if read, total := s.(Progresser).Progress(); read != total || read == 0 {
		t.Errorf("progress %d of %d", read, total)
	}
	s.Close()
	if err := s.Next(&f); err == nil {
		t.Error("a frame after Close")
	}
}

// Every compression, found by content whatever the name is.
func TestCompressed(t *testing.T) {
	dir := t.TempDir()
	for _, format := range []pcapng.Format{pcapng.Pcap, pcapng.PcapNG} {
		plain := capfile(t, format, pkt{1, "one"}, pkt{2, "two"}, pkt{3, strings.Repeat("three", 50)})
		half := len(plain) / 2
		for name, b := range map[string][]byte{
			"plain":             plain,
			"gzip":              gz(t, plain),
			"gzip, two members": append(gz(t, plain[:half]), gz(t, plain[half:])...),
			"gzip, member each": slices.Concat(gz(t, plain[:1]), gz(t, nil), gz(t, plain[1:30]), gz(t, plain[30:])),
			"zstd":              zst(t, plain),
			"zstd, two frames":  append(zst(t, plain[:half]), zst(t, plain[half:])...),
			"zstd, skippable":   append([]byte("\x51\x2a\x4d\x18\x04\x00\x00\x00abcd"), zst(t, plain)...),
		} {
			path := save(t, dir, "wrong.name", b)
			for _, std := range []bool{false, true} {
				o, p := Options{}, path
				if std {
					o.Stdin, p = bytes.NewReader(b), "-"
				}
				data, st, err := all(t, open(t, o, p))
				if err != nil || len(data) != 3 || data[0] != "one" || len(data[2]) != 250 {
					t.Errorf("%s: %q %v", name, data, err)
				}
				if name != "plain" && st.Expanded != int64(len(plain)) || st.Read != int64(len(b)) {
					t.Errorf("%s: %d expanded of %d, %d read of %d", name, st.Expanded, len(plain), st.Read, len(b))
				}
			}
		}
	}
}

// Compressed data that is cut or damaged: what came before it is delivered, and the error says which file and
// that it is the compression.
func TestCompressedFaults(t *testing.T) {
	dir := t.TempDir()
	var list []pkt
	for k := range int64(2000) {
		list = append(list, pkt{k, fmt.Sprintf("packet %d %x", k, k*k*k*7919)})
	}
	plain := capfile(t, pcapng.PcapNG, list...)
	z := gz(t, plain)
	broken := bytes.Clone(z)
	broken[len(broken)-5] ^= 0xff // checksum
	for _, tt := range []struct {
		name  string
		b     []byte
		least int
		want  string
	}{
		{"cut.gz", z[:len(z)-len(z)/4], 500, "the gzip data ends early"},
		{"tail.gz", z[:len(z)-4], 2000, "the gzip data ends early"},
		{"sum.gz", broken, 2000, "the gzip data is damaged"},
		{"trailing.gz", append(bytes.Clone(z), "some other text follows here"...), 2000, "what follows the gzip data is not gzip"},
		{"cut.zst", zst(t, plain)[:len(zst(t, plain))-9], 0, "the zstd data ends early"},
		{"twice.gz", gz(t, z), 0, "looks like gzip; it is compressed once more"},
		{"head.gz", z[:5], 0, "the gzip data ends early, after 5 octets"},
		{"empty.gz", gz(t, nil), 0, "the file is empty"},
	} {
		path := save(t, dir, tt.name, tt.b)
		s, err := Open([]string{path}, Options{})
		n := 0
		if err == nil {
			var data []string
			data, _, err = all(t, s)
			n = len(data)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: %v; want %s", tt.name, err, tt.want)
		}
		if n < tt.least {
			t.Errorf("%s: %d packets, want at least %d", tt.name, n, tt.least)
		}
		if _, ok := errors.AsType[*FileError](err); !ok {
			t.Errorf("%s: error of type %T", tt.name, err)
		}
	}
}

// Every cut of a compressed capture: only whole packets, and an error unless nothing is missing.
func TestEveryCompressedCut(t *testing.T) {
	var list []pkt
	for k := range int64(20) {
		list = append(list, pkt{k, fmt.Sprintf("packet %02d", k)})
	}
	plain := capfile(t, pcapng.Pcap, list...)
	for name, b := range map[string][]byte{"gzip": gz(t, plain), "zstd": zst(t, plain)} {
		for n := range b {
			s, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(b[:n])})
			if err != nil {
				continue
			}
			data, _, err := all(t, s)
			if err == nil {
				t.Fatalf("%s cut at %d of %d: no error", name, n, len(b))
			}
			for k, d := range data {
				if d != list[k].data {
					t.Fatalf("%s cut at %d: packet %d is %q", name, n, k, d)
				}
			}
		}
	}
}

// A bomb is stopped by its expansion, long before it is unpacked.
func TestBombs(t *testing.T) {
	// Packets of no octets, the smallest thing that is no fault, compress without end.
	head := capfile(t, pcapng.Pcap, pkt{1, "one"})
	bomb := append(bytes.Clone(head), bytes.Repeat([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"), 1<<18)...)
	for name, b := range map[string][]byte{"gzip": gz(t, bomb), "zstd": zst(t, bomb)} {
		l := Limits{ExpandFree: 1 << 20, ExpandRatio: 2}
		data, st, err := all(t, open(t, Options{Stdin: bytes.NewReader(b), Limits: l}, "-"))
		if !errors.Is(err, ErrExpansion) || data[0] != "one" || st.Expanded > 1<<20 || st.Expanded < 1<<19 {
			t.Errorf("%s: %d packets, %d octets expanded: %v", name, len(data), st.Expanded, err)
		}
		// The limit is no obstacle where the capture ends exactly there, nor by its ratio.
		for _, l := range []Limits{{ExpandFree: int64(len(bomb)), ExpandRatio: 1}, {ExpandFree: 1, ExpandRatio: 1 << 50}} {
			if data, _, err := all(t, open(t, Options{Stdin: bytes.NewReader(b), Limits: l}, "-")); err != nil || len(data) != 1<<18+1 {
				t.Errorf("%s, %+v: %d packets, %v", name, l, len(data), err)
			}
		}
		l = Limits{ExpandFree: int64(len(bomb)) - 1, ExpandRatio: 1}
		if _, _, err := all(t, open(t, Options{Stdin: bytes.NewReader(b), Limits: l}, "-")); !errors.Is(err, ErrExpansion) {
			t.Errorf("%s, one octet too many: %v", name, err)
		}
	}
	// A window larger than allowed is refused, not allocated.
	var buf bytes.Buffer
	z, err := zstd.NewWriter(&buf, zstd.WithWindowSize(32<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	z.Write(head)
	z.Flush()
	z.Write(head)
	z.Close()
	if _, err := Open([]string{"-"}, Options{Stdin: &buf, Limits: Limits{Window: 1 << 20}}); !errors.Is(err, zstd.ErrWindowSizeExceeded) {
		t.Errorf("large window: %v", err)
	}
}

// A frame is delivered before the pipe has given anything behind it.
func TestGrowingPipe(t *testing.T) {
	for _, format := range []pcapng.Format{pcapng.Pcap, pcapng.PcapNG} {
		for _, how := range []string{"plain", "gzip", "zstd"} {
			pr, pw := io.Pipe()
			step := make(chan int)
			go func() {
				var w io.Writer = pw
				flush := func() error { return nil }
				switch how {
				case "gzip":
					z := gzip.NewWriter(pw)
					w, flush = z, z.Flush
				case "zstd":
					z, _ := zstd.NewWriter(pw, zstd.WithEncoderConcurrency(1))
					w, flush = z, z.Flush
				}
				cw, err := pcapng.NewWriter(w, pcapng.WriterOptions{Format: format, Interfaces: []pcapng.Interface{{Link: 1}}})
				if err != nil {
					pw.CloseWithError(err)
					return
				}
				for k := range step {
					if k < 0 {
						break
					}
					cw.WritePacket(&pcapng.Packet{Data: fmt.Append(nil, "frame ", k), Orig: 7, Time: t0 + int64(k), Link: 1})
					cw.Flush()
					flush()
				}
				if c, ok := w.(io.Closer); ok {
					c.Close()
				}
				pw.Close()
			}()
			step <- 0 // Open reads the header, which the writer sends with the first packet
			s := open(t, Options{Stdin: pr}, "-")
			var f Frame
			for k := range 5 {
				if k > 0 {
					step <- k
				}
				// The next packet is only written after this one was read: waiting for more would never end.
				if err := s.Next(&f); err != nil || string(f.Data) != fmt.Sprint("frame ", k) || f.Number != uint64(k+1) {
					t.Fatalf("%s: %d: %+v %v", how, k, f, err)
				}
			}
			close(step)
			if err := s.Next(&f); err != io.EOF {
				t.Fatalf("%s: %v", how, err)
			}
			s.Close()
		}
	}
}

// Files are merged by time, frames of the same time in the order of the paths, and each file in its own order.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	a := save(t, dir, "a", capfile(t, pcapng.Pcap, pkt{10, "a10"}, pkt{20, "a20"}, pkt{30, "a30"}, pkt{30, "a30b"}, pkt{70, "a70"}))
	b := save(t, dir, "b", gz(t, capfile(t, pcapng.PcapNG, pkt{5, "b5"}, pkt{20, "b20"}, pkt{15, "b15"}, pkt{60, "b60"})))
	c := save(t, dir, "c", capfile(t, pcapng.Pcap)) // no packets
	std := capfile(t, pcapng.Pcap, pkt{20, "s20"}, pkt{80, "s80"})
	s := open(t, Options{Stdin: bytes.NewReader(std)}, b, c, "-", a)
	var have []string
	var f Frame
	for s.Next(&f) == nil {
		have = append(have, fmt.Sprintf("%s:%d.%d", f.Data, f.FileIndex, f.Number))
	}
	want := "b5:0.1 a10:3.1 b20:0.2 b15:0.3 s20:2.1 a20:3.2 a30:3.3 a30b:3.4 b60:0.4 a70:3.5 s80:2.2"
	if strings.Join(have, " ") != want {
		t.Errorf("have %s\nwant %s", strings.Join(have, " "), want)
	}
	if st := s.Stats(); st.Files != 4 || st.Frames != 11 || st.Backward != 1 || st.Size != 0 || st.Errors != 0 {
		t.Errorf("%+v", st)
	}
	if s.(Rewinder).Seekable() || s.(Rewinder).Rewind() == nil {
		t.Error("standard input was read twice")
	}
	s.Close()
}

// A ring of files that do not overlap needs few of them open at once, and gives the same as one file.
func TestRing(t *testing.T) {
	dir := t.TempDir()
	var paths, want []string
	for k := range int64(300) {
		one := []pkt{{k * 10, fmt.Sprint(k, "a")}, {k*10 + 5, fmt.Sprint(k, "b")}}
		paths = append(paths, save(t, dir, fmt.Sprintf("ring%03d", k), capfile(t, pcapng.Pcap, one...)))
		want = append(want, one[0].data, one[1].data)
	}
	slices.Reverse(paths)
	s := open(t, Options{}, paths...).(*files)
	most := 0
	var have []string
	var f Frame
	for s.Next(&f) == nil {
		have = append(have, string(f.Data))
		n := 0
		for _, f := range s.list {
			if f.f != nil {
				n++
			}
		}
		most = max(most, n)
	}
	if !slices.Equal(have, want) {
		t.Errorf("%d frames, want %d, or out of order", len(have), len(want))
	}
	if most > 1 {
		t.Errorf("%d files open at once", most)
	}
	if st := s.Stats(); st.Read != st.Size {
		t.Errorf("%d octets read of %d", st.Read, st.Size)
	}
	s.Close()
}

// A broken file among several: the others are read, the error comes at the end with its file and octet, and at
// once through OnError.
func TestBrokenAmongSeveral(t *testing.T) {
	dir := t.TempDir()
	good := capfile(t, pcapng.PcapNG, pkt{1, "g1"}, pkt{50, "g50"})
	cut := capfile(t, pcapng.Pcap, pkt{2, "c2"}, pkt{3, "c3"})
	paths := []string{
		save(t, dir, "good1", good),
		save(t, dir, "cut", cut[:len(cut)-1]),
		save(t, dir, "netmon", []byte("GMBU and so on")),
		save(t, dir, "empty", nil),
		save(t, dir, "good2", good),
	}
	early := 0
	o := Options{OnError: func(*FileError) { early++ }}
	data, st, err := all(t, open(t, o, paths...))
	if strings.Join(data, " ") != "g1 g1 c2 g50 g50" {
		t.Errorf("%q", data)
	}
	list, ok := err.(Errors)
	if !ok || len(list) != 3 || st.Errors != 3 || early != 3 {
		t.Fatalf("%v, %d counted, %d told early", err, st.Errors, early)
	}
	for k, want := range []string{
		paths[2] + ": not a capture file: it looks like Microsoft NetMon 2.x; convert it with editcap -F pcapng",
		paths[3] + ": the file is empty",
		fmt.Sprintf("%s: packet record at octet 42 has 17 of its 18 octets; the file ends at octet 59", paths[1]),
	} {
		if list[k].Error() != want {
			t.Errorf("have %s\nwant %s", list[k], want)
		}
	}
	if list[2].Off != 42 || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, pcapng.ErrNotCapture) {
		t.Errorf("%+v", list[2])
	}
	if err.Error() != list[0].Error()+" (and 2 more)" {
		t.Error(err)
	}
}

// A fault that reading can go on after is reported, and the frames behind it are given.
func TestResumed(t *testing.T) {
	a, b := capfile(t, pcapng.PcapNG, pkt{1, "one"}), capfile(t, pcapng.PcapNG, pkt{2, "two"})
	path := save(t, t.TempDir(), "x", slices.Concat(a, []byte("junk junk junk junk."), b))
	for _, paths := range [][]string{{path}, {path, save(t, t.TempDir(), "y", capfile(t, pcapng.Pcap))}} {
		data, st, err := all(t, open(t, Options{}, paths...))
		if strings.Join(data, " ") != "one two" || st.Errors != 1 || err == nil || !strings.Contains(err.Error(), "reading goes on at octet") {
			t.Errorf("%q %v %+v", data, err, st)
		}
	}
}

// A fault before the first frame is reported once, although the first frame is looked for twice; and a file with
// faults only is reported too.
func TestFaultBeforeFirstFrame(t *testing.T) {
	dir := t.TempDir()
	bad := "\x06\x00\x00\x00\x20\x00\x00\x00\x63\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00"
	none := capfile(t, pcapng.PcapNG)
	a := save(t, dir, "a", slices.Concat(none, []byte(bad), capfile(t, pcapng.PcapNG, pkt{5, "a5"})))
	b := save(t, dir, "b", capfile(t, pcapng.PcapNG, pkt{1, "b1"}, pkt{9, "b9"}))
	c := save(t, dir, "c", slices.Concat(none, []byte(bad)))
	early := 0
	data, st, err := all(t, open(t, Options{OnError: func(*FileError) { early++ }}, a, b, c))
	if strings.Join(data, " ") != "b1 a5 b9" || early != 2 || st.Errors != 2 || len(err.(Errors)) != 2 {
		t.Errorf("%q, %d errors told, %d counted: %v", data, early, st.Errors, err)
	}
}

// Faults without number are counted, and few of them kept.
func TestManyFaults(t *testing.T) {
	b := capfile(t, pcapng.PcapNG, pkt{1, "one"})
	for range 1000 {
		b = append(b, "\x06\x00\x00\x00\x20\x00\x00\x00\x63\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00"...)
	}
	_, st, err := all(t, open(t, Options{Stdin: bytes.NewReader(b), Limits: Limits{Errors: 3}}, "-"))
	if st.Errors != 1000 || len(st.List) != 3 || len(err.(Errors)) != 3 || !strings.HasPrefix(err.Error(), "standard input: ") {
		t.Errorf("%d errors, %d kept: %v", st.Errors, len(st.List), err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	empty := save(t, dir, "empty", nil)
	html := save(t, dir, "html", []byte("<html><body>404</body></html>"))
	none := filepath.Join(dir, "none")
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{nil, "no capture file named"},
		{[]string{dir}, dir + ": is a directory"},
		{[]string{none}, none + ": no such file or directory"},
		{[]string{empty, none}, none + ": no such file or directory"},
		{[]string{empty}, empty + ": the file is empty"},
		{[]string{html}, html + ": not a capture file: it looks like HTML; a download may have given an error page"},
		{[]string{html, empty}, html + ": not a capture file: it looks like HTML; a download may have given an error page (and 1 more)"},
		{[]string{"-"}, "standard input: is not available here"},
	} {
		s, err := Open(tt.paths, Options{})
		if err == nil || err.Error() != tt.want || s != nil {
			t.Errorf("%q: %v; want %s", tt.paths, err, tt.want)
		}
	}
	if _, err := Open([]string{"-", "-"}, Options{Stdin: strings.NewReader("")}); err == nil || err.Error() != "standard input: is named more than once" {
		t.Error(err)
	}
	_, err := Open([]string{dir}, Options{})
	if e, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(e.Hint, "*.pcap") {
		t.Errorf("a directory without a hint: %v", err)
	}
}

// Rewind gives the same again, also in the middle and after an error.
func TestRewind(t *testing.T) {
	dir := t.TempDir()
	cut := capfile(t, pcapng.Pcap, pkt{2, "c2"}, pkt{3, "c3"})
	a := save(t, dir, "a", gz(t, capfile(t, pcapng.PcapNG, pkt{1, "a1"}, pkt{4, "a4"})))
	b := save(t, dir, "b", cut[:len(cut)-1])
	for _, paths := range [][]string{{a}, {b}, {a, b}} {
		s := open(t, Options{}, paths...).(Rewinder)
		var f Frame
		if err := s.Next(&f); err != nil {
			t.Fatal(err)
		}
		var before string
		for range 3 {
			if !s.Seekable() {
				t.Fatal("not seekable")
			}
			if err := s.Rewind(); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			err := error(nil)
			for err == nil {
				if err = s.Next(&f); err == nil {
					fmt.Fprintf(&log, "%s %d %d\n", f.Data, f.Number, f.FileIndex)
				}
			}
			fmt.Fprintf(&log, "%v %+v", err, s.Stats())
			if before != "" && log.String() != before {
				t.Errorf("%q: first %s\nthen %s", paths, before, log.String())
			}
			before = log.String()
		}
		s.Close()
	}
}

// Secrets come before the frames behind them and once for each reading; drops and truncated frames are counted.
func TestSecretsAndCounts(t *testing.T) {
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b, pcapng.WriterOptions{Interfaces: []pcapng.Interface{{Link: 1, Description: "the lan"}, {Link: 276}}})
	if err != nil {
		t.Fatal(err)
	}
	w.WriteSecrets(pcapng.SecretsTLSKeyLog, []byte("CLIENT_RANDOM 00 11\n"))
	w.WritePacket(&pcapng.Packet{Data: []byte("one"), Orig: 100, Time: t0, Link: 1, Drops: 2, Comments: []string{"c"}, Flags: pcapng.DirInbound})
	w.WriteSecrets(pcapng.SecretsWireGuard, []byte("x"))
	w.WritePacket(&pcapng.Packet{Data: []byte("two"), Orig: 3, Time: t0, Link: 276, Interface: 1, Drops: 3})
	w.WriteStats(0, pcapng.Statistics{Dropped: 40, OSDropped: 2, Has: pcapng.HasDropped | pcapng.HasOSDropped})
	w.Flush()
	path := save(t, t.TempDir(), "x", b.Bytes())
	for _, paths := range [][]string{{path}, {path, save(t, t.TempDir(), "y", capfile(t, pcapng.Pcap))}} {
		var log []string
		s := open(t, Options{OnSecrets: func(p string, typ uint32, data []byte) {
			log = append(log, fmt.Sprintf("%v %v %d", p == path, typ == SecretsTLS, len(data)))
		}}, paths...)
		var f Frame
		for s.Next(&f) == nil {
			log = append(log, fmt.Sprintf("%s %d %s %d %v", f.Data, f.Link, f.Interface, f.Direction, f.Comments))
		}
		want := []string{"true true 20", "one 1 the lan 1 [c]", "true false 1", "two 276  0 []"}
		if !slices.Equal(log, want) {
			t.Errorf("have %q\nwant %q", log, want)
		}
		if st := s.Stats(); st.Drops != 45 || st.Truncated != 1 || st.Comments != 1 {
			t.Errorf("%+v", st)
		}
		s.Close()
	}
}

// The real captures are read whole, with as many packets as their table says.
func TestRealCaptures(t *testing.T) {
	shared := os.Getenv("MCXDUMP_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(shared, "pcaps", "sip")
	table, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no shared captures here:", err)
	}
	var paths []string
	total := 0
	for line := range strings.Lines(string(table)) {
		cell := strings.Split(line, "|")
		if len(cell) < 5 || !strings.Contains(cell[1], ".pcap") {
			continue
		}
		name := strings.TrimSpace(cell[1])
		want, err := strconv.Atoi(strings.TrimSpace(cell[3]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		path := filepath.Join(dir, name)
		data, st, err := all(t, open(t, Options{}, path))
		if err != nil || len(data) != want || st.Frames != uint64(want) || st.Tolerated != 0 {
			t.Errorf("%s: %d packets, want %d; %v %+v", name, len(data), want, err, st)
		}
		paths = append(paths, path)
		total += want
	}
	if len(paths) < 30 {
		t.Fatalf("only %d captures in the table", len(paths))
	}
	// All of them merged: as many, and never back in time but where a file itself goes back.
	s := open(t, Options{}, paths...)
	n, last, own := 0, int64(0), map[int]int64{}
	var f Frame
	for err = s.Next(&f); err == nil; err = s.Next(&f) {
		if f.Time < last && f.Time >= own[f.FileIndex] {
			t.Errorf("%s frame %d: time goes back", f.File, f.Number)
		}
		n, last, own[f.FileIndex] = n+1, f.Time, f.Time
	}
	if err != io.EOF || n != total {
		t.Errorf("%d frames merged, want %d: %v", n, total, err)
	}
	s.Close()
}

// Whatever the octets, plain or as if compressed: no panic, an end, frames numbered, and the limits kept.
func FuzzOpen(f *testing.F) {
	plain := capfile(f, pcapng.PcapNG, pkt{1, "one"}, pkt{2, "two"})
	f.Add(plain, capfile(f, pcapng.Pcap, pkt{3, "x"}))
	f.Add(gz(f, plain), zst(f, plain))
	f.Add(zst(f, plain)[:40], gz(f, plain)[:40])
	l := Limits{ExpandFree: 1 << 20, ExpandRatio: 10, Window: 1 << 20, Block: 1 << 16, Errors: 2}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, err := Open([]string{"-"}, Options{Stdin: io.MultiReader(bytes.NewReader(a), bytes.NewReader(b)), Limits: l})
		if err != nil {
			return
		}
		defer s.Close()
		var fr Frame
		for n := uint64(1); ; n++ {
			if err = s.Next(&fr); err != nil {
				break
			}
			if fr.Number != n || fr.File != "-" {
				t.Fatalf("frame %+v, want number %d", fr, n)
			}
		}
		st := s.Stats()
		if st.Read > int64(len(a)+len(b)) || st.Expanded > max(1<<20, 10*st.Read) || len(st.List) > 2 || (err == io.EOF) != (st.Errors == 0) {
			t.Fatalf("%+v: %v", st, err)
		}
	})
}

// The budget: what one file costs over the bare reader, and what the merge of four costs.
func BenchmarkSource(b *testing.B) {
	dir := b.TempDir()
	list := make([]pkt, 50000)
	for k := range list {
		list[k] = pkt{int64(k), strings.Repeat("x", 200)}
	}
	plain := capfile(b, pcapng.Pcap, list...)
	for _, bb := range []struct {
		name  string
		paths []string
		size  int
	}{
		{"one", []string{save(b, dir, "0", plain)}, len(plain)},
		{"four", []string{save(b, dir, "1", plain), save(b, dir, "2", plain), save(b, dir, "3", plain), save(b, dir, "4", plain)}, 4 * len(plain)},
		{"gzip", []string{save(b, dir, "z", gz(b, plain))}, len(plain)},
		{"zstd", []string{save(b, dir, "zs", zst(b, plain))}, len(plain)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(bb.size))
			b.ReportAllocs()
			for b.Loop() {
				s := open(b, Options{}, bb.paths...)
				var f Frame
				var err error
				for err == nil {
					err = s.Next(&f)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}
