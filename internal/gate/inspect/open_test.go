package inspect_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/gate"
	"rolecall/internal/gate/inspect"
	"rolecall/test/kit"
)

// TestOpenTree: the program opens what is closed, says so once, and fails where there are
// folders that it has not reached.
func TestOpenTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kit.Must(t, os.Mkdir(filepath.Join(dir, "closed"), 0))
	open := func() (int, string) {
		var out, log strings.Builder
		code := inspect.Serve([]string{gate.OpenTree, dir}, nil, strings.NewReader(""), &out, &log)
		return code, out.String() + log.String()
	}
	if code, log := open(); code != 0 || log != "rolecall: an earlier job has closed 1 folders of the work tree to its own user; they are open again\n" {
		t.Errorf("exit code %d, %q", code, log)
	}
	kit.Must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	if code, log := open(); code != 0 || log != "rolecall: an earlier job has left 1 FIFOs in the work tree, or links to FIFOs, which this job would wait at; they are removed\n" {
		t.Errorf("a FIFO: exit code %d, %q", code, log)
	}
	if code, log := open(); code != 0 || log != "" {
		t.Errorf("a second time: exit code %d, %q", code, log)
	}
	kit.Must(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("x/", 600)), 0o700))
	if code, log := open(); code != 1 || !strings.Contains(log, "may be closed still: the folders of the work tree are nested too deep") {
		t.Errorf("too deep: exit code %d, %q", code, log)
	}
}

// TestOpenCaches: the program does the same in the folder of caches.
func TestOpenCaches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kit.Must(t, errors.Join(os.Mkdir(filepath.Join(dir, "closed"), 0), syscall.Mkfifo(filepath.Join(dir, "cache.zip"), 0o600)))
	var log strings.Builder
	code := inspect.Serve([]string{gate.OpenCaches, dir}, nil, strings.NewReader(""), &log, &log)
	if code != 0 || strings.Count(log.String(), " of the caches ") != 1 || strings.Count(log.String(), " in the caches, ") != 1 {
		t.Errorf("exit code %d, %q", code, log.String())
	}
}

// TestClearWay: the program says what it has moved out of the way, and what it could not.
func TestClearWay(t *testing.T) {
	t.Parallel()
	project := filepath.Join(t.TempDir(), "p")
	clearWay := func() (int, string) {
		var out, log strings.Builder
		code := inspect.Serve([]string{gate.ClearWay, project}, nil, strings.NewReader(""), &out, &log)
		return code, log.String()
	}
	kit.Must(t, os.WriteFile(project+".tmp", nil, 0o600))
	want := fmt.Sprintf("rolecall: an earlier job has put something in the place of the folder %q; it is out of the way\n", project+".tmp")
	if code, log := clearWay(); code != 0 || log != want {
		t.Errorf("%d, %q, want %q", code, log, want)
	}
	kit.Must(t, os.MkdirAll(project+".tmp/x", 0o700))
	if code, log := clearWay(); code != 0 || log != "" {
		t.Errorf("again: %d, %q", code, log)
	}
	kit.Must(t, os.MkdirAll(project+".tmp/"+strings.Repeat("x/", 600), 0o700))
	if code, log := clearWay(); code != 0 || log != "" {
		t.Errorf("a deep folder: %d, %q", code, log)
	}
}
