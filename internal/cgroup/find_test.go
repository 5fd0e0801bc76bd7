package cgroup_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

const (
	pure    = "30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	freezer = "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
	others  = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n31 23 0:28 / /sys/fs/cgroup rw - tmpfs freezer rw\n"
)

func TestFolders(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind           cgroup.Kind
		mounts, groups string
		want           []string
	}{
		"nothing":           {cgroup.V2, "", "", nil},
		"not mounted":       {cgroup.V2, others + freezer, "0::/\n", nil},
		"no membership":     {cgroup.V1, freezer, "0::/a\n1:cpu:/b\n", nil},
		"broken":            {cgroup.V2, "30 24 - cgroup2\n\n - \n30\n", "0::/\n0\n", nil},
		"short mount":       {cgroup.V2, "30 24 - cgroup2 cgroup2 rw\n", "0::/\n", nil},
		"short system":      {cgroup.V2, "30 24 0:27 / /x rw - cgroup2\n", "0::/\n", nil},
		"short membership":  {cgroup.V2, pure, "0\n0:x\n", nil},
		"no cgroup":         {cgroup.V1, "31 23 0:28 / /x rw - tmpfs tmpfs rw,freezer\n", "6:freezer:/\n", nil},
		"outside, up":       {cgroup.V2, pure, "0::/../../user.slice\n", nil},
		"outside, root up":  {cgroup.V2, strings.Replace(pure, " / /", " /../.. /", 1), "0::/\n", nil},
		"outside, beside":   {cgroup.V2, strings.Replace(pure, " / /", " /docker/1 /", 1), "0::/docker/12\n", nil},
		"root":              {cgroup.V2, pure, "0::/\n", []string{"/sys/fs/cgroup"}},
		"service":           {cgroup.V2, pure, "0::/system.slice/gitlab-runner.service\n", []string{"/sys/fs/cgroup/system.slice/gitlab-runner.service"}},
		"hybrid":            {cgroup.V2, others + freezer + unified, "6:freezer:/x\n0::/y\n", []string{"/sys/fs/cgroup/unified/y"}},
		"freezer":           {cgroup.V1, others + freezer + unified, "6:freezer:/x\n0::/y\n", []string{"/sys/fs/cgroup/freezer/x"}},
		"freezer and more":  {cgroup.V1, strings.ReplaceAll(freezer, "freezer", "cpu,freezer"), "6:cpu,freezer:/\n", []string{"/sys/fs/cgroup/cpu,freezer"}},
		"part of a host's":  {cgroup.V1, strings.Replace(freezer, " / /", " /docker/1 /", 1), "6:freezer:/docker/1/a\n", []string{"/sys/fs/cgroup/freezer/a"}},
		"whole of the part": {cgroup.V1, strings.Replace(freezer, " / /", " /docker/1 /", 1), "6:freezer:/docker/1\n", []string{"/sys/fs/cgroup/freezer"}},
		"two mounts":        {cgroup.V2, pure + unified, "0::/a\n", []string{"/sys/fs/cgroup/a", "/sys/fs/cgroup/unified/a"}},
		"escapes":           {cgroup.V2, `1 2 0:1 /a\040b /c\134040d rw - cgroup2 x rw`, "0::/a b/c:d\n", []string{`/c\040d/c:d`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := cgroup.Folders(test.kind, test.mounts, test.groups); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// FuzzFolders: a cgroup's folder is below a mount of cgroups, whatever the cgroup's
// name.
func FuzzFolders(f *testing.F) {
	f.Add(pure+others+unified+freezer, "6:freezer:/x\n0::/y\n")
	f.Add(strings.Replace(pure, " / /", " /../x /", 1), "0::/../x/y\n")
	f.Add("", "0::/a/../../..\n6:freezer:..\n")
	f.Fuzz(func(t *testing.T, mounts, groups string) {
		for _, kind := range []cgroup.Kind{cgroup.V2, cgroup.V1} {
			cgroup.Folders(kind, mounts, groups)
			for _, path := range cgroup.Folders(kind, others+pure+freezer, groups) {
				if clean := filepath.Clean(path); clean != "/sys/fs/cgroup" && !strings.HasPrefix(clean, "/sys/fs/cgroup/") {
					t.Errorf("%q in %q", path, groups)
				}
			}
		}
	})
}

// TestHosts: hosts that offer cgroups in other ways. Each is made in its own namespace.
func TestHosts(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "worlds of other hosts")
	mountPure := "umount -lR /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup\n"
	g := newGroup(t, variant{cgroup.V2, false})
	groups, err := os.ReadFile("/proc/self/cgroup")
	kit.Must(t, err)
	_, own2, _ := strings.Cut(string(groups), "0::/")
	whole := strings.TrimSuffix("/sys/fs/cgroup/"+strings.TrimSuffix(own2, "\n"), "/")
	for name, test := range map[string]struct {
		part, shell, want string
		flags             uintptr
	}{
		"this one":          {"own", "", g.parent.Path(), 0},
		"no cgroups":        {"own", "umount -lR /sys/fs/cgroup\n", "no cgroup for jobs; cgroup v2: is not mounted, or only a part of it without this process's cgroup; cgroup v1 freezer: is not mounted", syscall.CLONE_NEWNS},
		"no proc":           {"own", "umount -lR /proc\n", "no cgroup for jobs: open /proc/self/mountinfo: no such file", syscall.CLONE_NEWNS},
		"v2 alone":          {"own", mountPure, "cgroup v2 " + whole + "\n", syscall.CLONE_NEWNS},
		"v2 read-only":      {"own", mountPure + "mount -o remount,bind,ro /sys/fs/cgroup\n", "no cgroup for jobs; cgroup v2: " + whole + "/.: read-only file system; cgroup v1", syscall.CLONE_NEWNS},
		"v2 not permitted":  {"own", mountPure + "exec setpriv --reuid 61003 --regid 61003 --clear-groups \"$0\"\n", "no cgroup for jobs; cgroup v2: " + whole + "/.: permission denied; cgroup v1", syscall.CLONE_NEWNS},
		"v2 hidden":         {"own", mountPure + "mount -t tmpfs none /sys/fs/cgroup\n", "no cgroup for jobs; cgroup v2: /sys/fs/cgroup", syscall.CLONE_NEWNS},
		"namespace":         {"own", "echo $$ >" + g.path + "/cgroup.procs; exec unshare -C bash -euc '" + mountPure + "exec \"$0\"' \"$0\"\n", "cgroup v2 /sys/fs/cgroup\n", syscall.CLONE_NEWNS},
		"not the namespace": {"own", mountPure + "echo $$ >" + whole + "/" + filepath.Base(g.path) + "/cgroup.procs; exec unshare -C \"$0\"\n", "no cgroup for jobs; cgroup v2: is not mounted, or only a part of it without this process's cgroup", syscall.CLONE_NEWNS},
		"no clone3":         {"own without clone3", mountPure, "no cgroup for jobs; cgroup v2: CLONE_INTO_CGROUP needs Linux 5.7 and a seccomp filter that lets clone3 pass: function not implemented", syscall.CLONE_NEWNS},
		"no clone3, v1":     {"own without clone3", "", "cgroup v1 freezer /", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.HasSuffix(name, "v1") {
				own(t, cgroup.V1)
			}
			shell := test.shell
			if test.flags != 0 {
				shell = "mount --make-rprivate /\n" + shell
			}
			command := again(t, test.part, shell+"exec \"$0\"")
			command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: test.flags}
			output, _ := command.CombinedOutput()
			if !strings.Contains(string(output), test.want) {
				t.Errorf("output %q, want one with %q", output, test.want)
			}
		})
	}
}
