package capture

import (
	"fmt"
	"strings"
)

// Needs are what a process keeps when it is confined.
type Needs struct {
	Dirs    []string // where files are made
	Connect uint16   // TCP port to connect to; 0 for none
}

// A Confinement tells what a process gave up.
type Confinement struct {
	NoNewPrivs   bool // no program that it starts can gain rights
	Capabilities bool // all are gone, from every thread
	Seccomp      int  // system calls that are refused, 0 where the kernel filters none
	Landlock     int  // version of the kernel's interface, 0 where there is none: files out of reach but those named, no TCP
}

func (c Confinement) String() string {
	var list []string
	if c.NoNewPrivs {
		list = append(list, "no new privileges")
	}
	if c.Capabilities {
		list = append(list, "no capabilities")
	}
	if c.Landlock > 0 {
		list = append(list, fmt.Sprintf("landlock %d", c.Landlock))
	}
	if c.Seccomp > 0 {
		list = append(list, fmt.Sprintf("seccomp against %d system calls", c.Seccomp))
	}
	if len(list) == 0 {
		return "not confined"
	}
	return strings.Join(list, ", ")
}
