//go:build linux

package capture

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

func frame(n int, data string) *Frame {
	return &Frame{Number: uint64(n), Time: t0 + int64(n)*int64(time.Second), Data: []byte(data), Orig: uint32(len(data)), Link: 1, Interface: "eth0", Direction: Inbound}
}

func writer(t *testing.T, path string, o WriteOptions) *FileWriter {
	t.Helper()
	w, err := NewFileWriter(path, o)
	if err != nil {
		t.Fatal(err)
	}
	w.now = func() time.Time { return time.Unix(0, t0).UTC() }
	return w
}

func quiet(t *testing.T, n *Notice) {
	t.Helper()
	if n != nil {
		t.Errorf("notice: %v", n)
	}
}

// names lists the files of a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestWriteAndReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	devices := []Device{{Name: "eth0", Link: 1, Received: 12, Dropped: 3}, {Name: "tun0", Link: 101, Received: 5}}
	w := writer(t, path, WriteOptions{Devices: func() []Device { return devices }, Filter: "udp", Snap: 200, Application: "test"})
	quiet(t, w.Frame(frame(1, "one")))
	f := frame(2, "two")
	f.Interface, f.Link, f.Orig, f.Direction, f.Comments = "tun0", 101, 999, Outbound, []string{"why"}
	quiet(t, w.Frame(f))
	f = frame(3, "three") // an interface that was not described before
	f.Interface = "eth9"
	quiet(t, w.Frame(f))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	src := open(t, Options{}, path)
	var got []string
	var g Frame
	for src.Next(&g) == nil {
		got = append(got, fmt.Sprint(g.Interface, g.Link, g.Direction, g.Time-t0, g.Orig, string(g.Data), g.Comments))
	}
	want := []string{"eth01 1 1000000000 3 one[]", "tun0101 2 2000000000 999 two[why]", "eth91 1 3000000000 5 three[]"}
	if len(got) != 3 || src.Stats().Drops != 3 || src.Stats().Errors != 0 {
		t.Errorf("%q, %+v", got, src.Stats())
	}
	for k := range want {
		if strings.ReplaceAll(got[k], " ", "") != strings.ReplaceAll(want[k], " ", "") {
			t.Errorf("frame %d: %s, want %s", k, got[k], want[k])
		}
	}
	src.Close()
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rd, err := pcapng.NewReader(r, pcapng.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var p pcapng.Packet
	for rd.Next(&p) == nil {
	}
	is := rd.Interfaces()
	if len(is) != 3 || is[0].Filter != "udp" || is[0].SnapLen != 200 || is[0].Stats == nil || is[0].Stats.Received != 12 || is[0].Stats.OSDropped != 3 || is[1].Stats == nil || is[2].Stats != nil {
		t.Errorf("%+v", is)
	}
}

// A ring by packets, by size and by time; names and counts are dumpcap's.
func TestWriteRing(t *testing.T) {
	for name, tt := range map[string]struct {
		o     WriteOptions
		files []string
		in    []int // frames in each
	}{
		"packets":  {WriteOptions{Packets: 3}, []string{"x_00001_", "x_00002_", "x_00003_", "x_00004_"}, []int{3, 3, 3, 1}},
		"files":    {WriteOptions{Packets: 3, Files: 2}, []string{"x_00003_", "x_00004_"}, []int{3, 1}},
		"duration": {WriteOptions{Duration: 4 * time.Second}, []string{"x_00001_", "x_00002_", "x_00003_"}, []int{4, 4, 2}},
		"size":     {WriteOptions{FileSize: 200}, nil, nil},
		"gzip":     {WriteOptions{Packets: 4, Compress: "gzip"}, []string{"x_00001_", "x_00002_", "x_00003_"}, []int{4, 4, 2}},
		"zstd":     {WriteOptions{Packets: 4, Compress: "zstd", Files: 50}, []string{"x_00001_", "x_00002_", "x_00003_"}, []int{4, 4, 2}},
	} {
		dir := t.TempDir()
		w := writer(t, filepath.Join(dir, "x.pcapng"), tt.o)
		for k := 1; k <= 10; k++ {
			quiet(t, w.Frame(frame(k, fmt.Sprint("frame ", k))))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		list := names(t, dir)
		ext := map[string]string{"gzip": ".gz", "zstd": ".zst"}[tt.o.Compress]
		if name == "size" {
			if len(list) < 3 {
				t.Errorf("size: %q", list)
			}
			for _, n := range list {
				if st, _ := os.Stat(filepath.Join(dir, n)); st.Size() > 200+100 {
					t.Errorf("%s has %d octets", n, st.Size())
				}
			}
			continue
		}
		if len(list) != len(tt.files) {
			t.Errorf("%s: %q, want %q", name, list, tt.files)
			continue
		}
		for k, n := range list {
			if !strings.HasPrefix(n, tt.files[k]) || !strings.HasSuffix(n, ".pcapng"+ext) || k > 0 && !strings.Contains(n, "20231114221320") {
				t.Errorf("%s: %q, want %q", name, n, tt.files[k])
			}
			data, st, err := all(t, open(t, Options{}, filepath.Join(dir, n)))
			if err != nil || len(data) != tt.in[k] || ext != "" && st.Expanded == 0 {
				t.Errorf("%s: %s: %d frames, want %d: %v", name, n, len(data), tt.in[k], err)
			}
		}
	}
}

// Only frames that are named are written, in order, whether they are named early or late.
func TestOnlySIP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w := writer(t, path, WriteOptions{OnlySIP: true, HoldTime: 5 * time.Second})
	for k := 1; k <= 40; k++ {
		quiet(t, w.Frame(frame(k, fmt.Sprint(k))))
		switch k {
		case 3:
			w.Message("", []uint64{3})
		case 20:
			w.Message("", []uint64{17, 19, 20})
		case 30:
			w.Message("", []uint64{2, 29}) // 2 is gone
		case 40:
			w.Message("other", []uint64{40})
			w.Message("", []uint64{38})
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data, _, err := all(t, open(t, Options{}, path))
	if err != nil || strings.Join(data, " ") != "3 17 19 20 29 38" {
		t.Errorf("%q %v", data, err)
	}
	if st := w.Stats(); st.Late != 2 || st.Frames != 6 {
		t.Errorf("%+v", st)
	}

	// Memory bounds what is held back.
	w = writer(t, path, WriteOptions{OnlySIP: true, Hold: 64 << 10, HoldTime: time.Hour})
	big := strings.Repeat("x", 1000)
	for k := 1; k <= 1000; k++ {
		w.Frame(frame(k, big))
		if w.hold.size > 64<<10 || len(w.hold.want) > 64 {
			t.Fatalf("%d octets, %d frames held back", w.hold.size, len(w.hold.want))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file that was moved away stays as it is, and a new one is begun; one that was not is continued.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "x.pcapng"), filepath.Join(dir, "x.1")
	w := writer(t, path, WriteOptions{})
	w.Frame(frame(1, "one"))
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	for k := 2; k <= 3; k++ {
		if err := w.Reopen(); err != nil {
			t.Fatal(err)
		}
		w.Frame(frame(k, fmt.Sprint(k)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	one, _, err1 := all(t, open(t, Options{}, moved))
	two, _, err2 := all(t, open(t, Options{}, path))
	if err1 != nil || err2 != nil || !slices.Equal(one, []string{"one"}) || !slices.Equal(two, []string{"2", "3"}) {
		t.Errorf("%q %v, %q %v", one, err1, two, err2)
	}
	if err := w.Reopen(); err == nil {
		t.Error("reopened after Close")
	}

	w = writer(t, path, WriteOptions{Packets: 100})
	w.Frame(frame(1, "one"))
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if n := w.Stats().Files; n != 2 {
		t.Errorf("%d files", n)
	}
}

// A full disk ends the writing with one notice, and the file ends with a whole block.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a file system that is small needs root: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	path := filepath.Join(dir, "x.pcapng")
	w := writer(t, path, WriteOptions{Flush: -1})
	var notices []string
	for k := 1; k <= 1000; k++ {
		if n := w.Frame(frame(k, strings.Repeat("x", 1000))); n != nil {
			notices = append(notices, n.ID+" "+n.Message)
		}
	}
	if len(notices) != 1 || !strings.HasPrefix(notices[0], "write-failed frames are not written any more: ") || !strings.Contains(notices[0], "no space left") {
		t.Errorf("%q", notices)
	}
	if err := w.Close(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	data, st, err := all(t, open(t, Options{}, path))
	if err != nil || len(data) < 100 || st.Errors != 0 {
		t.Errorf("%d frames: %v", len(data), err)
	}
	if ws := w.Stats(); ws.Lost == 0 || ws.Lost+ws.Frames < 999 {
		t.Errorf("%+v", ws)
	}
}

// The file on disk can be read at any time that nothing is being written to it.
func TestFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	w := writer(t, path, WriteOptions{Flush: time.Millisecond})
	w.Frame(frame(1, "one"))
	for {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("one")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	w.Close()
}

func TestStandardOutput(t *testing.T) {
	var b bytes.Buffer
	w := writer(t, "-", WriteOptions{Stdout: &b})
	w.Frame(frame(1, "one"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data, _, err := all(t, open(t, Options{Stdin: &b}, "-"))
	if err != nil || len(data) != 1 {
		t.Errorf("%q %v", data, err)
	}
}

func TestWriteErrors(t *testing.T) {
	for _, tt := range []struct {
		path string
		o    WriteOptions
		want string
	}{
		{filepath.Join(t.TempDir(), "no", "such"), WriteOptions{}, "no such file"},
		{"x", WriteOptions{Compress: "rar"}, "rar"},
		{"-", WriteOptions{Stdout: os.Stdout, Packets: 1}, "cannot be rotated"},
		{"-", WriteOptions{}, "standard output"},
	} {
		if w, err := NewFileWriter(tt.path, tt.o); err == nil || w != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.path, err, tt.want)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	w, err := NewFileWriter(filepath.Join(b.TempDir(), "x"), WriteOptions{FileSize: 64 << 20, Files: 2})
	if err != nil {
		b.Fatal(err)
	}
	f := frame(1, strings.Repeat("x", 1000))
	b.ReportAllocs()
	b.SetBytes(1000)
	for b.Loop() {
		w.Frame(f)
	}
	w.Close()
}

// Secrets come before the frames of each file, and new ones as they come.
func TestWriteSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	known := []string{"CLIENT_RANDOM 1 2\n", strings.Repeat("x", 3*maxSecrets/2) + "\n"}
	w, err := NewFileWriter(path, WriteOptions{Flush: -1, Packets: 2, Secrets: func(since int) ([]byte, int) {
		return []byte(strings.Join(known[since:], "")), len(known)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for k := range 3 {
		w.Frame(&Frame{Number: uint64(k + 1), Time: int64(k), Data: []byte("frame"), Orig: 5, Link: linkRaw})
		if k == 0 {
			known = append(known, "CLIENT_RANDOM 3 4\n")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "x_*"))
	if len(files) != 2 {
		t.Fatal(files)
	}
	for _, f := range files {
		var got strings.Builder
		src, err := Open([]string{f}, Options{OnSecrets: func(_ string, typ uint32, data []byte) {
			if typ != SecretsTLS {
				t.Errorf("type %x", typ)
			}
			got.Write(data)
		}})
		if err != nil {
			t.Fatal(err)
		}
		var fr Frame
		for src.Next(&fr) == nil {
		}
		src.Close()
		if got.String() != strings.Join(known, "") {
			t.Errorf("%s: %d octets of secrets, want %d", f, got.Len(), len(strings.Join(known, "")))
		}
	}
}
