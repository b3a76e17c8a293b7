package main

import (
	"os"
	"slices"
	"strings"

	"github.com/mcxdump/mcxdump/decode/flow"
)

// All tests of this package overwrite the memory of messages before it is used again, so that whoever still holds it is
// found out. Benchmarks do not.
func init() {
	if !slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(strings.TrimLeft(a, "-"), "test.bench") }) {
		flow.Poison()
	}
}
