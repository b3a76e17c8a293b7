package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/mcxdump/mcxdump/keys"
	"github.com/mcxdump/mcxdump/output"
)

// keyFlags are the flags by which every command that opens things takes its keys.
type keyFlags struct {
	files []string
	csk   []string
}

func (k *keyFlags) register(f *pflag.FlagSet) {
	f.StringArrayVar(&k.files, "keys", nil, "key `FILE` or directory: MCX key log, KMS XML, KMS master secrets, TLS key log (docs/keys.md); MCXDUMP_KEYS names a standing set")
	f.StringArrayVar(&k.csk, "csk", nil, "one client-server key: `ID=HEX[@URI]`")
}

// load reads everything that was given; nil when nothing was.
func (k *keyFlags) load(s *streams) (*keys.Material, error) {
	env := os.Getenv("MCXDUMP_KEYS")
	if len(k.files) == 0 && len(k.csk) == 0 && env == "" {
		return nil, nil
	}
	for _, c := range k.csk {
		if _, err := keys.ParseCSKOption(c); err != nil {
			return nil, &usageError{err}
		}
	}
	m, err := keys.Load(k.files, keys.LoadOptions{CSK: k.csk, Env: env})
	if m != nil {
		for _, w := range m.Warnings {
			fmt.Fprintf(s.err, "mcxdump: warning: %s\n", output.Safe(w))
		}
	}
	return m, err
}
