package check_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"rolecall/internal/backend/podman"
	"rolecall/test/kit"
)

// unsaid is a host of which nothing may say a text.
type unsaid struct {
	name     string
	breaking func(t *testing.T, h *host)
	text     string
}

// plainUnsaid are hosts whose tenants have no users.
func plainUnsaid() []unsaid {
	const config = `"--config", "DIR/etc/rolecall.toml"`
	noPolicy := func(flags string, more ...func(*testing.T, *host)) func(*testing.T, *host) {
		return func(t *testing.T, h *host) {
			t.Helper()
			kit.NeedRoot(t, "what is said to an admin whose runner is root")
			h.policy, h.ByDefault = "", true
			all(append(more, inRunners(config, flags))...)(t, h)
		}
	}
	noBuilds := func(t *testing.T, h *host) { kit.Must(t, os.Remove(h.path("builds"))) }
	return []unsaid{
		{"no user", func(*testing.T, *host) {}, "| beside jobs |"},
		{"no user, and a service of one", serving("User=ci"), "has User=ci"},
		{"no service", func(*testing.T, *host) {}, "| runner's service |"},
		{"a runner of odd flags beside others", func(_ *testing.T, h *host) {
			h.runners += strings.ReplaceAll(h.runner("beta"), `"beta"]`, `"beta", "--odd"]`)
		}, "several runners"},
		{"a user among unknown flags", noPolicy(`"--no-policy", "--run-as", "list", "--odd"`), "of --run-as"},
		{"folders of no such user", noPolicy(`"--no-policy", "--run-as", "nosuch"`), `runner "deploy-beta" | user "nosuch"`},
		{"no policy file to ignore", noPolicy(`"--no-policy", "--run-as", "list"`), "ignores the policy file DIR/"},
		{"scripts of a user", noPolicy(`"--no-policy", "--run-as", "list"`), "every script of every job is root"},
		{"folders that root can make", noPolicy(`"--no-policy", "--run-as", "root"`, noBuilds), "builds: no such file"},
		{"a folder that the policy file replaces", func(*testing.T, *host) {}, `runner "deploy-beta" | DIR/builds`},
		{"a folder of a runner with a policy file", noBuilds, `runner "deploy-beta" | stat `},
	}
}

// without takes the images from all jobs, and a user from those that have no tenant.
func without(t *testing.T, h *host) {
	t.Helper()
	inPolicy("images = [\"docker.io/library/alpine:*\"]", "")(t, h)
	inPolicy(`run_as = "list"`, `run_as_root = "unsafe"`)(t, h)
}

// noTun takes the device from a host, and replaces a text in its policy file.
func noTun(old, text string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		kit.Must(t, os.Remove(h.path("root/dev/net/tun")))
		inPolicy(old, text)(t, h)
	}
}

// boxUnsaid are hosts whose jobs have containers.
func boxUnsaid() []unsaid {
	const tried, engine = "user namespace can be made", `engine = "podman"`
	right := func(*testing.T, *host) {}
	return []unsaid{
		{"no SELinux", right, "SELinux is"},
		{"no AppArmor", right, "AppArmor is"},
		{"images", right, "allows no image"},
		{"images of one tenant", all(inPolicy("images = [\"docker.io/library/alpine:*\"]", ""), inPolicy(`name = "alpha"`, "name = \"alpha\"\nimages = [\"docker.io/library/alpine:*\"]")), "allows no image"},
		{"users", right, "need a unix user"},
		{"a default image", all(without, inPolicy(engine, engine+"\ndefault_image = \"docker.io/library/alpine:3\"")), "allows no image"},
		{"no image for root", without, "need a unix user"},
		{"a folder that others can change", func(t *testing.T, h *host) { h.mkdir(t, "images", 0o777) }, tried},
		{"no user", all(inPolicy(alphaUser, "ci-none"), inPolicy(betaUser, "ci-none2"), inPolicy(`"list"`, `"ci-none3"`)), tried},
		{"no services", noTun(`services = ["docker.io/library/postgres:*"]`, ""), "/dev/net/tun"},
		{"nothing installed", func(_ *testing.T, h *host) { h.Path = h.path("etc") }, "let the program and the folders above it"},
		{"no such user and a broken range of root's", all(inPolicy(alphaUser, "ci-none"), func(t *testing.T, h *host) {
			h.mkdir(t, "images/.ids", 0o711)
			h.mkdir(t, "images", 0o711)
			kit.Must(t, os.Symlink("x", h.path("images/.ids/0")))
		}), "gets no ids"},
		{"no stores", right, "stores with"},
		{"stores of any size", withLayer, "lets it have"},
		{"a store of just that size", func(t *testing.T, h *host) {
			withLayer(t, h)
			sizes, err := podman.Measure(t.Context(), h.path("images/alpha/protected"), nil)
			kit.Must(t, err)
			inPolicy(engine, fmt.Sprintf("%s\nimages_max_bytes = %d", engine, sizes.Sum()))(t, h)
		}, "lets it have"},
		{"a small store", all(inPolicy(engine, engine+"\nimages_max_bytes = 2097152"), withLayer), "lets it have"},
		{"services without network", noTun(engine, engine+"\nnetwork = \"none\""), "/dev/net/tun"},
	}
}

// userUnsaid are hosts whose tenants have users.
func userUnsaid() []unsaid {
	driver := func(executor, program, args string) func(*testing.T, *host) {
		return func(_ *testing.T, h *host) {
			h.runners += fmt.Sprintf("[[runners]]\nname = \"x\"\nexecutor = %q\n[runners.custom]\nrun_exec = %q\nconfig_args = [%s]\n", executor, program, args)
		}
	}
	noUser := inPolicy(alphaUser, "ci-none")
	return []unsaid{
		{"at jobs of root", all(noUser, writing("root/var/spool/at/a0000101c0b1a2", "", 0o700)), "has at jobs"},
		{"metadata for no such user", all(noUser, func(t *testing.T, h *host) {
			h.Metadata = []string{listening(t)}
		}), ", ci-none"},
		{"a home of passwd that is missing", all(withSkeleton(".profile", "exit 3\n", 0o600), driver("custom", "/rolecall/run", `"--no-policy", "--run-as", "irc"`)), `user "irc" with 3`},
		{"a skeleton that is copied no more", all(withSkeleton(".profile", "exit 3\n", 0o600), withHome(".profile", ""), func(t *testing.T, h *host) {
			kit.Must(t, os.CopyFS(h.path("builds/alpha/protected.home"), os.DirFS(h.path("builds/alpha/unprotected.home"))))
		}), `user "www-data" with 3`},
		{"a profile of two", all(withSkeleton(".profile", "exit 3\n", 0o600), withHome(".profile", "exit 4\n")), "unprotected.home and "},
		{"a driver that is not there", inRunners("DIR/libexec/rolecall/run", "/opt/none/run"), "/opt/none/gate"},
		{"a driver in no whole path", func(_ *testing.T, h *host) {
			h.runners += "[[runners]]\nname = \"x\"\nexecutor = \"custom\"\n[runners.custom]\nconfig_exec = \"/x/config\"\nprepare_exec = \"/x/prepare\"\nrun_exec = \"../check/check.go\"\n"
		}, "check/gate"},
		{"no skeleton", func(*testing.T, *host) {}, "| home_skeleton |"},
		{"no runner of all tenants", func(*testing.T, *host) {}, "every tenant"},
		{"a user of another executor", driver("docker", "/rolecall/run", `"--run-as", "ci-none"`), "ci-none"},
		{"another driver", driver("custom", "/other/run", ""), `runner "x"`},
		{"a driver that is not rolecall", driver("custom", "/bin/sh", ""), "bin/config"},
		{"a user of another driver", driver("custom", "/other/run", `"--run-as", "ci-none"`), "ci-none"},
		{"a user among unknown flags", inRunners(`"--config",`, `"--run-as", "ci-none", "--odd", "--config",`), `user "ci-none"`},
	}
}

// TestUnsaid: what does not apply to a host is not said of it.
func TestUnsaid(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		right func(*testing.T, *host)
		list  []unsaid
	}{
		{func(*testing.T, *host) {}, plainUnsaid()},
		{func(t *testing.T, h *host) { isolate(t, h, alphaUser, betaUser) }, userUnsaid()},
		{box, boxUnsaid()},
	} {
		for _, u := range of.list {
			t.Run(u.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				of.right(t, h)
				u.breaking(t, h)
				if got := text(h.check(t)); strings.Contains(got, h.expand(u.text)) || strings.Contains(got, "| policy file | "+h.Policy+":") {
					t.Errorf("%q in\n%s", u.text, got)
				}
			})
		}
	}
}

// listening returns an address that something listens at.
func listening(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	kit.Must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// TestBrokenPolicy: a policy file that is wrong is there.
func TestBrokenPolicy(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.write(t, "etc/rolecall.toml", h.policy, 0o666)
	if got := text(h.check(t)); strings.Contains(got, "does not exist, so every job is refused") {
		t.Errorf("\n%s", got)
	}
	h = newHost(t)
	inPolicy("cache_dir", "cachedir")(t, h)
	if got := text(h.check(t)); strings.Contains(got, "names all mistakes") { // which is the advice of other programs
		t.Errorf("\n%s", got)
	}
}
