package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestWithoutProc: on a host without /proc nothing is made or read, and what a job left is
// not taken for removed.
func TestWithoutProc(t *testing.T) {
	if !kit.InMounts(t, "a host without /proc") {
		return
	}
	p := newPlace(t)
	p.write(t, 7)
	t.Run("hidden", func(t *testing.T) {
		kit.Mount(t, "/proc", "", 0)
		_, opened := state.Open(p.root, key(7))
		_, created := state.Create(p.root, key(8), state.Record{Tenant: "alpha"}, p.builds)
		_, swept := state.Sweep(t.Context(), p.root, nil, nil)
		for what, err := range map[string]error{"Open": opened, "Create": created, "Sweep": swept, "Remove": state.Remove(p.root, key(7))} {
			wantError(t, what, err, p.root+": it cannot be opened without /proc; mount /proc")
		}
		if _, err := os.Lstat(p.folder(8)); !os.IsNotExist(err) {
			t.Errorf("Create made a folder: %v", err)
		}
	})
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestLateFiles: one folder with many files is left off as well.
func TestLateFiles(t *testing.T) {
	t.Parallel()
	dir := shm(t)
	const many = 3000
	for i := range many {
		kit.Must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%d", i)), nil, 0o600))
	}
	wantError(t, "no time", state.Empty(dir, time.Now()), dir+": holds too many files to remove in time; remove it by hand")
	if left, err := filepath.Glob(dir + "/file*"); err != nil || len(left) == 0 || len(left) == many {
		t.Errorf("%d of %d files are left, %v", len(left), many, err)
	}
	kit.Must(t, state.Empty(dir, time.Now().Add(time.Minute)))
	if left, err := filepath.Glob(dir + "/file*"); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

// TestLate: a folder that holds more than can be removed in time keeps what is left, and
// the error says so. The time is doubled until it suffices, and the folder filled again,
// until it has once ended between two folders: a busy host can take all the time before
// the first or in the middle of one.
func TestLate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(shm(t), "many")
	for range 20 {
		if endsBetween(t, dir) {
			return
		}
	}
	t.Error("it never ended between two folders")
}

// endsBetween fills a folder and empties it with more and more time, and reports whether
// the time was up between two folders.
func endsBetween(t *testing.T, dir string) (between bool) {
	t.Helper()
	const many = 10000
	for i := range many {
		kit.Must(t, os.MkdirAll(filepath.Join(dir, fmt.Sprintf("sub%d", i)), 0o700))
	}
	wantError(t, "no time", state.Empty(dir, time.Now()), dir+": holds too many files to remove in time; remove it by hand")
	for limit := time.Millisecond; ; limit *= 2 {
		err := state.Empty(dir, time.Now().Add(limit))
		left, globErr := filepath.Glob(dir + "/sub*")
		kit.Must(t, globErr)
		if err == nil && len(left) == 0 {
			return between
		}
		wantError(t, limit.String(), err, "holds too many files to remove in time")
		between = between || len(left) > 0 && len(left) < many && !strings.Contains(err.Error(), "\n")
	}
}
