//go:build !amd64 || purego

package fp

const haveADX = false

func mul(z, x, y *[16]uint64)           { mulGeneric(z, x, y) }
func square(z, x *[16]uint64)           { mulGeneric(z, x, x) }
func dot2(z, a, b, c, d *[16]uint64)    { dot2Generic(z, a, b, c, d) }
func dot(z *[16]uint64, x, y []Element) { dotGeneric(z, x, y) }
