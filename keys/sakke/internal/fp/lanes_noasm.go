//go:build !amd64 || purego

package fp

// HaveLanes says whether the processor has what Lanes need.
func HaveLanes() bool { return false }

func noLanes() { panic("fp: no lanes on this processor") }

func dotLanes(z *Lanes, x, y **Lanes, n int)  { noLanes() }
func dotDigits(z, x *Lanes, y *Digits, n int) { noLanes() }
func addLanes(z, x, y *Lanes)                 { noLanes() }
func subLanes(z, x, y *Lanes)                 { noLanes() }
func subMoreLanes(z, x, y *Lanes)             { noLanes() }
