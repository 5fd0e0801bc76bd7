package cgroup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// TestOpenNothingElse: whatever the caller has checked, no group is opened but one in the parent.
func TestOpenNothingElse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		parent := at(t, g.path)
		kit.Must(t, os.MkdirAll(filepath.Join(g.path, "a", "b"), 0o755))
		for name, open := range map[string]bool{
			"a": true, "": false, ".": false, "..": false, "/": false, "a/b": false, "a/..": false, "./a": false, "../" + filepath.Base(g.path): false,
		} {
			if err := cgroup.OpenIn(parent, name); (err == nil) != open || !open && !strings.Contains(err.Error(), "is no name of a group in it") {
				t.Errorf("a group %q: %v", name, err)
			}
		}
	})
}
