//go:build amd64 && !purego

package fp

import "golang.org/x/sys/cpu"

// haveADX says whether the processor has MULX, ADCX and ADOX.
var haveADX = cpu.X86.HasBMI2 && cpu.X86.HasADX

//go:noescape
func mulADX(z, x, y *[16]uint64)

//go:noescape
func squareADX(z, x *[16]uint64)

//go:noescape
func dot2ADX(z, a, b, c, d *[16]uint64)

//go:noescape
func dotADX(z, x, y *[16]uint64, n int)

func mul(z, x, y *[16]uint64) {
	if haveIFMA {
		if top := mulIFMA(z, x, y); top != tooFar {
			below(z, top)
			return
		}
	}
	if haveADX {
		mulADX(z, x, y)
	} else {
		mulGeneric(z, x, y)
	}
}

func square(z, x *[16]uint64) {
	if haveIFMA {
		if top := squareIFMA(z, x); top != tooFar {
			below(z, top)
			return
		}
	}
	if haveADX {
		squareADX(z, x)
	} else {
		mulGeneric(z, x, x)
	}
}

func dot2(z, a, b, c, d *[16]uint64) {
	if haveIFMA {
		if top := dot2IFMA(z, a, b, c, d); top != tooFar {
			below(z, top)
			return
		}
	}
	if haveADX {
		dot2ADX(z, a, b, c, d)
	} else {
		dot2Generic(z, a, b, c, d)
	}
}

func dot(z *[16]uint64, x, y []Element) {
	if haveIFMA && len(x) > 0 {
		if top := dotIFMA(z, &x[0].l, &y[0].l, len(x)); top != tooFar {
			below(z, top)
			return
		}
	}
	if haveADX && len(x) > 0 {
		dotADX(z, &x[0].l, &y[0].l, len(x))
	} else {
		dotGeneric(z, x, y)
	}
}
