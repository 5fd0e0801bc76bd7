package check_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// withSkeleton gives a host, whose tenants have users, a skeleton with a file.
func withSkeleton(file, content string, mode os.FileMode) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		inPolicy("builds_dir", "home_skeleton = \"DIR/etc/skeleton\"\nbuilds_dir")(t, h)
		h.mkdir(t, "etc/skeleton", 0o755)
		if file != "" {
			h.write(t, "etc/skeleton/"+file, content, mode)
		}
	}
}

// withHome gives alpha's jobs of other than protected refs a HOME with a file.
func withHome(file, content string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.mkdir(t, "builds/alpha", 0o711)
		h.write(t, "builds/alpha/unprotected.home/"+file, content, 0o600)
		h.mkdir(t, "builds/alpha/unprotected.home", 0o700)
		for _, path := range []string{"", file} {
			kit.Must(t, os.Chown(h.path("builds/alpha/unprotected.home/"+path), 33, 33))
		}
	}
}

// all does several things to a host.
func all(steps ...func(*testing.T, *host)) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		for _, step := range steps {
			step(t, h)
		}
	}
}

// inSkeleton gives a host a skeleton, and does something to a path in it.
func inSkeleton(do func(path string) error) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		withSkeleton("file", "", 0o600)(t, h)
		kit.Must(t, do(h.path("etc/skeleton")))
	}
}

// homeFaults are about the HOMEs of jobs and the skeleton that they are copies of.
func homeFaults() []fault {
	const area = "home_skeleton"
	return []fault{
		{"right", withSkeleton(".netrc", "x", 0o600), want{check.OK, area, "etc/skeleton can be copied, and nobody else can change it"}},
		{"missing", inPolicy("builds_dir", "home_skeleton = \"DIR/etc/none\"\nbuilds_dir"), want{check.Fix, area, "etc/none: no such file"}},
		{"a file", inPolicy("builds_dir", "home_skeleton = \"DIR/etc/session.json\"\nbuilds_dir"), want{check.Fix, area, "session.json"}},
		{"others write to it", inSkeleton(func(path string) error { return os.Chmod(path, 0o777) }), want{check.Fix, area, "skeleton has mode 0777"}},
		{"others write to a file", withSkeleton("file", "", 0o666), want{check.Fix, area, "skeleton/file: others can write to it (mode 0666)"}},
		{"of another", inSkeleton(func(path string) error { return os.Chown(path+"/file", 33, 33) }), want{check.Fix, area, "skeleton/file: it belongs to another user than root"}},
		{"FIFO", inSkeleton(func(path string) error { return syscall.Mkfifo(path+"/fifo", 0o600) }), want{check.Fix, area, "skeleton/fifo: it is neither a file nor a folder nor a link"}},
		{"socket", inSkeleton(func(path string) error { return unix.Mknod(path+"/s", unix.S_IFSOCK|0o600, 0) }), want{check.Fix, area, "skeleton/s: it is neither"}},
		{"secret for all", withSkeleton(".m2/settings.xml", "x", 0o644), want{check.Look, area, "every user of this host can read "}},
		{"secret behind a closed folder", all(withSkeleton(".netrc", "x", 0o644), func(t *testing.T, h *host) {
			t.Helper()
			h.mkdir(t, "etc/skeleton", 0o700)
		}), want{check.OK, area, "can be copied"}},
		{"folder with the name of a secret", inSkeleton(func(path string) error { return os.Mkdir(path+"/.netrc", 0o755) }), want{check.OK, area, "can be copied"}},

		{"profile ends it", withSkeleton(".profile", "exit 3\n", 0o600), want{check.Fix, "run_as", `ends the login shell of user "www-data" with 3`}},
		{"logout file", withSkeleton(".bash_logout", "echo bye in $HOME; false\n", 0o600), want{check.Fix, "run_as", "after a script that succeeded: bye in DIR/etc/skeleton"}},
		{"profile with keys", withSkeleton(".profile", "export AWS_ACCESS_KEY_ID=SECRET AWS_REGION=x\n", 0o600), want{check.Look, "run_as", "exports AWS_ACCESS_KEY_ID: "}},
		{"a job's profile", withHome(".bash_profile", "[ $HOME = $PWD ] && exit 4\n"), want{check.Fix, "run_as", `ends the login shell of user "www-data" with 4`}},
		{"a job's profile, not the skeleton", all(withSkeleton(".profile", "exit 3\n", 0o600), withHome(".profile", "exit 4\n")), want{check.Fix, "run_as", `"www-data" with 4`}},
		{"a job's profile with keys", withHome(".profile", "export AWS_SESSION_TOKEN=SECRET\n"), want{check.Look, "run_as", "exports AWS_SESSION_TOKEN: "}},
		{"a profile of jobs without a tenant", func(t *testing.T, h *host) {
			t.Helper()
			h.mkdir(t, "builds/none", 0o711)
			h.write(t, "builds/none/protected.home/.profile", "exit 5\n", 0o644)
			kit.Must(t, os.Chown(h.path("builds/none/protected.home"), 38, 38))
		}, want{check.Fix, "run_as", `ends the login shell of user "list" with 5`}},
		{"a HOME of another", all(withHome("x", ""), func(t *testing.T, h *host) {
			t.Helper()
			kit.Must(t, os.Chown(h.path("builds/alpha/unprotected.home"), 34, 34))
		}), want{check.Fix, "run_as", "unprotected.home, the home folder of user \"www-data\", belongs to user 34"}},
		{"an open HOME", all(withHome("x", ""), func(t *testing.T, h *host) {
			t.Helper()
			h.mkdir(t, "builds/alpha/unprotected.home", 0o720)
		}), want{check.Fix, "run_as", "others may write to DIR/builds/alpha/unprotected.home"}},
	}
}

// TestHomes: the login shell of a user starts with each HOME that the user's jobs have, or
// with a copy of the skeleton where there is none yet; no HOME is made or changed, and no
// copy stays.
func TestHomes(t *testing.T) {
	t.Setenv("TMPDIR", openDir(t))
	for _, f := range homeFaults() {
		t.Run(f.name, func(t *testing.T) {
			h := newHost(t)
			isolate(t, h, alphaUser, betaUser)
			f.breaking(t, h)
			before := namesBelow(t, h.path("builds"))
			findings := h.check(t)
			f.want.what = h.expand(f.want.what)
			named(t, findings, f.want)
			if check.Bad(findings) != (f.want.state == check.Fix) || f.want.state == check.OK && strings.Contains(text(findings), "can read") {
				t.Errorf("bad is %v for\n%s", check.Bad(findings), text(findings))
			}
			if after := namesBelow(t, h.path("builds")); !slices.Equal(before, after) {
				t.Errorf("below builds_dir are %q, and were %q", after, before)
			}
			if left, err := filepath.Glob(os.TempDir() + "/rolecall-check-*"); err != nil || len(left) > 0 {
				t.Errorf("left are %q, %v", left, err)
			}
		})
	}
}

// openDir returns a folder that all users can pass through.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	kit.Must(t, errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o711)))
	return dir
}

// namesBelow returns the paths of all that is in a folder.
func namesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	kit.Must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	return names
}

// TestSecrets: each file of a skeleton that tools keep secrets in is named, if all users can read it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	isolate(t, h, alphaUser, betaUser)
	names := []string{".netrc", ".git-credentials", ".npmrc", ".pypirc", ".m2/settings.xml", ".aws/credentials", ".docker/config.json", ".kube/config"}
	withSkeleton("", "", 0)(t, h)
	for _, name := range names {
		h.write(t, "etc/skeleton/"+name, "x", 0o644)
	}
	findings := h.check(t)
	for _, name := range names {
		named(t, findings, want{check.Look, "home_skeleton", "every user of this host can read " + h.path("etc/skeleton/"+name)})
	}
}

// TestPasswdHome: home = "passwd" is named, with what jobs do not see without it.
func TestPasswdHome(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	isolate(t, h, alphaUser, betaUser)
	inPolicy("builds_dir", "home = \"passwd\"\nbuilds_dir")(t, h)
	withHome(".profile", "exit 4\n")(t, h) // no job has that HOME
	findings := h.check(t)
	named(t, findings, want{check.Look, "home", "jobs of unprotected refs can leave startup files"})
	if check.Bad(findings) {
		t.Errorf("it is bad:\n%s", text(findings))
	}
	dir := t.TempDir()
	if got := check.NamesIn(dir + "/none"); got != "" {
		t.Errorf("in a folder that is missing are %s", got)
	}
	for _, name := range []string{".netrc", ".m2", "a\nb"} {
		kit.Must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	if got, want := check.NamesIn(dir), `".m2", ".netrc", "a\nb"`; got != want {
		t.Errorf("the names are %s, want %s", got, want)
	}
	for i := range 9 {
		kit.Must(t, os.Mkdir(fmt.Sprint(dir, "/few", i), 0o700))
	}
	if got := check.NamesIn(dir); strings.Count(got, ", ") != 11 || strings.Contains(got, "...") {
		t.Errorf("of 12 names these are shown: %s", got)
	}
	for i := range 20 {
		kit.Must(t, os.Mkdir(fmt.Sprint(dir, "/", i), 0o700))
	}
	if got := check.NamesIn(dir); strings.Count(got, ", ") != 12 || !strings.HasSuffix(got, ", ...") {
		t.Errorf("of many names these are shown: %s", got)
	}
}

// TestLeftByProfile: a process that a startup file starts in a session of its own is
// killed: a job can have written the file.
func TestLeftByProfile(t *testing.T) {
	t.Parallel()
	parent, err := cgroup.Own()
	if err != nil {
		t.Skip("NOT TESTED, run where there are cgroups to be made: processes in other sessions are killed")
	}
	parent.Close()
	a := userWithHome(t, ".profile", "setsid sleep 300 & sleep 0.2\n")
	began := time.Now()
	if findings := check.CheckLogin(a); len(findings) > 0 || time.Since(began) > 4*time.Second {
		t.Errorf("after %v: %+v", time.Since(began), findings)
	}
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	kit.Must(t, err)
	for _, file := range files {
		if environ, _ := os.ReadFile(file); strings.Contains(string(environ), "HOME="+a.Home+"\x00") {
			t.Errorf("a process is left: %s", file)
		}
	}
}
