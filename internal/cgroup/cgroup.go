// Package cgroup keeps the processes of a job together, so that all of them can be
// killed: daemons in other sessions, processes of other users, and fork bombs. Each job
// has a cgroup rolecall-<job id> below the driver's own cgroup. The job's scripts start
// in this cgroup.
//
// The package uses the cgroup v2 hierarchy or, if that is not usable, the freezer of
// v1. Both work without controllers and limits, so the driver may stay in the parent
// cgroup. A process can leave its group only if it may write to the parent. Scripts may
// do so if they run as root, or as the driver's user and the parent is delegated to this
// user. A process that another service starts for a script (cron, systemd, a container
// engine) is in no group of the job. A child subreaper finds some of these processes.
//
// No library fits. containerd/cgroups and opencontainers/cgroups make groups for
// containers: they choose limits, eBPF programs and systemd units, and do not start a
// process in a group. The first does not support the v1 freezer, the second does not
// kill. They add 5.2 and 2.1 MB, and 0.7 and 0.3 ms, to a program that starts ten times
// a job.
package cgroup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrUnavailable is wrapped by errors that say why the driver cannot create a cgroup.
var ErrUnavailable = errors.New("no cgroup for jobs")

// Kind is a kind of cgroup.
type Kind string

// The kinds, in the order in which they are tried. V2 needs Linux 5.7, which can start a
// process in a group (CLONE_INTO_CGROUP, clone(2)).
const (
	V2 Kind = "cgroup v2"
	V1 Kind = "cgroup v1 freezer"
)

// prefix is the beginning of a group's name. The job's id follows.
const prefix = "rolecall-"

// Parent is the cgroup that holds the groups of jobs.
type Parent struct {
	dir dir
	own bool // this process is in it
}

// Group is the cgroup of one job. Its Parent must stay open while it is used.
type Group struct {
	dir    dir
	parent *Parent
	job    int64
	killed atomic.Bool // Kill was called
	slow   bool        // for tests: behave as if the kernel had no cgroup.kill
}

// Own returns the cgroup of this process. If no group can be created in it, the error is
// an ErrUnavailable and gives the reason for each kind.
func Own() (*Parent, error) { return own(V2, V1) }

// At returns the Parent at path, a result of Path. It serves to kill and remove groups
// that were created by a driver in another cgroup: the service of a timer finds the
// groups of the runner's service. Create does not work in it. The error is an
// fs.ErrNotExist if the cgroup is gone.
func At(path string) (*Parent, error) {
	d, err := openDir(path)
	if err != nil {
		return nil, err
	}
	return &Parent{dir: d}, nil
}

// Kind returns the kind of the cgroup.
func (p *Parent) Kind() Kind { return p.dir.kind }

// Path returns the folder of the cgroup, for At.
func (p *Parent) Path() string { return p.dir.path }

// Close closes the descriptor. The cgroup stays.
func (p *Parent) Close() { p.dir.close() }

// Create creates an empty group for a job. If an earlier stage left a group, Create first
// kills its processes and removes it, with the errors of Remove. The error is an
// ErrUnavailable if the group cannot be created.
func (p *Parent) Create(ctx context.Context, job int64) (*Group, error) {
	if job <= 0 || !p.own {
		return nil, fmt.Errorf("%w: job %d in %s", ErrUnavailable, job, p.dir.path)
	}
	err := p.mkdir(job)
	if errors.Is(err, unix.EEXIST) {
		if err := p.Remove(ctx, job); err != nil {
			return nil, err
		}
		err = p.mkdir(job)
	}
	if err != nil {
		return nil, err
	}
	return p.open(job)
}

// mkdir makes the group of a job. The error is an ErrUnavailable.
func (p *Parent) mkdir(job int64) error {
	if err := unix.Mkdirat(p.dir.fd, name(job), 0o755); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, p.dir.errorf(name(job), err))
	}
	return nil
}

// open returns the group of a job. The error is an fs.ErrNotExist if there is none.
func (p *Parent) open(job int64) (*Group, error) {
	d, err := p.dir.open(name(job))
	if err != nil {
		return nil, err
	}
	return &Group{dir: d, parent: p, job: job}, nil
}

// List returns the ids of all jobs that have a group, sorted.
func (p *Parent) List() ([]int64, error) {
	names, err := p.dir.children()
	if err != nil {
		return nil, err
	}
	var jobs []int64
	for _, n := range names {
		if job, ok := jobOf(n); ok {
			jobs = append(jobs, job)
		}
	}
	slices.Sort(jobs)
	return jobs, nil
}

// name returns the name of a job's group.
func name(job int64) string { return prefix + strconv.FormatInt(job, 10) }

// jobOf returns the job whose group has that name, and whether there can be one.
func jobOf(group string) (int64, bool) {
	digits, _ := strings.CutPrefix(group, prefix)
	job, err := strconv.ParseInt(digits, 10, 64)
	return job, err == nil && job > 0 && group == name(job)
}

// Fork calls fork, so that the child which fork starts is in the group before its first
// instruction. The function fork must start the child in the calling goroutine and with
// attr: in v2, attr gets the group's descriptor. This process stays outside of the group.
// In v1 the calling thread is in the group while fork runs; if somebody kills the group
// at this moment, this process dies too.
func (g *Group) Fork(attr *syscall.SysProcAttr, fork func() error) error {
	if g.killed.Load() {
		return g.dir.errorf("", errors.New("was killed; create the group again"))
	}
	if g.dir.kind == V2 {
		attr.UseCgroupFD, attr.CgroupFD = true, g.dir.fd
		return fork()
	}
	return g.forkInside(fork)
}

// forkInside calls fork while the calling thread is in the group.
func (g *Group) forkInside(fork func() error) (err error) {
	if err := g.enter(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.leave()) }()
	return fork()
}

// enter locks the calling thread and moves it into the group.
func (g *Group) enter() error {
	runtime.LockOSThread() // the runtime does not clone a locked thread, so no other thread gets into the group
	err := g.dir.write("tasks", "0")
	if err != nil {
		runtime.UnlockOSThread()
	}
	return err
}

// leave moves the calling thread back into the parent and unlocks it. If it fails, the
// thread stays locked: no other goroutine may run in it.
func (g *Group) leave() error {
	if err := g.parent.dir.write("tasks", "0"); err != nil {
		return fmt.Errorf("leave the cgroup of the job: %w", err)
	}
	runtime.UnlockOSThread()
	return nil
}

// Processes returns the ids of all processes in the group and in the groups below it.
// For processes outside of the driver's PID namespace, v2 has the id 0 and v1 has none.
func (g *Group) Processes() ([]int, error) {
	var pids []int
	err := g.dir.walk(func(d dir) error {
		content, err := d.read("cgroup.procs")
		for line := range strings.Lines(content) {
			pid, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
			if err != nil {
				return fmt.Errorf("%s/cgroup.procs: %w", d.path, err)
			}
			pids = append(pids, pid)
		}
		if errors.Is(err, unix.EOPNOTSUPP) { // a threaded group: the file of its domain lists its processes
			return nil
		}
		return err
	})
	slices.SortFunc(pids, cmp.Compare)
	return slices.Compact(pids), err
}

// Close closes the descriptor. The group stays, with its processes.
func (g *Group) Close() { g.dir.close() }
