package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	metricHelp   = regexp.MustCompile(`^# HELP (mcxdump_[a-z_]+) [^\n]+$`)
	metricType   = regexp.MustCompile(`^# TYPE (mcxdump_[a-z_]+) (counter|gauge)$`)
	metricSample = regexp.MustCompile(`^(mcxdump_[a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? ([0-9.e+-]+)$`)
)

// readMetrics parses an exposition as the format is described: a family is a HELP, a TYPE and its samples, together.
func readMetrics(t *testing.T, text string) map[string]float64 {
	t.Helper()
	got, families, family := map[string]float64{}, map[string]bool{}, ""
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line does not end")
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if m := metricHelp.FindStringSubmatch(lines[i]); m != nil {
			if family = m[1]; families[family] {
				t.Errorf("family %s comes twice", family)
			}
			families[family] = true
			i++
			if m := metricType.FindStringSubmatch(lines[i]); m == nil || m[1] != family || (m[2] == "counter") != strings.HasSuffix(family, "_total") {
				t.Errorf("%q behind HELP of %s", lines[i], family)
			}
			continue
		}
		m := metricSample.FindStringSubmatch(lines[i])
		if m == nil || m[1] != family {
			t.Errorf("%q in family %s", lines[i], family)
			continue
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if _, twice := got[m[1]+m[2]]; twice || err != nil {
			t.Errorf("%q: %v", lines[i], err)
		}
		got[m[1]+m[2]] = v
	}
	return got
}

// TestMetrics scrapes a run that goes on.
func TestMetrics(t *testing.T) {
	at := freePort(t)
	var out, errs buffer
	addr, end := listening(t, &out, &errs, "--json", "--metrics", at, "--keys", "../../testdata/pcaps/known-answer.mcxkeys")
	scrape := func() map[string]float64 {
		r, err := http.Get("http://" + at + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
			t.Fatalf("%v %s %v", err, r.Status, r.Header)
		}
		return readMetrics(t, string(b))
	}
	before := scrape()
	if _, e, code := call(t, nil, "read", "../../testdata/pcaps/register-protected.pcap", "--quiet", "--to-hep", "tcp:"+addr); code != exitOK {
		t.Fatal(e)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Write(mirror(22, "192.0.2.1:5061", "192.0.2.2:40000", 2001, strings.Replace(options(1), "Max-Forwards: 70\r\n", "Max-Forwards: x\r\n", 1)))
	c.Write([]byte("HEP3\x00\x0d\x00\x00\x00\x0b\x00\x07\x05")) // RTCP
	c.Close()
	want, _, _ := call(t, nil, "read", "../../testdata/pcaps/register-protected.pcap", "--json", "--keys", "../../testdata/pcaps/known-answer.mcxkeys")
	messages := strings.Count(want, `"record":"message"`)
	until(func() bool { return strings.Count(out.String(), `"record":"message"`) == messages+1 })
	var got map[string]float64
	until(func() bool { got = scrape(); return got["mcxdump_hep_packets_total"] == float64(messages+2) })
	for name, v := range map[string]float64{
		"mcxdump_frames_total": float64(messages + 2), `mcxdump_messages_total{transport="tls"}`: 1, `mcxdump_messages_total{transport="udp"}`: float64(messages),
		`mcxdump_limits_total{limit="memory"}`: 0, "mcxdump_messages_left_out_total": 0, "mcxdump_streams": 0,
		fmt.Sprintf("mcxdump_interface_received_total{interface=\"hep %s\"}", addr): float64(messages + 2),
		fmt.Sprintf("mcxdump_interface_dropped_total{interface=\"hep %s\"}", addr):  0,
		`mcxdump_encrypted_elements_total{state="decrypted"}`:                       float64(strings.Count(want, `"protection":"encrypted","state":"decrypted"`)),
	} {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s is %v (%v), want %v", name, g, ok, v)
		}
	}
	if got["mcxdump_memory_bytes"] < 1<<20 || got["mcxdump_flow_octets_limit"] < 1<<20 || got["mcxdump_start_time_seconds"] < 1.7e9 || got["mcxdump_keys_recovered_total"] < 1 || got[`mcxdump_encrypted_elements_total{state="decrypted"}`] < 1 {
		t.Errorf("%v", got)
	}
	findings := 0.0
	for name, v := range got {
		if strings.HasPrefix(name, "mcxdump_findings_total{") {
			findings += v
		}
		if v < before[name] && strings.HasSuffix(strings.SplitN(name, "{", 2)[0], "_total") {
			t.Errorf("%s went from %v to %v", name, before[name], v)
		}
	}
	if n := strings.Count(out.String(), `"severity":`); float64(n) != findings || n == 0 {
		t.Errorf("%v findings counted, %d printed", findings, n)
	}
	if r, err := http.Get("http://" + at + "/other"); err != nil || r.StatusCode != 404 {
		t.Errorf("%v %v", r, err)
	}
	if code := end(); code != exitOK {
		t.Error(errs.String())
	}
	if _, err := net.Dial("tcp", at); err == nil {
		t.Error("the endpoint is still there")
	}
}

// Connections beyond the bound wait; the endpoint goes on.
func TestMetricsConnections(t *testing.T) {
	at := freePort(t)
	var out, errs buffer
	_, end := listening(t, &out, &errs, "--metrics", at)
	defer end()
	var idle []net.Conn
	for range 2 * metricsConnections {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	for _, c := range idle {
		c.Close()
	}
	r, err := http.Get("http://" + at + "/metrics")
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	r.Body.Close()
}

func TestMetricsUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--metrics :9464":             "others than this system could look",
		"--metrics 0.0.0.0:9464":      "others than this system could look",
		"--metrics example.org:9464":  "others than this system could look",
		"--metrics 9464":              "ADDR:PORT is expected",
		"--metrics 127.0.0.1:1000000": "--metrics",
	} {
		if _, e, code := call(t, nil, append([]string{"live", "--hep", "127.0.0.1:0"}, strings.Fields(args)...)...); code == exitOK || !strings.Contains(e, want) {
			t.Errorf("%s: code %d: %s", args, code, e)
		}
	}
	for _, at := range []string{"localhost:0", "[::1]:0", "127.0.0.53:0"} {
		if l, err := listenMetrics(at, false); err == nil {
			l.Close()
		} else if !strings.Contains(err.Error(), "listen") {
			t.Errorf("%s: %v", at, err)
		}
	}
	l, err := listenMetrics("0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// Text from the system is escaped.
func TestExposition(t *testing.T) {
	var e exposition
	e.gauge("x", "Help.", 1.5e9, "interface", "a\"b\\c\nd\xff", "other", "")
	if got := e.b.String(); got != "# HELP mcxdump_x Help.\n# TYPE mcxdump_x gauge\nmcxdump_x{interface=\"a\\\"b\\\\c\\nd\ufffd\",other=\"\"} 1.5e+09\n" {
		t.Errorf("%q", got)
	}
}
