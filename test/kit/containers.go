package kit

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// NeedPodman skips a test on a host without podman. Why is as for NeedRoot.
func NeedPodman(t testing.TB, why string) {
	t.Helper()
	NeedRoot(t, why)
	for _, program := range []string{"podman", "crun", "busybox"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT TESTED, install podman, crun, catatonit and busybox-static: %s", why)
		}
	}
}

// InUnified is InMounts on a host that has cgroups of version 2 only, as current
// distributions have it.
func InUnified(t testing.TB, why string) bool {
	t.Helper()
	NeedPodman(t, why)
	if !InMounts(t, why) {
		return false
	}
	Must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	Must(t, syscall.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""))
	openTun(t)
	Must(t, os.Chdir(os.Getenv("PWD"))) //nolint:usetesting // the folder of the sources; t.Chdir forbids t.Parallel
	return true
}

// openTun lets all users make network interfaces in their own networks, as udev does.
//
// https://docs.kernel.org/networking/tuntap.html
func openTun(t testing.TB) {
	t.Helper()
	path := filepath.Join(OpenDir(t), "tun")
	Must(t, syscall.Mknod(path, syscall.S_IFCHR|0o666, 10<<8|200))
	Must(t, os.Chmod(path, 0o666))
	Must(t, os.MkdirAll("/dev/net", 0o755))
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Fatal(err)
	}
	Must(t, syscall.Mount(path, "/dev/net/tun", "", syscall.MS_BIND, ""))
}
