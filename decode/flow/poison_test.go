package flow

import (
	"os"
	"slices"
	"strings"
)

// All tests of this package overwrite memory before it is used again, so that whoever still holds it is found out.
// Benchmarks do not.
func init() {
	poisoned = !slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(strings.TrimLeft(a, "-"), "test.bench") })
}
