package session

import "io"

// LadderOptions shape a text ladder.
type LadderOptions struct {
	Width int // columns; 0 means 100
	Color bool
	ASCII bool
}

// Ladder draws the message flow as text.
func Ladder(events []*Event, o LadderOptions) []byte { return nil }

// LadderSVG draws the message flow as an SVG image.
func LadderSVG(events []*Event, w io.Writer) error { return nil }
