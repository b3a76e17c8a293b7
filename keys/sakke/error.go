package sakke

import "errors"

// Causes of an [Error]; use errors.Is.
var (
	ErrLength     = errors.New("wrong length")
	ErrPrefix     = errors.New("not an uncompressed point (04)")
	ErrCoordinate = errors.New("coordinate not less than p")
	ErrCurve      = errors.New("point not on the curve")
	ErrOrder      = errors.New("point not of order q")
	ErrRange      = errors.New("not in 2..q-1")
	ErrIdentifier = errors.New("identifier has no key: a + z = 0 modulo q")
	ErrKey        = errors.New("RSK is not the key of this identifier under this Z: wrong user, key period or KMS")
	ErrTest       = errors.New("TEST differs from R: damaged message, or made for another identifier or key period")
	ErrDestroyed  = errors.New("key was destroyed")
)

// An Error says which field failed, under which clause, and why.
type Error struct {
	Field string // "SED", "R", "TEST", "Z", "RSK", "z", "SSV", "random"
	Spec  string // "RFC 6508 6.2.2"
	Err   error  // one of the Err variables, or what the random source said
}

func (e *Error) Error() string { return "sakke: " + e.Field + " (" + e.Spec + "): " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
