package check_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// box lets the jobs of a host have containers, with services for alpha. All is right for
// them.
func box(t *testing.T, h *host) {
	t.Helper()
	kit.NeedPodman(t, "containers")
	isolate(t, h, alphaUser, betaUser)
	h.policy = h.expand(strings.NewReplacer(`[gitlab]`, "[containers]\nengine = \"podman\"\nimages_dir = \"DIR/images\"\n[defaults]\nimages = [\"docker.io/library/alpine:*\"]\n[gitlab]",
		`name = "alpha"`, "name = \"alpha\"\nservices = [\"docker.io/library/postgres:*\"]").Replace(h.policy))
	h.write(t, "root/dev/net/tun", "", 0o666)
	h.write(t, "proc/sys/user/max_user_namespaces", "1000\n", 0o644)
	h.mkdir(t, "root/sys/fs", 0o755)
	kit.Must(t, os.Symlink(unified(t), h.path("root/sys/fs/cgroup")))
}

// unified returns the path of cgroups of version 2 on this very host.
func unified(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(path, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			return path
		}
	}
	t.Skip("NOT TESTED, run where there are cgroups of version 2: containers")
	return ""
}

// toolsDir returns the folder of programs that print another version than that of podman.
func toolsDir(name string) string { return filepath.Join(os.Getenv(programsDir), name) }

// inPath puts a folder before others of the PATH.
func inPath(name string) func(*testing.T, *host) {
	return func(_ *testing.T, h *host) { h.Path = toolsDir(name) + ":" + h.Path }
}

// containerFaults are about what containers need.
func containerFaults() []fault {
	const area = "containers"
	return []fault{
		{"right", func(*testing.T, *host) {}, want{check.OK, area, "podman version "}},
		{"crun", func(*testing.T, *host) {}, want{check.OK, area, "crun version "}},
		{"cgroups", func(*testing.T, *host) {}, want{check.OK, area, "cgroups of version 2 alone"}},
		{"tun", func(*testing.T, *host) {}, want{check.OK, area, "/dev/net/tun is open"}},
		{"namespace", func(*testing.T, *host) {}, want{check.OK, area, `a user namespace can be made for user "backup", and overlay mounts in it`}},
		{"ids", func(*testing.T, *host) {}, want{check.OK, area, "1879048192 to 2147483647"}},

		{"nothing installed", func(_ *testing.T, h *host) { h.Path = h.path("etc") }, want{check.Fix, area, "podman, crun, catatonit, slirp4netns, nsenter, ip: in no folder of "}},
		{"no network for services", func(t *testing.T, h *host) {
			inPolicy(`engine = "podman"`, "engine = \"podman\"\nnetwork = \"none\"")(t, h)
			h.Path = h.path("etc")
		}, want{check.Fix, area, "podman, crun, catatonit, nsenter, ip: in no folder of "}},
		{"old podman", inPath("oldtools"), want{check.Fix, area, "podman version 3.4.4 is older than 4.3"}},
		{"podman that is a little old", inPath("oldertools"), want{check.Fix, area, "podman version 4.2.9 is older than 4.3"}},
		{"new podman", inPath("newtools"), want{check.OK, area, "podman version 5.0.0"}},
		{"odd podman", inPath("oddtools"), want{check.Fix, area, `podman --version says "rolecall podman 1"`}},
		{"podman of another user", func(t *testing.T, h *host) {
			h.mkdir(t, "bin", 0o777)
			h.Path = h.path("bin") + ":" + h.Path
			kit.Must(t, os.Link(filepath.Join(toolsDir("newtools"), "podman"), h.path("bin/podman")))
		}, want{check.Fix, area, "bin has mode 0777"}},
		{"catatonit among the helpers", func(t *testing.T, h *host) {
			h.write(t, "root/usr/libexec/podman/catatonit", "", 0o755)
			h.Path = h.path("etc")
		}, want{check.Fix, area, "podman, crun, slirp4netns, nsenter, ip: in no folder of "}},
		{"cgroups of version 1", func(t *testing.T, h *host) {
			kit.Must(t, os.Remove(h.path("root/sys/fs/cgroup")))
			h.mkdir(t, "root/sys/fs/cgroup", 0o755)
		}, want{check.Fix, area, "cgroups of version 1"}},
		{"no tun", func(t *testing.T, h *host) { kit.Must(t, os.Remove(h.path("root/dev/net/tun"))) }, want{check.Fix, area, "/dev/net/tun is not there"}},
		{"closed tun", writing("root/dev/net/tun", "", 0o600), want{check.Fix, area, "/dev/net/tun has mode 0600"}},
		{"no user namespaces", writing("proc/sys/user/max_user_namespaces", "0\n", 0o644), want{check.Fix, area, "user.max_user_namespaces is 0"}},
		{"SELinux", writing("root/sys/fs/selinux/enforce", "1", 0o644), want{check.Look, area, "SELinux is enforcing"}},
		{"permissive SELinux", writing("root/sys/fs/selinux/enforce", "0", 0o644), want{check.OK, area, "SELinux is on"}},
		{"AppArmor", writing("root/sys/module/apparmor/parameters/enabled", "Y\n", 0o644), want{check.OK, area, "AppArmor is on"}},
		{"AppArmor of Ubuntu", func(t *testing.T, h *host) {
			h.write(t, "root/sys/module/apparmor/parameters/enabled", "Y\n", 0o644)
			h.write(t, "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", 0o644)
		}, want{check.Look, area, "AppArmor limits user namespaces of all but root"}},
		{"no image", inPolicy("images = [\"docker.io/library/alpine:*\"]", ""), want{check.Look, area, "allows no image"}},
		{"a unit that is not root's", serving("User=ci"), want{check.Fix, "runner's service", "gitlab-runner.service has User=ci"}},
		{"no user for jobs without a tenant", func(t *testing.T, h *host) {
			inPolicy(`run_as = "list"`, `run_as_root = "unsafe"`)(t, h)
		}, want{check.Fix, "run_as", "jobs with an image need a unix user, and have none: the jobs without a tenant"}},
		{"no user for jobs that must have an image", func(t *testing.T, h *host) {
			without(t, h)
			inPolicy(`engine = "podman"`, "engine = \"podman\"\nrequire_image = true")(t, h)
		}, want{check.Fix, "run_as", "jobs with an image need a unix user, and have none: the jobs without a tenant"}},
	}
}

// TestContainers plants mistakes on a host whose jobs have containers.
func TestContainers(t *testing.T) {
	t.Parallel()
	for _, f := range slices.Concat(containerFaults(), imageFaults()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			box(t, h)
			f.breaking(t, h)
			findings := h.check(t)
			named(t, findings, f.want)
			if check.Bad(findings) != (f.want.state == check.Fix) {
				t.Errorf("bad is %v for\n%s", check.Bad(findings), text(findings))
			}
			for _, pattern := range []string{".rolecall-check-*", "images/.rolecall-check-*"} {
				if left, _ := filepath.Glob(h.path(pattern)); left != nil {
					t.Errorf("rolecall leaves %v", left)
				}
			}
		})
	}
}

// TestNoContainers: where jobs have no containers, nothing is said of them.
func TestNoContainers(t *testing.T) {
	t.Parallel()
	if findings := newHost(t).check(t); slices.ContainsFunc(findings, func(f check.Finding) bool { return f.Area == "containers" || f.Area == "images_dir" }) {
		t.Errorf("\n%s", text(findings))
	}
}

// TestNoOverlay: a folder in which overlay cannot be mounted is found by trying.
func TestNoOverlay(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a disk without overlay") {
		return
	}
	h := newHost(t)
	box(t, h)
	for _, dir := range []string{"lower", "upper", "work"} {
		h.mkdir(t, dir, 0o755)
	}
	h.mkdir(t, "images", 0o711)
	below := h.path("disk")
	kit.Mount(t, below, "mode=0711", 0)
	for _, dir := range []string{"lower", "upper", "work"} {
		kit.Must(t, os.Mkdir(filepath.Join(below, dir), 0o711))
	}
	kit.Must(t, unix.Mount("overlay", h.path("images"), "overlay", 0, "lowerdir="+below+"/lower,upperdir="+below+"/upper,workdir="+below+"/work"))
	t.Cleanup(func() { kit.Must(t, unix.Unmount(h.path("images"), unix.MNT_DETACH)) })
	kit.Must(t, os.Chmod(h.path("images"), 0o711))
	named(t, h.check(t), want{check.Fix, "containers", "overlay cannot be mounted in a user namespace in " + h.path("images")})
}
