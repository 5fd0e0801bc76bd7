package check_test

import (
	"os"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// TestUserDir: without a policy file the user of --run-as must have the folders of
// builds and caches to itself, and must be able to reach them.
func TestUserDir(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	const area, list = `runner "deploy-beta"`, 38 // a user that every Debian has
	for name, test := range map[string]struct {
		change func(h *host) error
		want   want
	}{
		"right":      {func(*host) error { return nil }, want{check.OK, area, `builds belongs to user "list"`}},
		"loose":      {func(h *host) error { return os.Chmod(h.path("builds"), 0o775) }, want{check.Fix, area, "builds (mode 0775)"}},
		"of another": {func(h *host) error { return os.Chown(h.path("cache"), list+1, 0) }, want{check.Fix, area, `cache does not belong to user "list" of --run-as`}},
		"closed way": {func(h *host) error { return os.Chmod(h.dir, 0o700) }, want{check.Fix, area, `user "list" cannot pass through`}},
		"missing":    {func(h *host) error { return os.Remove(h.path("cache")) }, want{check.Fix, area, "cache: no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.policy, h.ByDefault = "", true
			inRunners(`"--config", "DIR/etc/rolecall.toml"`, `"--no-policy", "--run-as", "list"`)(t, h)
			kit.Must(t, os.Chmod(h.path(".."), 0o711))
			kit.Must(t, os.Chmod(h.dir, 0o711))
			for _, dir := range []string{"builds", "cache"} {
				kit.Must(t, os.Chown(h.path(dir), list, list))
			}
			kit.Must(t, test.change(h))
			findings := h.check(t)
			named(t, findings, test.want)
			if check.Bad(findings) != (test.want.state == check.Fix) {
				t.Errorf("bad is %v for\n%s", check.Bad(findings), text(findings))
			}
		})
	}
}

// TestProcessDies: a kernel that kills whatever starts in a new cgroup is named. A program
// that ends at once stands for it.
func TestProcessDies(t *testing.T) {
	if processes().state != check.OK {
		t.Skip("NOT TESTED, run where there are cgroups to be made")
	}
	bin := t.TempDir()
	kit.Must(t, os.Symlink("/bin/true", bin+"/sleep"))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	named(t, newHost(t).check(t), want{check.Fix, "processes", "it died as soon as it had started"})
	t.Setenv("PATH", t.TempDir())
	named(t, newHost(t).check(t), want{check.Fix, "processes", `"sleep": executable file not found`})
}
