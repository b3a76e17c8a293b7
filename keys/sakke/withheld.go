package sakke

import (
	"fmt"
	"io"
	"log/slog"
)

// withheld is embedded in types which hold a secret. The secret itself is
// behind a function: fmt calls no methods on unexported fields, and prints
// what a slice or pointer among them holds, but not what a function returns.
type withheld struct{}

const withheldText = "[withheld]"

func (withheld) String() string               { return withheldText }
func (withheld) GoString() string             { return withheldText }
func (withheld) Format(s fmt.State, _ rune)   { io.WriteString(s, withheldText) }
func (withheld) MarshalText() ([]byte, error) { return []byte(withheldText), nil }
func (withheld) LogValue() slog.Value         { return slog.StringValue(withheldText) }
