package testkit

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Withheld prints values that hold a secret by every verb, as JSON and as log lines. None of the leaks may show, and the
// text that stands for a secret must.
func Withheld(t *testing.T, mark string, leaks []string, values ...any) {
	t.Helper()
	var text strings.Builder
	for _, x := range values {
		for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
			for _, flag := range []string{"", "+", "#", " ", "0"} {
				fmt.Fprintf(&text, "%"+flag+string(verb)+"\n", x)
			}
		}
		j, _ := json.Marshal(x) // what has no JSON form shows nothing
		text.Write(j)
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "x", x)
		slog.New(slog.NewJSONHandler(&text, nil)).Info("x", "x", x)
	}
	for _, leak := range leaks {
		if strings.Contains(text.String(), leak) {
			t.Errorf("a secret shows as %q", leak)
		}
	}
	if !strings.Contains(text.String(), mark) {
		t.Error("nothing was withheld")
	}
}
