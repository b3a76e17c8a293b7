package flow

import "github.com/mcxdump/mcxdump/internal/testkit"

// All tests of this package overwrite memory before it is used again, so that whoever still holds it is found out.
// Benchmarks do not.
func init() { poisoned = !testkit.Benchmarking() }
