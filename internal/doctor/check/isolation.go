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
	"rolecall/internal/program"
)

// users returns the unix users that the policy file and the runners' flags name,
// sorted.
func (s *site) users() []string {
	names := []string{s.settings.RunAs}
	if s.policy != nil {
		for _, t := range s.policy.Tenants() {
			names = append(names, t.RunAs)
		}
	}
	for _, r := range s.config.Runners {
		if f, err := readFlags(r.Custom.ConfigArgs); r.ours() && err == nil {
			names = append(names, f.RunAs)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" || name == program.Root })
}

// checkUsers checks the unix users that scripts run as, and says which tenants have
// one in common.
func (s *site) checkUsers(ctx context.Context) []Finding {
	var findings []Finding
	tenants := map[string][]string{} // by their user
	if s.policy != nil {
		for _, t := range s.policy.Tenants() {
			tenants[t.RunAs] = append(tenants[t.RunAs], string(t.Name))
		}
		findings = s.checkRoot(tenants[""])
	}
	for _, user := range slices.Sorted(maps.Keys(tenants)) {
		if len(tenants[user]) > 1 {
			findings = append(findings, warn("shared_user", strings.Join(tenants[user], ", ")+" have one unix user: their jobs can read each other's credentials, files and processes",
				"give each tenant a run_as of its own, and take shared_user out of the policy file"))
		}
	}
	for _, user := range s.users() {
		findings = append(findings, checkUser(ctx, user)...)
	}
	return findings
}

// checkRoot says which tenants' scripts run as root, where the runner's service is
// root as this process is.
func (s *site) checkRoot(tenants []string) []Finding {
	const area = "run_as"
	if os.Geteuid() != 0 {
		return nil
	}
	if s.settings.RunAs == "" {
		tenants = append(tenants, "the jobs of no tenant")
	}
	who := strings.Join(tenants, ", ")
	switch {
	case who == "":
		return nil
	case s.settings.RunAsRoot:
		return []Finding{warn(area, "scripts run as root, as run_as_root allows: "+who, "give each a run_as, and take run_as_root out of the policy file")}
	}
	return []Finding{fail(area, "a runner that is root refuses jobs without a unix user: "+who, makeUser+", and set run_as to it: for each tenant, and at the top for jobs of no tenant")}
}

// makeUser is how to make a user whom scripts can run as. What Debian copies into a
// home ends the login shell of a script.
const makeUser = "make a user: useradd --system --create-home --skel /dev/null --shell /usr/sbin/nologin NAME"

// checkUser checks a unix user of a tenant, or of the jobs without one.
func checkUser(ctx context.Context, name string) []Finding {
	const area = "run_as"
	a, err := account.Lookup(name)
	if err != nil {
		return []Finding{fail(area, err.Error(), "correct run_as, or "+makeUser)}
	}
	if err := a.RunnableBy(os.Geteuid()); err != nil {
		return []Finding{fail(area, err.Error(), "run doctor as root too")}
	}
	findings := append(checkHome(area, a), checkLogin(ctx, area, a)...)
	if groups := a.Powerful(); len(groups) > 0 {
		findings = append(findings, warn(area, fmt.Sprintf("user %q is in %s, which may do or read what is root's", name, strings.Join(groups, ", ")), "take the user out of such groups"))
	}
	if findings == nil {
		return []Finding{ok(area, fmt.Sprintf("user %q, uid %d, is fit to run scripts", name, a.UID))}
	}
	return findings
}

// checkHome checks that nobody else can write the profile that a user's scripts
// start with. A home folder that is not there is fine.
func checkHome(area string, a account.Account) []Finding {
	info, err := os.Stat(a.Home)
	switch {
	case err != nil:
		return nil
	case owner(info) != 0 && owner(info) != int(a.UID):
		return []Finding{fail(area, fmt.Sprintf("%s, the home folder of user %q, belongs to user %d, who can write its profile", a.Home, a.Name, owner(info)), "give the user a home folder of its own")}
	case info.Mode().Perm()&0o022 != 0:
		return []Finding{fail(area, fmt.Sprintf("others may write to %s, the home folder of user %q (mode %04o)", a.Home, a.Name, info.Mode().Perm()), "chmod go-w "+a.Home)}
	}
	return nil
}

// checkPassable checks that users of tenants can pass through the folders that lead
// to their jobs'. The mode of credentials_dir itself is the driver's business.
func (s *site) checkPassable(context.Context) []Finding {
	if len(s.users()) == 0 {
		return nil
	}
	credentials, _ := s.credentialsDir()
	var findings []Finding
	for _, f := range []struct{ key, dir string }{
		{"credentials_dir", filepath.Dir(credentials)}, {"builds_dir", s.settings.BuildsDir}, {"cache_dir", s.settings.CacheDir},
	} {
		if closed, mode := closedAbove(f.dir); closed != "" {
			findings = append(findings, fail(f.key, fmt.Sprintf("users of tenants cannot pass through %s (mode %04o)", closed, mode), "chmod o+x "+closed))
		}
	}
	return findings
}

// closedAbove returns the first folder, from path on upwards, that other users
// cannot pass through, and its mode; or nothing.
func closedAbove(path string) (string, os.FileMode) {
	path = nearest(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o001 == 0 {
			return path, info.Mode().Perm()
		}
		if path == filepath.Dir(path) {
			return "", 0
		}
		path = filepath.Dir(path)
	}
}
