package testkit

import "testing"

// ReportCPU adds cpu-ns/op to a benchmark, the processor time of the process, which other work on the machine disturbs
// less than the wall clock. It is called before the loop and what it returns after.
func ReportCPU(b *testing.B) (stop func()) {
	start := cpuTime()
	return func() {
		if spent := cpuTime() - start; spent > 0 {
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "cpu-ns/op")
		}
	}
}
