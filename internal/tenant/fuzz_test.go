package tenant_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolecall/internal/tenant"
)

// FuzzParseName holds that a name is safe as a part of a path, of a log line and
// of a flag, and that the rule in the error is the whole rule.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{
		"", "alpha", "-a", "../x", "..", ".", "a/b", "a b", "A", "$(id)", "a\n", "a\x00b", "ä", "_", "0-9",
		strings.Repeat("a", 63), strings.Repeat("a", 64), "a%2f..", "con", "\\\\x",
	} {
		f.Add(seed)
	}
	rule := regexp.MustCompile(`\A[a-z0-9_][a-z0-9_-]{0,62}\z`)
	f.Fuzz(func(t *testing.T, text string) {
		name, err := tenant.ParseName(text)
		if accepted := err == nil; accepted != rule.MatchString(text) {
			t.Fatalf("ParseName(%q): accepted is %v, the rule says otherwise", text, accepted)
		}
		if err != nil {
			if name != tenant.None {
				t.Fatalf("ParseName(%q) = %q beside the error %v", text, name, err)
			}
			return
		}
		if string(name) != text {
			t.Fatalf("ParseName(%q) = %q, want the text itself", text, name)
		}
		for _, element := range []string{string(name), ".aws." + string(name) + ".env"} {
			path := filepath.Join("/root/7", element)
			if filepath.Dir(path) != "/root/7" || filepath.Base(path) != element {
				t.Fatalf("the path element %q escapes its folder: %s", element, path)
			}
		}
	})
}
