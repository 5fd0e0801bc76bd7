package audit_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestReady: it is known whether a line could be written, and none is.
func TestReady(t *testing.T) {
	if !kit.InMounts(t, "full and read-only disks") {
		return
	}
	kit.Must(t, audit.Log{}.Ready())
	if err := (audit.Log{Path: filepath.Join(t.TempDir(), "none", "audit")}).Ready(); fault.CodeOf(err) != fault.BadAuditLog {
		t.Errorf("no folder: %v", err)
	}
	log := onDisk(t, "size=12k", 0)
	free := func() uint64 {
		var s unix.Statfs_t
		kit.Must(t, unix.Statfs(filepath.Dir(log.Path), &s))
		return s.Bavail
	}
	kit.Must(t, log.Write(sample()))
	before, room := content(t, log), free()
	kit.Must(t, log.Ready())
	if content(t, log) != before || free() != room {
		t.Errorf("the log is %q, and %d of %d blocks are free", content(t, log), free(), room)
	}
	kit.Must(t, os.WriteFile(filepath.Join(filepath.Dir(log.Path), "x"), make([]byte, 8<<10), 0o600))
	if err := log.Ready(); fault.CodeOf(err) != fault.Shortage || content(t, log) != before {
		t.Errorf("a full disk: %v", err)
	}
	kit.Must(t, os.Remove(filepath.Join(filepath.Dir(log.Path), "x")))
	kit.Must(t, log.Ready())
	if content(t, log) != before {
		t.Errorf("the log is %q", content(t, log))
	}
}
