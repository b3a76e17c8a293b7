package capture

import (
	"fmt"
	"strings"
)

// A Confinement tells what a process gave up.
type Confinement struct {
	NoNewPrivs   bool // no program that it starts can gain rights
	Capabilities bool // all are gone, from every thread
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
	if len(list) == 0 {
		return "not confined"
	}
	return strings.Join(list, ", ")
}
