package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	rm "runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/keys"
)

// metricsConnections bounds those who look at the metrics at a time.
const metricsConnections = 16

// listenMetrics opens the endpoint. Only this system may look, unless public says otherwise.
func listenMetrics(addr string, public bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usage("--metrics %s: ADDR:PORT is expected, as 127.0.0.1:9464", addr)
	}
	if ip := net.ParseIP(host); !public && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usage("--metrics %s: others than this system could look; give a loopback address, as 127.0.0.1:PORT, or --metrics-public too", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	return &fewConns{Listener: l, slots: make(chan struct{}, metricsConnections)}, nil
}

// fewConns is a listener that lets further connections wait.
type fewConns struct {
	net.Listener
	slots chan struct{}
}

func (l *fewConns) Accept() (net.Conn, error) {
	l.slots <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotConn{Conn: c, slots: l.slots}, nil
}

type slotConn struct {
	net.Conn
	slots chan struct{}
}

func (c *slotConn) Close() error {
	err := c.Conn.Close()
	if s := c.slots; s != nil {
		c.slots = nil
		<-s
	}
	return err
}

// metrics are what the endpoint tells of.
type metrics struct {
	live *liveRun
	ring *keys.Ring // nil without keys
}

// serve answers until the listener is closed.
func (m *metrics) serve(l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Write(m.text())
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "mcxdump: /metrics\n")
	})
	s := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: 8 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	s.Serve(l)
}

// text is the exposition (prometheus.io, text format 0.0.4).
func (m *metrics) text() []byte {
	var e exposition
	snap, tally := m.live.monitor.Snapshot(), m.live.monitor.Tally()
	st := m.live.src.Stats()
	e.gauge("info", "Version of the program.", 1, "version", version())
	e.gauge("start_time_seconds", "When the capture began, Unix time.", float64(m.live.begun.UnixNano())/1e9)
	e.counter("frames_total", "Frames captured.", st.Frames)
	e.counter("octets_total", "Octets captured.", st.Octets)
	e.family("frames_by_verdict_total", "counter", "Frames by what became of them.")
	for v := range flow.NumVerdicts {
		e.sample("frames_by_verdict_total", float64(snap.Flow.Verdicts[v]), "verdict", v.String())
	}
	e.family("interface_received_total", "counter", "Frames that passed the capture filter, lost ones included.")
	devices := m.live.src.Devices()
	for _, d := range devices {
		e.sample("interface_received_total", float64(d.Received), "interface", d.Name)
	}
	e.family("interface_dropped_total", "counter", "Frames that the kernel lost.")
	for _, d := range devices {
		e.sample("interface_dropped_total", float64(d.Dropped), "interface", d.Name)
	}
	e.family("messages_total", "counter", "Messages decoded.")
	for _, t := range slices.Sorted(maps.Keys(tally.Transports)) {
		e.sample("messages_total", float64(tally.Transports[t]), "transport", t)
	}
	e.counter("messages_left_out_total", "Messages left out because output stood still.", snap.Unprinted)
	e.family("findings_total", "counter", "Findings by check or defect.")
	for _, f := range slices.SortedFunc(maps.Keys(tally.Findings), func(a, b decode.FindingKey) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Severity, b.Severity))
	}) {
		e.sample("findings_total", float64(tally.Findings[f]), "id", f.ID, "severity", f.Severity.String())
	}
	e.family("limits_total", "counter", "Limits that were reached.")
	for l := range flow.NumLimits {
		e.sample("limits_total", float64(snap.Flow.Limits[l]), "limit", l.String())
	}
	e.family("encrypted_elements_total", "counter", "Encrypted elements by what became of them.")
	for _, s := range slices.Sorted(maps.Keys(tally.States)) {
		e.sample("encrypted_elements_total", float64(tally.States[s]), "state", s)
	}
	if m.ring != nil {
		r := m.ring.Stats()
		e.counter("keys_unwrapped_total", "I_MESSAGEs that were tried.", r.Unwrapped)
		e.counter("keys_recovered_total", "Keys recovered from them.", r.Recovered)
		e.gauge("key_uris", "URIs of the capture that are known.", float64(r.URIs))
		e.counter("keys_dropped_total", "URIs and outcomes of I_MESSAGEs that were forgotten.", r.URIsDropped+r.MessagesDropped)
	}
	e.gauge("streams", "TCP directions that are known.", float64(snap.Gauges.Streams))
	e.gauge("streams_read", "TCP directions that are read.", float64(snap.Gauges.StreamsRead))
	e.gauge("associations", "SCTP directions that are known.", float64(snap.Gauges.Associations))
	e.gauge("fragment_sets", "Incomplete IP datagrams.", float64(snap.Gauges.FragmentSets))
	e.gauge("flow_octets", "Octets held in streams, associations and incomplete datagrams.", float64(snap.Gauges.Octets))
	e.gauge("flow_octets_limit", "The most that they may be.", float64(snap.Gauges.Memory))
	e.counter("gaps_total", "Gaps in streams of signalling.", snap.Flow.Gaps)
	e.counter("hep_packets_total", "HEP packets.", snap.Flow.HEP)
	e.gauge("memory_bytes", "Memory of the process without the kernel's rings.", float64(memory()))
	if l := debug.SetMemoryLimit(-1); l < math.MaxInt64 {
		e.gauge("memory_limit_bytes", "What the garbage collector aims at.", float64(l))
	}
	if w := m.live.w; w != nil {
		ws := w.Stats()
		e.counter("written_frames_total", "Frames written to files.", ws.Frames)
		e.counter("unwritten_frames_total", "Frames not written because the disk failed, or because they were not held back any more.", ws.Lost+ws.Late)
		e.counter("files_total", "Files begun.", uint64(ws.Files))
	}
	if h := m.live.h; h != nil {
		e.counter("hep_sent_total", "Messages sent to the HEP collector.", h.sent.Load())
		e.family("hep_unsent_total", "counter", "Messages not sent to it.")
		e.sample("hep_unsent_total", float64(h.full.Load()), "reason", "slow")
		e.sample("hep_unsent_total", float64(h.long.Load()), "reason", "too_long")
		e.sample("hep_unsent_total", float64(h.failed.Load()), "reason", "failed")
	}
	return e.b.Bytes()
}

// exposition writes Prometheus' text format; names get the prefix mcxdump_.
type exposition struct{ b bytes.Buffer }

func (e *exposition) family(name, typ, help string) {
	fmt.Fprintf(&e.b, "# HELP mcxdump_%s %s\n# TYPE mcxdump_%s %s\n", name, help, name, typ)
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// sample writes one value; labels are names and values in turn.
func (e *exposition) sample(name string, v float64, labels ...string) {
	e.b.WriteString("mcxdump_" + name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		e.b.WriteByte(sep)
		e.b.WriteString(labels[i] + `="` + labelEscaper.Replace(strings.ToValidUTF8(labels[i+1], "\ufffd")) + `"`)
	}
	if len(labels) > 0 {
		e.b.WriteByte('}')
	}
	e.b.WriteByte(' ')
	e.b.Write(strconv.AppendFloat(e.b.AvailableBuffer(), v, 'g', -1, 64))
	e.b.WriteByte('\n')
}

func (e *exposition) counter(name, help string, n uint64) {
	e.family(name, "counter", help)
	e.sample(name, float64(n))
}

func (e *exposition) gauge(name, help string, v float64, labels ...string) {
	e.family(name, "gauge", help)
	e.sample(name, v, labels...)
}

// memory is what the Go runtime holds, without the kernel's rings.
func memory() uint64 {
	m := []rm.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	rm.Read(m)
	return m[0].Value.Uint64() - m[1].Value.Uint64()
}
