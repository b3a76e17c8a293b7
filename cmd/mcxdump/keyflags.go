package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

// keyFlags are the flags by which every command that opens things takes its keys.
type keyFlags struct {
	files []string
	csk   []string
	esp   []string
	ports []uint // of ESP in UDP
}

func (k *keyFlags) register(f *pflag.FlagSet) {
	f.StringArrayVar(&k.files, "keys", nil, "key `FILE` or directory: MCX key log, KMS XML, KMS master secrets, TLS key log (docs/keys.md); MCXDUMP_KEYS names a standing set")
	f.StringArrayVar(&k.csk, "csk", nil, "one client-server key: `ID=HEX[@URI]`")
}

// registerESP adds the flags of commands that read captures.
func (k *keyFlags) registerESP(f *pflag.FlagSet) {
	f.StringArrayVar(&k.esp, "esp", nil, "keys of an IPsec security association: `'SPI DST ENC-ALG ENC-KEY|- AUTH-ALG AUTH-KEY|-'` as in a key log, * for any SPI or destination")
	f.UintSliceVar(&k.ports, "esp-port", nil, "UDP `PORT` of ESP beside 4500")
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
	return c, nil
}

// newRing makes a ring when there are keys for one; the caller closes it.
func newRing(m *keys.Material) *keys.Ring {
	if m == nil || !m.ForRing() {
		return nil
	}
	return keys.NewRing(m, keys.RingLimits{})
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
