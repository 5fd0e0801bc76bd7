package selection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"rolecall/internal/creds/aws"
)

// maxConfig bounds how many settings of git a job may give in variables.
const maxConfig = 100

// takeUntracked takes the files that git does not track, also those that it ignores. If
// git fails, the runner goes on without them; takeUntracked does too, and adds a problem.
func (s *search) takeUntracked() {
	s.listed = 0
	err := lsFiles(s.ctx, s.dir, s.vars.gitEnviron(), &names{take: s.takeName})
	if err == nil || s.ended() {
		return
	}
	s.set.parts[s.part].dropped = true
	var exit *exec.ExitError
	refused := errors.As(err, &exit) && exit.ExitCode() == 128
	s.addProblem(Problem{Path: ".", Err: fmt.Errorf("untracked: %w", err), Missed: !refused})
}

// takeName takes a file that git has named.
func (s *search) takeName(name string) error {
	if !s.list(1) {
		return ErrFiles
	}
	name, ok := s.inside(name)
	if !ok {
		return nil
	}
	if e, err := s.lstat(name); err == nil {
		s.take(name, e)
	} else {
		s.addUnreadable(name, err)
	}
	return nil
}

// names hands on what git writes: names of files, each with a NUL byte behind it.
type names struct {
	take func(name string) error
	rest []byte // the begin of a name
}

// Write takes what git writes next. It fails if take does.
func (n *names) Write(p []byte) (int, error) {
	for left := p; len(left) > 0; {
		name, after, ends := bytes.Cut(left, []byte{0})
		n.rest, left = append(n.rest, name...), after
		if !ends {
			break
		}
		if err := n.take(string(n.rest)); err != nil {
			return 0, err
		}
		n.rest = n.rest[:0]
	}
	return len(p), nil
}

// lsFiles runs the same git command as the runner in dir, and writes the names to out. The repository belongs to the
// job, so lsFiles switches off every setting by which git would start a program or
// contact a server.
func lsFiles(ctx context.Context, dir string, env []string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "git",
		"-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "ls-files", "-o", "-z")
	cmd.Dir = dir
	cmd.Env = append(env, "PWD="+dir)
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &complaint
	if err := cmd.Run(); err != nil {
		line, _, _ := strings.Cut(complaint.String(), "\n")
		return fmt.Errorf("git ls-files: %w: %.200q", err, line)
	}
	return nil
}

// gitEnviron returns the environment for git: the service's variables, and those of the
// job that say where its repository is and who owns it. It leaves out variables by which
// git would start programs, write files or contact servers.
func (v *Variables) gitEnviron() []string {
	env := slices.DeleteFunc(slices.Clone(v.service), aws.IsVariable)
	for _, name := range []string{
		"HOME", "XDG_CONFIG_HOME", "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
		"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_NAMESPACE",
		"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
	} {
		if value := v.get(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, v.gitConfig()...)
}

// gitConfig returns the settings of git that a job gives in variables, such as
// safe.directory, and settings that keep git from contacting servers.
func (v *Variables) gitConfig() []string {
	env := []string{"GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"}
	if count := v.get("GIT_CONFIG_COUNT"); count != "" {
		env = append(env, "GIT_CONFIG_COUNT="+count)
	}
	for i := range maxConfig {
		key, value := fmt.Sprintf("GIT_CONFIG_KEY_%d", i), fmt.Sprintf("GIT_CONFIG_VALUE_%d", i)
		if v.get(key) == "" {
			break
		}
		env = append(env, key+"="+v.get(key), value+"="+v.get(value))
	}
	return env
}
