package provision

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/account"
	"rolecall/internal/tenant"
)

// Users returns the unix users that a policy file names, each once, in the order of the file.
func Users(policy *tenant.Policy) []string {
	names := []string{policy.Settings().RunAs}
	for _, t := range policy.Tenants() {
		if !slices.Contains(names, t.RunAs) {
			names = append(names, t.RunAs)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// MakeUser returns the step that makes a unix user for jobs. The home folder is empty: a file
// that distributions copy into new home folders can end the login shell of a script. Such a
// user gets no line in /etc/subuid: the driver itself gives ids to containers.
func MakeUser(name string) Step {
	return Step{"unix user " + name, []string{"useradd", "--system", "--create-home", "--skel", "/dev/null", "--shell", "/usr/sbin/nologin", name}}
}

// addUsers adds the users that the host lacks, and what is wrong with those that it has.
func (p *Plan) addUsers(policy *tenant.Policy) error {
	var broken []error
	for _, name := range Users(policy) {
		a, err := account.Lookup(name)
		switch {
		case errors.Is(err, account.ErrUnknown):
			p.Steps = append(p.Steps, MakeUser(name))
		case err != nil:
			broken = append(broken, fmt.Errorf("run_as: %w", err))
		default:
			p.Warnings = append(p.Warnings, judge(a)...)
		}
	}
	return errors.Join(broken...)
}

// judge returns warnings about a user that exists.
func judge(a account.Account) []string {
	var warnings []string
	if logsIn(a.Shell) {
		warnings = append(warnings, fmt.Sprintf("user %q exists and can log in, with the shell %q: if it is for jobs alone, usermod --shell /usr/sbin/nologin %s", a.Name, a.Shell, a.Name))
	}
	if groups := a.Powerful(); len(groups) > 0 {
		warnings = append(warnings, fmt.Sprintf("user %q exists and is in %s, which has rights of root: jobs must not have them", a.Name, strings.Join(groups, ", ")))
	}
	if !isFolder(a.Home) {
		warnings = append(warnings, fmt.Sprintf("user %q exists, and its home folder %q does not: tools that look there fail", a.Name, a.Home))
	}
	return warnings
}

// logsIn reports whether a shell lets its user log in. An empty shell is /bin/sh.
func logsIn(shell string) bool {
	return !slices.Contains([]string{"nologin", "false", "true", "sync"}, filepath.Base(shell))
}

// isFolder reports whether path is a folder, or a link to one.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
