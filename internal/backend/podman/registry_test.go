package podman_test

import (
	"runtime"
	"testing"

	"rolecall/test/kit"
	"rolecall/test/lab"
)

// newRegistryWith starts a registry. It dies with the thread that starts it, and threads end
// by apart: this one stays.
func newRegistryWith(t *testing.T, o lab.RegistryOptions) *lab.Registry {
	t.Helper()
	var r *lab.Registry
	var err error
	started, end := make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		r, err = lab.StartRegistry(t.Context(), o)
		close(started)
		<-end
	}()
	<-started
	kit.Must(t, err)
	t.Cleanup(func() { r.Close(); close(end) })
	return r
}
