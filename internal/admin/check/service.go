package check

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// running is a process of GitLab Runner that takes jobs.
type running struct {
	pid     string
	uid     string
	environ []string // as it has begun; empty if this user may not see it
}

// readServices finds the units and the processes that run GitLab Runner with the
// config.toml of this check.
func (h *host) readServices() {
	for _, u := range h.services() {
		if h.takesJobs(u.words("ExecStart")) {
			h.units = append(h.units, u)
		}
	}
	paths, _ := filepath.Glob(filepath.Join(h.Proc, "[0-9]*/cmdline"))
	for _, path := range paths {
		line, _ := os.ReadFile(path)
		if dir := filepath.Dir(path); h.takesJobs(strings.Split(string(line), "\x00")) && h.sameHost(dir) {
			environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
			h.runners = append(h.runners, running{filepath.Base(dir), uidOf(dir), strings.Split(string(environ), "\x00")})
		}
	}
}

// takesJobs reports whether a command line is that of a GitLab Runner which takes jobs
// by the config.toml of this check.
func (h *host) takesJobs(words []string) bool {
	if len(words) == 0 || filepath.Base(strings.TrimLeft(words[0], "-@:+!")) != "gitlab-runner" || commandOf(words) != "run" {
		return false
	}
	config := "/etc/gitlab-runner/config.toml" // the default if root runs it
	for i, word := range words {
		if value, found := strings.CutPrefix(word, "--config="); found {
			config = value
		} else if i > 0 && (words[i-1] == "--config" || words[i-1] == "-c") {
			config = word
		}
	}
	return config == h.RunnerConfig
}

// commandOf returns the command of GitLab Runner that a command line starts: the first
// word that is neither a flag nor the value of one.
func commandOf(words []string) string {
	for i, word := range words {
		if i > 0 && !strings.HasPrefix(word, "-") && (word == "run" || !strings.HasPrefix(words[i-1], "-")) {
			return word
		}
	}
	return ""
}

// sameHost reports whether a process sees the files of this host, and not those of a
// container. Dir is its folder in proc.
func (h *host) sameHost(dir string) bool {
	own, _ := os.Readlink(filepath.Join(h.Proc, "self/ns/mnt"))
	its, _ := os.Readlink(filepath.Join(dir, "ns/mnt"))
	return own == its
}

// uidOf returns the effective user id of a process, or an empty text.
//
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func uidOf(dir string) string {
	status, _ := os.ReadFile(filepath.Join(dir, "status"))
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "Uid:" {
			return fields[2]
		}
	}
	return ""
}

// serviceArea is the area of findings about the runner's service.
const serviceArea = "runner's service"

// checkService checks the runner's service: its unit, and the process that runs now.
func (h *host) checkService(context.Context) []Finding {
	var findings []Finding
	for _, u := range h.units {
		findings = append(findings, checkSignal(u)...)
	}
	if len(h.users()) > 0 {
		findings = append(findings, h.checkServiceUser()...)
	}
	if findings == nil && len(h.units)+len(h.runners) > 0 {
		return []Finding{ok(serviceArea, "its user and its signals fit the driver")}
	}
	return findings
}

// checkServiceUser reports a service that is not root.
func (h *host) checkServiceUser() []Finding {
	const why = "only root can run scripts as the users of jobs"
	var findings []Finding
	for _, u := range h.units {
		if !u.isRoot() {
			findings = append(findings, fix(idServiceUser, serviceArea, fmt.Sprintf("%s has User=%s, and %s", u.name, u.get("User"), why),
				"remove User= and DynamicUser= from the unit and its drop-ins, then restart it\nsystemctl daemon-reload"+run("systemctl", "restart", u.name)))
		}
	}
	for _, r := range h.runners {
		if r.uid != "0" && r.uid != "" {
			findings = append(findings, fix(idServiceUser, serviceArea, fmt.Sprintf("process %s, GitLab Runner, runs as user %s, and %s", r.pid, r.uid, why), "let root run the service, then restart it"))
		}
	}
	return findings
}

// isRoot reports whether root runs the service.
func (u unit) isRoot() bool {
	user := cmp.Or(u.get("User"), "root")
	return (user == "root" || user == "0") && u.get("DynamicUser") != "yes"
}

// checkSignal reports a unit that sends all processes of the service the signal that
// asks only the runner to end its jobs. Scripts and stages die of SIGQUIT.
//
// https://www.freedesktop.org/software/systemd/man/latest/systemd.kill.html#KillMode=
func checkSignal(u unit) []Finding {
	if !strings.HasSuffix(u.get("KillSignal"), "QUIT") || cmp.Or(u.get("KillMode"), "control-group") != "control-group" {
		return nil
	}
	return []Finding{fix(idKillSignal, serviceArea, u.name+" has KillSignal=SIGQUIT without KillMode=mixed: a stop of the service kills the scripts of jobs and the driver, too", "set KillMode=mixed in the unit")}
}

// checkTemp warns if job responses, which contain every variable of a job, are written
// to a disk.
func (h *host) checkTemp(context.Context) []Finding {
	const area = "runner's TMPDIR"
	dir, of := h.serviceTemp()
	if m := h.mountOf(dir); !isTmpfs(m) {
		return []Finding{look(idTemp, area, fmt.Sprintf("%s, %s, is on %s: job responses, with all variables and tokens, lie on a disk", dir, of, orSome(m.kind)),
			"set TMPDIR in the runner's unit to a folder on a tmpfs, as the drop-in /usr/share/rolecall/gitlab-runner.conf does")}
	}
	return []Finding{ok(area, dir+", "+of+", is on a tmpfs")}
}

// serviceTemp returns the folder of the runner's temporary files, and whose setting it
// is: that of the running service, of its unit, or of this process.
func (h *host) serviceTemp() (dir, of string) {
	const standard = "/tmp"
	for _, r := range h.runners {
		if len(r.environ) > 1 {
			return cmp.Or(entry(r.environ, "TMPDIR"), standard), "of the service that runs"
		}
	}
	for _, u := range h.units {
		return cmp.Or(u.variable("TMPDIR"), standard), "of " + u.name
	}
	return h.Temp, "of rolecall check itself, as no service was found"
}

// serviceVariable returns a variable of the runner's service: of the one that runs, else of
// its unit.
func (h *host) serviceVariable(name string) string {
	for _, r := range h.runners {
		if len(r.environ) > 1 {
			return entry(r.environ, name)
		}
	}
	for _, u := range h.units {
		return u.variable(name)
	}
	return ""
}
