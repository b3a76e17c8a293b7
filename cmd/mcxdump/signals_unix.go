//go:build unix

package main

import (
	"os"
	"syscall"
)

// What asks live for statistics, and for a new file.
var (
	signalStatistics os.Signal = syscall.SIGUSR1
	signalReopen     os.Signal = syscall.SIGHUP
)
