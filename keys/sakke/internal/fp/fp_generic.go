package fp

// dotGeneric is z = x[0]·y[0] + … + x[n-1]·y[n-1], each product a Montgomery
// product, by one interleaved pass: for each limb of the right factors the n
// partial products are added first and one multiple of p clears the lowest
// limb of their sum.
//
// With T = Σ x·y < n·p² and R = 2^1024 the result before the last step is
// (T + m·p)/R < (n·p/R + 1)·p, so at most n subtractions of p follow.
func dotGeneric(z *[16]uint64, x, y []Element) {
	var t [18]uint64
	for i := range 16 {
		for j := range x {
			addMul(&t, &x[j].l, y[j].l[i])
		}
		addMulShift(&t, &modulus, t[0]*negInv)
	}
	settle(z, &t)
}

// mulGeneric is dotGeneric for one product.
func mulGeneric(z, x, y *[16]uint64) {
	var t [18]uint64
	for i := range 16 {
		addMul(&t, x, y[i])
		addMulShift(&t, &modulus, t[0]*negInv)
	}
	settle(z, &t)
}

// dot2Generic is dotGeneric for two products whose factors lie apart.
func dot2Generic(z, a, b, c, d *[16]uint64) {
	var t [18]uint64
	for i := range 16 {
		addMul(&t, a, b[i])
		addMul(&t, c, d[i])
		addMulShift(&t, &modulus, t[0]*negInv)
	}
	settle(z, &t)
}

// settle subtracts p from t until it is less than p. VarTime.
func settle(z *[16]uint64, t *[18]uint64) {
	top := t[16]
	copy(z[:], t[:16])
	for {
		var s [16]uint64
		b := subLimbs(&s, z, &modulus)
		if b > top {
			return
		}
		top -= b
		*z = s
	}
}
