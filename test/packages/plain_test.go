package packages_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/test/kit"
)

// chroot runs a script in the files of a host whose systemd does not run.
func (h host) chroot(t *testing.T, script string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "chroot", h.Root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", script)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	out, err := command.CombinedOutput()
	return string(out), err
}

// TestImageOfHost installs the packages where no systemd runs, as who makes an image of a host
// does: the units are enabled for its first boot.
func TestImageOfHost(t *testing.T) {
	t.Parallel()
	dir := dist(t, distVariable)
	h := unpack(t)
	out, err := h.chroot(t, "dpkg -i "+h.bring(t, one(t, dir, driverDeb))+" "+h.bring(t, one(t, dir, brokerDeb)))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for path, want := range map[string]bool{
		"multi-user.target.wants/run-rolecall.mount": true, "timers.target.wants/rolecall-sweep.timer": true,
		"multi-user.target.wants/rolecall-broker.service": false,
	} {
		if _, err := os.Lstat(filepath.Join(h.Root, "etc/systemd/system", path)); want != (err == nil) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if out, err := h.chroot(t, "rolecall --version; logrotate -d /etc/logrotate.d/rolecall 2> /dev/null || true; dpkg --purge rolecall rolecall-broker"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, path := range []string{"usr/libexec/rolecall", "etc/rolecall", "var/lib/rolecall", "etc/logrotate.d/rolecall", "etc/systemd/system/timers.target.wants/rolecall-sweep.timer"} {
		if _, err := os.Lstat(filepath.Join(h.Root, path)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("purge leaves /%s: %v", path, err)
		}
	}
}

// TestFullDisk upgrades where the disk of the programs is full: dpkg says so, and all programs
// are those of the old version.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	now, next := dist(t, distVariable), dist(t, nextVariable)
	h := unpack(t)
	script := "dpkg -i " + h.bring(t, one(t, now, driverDeb)) + ` > /dev/null
cd /usr/libexec && cp -a rolecall old && mount -t tmpfs -o size=$(($(du -sm old | cut -f1) + 20))m tmpfs rolecall && cp -a old/. rolecall/
! dpkg -i ` + h.bring(t, one(t, next, driverDeb)) + ` 2>&1
for program in old/*; do cmp "$program" "rolecall/${program#old/}"; done
ls -A rolecall | grep dpkg- || true
rolecall/run --version`
	out, err := h.chroot(t, script)
	if err != nil || !strings.Contains(out, "No space left on device") || strings.Contains(out, "99.0.0 (") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRPM installs the package of rpm in a root of its own, and removes it: nothing is left.
func TestRPM(t *testing.T) {
	t.Parallel()
	dir := dist(t, distVariable)
	kit.NeedProgram(t, "rpm", "rpm")
	for pattern, files := range map[string][]string{
		"rolecall-[0-9]*.x86_64.rpm":   {"/usr/bin/rolecall", "/usr/libexec/rolecall/run", "/usr/lib/systemd/system-preset/90-rolecall.preset", "/etc/logrotate.d/rolecall", "/var/lib/rolecall"},
		"rolecall-broker-*.x86_64.rpm": {"/usr/libexec/rolecall/rolecall-broker", "/usr/lib/systemd/system/rolecall-broker.service"},
	} {
		h := unpack(t)
		path := one(t, dir, pattern)
		listed := strings.Split(output(t, "rpm", "-qpl", path), "\n")
		if missing := more(listed, files); len(missing) > 0 {
			t.Errorf("%s lacks %q", pattern, missing)
		}
		name := strings.TrimSpace(output(t, "rpm", "-qp", "--queryformat", "%{NAME}", path))
		output(t, "rpm", "--root", h.Root, "--initdb")
		if out := output(t, "rpm", "--root", h.Root, "--nodeps", "--noplugins", "-i", path); strings.Contains(out, "scriptlet failed") {
			t.Errorf("%s", out)
		}
		for _, file := range files {
			if _, err := os.Lstat(filepath.Join(h.Root, file)); err != nil {
				t.Error(err)
			}
		}
		_, err := os.Lstat(filepath.Join(h.Root, "etc/systemd/system/timers.target.wants/rolecall-sweep.timer"))
		if wanted := name == "rolecall"; wanted != (err == nil) {
			t.Errorf("%s: the timer: %v", name, err)
		}
		if out := output(t, "rpm", "--root", h.Root, "--nodeps", "--noplugins", "-e", name); strings.Contains(out, "scriptlet failed") {
			t.Errorf("%s", out)
		}
		for _, file := range append(files, "/etc/systemd/system/timers.target.wants/rolecall-sweep.timer") {
			if _, err := os.Lstat(filepath.Join(h.Root, file)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("rpm -e leaves %s: %v", file, err)
			}
		}
	}
}
