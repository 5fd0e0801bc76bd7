package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/account"
	"rolecall/internal/script"
)

// loginTime bounds the time of a login shell whose script does nothing.
const loginTime = 5 * time.Second

// maxShown bounds how many bytes of a login shell's output are shown.
const maxShown = 200

// loginScript does nothing. It has the form of the scripts of GitLab Runner.
const loginScript = "set -eo pipefail\n: | eval ':'\nexit 0\n"

// checkLogin starts the login shell of a user as a stage does, with a script that does
// nothing. It reports startup files that end the shell or print something.
func checkLogin(ctx context.Context, area string, a account.Account) []Finding {
	said, code, read, err := login(ctx, a)
	shown := strings.Trim(fmt.Sprintf("%.*q", maxShown, strings.TrimSpace(said)), `"`)
	files := fmt.Sprintf("/etc/profile, /etc/profile.d, and in %s .bash_profile, .bash_login, .profile and .bash_logout", a.Home)
	switch {
	case err != nil:
		return []Finding{fail(area, fmt.Sprintf("the login shell of user %q: %v: %s", a.Name, err, shown), "check "+files)}
	case read == script.Unread:
		return []Finding{fail(area, fmt.Sprintf("a profile ends the login shell of user %q with %d, and no script runs: %s", a.Name, code, shown), "correct "+files)}
	case code != 0:
		return []Finding{fail(area, fmt.Sprintf("the login shell of user %q ends with %d after a script that succeeded: %s", a.Name, code, shown), "remove "+a.Home+"/.bash_logout")}
	case shown != "":
		return []Finding{warn(area, fmt.Sprintf("the login shell of user %q prints into every job log: %s", a.Name, shown), "correct "+files)}
	}
	return nil
}

// login runs loginScript as the user. It returns the beginning of the shell's output,
// its exit code, and how far the shell read the script.
func login(ctx context.Context, a account.Account) (said string, code int, read script.Progress, err error) {
	file, err := os.CreateTemp("", "rolecall-doctor-")
	if err != nil {
		return "", 0, "", err
	}
	defer file.Close()
	if err := errors.Join(os.Remove(file.Name()), write(file, loginScript)); err != nil {
		return "", 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	out := &head{max: 4 * maxShown}
	shell := exec.CommandContext(ctx, "bash", "-l")
	shell.Env = append(script.ForUser([]string{"PATH=" + defaultPath}, a.Name, a.Home, a.Shell), script.ShellLevel)
	shell.Dir, shell.Stdin, shell.Stdout, shell.Stderr = "/", file, out, out
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		shell.SysProcAttr.Credential = &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: a.Groups}
	}
	shell.Cancel = func() error { return unix.Kill(-shell.Process.Pid, unix.SIGKILL) }
	shell.WaitDelay = time.Second
	err = runRestricted(shell)
	var ended *exec.ExitError
	if ctx.Err() != nil {
		err = fmt.Errorf("it has not ended after %v", loginTime)
	} else if errors.As(err, &ended) {
		err = nil
	}
	return out.String(), shell.ProcessState.ExitCode(), script.Read(file, 0), err
}

// defaultPath is the PATH of a service.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// write writes text to a file and goes back to its beginning.
func write(file *os.File, text string) error {
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	_, err := file.Seek(0, 0)
	return err
}

// runRestricted runs a command that cannot gain privileges, as stages start bash. The
// setting stays with the thread, which ends with its goroutine.
func runRestricted(command *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			err = command.Run()
		}
		ended <- err
	}()
	return <-ended
}

// head keeps the first max bytes of what is written to it.
type head struct {
	bytes.Buffer

	max int
}

// Write accepts all of p, and keeps as much as there is room for.
func (h *head) Write(p []byte) (int, error) {
	_, _ = h.Buffer.Write(p[:min(len(p), max(0, h.max-h.Len()))])
	return len(p), nil
}
