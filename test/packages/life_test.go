package packages_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// install lets apt install a package, which must not need anything else.
func (h host) install(t *testing.T, path string) string {
	t.Helper()
	return h.sh(t, "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --allow-downgrades "+h.bring(t, path)+" < /dev/null 2>&1")
}

// files returns the paths of all files of the host but those of running programs, and of what
// apt and dpkg know.
func (h host) files(t *testing.T) []string {
	t.Helper()
	var paths []string
	for path := range strings.Lines(h.sh(t, `find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd/timers -o -path /var/lib/private \) -prune -o -print`)) {
		paths = append(paths, strings.TrimSpace(path))
	}
	slices.Sort(paths)
	return paths
}

// more returns the items of b that are not in a.
func more(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(b), func(path string) bool { return slices.Contains(a, path) })
}

// TestLife leads a host through years: installation, the first job, an upgrade and a downgrade
// with jobs in all of their parts, removal, and purge, after which nothing is left but what the
// admin has written, and the audit log.
func TestLife(t *testing.T) {
	t.Parallel()
	now, next := dist(t, distVariable), dist(t, nextVariable)
	h := boot(t)
	h.startRunner(t)
	before := h.files(t)
	h.install(t, one(t, now, driverDeb))
	h.checkInstalled(t)
	h.setUp(t)
	first := h.enqueue(coordinator.Job{Script: []string{`s3job -endpoint "$S3_URL" put alpha first hello || exit 1`, "id -un"}})
	succeeds(t, first)
	if !strings.Contains(first.Text(), "\nci-alpha\n") {
		t.Errorf("the first job:\n%s", first.Text())
	}
	if out, err := h.Run(t.Context(), "rolecall check"); err != nil && !strings.Contains(out, "\n0 to fix, ") {
		t.Errorf("rolecall check: %v\n%s", err, out)
	}
	if version := h.upgrade(t, one(t, next, driverDeb)); !strings.Contains(version, "99.0.0") {
		t.Errorf("after the upgrade: %s", version)
	}
	succeeds(t, h.enqueue(coordinator.Job{Script: []string{"echo new"}}))
	h.downgrade(t, one(t, now, driverDeb))
	succeeds(t, h.enqueue(coordinator.Job{Script: []string{"echo old again"}}))
	h.checkRemoval(t)
	h.sh(t, "dpkg --purge rolecall 2>&1")
	left := more(before, h.files(t))
	want := []string{
		"/etc/gitlab-runner/config.toml", "/etc/rolecall", "/etc/rolecall/rolecall.toml", "/etc/systemd/system/gitlab-runner.service.d/rolecall.conf",
		"/home/ci-alpha", "/home/ci-beta", "/home/ci-none", "/usr/local/libexec", "/usr/local/libexec/db", "/var/lib/rolecall", "/var/lib/rolecall/audit.jsonl",
	}
	if odd := more(append(want, kept()...), left); len(odd) > 0 {
		t.Errorf("the package has left %q", odd)
	}
	if gone := more(left, want); len(gone) > 0 {
		t.Errorf("purge has removed %q", gone)
	}
	files, found, err := lab.Search(h.recorder.Secrets(), h.Root)
	if err != nil || files == 0 || len(found) > 0 {
		t.Errorf("a search for secrets in %d files: found in %v, %v", files, found, err)
	}
}

// kept returns the files that useradd and systemd have written in the meantime.
func kept() []string {
	return []string{
		"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/home/gitlab-runner/.gitconfig",
		"/etc/gitlab-runner/.runner_system_id", "/var/mail/ci-alpha", "/var/spool/mail/ci-alpha", "/home/gitlab-runner/.gitlab-runner",
	}
}

// checkInstalled fails the test unless the installation has started the timer and the mount, and
// nothing else.
func (h host) checkInstalled(t *testing.T) {
	t.Helper()
	h.checkUnits(t)
	if out := h.sh(t, "systemctl --failed --plain --no-legend; systemctl is-active gitlab-runner || true"); out != "inactive\n" {
		t.Errorf("units that have failed, and the runner:\n%s", out)
	}
	for path, want := range map[string]string{"/run/rolecall": "711 root root tmpfs", "/var/lib/rolecall": "711 root root ", "/etc/rolecall": "755 root root "} {
		if got := h.sh(t, "stat -c '%a %U %G' "+path+" | tr '\\n' ' '; stat -f -c %T "+path); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if out := h.sh(t, "ls -A /etc/rolecall /etc/systemd/system/gitlab-runner.service.d; systemd-analyze verify --man=no run-rolecall.mount rolecall-sweep.timer rolecall-sweep.service rolecall-revoke.service"); strings.Contains(out, "rolecall.") {
		t.Errorf("the package has written what is the admin's, or units are wrong:\n%s", out)
	}
}

// checkUnits fails the test unless the mount and the timer run, now and after a boot.
func (h host) checkUnits(t *testing.T) {
	t.Helper()
	if out := h.sh(t, "systemctl is-enabled run-rolecall.mount rolecall-sweep.timer; systemctl is-active run-rolecall.mount rolecall-sweep.timer"); out != "enabled\nenabled\nactive\nactive\n" {
		t.Errorf("the units are\n%s", out)
	}
}

// checkRemoval fails the test unless the package stays while a job runs, which goes on, and goes
// when the runner has stopped.
func (h host) checkRemoval(t *testing.T) {
	t.Helper()
	run := h.enqueue(coordinator.Job{Script: []string{"echo it runs; until [ -e /tmp/remove ]; do sleep 0.1; done; echo it ends"}})
	waitLog(t, run, "\nit runs")
	out, err := h.Run(t.Context(), "dpkg --remove rolecall 2>&1")
	if err == nil || !strings.Contains(out, fmt.Sprintf("rolecall is not removed: /run/rolecall/%d is of a job that runs", run.ID())) {
		t.Fatalf("removal while a job runs: %v\n%s", err, out)
	}
	if state := h.sh(t, "systemctl is-active rolecall-sweep.timer"); state != "active\n" {
		t.Errorf("after a removal that was refused the timer is %s", state)
	}
	h.write(t, "/tmp/remove", "", 0o644)
	succeeds(t, run)
	h.checkNothingLeft(t)
	h.sh(t, "systemctl stop gitlab-runner; dpkg --remove rolecall 2>&1")
	if out, err := h.Run(t.Context(), "mountpoint -q /run/rolecall || systemctl is-active rolecall-sweep.timer"); err == nil {
		t.Errorf("after the removal the mount or the timer is %q", out)
	}
	if _, err := os.Stat(filepath.Join(h.Root, "etc/rolecall/rolecall.toml")); err != nil {
		t.Errorf("the policy file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.Root, "var/lib/rolecall/builds")); err != nil {
		t.Errorf("removal keeps the builds: %v", err)
	}
}
