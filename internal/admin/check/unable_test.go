package check_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// TestReadOnlyLog: an audit log that no line can be added to is to fix.
func TestReadOnlyLog(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a disk that nobody can write to") {
		return
	}
	h := newHost(t)
	kit.Mount(t, h.path("log"), "size=1m,mode=755", unix.MS_RDONLY)
	named(t, h.check(t), want{check.Fix, "audit_log", "log: read-only file system"})
}

// TestSilentDisk: a disk that does not say how much is free is to fix.
func TestSilentDisk(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	h := newHost(t)
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_STATFS}))
	named(t, h.check(t), want{check.Fix, "credentials_dir", "input/output error"}, want{check.Fix, "audit_log", "input/output error"})
}
