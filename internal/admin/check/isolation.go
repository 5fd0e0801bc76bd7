package check

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/account"
	"rolecall/internal/admin/provision"
	"rolecall/internal/program"
	"rolecall/internal/tenant/policyfile"
)

// users returns the unix users that the policy file and the runners' flags name,
// sorted.
func (h *host) users() []string {
	names := []string{h.settings.RunAs}
	if h.policy != nil {
		for _, t := range h.policy.Tenants() {
			names = append(names, t.RunAs)
		}
	}
	names = append(names, h.flagUsers()...)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" || name == program.Root })
}

// flagUsers returns the unix users that the runners' flags name.
func (h *host) flagUsers() []string {
	var names []string
	for _, r := range h.config.Runners {
		if f, err := readFlags(r.Custom.ConfigArgs); r.ours() && err == nil {
			names = append(names, f.RunAs)
		}
	}
	return names
}

// checkUsers checks the unix users that scripts run as, and warns about tenants that
// share a user.
func (h *host) checkUsers(ctx context.Context) []Finding {
	var findings []Finding
	tenants := map[string][]string{} // by their user
	if h.policy != nil {
		for _, t := range h.policy.Tenants() {
			tenants[t.RunAs] = append(tenants[t.RunAs], string(t.Name))
		}
		findings = h.checkRoot(tenants[""])
	}
	for _, user := range slices.Sorted(maps.Keys(tenants)) {
		if len(tenants[user]) > 1 {
			findings = append(findings, look(idSharedUser, "shared_user", strings.Join(tenants[user], ", ")+" have one unix user: their jobs can read each other's credentials, files and processes",
				"give each tenant its own run_as, and remove shared_user from the policy file"))
		}
	}
	for _, user := range h.users() {
		findings = append(findings, h.checkUser(ctx, user)...)
	}
	return append(findings, h.checkLimits()...)
}

// checkLimits warns about tenants whose jobs may have any number of processes.
func (h *host) checkLimits() []Finding {
	unlimited := h.unlimited()
	if unlimited == nil {
		return nil
	}
	return []Finding{look(idMaxProcesses, "max_processes", "jobs may start processes without limit, until the runner and the jobs of others cannot: "+strings.Join(unlimited, ", "),
		"remove max_processes = 0 from the policy file: the default is 2000")}
}

// checkRoot names the tenants whose scripts run as root, if this process is root. It
// takes the runner's service for root too.
func (h *host) checkRoot(tenants []string) []Finding {
	const area = "run_as"
	if os.Geteuid() != 0 {
		return nil
	}
	if h.settings.RunAs == "" {
		tenants = append(tenants, "the jobs without a tenant")
	}
	who := strings.Join(tenants, ", ")
	switch {
	case who == "":
		return nil
	case h.settings.RunAsRoot:
		return []Finding{look(idAsRoot, area, "scripts run as root, as run_as_root allows: "+who, "give each a run_as, and remove run_as_root from the policy file")}
	}
	return []Finding{fix(idNoUser, area, "a runner that is root refuses jobs without a unix user: "+who, h.setUser())}
}

// unlimited returns the names of the tenants with a unix user but without a limit of
// processes.
func (h *host) unlimited() []string {
	var names []string
	if h.policy == nil {
		return nil
	}
	for _, t := range h.policy.Tenants() {
		if t.RunAs != "" && t.Limits.Processes == 0 {
			names = append(names, string(t.Name))
		}
	}
	return names
}

// setUser says how to give jobs a unix user.
func (h *host) setUser() string {
	return "name a unix user by run_as, for each tenant, and at the top for jobs without a tenant; then make the users" + h.provision()
}

// provision returns the command that makes what the policy file asks for.
func (h *host) provision() string {
	words := []string{"rolecall", "provision"}
	if h.Policy != policyfile.Default {
		words = append(words, "--config", h.Policy)
	}
	return run(words...)
}

// makeUser returns how to make a unix user, for what do says.
func makeUser(do, name string) string { return do + "\n" + provision.MakeUser(name).String() }

// checkUser checks a unix user that scripts run as.
func (h *host) checkUser(ctx context.Context, name string) []Finding {
	const area = "run_as"
	a, err := account.Lookup(name)
	if err != nil {
		return []Finding{fix(idBadUser, area, err.Error(), makeUser("make the user, or correct run_as", name))}
	}
	if err := a.RunnableBy(os.Geteuid()); err != nil {
		return []Finding{fix(idBadUser, area, err.Error(), "run rolecall check as root too")}
	}
	homes, remove := h.shellHomes(a)
	defer remove()
	findings := checkHome(area, a, a.Home)
	for _, home := range homes {
		if home.path != a.Home {
			findings = append(findings, checkHome(area, a, home.path)...)
		}
	}
	findings = append(findings, checkLogin(ctx, area, a, homes)...)
	if groups := a.Powerful(); len(groups) > 0 {
		findings = append(findings, fix(idPowerful, area, fmt.Sprintf("user %q is in %s, which has rights of root", name, strings.Join(groups, ", ")), "remove the user from these groups"))
	}
	if findings == nil {
		return []Finding{ok(area, fmt.Sprintf("user %q, uid %d, is fit to run scripts", name, a.UID))}
	}
	return findings
}

// checkHome checks that nobody else can change the profile in a HOME of a user, with which
// the user's scripts start. A missing folder is fine.
func checkHome(area string, a account.Account, home string) []Finding {
	info, err := os.Stat(home)
	switch {
	case err != nil:
		return nil
	case owner(info) != 0 && owner(info) != int(a.UID):
		return []Finding{fix(idOpenHome, area, fmt.Sprintf("%s, the home folder of user %q, belongs to user %d, who can change its profile", home, a.Name, owner(info)), "give the user another home folder")}
	case info.Mode().Perm()&0o022 != 0:
		return []Finding{fix(idOpenHome, area, fmt.Sprintf("others may write to %s, the home folder of user %q (mode %04o)", home, a.Name, info.Mode().Perm()), run("chmod", "go-w", home))}
	}
	return nil
}

// checkPassable checks that users of tenants can pass through the folders above their
// jobs' folders. The driver itself sets the mode of credentials_dir.
func (h *host) checkPassable(context.Context) []Finding {
	if len(h.users()) == 0 {
		return nil
	}
	credentials, _ := h.credentialsDir()
	var findings []Finding
	for _, f := range []struct{ key, dir string }{
		{"credentials_dir", filepath.Dir(credentials)},
		{"builds_dir", h.settings.BuildsDir},
		{"cache_dir", h.settings.CacheDir},
		{imagesArea, h.settings.Containers.Engine.ImagesDir},
	} {
		if f.dir == "" {
			continue
		}
		if closed, mode := closedAbove(f.dir); closed != "" {
			findings = append(findings, fix(idClosedDir, f.key, fmt.Sprintf("users of tenants cannot pass through %s (mode %04o)", closed, mode), run("chmod", "o+x", closed)))
		}
	}
	return findings
}

// closedAbove returns the first folder, beginning with path and going up, that other
// users cannot pass through, and its mode. It returns an empty path if there is none.
func closedAbove(path string) (string, os.FileMode) {
	for path = resolved(nearest(path)); ; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o001 == 0 {
			return path, info.Mode().Perm()
		}
		if path == filepath.Dir(path) {
			return "", 0
		}
	}
}

// resolved returns path without symbolic links, or path itself if they cannot be read.
func resolved(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}
