package host

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/script"
)

// Environ returns the environment that scripts start with, as NAME=value, for a
// service with that one: of another user nearly nothing of it.
func (*Backend) Environ(data json.RawMessage, service []string) ([]string, error) {
	p, err := open(data)
	if err != nil {
		return nil, err
	}
	env := script.Clean(service, func(name string) bool { return name == "SHLVL" })
	if p.User != nil {
		env = script.ForUser(env, p.User.Name, p.User.Home, p.User.Shell)
	}
	if p.Temp != "" {
		env = append(env, "TMPDIR="+p.Temp)
	}
	return append(env, script.ShellLevel), nil
}

// Run runs a script as the job's user, in the group that Begin has begun to make. It
// starts in the HOME of its environment. An error means that it did not run or that
// its output was lost.
func (b *Backend) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	p, err := open(data)
	if err != nil {
		return backend.Result{}, err
	}
	home := job.Get(s.Env, "HOME")
	run := script.Script{
		Path:   s.Path,
		Env:    s.Env,
		Dir:    existing(home),
		Stdout: s.Stdout,
		Stderr: s.Stderr,
		Grace:  s.Grace,
		Limits: script.Limits{OpenFiles: p.Limits.OpenFiles, Processes: p.Limits.Processes, AddressSpace: p.Limits.Memory >> 10},
	}
	if p.User != nil {
		run.User, run.Dir = &script.User{UID: p.User.UID, GID: p.User.GID, Groups: p.User.Groups}, cmp.Or(p.User.Home, "/")
	}
	group, err := b.group()
	if err != nil {
		return backend.Result{}, err
	}
	if group != nil {
		run.Group = group.Group
	}
	ended, err := run.Run(ctx)
	return backend.Result{Code: ended.Code, Left: ended.Left, Startup: p.startup(ended, home)}, err
}

// existing returns a folder, or the root where it is not there. The runner starts the
// driver in a folder that holds the job response, which is none for scripts.
func existing(dir string) string {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "/"
	}
	return dir
}

// startup reports that not the script but a startup file of the shell has ended it.
// Whatever code that has, the script did not run to its end.
func (p place) startup(ended script.Result, home string) error {
	name := "of the service's user"
	home = cmp.Or(home, "/")
	if p.User != nil {
		name, home = "of user "+strconv.Quote(p.User.Name), p.User.Home
	}
	switch {
	case ended.Read == script.Unread:
		return fault.New(fault.Admin, fmt.Errorf("the login shell %s ended with %d before it read the script: one of its profiles did that", name, ended.Code),
			fmt.Sprintf("correct /etc/profile, a file in /etc/profile.d, or the first that is there of %[1]s/.bash_profile, %[1]s/.bash_login and %[1]s/.profile", home))
	case ended.Read == script.AllRead && ended.Code != 0:
		return fault.New(fault.Admin, fmt.Errorf("the script has succeeded, and the login shell %s then ended with %d: its logout file did that", name, ended.Code),
			fmt.Sprintf("remove %s/.bash_logout", home))
	}
	return nil
}

// Tree returns where this host sees the work tree that the job sees at project: at
// the same path.
func (*Backend) Tree(_ json.RawMessage, project string) (string, error) { return project, nil }

// Visible returns where a script sees what lies at a path of this host: at the same
// one.
func (*Backend) Visible(_ json.RawMessage, path string) string { return path }

// Command lets cmd run as the job's user.
func (*Backend) Command(data json.RawMessage, cmd *exec.Cmd) error {
	p, err := open(data)
	if err == nil && p.User != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.User.UID, Gid: p.User.GID, Groups: p.User.Groups}}
	}
	return err
}
