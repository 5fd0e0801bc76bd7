package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// host is a host whose every file is in a folder of a test, with a GitLab and an
// STS on loopback. Its fields are what of it is put together by files.
type host struct {
	check.Host
	dir    string
	gitlab *coordinator.Server
	sts    *fakests.Server

	policy  string // the policy file
	runners string // the runner's config.toml
	mounts  string // /proc/self/mountinfo
}

// newHost returns a host on which all is right.
func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{dir: t.TempDir()}
	h.Host = check.Host{
		Policy: h.path("etc/rolecall.toml"), Providers: []policyfile.Provider{grant.AWS{}, gcp.Provider{}}, RunnerConfig: h.path("etc/config.toml"),
		Temp: h.path("run"), Proc: h.path("proc"), Root: h.path("root"), Path: "/usr/bin:/bin", Metadata: []string{closedPort(t)},
	}
	var err error
	if h.gitlab, err = coordinator.StartWithECKey(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.gitlab.Close)
	if h.sts, err = fakests.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.sts.Close)
	h.install(t)
	h.write(t, "etc/session.json", `{"Version": "2012-10-17"}`, 0o644)
	h.write(t, "proc/swaps", "Filename Type Size Used Priority\n", 0o644)
	h.write(t, "proc/sys/kernel/core_pattern", "core\n", 0o644)
	h.write(t, "proc/sys/fs/protected_symlinks", "1\n", 0o644)
	for folder, mode := range map[string]os.FileMode{"run/rolecall": 0o700, "log": 0o755, "builds": 0o755, "cache": 0o755} {
		h.mkdir(t, folder, mode)
	}
	h.writeTexts()
	return h
}

// writeTexts sets the texts of a host on which all is right.
func (h *host) writeTexts() {
	h.policy = h.expand(`builds_dir = "DIR/builds"
cache_dir = "DIR/cache"
credentials_dir = "DIR/run/rolecall"
audit_log = "DIR/log/audit.jsonl"
shared_user = "unsafe"
run_as_root = "unsafe"
[gitlab]
issuer = "GITLAB"
[sts]
endpoint = "STS"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
session_policy_file = "DIR/etc/session.json"
[[tenant]]
name = "beta"
role_arn = "arn:aws:iam::444455556666:role/deploy"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
`)
	h.runners = "shutdown_timeout = 60\n" + h.runner("alpha") + h.runner("beta") + `
[[runners]]
name = "another's"
url = "http://192.0.2.1"
executor = "shell"
`
	h.mounts = h.expand(`2 1 0:5 / DIR/proc rw,nosuid - proc proc rw,hidepid=invisible
3 1 0:6 / DIR/run rw,nosuid shared:2 - tmpfs tmpfs rw,size=1024k,mode=755
6 3 0:8 / DIR/run/rolecall rw,nosuid - tmpfs tmpfs rw,size=1024k,mode=755
4 1 0:7 / /dev/shm rw - tmpfs tmpfs rw
5 1 8:2 / DIR/run/role rw - ext4 /dev/sdb1 rw
1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
`)
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

// expand fills in paths and addresses.
func (h *host) expand(text string) string {
	return strings.NewReplacer("DIR", h.dir, "GITLAB", h.gitlab.URL(), "STS", h.sts.URL()).Replace(text)
}

// runner returns the configuration of a runner that serves a tenant.
func (h *host) runner(tenant string) string {
	text := h.expand(`[[runners]]
name = "deploy-` + tenant + `"
url = "GITLAB"
token = "glrt-SECRET"
executor = "custom"
builds_dir = "DIR/builds"
cache_dir = "DIR/cache"
[runners.custom]
`)
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		text += fmt.Sprintf("%s_exec = %q\n%s_args = [\"--config\", %q, \"--tenant\", %q]\n", stage, h.path("libexec/rolecall/"+stage), stage, h.Policy, tenant)
	}
	return text + `config_exec_timeout = 30
prepare_exec_timeout = 120
cleanup_exec_timeout = 60
graceful_kill_timeout = 15
force_kill_timeout = 5
`
}

func (h *host) mkdir(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(h.path(name), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.path(name), mode); err != nil {
		t.Fatal(err)
	}
}

func (h *host) write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(h.path(name)) // it may be a link to a program of all tests
	if err := os.WriteFile(h.path(name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.path(name), mode); err != nil {
		t.Fatal(err)
	}
}

// check writes the host's own files, where a test has not, and checks it.
func (h *host) check(t *testing.T) []check.Finding {
	t.Helper()
	for name, content := range map[string]string{"etc/rolecall.toml": h.policy, "etc/config.toml": h.runners, "proc/self/mountinfo": h.mounts} {
		if _, err := os.Lstat(h.path(name)); err != nil && content != "" {
			h.write(t, name, content, 0o600)
		}
	}
	return h.Check(t.Context())
}

// closedPort returns an address that nothing listens at. Until the test ends nobody else can: the port
// is bound.
func closedPort(t *testing.T) string {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	kit.Must(t, err)
	t.Cleanup(func() { _ = unix.Close(socket) })
	kit.Must(t, unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := unix.Getsockname(socket)
	kit.Must(t, err)
	bound, ok := name.(*unix.SockaddrInet4)
	if !ok {
		t.Fatalf("%T", name)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.Port)
}

// text returns findings as a table.
func text(findings []check.Finding) string {
	var lines []string
	for _, f := range findings {
		do := f.Do
		if commands := strings.Join(f.Commands, "; "); commands != do && commands != "" {
			do += ": " + commands
		}
		lines = append(lines, fmt.Sprintf("%-4s | %s | %s | %s", f.State, f.Area, f.What, do))
	}
	return strings.Join(lines, "\n")
}
