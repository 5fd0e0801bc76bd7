package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
)

// startTime bounds how long podman may take to create a container, and to start it. Podman
// waits for ever for some files of an image, such as a pipe at /etc/passwd.
const startTime = time.Minute

// watchEvery is how often a container is looked at while it runs.
const watchEvery = time.Second

// watch looks after a container until ctx is done. It kills all of it, and returns why, if
// podman does not start it, or if its monitor is gone while its processes run: podman would
// notice that only after 20 seconds.
func (e engine) watch(ctx context.Context) error {
	started, alone := false, 0
	for begin := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
		inside, monitored := e.see()
		started = started || inside
		if alone++; !inside || monitored {
			alone = 0
		}
		switch {
		case alone > 1:
			e.killAll()
			return fault.New(fault.Engine, errors.New("the container engine ended before the script"), "").
				Detail("why", "the monitor of the container (conmon) was killed")
		case !started && time.Since(begin) > e.startTime:
			e.killAll()
			return fault.New(fault.Engine, fmt.Errorf("podman has not started the container after %s", e.startTime), pipeNext)
		}
	}
}

// pipeNext says what to do if podman hangs.
const pipeNext = "look at the image: podman waits for a pipe at its /etc/passwd or /etc/group; without that, look at the load of the runner's host"

// see reports whether processes of the container and its monitor are there.
func (e engine) see() (inside, monitored bool) {
	pids, _ := e.Processes()
	for _, pid := range pids {
		if _, in := inNamespace(pid); in {
			inside = true
		} else if name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm"); strings.TrimSpace(string(name)) == "conmon" {
			monitored = true
		}
		if inside && monitored {
			break
		}
	}
	return inside, monitored
}

// killAll kills the container, and podman.
func (e engine) killAll() {
	for _, fd := range e.openProcesses() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		_ = unix.Close(fd)
	}
}
