package check_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// TestNoTemp: where nothing can be tried for want of temporary files, nothing is called fine.
func TestNoTemp(t *testing.T) {
	h, a := newHost(t), userWithHome(t, "", "")
	isolate(t, h, alphaUser, betaUser)
	t.Setenv("TMPDIR", h.path("none"))
	named(t, h.check(t), want{check.Fix, "issuer's keys", "/none: no such file"}, want{check.Fix, "home_skeleton", "/none: no such file"})
	if findings := check.CheckLogin(a); len(findings) != 1 || findings[0].State != check.Fix || !strings.Contains(findings[0].What, "/none/") {
		t.Errorf("%+v", findings)
	}
}

// TestLoginDenied: a login shell that could gain privileges is not started. One that cannot be
// in a cgroup is, and is killed by its session.
func TestLoginDenied(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "shells of other users")
	for name, test := range map[string]struct {
		call kit.Call
		want check.State
		what string
	}{
		"exports":    {kit.Call{Number: unix.SYS_PREAD64}, check.Fix, ": input/output error"},
		"privileges": {kit.Call{Number: unix.SYS_PRCTL, Mask: 1<<32 - 1, Has: unix.PR_SET_NO_NEW_PRIVS}, check.Fix, "input/output error"},
		"cgroup":     {kit.Call{Number: unix.SYS_MKDIRAT}, check.Look, "prints into every job log: ran"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			a := userWithHome(t, ".profile", "echo ran\n")
			kit.Must(t, kit.Deny(unix.EIO, test.call))
			if got := check.CheckLogin(a); len(got) != 1 || got[0].State != test.want || !strings.Contains(got[0].What, test.what) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestFullTemp: where temporary files cannot be made or written, no login shell is called fine.
func TestFullTemp(t *testing.T) {
	if !kit.InMounts(t, "a disk that is full") {
		return
	}
	for name, options := range map[string]string{"one file": "nr_inodes=2", "no bytes": "size=4k"} {
		a, dir := userWithHome(t, "", ""), t.TempDir()
		kit.Mount(t, dir, options, 0)
		if name == "no bytes" {
			kit.Must(t, os.WriteFile(dir+"/file", make([]byte, 4096), 0o600))
		}
		t.Setenv("TMPDIR", dir)
		if got := check.CheckLogin(a); len(got) != 1 || got[0].State != check.Fix || !strings.Contains(got[0].What, "no space left on device") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestDenied: what cannot be made ready to be tried is named.
func TestDenied(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	for name, test := range map[string]struct {
		call uint32
		want want
	}{
		"chown": {unix.SYS_FCHOWNAT, want{check.Fix, "containers", `no user namespace can be made for user "backup": lchown `}},
		"chmod": {unix.SYS_FCHMODAT, want{check.Fix, "home_skeleton", "chmod "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			h := newHost(t)
			box(t, h)
			h.check(t) // which writes its files
			kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: test.call}))
			named(t, h.check(t), test.want)
		})
	}
}

// TestNoGroup: a cgroup that cannot be made is named.
func TestNoGroup(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_MKDIRAT}))
	if got := check.CheckProcesses(); len(got) != 1 || got[0].State != check.Look || !strings.Contains(got[0].What, "found and killed one by one: ") {
		t.Errorf("%+v", got)
	}
}

// TestOthersIDs: a file that cannot be read may give ids of containers to somebody, and a long
// line does not hide the next one.
func TestOthersIDs(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	ids := func() string { return text(check.CheckIDs(h.Host)) }
	if got := ids(); !strings.HasPrefix(got, "ok ") {
		t.Errorf("without files: %s", got)
	}
	h.write(t, "root/etc/subuid", "long:"+strings.Repeat("x", 1<<17)+"\nother:1879048192:65536\n", 0o644)
	if got := ids(); !strings.Contains(got, `/etc/subuid gives "other" ids of containers`) {
		t.Errorf("after a long line: %.200s", got)
	}
	kit.Must(t, os.Remove(h.path("root/etc/subuid")))
	h.mkdir(t, "root/etc/subuid", 0o755)
	if got := ids(); !strings.HasPrefix(got, "to fix") || !strings.Contains(got, "/etc/subuid may give ids of containers to somebody: ") || !strings.Contains(got, "is a directory") {
		t.Errorf("a file that cannot be read: %s", got)
	}
}

// TestNoNamespaceFolder: where nothing can be written, no user namespace can be tried.
func TestNoNamespaceFolder(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a disk that nobody can write to") {
		return
	}
	h := newHost(t)
	box(t, h)
	kit.Mount(t, h.path("images"), "size=1m,mode=711", unix.MS_RDONLY)
	findings := h.check(t)
	named(t, findings, want{check.Fix, "containers", `no user namespace can be made for user "backup": mkdir `}, want{check.Fix, "images_dir", "1 MiB free"})
	if got := text(findings); !strings.Contains(got, "1 MiB free | remove images that jobs do not use any more") {
		t.Errorf("no advice in\n%s", got)
	}
	kit.Mount(t, h.path("images"), "size=7g,mode=711", 0)
	findings = h.check(t)
	named(t, findings, want{check.OK, "images_dir", "images has "})
	if got := text(findings); strings.Contains(got, "MiB free | remove") {
		t.Errorf("advice without need in\n%s", got)
	}
}
