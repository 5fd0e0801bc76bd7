package e2e_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// mistake is one that admins make: how it is made and taken back on a host, and the
// finding that names it.
type mistake struct {
	name       string
	plant      string
	undo       string
	state      string
	area, what string
	check      string // what starts rolecall check, if not plain
}

// Files of the host.
const (
	configFile = "/etc/gitlab-runner/config.toml"
	policyFile = "/etc/rolecall/rolecall.toml"
	libexec    = "/usr/libexec/rolecall/"
)

// edit returns a mistake that sed makes in a file.
func edit(name, file, sed, area, what string) mistake {
	return mistake{
		name: name, plant: fmt.Sprintf("cp -p %[1]s /root/saved; sed -i '%[2]s' %[1]s; ! cmp -s %[1]s /root/saved", file, sed),
		undo: fmt.Sprintf("cp -p /root/saved %s", file), state: "to fix", area: area, what: what,
	}
}

// mistakes are what is checked. Each makes one finding.
func mistakes() []mistake {
	const deploy = `runner "deploy"`
	const home = "/var/lib/rolecall/builds/alpha/protected.home/" // of the demo's job
	const service = "/etc/systemd/system/gitlab-runner.service.d/"
	fix := func(name, plant, undo, area, what string) mistake {
		return mistake{name: name, plant: plant, undo: undo, state: "to fix", area: area, what: what}
	}
	look := func(name, plant, undo, area, what string) mistake {
		return mistake{name: name, plant: plant, undo: undo, state: "look at", area: area, what: what}
	}
	return []mistake{
		edit("clean_git_config is off", configFile, `s/^  executor/  clean_git_config = false\n&/`, deploy, "clean_git_config is off"),
		edit("another stage's program", configFile, `s,rolecall/cleanup,rolecall/run,`, deploy, "cleanup_exec is /usr/libexec/rolecall/run, another stage's program"),
		edit("unlike flags", configFile, `s/^    run_exec/    run_args = ["--tenant", "alpha"]\n&/`, deploy, `run_args are ["--tenant" "alpha"]`),
		fix("no x bit", "chmod a-x "+libexec+"prepare", "chmod a+x "+libexec+"prepare", deploy, "prepare_exec: /usr/libexec/rolecall/prepare is not a program"),
		fix("config.toml of mode 0644", "chmod 0644 "+configFile, "chmod 0600 "+configFile, "runner's config", configFile+" has mode 0644"),
		fix("a user in sudo", "usermod -aG sudo ci-alpha", "gpasswd -d ci-alpha sudo", "run_as", `user "ci-alpha" is in sudo`),
		fix("a user in adm", "usermod -aG adm ci-beta", "gpasswd -d ci-beta adm", "run_as", `user "ci-beta" is in adm`),
		edit("a user that is missing", policyFile, `s/"ci-beta"/"ci-betta"/`, "run_as", `user "ci-betta"`),
		fix("an audit folder of mode 0777", "chmod 0777 /var/lib/rolecall", "chmod 0711 /var/lib/rolecall", "audit_log", "/var/lib/rolecall has mode 0777"),
		edit("credentials on a disk", policyFile, `1i credentials_dir = "/var/lib/rolecall/credentials"`, "credentials_dir", "a disk that keeps what was written"),
		edit("an issuer with a slash", policyFile, `s/^\(issuer = ".*\)"/\1\/"/`, "issuer's keys", "ends with a slash"),
		fix("a logout file that fails", "echo false > "+home+".bash_logout", "rm "+home+".bash_logout", "run_as", `the login shell of user "ci-alpha" ends with 1`),
		fix("a profile that ends the shell", "echo exit 3 > "+home+".profile", "rm "+home+".profile", "run_as", `a profile ends the login shell of user "ci-alpha" with 3`),
		edit("a skeleton that is missing", policyFile, `1i home_skeleton = "/etc/rolecall/none"`, "home_skeleton", "/etc/rolecall/none: no such file"),
		fix("no gate", "mv "+libexec+"gate /root", "mv /root/gate "+libexec, "driver", libexec+"gate: no such file"),
		fix("no git", "mv /usr/bin/git /root", "mv /root/git /usr/bin", "programs", "git is in no folder"),
		fix("User= in the unit", "printf '[Service]\\nUser=gitlab-runner\\n' > "+service+"user.conf", "rm "+service+"user.conf", "runner's service", "User=gitlab-runner"),
		fix("a crontab", "echo '@daily true' | crontab -u ci-alpha -", "crontab -r -u ci-alpha", "beside jobs", `user "ci-alpha" has cron jobs`),
		fix("a cron job of the host", "echo '1 2 * * * ci-beta true' > /etc/cron.d/beta", "rm /etc/cron.d/beta", "beside jobs", `user "ci-beta" has a cron job in /etc/cron.d/beta`),
		fix("lingering", "mkdir -p /var/lib/systemd/linger; touch /var/lib/systemd/linger/ci-alpha", "rm /var/lib/systemd/linger/ci-alpha", "beside jobs", `user "ci-alpha" lingers`),

		edit("no user for a tenant", policyFile, `/^run_as = "ci-beta"/d`, "policy file", "run_as"),
		edit("no user for jobs without a tenant", policyFile, `/^run_as = "ci-none"/d`, "run_as", "refuses jobs without a unix user: the jobs without a tenant"),
		edit("a stop that takes longer than systemd waits", service+"rolecall.conf", `s/^TimeoutStopSec=.*/TimeoutStopSec=30/`, deploy, "systemd kills gitlab-runner.service after 30s"),
		edit("no time for cleanup", configFile, `/kill_timeout/d`, deploy, "shutdown_timeout is 60 s"),
		fix("a driver that users cannot reach", "chmod 0700 /usr/libexec/rolecall", "chmod 0755 /usr/libexec/rolecall", "driver", "users of jobs cannot pass through /usr/libexec/rolecall"),
		look("credentials among others", "systemctl stop run-rolecall.mount; mkdir -p /run/rolecall; chmod 0711 /run/rolecall", "systemctl start run-rolecall.mount", "credentials_dir", "shares the tmpfs at /run"),
		look("HOME of the unix user", "cp -p "+policyFile+" /root/saved; touch ~ci-alpha/.netrc; sed -i '1i home = \"passwd\"' "+policyFile,
			"cp -p /root/saved "+policyFile+"; rm ~ci-alpha/.netrc", "home", `jobs do not see what is in /home/ci-alpha: ".netrc"`),
		look("a profile with keys", "echo export AWS_PROFILE=x > /etc/profile.d/aws.sh", "rm /etc/profile.d/aws.sh", "run_as", "exports AWS_PROFILE"),
	}
}

// containerMistakes are those that admins make who let jobs have containers. The host has no
// podman.
func containerMistakes() []mistake {
	const images = "/var/lib/rolecall/images"
	boxed := func(name, plant, undo, area, what string) mistake {
		return mistake{
			name: name, state: "to fix", area: area, what: what,
			plant: "cp -p " + policyFile + " /root/saved; printf '\\n[containers]\\nengine = \"podman\"\\ndefault_image = \"docker.io/library/alpine:3\"\\n' >> " + policyFile + "; " + plant,
			undo:  "cp -p /root/saved " + policyFile + "; " + undo,
		}
	}
	old := boxed("cgroups of version 1", "true", "true", "containers", "cgroups of version 1")
	old.check = "unshare --mount sh -c 'mount -t tmpfs none /sys/fs/cgroup; exec " + libexec + "rolecall check --json'"
	return []mistake{
		boxed("no engine", "true", "true", "containers", "podman, crun, catatonit: in no folder of "),
		boxed("images that all can write", "mkdir "+images+"; chmod 0777 "+images, "rmdir "+images, "images_dir", "others may write to "+images),
		boxed("images of a job's user", "mkdir "+images+"; chown ci-alpha "+images, "rmdir "+images, "images_dir", images+" belongs to user "),
		boxed("images that users cannot reach", "mkdir -m 0700 "+images, "rmdir "+images, "images_dir", images+" (mode 0700)"),
		old,
	}
}

// checkMistake plants a mistake, looks for its finding, and takes it back.
func (h host) checkMistake(t *testing.T, m mistake) {
	t.Helper()
	h.sh(t, m.plant)
	out, err := h.Run(t.Context(), cmp.Or(m.check, libexec+"rolecall check --json"))
	h.sh(t, m.undo)
	found := false
	var findings []struct{ ID, Area, State, What string }
	kit.Must(t, json.Unmarshal([]byte(out), &findings))
	for _, f := range findings {
		found = found || f.State == m.state && f.Area == m.area && strings.Contains(f.What, m.what) && f.ID != ""
	}
	exit, _ := errors.AsType[*exec.ExitError](err)
	if !found || exit == nil || exit.ExitCode() != map[string]int{"to fix": 1, "look at": 3}[m.state] {
		t.Errorf("nothing says %s, %s: %s, or the exit code is wrong (%v), in\n%s", m.state, m.area, m.what, err, out)
	}
}
