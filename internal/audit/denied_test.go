package audit_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestDenied: no line is written to a log that cannot be locked, or whose last line cannot be
// read.
func TestDenied(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]uint32{"lock": unix.SYS_FLOCK, "read": unix.SYS_PREAD64} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			log := newLog(t)
			kit.Must(t, log.Write(sample()))
			before := content(t, log)
			kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: call}))
			refused(t, log, fault.Infrastructure, "input/output error")
			if content(t, log) != before {
				t.Errorf("the log is %q, want %q", content(t, log), before)
			}
		})
	}
}
