package workdir_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/workdir"
	"rolecall/test/kit"
)

// TestOpenPassage: a folder on the way that others could write to until now is refused, and its
// mode stays: others may have put something there.
func TestOpenPassage(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	for _, mode := range []os.FileMode{0o777, 0o775, 0o722, 0o771} {
		base := filepath.Join(t.TempDir(), "builds")
		kit.Must(t, workdir.MakePassage(base, "alpha"))
		kit.Must(t, os.Chmod(filepath.Join(base, "alpha"), mode))
		for name, err := range map[string]error{
			"Make": workdir.Make(base, "alpha/protected", uid, gid), "MakeHome": workdir.MakeHome(base, "alpha/protected.home", "", owner()), "MakePassage": workdir.MakePassage(base, "alpha"),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), filepath.Join(base, "alpha")+" belongs to user ") {
				t.Errorf("%s, mode %o: error %v", name, mode, err)
			}
		}
		if info, err := os.Stat(filepath.Join(base, "alpha")); err != nil || info.Mode().Perm() != mode {
			t.Errorf("the mode is %v, %v, want %o", info.Mode(), err, mode)
		}
	}
}
