package xmlsec

import (
	"errors"
	"strconv"
	"strings"
)

// Causes of an [Error] from reading XML, for errors.Is.
var (
	ErrSyntax    = errors.New("not well-formed")
	ErrNamespace = errors.New("not namespace-well-formed")
	ErrEncoding  = errors.New("not UTF-8")
	ErrDTD       = errors.New("document type declaration refused")
	ErrEntity    = errors.New("undefined entity")
	ErrLimit     = errors.New("limit exceeded")
)

// Error says where an XML document could not be read and why.
type Error struct {
	Off   int    // octet of the input
	Field string // what was being read
	Spec  string // the clause that is broken
	What  string // the defect in words
	Err   error  // one of ErrSyntax, ErrNamespace, ErrEncoding, ErrDTD, ErrEntity, ErrLimit
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("xmlsec: ")
	b.WriteString(e.Field)
	b.WriteString(" at octet ")
	b.WriteString(strconv.Itoa(e.Off))
	if e.Spec != "" {
		b.WriteString(" (" + e.Spec + ")")
	}
	b.WriteString(": ")
	b.WriteString(e.What)
	return b.String()
}

// Unwrap returns the kind of the defect.
func (e *Error) Unwrap() error { return e.Err }
