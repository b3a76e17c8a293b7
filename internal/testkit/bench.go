package testkit

import (
	"os"
	"slices"
	"strings"
)

// Benchmarking tells whether benchmarks were asked for: what helps tests to find faults and costs time is then left out.
func Benchmarking() bool {
	return slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(strings.TrimLeft(a, "-"), "test.bench") })
}
