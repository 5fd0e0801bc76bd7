package podman

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// jobName is the name of the container in which the job's scripts run.
const jobName = "job"

// Build pulls the image of a job and creates its container, but does not start it. The job's
// record must have been written, so that whoever ends the job finds what Build makes.
//
// The store is locked until the file of the container names its images: who removes images
// finds either no job that has chosen some, or which ones.
func (b *Backend) Build(ctx context.Context, data json.RawMessage, id job.ID, o backend.Order) (err error) {
	e, err := b.newEngine(data)
	if err != nil {
		return err
	}
	defer func() { err = e.place.fullDisk(err) }()
	end, err := e.begin(id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	e.more = o.Proxy
	if err := e.makeSlot(ctx); err != nil {
		return err
	}
	if e.lock, err = e.openStore(ctx, o); err != nil {
		return err
	}
	defer e.lock.Close()
	images, err := e.fetchAll(ctx, o)
	if err != nil {
		return err
	}
	noteUse(e.place.Store, images)
	var h *hold
	if len(o.Containers.Services) > 0 || o.Endpoint && e.place.Network != hostNetwork {
		var leave func()
		if e, h, leave, err = e.serve(ctx, id, o, images[1:]); err != nil {
			return err
		}
		defer leave()
	}
	return e.create(ctx, o, images, h)
}

// begin makes the folders of the job, and its cgroup, as Begin. Meanwhile no sweep ends an
// earlier attempt at the job, whose names are the same.
func (e engine) begin(id job.ID) (end func() error, err error) {
	unlock, err := lockJobs(e.place.images(), unix.LOCK_SH)
	if err != nil {
		return nil, fault.New(fault.NoContainers, fmt.Errorf("the folders of jobs cannot be locked: %w", err), "").With("images_dir", e.place.images())
	}
	defer unlock()
	if end, err = e.Begin(e.data, id); err != nil {
		return nil, err
	}
	if err := e.place.make(newNote(e.place, e.data, id), e.as.UID, e.as.GID); err != nil {
		return nil, errors.Join(fault.New(fault.NoContainers, fmt.Errorf("the folders of the job's containers cannot be made: %w", err),
			"see what is wrong on the runner's host\nsudo rolecall check").With("folder", e.place.Dir), end())
	}
	return end, nil
}

// makeSlot makes the folder of the work tree as the job's user, who must be able to.
func (e engine) makeSlot(ctx context.Context) error {
	if info, err := os.Stat(e.place.Slot); err == nil && info.IsDir() {
		return nil
	}
	_, err := e.tool(ctx, []string{"mkdir", "-p", "--", e.place.Slot})
	if errors.As(err, new(failure)) {
		return fault.New(fault.BadUser, fmt.Errorf("the job's user cannot make the folder of its work tree: %w", err),
			"let the users of jobs pass through all folders above builds_dir").With("folder", e.place.Slot)
	}
	return err
}

// create creates the container of the job, whose image is the first one.
func (e engine) create(ctx context.Context, o backend.Order, images []image, h *hold) error {
	i := images[0]
	ctx, cancel := context.WithTimeoutCause(ctx, e.startTime, fmt.Errorf("podman has not ended after %s", e.startTime))
	defer cancel()
	user := o.Containers.Image.User
	made := container{}
	var err error
	if name := cmp.Or(user, i.user); !isRoot(name) {
		if made, err = e.probe(ctx, o.Containers.Image, i); err != nil {
			return err
		}
	}
	args := slices.Concat([]string{"create", "--name", jobName}, e.common(e.limits), forScripts(), network(e.place, o.Containers.Services, h != nil), e.mounts(o), start(o.Containers.Image, i, shell()))
	made.Images, made.Hold = idsOf(images), h
	if made.ID, err = e.do(ctx, e.place.onJob(rootDir, args...)); err != nil {
		e.place.forget(i.id)
		e.place.forgetFeatures()
		return engineFault("create the container of the job", err)
	}
	e.place.learnFeatures()
	return made.write(e.place.Dir)
}

// common returns the arguments of every container of the job. Where SELinux is on, it does
// not separate the container from the host (label=disable): files come into the shared folders
// from both sides and keep the label that they had elsewhere, and with no_new_privs podman and
// crun cannot change to the domains of container-selinux. Who the container is for the host,
// the unix user, is the wall.
//
// https://docs.podman.io/en/v4.3/markdown/podman-create.1.html (--volume, "Labeling Volume Mounts")
func (e engine) common(limits backend.Limits) []string {
	return []string{
		"--quiet", "--pull=never", "--cgroups=disabled", "--http-proxy=false", "--security-opt=label=disable",
		"--ulimit=nofile=" + bound(unix.RLIMIT_NOFILE, limits.OpenFiles), "--ulimit=nproc=" + bound(unix.RLIMIT_NPROC, limits.Processes),
	}
}

// forScripts returns the arguments of a container that reads scripts. What it prints is kept
// nowhere. What the image says of signals, which may be wrong, is not used, and no option of
// bash that it sets: with keyword, export would not export.
func forScripts() []string {
	return []string{"--interactive", "--init", "--log-driver=none", "--workdir=/", "--stop-signal=SIGTERM", "--unsetenv=SHELLOPTS", "--unsetenv=BASHOPTS"}
}

// bound returns a limit of the container: the wanted one, but no more than podman leaves
// itself. Without CAP_SYS_RESOURCE nobody can raise it again.
//
// https://github.com/containers/podman/blob/v4.3.1/cmd/podman/early_init_linux.go
func bound(resource int, want uint64) string {
	value := uint64(1 << 20)
	if resource == unix.RLIMIT_NPROC {
		value = pidMax()
	}
	var now unix.Rlimit
	if unix.Getrlimit(resource, &now) == nil {
		value = min(value, now.Max)
	}
	if want > 0 {
		value = min(value, want)
	}
	text := strconv.FormatUint(value, 10)
	return text + ":" + text
}

// pidMax returns how many processes the kernel can tell apart: 32768, if it does not say so.
func pidMax() uint64 {
	text, _ := os.ReadFile("/proc/sys/kernel/pid_max")
	if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
		return n
	}
	return 32768
}

// mounts returns the arguments for what the container sees of the host: the work tree and
// the job's own folder, at their own paths, and a program of the driver. In place of the
// folder of the secrets it has an empty one in memory.
func (e engine) mounts(o backend.Order) []string {
	var args []string
	for _, path := range e.place.shared() {
		args = append(args, "--volume="+path+":"+path)
	}
	if o.Program != "" {
		args = append(args, "--volume="+o.Program+":"+o.Program+":ro")
	}
	if o.Secrets != "" {
		args = append(args, "--tmpfs="+o.Secrets+":rw,nosuid,nodev,noexec,size=1m,mode=1777")
	}
	return args
}

// start returns the arguments for what the container starts.
func start(asked backend.Image, i image, command []string) []string {
	var args []string
	if asked.User != "" {
		args = append(args, "--user="+asked.User)
	}
	if asked.HasEntry {
		args = append(args, "--entrypoint="+entrypoint(asked.Entrypoint))
	}
	return slices.Concat(args, []string{i.id}, command)
}

// entrypoint returns an entrypoint as podman has it: a list in JSON, or nothing. As with
// GitLab's docker executor, a list of one empty text is nothing.
func entrypoint(words []string) string {
	if len(words) == 0 || len(words) == 1 && words[0] == "" {
		return ""
	}
	list, _ := json.Marshal(words) // a list of texts
	return string(list)
}

// shell returns the command that reads scripts: bash if the image has it, else sh.
//
// https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v19.4.0/shells/bash.go (BashDetectShellScript)
func shell() []string {
	const find = `for s in /usr/local/bin/bash /usr/bin/bash /bin/bash /usr/local/bin/sh /usr/bin/sh /bin/sh /busybox/sh; do [ -x "$s" ] && exec "$s"; done; echo shell not found; exit 1`
	return []string{"sh", "-c", find}
}

// isRoot reports whether a user of an image is root.
func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "" || name == "root" || strings.Trim(name, "0") == ""
}
