//go:build !unix

package main

import (
	"os"
	"syscall"
)

// There is no signal for statistics on this system; live capture is not to be had there anyway.
var (
	signalStatistics os.Signal = syscall.SIGHUP
	signalReopen     os.Signal = syscall.SIGHUP
)
