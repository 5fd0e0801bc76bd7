package scripts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUsage: each stage has the name of its folder in cmd, and --help says what it
// does, in lines that fit a terminal.
func TestUsage(t *testing.T) {
	t.Parallel()
	does := map[string]string{}
	for name, p := range stages() {
		if _, err := os.Stat(filepath.Join("../../cmd", p.Name, "main.go")); err != nil || p.Name != name {
			t.Errorf("the program of the stage %s is called %q: %v", name, p.Name, err)
		}
		var out, stderr strings.Builder
		code := p.Serve([]string{"--help"}, nil, nil, &out, &stderr)
		if code != 0 || stderr.Len() > 0 || !strings.HasPrefix(out.String(), "usage: "+name+" [FLAGS]\n\n"+name+" "+p.Does+".\n") {
			t.Errorf("%s --help: exit code %d\n%s%s", name, code, &out, &stderr)
		}
		if first, ok := does[p.Does]; ok || p.Does == "" {
			t.Errorf("%s and %s do the same: %q", name, first, p.Does)
		}
		does[p.Does] = name
		for line := range strings.Lines(out.String()) {
			if len(line) > 80+len("\n") {
				t.Errorf("%s --help has a line of %d characters: %s", name, len(line)-1, line)
			}
		}
	}
}
