package podman

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/retention"
	"rolecall/internal/script"
	"rolecall/test/kit"
)

// TestLog: the log of a service belongs to the job's user, who gets nothing else shown by it.
func TestLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	kit.Must(t, os.WriteFile(secret, []byte("t stdout F secret\n"), 0o600))
	kit.Must(t, os.WriteFile(dir+"/log", []byte("t stdout F first\nt stderr F two\nt stdout P three\n"), 0o600))
	kit.Must(t, os.Symlink(secret, dir+"/out"))
	kit.Must(t, os.Symlink("log", dir+"/link"))
	kit.Must(t, unix.Mkfifo(dir+"/pipe", 0o600))
	for name, want := range map[string]string{
		"log": "  two\n  three", "none": "no such file", "out": "path escapes from parent", "link": "  two\n  three",
		"pipe": "  ", "none/log": "no such file",
	} {
		if got := tail(filepath.Join(dir, name), 2); !strings.Contains(got, want) || strings.Contains(got, "secret") || strings.Contains(got, "first") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestNoOpening: without one of its files, a script is not run at all.
func TestNoOpening(t *testing.T) {
	t.Parallel()
	text, err := opening("/own/sign", backend.Script{Files: []string{t.TempDir() + "/none"}, Set: []string{"A=b"}}, backend.Limits{})
	if expect(t, "no file", err, "", "/none: no such file"); text != "" {
		t.Errorf("%q", text)
	}
}

// TestSign: a script has begun only if a shell has written to the file, which is gone then.
func TestSign(t *testing.T) {
	t.Parallel()
	me := script.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	dir := t.TempDir()
	for _, written := range []string{"", "\n"} {
		s, err := newSign(dir, me)
		kit.Must(t, err)
		kit.Must(t, os.WriteFile(s.Name(), []byte(written), 0o600))
		if s.given() != (written != "") {
			t.Errorf("%q is a sign: %v", written, written == "")
		}
	}
	if _, err := newSign(dir+"/none", me); err == nil {
		t.Error("a sign in no folder")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestDenied: a sign that is not the job's user's is none, and leaves no file. Logins that
// cannot be in memory are nowhere else.
func TestDenied(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	dir := t.TempDir()
	kit.Must(t, kit.Deny(unix.EPERM, kit.Call{Number: unix.SYS_FCHOWN}, kit.Call{Number: unix.SYS_MEMFD_CREATE}))
	_, err := newSign(dir, script.User{UID: 65534, GID: 65534})
	expect(t, "a sign", err, "", "operation not permitted")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	_, err = newLogins(nil)
	expect(t, "logins", err, "", "make a file in memory: operation not permitted")
}

// TestMeasure: what cannot be measured as a whole has no size. A known layer is not measured
// again, and no link is followed.
func TestMeasure(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	layer := layersDir + "/" + idOne
	out := t.TempDir()
	kit.Must(t, os.WriteFile(out+"/large", make([]byte, 1<<20), 0o600))
	for name, test := range map[string]struct {
		make  func(store string)
		known retention.Sizes
		ctx   context.Context
		want  string // of the error; empty: there are sizes
		sum   uint64
	}{
		"podman was never here": {func(string) {}, nil, t.Context(), "", 0},
		"no store":              {func(store string) { kit.Must(t, os.Remove(store)) }, nil, t.Context(), "no such file", 0},
		"a file for layers":     {func(store string) { kit.Must(t, os.WriteFile(store+"/"+layersDir, nil, 0o600)) }, nil, t.Context(), "not a directory", 0},
		"a file for a layer":    {func(store string) { kit.Must(t, os.WriteFile(store+"/"+layer, nil, 0o600)) }, nil, t.Context(), idOne + ": ", 0},
		"a link for a layer":    {func(store string) { kit.Must(t, os.Symlink(out, store+"/"+layer)) }, nil, t.Context(), idOne + ": ", 0},
		"a known layer":         {func(store string) { kit.Must(t, os.Symlink(out, store+"/"+layer)) }, retention.Sizes{idOne: 7}, t.Context(), "", 7},
		"its time is over":      {func(store string) { kit.Must(t, os.MkdirAll(store+"/"+layer+"/diff", 0o700)) }, nil, ended, "context canceled", 0},
		"no id of a layer":      {func(store string) { kit.Must(t, os.Symlink(out, store+"/"+layersDir+"/l")) }, nil, t.Context(), "", 0},
	} {
		store := filepath.Join(t.TempDir(), "store")
		kit.Must(t, os.Mkdir(store, 0o700))
		if strings.Contains(name, " layer") && !strings.Contains(name, "for layers") {
			kit.Must(t, os.Mkdir(store+"/"+layersDir, 0o700))
		}
		test.make(store)
		sizes, err := Measure(test.ctx, store, test.known)
		if test.want != "" {
			expect(t, name, err, "", test.want)
		} else if err != nil || sizes.Sum() != test.sum {
			t.Errorf("%s: %v, %v", name, sizes, err)
		}
		if test.want != "" && sizes != nil {
			t.Errorf("%s: %v beside the error", name, sizes)
		}
	}
}

// TestLocked: a lock is of the file that is at its path. Who has it may remove the file: then
// the others lock a new one.
func TestLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockFile(path, unix.LOCK_EX)
	kit.Must(t, err)
	_, err = lockFile(path, unix.LOCK_EX|unix.LOCK_NB)
	expect(t, "it is locked", err, "", "resource temporarily unavailable")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = lockPatiently(ctx, path, unix.LOCK_EX)
	expect(t, "its time is over", err, "", "context deadline exceeded")
	next := make(chan *os.File, 1)
	go func() {
		f, _ := lockFile(path, unix.LOCK_EX)
		next <- f
	}()
	kit.Await(t, "the next one waits", func() bool {
		open, _ := filepath.Glob("/proc/self/fd/*")
		n := 0
		for _, fd := range open {
			if to, _ := os.Readlink(fd); to == path {
				n++
			}
		}
		return n == 2
	})
	kit.Must(t, os.Remove(path))
	kit.Must(t, first.Close())
	second := <-next
	defer second.Close()
	info, err := second.Stat()
	if kit.Must(t, err); !isAt(info, path) {
		t.Error("the lock is of a file that is gone")
	}
	_, err = lockFile(path+"/x", unix.LOCK_EX)
	expect(t, "no folder", err, "", "not a directory")
}
