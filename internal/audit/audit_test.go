package audit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// newLog returns a log that does not exist yet.
func newLog(t *testing.T) audit.Log {
	t.Helper()
	return audit.Log{Path: filepath.Join(t.TempDir(), "audit.jsonl")}
}

// content returns the content of the log.
func content(t *testing.T, log audit.Log) string {
	t.Helper()
	text, err := os.ReadFile(log.Path)
	kit.Must(t, err)
	return string(text)
}

// refused checks that Write fails soon, for the right reason, and writes nothing.
func refused(t *testing.T, log audit.Log, side fault.Side, want ...string) {
	t.Helper()
	begin := time.Now()
	err := log.Write(sample())
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	for _, text := range append(want, "audit log "+log.Path+": ") {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
	if fault.SideOf(err) != side {
		t.Errorf("an error of %s, want %s: %v", fault.SideOf(err), side, err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNoLog(t *testing.T) {
	t.Parallel()
	if err := (audit.Log{}).Write(sample()); err != nil {
		t.Error(err)
	}
}

// TestRotation: after the log was renamed, Write creates a new private file.
func TestRotation(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	kit.Must(t, log.Write(sample()))
	kit.Must(t, os.Rename(log.Path, log.Path+".1"))
	kit.Must(t, log.Write(sample()))
	kit.Must(t, log.Write(sample()))
	for path, want := range map[string]int{log.Path + ".1": 1, log.Path: 2} {
		if got := len(decode(t, content(t, audit.Log{Path: path}))); got != want {
			t.Errorf("%s has %d lines, want %d", path, got, want)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v, want mode 0600", info.Mode(), err)
		}
	}
	kit.Must(t, os.Chmod(log.Path, 0o640)) // as logrotate makes it for a group that reads
	kit.Must(t, log.Write(sample()))
}

// TestHalfLine: a new line does not continue an unfinished one.
func TestHalfLine(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	kit.Must(t, os.WriteFile(log.Path, []byte(`{"time":"20`), 0o600))
	kit.Must(t, log.Write(sample()))
	kit.Must(t, log.Write(sample()))
	rest, ok := strings.CutPrefix(content(t, log), `{"time":"20`+"\n")
	if !ok || len(decode(t, rest)) != 2 {
		t.Errorf("the log is %q", content(t, log))
	}
}

// TestPlanted: a file or folder in place of the log that is not a log stays unchanged.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plant func(t *testing.T, path string)
		want  string
	}{
		"mode 0666":      {func(t *testing.T, path string) { file(t, path); kit.Must(t, os.Chmod(path, 0o666)) }, "has mode 0666"},
		"mode 0620":      {func(t *testing.T, path string) { file(t, path); kit.Must(t, os.Chmod(path, 0o620)) }, "; chmod go-w "},
		"link":           {func(t *testing.T, path string) { file(t, path+".x"); kit.Must(t, os.Symlink(path+".x", path)) }, "replace the symbolic link by the file itself"},
		"dangling":       {func(t *testing.T, path string) { kit.Must(t, os.Symlink(path+".x", path)) }, "too many levels of symbolic links"},
		"FIFO":           {func(t *testing.T, path string) { kit.Must(t, unix.Mkfifo(path, 0o600)) }, "is not a regular file"},
		"folder":         {func(t *testing.T, path string) { kit.Must(t, os.Mkdir(path, 0o700)) }, "must be a regular file"},
		"open folder":    {func(t *testing.T, path string) { kit.Must(t, os.Chmod(filepath.Dir(path), 0o777)) }, "; chmod go-w "},
		"sticky folder":  {func(t *testing.T, path string) { kit.Must(t, os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky)) }, "choose a folder"},
		"missing folder": {func(t *testing.T, path string) { kit.Must(t, os.Remove(filepath.Dir(path))) }, "no such file or directory; create its folder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := audit.Log{Path: filepath.Join(t.TempDir(), "log", "audit.jsonl")}
			kit.Must(t, os.Mkdir(filepath.Dir(log.Path), 0o700))
			test.plant(t, log.Path)
			refused(t, log, fault.Admin, test.want)
			for _, path := range []string{log.Path, log.Path + ".x"} {
				if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
					t.Errorf("%s was written to", path)
				}
			}
		})
	}
	refused(t, audit.Log{Path: "audit.jsonl"}, fault.Admin, "is not an absolute path")
	refused(t, audit.Log{Path: "/dev/null"}, fault.Admin, "not a regular file")
}

// file makes an empty file.
func file(t *testing.T, path string) {
	t.Helper()
	kit.Must(t, os.WriteFile(path, nil, 0o600))
}

// TestForeign: the log and its folders belong to root or to the process's user.
func TestForeign(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "files of other users")
	log := newLog(t)
	file(t, log.Path)
	kit.Must(t, os.Chown(log.Path, 4711, 0))
	refused(t, log, fault.Admin, log.Path+" belongs to user 4711", "; chown -h root ")
	log = newLog(t)
	kit.Must(t, os.Chown(filepath.Dir(log.Path), 4711, 0))
	refused(t, log, fault.Admin, filepath.Dir(log.Path)+" belongs to user 4711")
	if _, err := os.Lstat(log.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log was made in a folder of another user: %v", err)
	}
}

// TestLocked: a locked log does not stop a job for long.
func TestLocked(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	file(t, log.Path)
	f, err := os.Open(log.Path)
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, unix.Flock(int(f.Fd()), unix.LOCK_SH))
	refused(t, log, fault.Infrastructure, "another process keeps it locked; find the process")
	var group sync.WaitGroup
	group.Go(func() {
		time.Sleep(300 * time.Millisecond)
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	})
	kit.Must(t, log.Write(sample()))
	group.Wait()
	if n := len(decode(t, content(t, log))); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

// TestManyWriters: each of many concurrent writers gets its line, also while the log is
// renamed.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	var group sync.WaitGroup
	for writer := range 20 {
		group.Go(func() {
			for i := range 20 {
				e := sample()
				e.JobID, e.Ref = fmt.Sprintf("%d-%d", writer, i), strings.Repeat("r", writer*10)
				if err := log.Write(e); err != nil {
					t.Error(err)
				}
				if writer == 0 && i == 10 {
					_ = os.Rename(log.Path, log.Path+".1")
				}
			}
		})
	}
	group.Wait()
	jobs := map[string]bool{}
	for _, e := range decode(t, content(t, audit.Log{Path: log.Path + ".1"})+content(t, log)) {
		jobs[e.JobID] = true
	}
	if len(jobs) != 400 {
		t.Errorf("%d lines, want 400", len(jobs))
	}
}
