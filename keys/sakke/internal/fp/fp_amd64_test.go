//go:build amd64 && !purego

package fp

import (
	"math/rand/v2"
	"testing"
)

// TestWithoutADX runs what an older processor runs.
func TestWithoutADX(t *testing.T) {
	had := haveADX
	defer func() { haveADX = had }()
	haveADX = false
	r := rand.New(rand.NewPCG(13, 14))
	for range 50 {
		checkOps(t, kernel{"without ADX", mul, square, dot2, dot}, random(r), random(r), random(r), random(r))
	}
}
