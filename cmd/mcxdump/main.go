// Command mcxdump reads captures of mission critical (MCPTT, MCVideo, MCData) signalling and shows who authorised, by
// which message, with which key, and if not, why.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// What lives in this program is small and what is thrown away is much, so that the collector's own setting lets it run
// all the time. It may wait until the heap is collectPercent larger than what lives, unless memory nears softMemory: the
// promise is 128 MiB for any capture without keys (docs/performance.md tells how both were measured).
const (
	collectPercent = 400
	softMemory     = 100 << 20
)

// tune sets the collector; whoever sets GOGC or GOMEMLIMIT knows better.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
}

func main() {
	tune()
	// A reader that goes away (| head) is an error to handle and not a signal to die from.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal is deadly
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
