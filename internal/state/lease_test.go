package state_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// newLease returns the lease of a job whose runner is that process.
func newLease(t *testing.T, pid int) state.Lease {
	t.Helper()
	l, err := state.NewLease(pid, time.Hour)
	kit.Must(t, err)
	return l
}

// deadLease returns the lease of a job whose runner has died.
func deadLease(t *testing.T) state.Lease {
	t.Helper()
	runner := startRunner(t)
	l := newLease(t, runner.Process.Pid)
	die(runner)
	return l
}

// startRunner starts a process that stands for a runner. Its name is one that a
// careless reader of /proc would stumble over.
func startRunner(t *testing.T) *exec.Cmd {
	t.Helper()
	path := t.TempDir() + "/a) Z 1 (b) 2"
	kit.Must(t, os.Symlink("/bin/sleep", path))
	runner := exec.Command(path, "1000")
	kit.Must(t, runner.Start())
	t.Cleanup(func() { die(runner) })
	return runner
}

// die kills a process and takes what is left of it.
func die(runner *exec.Cmd) {
	_ = runner.Process.Kill()
	_ = runner.Wait()
}

// TestLease: one thing that differs is enough to end a lease, and what cannot be
// seen does not.
func TestLease(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(l *state.Lease)
		want   bool
	}{
		"as made":                     {func(*state.Lease) {}, true},
		"a reused id":                 {func(l *state.Lease) { l.RunnerStart-- }, false},
		"a dead runner":               {func(l *state.Lease) { l.RunnerPID = deadLease(t).RunnerPID }, false},
		"another boot":                {func(l *state.Lease) { l.BootID = "7b1f6f5e-0000-0000-0000-000000000000" }, false},
		"over":                        {func(l *state.Lease) { l.Expires -= 3 * 60 * 60 }, false},
		"about to be over":            {func(l *state.Lease) { l.Expires -= 3*60*60 - 60 }, true},
		"another container":           {func(l *state.Lease) { l.Namespace, l.RunnerPID = "pid:[1]", 1<<22+1 }, true},
		"another container, and over": {func(l *state.Lease) { l.Namespace, l.Expires = "pid:[1]", 1 }, false},
		"another container and boot":  {func(l *state.Lease) { l.Namespace, l.BootID = "pid:[1]", "x" }, false},
		"not known":                   {func(l *state.Lease) { l.RunnerPID = 0 }, true},
		"a process id below 0":        {func(l *state.Lease) { l.RunnerPID = -1 }, false},
		"none":                        {func(l *state.Lease) { *l = state.Lease{} }, false},
	} {
		l := newLease(t, startRunner(t).Process.Pid)
		test.change(&l)
		if got := l.Alive(); got != test.want {
			t.Errorf("%s: alive is %v, want %v: %+v", name, got, test.want, l)
		}
	}
}

// TestLeaseOfZombie: a runner that has died and was not yet waited for is dead.
func TestLeaseOfZombie(t *testing.T) {
	t.Parallel()
	runner := startRunner(t)
	l := newLease(t, runner.Process.Pid)
	if !l.Alive() {
		t.Error("a runner that lives is dead")
	}
	kit.Must(t, runner.Process.Kill())
	for begin := time.Now(); l.Alive(); {
		if time.Since(begin) > 5*time.Second {
			t.Fatal("a zombie is alive")
		}
	}
	if _, err := state.NewLease(runner.Process.Pid, time.Hour); err == nil || !strings.Contains(err.Error(), "is not alive") {
		t.Errorf("a lease on a zombie: %v", err)
	}
}

func TestNewLease(t *testing.T) {
	t.Parallel()
	for _, pid := range []int{-1, 1 << 30, deadLease(t).RunnerPID} {
		if l, err := state.NewLease(pid, time.Hour); err == nil {
			t.Errorf("a lease on %d: %+v", pid, l)
		}
	}
	for lifetime, want := range map[time.Duration]int64{0: 31*24*60*60 + 7200, time.Minute: 7260} {
		l, err := state.NewLease(0, lifetime)
		now := newLease(t, os.Getpid()).Expires - 3*60*60
		if got := l.Expires - now; err != nil || got < want-2 || got > want || !l.Alive() {
			t.Errorf("a lease of %v expires in %d s, %v, want %d", lifetime, got, err, want)
		}
	}
}

// TestRunner: the runner is found through a script around the stage.
func TestRunner(t *testing.T) {
	const started = "STORE_RUNNER"
	if os.Getenv(started) != "" {
		t.Logf("runner %d", state.Runner())
		return
	}
	t.Setenv(started, "1")
	test := kit.Executable(t) + " -test.run=^TestRunner$ -test.v; true"
	for _, script := range []string{"exec " + test, test, "sh -c '" + test + "'; true"} {
		stage := exec.Command("sh", "-c", script)
		stage.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := stage.CombinedOutput()
		if want := "runner " + itoa(os.Getpid()) + "\n"; err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want %s\n%s", script, err, want, out)
		}
	}
}

// TestWriteWithoutRunner: a stage whose runner has died gives no credentials, and the
// record stays until the job is reaped: its place may have been built.
func TestWriteWithoutRunner(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Lease: deadLease(t), Backend: "toy"}, p.builds)
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, os.WriteFile(p.env(7), nil, 0o600)) // no file of the job's would be made after all
	wantError(t, "Write", f.Write(credentials()), "the job gets no credentials: its runner, process ")
	p.noSecret(t)
	reaped := false
	_, err = state.Finish(t.Context(), p.root, key(7), func(context.Context, string, json.RawMessage, job.ID) error {
		reaped = true
		return nil
	}, nil)
	if err != nil || !reaped {
		t.Errorf("the end of the job: %v; reaped: %v", err, reaped)
	}
	p.gone(t, 7)
}

// TestRunnerDiesDuringWrite: the runner dies at the worst moment.
func TestRunnerDiesDuringWrite(t *testing.T) {
	t.Parallel()
	for range 20 {
		p, runner := newPlace(t), startRunner(t)
		f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Lease: newLease(t, runner.Process.Pid)}, p.builds)
		kit.Must(t, err)
		dead := make(chan struct{})
		go func() { die(runner); close(dead) }()
		err = f.Write(credentials())
		<-dead
		f.Close()
		_, lost := os.Stat(p.issued(7))
		if (err == nil) == os.IsNotExist(lost) {
			t.Errorf("written: %v; the credentials: %v", err, lost)
		}
		_, err = state.Sweep(t.Context(), p.root, noReap(t), nil) // the record has stayed for it
		kit.Must(t, err)
		p.gone(t, 7)
	}
}
