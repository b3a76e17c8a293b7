package main

import (
	"context"
	"errors"
	"testing"
)

func TestLabSize(t *testing.T) {
	for _, c := range []struct {
		in       string
		messages int
		octets   int64
		bad      bool
	}{
		{in: ""},
		{in: "messages=1", messages: 1}, {in: "messages=200000", messages: 200000},
		{in: "1", octets: 1}, {in: "400MB", octets: 400e6}, {in: "3GiB", octets: 3 << 30}, {in: "7kB", octets: 7000}, {in: "2M", octets: 2e6},
		{in: "messages=", bad: true}, {in: "messages=0", bad: true}, {in: "messages=-1", bad: true}, {in: "messages=99999999999", bad: true},
		{in: "0", bad: true}, {in: "MB", bad: true}, {in: "1BM", bad: true}, {in: "1 MB", bad: true}, {in: "-5MB", bad: true}, {in: "1.5GB", bad: true}, {in: "frames=3", bad: true},
	} {
		m, o, err := parseSize(c.in)
		if m != c.messages || o != c.octets || (err != nil) != c.bad {
			t.Errorf("%q: %d messages, %d octets, %v", c.in, m, o, err)
		}
		var u *usageError
		if err != nil && !errors.As(err, &u) {
			t.Errorf("%q: %v is no usage error", c.in, err)
		}
	}
}

// TestLabInterrupted checks that writing ends when the user has had enough.
func TestLabInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := labOptions{out: t.TempDir() + "/x.pcap", users: 1, domains: 1, shape: "ethernet", scenarios: []string{"all"}, seed: 1, bulk: "udp", size: "900GB"}
	if err := o.run(ctx, &streams{}, false); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
