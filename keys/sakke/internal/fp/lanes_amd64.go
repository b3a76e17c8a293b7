//go:build amd64 && !purego

package fp

// HaveLanes says whether the processor has what Lanes need.
func HaveLanes() bool { return haveIFMA }

// dotLanes is z = x[0]·y[0] + …, n ≥ 1 of each.
//
//go:noescape
func dotLanes(z *Lanes, x, y **Lanes, n int)

// dotDigits is dotLanes with arrays, the right factors the same in all lanes.
//
//go:noescape
func dotDigits(z, x *Lanes, y *Digits, n int)

//go:noescape
func addLanes(z, x, y *Lanes)

//go:noescape
func subLanes(z, x, y *Lanes)

//go:noescape
func subMoreLanes(z, x, y *Lanes)
