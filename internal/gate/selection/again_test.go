package selection_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rolecall/internal/gate/selection"
	"rolecall/test/kit"
)

// TestWalkedBefore: what a later pattern matches is taken though an earlier one has taken the
// folder that it is in, if it could not be taken with the folder: it is behind a link, or the
// folder cannot be listed.
func TestWalkedBefore(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"a/f", "b/link -> ../a", "closed/sub/f", "entered/f"})
	compare(t, dir, selection.Upload{Paths: []string{".", "b/link/f", "b/link/*"}})
	for _, name := range []string{"closed/sub", "entered"} {
		path := filepath.Join(dir, name)
		kit.Must(t, os.Chmod(path, 0o100))
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
	}
	asNobody(t, func() {
		got, _ := selected(t, dir, selection.Upload{Paths: []string{".", "*", "entered/f", "closed/sub/f"}}, nil)
		want := []string{"a/f", "b/link", "closed/sub/f", "entered/f"}
		if diff := cmp.Diff(want, keys(got)); diff != "" {
			t.Errorf("taken are (- wanted, + got):\n%s", diff)
		}
	})
}

// TestGitBreaksOff: the runner takes none of the names of a git that fails, and neither does
// the selection, though it has seen some.
func TestGitBreaksOff(t *testing.T) {
	dir, bin := plant(t, []string{"a", "b"}), t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\nprintf 'a\\000b\\000'\nexit $STATUS\n"), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for status, want := range map[string]string{"0": "a b", "3": "b"} {
		t.Setenv("STATUS", status)
		got, problems := selected(t, dir, selection.Upload{Paths: []string{"b"}, Untracked: true}, nil)
		if names := strings.Join(keys(got), " "); names != want || (len(problems) > 0) != (status != "0") {
			t.Errorf("git exits with %s: %q, %v", status, names, problems)
		}
	}
}

// TestFewDescriptors: folders in one another are not all open at once.
func TestFewDescriptors(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	dir := plant(t, nil)
	deep(t, dir, 1000)
	var limit unix.Rlimit
	kit.Must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	kit.Must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 200, Max: limit.Max}))
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }) // to remove the folders
	if got, problems := selected(t, dir, selection.Upload{Paths: []string{"."}}, nil); len(got) != 1 || len(problems) > 0 {
		t.Errorf("%d files, problems %.300v", len(got), problems)
	}
}
