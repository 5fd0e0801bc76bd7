package state_test

import (
	"os"
	"path/filepath"
	"testing"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestLive: jobs that have credentials are counted, and no others.
func TestLive(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if n := state.Live(p.root + "/none"); n != 0 {
		t.Errorf("%d jobs in a root that is not there", n)
	}
	p.write(t, 7)
	p.write(t, 8)
	create(t, p, 9)
	kit.Must(t, os.Mkdir(filepath.Join(p.root, "keys"), 0o700))
	kit.Must(t, os.WriteFile(filepath.Join(p.root, "10"), nil, 0o600))
	if n := state.Live(p.root); n != 2 {
		t.Errorf("%d jobs have credentials, want 2", n)
	}
	p.remove(t, 7)
	if n := state.Live(p.root); n != 1 {
		t.Errorf("%d jobs have credentials, want 1", n)
	}
	link := filepath.Join(t.TempDir(), "link")
	kit.Must(t, os.Symlink(p.root, link))
	if n := state.Live(link); n != 0 {
		t.Errorf("%d jobs behind a link", n)
	}
}
