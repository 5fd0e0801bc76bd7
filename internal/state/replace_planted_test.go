package state_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestReplacePlanted: whatever a job puts in the place of its own files, Replace takes
// the place of, without a look at where it leads. A folder is in the way.
func TestReplacePlanted(t *testing.T) {
	for _, plant := range plants {
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			f := p.writeFile(t)
			target := p.newVictim(t)
			for _, path := range []string{p.env(7), p.file()} {
				kit.Must(t, os.Remove(path))
				plant.put(t, path, target)
			}
			within(t, 5*time.Second, func() {
				if err := replace(f, fresh(1)); plant.name == "folder" {
					wantError(t, "Replace", err, "/secret/.rolecall.vault.json: ")
				} else if err != nil {
					t.Errorf("Replace: %v", err)
				} else {
					p.checkWhole(t)
				}
			})
			p.untouched(t)
			p.remove(t, 7)
			p.gone(t, 7)
			p.untouched(t)
		})
	}
}

// readers returns who may read a file, as its access control list says.
func readers(t *testing.T, path string) string {
	t.Helper()
	list := make([]byte, 100)
	n, err := syscall.Getxattr(path, "system.posix_acl_access", list)
	kit.Must(t, err)
	return string(list[:n])
}

// TestReplaceForUser: the user of a job may read what takes the place of its files, and
// nothing that root makes meanwhile is left in its folder.
func TestReplaceForUser(t *testing.T) {
	p := forUser(t)
	before, list := owners(t, p.secret(7)), readers(t, p.env(7))
	replaceOnce(t, p)
	after := owners(t, p.secret(7))
	if diff := cmp.Diff(before, after); diff != "" || readers(t, p.env(7)) != list || readers(t, p.file()) != list {
		t.Errorf("the files are other people's:\n%s", diff)
	}
	p.checkWhole(t)
	p.remove(t, 7)
	p.gone(t, 7)
}

// replaceOnce replaces the credential with a file, as a stage of its own does.
func replaceOnce(t *testing.T, p place) {
	t.Helper()
	f, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	kit.Must(t, replace(f, fresh(1)))
	f.Close()
}
