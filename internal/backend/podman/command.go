package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/script"
)

// path is where podman finds its helpers.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Folders of a job, in its Dir. All but Dir itself belong to the job's user.
const (
	rootDir  = "root"  // the engine root, with the containers
	probeDir = "probe" // an engine root to look into an image, and removed after that
	runDir   = "run"   // what podman keeps while containers run
	homeDir  = "home"  // podman's HOME, so that files of the user's say nothing
	tempDir  = "tmp"
)

// environ returns the environment of podman. It is a Go program whose memory is not much
// more than what it starts with: it collects garbage when that is five times as much (GOGC),
// which for a container is hardly ever.
func (p place) environ(as script.User) []string {
	return []string{
		"PATH=" + path,
		"LANG=C",
		"GOGC=400",
		"HOME=" + filepath.Join(p.Dir, homeDir),
		"TMPDIR=" + filepath.Join(p.Dir, tempDir),
		"XDG_RUNTIME_DIR=" + filepath.Join(p.Dir, runDir),
		"_CONTAINERS_USERNS_CONFIGURED=done",
		fmt.Sprintf("_CONTAINERS_ROOTLESS_UID=%d", as.UID),
		fmt.Sprintf("_CONTAINERS_ROOTLESS_GID=%d", as.GID),
	}
}

// onStore returns the arguments of podman for work on the store of images. podman notes the
// other folders in the store, and refuses a store that was used with others. So they are
// those of the store, not of the job.
func (p place) onStore(args ...string) []string {
	run := filepath.Join(linkTo(p.Store), runDir)
	return append([]string{"--root", p.Store, "--runroot", run, "--tmpdir", filepath.Join(run, "libpod")}, args...)
}

// onJob returns the arguments of podman for work in an engine root of the job.
func (p place) onJob(root string, args ...string) []string {
	return append([]string{
		"--root", filepath.Join(p.Dir, root), "--runroot", filepath.Join(linkTo(p.run()), root),
		"--storage-opt", "overlay.imagestore=" + p.Store,
	}, args...)
}

// podman returns the whole command line of podman.
func podman(args []string) []string {
	return append([]string{
		"podman", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--runtime", "crun", "--events-backend", "none",
	}, args...)
}

// engine runs podman and other programs for a job, as the root of the job's user namespace.
type engine struct {
	*Backend

	place  place
	data   json.RawMessage
	as     script.User
	limits backend.Limits
	more   []string                                 // further variables of podman, such as those of proxies, to pull through
	start  func(*exec.Cmd, *script.Namespace) error // starts a program in a namespace
	joined []*os.File                               // the namespaces to run in; nil: new ones for each program
	lock   *os.File                                 // of the store; nil: it is not locked
}

// newEngine returns the engine of a job. What it starts is in the cgroup of Begin.
func (b *Backend) newEngine(data json.RawMessage) (engine, error) {
	p, err := parse(data)
	if err != nil {
		return engine{}, err
	}
	as, err := b.User(data)
	if err == nil && as == nil {
		err = errors.New("the record of a job with an image names no unix user")
	}
	if err != nil {
		return engine{}, err
	}
	limits, err := b.Limits(data)
	start := func(cmd *exec.Cmd, own *script.Namespace) error { return b.StartIn(data, cmd, own) }
	return engine{Backend: b, place: p, data: data, as: *as, limits: limits, start: start}, err
}

// outside returns an engine that starts programs in no cgroup: that of the job is killed
// when its script has ended.
func (e engine) outside() engine {
	e.start = func(cmd *exec.Cmd, own *script.Namespace) error {
		as := e.as
		as.Own = own
		return script.Start(cmd, &as, nil)
	}
	return e
}

// namespace returns the namespace that programs start in.
func (e engine) namespace() *script.Namespace {
	return &script.Namespace{First: e.place.IDs.First, Count: e.place.IDs.Count, Joins: e.joined != nil}
}

// command returns the command line of a program, and its descriptors from 3 on: files, and
// those of the namespaces.
func (e engine) command(args []string, files ...*os.File) ([]string, []*os.File, error) {
	if e.joined != nil {
		args, files = enter(3+len(files), len(e.joined), args), slices.Concat(files, e.joined)
	}
	full, err := exec.LookPath(args[0])
	if err != nil {
		return nil, nil, err
	}
	return append([]string{full}, args[1:]...), files, nil
}

// failure is an error of a program. What it says is for people: no decision rests on it.
type failure struct {
	program string
	code    int
	says    string
	full    bool // it names a full disk
}

// Error returns what the program has said last.
func (f failure) Error() string {
	return fmt.Sprintf("%s ended with %d: %s", f.program, f.code, f.says)
}

// do runs podman and returns what it prints. If podman fails, the error is a failure.
func (e engine) do(ctx context.Context, args []string, files ...*os.File) (string, error) {
	return e.tool(ctx, podman(args), files...)
}

// tool runs a program and returns what it prints, as do.
func (e engine) tool(ctx context.Context, args []string, files ...*os.File) (string, error) {
	command, files, err := e.command(args, files...)
	if err != nil {
		return "", err
	}
	var out, says bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = "/", append(e.place.environ(e.as), e.more...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = limited(&out), limited(&says), files
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	if err := e.start(cmd, e.namespace()); err != nil {
		return "", fmt.Errorf("start %s: %w", args[0], err)
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", failure{args[0], cmd.ProcessState.ExitCode(), lastLine(says.String()), namesFullDisk(says.String())}
	}
	return strings.TrimSpace(out.String()), nil
}

// maxAnswer bounds how much of podman's output is kept.
const maxAnswer = 1 << 20

// limit is a writer that drops what is too much.
type limit struct {
	to   io.Writer
	left int
}

// limited returns a writer to to that drops what is too much.
func limited(to io.Writer) io.Writer { return &limit{to, maxAnswer} }

// Write writes what is not too much.
func (l *limit) Write(p []byte) (int, error) {
	kept := p[:min(len(p), l.left)]
	l.left -= len(kept)
	_, err := l.to.Write(kept)
	return len(p), err
}

// lastLine returns the last line of a text that is not empty.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
