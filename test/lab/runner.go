package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// RunnerOptions say how to start a runner.
type RunnerOptions struct {
	// Dir is an empty folder for the runner's files, builds and caches. Do not use it
	// for anything else: Close kills every process that works in it.
	Dir         string
	Coordinator string // the URL of the GitLab server
	Runners     []Runner
	// Env is added to the environment of the service, and so to the executor's binaries'.
	Env        []string
	Concurrent int    // default: 4 more than there are runners
	LogLevel   string // default "info"; "debug" shows what the cleanup stage prints
	Settings   string // more lines of TOML for the top of the configuration
	// User is the unix user of the shell executor's scripts; empty: the test's own.
	User string
	// Programs are the names of the binaries that jobs and the driver need, the runner's own and
	// those of the driver; nil: all.
	Programs []string
	// Under is the beginning of a command line that runs the runner, such as nsenter and
	// its flags. What it names must start the runner in its own process.
	Under []string
}

// Runner is one [[runners]] block of the configuration.
type Runner struct {
	Name     string
	Token    string
	Executor string // "custom", the default, "shell", or "docker", see Docker.Runner
	// Driver has the custom executor's command lines, rolecall's binaries where empty.
	Driver Driver
	// Args are added to each of the driver's command lines.
	Args           []string
	Environment    []string // job variables that the runner sets, as NAME=value
	Settings       string   // more lines of TOML for the block
	CustomSettings string   // more lines of TOML for its [runners.custom]
}

// Driver is the command line of each of a custom executor's stages.
type Driver struct {
	Config, Prepare, Run, Cleanup []string
}

// RunnerService is a running GitLab Runner.
type RunnerService struct {
	// BuildsDir, CacheDir, TempDir and HomeDir are below the Dir of the options.
	BuildsDir, CacheDir, TempDir, HomeDir string

	dir, binDir string
	searchPath  string
	service     *service
	close       func() error
}

// StartRunner starts a runner and waits until it looks for jobs. When ctx ends, the
// runner is killed. Close waits for its end and kills the processes that jobs have
// left.
func StartRunner(ctx context.Context, opts RunnerOptions) (*RunnerService, error) {
	programs, err := opts.programs()
	if err != nil {
		return nil, err
	}
	r := newRunnerService(opts.Dir)
	if err := r.makeFolders(); err != nil {
		return nil, err
	}
	if err := r.install(programs); err != nil {
		return nil, err
	}
	if err := errors.Join(openPath(r.dir), r.handOver(opts)); err != nil {
		return nil, err
	}
	config, err := r.configuration(opts)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(opts.Dir, "config.toml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := opts.command(programs.GitLabRunner, path)
	cmd.Dir = r.HomeDir
	cmd.Env = environment(r.binDir, r.HomeDir,
		append([]string{"TMPDIR=" + r.TempDir}, opts.Env...))
	r.service, err = startService(ctx, cmd, filepath.Join(opts.Dir, "runner.log"))
	if err != nil {
		return nil, err
	}
	if err := r.waitReady(ctx); err != nil {
		return nil, errors.Join(r.service.fail(err), r.Close())
	}
	return r, nil
}

// programs finds the binaries.
func (o RunnerOptions) programs() (Programs, error) {
	if o.Programs == nil {
		return Binaries()
	}
	return Find(o.Programs...)
}

// command returns the command that starts the runner with that configuration.
func (o RunnerOptions) command(program, config string) *exec.Cmd {
	argv := slices.Concat(o.Under, []string{program, "--log-format", "text", "--log-level", cmp.Or(o.LogLevel, "info"), "run", "--config", config})
	if o.User != "" {
		argv = append(argv, "--user", o.User)
	}
	return exec.Command(argv[0], argv[1:]...)
}

// newRunnerService returns a service with its folders below dir.
func newRunnerService(dir string) *RunnerService {
	r := &RunnerService{
		dir:       dir,
		BuildsDir: filepath.Join(dir, "builds"),
		CacheDir:  filepath.Join(dir, "cache"),
		TempDir:   filepath.Join(dir, "tmp"),
		HomeDir:   filepath.Join(dir, "home"),
		binDir:    filepath.Join(dir, "bin"),
	}
	r.searchPath = searchPath(r.binDir)
	r.close = sync.OnceValue(func() error {
		r.service.kill()
		return killLeftovers(r.dir, r.service.cmd.Process.Pid)
	})
	return r
}

// makeFolders creates the runner's folders. The home has a profile that puts binDir back
// on the PATH: a login shell would remove it. An installed runner is on the PATH anyway.
func (r *RunnerService) makeFolders() error {
	for _, dir := range []string{r.BuildsDir, r.CacheDir, r.TempDir, r.HomeDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	profile := "PATH='" + r.searchPath + "'\n"
	return os.WriteFile(filepath.Join(r.HomeDir, ".profile"), []byte(profile), 0o600)
}

// install puts the driver, whose gate runs as the user of a job, and the programs that
// scripts call where every such user can reach them: the source tree may be in a home
// that is closed to them.
func (r *RunnerService) install(p Programs) error {
	if err := os.Mkdir(r.binDir, 0o755); err != nil {
		return err
	}
	programs := []string{p.GitLabRunner, p.S3Job, p.Config, p.Prepare, p.Run, p.Cleanup, p.Gate, p.Registry, p.Endpoint, p.Credential, p.Handover, p.Revoke}
	for _, program := range slices.DeleteFunc(programs, func(path string) bool { return path == "" }) {
		if err := linkOrCopy(program, filepath.Join(r.binDir, filepath.Base(program))); err != nil {
			return err
		}
	}
	return nil
}

// linkOrCopy makes the file to a hard link of the file from, or on another file system a
// copy.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}

// waitReady waits until the runner has printed that it looks for jobs.
func (r *RunnerService) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !strings.Contains(r.Log(), "Initializing executor providers") {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-r.service.exited:
			return fmt.Errorf("it ended while starting: %w", r.service.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
	return nil
}

// Log returns the output of the runner.
func (r *RunnerService) Log() string { return r.service.log() }

// PID returns the process id of the runner.
func (r *RunnerService) PID() int { return r.service.cmd.Process.Pid }

// Signal sends the runner a signal. After SIGQUIT it finishes its jobs before it ends;
// after SIGTERM it aborts them.
func (r *RunnerService) Signal(signal os.Signal) error {
	return r.service.cmd.Process.Signal(signal)
}

// Wait waits until the runner has ended.
func (r *RunnerService) Wait(ctx context.Context) error {
	select {
	case <-r.service.exited:
		return nil
	case <-ctx.Done():
		return r.service.fail(fmt.Errorf("still running: %w", ctx.Err()))
	}
}

// Stop ends the runner gracefully: it takes no more jobs and finishes its own.
func (r *RunnerService) Stop(ctx context.Context) error {
	if err := r.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := r.Wait(ctx); err != nil {
		return err
	}
	return r.service.err
}

// Kill ends the runner as a crash does. Processes that it has started go on.
func (r *RunnerService) Kill() { r.service.kill() }

// Close ends the runner, and kills every process that its jobs have left. It reports
// processes that it cannot kill.
func (r *RunnerService) Close() error { return r.close() }
