package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

func TestRoots(t *testing.T) {
	t.Parallel()
	own := fmt.Sprintf("rolecall-%d", os.Geteuid())
	want := []string{"/run/rolecall", "/dev/shm/" + own, "/var/tmp/" + own}
	if got := state.Roots(); !slices.Equal(got, want) {
		t.Errorf("Roots() = %q, want %q", got, want)
	}
}

func TestOnTmpfs(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{"/dev/shm": true, "/proc": false, "/none": false, "": false} {
		if got := state.OnTmpfs(path); got != want {
			t.Errorf("OnTmpfs(%q) = %v, want %v", path, got, want)
		}
	}
}

// shm returns a folder on a tmpfs.
func shm(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "state") //nolint:usetesting // t.TempDir may be on a disk
	kit.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if !state.OnTmpfs(dir) {
		t.Fatal("/dev/shm is no tmpfs: these tests need one there")
	}
	return dir
}

// disk returns a folder that is on no tmpfs.
func disk(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{t.TempDir(), "/var/tmp", "."} {
		own, err := os.MkdirTemp(dir, "state") //nolint:usetesting // t.TempDir may be on a tmpfs
		kit.Must(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(own) })
		if !state.OnTmpfs(own) {
			return own
		}
	}
	t.Skip("NOT TESTED: this host has no file system but tmpfs")
	return ""
}

func TestChoose(t *testing.T) {
	t.Parallel()
	memory, solid := shm(t), disk(t)
	missing := filepath.Join(memory, "missing", "root")
	first, second, last := filepath.Join(memory, "first"), filepath.Join(memory, "second"), filepath.Join(solid, "last")
	for name, test := range map[string]struct {
		roots []string
		want  string
	}{
		"the first":               {[]string{first, second, last}, first},
		"again":                   {[]string{first, last}, first},
		"a disk is passed over":   {[]string{filepath.Join(solid, "x"), second, last}, second},
		"the last may be a disk":  {[]string{filepath.Join(solid, "x"), last}, last},
		"no parent passed over":   {[]string{"/none/rolecall", second}, second},
		"only a disk":             {[]string{last}, last},
		"no parent below a tmpfs": {[]string{missing, second}, second},
	} {
		got, err := state.Choose(test.roots, unexpected(t))
		if err != nil || got != test.want {
			t.Errorf("%s: Choose = %q, %v, want %q", name, got, err, test.want)
			continue
		}
		if info, err := os.Stat(got); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: the root has mode %v, %v", name, info.Mode(), err)
		}
	}
	if _, err := os.Lstat(filepath.Join(solid, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a root that is passed over was made: %v", err)
	}
}

// TestChoosePlanted: what somebody else has put in the place of a root is passed over
// with one warning, and refused in the place of the last root. A folder of this user that
// is open to others is a reason to stop.
func TestChoosePlanted(t *testing.T) {
	for _, plant := range plants {
		t.Run(plant.name, func(t *testing.T) {
			memory, p := shm(t), newPlace(t)
			root, last := filepath.Join(memory, "root"), filepath.Join(p.dir, "last")
			plant.put(t, root, p.newVictim(t))
			if plant.name == "folder" {
				_, err := state.Choose([]string{root, last}, unexpected(t))
				wantError(t, "Choose", err, "is open to other users")
				return
			}
			var warnings []error
			got, err := state.Choose([]string{root, last}, func(err error) { warnings = append(warnings, err) })
			if err != nil || got != last || len(warnings) != 1 {
				t.Errorf("Choose = %q, %v, with the warnings %v", got, err, warnings)
			}
			wantError(t, "the warning", errors.Join(warnings...), root+": not a folder but a link or a file; remove it")
			_, err = state.Choose([]string{root}, unexpected(t))
			wantError(t, "the last root", err, root+": not a folder but a link or a file; remove it")
			p.untouched(t)
		})
	}
}

// TestChooseForeign: a folder of another user is passed over. It needs a warning unless
// it is root's, which nobody has planted.
func TestChooseForeign(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	root, last := filepath.Join(shm(t), "root"), filepath.Join(t.TempDir(), "last")
	kit.Must(t, os.Mkdir(root, 0o700))
	kit.Must(t, os.Chown(root, 61001, 61001))
	var warnings []error
	got, err := state.Choose([]string{root, last}, func(err error) { warnings = append(warnings, err) })
	if err != nil || got != last || len(warnings) != 1 {
		t.Errorf("Choose = %q, %v, with the warnings %v", got, err, warnings)
	}
	wantError(t, "the warning", errors.Join(warnings...), root+" belongs to user 61001")
}

// unexpected returns a function that reports a warning as an error of the test.
func unexpected(t *testing.T) func(error) {
	t.Helper()
	return func(err error) {
		t.Helper()
		t.Errorf("unexpected warning: %v", err)
	}
}

func TestChooseNone(t *testing.T) {
	t.Parallel()
	if got, err := state.Choose(nil, unexpected(t)); err == nil || got != "" || err.Error() != "no folder for the state of jobs" {
		t.Errorf("Choose of none = %q, %v", got, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	kit.Must(t, os.WriteFile(file, nil, 0o600))
	_, err := state.Choose([]string{filepath.Join(file, "root")}, unexpected(t))
	wantError(t, "a file above the last root", err, "not a directory")
}

// TestRootOpenToOthers: each right of another user is a refusal that names the
// mode and the cure.
func TestRootOpenToOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o701, 0o710, 0o704, 0o750, 0o777, 0o702} {
		p := newPlace(t)
		kit.Must(t, os.Mkdir(p.root, 0o700))
		kit.Must(t, os.Chmod(p.root, mode))
		_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
		wantError(t, mode.String(), err, fmt.Sprintf("(mode %04o); chmod it to 0700", mode))
		if entries, _ := os.ReadDir(p.root); len(entries) > 0 || strings.Contains(fmt.Sprint(entries), "7") {
			t.Errorf("%v: something was written: %v", mode, entries)
		}
	}
}
