package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// onDisk returns a log on a small disk that nothing else uses.
func onDisk(t *testing.T, options string, flags uintptr) audit.Log {
	t.Helper()
	dir := t.TempDir()
	kit.Mount(t, dir, options, flags)
	return audit.Log{Path: filepath.Join(dir, "audit.jsonl")}
}

// TestFullDisk: a line that does not fit leaves no part in the log, and later lines are
// written when there is room.
func TestFullDisk(t *testing.T) {
	if !kit.InMounts(t, "full and read-only disks") {
		return
	}
	log := onDisk(t, "size=8k", 0)
	var err error
	for n := 0; err == nil && n < 100; n++ {
		err = log.Write(sample())
	}
	before := content(t, log)
	if n := len(decode(t, before)); n < 5 || len(before) == 8<<10 {
		t.Fatalf("%d lines, %d bytes: no part of a line would have fit", n, len(before))
	}
	refused(t, log, fault.Infrastructure, "no space left on device; make room on its disk")
	if content(t, log) != before {
		t.Errorf("a part of a line is left: %q", content(t, log)[len(before):])
	}
	kit.Must(t, os.Truncate(log.Path, 0))
	kit.Must(t, log.Write(sample()))
	refused(t, onDisk(t, "nr_inodes=1", 0), fault.Infrastructure, "no space left on device; make room")
}

func TestReadOnlyDisk(t *testing.T) {
	if !kit.InMounts(t, "full and read-only disks") {
		return
	}
	refused(t, onDisk(t, "", syscall.MS_RDONLY), fault.Infrastructure, "read-only file system; put the log on a disk that can be written to")
}

// TestFileSizeLimit: SIGXFSZ, the signal of this limit, does not end the process.
func TestFileSizeLimit(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	log := newLog(t)
	kit.Must(t, log.Write(sample()))
	before := content(t, log)
	kit.Must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(len(before)) + 100, Max: unix.RLIM_INFINITY}))
	err := log.Write(sample())
	kit.Must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}))
	if err == nil || !strings.Contains(err.Error(), "file too large; rotate the log") || content(t, log) != before {
		t.Errorf("error %v, and %d bytes more", err, len(content(t, log))-len(before))
	}
}

// TestManyProcesses: lines of concurrent processes do not mix.
func TestManyProcesses(t *testing.T) {
	const path = "AUDIT_CHILD_LOG"
	if kit.IsChild(t) {
		for i := range 20 {
			e := sample()
			e.JobID = fmt.Sprintf("%d-%d", os.Getpid(), i)
			kit.Must(t, audit.Log{Path: os.Getenv(path)}.Write(e))
		}
		return
	}
	log := newLog(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if out, err := kit.Child(t, nil, path+"="+log.Path).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	group.Wait()
	jobs := map[string]bool{}
	for _, e := range decode(t, content(t, log)) {
		jobs[e.JobID] = true
	}
	if len(jobs) != 400 {
		t.Errorf("%d lines, want 400", len(jobs))
	}
}
