package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
	"rolecall/internal/script"
)

// hold is a process that keeps the namespaces of a job with services: those of users, of
// mounts and of the network. All containers of the job are in them.
type hold struct {
	PID int    `json:"pid"`
	ID  uint64 `json:"id"` // inode of its user namespace, which no later process with the same id has
}

// kinds are the namespaces of a hold, in the order of the descriptors that nsenter gets.
func kinds() []string { return []string{"user", "mnt", "net"} }

// newHold starts the process, with an engine of lasting. Its loopback interface is up.
func (e engine) newHold(ctx context.Context) (*hold, error) {
	const stay = `ip link set lo up && { sleep infinity </dev/null >/dev/null 2>&1 & echo $!; }`
	own := e.place.IDs
	own.Net = true
	start := e.start
	e.start = func(cmd *exec.Cmd, _ *script.Namespace) error { return start(cmd, &own) }
	answer, err := e.tool(ctx, []string{"sh", "-c", stay})
	if err != nil {
		return nil, engineFault("make the network of the job", err)
	}
	pid, err := strconv.Atoi(answer)
	if err != nil {
		return nil, engineFault("make the network of the job", err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/user", pid), &stat); err != nil {
		return nil, engineFault("make the network of the job", err)
	}
	return &hold{pid, stat.Ino}, nil
}

// open opens the namespaces. If the process is gone, that is an error.
func (h *hold) open() ([]*os.File, error) {
	var files []*os.File
	for _, kind := range kinds() {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", h.PID, kind))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the network of the job is gone: %w", err), closeAll(files))
		}
		files = append(files, f)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(files[0].Fd()), &stat); err != nil || stat.Ino != h.ID {
		return nil, errors.Join(errors.New("the network of the job is gone"), closeAll(files))
	}
	return files, nil
}

// closeAll closes files.
func closeAll(files []*os.File) error {
	var err error
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// enter returns the command that runs args in the first namespaces of a hold, count of them,
// whose descriptors begin at first.
func enter(first, count int, args []string) []string {
	command := []string{"nsenter"}
	for i, option := range []string{"--user", "--mount", "--net"}[:count] {
		command = append(command, fmt.Sprintf("%s=/proc/self/fd/%d", option, first+i))
	}
	return slices.Concat(command, []string{"--setuid=0", "--setgid=0", "--"}, args)
}

// within returns an engine that runs programs in the namespaces, and how to close them.
func (e engine) within(h *hold) (engine, func(), error) {
	files, err := h.open()
	if err != nil {
		return engine{}, nil, err
	}
	e.joined = files
	return e, func() { _ = closeAll(files) }, nil
}

// lasting returns an engine whose programs are in the cgroup that stays until the job ends.
func (e engine) lasting(id job.ID) (engine, error) {
	var err error
	e.start, err = e.Lasting(e.data, id)
	return e, err
}
