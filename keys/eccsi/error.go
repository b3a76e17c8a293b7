package eccsi

import "errors"

// Causes of an [Error]; use errors.Is.
var (
	ErrLength    = errors.New("wrong length")
	ErrPoint     = errors.New("not an uncompressed point of P-256")
	ErrRange     = errors.New("not in 1..q-1")
	ErrZero      = errors.New("zero modulo q")
	ErrInfinity  = errors.New("point J is at infinity")
	ErrMismatch  = errors.New("signature does not match")
	ErrInvalid   = errors.New("KPAK differs from [SSK]G - [HS]PVT")
	ErrDestroyed = errors.New("key was destroyed")
)

// An Error says which field failed, under which clause, and why.
type Error struct {
	Field string // "signature", "PVT", "KPAK", "SSK", "KSAK", "s"
	Spec  string // "RFC 6507 5.2.2"
	Err   error  // one of the Err variables, or what the random source said
}

func (e *Error) Error() string { return "eccsi: " + e.Field + " (" + e.Spec + "): " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
