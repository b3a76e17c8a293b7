package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spf13/pflag"

	"github.com/mcxdump/mcxdump/decode"
	"github.com/mcxdump/mcxdump/decode/capture"
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

// keyFlags are the flags by which every command that opens things takes its keys.
type keyFlags struct {
	files []string
	csk   []string
	tls   *keys.TLSKeys // what TLS connections are opened with, see flow
	esp   []string
	ports []uint // of ESP in UDP

	allHTTP bool
}

func (k *keyFlags) register(f *pflag.FlagSet) {
	f.StringArrayVar(&k.files, "keys", nil, "key `FILE` or directory: MCX key log, KMS XML, KMS master secrets, TLS key log (docs/keys.md); MCXDUMP_KEYS names a standing set")
	f.StringArrayVar(&k.csk, "csk", nil, "one client-server key: `ID=HEX[@URI]`")
}

// registerCapture adds the flags of commands that read captures.
func (k *keyFlags) registerCapture(f *pflag.FlagSet) {
	f.StringArrayVar(&k.esp, "esp", nil, "keys of an IPsec security association: `'SPI DST ENC-ALG ENC-KEY|- AUTH-ALG AUTH-KEY|-'` as in a key log, * for any SPI or destination")
	f.UintSliceVar(&k.ports, "esp-port", nil, "UDP `PORT` of ESP beside 4500")
	f.BoolVar(&k.allHTTP, "all-http", false, "every HTTP message, not only those that have to do with mission critical services")
}

// flow is the configuration that the keys make of the packet stage.
func (k *keyFlags) flow(m *keys.Material) (flow.Config, error) {
	var c flow.Config
	for _, p := range k.ports {
		if p == 0 || p > 65535 {
			return c, usage("--esp-port %d: a port is 1 to 65535", p)
		}
		c.ESPPorts = append(c.ESPPorts, uint16(p))
	}
	if m != nil {
		c.ESP = m.SAs()
	}
	c.AllHTTP = k.allHTTP
	k.tls = keys.NewTLSKeys(m)
	c.TLSKeys = k.tls
	return c, nil
}

// source is how captures are opened: their decryption secrets blocks give keys (pcapng 4.7).
func (k *keyFlags) source(s *streams) capture.Options {
	return capture.Options{Stdin: s.in, OnSecrets: func(_ string, typ uint32, data []byte) {
		if typ == capture.SecretsTLS {
			k.tls.Add(data)
		}
	}}
}

// follow reads key logs that grow. What cannot be opened again was read once, at least.
func (k *keyFlags) follow(m *keys.Material) {
	if m == nil {
		return
	}
	for _, name := range m.Logs {
		k.tls.Follow(name)
	}
}

// ring gives a run its ring, which the caller closes. Without keys for it, it sleeps until the capture brings some: a
// file that shows a KMS, or has the secrets of TLS connections in it, is read twice as if keys had been given, so that
// what is provisioned late opens earlier messages too.
func (k *keyFlags) ring(opt *decode.Options, m *keys.Material, files []string) {
	if m == nil {
		m = &keys.Material{}
	}
	opt.Ring = keys.NewRing(m, keys.RingLimits{})
	opt.Dormant = !m.ForRing() && len(m.TLS) == 0 && !slices.ContainsFunc(files, showsKeys)
}

// How much of a file is looked at for keys in it.
const (
	sniffKMS = 32 << 20
	sniffTLS = 1 << 20
)

// showsKeys looks for the documents of a KMS, and for TLS secrets, in a file as it is; in a compressed one it finds none.
// The two halves of what is looked at are read side by side, since nothing else can be done before.
func showsKeys(name string) bool {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var found atomic.Bool
	var other sync.WaitGroup
	middle := min(info.Size(), sniffKMS) / 2
	other.Go(func() { holdsKeys(f, middle, sniffKMS, &found) })
	holdsKeys(f, 0, middle, &found)
	other.Wait()
	return found.Load()
}

// holdsKeys looks for texts that begin in the octets from off to end, within the limits.
func holdsKeys(f *os.File, off, end int64, found *atomic.Bool) {
	const step, overlap = 128 << 10, 64 // small enough for a processor's own cache
	buf := make([]byte, overlap+step)
	for ; off < end && !found.Load(); off += step {
		n, err := f.ReadAt(buf[:min(sniffKMS-off, int64(len(buf)))], off)
		b := buf[:n]
		early := b[:max(0, min(sniffTLS-off, int64(n)))]
		if bytes.Contains(b, []byte("KmsResponse")) || bytes.Contains(early, []byte("CLIENT_RANDOM ")) || bytes.Contains(early, []byte("CLIENT_TRAFFIC_SECRET_0 ")) {
			found.Store(true)
		}
		if err != nil {
			return
		}
	}
}

// load reads everything that was given; nil when nothing was.
func (k *keyFlags) load(s *streams) (*keys.Material, error) {
	env := os.Getenv("MCXDUMP_KEYS")
	if len(k.files) == 0 && len(k.csk)+len(k.esp) == 0 && env == "" {
		return nil, nil
	}
	for _, c := range k.csk {
		if _, err := keys.ParseCSKOption(c); err != nil {
			return nil, &usageError{err}
		}
	}
	for _, e := range k.esp {
		if _, err := keys.ParseESPOption(e); err != nil {
			return nil, &usageError{err}
		}
	}
	m, err := keys.Load(k.files, keys.LoadOptions{CSK: k.csk, ESP: k.esp, Env: env})
	if m != nil {
		for _, w := range m.Warnings {
			fmt.Fprintf(s.err, "mcxdump: warning: %s\n", output.Safe(w))
		}
	}
	return m, err
}
