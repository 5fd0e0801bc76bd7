package notices

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLicences: a module whose folder has no licence may not be passed on.
func TestLicences(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"LICENSE": true, "LICENSE.md": true, "license-MIT": true, "COPYING": true, "NOTICE": true,
		"AUTHORS": false, "licenses.go": false, "unlicensed": false, "README": false,
	} {
		dir, text := t.TempDir(), new(bytes.Buffer)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("\nwhat is allowed\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := add(text, "example.com/m v1.0.0", dir)
		if good != (err == nil) || good && !strings.Contains(text.String(), "\nexample.com/m v1.0.0: "+name+"\n\nwhat is allowed\n") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
