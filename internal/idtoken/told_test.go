package idtoken_test

import (
	"strings"
	"testing"

	"rolecall/internal/idtoken"
)

// TestTold: each claim is one short line, whatever is in it.
func TestTold(t *testing.T) {
	t.Parallel()
	c := idtoken.Claims{Subject: "project_path:a/b:ref:x\nfix  \x1b[31m", Audience: idtoken.Audience{"a", "b"}, Issuer: strings.Repeat("i", 301)}
	want := `sub  "project_path:a/b:ref:x\nfix  \x1b[31m"` + "\naud  a, b\niss  " + strings.Repeat("i", 300) + "..."
	if got := c.Told(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
