package lab_test

import (
	"fmt"

	"github.com/mcxdump/mcxdump/internal/lab"
)

// A test takes scenarios as a capture in memory, and the keys that open it.
func ExamplePcap() {
	s, err := lab.ScenarioByName("key-download-csk")
	if err != nil {
		panic(err)
	}
	pcap, sys, err := lab.Pcap(lab.Options{Seed: 1, Users: 1}, s)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Clause, len(pcap) > 5000)
	for _, k := range sys.Keys() {
		fmt.Println(k.Type, k.URI)
	}
	// Output:
	// TS 24.379 7.2.5, 7.3.7, TS 33.180 5.8 true
	// CSK sip:alice@mcptt.mc.example.org
	// CSK sip:alice@mcptt.mc.example.org
}
