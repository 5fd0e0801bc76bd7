package run_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/creds/aws"
	"rolecall/internal/job"
	"rolecall/internal/stage/run"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// Names under which the test binary is another program.
const (
	stageName  = "run"
	runnerName = "runner"
)

// stage is the program run as its main.go makes it.
func stage() {
	run.New(run.Parts{Backends: []run.Backend{host.New()}, Providers: []run.Provider{aws.Scripts{}}}).Main()
}

// runner starts its arguments as a runner starts a stage, in a process group of its own,
// and prints the process id. The stage stops before it begins.
func runner() {
	command := exec.Command("sh", append([]string{"-c", `kill -STOP $$; exec "$@"`, "sh"}, os.Args[1:]...)...)
	command.Stdout, command.Stderr = os.NewFile(3, "out"), os.NewFile(3, "out")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if command.Start() != nil {
		os.Exit(1)
	}
	fmt.Println(command.Process.Pid)
	_ = os.NewFile(3, "out").Close()
	_ = command.Wait()
}

// deaf begins a script that only SIGKILL ends. Where the runner has died and nobody has
// cleaned up yet, a script has a grace to end by itself.
const deaf = "trap '' TERM\n"

// slow is a script that leaves time to be ended before it makes a file.
const slow = "sleep 0.3\nprintf '%%s\\n' secret=0123456789abcdef \"env=$CLOUD_SECRET\"\n: > %q\nsleep 0.05\n"

// halted is a job whose stage is stopped.
type halted struct {
	*call
	runner *exec.Cmd
	out    *os.File // what the stage prints
	read   bytes.Buffer
	pid    int // of the stage
	exit   int
	way
}

// way is how a job is cleaned up while its stage is stopped.
type way struct {
	tenant  string
	grouped bool // there may be a cgroup
	dies    bool // the runner dies, else it starts the cleanup
	hung    bool // a sweep has seen long ago that the runner is dead
}

// newHalted makes a job on this host, and starts its stage under a runner.
func newHalted(t *testing.T, programs string, how way) *halted {
	t.Helper()
	h := &halted{call: newCall(t, how.tenant, "build_script"), way: how}
	h.place(t)
	r, w, err := os.Pipe()
	kit.Must(t, err)
	h.out = r
	h.runner = exec.Command(filepath.Join(programs, runnerName), append([]string{filepath.Join(programs, stageName)}, h.args...)...)
	h.runner.Env = append(slices.Clone(h.environ), "HOME=/", h.mark(), "GORACE=atexit_sleep_ms=0")
	h.runner.ExtraFiles = []*os.File{w}
	told, err := h.runner.StdoutPipe()
	kit.Must(t, err)
	kit.Must(t, h.runner.Start())
	kit.Must(t, w.Close())
	_, err = fmt.Fscan(told, &h.pid)
	kit.Must(t, err)
	lease, err := state.NewLease(h.runner.Process.Pid, time.Hour)
	kit.Must(t, err)
	text, err := json.Marshal(lease)
	kit.Must(t, err)
	h.edit(t, `"backend":`, `"lease":`+string(text)+`,"backend":`)
	return h
}

// place makes the job one of the backend host, with its script.
func (h *halted) place(t *testing.T) {
	t.Helper()
	place := host.New()
	place.Ready()
	made, _, err := place.Place(t.Context(), backend.Spec{Job: job.Response{Key: job.Key{ID: 7}}, Store: h.root, AsRoot: true})
	kit.Must(t, err)
	data := string(made.Data)
	if !h.grouped {
		data = `{"as_root":true}`
	}
	h.edit(t, `"backend":"toy"`, `"backend":"`+made.Backend+`"`)
	h.edit(t, `"data":{"toy":true}`, `"data":`+data)
	script := slow
	if !h.dies {
		script = deaf + slow
	}
	h.write(t, "script", fmt.Sprintf(script, h.file("begun")))
}

// kill ends the runner.
func (h *halted) kill() {
	_ = h.runner.Process.Kill()
	_ = h.runner.Wait()
}

// TestStopped: run is stopped before each of its steps, its runner gives it up, and the
// job is cleaned up by another. When run goes on it starts no script and lets none go on,
// prints no secret and leaves nothing.
func TestStopped(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "stop a stage between two system calls")
	self, err := os.Executable()
	kit.Must(t, err)
	programs := t.TempDir()
	for _, name := range []string{stageName, runnerName} {
		kit.Must(t, os.Symlink(self, filepath.Join(programs, name)))
	}
	for name, how := range map[string]way{
		"cleanup":            {"alpha", true, false, false},
		"cleanup, no cgroup": {"", false, false, false},
		"sweep":              {"alpha", true, true, false},
		"sweep, hung":        {"alpha", true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; !t.Failed(); n++ {
				h := newHalted(t, programs, how)
				if !h.stoppedAt(t, n) {
					t.Logf("stopped at %d moments", n-1)
					break
				}
			}
		})
	}
}

// end ends the job.
func (h *halted) end(t *testing.T) {
	t.Helper()
	reap := backend.Reap([]backend.Reaper{host.New()})
	if !h.dies {
		_, err := state.Finish(t.Context(), h.root, job.Key{ID: 7}, reap, nil)
		kit.Must(t, err)
		return
	}
	h.kill()
	kit.Must(t, h.out.Close()) // nobody else has read what its stages print
	_, err := state.Sweep(t.Context(), h.root, reap, nil)
	kit.Must(t, err)
	if h.hung {
		h.endHung(t, reap)
	}
}

// endHung ends a job that the first sweep has left to its stage.
func (h *halted) endHung(t *testing.T, reap state.Reap) {
	t.Helper()
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(h.state("orphan"), past, past); err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	_, err := state.Sweep(t.Context(), h.root, reap, nil)
	kit.Must(t, err)
	if left := h.left(); len(left) > 0 {
		t.Errorf("the job of a stage that is stopped has left %q", left)
	}
}

// begun reports whether the script has gone on, or is alive: without a cgroup nobody but run
// can find it.
func (h *halted) begun() bool {
	_, err := os.Stat(h.file("begun"))
	alive := slices.ContainsFunc(kit.Marked(h.mark()), func(p kit.Process) bool {
		return strings.HasPrefix(p.Command, "bash ") || strings.HasPrefix(p.Command, "-bash ")
	})
	return err == nil || alive && !h.grouped
}

// mark is in the environment of the stage and its script.
func (h *halted) mark() string { return "STOPPED=" + h.dir }

// stoppedAt stops the stage at its n-th moment, and returns whether there are so many.
func (h *halted) stoppedAt(t *testing.T, n int) bool {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&h.read, h.out)
	}()
	var begun bool
	var since time.Time
	struck := h.trace(t, n, func() {
		h.end(t)
		begun, since = h.begun(), time.Now()
	})
	h.kill()
	<-done
	if !struck {
		return false
	}
	if took := time.Since(since); took > 5*time.Second {
		t.Errorf("moment %d: the stage goes on for %v", n, took)
	}
	if h.begun() && !begun {
		t.Errorf("moment %d: the script goes on", n)
	}
	if done := begun && h.exit == 0; !h.dies && !done && h.exit != 2 {
		t.Errorf("moment %d: exit code %d, want 2:\n%s", n, h.exit, &h.read)
	}
	if strings.Contains(h.read.String(), "0123456789abcdef") && h.tenant != "" {
		t.Errorf("moment %d: a secret is printed:\n%s", n, &h.read)
	}
	if h.dies { // a script that has ended before its runner is left for the next sweep
		_, err := state.Sweep(t.Context(), h.root, backend.Reap([]backend.Reaper{host.New()}), nil)
		kit.Must(t, err)
	}
	if left := h.left(); len(left) > 0 {
		t.Errorf("moment %d: left %q", n, left)
	}
	return true
}
