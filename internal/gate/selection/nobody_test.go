package selection_test

import (
	"os"
	"runtime"
	"testing"

	"rolecall/test/kit"

	"golang.org/x/sys/unix"
)

// asNobody calls f without root's right to ignore permissions, on a new thread that
// ends with f.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan error, 1)
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, so that the thread ends
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capset(&header, &data[0])
		if err == nil {
			f()
		}
		done <- err
	}()
	kit.Must(t, <-done)
}
