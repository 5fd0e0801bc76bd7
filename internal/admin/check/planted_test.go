package check_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// unitOf is the unit that GitLab Runner's package installs, for the config.toml of a
// test.
const unitOf = `[Unit]
Description=GitLab Runner
ConditionFileIsExecutable=/usr/bin/gitlab-runner

[Service]
StartLimitInterval=5
ExecStart=/usr/bin/gitlab-runner "run" "--working-directory" "/home/gitlab-runner" "--config" "@/etc/config.toml" "--service" "gitlab-runner" "--user" "gitlab-runner"
Restart=always
EnvironmentFile=-/etc/sysconfig/gitlab-runner
[Install]
User=nobody
`

// Files of a host's root folder.
const (
	unitFile   = "root/etc/systemd/system/gitlab-runner.service"
	dropinFile = "root/etc/systemd/system/gitlab-runner.service.d/user.conf"
)

// inDir replaces @ by the host's folder.
func (h *host) inDir(text string) string { return strings.ReplaceAll(text, "@", h.dir) }

// serving gives a host the runner's service, and a drop-in with these lines.
func serving(lines string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.write(t, unitFile, h.inDir(unitOf), 0o644)
		h.write(t, dropinFile, "[Service]\n"+h.inDir(lines)+"\n", 0o644)
	}
}

// shutdown gives a host the runner's service, with a TimeoutStopSec of its unit and a
// shutdown_timeout of its config.toml.
func shutdown(stop, seconds string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		serving("TimeoutStopSec="+stop)(t, h)
		inRunners("shutdown_timeout = 60", "shutdown_timeout = "+seconds)(t, h)
	}
}

// takesJobs are the arguments of a process of the runner.
const takesJobs = "run --config @/etc/config.toml"

// process adds a process of the runner with that uid and environment to a host.
func process(uid, args, environ string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.write(t, "proc/77/cmdline", strings.ReplaceAll(h.inDir("/usr/bin/gitlab-runner "+args), " ", "\x00")+"\x00", 0o444)
		h.write(t, "proc/77/status", "Name:\tgitlab-runner\nState:\tS (sleeping)\nUid:\t0\t"+uid+"\t0\t0\n", 0o444)
		h.write(t, "proc/77/environ", strings.ReplaceAll(h.inDir(environ), " ", "\x00")+"\x00", 0o400)
	}
}

// serviceFaults are about the runner's unit and its process.
func serviceFaults() []fault {
	const area, beta, temp = "runner's service", `runner "deploy-beta"`, "runner's TMPDIR"
	return []fault{
		{"unit", serving(""), want{check.OK, area, "fit the driver"}},
		{"user", serving("User=ci"), want{check.Fix, area, "gitlab-runner.service has User=ci, and only root"}},
		{"user by number", serving("User = 998"), want{check.Fix, area, "User=998"}},
		{"root", serving("User=ci\nUser=root"), want{check.OK, area, "fit"}},
		{"root by number", serving("User=0"), want{check.OK, area, "fit"}},
		{"user beside no setting", serving("User=ci\nUser"), want{check.Fix, area, "User=ci"}},
		{"another command", serving("ExecStart=\nExecStart=/bin/true"), want{check.OK, temp, "of rolecall check itself"}},
		{"unit over that of a package", all(serving(""), func(t *testing.T, h *host) {
			h.write(t, "root/usr/lib/systemd/system/gitlab-runner.service", strings.Replace(h.inDir(unitOf), "[Service]", "[Service]\nUser=ci", 1), 0o644)
		}), want{check.OK, area, "fit"}},
		{"user taken back", serving("User=ci\nUser="), want{check.OK, area, "fit"}},
		{"commented out", serving("# User=ci\n;User=ci"), want{check.OK, area, "fit"}},
		{"dynamic user", serving("DynamicUser=yes"), want{check.Fix, area, "only root can run"}},
		{"unit of another config", func(t *testing.T, h *host) {
			h.write(t, unitFile, strings.Replace(unitOf, "@/etc", "/other", 1)+"\n[Service]\nUser=ci\n", 0o644)
		}, want{check.OK, temp, "of rolecall check itself"}},
		{"process", process("0", takesJobs, "A=b TMPDIR=@/run"), want{check.OK, temp, "/run, of the service that runs"}},
		{"process of a user", process("998", takesJobs, "A=b TMPDIR=@/run"), want{check.Fix, area, "process 77, GitLab Runner, runs as user 998"}},
		{"process without TMPDIR", process("0", takesJobs, "A=b"), want{check.Look, temp, "/tmp, of the service that runs"}},
		{"process that is closed", all(process("0", takesJobs, ""), writing("proc/77/environ", "", 0o400), writing("proc/77/status", "Uid:\t0\n", 0o444)), want{check.OK, temp, "of rolecall check itself"}},
		{"process in a container", all(process("998", takesJobs, ""), func(t *testing.T, h *host) {
			h.mkdir(t, "proc/77/ns", 0o755)
			kit.Must(t, os.Symlink("mnt:[2]", h.path("proc/77/ns/mnt")))
		}), want{check.OK, temp, "of rolecall check itself"}},
		{"another program", all(process("998", takesJobs, ""), func(t *testing.T, h *host) {
			h.write(t, "proc/77/cmdline", strings.ReplaceAll(h.inDir("/usr/bin/other "+takesJobs), " ", "\x00"), 0o444)
		}), want{check.OK, temp, "of rolecall check itself"}},
		{"process with one word for config", process("998", "run --config=@/etc/config.toml", ""), want{check.Fix, area, "runs as user 998"}},
		{"uploader", process("998", "artifacts-uploader --name run --config @/etc/config.toml", ""), want{check.OK, temp, "of rolecall check itself"}},
		{"process with flags", process("998", "--log-format text run -c @/etc/config.toml", ""), want{check.Fix, area, "runs as user 998"}},
		{"process with a switch", process("998", "--debug run -c @/etc/config.toml", ""), want{check.Fix, area, "runs as user 998"}},
		{"process with a short flag", process("998", "-l debug run -c @/etc/config.toml", ""), want{check.Fix, area, "runs as user 998"}},
		{"process of another config", process("998", "run --config=/other.toml", ""), want{check.OK, temp, "of rolecall check itself"}},
		{"signal to all", serving("KillSignal=SIGQUIT"), want{check.Fix, area, "KillSignal=SIGQUIT without KillMode=mixed"}},
		{"signal to one", serving("KillSignal=SIGQUIT\nKillMode=mixed"), want{check.OK, area, "fit"}},
		{"short stop", serving("TimeoutStopSec=50"), want{check.Fix, beta, "systemd kills gitlab-runner.service after 50s"}},
		{"stop in words", shutdown("1d 2h 3min 4s", "100000"), want{check.Fix, beta, "after 26h3m4s"}},
		{"stop of any service", shutdown("infinity\nTimeoutStopSec=\nTimeoutSec=2 hours", "7201"), want{check.Fix, beta, "after 2h0m0s"}},
		{"stop in unknown words", shutdown("1h 3 weeks", "100000"), want{check.OK, beta, "timeouts"}},
		{"stop without a number", shutdown("min 1h", "100000"), want{check.OK, beta, "timeouts"}},
		{"stop of 0 is endless", serving("TimeoutStopSec=0"), want{check.OK, beta, "timeouts"}},
		{"stop that is just enough", serving("TimeoutStopSec=60"), want{check.OK, beta, "timeouts"}},
		{"endless stop", serving("TimeoutStopSec=infinity"), want{check.OK, beta, "timeouts"}},
		{"stop by default", shutdown("", "610"), want{check.Fix, beta, "shutdown_timeout is 610 s, and systemd kills gitlab-runner.service after 1m30s"}},
		{"temporary files on a disk", serving(`Environment="A=b" 'TMPDIR=@/log'`), want{check.Look, temp, "/log, of gitlab-runner.service, is on ext4"}},
		{"temporary files in /tmp, without a variable", serving(""), want{check.Look, temp, "/tmp, of gitlab-runner.service"}},
		{"temporary files in /tmp", serving(`Environment=A=b`), want{check.Look, temp, "/tmp, of gitlab-runner.service"}},
	}
}

// seen gives a value to the option with which proc hides processes.
func seen(value string) func(*testing.T, *host) {
	return func(_ *testing.T, h *host) {
		h.mounts = strings.Replace(h.mounts, "hidepid=invisible", "hidepid="+value, 1)
	}
}

// besideFaults are about what the users of jobs run beside their jobs.
func besideFaults() []fault {
	const area = "beside jobs"
	return []fault{
		{"hidepid=0", seen("0"), want{check.Look, "host", "shows the command lines"}},
		{"hidepid=off", seen("off"), want{check.Look, "host", "shows the command lines"}},
		{"crontab", writing("root/var/spool/cron/crontabs/"+betaUser, "@daily true\n", 0o600), want{check.Fix, area, `"backup" has cron jobs in /var/spool/cron/crontabs/backup`}},
		{"crontab of Red Hat", writing("root/var/spool/cron/"+betaUser, "@daily true\n", 0o600), want{check.Fix, area, `/var/spool/cron/backup`}},
		{"crontab of SUSE", writing("root/var/spool/cron/tabs/"+betaUser, "@daily true\n", 0o600), want{check.Fix, area, `/var/spool/cron/tabs/backup`}},
		{"folder of that name", func(t *testing.T, h *host) { h.mkdir(t, "root/var/spool/cron/"+betaUser, 0o700) }, want{check.OK, area, "no cron job"}},
		{"cron.d", writing("root/etc/cron.d/x", "# comment\nA=b\n1 2 * * *\t"+alphaUser+" true\n", 0o644), want{check.Fix, area, `"www-data" has a cron job in /etc/cron.d/x`}},
		{"cron.d by word", writing("root/etc/cron.d/x", "@reboot "+alphaUser+" true\n", 0o644), want{check.Fix, area, `/etc/cron.d/x`}},
		{"crontab of the host", writing("root/etc/crontab", "1 2 * * * list true\n", 0o644), want{check.Fix, area, `"list" has a cron job in /etc/crontab`}},
		{"cron of others", writing("root/etc/cron.d/x", "1 2 * * *\n@daily\n1 2 * * * root run "+alphaUser+"\n#1 2 * * * "+alphaUser+" x\n", 0o644), want{check.OK, area, "no cron job"}},
		{"at", ofAlpha("root/var/spool/cron/atjobs/a0000101c0b1a2"), want{check.Fix, area, `"www-data" has at jobs in /var/spool/cron/atjobs`}},
		{"at of Red Hat", ofAlpha("root/var/spool/at/a0000101c0b1a2"), want{check.Fix, area, `"www-data" has at jobs in /var/spool/at`}},
		{"folder of at", ofAlpha("root/var/spool/at/spool/x"), want{check.OK, area, "no cron job"}},
		{"at of others", writing("root/var/spool/cron/atjobs/a0000101c0b1a2", "", 0o700), want{check.OK, area, "no cron job"}},
		{"lingering", writing("root/var/lib/systemd/linger/"+alphaUser, "", 0o644), want{check.Fix, area, `"www-data" lingers`}},
		{"service", serviceIn("usr/lib"), want{check.Fix, area, `x.service runs as user "www-data"`}},
		{"service of an older host", serviceIn("lib"), want{check.Fix, area, `x.service runs as user "www-data"`}},
		{"service of this host alone", serviceIn("usr/local/lib"), want{check.Fix, area, `x.service runs as user "www-data"`}},
		{"service made at run time", serviceIn("run"), want{check.Fix, area, `x.service runs as user "www-data"`}},
	}
}

// serviceIn gives a host a service of the user of alpha, in one of systemd's folders.
func serviceIn(dir string) func(*testing.T, *host) {
	return writing("root/"+dir+"/systemd/system/x.service", "[Service]\nUser="+alphaUser+"\n", 0o644)
}

// ofAlpha writes a file, and gives it and its folder to the user of alpha.
func ofAlpha(name string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.write(t, name, "", 0o700)
		kit.Must(t, errors.Join(os.Chown(h.path(name), 33, 33), os.Chown(filepath.Dir(h.path(name)), 33, 33)))
	}
}

// driverFaults are about the driver's programs, and those that it starts.
func driverFaults() []fault {
	const area = "driver"
	removing := func(name string) func(*testing.T, *host) {
		return func(t *testing.T, h *host) {
			t.Helper()
			kit.Must(t, os.Remove(h.path(name)))
		}
	}
	return []fault{
		{"no gate", removing("libexec/rolecall/gate"), want{check.Fix, area, "libexec/rolecall/gate: no such file"}},
		{"no sweep", removing("libexec/rolecall/sweep"), want{check.Fix, area, "libexec/rolecall/sweep: no such file"}},
		{"a folder for gate", all(removing("libexec/rolecall/gate"), func(t *testing.T, h *host) { h.mkdir(t, "libexec/rolecall/gate", 0o755) }), want{check.Fix, area, "gate has mode 0755: not all users can start it"}},
		{"git for root only", inBin(func(path string) error { return os.WriteFile(path, nil, 0o744) }), want{check.Fix, "programs", "git is in no folder of "}},
		{"a folder for git", inBin(func(path string) error { return os.Mkdir(path, 0o755) }), want{check.Fix, "programs", "git is in no folder of "}},
		{"gate of another version", func(t *testing.T, h *host) { h.program(t, "gate", "old") }, want{check.Fix, area, `gate --version says "rolecall gate 0.0.9"`}},
		{"gate that fails", func(t *testing.T, h *host) { h.program(t, "gate", "failing") }, want{check.Fix, area, `gate --version says "exit status 3"`}},
		{"gate for root only", writing("libexec/rolecall/gate", "", 0o700), want{check.Fix, area, "gate has mode 0700"}},
		{"gate that others write", writing("libexec/rolecall/gate", "", 0o777), want{check.Fix, area, "gate has mode 0777"}},
		{"driver behind a closed folder", func(t *testing.T, h *host) { h.mkdir(t, "libexec", 0o700) }, want{check.Fix, area, "users of jobs cannot pass through "}},
		{"no git", func(_ *testing.T, h *host) { h.Path = h.path("etc") }, want{check.Fix, "programs", "bash and git is in no folder of "}},
	}
}

// inBin lets the service have no programs but bash, and git as make makes it.
func inBin(make func(path string) error) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.write(t, "bin/bash", "", 0o755)
		h.mkdir(t, "bin", 0o755)
		kit.Must(t, make(h.path("bin/git")))
		h.Path = h.path("bin")
	}
}

// TestPlanted plants mistakes on a host whose tenants have users.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for _, f := range append(append(serviceFaults(), besideFaults()...), driverFaults()...) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			isolate(t, h, alphaUser, betaUser)
			f.breaking(t, h)
			findings := h.check(t)
			named(t, findings, f.want)
			if check.Bad(findings) != (f.want.state == check.Fix) {
				t.Errorf("bad is %v for\n%s", check.Bad(findings), text(findings))
			}
		})
	}
}

// TestUnlimited: processes without limit are named, by their tenants.
func TestUnlimited(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	isolate(t, h, alphaUser, betaUser)
	inPolicy("[[tenant]]", "[[tenant]]\nmax_processes = 0")(t, h)
	named(t, h.check(t), want{check.Look, "max_processes", "without limit, until the runner and the jobs of others cannot: alpha, beta"})
}
