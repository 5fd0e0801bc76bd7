package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/script"
)

// Run runs a script: one of the user in the job's container, another one on this host.
func (b *Backend) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	if !inContainer(s.Stage) {
		return b.Backend.Run(ctx, data, s)
	}
	e, err := b.newEngine(data)
	if err != nil {
		return backend.Result{}, err
	}
	c, err := readContainer(e.place.Dir)
	if err != nil {
		return backend.Result{}, fmt.Errorf("the container of the job: %w", err)
	}
	if c.Hold != nil {
		var leave func()
		if e, leave, err = e.within(c.Hold); err != nil {
			return backend.Result{}, fault.New(fault.Engine, err, "")
		}
		defer leave()
	}
	return e.run(ctx, s, c)
}

// run lends the shared folders to the container while its script runs.
func (e engine) run(ctx context.Context, s backend.Script, c container) (backend.Result, error) {
	if err := e.lend(ctx, c); err != nil {
		return backend.Result{}, err
	}
	ended, err := e.attach(ctx, s)
	if back := e.takeBack(context.Background()); err == nil {
		err = back
	}
	if err != nil {
		return backend.Result{}, err
	}
	return e.judge(ctx, ended)
}

// attach starts the container with the script on its standard input.
func (e engine) attach(ctx context.Context, s backend.Script) (script.Result, error) {
	limits, err := e.Limits(e.data)
	if err != nil {
		return script.Result{}, err
	}
	text, err := opening(e.place.Own, s, limits)
	if err != nil {
		return script.Result{}, err
	}
	args, files, err := e.command(podman(e.place.onJob(rootDir, "start", "--attach", "--interactive", jobName)))
	if err != nil {
		return script.Result{}, err
	}
	program := &script.Program{Args: args, Opening: text, Signal: e.signal}
	for _, f := range files {
		program.Files = append(program.Files, f.Fd())
	}
	if e.joined != nil {
		program.Settle = e.settle
	}
	return e.RunWith(ctx, e.data, s, func(run *script.Script) {
		run.Env, run.Dir, run.Program, run.User.Own = e.place.environ(e.as), "/", program, e.namespace()
	})
}

// settleTime bounds how long the monitor of a container may take to end.
const settleTime = 2 * time.Second

// settle waits until the monitor of the container has ended. It unmounts what the container
// had. In namespaces that the next stage enters too, a monitor that is killed meanwhile would
// leave a container that cannot start again.
func (e engine) settle() {
	for end := time.Now().Add(settleTime); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if pids, err := e.Processes(); err != nil || len(pids) == 0 {
			return
		}
	}
}

// signal sends a signal to the script in the container: SIGTERM to all its processes, and
// SIGKILL to the first of them, with which all others die. So the monitor of the container
// stays, and can say how the container ended. If no process of the container is seen, podman
// itself gets the signal.
func (e engine) signal(leader int, signal unix.Signal) {
	sent := false
	for pid, fd := range e.openProcesses() {
		first, inside := inNamespace(pid)
		if inside && (first || signal != unix.SIGKILL) {
			sent = unix.PidfdSendSignal(fd, signal, nil, 0) == nil || sent
		}
		_ = unix.Close(fd)
	}
	if !sent {
		_ = unix.Kill(-leader, signal)
	}
}

// openProcesses opens the processes in the cgroup of the job. An id may become that of a
// process of others at any time, so those that are opened are looked for in the cgroup again.
func (e engine) openProcesses() map[int]int {
	opened := map[int]int{}
	pids, _ := e.Processes()
	for _, pid := range pids {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			opened[pid] = fd
		}
	}
	pids, _ = e.Processes()
	for pid, fd := range opened {
		if !slices.Contains(pids, pid) {
			_ = unix.Close(fd)
			delete(opened, pid)
		}
	}
	return opened
}

// inNamespace reports whether a process is in another PID namespace than this one, and
// whether it is the first process there.
func inNamespace(pid int) (first, inside bool) {
	own, _ := os.Readlink("/proc/self/ns/pid")
	its, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid")
	if err != nil || its == own {
		return false, false
	}
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			return len(fields) > 0 && fields[len(fields)-1] == "1", true
		}
	}
	return false, true
}

// judge says how a script ended. Podman has exit codes of its own that a script can have too,
// and ends in one way or another if the container's monitor dies: then podman is asked.
func (e engine) judge(ctx context.Context, ended script.Result) (backend.Result, error) {
	result := backend.Result{Code: ended.Code, Left: ended.Left}
	err := os.Remove(filepath.Join(e.place.Own, began))
	if ctx.Err() != nil {
		return result, nil
	}
	if ended.Signaled {
		return backend.Result{}, fault.New(fault.Engine, errors.New("podman was killed before the script ended"), "")
	}
	if errors.Is(err, fs.ErrNotExist) && ended.Code != 125 {
		return backend.Result{}, noShell(ended.Code)
	}
	if ended.Code == 0 || ended.Code < 125 || 128 < ended.Code && ended.Code < 255 {
		return result, err
	}
	return result, e.confirm(ended.Code)
}

// noShell is the error of an image whose container ended before a shell read the script.
func noShell(code int) error {
	return fault.New(fault.ImageFails, fmt.Errorf("the container ended with %d before a shell read the script", code),
		`set entrypoint: [""] of the image in .gitlab-ci.yml, if its entrypoint does not start the command that it gets; the image must have sh`)
}

// confirmTime bounds how long podman may take to say how a container ended.
const confirmTime = 10 * time.Second

// confirm returns an error unless podman says that the container ended with the code.
func (e engine) confirm(code int) error {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	answer, err := e.outside().do(ctx, e.place.onJob(rootDir, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", jobName))
	if want := fmt.Sprintf("exited %d", code); err == nil && answer != want {
		err = fmt.Errorf("podman ended with %d, and the container is %q", code, answer)
	}
	if err != nil {
		return fault.New(fault.Engine, fmt.Errorf("the container engine ended before the script: %w", err), "")
	}
	return nil
}
