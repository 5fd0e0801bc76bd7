package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/account"
	"rolecall/internal/adminfile"
	"rolecall/internal/backend/podman"
	"rolecall/internal/script"
)

// checkNamespaces checks that root can make the user namespace of a container, and that
// overlay can be mounted in it. It tries both, since many settings can forbid it.
//
// Settings for users who are not root say nothing of this: kernel.unprivileged_userns_clone
// of Debian, and kernel.apparmor_restrict_unprivileged_userns of Ubuntu.
func (h *host) checkNamespaces(ctx context.Context) []Finding {
	if h.sysctl("user/max_user_namespaces") == "0" {
		return []Finding{fix(idNamespaces, containersArea, "user namespaces are off: user.max_user_namespaces is 0", "allow them, now and at each boot\nsysctl -w user.max_user_namespaces=65536\necho user.max_user_namespaces=65536 > /etc/sysctl.d/90-userns.conf")}
	}
	dir := nearest(h.settings.Containers.Engine.ImagesDir)
	a, found := h.anyUser()
	if !found || os.Geteuid() != 0 || adminfile.Check(dir) != nil {
		return nil // checkOwners, checkUsers and checkImages report it
	}
	err := h.tryNamespace(ctx, a, dir)
	if broken, ok := errors.AsType[*overlayError](err); ok {
		return []Finding{fix(idNamespaces, containersArea, "overlay cannot be mounted in a user namespace in "+dir+": "+broken.says,
			"use Linux 5.11 or later, and a disk with ext4, xfs or btrfs for images_dir")}
	}
	if err != nil {
		return []Finding{fix(idNamespaces, containersArea, fmt.Sprintf("no user namespace can be made for user %q: %v", a.Name, err),
			"allow root to make user namespaces: sysctl user.max_user_namespaces, and seccomp and security modules of the runner's service")}
	}
	return []Finding{ok(containersArea, fmt.Sprintf("a user namespace can be made for user %q, and overlay mounts in it", a.Name))}
}

// anyUser returns a user of jobs that this host has.
func (h *host) anyUser() (account.Account, bool) {
	for _, name := range h.users() {
		if a, err := account.Lookup(name); err == nil {
			return a, true
		}
	}
	return account.Account{}, false
}

// overlayError says why overlay could not be mounted.
type overlayError struct{ says string }

// Error returns what was said.
func (e *overlayError) Error() string { return e.says }

// mountOverlay mounts overlay as podman does, and writes to it.
//
// https://docs.kernel.org/filesystems/overlayfs.html
const mountOverlay = `cd "$1" && mkdir lower upper work merged && echo x >lower/file
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,userxattr merged && echo y >merged/file && rm merged/file`

// tryNamespace starts a shell in a user namespace as that of a job of the user, and lets it
// mount overlay in a temporary folder of dir.
func (h *host) tryNamespace(ctx context.Context, a account.Account, dir string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ids, err := podman.RangeOf(h.settings.Containers.Engine.ImagesDir, a.UID)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, ".rolecall-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if err := os.Lchown(temp, int(a.UID), int(a.GID)); err != nil {
		return err
	}
	says := &head{max: maxShown}
	shell := exec.CommandContext(ctx, "sh", "-ec", mountOverlay, "sh", temp)
	shell.Dir, shell.Env, shell.Stdout, shell.Stderr = "/", []string{"PATH=" + defaultPath, "LANG=C"}, says, says
	shell.SysProcAttr = ids.Attr(script.User{UID: a.UID, GID: a.GID})
	shell.SysProcAttr.Setsid = true
	err = runContained(shell)
	if errors.As(err, new(*exec.ExitError)) {
		return &overlayError{strings.Join(strings.Fields(says.String()), " ")}
	}
	return err
}

// checkSecurity names the security modules that can stand in the way of containers.
func (h *host) checkSecurity(context.Context) []Finding {
	return slices.Concat(h.checkSELinux(), h.checkAppArmor())
}

// checkSELinux names SELinux.
func (h *host) checkSELinux() []Finding {
	mode, err := os.ReadFile(filepath.Join(h.Root, "sys/fs/selinux/enforce"))
	switch {
	case err != nil:
		return nil
	case strings.TrimSpace(string(mode)) != "1":
		return []Finding{ok(containersArea, "SELinux is on and forbids nothing")}
	}
	return []Finding{look(idSELinux, containersArea, "SELinux is enforcing: it does not separate containers from the host (label=disable), and rolecall was not tested with it",
		"run a job with an image, and look for denials\nausearch -m avc -ts recent")}
}

// checkAppArmor names AppArmor, and its limit of user namespaces. The limit is for processes
// without CAP_SYS_ADMIN: the driver, which makes the namespaces of jobs, is root. Podman gives
// the containers of a user no profile.
//
// https://discourse.ubuntu.com/t/understanding-apparmor-user-namespace-restriction/58007
// https://github.com/containers/common/blob/v0.50.1/pkg/apparmor/apparmor_linux.go (IsEnabled)
func (h *host) checkAppArmor() []Finding {
	enabled, _ := os.ReadFile(filepath.Join(h.Root, "sys/module/apparmor/parameters/enabled"))
	switch {
	case strings.TrimSpace(string(enabled)) != "Y":
		return nil
	case h.sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return []Finding{look(idAppArmor, containersArea, "AppArmor limits user namespaces of all but root: root makes those of jobs, but a script that makes its own, as browsers do, can fail; rolecall was not tested with it",
			"leave the limit on, and run a job with an image; look for denials\njournalctl -k -g apparmor=")}
	}
	return []Finding{ok(containersArea, "AppArmor is on: podman gives containers of users no profile")}
}
