package check_test

import (
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/doctor/check"
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

// TestNotRoot: who cannot become a user of jobs does not call the user fit.
func TestNotRoot(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a doctor of another user")
	}
	if !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 64131, Gid: 64131}}) {
		return
	}
	got := check.CheckUser(alphaUser)
	if len(got) != 1 || got[0].State != check.Fix || !strings.Contains(got[0].What, "uid 64131 cannot run scripts as uid 33") {
		t.Errorf("%+v", got)
	}
}
