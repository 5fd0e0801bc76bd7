// Package lab starts the real parts of an end-to-end test: GitLab Runner, with rolecall's
// binaries as its custom executor, and MinIO as STS and S3.
//
// Whatever it starts listens on loopback only, keeps its files in a folder that the test
// names, and ends with the test's context.
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Programs are the paths of the binaries that a lab uses.
type Programs struct {
	GitLabRunner, MinIO, S3Job string

	Config, Prepare, Run, Cleanup, Gate, Registry, Endpoint, Credential, Handover, Revoke, Broker, Admin string
}

// place is where a program is, below the folder of the module, and what builds it.
type place struct {
	path         *string
	name, target string
}

// places are those of all programs.
func (p *Programs) places() []place {
	return []place{
		{&p.GitLabRunner, "bin/test/gitlab-runner", "make parts"},
		{&p.MinIO, "bin/test/minio", "make parts"},
		{&p.S3Job, "bin/test/s3job", "make parts"},
		{&p.Config, "bin/config", "make build"},
		{&p.Prepare, "bin/prepare", "make build"},
		{&p.Run, "bin/run", "make build"},
		{&p.Cleanup, "bin/cleanup", "make build"},
		{&p.Gate, "bin/gate", "make build"},
		{&p.Endpoint, "bin/endpoint", "make build"},
		{&p.Credential, "bin/credential", "make build"},
		{&p.Registry, "bin/registry", "make build"},
		{&p.Admin, "bin/rolecall", "make build"},
		{&p.Handover, "bin/handover", "make build"},
		{&p.Revoke, "bin/revoke", "make build"},
		{&p.Broker, "bin/rolecall-broker", "make build"},
	}
}

// Parts finds the binaries that are not rolecall's own. The error names the make target
// that builds a missing one.
func Parts() (Programs, error) { return Find("gitlab-runner", "minio", "s3job") }

// Binaries finds all binaries, rolecall's own too. Errors are as those of Parts.
func Binaries() (Programs, error) {
	var names []string
	for _, at := range new(Programs).places() {
		names = append(names, filepath.Base(at.name))
	}
	return Find(names...)
}

// Find finds the binaries of those names; of all others the paths are empty. Errors are as those of
// Parts.
func Find(names ...string) (Programs, error) {
	var p Programs
	root, err := moduleRoot()
	if err != nil {
		return p, err
	}
	for _, at := range p.places() {
		if slices.Contains(names, filepath.Base(at.name)) {
			err = errors.Join(err, find(at.path, root, at.name, at.target))
		}
	}
	return p, err
}

// find sets path to the binary name below root. If the binary is missing, the error names
// target, the make target that builds it.
func find(path *string, root, name, target string) error {
	*path = filepath.Join(root, name)
	if _, err := os.Stat(*path); err != nil {
		return fmt.Errorf("%s is missing: run %q first", name, target)
	}
	return nil
}

// moduleRoot returns the folder with the go.mod of module rolecall: this one or one
// above.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(gomod, []byte("module rolecall\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above this one has the go.mod of module rolecall")
		}
		dir = parent
	}
}

// service is a process that runs in the background and writes a log file.
type service struct {
	name    string
	cmd     *exec.Cmd
	logPath string
	exited  chan struct{} // closed when the process has ended, after err is set
	err     error
}

// startService starts cmd in a new session, and kills it when ctx ends.
func startService(ctx context.Context, cmd *exec.Cmd, logPath string) (*service, error) {
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	// If the test dies, the process dies too, even if no clean-up runs.
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &service{name: filepath.Base(cmd.Path), cmd: cmd, logPath: logPath, exited: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	go func() {
		s.err = cmd.Wait()
		stop()
		close(s.exited)
	}()
	return s, nil
}

// log returns the output of the process.
func (s *service) log() string {
	content, err := os.ReadFile(s.logPath)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// await asks the process until it gives no error, for at most a minute.
func (s *service) await(ctx context.Context, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("it ended while starting: %w", s.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// kill kills the process, unless it has ended, and waits for its end.
func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// fail returns an error with the end of the process's log.
func (s *service) fail(err error) error {
	const end = 4000
	log := s.log()
	return fmt.Errorf("%s: %w; its log ends:\n%s", s.name, err, log[max(0, len(log)-end):])
}

// environment returns the environment of a service. It has nothing of the test's own,
// another home, and dir first on the PATH, since job scripts call gitlab-runner and
// s3job by name.
func environment(dir, home string, extra []string) []string {
	base := []string{
		"PATH=" + searchPath(dir),
		"HOME=" + home,
		"LANG=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1",
	}
	return append(base, extra...)
}

// searchPath returns a PATH that begins with the folder binaries.
func searchPath(binaries string) string {
	return strings.Join([]string{
		binaries, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
	}, ":")
}
