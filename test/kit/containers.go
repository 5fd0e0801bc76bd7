package kit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedPodman skips a test on a host without podman. Why is as for NeedRoot.
func NeedPodman(t testing.TB, why string) {
	t.Helper()
	NeedRoot(t, why)
	if !HasPodman() {
		t.Skipf("NOT TESTED, install podman, crun, catatonit and busybox-static: %s", why)
	}
}

// HasPodman reports whether jobs can have containers: this process is root's, and the programs
// are there.
func HasPodman() bool {
	return os.Geteuid() == 0 && !slices.ContainsFunc([]string{"podman", "crun", "busybox"}, func(program string) bool {
		_, err := exec.LookPath(program)
		return err != nil
	})
}

// InUnified is InMounts on a host that has cgroups of version 2 only, as current
// distributions have it.
func InUnified(t testing.TB, why string) bool {
	t.Helper()
	NeedPodman(t, why)
	if !InMounts(t, why) {
		return false
	}
	Must(t, Unify(OpenDir(t)))
	Must(t, os.Chdir(os.Getenv("PWD"))) //nolint:usetesting // the folder of the sources; t.Chdir forbids t.Parallel
	return true
}

// IsUnified reports whether this host has cgroups of version 2 only, as current
// distributions have it.
func IsUnified() bool {
	var fs unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}

// Unify makes the host look so in the mount namespace of this process, which must be its own,
// and opens /dev/net/tun to all users, as udev does. It needs root, and a temporary folder.
//
// https://docs.kernel.org/networking/tuntap.html
func Unify(temp string) error {
	tun := filepath.Join(temp, "tun")
	err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""),
		unix.Mknod(tun, unix.S_IFCHR|0o666, 10<<8|200),
		os.Chmod(tun, 0o666),
		unix.Mount(tun, "/dev/net/tun", "", unix.MS_BIND, ""),
	)
	if err != nil {
		return fmt.Errorf("a host with cgroups of version 2: %w", err)
	}
	return nil
}
