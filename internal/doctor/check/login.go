package check

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/account"
	"rolecall/internal/creds/aws"
	"rolecall/internal/script"
)

// loginTime bounds the time of a login shell whose script does nothing.
const loginTime = 5 * time.Second

// maxShown bounds how many bytes of a login shell's output are shown.
const maxShown = 200

// loginScript says which settings of AWS the shell exports, and does nothing else. It has
// the form of the scripts of GitLab Runner.
const loginScript = "set -eo pipefail\ncompgen -e AWS_ >&3 || true\n: | eval ':'\nexit 0\n"

// login is what a login shell did with loginScript.
type login struct {
	said    string          // the beginning of its output
	code    int             // exit code
	read    script.Progress // how far the shell read the script
	exports []string        // names of AWS's settings that it exports
}

// checkLogin starts the login shell of a user as a stage does. It reports startup files
// that end the shell, print something or export an identity in AWS.
func checkLogin(ctx context.Context, area string, a account.Account) []Finding {
	l, err := logIn(ctx, a)
	shown := strings.Trim(fmt.Sprintf("%.*q", maxShown, strings.TrimSpace(l.said)), `"`)
	files := fmt.Sprintf("/etc/profile, /etc/profile.d, and in %s .bash_profile, .bash_login, .profile and .bash_logout", a.Home)
	var findings []Finding
	switch {
	case err != nil:
		findings = append(findings, fix(area, fmt.Sprintf("the login shell of user %q: %v: %s", a.Name, err, shown), "check "+files))
	case l.read == script.Unread:
		findings = append(findings, fix(area, fmt.Sprintf("a profile ends the login shell of user %q with %d, and no script runs: %s", a.Name, l.code, shown), "correct "+files))
	case l.code != 0:
		findings = append(findings, fix(area, fmt.Sprintf("the login shell of user %q ends with %d after a script that succeeded: %s", a.Name, l.code, shown), "remove "+a.Home+"/.bash_logout"))
	case shown != "":
		findings = append(findings, look(area, fmt.Sprintf("the login shell of user %q prints into every job log: %s", a.Name, shown), "correct "+files))
	}
	return append(findings, checkExports(area, a.Name, l.exports, files)...)
}

// checkExports warns about names of AWS's settings, other than the region, that startup
// files export. Scripts do not get them, except those of jobs without a tenant on a
// runner with --no-policy.
func checkExports(area, user string, names []string, files string) []Finding {
	names = slices.DeleteFunc(names, func(name string) bool { return !aws.Overrides(name) })
	if len(names) == 0 {
		return nil
	}
	return []Finding{look(area, fmt.Sprintf("the login shell of user %q exports %s: every job can read the files that say so", user, strings.Join(names, ", ")), "remove them from "+files)}
}

// logIn runs loginScript as the user.
func logIn(ctx context.Context, a account.Account) (login, error) {
	input, err := unnamed(loginScript)
	if err != nil {
		return login{}, err
	}
	defer input.Close()
	exports, err := unnamed("") // and no pipe, which a process that stays could keep open
	if err != nil {
		return login{}, err
	}
	defer exports.Close()
	out := &head{max: 4 * maxShown}
	code, err := runShell(ctx, a, input, exports, out)
	_, seekErr := exports.Seek(0, io.SeekStart)
	names, readErr := io.ReadAll(io.LimitReader(exports, maxExports))
	return login{out.String(), code, script.Read(input, 0), strings.Fields(string(names))}, cmp.Or(err, seekErr, readErr)
}

// maxExports bounds how many bytes of the names are read: a startup file can write there.
const maxExports = 16 << 10

// runShell runs bash as a login shell of the user, with a script as its input and with a
// file as its descriptor 3. It returns the exit code.
func runShell(ctx context.Context, a account.Account, input, three *os.File, out io.Writer) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-l")
	shell.Env = append(script.ForUser([]string{"PATH=" + defaultPath}, a.Name, a.Home, a.Shell), script.ShellLevel)
	shell.Dir, shell.Stdin, shell.Stdout, shell.Stderr = "/", input, out, out
	shell.ExtraFiles = []*os.File{three}
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		shell.SysProcAttr.Credential = &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: a.Groups}
	}
	shell.Cancel = func() error { return unix.Kill(-shell.Process.Pid, unix.SIGKILL) }
	shell.WaitDelay = time.Second
	err := runRestricted(shell)
	var ended *exec.ExitError
	if ctx.Err() != nil {
		err = fmt.Errorf("it has not ended after %v", loginTime)
	} else if errors.As(err, &ended) {
		err = nil
	}
	return shell.ProcessState.ExitCode(), err
}

// defaultPath is the PATH of a service.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// unnamed returns a temporary file without a name that contains text.
func unnamed(text string) (*os.File, error) {
	file, err := os.CreateTemp("", "rolecall-doctor-")
	if err != nil {
		return nil, err
	}
	_, writeErr := file.WriteString(text)
	_, seekErr := file.Seek(0, io.SeekStart)
	if err := errors.Join(os.Remove(file.Name()), writeErr, seekErr); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
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
