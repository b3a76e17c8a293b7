package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/internal/bpf"
	"github.com/mcxdump/mcxdump/output"
)

// liveOptions are the flags of live.
type liveOptions struct {
	readOptions
	ifaces     []string
	hep        string // address to listen at
	capture    string // -f
	list       bool
	snap       int
	ringSize   int
	promisc    bool
	keepRights bool
	metrics    string // address
	public     bool
	memory     int // MiB
}

// patience is how long live waits for output that stands still before it leaves messages out.
const patience = 500 * time.Millisecond

func newLive(s *streams) *cobra.Command {
	var o liveOptions
	cmd := &cobra.Command{
		Use:   "live -i IFACE",
		Short: "Decode what network interfaces see, as it comes",
		Long: `Decode frames from network interfaces of Linux, as read does from files, and write them to files (docs/live.md).

Filters (-f) are in tcpdump's language and run in the kernel; "sip" is a filter that sheds media and keeps whatever may
carry SIP. The right to capture is needed (setcap cap_net_raw+ep) and given up as soon as the sockets are open.

SIGINT and SIGTERM end with the summary and code 0, SIGUSR1 prints statistics, SIGHUP begins a new file (-w).

Exit codes: 0 ended by a signal or -c, 1 no capture or lost output, 2 usage.`,
		Example: `  mcxdump live -D
  mcxdump live -i eth0
  mcxdump live -i eth0 -i eth1 -f 'udp port 5060 or ip[6:2] & 0x1fff != 0' --json
  mcxdump live -i any -f sip -w trace.pcapng -b filesize:100000 -b files:20 --compress zstd --quiet
  mcxdump live -i eth0 -w sip.pcapng --only-sip -Y 'sip.method == "REGISTER"'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), s) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&o.ifaces, "interface", "i", nil, "`IFACE` to capture on, or any for all; may be given several times")
	f.StringVar(&o.hep, "hep", "", "listen at `ADDR`, as :9060, for SIP that proxies mirror by HEP version 3 (UDP and TCP), instead of an interface")
	f.StringVarP(&o.capture, "filter", "f", "", "capture `FILTER` in tcpdump's language, the preset sip, or what tcpdump -ddd prints")
	f.BoolVarP(&o.list, "list-interfaces", "D", false, "list the interfaces")
	f.IntVarP(&o.snap, "snapshot-length", "s", 0, "keep so many `OCTETS` of a frame (default 262144)")
	f.IntVarP(&o.ringSize, "buffer-size", "B", 32, "the kernel's ring for each interface, in `MiB`")
	f.BoolVar(&o.promisc, "promiscuous", false, "take frames for other stations too")
	o.writeFlags.register(f)
	o.register(f)
	f.IntVar(&o.memory, "memory", 128, "budget of the process in `MiB`, rings included")
	f.StringVar(&o.metrics, "metrics", "", "answer Prometheus at a loopback `ADDR`, as 127.0.0.1:9464, path /metrics")
	f.BoolVar(&o.public, "metrics-public", false, "let --metrics be an address that others reach")
	f.BoolVar(&o.keepRights, "keep-rights", false, "do not give up capabilities and files once the sockets are open")
	return cmd
}

func (o *liveOptions) run(ctx context.Context, s *streams) error {
	if o.list {
		return listInterfaces(s)
	}
	switch {
	case len(o.ifaces) == 0 && o.hep == "":
		return usage("live needs an interface: -i IFACE; live -D lists them; or --hep ADDR")
	case o.hep != "" && (len(o.ifaces) > 0 || o.capture != "" || o.promisc || o.snap != 0):
		return usage("--hep takes the place of an interface: it goes with neither -i nor what belongs to it (HEP that an interface sees is decoded with -i too)")
	case o.ringSize < 1 || o.ringSize > 2047:
		return usage("--buffer-size is 1 to 2047 MiB")
	case o.memory < 1 || o.memory > 1<<20:
		return usage("--memory is 1 to 1048576 MiB")
	case o.snap < 0 || o.snap > 0 && o.snap < 64:
		return usage("--snapshot-length is at least 64")
	}
	p, err := o.printing(s)
	if err != nil {
		return err
	}
	o.grows = true
	opt, err := o.decoding(s, p)
	if err != nil {
		return err
	}
	if opt.Ring != nil {
		defer opt.Ring.Close()
	}
	opt.Patience = patience
	rest := o.budget()
	opt.Flow.Memory = min(rest*3/8, 64<<20)
	if os.Getenv("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(rest))
	}
	src, err := o.source()
	if err != nil {
		return err
	}
	defer src.Close()
	for _, d := range src.Devices() {
		if better, loses := bpf.LosesFragments(o.capture, bpf.Target{Link: d.Link}); loses {
			fmt.Fprintf(s.err, "mcxdump: warning: this filter loses all fragments of a message but the first, which alone has ports; with them:\n  -f '%s'\n", output.Safe(better))
			break
		}
	}
	w, err := o.writeFlags.open(s, o.quiet, o.keyFlags.tls, capture.WriteOptions{Devices: src.Devices, Snap: o.snap, Filter: o.capture})
	if err != nil {
		return err
	}
	h, err := o.hepFlags.open(false, o.hep != "")
	if err != nil {
		return err
	}
	if h != nil && h.here(o.hep) {
		return usage("--to-hep %s is where --hep listens: messages would go round for ever", o.toHEP)
	}
	o.watch(&opt, w, h)
	var answer net.Listener
	if o.metrics != "" {
		if answer, err = listenMetrics(o.metrics, o.public); err != nil {
			return err
		}
		defer answer.Close()
	}
	opt.Monitor = new(decode.Monitor)
	if !o.keepRights {
		var dirs []string
		if w != nil && o.path != "-" {
			dirs = append(dirs, filepath.Dir(o.path))
		}
		// Nothing of the wire has been looked at so far.
		if c, err := capture.Confine(capture.Needs{Dirs: dirs, Connect: h.port()}); err != nil {
			fmt.Fprintf(s.err, "mcxdump: note: not every right is given up (%v): %s\n", c, output.Safe(err.Error()))
		}
	}

	live := &liveRun{s: s, src: src, w: w, h: h, begun: time.Now(), monitor: opt.Monitor}
	if answer != nil {
		go (&metrics{live, opt.Ring}).serve(answer)
	}
	stop := live.watch(ctx, terminal(s.err) > 0 && terminal(s.out) == 0)
	sum, err := decode.Run(context.WithoutCancel(ctx), src, opt, p.sink.best())
	stop()
	h.close(s)
	if serr := o.summary(s, sum, p.format, p.ro, p.sink); err == nil {
		err = serr
	}
	if werr := o.writeFlags.close(s, w); err == nil {
		err = werr
	}
	return err
}

// source opens what frames come from.
func (o *liveOptions) source() (capture.Live, error) {
	if o.hep != "" {
		src, err := capture.OpenHEP(o.hep, capture.HEPOptions{})
		if err != nil {
			return nil, fmt.Errorf("--hep: %w", err)
		}
		return src, nil
	}
	src, err := capture.OpenLive(o.ifaces, capture.LiveOptions{SnapLen: o.snap, Ring: o.ringSize << 20, Promisc: o.promisc, Filter: o.capture})
	if _, ok := errors.AsType[*bpf.Error](err); ok {
		return nil, &usageError{err}
	}
	return src, err
}

// budget is what the rings leave of the memory that the process may use.
func (o *liveOptions) budget() int64 {
	return int64(max(64, o.memory-ownMemory-o.ringSize*len(o.ifaces))) << 20
}

// ownMemory is what the program itself takes of the budget, in MiB: its code, and what the collector does not count.
const ownMemory = 16

func listInterfaces(s *streams) error {
	list, err := capture.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range list {
		if _, err := fmt.Fprintf(s.out, "%d. %s\n", i.Index, output.Safe(i.String())); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(s.out, "any: all of them at once, %s\n", capture.LinkName(276))
	return err
}

// liveRun is what the goroutine that listens to signals looks at.
type liveRun struct {
	s     *streams
	src   capture.Live
	w     *capture.FileWriter
	h     *hepSender
	begun time.Time

	monitor *decode.Monitor
}

// watch listens to signals and draws the status line until the function that it gives is called. When ctx ends, the
// capture does; another signal after that ends the program at once, with whole files.
func (l *liveRun) watch(ctx context.Context, status bool) func() {
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		sig := make(chan os.Signal, 4)
		signal.Notify(sig, signalStatistics)
		if l.w != nil {
			signal.Notify(sig, signalReopen)
		}
		defer signal.Stop(sig)
		again := make(chan os.Signal, 1)
		defer signal.Stop(again)
		var tick <-chan time.Time
		if status {
			t := time.NewTicker(500 * time.Millisecond)
			defer t.Stop()
			tick = t.C
			defer io.WriteString(l.s.err, "\r\x1b[K")
		}
		ended := ctx.Done()
		for {
			select {
			case <-done:
				return
			case <-ended:
				ended = nil
				signal.Notify(again, os.Interrupt, syscall.SIGTERM)
				l.src.Stop()
			case <-again:
				if l.w != nil {
					l.w.Close()
				}
				os.Exit(exitFailed)
			case <-tick:
				fmt.Fprintf(l.s.err, "\r%s\x1b[K", l.line())
			case g := <-sig:
				if g == signalReopen && l.w != nil {
					if err := l.w.Reopen(); err != nil {
						fmt.Fprintf(l.s.err, "mcxdump: beginning a new file: %s\n", output.Safe(err.Error()))
					}
					continue
				}
				l.statistics()
			}
		}
	})
	return func() { close(done); work.Wait() }
}

// line is the status in one line.
func (l *liveRun) line() string {
	st := l.src.Stats()
	s := fmt.Sprintf("%v: %d frames, %d messages", time.Since(l.begun).Round(time.Second), st.Frames, l.monitor.Tally().Messages)
	if st.Drops > 0 {
		s += fmt.Sprintf(", %d frames lost", st.Drops)
	}
	if l.w != nil {
		s += fmt.Sprintf(", %d written", l.w.Stats().Frames)
	}
	return s
}

// statistics is the answer to SIGUSR1.
func (l *liveRun) statistics() {
	var b strings.Builder
	t := l.monitor.Tally()
	fmt.Fprintf(&b, "mcxdump: %s, %d octets; findings: %d errors, %d warnings, %d notes; memory %d MiB\n", l.line(), l.src.Stats().Octets,
		t.Errors, t.Warnings, t.Notes, memory()>>20)
	for _, d := range l.src.Devices() {
		fmt.Fprintf(&b, "mcxdump: %s: %d received, %d lost\n", output.Safe(d.Name), d.Received, d.Dropped)
	}
	if l.w != nil {
		w := l.w.Stats()
		fmt.Fprintf(&b, "mcxdump: %s: file %d, %d frames written, %d not written\n", output.Safe(w.Name), w.Files, w.Frames, w.Lost)
	}
	if l.h != nil {
		fmt.Fprintf(&b, "mcxdump: HEP: %d messages sent, %d not sent\n", l.h.sent.Load(), l.h.lost())
	}
	io.WriteString(l.s.err, b.String())
}
