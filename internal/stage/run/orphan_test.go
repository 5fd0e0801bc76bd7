package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// stopped is a toy whose runner asks it to stop while a script runs, and dies.
type stopped struct{ *toy.Backend }

func (s stopped) Run(ctx context.Context, data json.RawMessage, script backend.Script) (backend.Result, error) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		return backend.Result{}, err
	}
	<-ctx.Done()
	return s.Backend.Run(ctx, data, script)
}

// TestOrphan: a run whose runner has died ends the job, as nobody comes after it. It
// runs in a child process, since the signal reaches the whole process.
func TestOrphan(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	tests := map[string]struct {
		stuck error
		want  string
		left  []string // in the job's folder
	}{
		"all can be killed": {nil, "the runner has asked to stop", nil},
		"one process stays": {errors.New("process 9 stays"), "its processes cannot be killed: process 9 stays", []string{"removed.json"}},
	}
	for name, test := range tests {
		c := newCall(t, "alpha", "build_script").audited(t)
		c.hold(t)
		place := stopped{&toy.Backend{Stuck: test.stuck}}
		got := c.with(place)
		if got.code != 2 || !strings.Contains(got.log, test.want) {
			t.Errorf("%s: %+v, want exit code 2 with %q", name, got, test.want)
		}
		if want := []string{"7 " + toy.Data}; !slices.Equal(place.Reaped, want) {
			t.Errorf("%s: reaped %q, want %q", name, place.Reaped, want)
		}
		if left := c.left(); !slices.Equal(left, test.left) {
			t.Errorf("%s: left %q, want %q", name, left, test.left)
		}
		if !strings.Contains(got.log, "the credentials of job 7 are not revoked: the program revoke: ") {
			t.Errorf("%s: nothing is revoked: %s", name, got.log)
		}
		ended := audit.Event{Event: audit.Ended, Code: fault.Interrupted, Side: fault.Infrastructure}
		if test.left != nil {
			ended.Code, ended.Side = fault.LeftBehind, fault.Admin
		}
		c.checkEvents(t, name, ended, audit.Event{Event: audit.Masked, Stage: "build_script", Count: 2})
	}
}

// hold gives the job a credential that must be revoked.
func (c *call) hold(t *testing.T) {
	t.Helper()
	f, err := state.Open(c.root, job.Key{ID: 7})
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, f.Hold(creds.Handle{Provider: "toy", Terms: mask.NewSecret("{}"), Until: time.Now().Add(time.Hour)}))
}
