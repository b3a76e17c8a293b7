//go:build amd64 && !purego

package p256

import "golang.org/x/sys/cpu"

// haveADX says whether the processor has MULX, ADCX and ADOX.
var haveADX = cpu.X86.HasBMI2 && cpu.X86.HasADX

//go:noescape
func mulADX(z, x, y *Element)

//go:noescape
func squareADX(z, x *Element)

//go:noescape
func doubleADX(p *Point)

//go:noescape
func addADX(p *Point, a *Affine) (ok bool)

func mul(z, x, y *Element) {
	if haveADX {
		mulADX(z, x, y)
	} else {
		mulGeneric(z, x, y)
	}
}

func square(z, x *Element) {
	if haveADX {
		squareADX(z, x)
	} else {
		mulGeneric(z, x, x)
	}
}

func (p *Point) double() {
	if haveADX {
		doubleADX(p)
	} else {
		p.doubleGeneric()
	}
}

func (p *Point) addDistinct(a *Affine) bool {
	if haveADX {
		return addADX(p, a)
	}
	return p.addGeneric(a)
}
