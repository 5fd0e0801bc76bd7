package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
)

// user is a user of --run-as, and how its job ends.
type user struct {
	name  string
	makes string // shell lines that make the user
	state string
	says  string // in the job log
}

// oddUsers are users that admins have by mistake, or that other programs have made.
func oddUsers() []user {
	const useradd = "useradd --system --create-home --skel /dev/null "
	return []user{
		{"nosuch", "", "failed", `user "nosuch": not in /etc/passwd`},
		{"toor", "useradd --non-unique --uid 0 --no-create-home toor", "failed", `user "toor": its uid is 0`},
		{"homeless", "useradd --system --home-dir /none homeless", "success", "I am homeless"},
		{"exits", useradd + "exits; echo exit 3 > ~exits/.profile", "failed", `exit code 3, of user "exits"`},
		{"shouts", useradd + "shouts; echo 'yes | head -c 10000000' > ~shouts/.profile", "success", "exceeded limit"},
		{"sleeps", useradd + "sleeps; echo sleep 600 > ~sleeps/.profile", "failed", "the stage was stopped while a startup file of the login shell ran"},
	}
}

// checkUsers runs a job as each of the odd users, on runners without a policy file.
func (h host) checkUsers(t *testing.T) {
	t.Helper()
	config := "concurrent = 9\nshutdown_timeout = 60\n"
	for _, u := range oddUsers() {
		h.sh(t, fmt.Sprintf("%s\nmkdir -p /srv/%[2]s && { ! id %[2]s || chown %[2]s /srv/%[2]s; }", u.makes, u.name))
		config += fmt.Sprintf("[[runners]]\nname = %q\nurl = %q\ntoken = %q\nexecutor = \"custom\"\nbuilds_dir = \"/srv/%[4]s\"\ncache_dir = \"/srv/%[4]s\"\n[runners.custom]\n", u.name, h.gitlab.URL(), tokenOf(u.name), u.name)
		for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
			config += fmt.Sprintf("%[1]s_exec = %[2]q\n%[1]s_args = [\"--no-policy\", \"--run-as\", %[3]q]\n", stage, libexec+stage, u.name)
		}
	}
	h.write(t, configFile, config, 0o600)
	h.sh(t, "systemctl restart gitlab-runner")
	runs := map[string]*coordinator.Run{}
	for _, u := range oddUsers() {
		job := coordinator.Job{Project: coordinator.Project{Path: "acme/shop"}, Script: []string{"echo I am $(id -un)"}}
		if u.name == "sleeps" {
			job.Timeout = 5 * time.Second
		}
		runs[u.name] = h.enqueue(tokenOf(u.name), job)
	}
	for _, u := range oddUsers() {
		run := runs[u.name]
		if result := wait(t, run); result.State != u.state || !strings.Contains(run.Text(), u.says) {
			t.Errorf("%s: %+v, want %s and %q; log:\n%.9000s", u.name, result, u.state, u.says, run.Text())
		}
	}
}

// tokenOf returns the token of a user's runner.
func tokenOf(user string) string { return "glrt-" + user + "0001" }
