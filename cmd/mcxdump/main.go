// Command mcxdump reads captures of mission critical (MCPTT, MCVideo, MCData) signalling and shows who authorised, by
// which message, with which key, and if not, why.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A reader that goes away (| head) is an error to handle and not a signal to die from.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
