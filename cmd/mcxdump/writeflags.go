package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

// writeFlags are the flags by which read and live write frames to files.
type writeFlags struct {
	path     string
	ring     []string
	compress string
	onlySIP  bool
	secrets  bool
}

func (w *writeFlags) register(f *pflag.FlagSet) {
	f.StringVarP(&w.path, "write", "w", "", "write frames to `FILE`, as pcapng (- is standard output, with --quiet)")
	f.StringArrayVarP(&w.ring, "ring-buffer", "b", nil, "with -w, as dumpcap: duration:`SECONDS`, filesize:kB or packets:N begin a new file, files:N keeps so many")
	f.StringVar(&w.compress, "compress", "", "with -w: gzip or zstd, when a file is closed")
	f.BoolVar(&w.secrets, "write-secrets", false, "with -w: write the TLS secrets of --keys, and those in captures that are read, into the file, so that its readers can decrypt it too")
	f.BoolVar(&w.onlySIP, "only-sip", false, "with -w: only frames that carried SIP, and their fragments")
}

// open creates the writer; nil without -w.
func (w *writeFlags) open(s *streams, quiet bool, tls *keys.TLSKeys, o capture.WriteOptions) (*capture.FileWriter, error) {
	if w.path == "" {
		if len(w.ring) > 0 || w.compress != "" || w.onlySIP || w.secrets {
			return nil, usage("-b, --compress, --only-sip and --write-secrets need -w FILE")
		}
		return nil, nil
	}
	if w.path == "-" && !quiet {
		return nil, usage("-w - writes the capture to standard output: add --quiet")
	}
	o.Compress, o.OnlySIP, o.Stdout, o.Application = w.compress, w.onlySIP, s.out, "mcxdump "+version()
	for _, b := range w.ring {
		key, val, _ := strings.Cut(b, ":")
		n, err := strconv.ParseFloat(val, 64)
		if err != nil || !(n > 0) || n > math.MaxInt32 || key != "duration" && n != math.Trunc(n) {
			return nil, usage("-b %s: a number above 0 is expected behind %s:", b, key)
		}
		switch key {
		case "duration":
			o.Duration = time.Duration(n * float64(time.Second))
		case "filesize":
			o.FileSize = int64(n) * 1000
		case "packets":
			o.Packets = uint64(n)
		case "files":
			o.Files = int(n)
		default:
			return nil, usage("-b %s is unknown; there are duration, filesize, packets and files", b)
		}
	}
	if o.Files > 0 && o.Duration == 0 && o.FileSize == 0 && o.Packets == 0 {
		return nil, usage("-b files:%d needs duration, filesize or packets too", o.Files)
	}
	switch w.compress {
	case "", "gzip", "zstd":
	default:
		return nil, usage("--compress is gzip or zstd")
	}
	if w.path == "-" && (w.compress != "" || len(w.ring) > 0) {
		return nil, usage("-w - can be neither rotated nor compressed")
	}
	if w.secrets {
		o.Secrets = func(since int) ([]byte, int) { return tls.AppendLog(nil, since) }
		fmt.Fprintf(s.err, "mcxdump: warning: the secrets of TLS connections go into %s: whoever gets it can read them\n", output.Safe(w.target()))
		if !tls.Any() {
			fmt.Fprintln(s.err, "mcxdump: note: so far there are none; they come from a TLS key log given by --keys, or from the capture itself")
		}
	}
	fw, err := capture.NewFileWriter(w.path, o)
	if err != nil {
		return nil, err
	}
	return fw, nil
}

// target is how the file is called.
func (w *writeFlags) target() string {
	if w.path == "-" {
		return "standard output"
	}
	return w.path
}

// close ends the files. Frames that could not be written are lost output.
func (w *writeFlags) close(s *streams, fw *capture.FileWriter) error {
	if fw == nil {
		return nil
	}
	err := fw.Close()
	st := fw.Stats()
	if st.Late > 0 {
		fmt.Fprintf(s.err, "mcxdump: warning: %d frames of messages were not held back any more when the message was complete, and are not in the file\n", st.Late)
	}
	if err != nil {
		return fmt.Errorf("writing frames: %w; %d frames were written, %d are missing", err, st.Frames, st.Lost)
	}
	return nil
}
