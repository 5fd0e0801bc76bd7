package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/script"
)

// Environ returns the environment that scripts start with, as NAME=value. Service is the
// environment of the runner's service; scripts of another user get very little of it.
func (*Backend) Environ(data json.RawMessage, service []string) ([]string, error) {
	p, err := open(data)
	if err != nil {
		return nil, err
	}
	return p.environ(service), nil
}

// environ is Environ. Scripts of the driver's user keep the HOME of the service, if it has
// one, as on GitLab Runner's shell executor; who they are is as the host knows it.
func (p place) environ(service []string) []string {
	env := script.Clean(service, func(name string) bool { return name == "SHLVL" })
	switch {
	case p.User != nil:
		env = script.ForUser(env, p.User.Name, p.home(), p.User.Shell)
	case p.Login != nil:
		env = script.ForSelf(env, p.Login.Name, cmp.Or(p.Home, job.Get(env, "HOME"), p.Login.Home), p.Login.Shell)
	}
	if p.Temp != "" {
		env = append(env, "TMPDIR="+p.Temp)
	}
	return append(env, script.ShellLevel)
}

// home returns the HOME of scripts of another user.
func (p place) home() string { return cmp.Or(p.Home, p.User.Home) }

// Run runs a script as the job's user, in the cgroup of Begin and in the HOME of its
// environment. An error means that the script did not run or that its output was lost.
func (b *Backend) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	p, err := open(data)
	if err != nil {
		return backend.Result{}, err
	}
	ended, err := b.RunWith(ctx, data, s, func(*script.Script) {})
	return backend.Result{Code: ended.Code, Left: ended.Left, Startup: p.startup(ended, job.Get(s.Env, "HOME"))}, err
}

// RunWith is Run for another backend that runs scripts as the user and in the cgroup of
// this one. It calls change before it starts the script.
func (b *Backend) RunWith(ctx context.Context, data json.RawMessage, s backend.Script, change func(*script.Script)) (script.Result, error) {
	p, err := open(data)
	if err != nil {
		return script.Result{}, err
	}
	run := p.script(s)
	group, err := b.group()
	if err != nil {
		return script.Result{}, err
	}
	if group != nil {
		run.Group = group.Group
	}
	change(&run)
	return run.Run(ctx)
}

// Processes returns the processes in the cgroup of Begin, and none if there is no cgroup.
func (b *Backend) Processes() ([]int, error) {
	group, err := b.group()
	if err != nil || group == nil {
		return nil, err
	}
	return group.Processes()
}

// script returns how to run a script in the place, without a cgroup.
func (p place) script(s backend.Script) script.Script {
	run := script.Script{
		Path:   s.Path,
		Env:    s.Env,
		Unset:  s.Unset,
		Set:    s.Set,
		Dir:    existing(job.Get(s.Env, "HOME")),
		Stdout: s.Stdout,
		Stderr: s.Stderr,
		Grace:  s.Grace,
		Ended:  s.Ended,
		Done:   s.Done,
		Limits: script.Limits{OpenFiles: p.Limits.OpenFiles, Processes: p.Limits.Processes, AddressSpace: p.Limits.Memory >> 10},
	}
	if p.User != nil {
		run.User, run.Dir = p.scriptUser(), cmp.Or(p.home(), "/")
	}
	return run
}

// scriptUser returns the user that scripts run as; nil: the driver's.
func (p place) scriptUser() *script.User {
	if p.User == nil {
		return nil
	}
	return &script.User{UID: p.User.UID, GID: p.User.GID, Groups: p.User.Groups}
}

// existing returns dir, or the root if dir does not exist. Scripts must not start in the
// driver's working folder, which holds the job response.
func existing(dir string) string {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "/"
	}
	return dir
}

// startup returns an error if a startup file of the login shell ended the shell. The
// script then did not run, or did not decide the exit code.
func (p place) startup(ended script.Result, home string) error {
	shell := fmt.Sprintf("exit code %d, of the service's user", ended.Code)
	home = cmp.Or(home, "/")
	if p.User != nil {
		shell, home = fmt.Sprintf("exit code %d, of user %q", ended.Code, p.User.Name), p.home()
	}
	switch {
	case ended.Read == script.Unread:
		return fault.New(fault.StartupFile, errors.New("a profile has ended the login shell before it read the script"), "correct "+profiles(home)).
			Detail("shell", shell)
	case ended.Read == script.Barred && ended.Code == 1:
		return fault.New(fault.StartupFile, errors.New("the script did not begin: a profile has made a variable read-only"),
			"remove the word readonly, or declare -r, of that variable from "+profiles(home)).
			Detail("shell", shell).With("variable", "bash names it above; the script must have another value")
	case ended.Read == script.AllRead && ended.Code != 0:
		return fault.New(fault.StartupFile, errors.New("the script has succeeded, but the logout file of the login shell then failed"),
			fmt.Sprintf("remove %s/.bash_logout", home)).Detail("shell", shell)
	}
	return nil
}

// profiles names the startup files that a login shell reads before a script.
func profiles(home string) string {
	return fmt.Sprintf("/etc/profile, a file in /etc/profile.d, or the first that exists of %[1]s/.bash_profile, %[1]s/.bash_login and %[1]s/.profile", home)
}

// Tree returns the path on this host of the work tree that the job sees at project: the
// same path.
func (*Backend) Tree(_ json.RawMessage, project string) (string, error) { return project, nil }

// Visible returns the path at which a script sees a file of this host: the same path.
func (*Backend) Visible(_ json.RawMessage, path string) string { return path }

// Start starts cmd as the job's user, in the cgroup of Begin, as script.Start does.
func (b *Backend) Start(data json.RawMessage, cmd *exec.Cmd) error {
	return b.StartIn(data, cmd, nil)
}

// StartIn is Start in a namespace of its own; nil: in that of this process.
func (b *Backend) StartIn(data json.RawMessage, cmd *exec.Cmd, own *script.Namespace) error {
	p, err := open(data)
	if err != nil {
		return err
	}
	group, err := b.group()
	if err != nil {
		return err
	}
	as := p.scriptUser()
	if as != nil {
		as.Own = own
	}
	if group == nil {
		return script.Start(cmd, as, nil)
	}
	return script.Start(cmd, as, group.Group)
}

// User returns the unix user of the job, and nil if that is the driver's.
func (b *Backend) User(data json.RawMessage) (*script.User, error) {
	p, err := open(data)
	return p.scriptUser(), err
}

// Users returns the users whose processes scripts may have.
func (*Backend) Users(data json.RawMessage) ([]backend.Users, error) {
	p, err := open(data)
	if err != nil {
		return nil, err
	}
	uid := uint32(os.Geteuid()) //nolint:gosec // a uid has 32 bits
	if p.User != nil {
		uid = p.User.UID
	}
	return []backend.Users{{First: uid, Count: 1}}, nil
}

// Network calls do in a thread that is in the network of scripts: that of this process.
func (*Backend) Network(_ json.RawMessage, do func() error) error { return do() }

// Key returns a name of the job that no other job of this host has: that of its cgroup.
func (*Backend) Key(data json.RawMessage, id job.ID) (string, error) {
	p, err := parse(data)
	return string(p.group(id)), err
}

// Leavings returns the folders, beside the job's own, in which scripts leave files.
func (*Backend) Leavings(data json.RawMessage, service []string) ([]string, error) {
	p, err := open(data)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, dir := range []string{job.Get(p.environ(service), "HOME"), p.Temp, "/tmp"} {
		if dir != "" && dir != "/" {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// Limits returns the limits of the job's processes.
func (*Backend) Limits(data json.RawMessage) (backend.Limits, error) {
	p, err := open(data)
	return p.Limits, err
}
