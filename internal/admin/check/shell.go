package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/account"
	"rolecall/internal/cgroup"
	"rolecall/internal/script"
)

// shellFiles are the open files of a shell: its input, its descriptor 3, and where its
// output goes.
type shellFiles struct {
	input, three *os.File
	out          io.Writer
}

// runShell runs bash as a login shell of the user, in the HOME, or in / if the user cannot
// enter that. It returns the exit code.
func runShell(ctx context.Context, a account.Account, in home, files shellFiles) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	shell := newShell(ctx, a, in.path, files)
	shell.Dir = in.path
	err := runContained(shell)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		shell = newShell(ctx, a, in.path, files)
		err = runContained(shell)
	}
	var ended *exec.ExitError
	if ctx.Err() != nil {
		err = fmt.Errorf("it has not ended after %v", loginTime)
	} else if errors.As(err, &ended) {
		err = nil
	}
	return shell.ProcessState.ExitCode(), err
}

// newShell returns a login shell of the user that starts as in a stage.
func newShell(ctx context.Context, a account.Account, home string, files shellFiles) *exec.Cmd {
	shell := exec.CommandContext(ctx, "bash", "-l")
	shell.Env = append(script.ForUser([]string{"PATH=" + defaultPath}, a.Name, home, a.Shell), script.ShellLevel)
	shell.Dir, shell.Stdin, shell.Stdout, shell.Stderr = "/", files.input, files.out, files.out
	shell.ExtraFiles = []*os.File{files.three}
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		shell.SysProcAttr.Credential = &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: a.Groups}
	}
	shell.Cancel = func() error { return unix.Kill(-shell.Process.Pid, unix.SIGKILL) }
	shell.WaitDelay = time.Second
	return shell
}

// defaultPath is the PATH of a service.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// runContained runs a command in a cgroup, as stages start bash, and kills what it leaves:
// a job can have written the startup files. Without cgroups it kills what is in the
// command's session.
func runContained(command *exec.Cmd) error {
	parent, err := cgroup.Own()
	if err != nil {
		return runRestricted(command, command.Start, func() {})
	}
	defer parent.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*loginTime)
	defer cancel()
	name := newGroup()
	group, err := parent.Create(ctx, name)
	if err != nil {
		return runRestricted(command, command.Start, func() {})
	}
	defer group.Close()
	err = runRestricted(command, func() error { return group.Fork(command.SysProcAttr, command.Start) }, func() { _ = group.Kill(ctx) })
	_ = parent.Remove(ctx, name) // checkProcesses reports a cgroup that does not work
	return err
}

// runRestricted starts a command that cannot gain privileges. When the command has ended,
// it kills its process group, and calls kill for other processes. The setting stays with
// the thread, which ends with its goroutine.
func runRestricted(command *exec.Cmd, start func() error, kill func()) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			err = start()
		}
		if err == nil {
			awaitEnd(command.Process.Pid)
			_ = unix.Kill(-command.Process.Pid, unix.SIGKILL)
			kill()
			err = command.Wait()
		}
		ended <- err
	}()
	return <-ended
}

// awaitEnd waits until a child ends. The child stays a zombie, so that nobody else gets its
// process id.
func awaitEnd(pid int) {
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		err = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	}
}
