package provision_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/account"
	"rolecall/internal/admin/provision"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

const tenants = `
[gitlab]
issuer = "https://gitlab.example.com"
[defaults]
audience = "a"
projects = ["acme/shop"]
[[tenant]]
name = "alpha"
run_as = "ci-alpha"
role_arn = "arn:aws:iam::111122223333:role/a"
[[tenant]]
name = "beta"
run_as = "ci-beta"
role_arn = "arn:aws:iam::111122223333:role/b"
`

func compile(t *testing.T, text string) *tenant.Policy {
	t.Helper()
	policy, err := policyfile.Compile("p", []byte(text), grant.AWS{})
	kit.Must(t, err)
	return policy
}

// ownEtc gives this process a /etc and a /home of its own, which useradd can change.
func ownEtc(t *testing.T) {
	t.Helper()
	kit.Must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	etc := filepath.Join(kit.OpenDir(t), "etc")
	out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	kit.Must(t, syscall.Mount(etc, "/etc", "", syscall.MS_BIND, ""))
	t.Cleanup(func() { kit.Must(t, syscall.Unmount("/etc", syscall.MNT_DETACH)) })
	kit.Mount(t, "/home", "", 0)
	kit.Must(t, os.Chmod("/home", 0o755))
	kit.Mount(t, "/srv", "", 0)
	kit.Must(t, os.Chmod("/srv", 0o755))
}

// do makes all that a host lacks, and returns the commands.
func do(t *testing.T, policy *tenant.Policy) []string {
	t.Helper()
	plan, err := provision.For(policy)
	kit.Must(t, err)
	var ran []string
	kit.Must(t, plan.Do(t.Context(), func(s provision.Step) { ran = append(ran, s.String()) }))
	return ran
}

// TestHost: a host gets what its policy file asks for, once. What exists stays.
func TestHost(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "users that are made") {
		return
	}
	ownEtc(t)
	kit.Must(t, os.Mkdir("/srv/own", 0o755))
	policy := compile(t, `run_as = "ci-none"
builds_dir = "/srv/ci jobs/builds"
cache_dir = "/srv/ci jobs/cache"
audit_log = "/srv/own/audit.jsonl"
home_skeleton = "/srv/skeleton"
credentials_dir = "/srv/gone/credentials"
`+tenants+"[containers]\nengine = \"podman\"\nimages_dir = \"/srv/own/images\"\n")
	plan, err := provision.For(policy)
	kit.Must(t, err)
	if text := strings.Join(plan.Warnings, "\n"); len(plan.Warnings) != 2 || !strings.Contains(text, "no folder /srv/skeleton") || !strings.Contains(text, "d /srv/gone 0711 root root") {
		t.Errorf("the warnings are %q", plan.Warnings)
	}
	const useradd = "useradd --system --create-home --skel /dev/null --shell /usr/sbin/nologin "
	want := []string{
		useradd + "ci-none", useradd + "ci-alpha", useradd + "ci-beta",
		"mkdir -m 0711 -- '/srv/ci jobs'", "mkdir -m 0711 -- '/srv/ci jobs/builds'", "mkdir -m 0711 -- '/srv/ci jobs/cache'",
		"mkdir -m 0711 -- /srv/own/images",
	}
	if got := do(t, policy); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the steps are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if again := do(t, policy); again != nil {
		t.Errorf("the second time the steps are %q, want none", again)
	}
	checkMade(t)
}

// checkMade checks the users and folders of TestHost.
func checkMade(t *testing.T) {
	t.Helper()
	uids := map[uint32]bool{}
	for _, name := range []string{"ci-none", "ci-alpha", "ci-beta"} {
		a, err := account.Lookup(name)
		kit.Must(t, err)
		if files, err := os.ReadDir(a.Home); err != nil || len(files) > 0 || uids[a.UID] || a.Shell != "/usr/sbin/nologin" || len(a.Groups) != 1 {
			t.Errorf("the user is %+v, with %v in its home, %v", a, files, err)
		}
		uids[a.UID] = true
	}
	for path, want := range map[string]fs.FileMode{"/srv/ci jobs": 0o711, "/srv/ci jobs/builds": 0o711, "/srv/own": 0o755, "/srv/own/images": 0o711} {
		info, err := os.Stat(path)
		kit.Must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
		}
	}
	if _, err := os.Stat("/srv/skeleton"); err == nil {
		t.Error("the skeleton was made")
	}
	subuid, _ := os.ReadFile("/etc/subuid")
	if strings.Contains(string(subuid), "ci-") {
		t.Errorf("/etc/subuid has\n%s", subuid)
	}
}

// TestInTheWay: what is wrong on a host is an error or a warning, and stays as it is.
func TestInTheWay(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "users that are made") {
		return
	}
	ownEtc(t)
	kit.Must(t, os.WriteFile("/srv/file", nil, 0o600))
	kit.Must(t, os.Symlink("/srv/nothing", "/srv/link"))
	kit.Must(t, os.Mkdir("/srv/open", 0o700))
	kit.Must(t, os.Chmod("/srv/open", 0o777))
	passwd, err := os.OpenFile("/etc/passwd", os.O_APPEND|os.O_WRONLY, 0)
	kit.Must(t, err)
	_, err = passwd.WriteString("ci-alpha:x:4001:4001::/home/none:/bin/bash\nci-beta:x:0:4002::/srv:/usr/sbin/nologin\nci-shell:x:4003:4003::/srv:\nci-ldap:x:4004:4004::/srv:/bin/false\n")
	kit.Must(t, err)
	kit.Must(t, passwd.Close())
	group, err := os.ReadFile("/etc/group")
	kit.Must(t, err)
	kit.Must(t, os.WriteFile("/etc/group", []byte(strings.Replace(string(group)+"\n", "\nadm:x:4:", "\nadm:x:4:ci-ldap,", 1)+"ci-none:x:4009:\n"), 0o644))
	dirs := func(builds string) string {
		return "builds_dir = \"" + builds + "\"\ncache_dir = \"/srv/cache\"\n" + strings.Replace(tenants, "ci-beta", "ci-ldap", 1)
	}
	for name, c := range map[string]struct{ policy, err, warning string }{
		"a user with a shell":      {dirs("/srv/builds"), "", `user "ci-alpha" exists and can log in, with the shell "/bin/bash"`},
		"a user without a home":    {dirs("/srv/builds"), "", `its home folder "/home/none" does not`},
		"a user without any shell": {strings.Replace(dirs("/srv/b"), "ci-alpha", "ci-shell", 1), "", `user "ci-shell" exists and can log in, with the shell ""`},
		"a user with rights":       {dirs("/srv/builds"), "", `user "ci-ldap" exists and is in adm`},
		"a user who is root":       {strings.Replace(dirs("/srv/builds"), "ci-alpha", "ci-beta", 1), `user "ci-beta": its uid is 0`, ""},
		"a file":                   {dirs("/srv/file"), "builds_dir: /srv/file is no folder", ""},
		"a file above":             {dirs("/srv/file/builds"), "not a directory", ""},
		"a link":                   {dirs("/srv/link"), "/srv/link is a link to nothing", ""},
		"a folder of all":          {dirs("/srv/open/builds"), "/srv/open has mode 0777", ""},
	} {
		plan, err := provision.For(compile(t, c.policy))
		if c.err == "" && (err != nil || !strings.Contains(strings.Join(plan.Warnings, "\n"), c.warning)) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, %q, want %q%s", name, err, plan.Warnings, c.warning, c.err)
		}
	}
	plan, err := provision.For(compile(t, "run_as = \"ci-none\"\n"+dirs("/srv/builds"))) // the group is there, and not the user
	kit.Must(t, err)
	if err := plan.Do(t.Context(), func(provision.Step) {}); err == nil || !strings.Contains(err.Error(), "useradd") || !strings.Contains(err.Error(), "ci-none") {
		t.Errorf("a group of a user's name: %v", err)
	}
	if _, err := os.Stat("/srv/cache"); err == nil {
		t.Error("after a step that failed there was another")
	}
}

// TestWithoutProgram: a host without useradd is told what to install.
func TestWithoutProgram(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a host without useradd") {
		return
	}
	ownEtc(t)
	kit.Mount(t, "/usr/sbin", "", 0)
	err := provision.Plan{Steps: []provision.Step{provision.MakeUser("ci-alpha")}}.Do(t.Context(), func(provision.Step) { t.Error("it was made") })
	if err == nil || !strings.Contains(err.Error(), "useradd is in no folder of ") || !strings.Contains(err.Error(), "package passwd") {
		t.Errorf("got %v", err)
	}
}

// TestNotRoot: another user than root can plan, and make nothing.
func TestNotRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 && !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}) {
		return
	}
	plan, err := provision.For(compile(t, "builds_dir = \"/var/lib/none/b\"\ncache_dir = \"/var/lib/none/c\"\nrun_as = \"ci-nobody-has\"\n"+tenants))
	if err != nil || len(plan.Steps) < 3 {
		t.Fatalf("the plan is %v, %v", plan, err)
	}
	if err := plan.Do(context.Background(), func(provision.Step) { t.Error("it was made") }); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("got %v", err)
	}
	if err := (provision.Plan{}).Do(context.Background(), nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}
