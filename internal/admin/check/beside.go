package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/account"
)

// besideArea is the area of findings about what is run beside jobs.
const besideArea = "beside jobs"

// checkBeside reports what the users of jobs run beside their jobs. Such a process has
// the rights of the user's jobs, but no job's end kills it, and no log shows it.
func (h *host) checkBeside(context.Context) []Finding {
	users, services := h.users(), h.services()
	findings := gather(len(users), func(i int) []Finding {
		return slices.Concat(h.checkCron(users[i]), h.checkAt(users[i]), h.checkLinger(users[i]), checkServices(services, users[i]))
	})
	if findings == nil && len(users) > 0 {
		return []Finding{ok(besideArea, "no cron job, at job or service of the users of jobs")}
	}
	return findings
}

// checkLinger reports a user whose services systemd starts at boot.
//
// https://www.freedesktop.org/software/systemd/man/latest/loginctl.html
func (h *host) checkLinger(name string) []Finding {
	if !exists(filepath.Join(h.Root, "var/lib/systemd/linger", name)) {
		return nil
	}
	return []Finding{fix(idBeside, besideArea, fmt.Sprintf("user %q lingers: systemd runs services of this user without any job", name), run("loginctl", "disable-linger", name))}
}

// checkServices reports services of the host that run as the user.
func checkServices(services []unit, name string) []Finding {
	var findings []Finding
	for _, u := range services {
		if u.get("User") == name {
			findings = append(findings, fix(idBeside, besideArea, fmt.Sprintf("%s runs as user %q", u.name, name), "give the service a user of its own"))
		}
	}
	return findings
}

// checkCron reports cron jobs of a user: its own table, and lines of the host's tables.
//
// https://manpages.debian.org/bookworm/cron/cron.8.en.html
func (h *host) checkCron(name string) []Finding {
	var findings []Finding
	for _, dir := range []string{"var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs"} {
		if info, err := os.Stat(filepath.Join(h.Root, dir, name)); err == nil && info.Mode().IsRegular() {
			findings = append(findings, fix(idBeside, besideArea, fmt.Sprintf("user %q has cron jobs in /%s/%s", name, dir, name), run("crontab", "-r", "-u", name)))
		}
	}
	tables, _ := filepath.Glob(filepath.Join(h.Root, "etc/cron.d/*"))
	for _, table := range append(tables, filepath.Join(h.Root, "etc/crontab")) {
		content, _ := os.ReadFile(table)
		for line := range strings.Lines(string(content)) {
			if cronUser(line) == name {
				file, _ := filepath.Rel(h.Root, table)
				findings = append(findings, fix(idBeside, besideArea, fmt.Sprintf("user %q has a cron job in /%s", name, file), "remove the line, or let another user run it"))
			}
		}
	}
	return findings
}

// cronUser returns the user of a line of /etc/crontab, or an empty text. The user
// follows the five fields of the time, or one word such as @daily.
//
// https://manpages.debian.org/bookworm/cron/crontab.5.en.html
func cronUser(line string) string {
	fields, at := strings.Fields(line), 5
	if strings.HasPrefix(strings.TrimSpace(line), "@") {
		at = 1
	}
	if len(fields) <= at || strings.HasPrefix(fields[0], "#") {
		return ""
	}
	return fields[at]
}

// checkAt reports jobs of at, whose files belong to their users.
func (h *host) checkAt(name string) []Finding {
	a, err := account.Lookup(name)
	if err != nil {
		return nil // checkUser reports it
	}
	for _, dir := range []string{"var/spool/cron/atjobs", "var/spool/at"} {
		entries, _ := os.ReadDir(filepath.Join(h.Root, dir))
		theirs := func(e os.DirEntry) bool {
			info, err := e.Info()
			return err == nil && info.Mode().IsRegular() && owner(info) == int(a.UID)
		}
		if slices.ContainsFunc(entries, theirs) {
			return []Finding{fix(idBeside, besideArea, fmt.Sprintf("user %q has at jobs in /%s", name, dir), "list them as root, and remove them by atrm\natq")}
		}
	}
	return nil
}
