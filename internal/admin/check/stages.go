package check

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"rolecall/internal/account"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// checkRunner checks one runner.
func (h *host) checkRunner(r runner) []Finding {
	area := fmt.Sprintf("runner %q", r.Name)
	findings := slices.Concat(
		checkPrograms(area, r.Custom.programs()),
		h.checkFlags(area, r.Custom.programs()),
		h.checkRunnerDirs(area, r),
		h.checkTimes(area, r.Custom),
	)
	if r.CleanGitConfig != nil && !*r.CleanGitConfig {
		findings = append(findings, fix(idGitConfig, area, "clean_git_config is off: a job's git settings and hooks reach the next job", "set clean_git_config = true"))
	}
	return findings
}

// readFlags reads the flags that a runner gives to a stage.
func readFlags(args []string) (program.Flags, error) {
	var f program.Flags
	set := flag.NewFlagSet("stage", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	f.Register(set)
	err := set.Parse(args)
	if err == nil && set.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return f, err
}

// checkFlags checks the flags of the four stages.
func (h *host) checkFlags(area string, programs []executable) []Finding {
	first := programs[0]
	for _, p := range programs[1:] {
		if !slices.Equal(p.args, first.args) {
			return []Finding{fix(idFlags, area, fmt.Sprintf("%s_args are %q, %s_args %q", p.stage, p.args, first.stage, first.args), "give all four stages the same flags")}
		}
	}
	f, err := readFlags(first.args)
	if err != nil {
		return []Finding{fix(idFlags, area, fmt.Sprintf("%q are not flags of rolecall: %v", first.args, err), "use --tenant NAME, --config FILE, --no-policy and --run-as NAME only")}
	}
	if err := f.Check(); err != nil {
		return []Finding{fix(idFlags, area, err.Error(), "give all four stages flags that agree")}
	}
	return append(h.checkMode(area, f), h.checkTenant(area, f.Tenant)...)
}

// checkMode checks the policy file that the flags name, and the user of scripts without
// a policy file.
func (h *host) checkMode(area string, f program.Flags) []Finding {
	file := cmp.Or(f.Config, policyfile.Default)
	if !f.NoPolicy {
		switch {
		case file != h.Policy:
			return []Finding{look(idOtherPolicy, area, "its policy file is "+file+", this check read "+h.Policy, "run rolecall check with --config "+file)}
		case h.policy == nil && !exists(file):
			return []Finding{fix(idOtherPolicy, area, "its policy file "+file+" does not exist, so every job is refused", "write one, or give all four stages --no-policy and --run-as NAME")}
		}
		return nil
	}
	var findings []Finding
	for _, file := range slices.Compact([]string{h.Policy, policyfile.Default}) {
		if exists(file) {
			findings = append(findings, look(idIgnoredPolicy, area, "--no-policy: this runner ignores the policy file "+file+", and jobs name their tenant and role themselves", "remove --no-policy, or the file"))
		}
	}
	switch _, err := f.User(os.Geteuid()); {
	case err != nil:
		findings = append(findings, fix(idFlags, area, what(err).Error(), "remove --run-as from all four stages, or run rolecall check as the user that runs GitLab Runner"))
	case os.Geteuid() != 0:
	case f.RunAs == "":
		findings = append(findings, fix(idNoRunAs, area, "--no-policy without --run-as: a runner that is root refuses every job", makeUser("make a user, let builds_dir and cache_dir belong to it, and add --run-as NAME to all four stages", "NAME")))
	case f.RunAs == program.Root:
		findings = append(findings, look(idAsRoot, area, "--run-as root: every script of every job is root on this host", makeUser("make a user, and use --run-as NAME", "NAME")))
	}
	return findings
}

// checkTenant checks the tenant of a runner.
func (h *host) checkTenant(area, text string) []Finding {
	if text == "" {
		return nil
	}
	name, err := tenant.ParseName(text)
	if err != nil {
		return []Finding{fix(idTenantFlag, area, fmt.Sprintf("--tenant: %v", err), "correct it")}
	}
	known := func(t tenant.Tenant) bool { return t.Name == name }
	if h.policy != nil && !slices.ContainsFunc(h.policy.Tenants(), known) {
		return []Finding{fix(idTenantFlag, area, fmt.Sprintf("--tenant %s is not in the policy file", name), "add the tenant there, or correct the name")}
	}
	return []Finding{ok(area, "its tenant is "+text)}
}

// checkRunnerDirs checks the folders of a runner's jobs. Those of the policy file count, unless
// the runner has none.
func (h *host) checkRunnerDirs(area string, r runner) []Finding {
	var findings []Finding
	user, settings := "", h.settings
	if f, err := readFlags(r.Custom.ConfigArgs); err == nil && f.NoPolicy {
		user, settings = f.RunAs, tenant.Settings{}
	}
	for _, d := range []struct{ key, dir, policy string }{
		{"builds_dir", r.BuildsDir, settings.BuildsDir},
		{"cache_dir", r.CacheDir, settings.CacheDir},
	} {
		switch {
		case d.dir == "" && d.policy != "":
		case d.dir == "":
			findings = append(findings, fix(idRunnerDir, area, d.key+" is not set", "set it, here or in the policy file: the custom executor needs it"))
		case !filepath.IsAbs(d.dir):
			findings = append(findings, fix(idRunnerDir, area, fmt.Sprintf("%s is %q, not an absolute path", d.key, d.dir), "write the whole path"))
		case user != "" && user != program.Root:
			findings = append(findings, checkUserDir(area, d.dir, user)...)
		case d.policy == "" && exists(d.dir):
			findings = append(findings, checkOwned(area, d.dir)...)
		}
	}
	return findings
}

// checkUserDir checks that a folder belongs to the user of --run-as, who makes the jobs'
// folders in it.
func checkUserDir(area, dir, user string) []Finding {
	a, err := account.Lookup(user)
	if err != nil {
		return nil // checkUsers reports the error
	}
	do := run("install", "-d", "-o", user, "-g", strconv.Itoa(int(a.GID)), dir)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return []Finding{fix(idWorkDir, area, err.Error(), do)}
	case owner(info) != int(a.UID):
		return []Finding{fix(idWorkDir, area, fmt.Sprintf("%s does not belong to user %q of --run-as", dir, user), do)}
	case info.Mode().Perm()&0o022 != 0:
		return []Finding{fix(idOpenDir, area, fmt.Sprintf("others may write to %s (mode %04o)", dir, info.Mode().Perm()), run("chmod", "go-w", dir))}
	}
	if closed, mode := closedAbove(filepath.Dir(dir)); closed != "" {
		return []Finding{fix(idClosedDir, area, fmt.Sprintf("user %q cannot pass through %s (mode %04o)", user, closed, mode), run("chmod", "o+x", closed))}
	}
	return []Finding{ok(area, fmt.Sprintf("%s belongs to user %q", dir, user))}
}
