package decode

import (
	"github.com/mcxdump/mcxdump/decode/flow"
	"github.com/mcxdump/mcxdump/internal/testkit"
)

// All tests of this package overwrite the memory of messages before it is used again, so that whoever still holds it is
// found out. Benchmarks do not.
func init() {
	if !testkit.Benchmarking() {
		flow.Poison()
	}
}
