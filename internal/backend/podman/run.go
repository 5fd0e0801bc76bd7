package podman

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
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
			return backend.Result{}, fault.New(fault.Engine, err, "start the job again, unless one of its scripts has killed the process that keeps the network")
		}
		defer leave()
	}
	return e.run(ctx, s, c)
}

// run lends the shared folders to the container while its script runs.
func (e engine) run(ctx context.Context, s backend.Script, c container) (backend.Result, error) {
	began, err := newSign(e.place.Own, e.as)
	if err != nil {
		return backend.Result{}, err
	}
	cut, start := e.place.isLent(), time.Now()
	ended, err := e.lendAndRun(ctx, s, c, began.Name())
	seen := began.given()
	if err != nil {
		return backend.Result{}, err
	}
	result, err := e.judge(ctx, ended, seen, start)
	if err != nil && cut && !seen {
		err = cutShort(err)
	}
	return result, err
}

// lendAndRun is run without the verdict.
func (e engine) lendAndRun(ctx context.Context, s backend.Script, c container, sign string) (script.Result, error) {
	if err := e.lend(ctx, c); err != nil {
		return script.Result{}, err
	}
	ended, err := e.attach(ctx, s, sign)
	if back := e.takeBack(context.Background()); err == nil {
		err = back
	}
	return ended, err
}

// attach starts the container with the script on its standard input.
func (e engine) attach(ctx context.Context, s backend.Script, sign string) (script.Result, error) {
	text, err := opening(sign, s, e.limits)
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
	watching, end := context.WithCancel(ctx)
	lost := make(chan error, 1)
	go func() { lost <- e.watch(watching) }()
	ended, err := e.RunWith(ctx, e.data, s, func(run *script.Script) {
		run.Env, run.Dir, run.Program, run.User.Own = e.place.environ(e.as), "/", program, e.namespace()
	})
	end()
	return ended, cmp.Or(<-lost, err)
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
