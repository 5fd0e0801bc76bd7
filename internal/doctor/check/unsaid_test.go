package check_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// unsaid is a host of which nothing may say a text.
type unsaid struct {
	name     string
	breaking func(t *testing.T, h *host)
	text     string
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
		{"users", right, "need a unix user"},
		{"a default image", all(without, inPolicy(engine, engine+"\ndefault_image = \"docker.io/library/alpine:3\"")), "allows no image"},
		{"no image for root", without, "need a unix user"},
		{"a folder that others can change", func(t *testing.T, h *host) { h.mkdir(t, "images", 0o777) }, tried},
		{"no user", all(inPolicy(alphaUser, "ci-none"), inPolicy(betaUser, "ci-none2"), inPolicy(`"list"`, `"ci-none3"`)), tried},
		{"no services", noTun(`services = ["docker.io/library/postgres:*"]`, ""), "/dev/net/tun"},
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
	return []unsaid{
		{"no skeleton", func(*testing.T, *host) {}, "| home_skeleton |"},
		{"no runner of all tenants", func(*testing.T, *host) {}, "every tenant"},
		{"a user of another executor", driver("docker", "/rolecall/run", `"--run-as", "ci-none"`), "ci-none"},
		{"another driver", driver("custom", "/other/run", ""), `runner "x"`},
		{"a user of another driver", driver("custom", "/other/run", `"--run-as", "ci-none"`), "ci-none"},
		{"a user among unknown flags", inRunners(`"--config",`, `"--run-as", "ci-none", "--odd", "--config",`), `user "ci-none"`},
	}
}

// TestUnsaid: what does not apply to a host is not said of it.
func TestUnsaid(t *testing.T) {
	t.Parallel()
	right := map[bool]func(*testing.T, *host){true: box, false: func(t *testing.T, h *host) { isolate(t, h, alphaUser, betaUser) }}
	for boxed, list := range map[bool][]unsaid{true: boxUnsaid(), false: userUnsaid()} {
		for _, u := range list {
			t.Run(u.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				right[boxed](t, h)
				u.breaking(t, h)
				if got := text(h.check(t)); strings.Contains(got, u.text) || strings.Contains(got, "| policy file | "+h.Policy+":") {
					t.Errorf("%q in\n%s", u.text, got)
				}
			})
		}
	}
}

// TestBrokenPolicy: a policy file that is wrong is there.
func TestBrokenPolicy(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.write(t, "etc/rolecall.toml", h.policy, 0o666)
	if got := text(h.check(t)); strings.Contains(got, "does not exist, so every job is refused") {
		t.Errorf("\n%s", got)
	}
}
