package flow

// clock is packet time as ageing sees it. It never goes back, and one frame moves it by maxStep at most: after a larger
// jump it goes on from there at the pace of the frames, so that neither a hostile time stamp nor a pause ages everything
// at once. When the frames stay far behind (the next file is older), it goes on at their pace too.
type clock struct {
	now     int64  // nanoseconds on the clock's own scale
	off     int64  // added to a frame's time
	lim     uint64 // maxStep and one, 0 before the first frame
	maxStep int64
	behind  int // frames in a row that were far behind

	jumps, backs uint64
}

const (
	farBehind  = 60e9 // nanoseconds
	manyBehind = 64   // frames in a row
)

func (c *clock) tick(t int64) {
	at := t + c.off // wraps around for hostile values; the cases below hold nevertheless
	if uint64(at-c.now) < c.lim {
		c.now, c.behind = at, 0
	} else {
		c.slow(t)
	}
}

func (c *clock) slow(t int64) {
	step := t + c.off - c.now
	switch {
	case c.lim == 0:
		// The scale begins at one hour, away from zero, which means "never" in the tables.
		c.lim, c.now = uint64(c.maxStep)+1, 3600e9
		c.off = c.now - t
	case step > 0:
		c.jumps++
		c.now += c.maxStep
		c.off, c.behind = c.now-t, 0
	case step > -farBehind:
		if step < 0 {
			c.backs++
		}
		c.behind = 0
	default:
		c.backs++
		if c.behind++; c.behind >= manyBehind {
			c.off, c.behind = c.now-t, 0
		}
	}
}
