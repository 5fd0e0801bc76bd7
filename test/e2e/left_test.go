package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/cgroup"
)

// checkNoContainer fails the test where a job of the world has left something of a container:
// a process, a mount in any namespace, an engine root, a link or a cgroup. A user namespace
// without a process or a mount is gone.
func (w *containerWorld) checkNoContainer(t *testing.T, after string) {
	t.Helper()
	for what, left := range map[string][]string{
		"processes":    append(w.mentions("cmdline"), w.mentions("environ")...),
		"mounts":       w.mentions("mountinfo"),
		"engine roots": glob(filepath.Join(w.images(), ".jobs/*")),
		"links":        w.links(),
		"cgroups":      w.groups(),
	} {
		if len(left) > 0 {
			t.Errorf("%s: %s are left: %v", after, what, left)
		}
	}
}

// mentions are the files of that name in /proc that name the folder of the world.
func (w *containerWorld) mentions(name string) []string {
	return processFiles(name, func(content []byte) bool { return bytes.Contains(content, []byte(filepath.Base(w.dir))) })
}

// glob returns the files that match a pattern.
func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

// links are those to the engine roots of the world.
func (w *containerWorld) links() []string {
	return slices.DeleteFunc(glob("/run/rolecall-podman/*"), func(path string) bool {
		target, _ := os.Readlink(path)
		return !strings.HasPrefix(target, filepath.Join(w.images(), ".jobs"))
	})
}

// groups are the cgroups of the jobs of the world.
func (w *containerWorld) groups() []string {
	parent, err := cgroup.Own()
	if err != nil {
		return nil
	}
	defer parent.Close()
	var found []string
	for _, run := range w.runs {
		found = append(found, glob(filepath.Join(parent.Path(), fmt.Sprintf("rolecall-%d-*", run.ID())))...)
	}
	return found
}
