package session

import (
	"slices"
	"sync"
)

// events are those that were given back.
var events = sync.Pool{New: func() any { return new(readEvent) }}

// readEvent is an event of Read with its details.
type readEvent struct {
	Event
	details Details
}

func newEvent() *Event {
	x := events.Get().(*readEvent)
	x.Details = &x.details
	x.Expires, x.pooled = -1, x
	return &x.Event
}

// Release gives an event of Read back when nobody looks at it any more; its memory serves another message. A Tracker that
// was given the event keeps nothing of it but texts.
func Release(e *Event) {
	if e == nil || e.pooled == nil {
		return
	}
	x := e.pooled
	if poison != nil {
		poison(e)
	}
	d := &x.details
	*d = Details{
		Contacts: spare(d.Contacts), Warnings: spare(d.Warnings), Asserted: spare(d.Asserted), Preferred: spare(d.Preferred), Associated: spare(d.Associated),
		Security: spare(d.Security), Infos: spare(d.Infos), Settings: spare(d.Settings), IMessages: spare(d.IMessages), Signatures: spare(d.Signatures),
		Profiles: spare(d.Profiles),
	}
	x.Event = Event{Frames: spare(e.Frames), Inner: spare(e.Inner), Ciphers: spare(e.Ciphers)}
	events.Put(x)
}

// maxSpare is how many elements of a list are used again; few messages have more.
const maxSpare = 16

// spare empties a list.
func spare[T any](s []T) []T {
	if cap(s) > maxSpare {
		return nil
	}
	return slices.Delete(s, 0, len(s))
}

// poison, in tests, spoils what is given back.
var poison func(*Event)
