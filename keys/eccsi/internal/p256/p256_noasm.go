//go:build !amd64 || purego

package p256

const haveADX = false

func mul(z, x, y *Element)                  { mulGeneric(z, x, y) }
func square(z, x *Element)                  { mulGeneric(z, x, x) }
func (p *Point) double()                    { p.doubleGeneric() }
func (p *Point) addDistinct(a *Affine) bool { return p.addGeneric(a) }
