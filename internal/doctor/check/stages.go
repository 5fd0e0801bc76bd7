package check

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"rolecall/internal/account"
	"rolecall/internal/adminfile"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// The least seconds that the settings of a runner must leave to the driver.
const (
	leastShutdown = 60 // for the end of all jobs of the runner
	leastGrace    = 10 // run needs at most this time to end
	leastPrepare  = 40 // prepare waits up to 15 s for the issuer and 20 s for STS
	leastOther    = 10 // for config and cleanup on a busy host
)

// The runner's defaults, in seconds.
//
// https://docs.gitlab.com/runner/configuration/advanced-configuration/#the-runnerscustom-section
const (
	defaultShutdown = 30
	defaultGrace    = 600
	defaultForce    = 10 // 600 by its documentation
	defaultStage    = 3600
)

// checkRunner checks one runner.
func (h *host) checkRunner(r runner) []Finding {
	area := fmt.Sprintf("runner %q", r.Name)
	findings := slices.Concat(
		checkPrograms(area, r.Custom.programs()),
		h.checkFlags(area, r.Custom.programs()),
		h.checkRunnerDirs(area, r),
		checkTimeouts(area, h.config.ShutdownTimeout, r.Custom),
	)
	if r.CleanGitConfig != nil && !*r.CleanGitConfig {
		findings = append(findings, warn(area, "clean_git_config is off: a job's git settings and hooks reach the next job", "set clean_git_config = true"))
	}
	return findings
}

// checkPrograms checks that the stages' programs exist, that their paths are absolute,
// and that nobody else can change them.
func checkPrograms(area string, programs []executable) []Finding {
	var findings []Finding
	for _, p := range programs {
		key := p.stage + "_exec"
		info, err := os.Stat(p.path)
		switch {
		case p.path == "":
			findings = append(findings, fail(area, key+" is not set", "set it to the program "+p.stage+" of rolecall"))
		case !filepath.IsAbs(p.path):
			findings = append(findings, fail(area, fmt.Sprintf("%s is %q, not an absolute path", key, p.path), "write the whole path: a service has no PATH to rely on"))
		case err != nil:
			findings = append(findings, fail(area, fmt.Sprintf("%s: %v", key, err), "run make install, or correct the path"))
		case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
			findings = append(findings, fail(area, fmt.Sprintf("%s: %s is not a program", key, p.path), "correct the path"))
		case filepath.Base(p.path) != p.stage:
			findings = append(findings, fail(area, fmt.Sprintf("%s is %s, another stage's program", key, p.path), "correct the path"))
		default:
			if err := adminfile.Check(p.path); err != nil {
				findings = append(findings, fail(area, fmt.Sprintf("%s: %v", key, err), "let the program and the folders above it belong to root, and nobody else write there"))
			}
		}
	}
	if findings == nil {
		return []Finding{ok(area, "its programs exist, and nobody else can change them")}
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
			return []Finding{fail(area, fmt.Sprintf("%s_args are %q, %s_args %q", p.stage, p.args, first.stage, first.args), "give all four stages the same flags")}
		}
	}
	f, err := readFlags(first.args)
	if err != nil {
		return []Finding{fail(area, fmt.Sprintf("%q are not flags of rolecall: %v", first.args, err), "use --tenant NAME, --config FILE, --no-policy and --run-as NAME only")}
	}
	if err := f.Check(); err != nil {
		return []Finding{fail(area, err.Error(), "give all four stages flags that agree")}
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
			return []Finding{warn(area, "its policy file is "+file+", this check read "+h.Policy, "run doctor check with --config "+file)}
		case h.policy == nil && !exists(file):
			return []Finding{fail(area, "its policy file "+file+" does not exist, so every job is refused", "write one, or give all four stages --no-policy and --run-as NAME")}
		}
		return nil
	}
	var findings []Finding
	if exists(policyfile.Default) || exists(h.Policy) {
		findings = append(findings, warn(area, "--no-policy: this runner ignores the policy file "+h.Policy+", and jobs name their tenant and role themselves", "remove --no-policy, or the file"))
	}
	switch {
	case os.Geteuid() != 0:
	case f.RunAs == "":
		findings = append(findings, fail(area, "--no-policy without --run-as: a runner that is root refuses every job", makeUser+"; let builds_dir and cache_dir belong to it, and add --run-as NAME to all four stages"))
	case f.RunAs == program.Root:
		findings = append(findings, warn(area, "--run-as root: every script of every job is root on this host", makeUser+", and use --run-as NAME"))
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
		return []Finding{fail(area, fmt.Sprintf("--tenant: %v", err), "correct it")}
	}
	known := func(t tenant.Tenant) bool { return t.Name == name }
	if h.policy != nil && !slices.ContainsFunc(h.policy.Tenants(), known) {
		return []Finding{fail(area, fmt.Sprintf("--tenant %s is not in the policy file", name), "add the tenant there, or correct the name")}
	}
	return []Finding{ok(area, "its tenant is "+text)}
}

// checkRunnerDirs checks the folders of a runner's jobs.
func (h *host) checkRunnerDirs(area string, r runner) []Finding {
	var findings []Finding
	user := ""
	if f, err := readFlags(r.Custom.ConfigArgs); err == nil && f.RunAs != program.Root {
		user = f.RunAs
	}
	for _, d := range []struct{ key, dir, policy string }{
		{"builds_dir", r.BuildsDir, h.settings.BuildsDir},
		{"cache_dir", r.CacheDir, h.settings.CacheDir},
	} {
		switch {
		case d.dir == "" && d.policy != "":
		case d.dir == "" && d.key == "builds_dir":
			findings = append(findings, fail(area, "builds_dir is not set", "set it, here or in the policy file: the custom executor needs it"))
		case d.dir != "" && !filepath.IsAbs(d.dir):
			findings = append(findings, fail(area, fmt.Sprintf("%s is %q, not an absolute path", d.key, d.dir), "write the whole path"))
		case d.dir != "" && d.policy == "" && user != "":
			findings = append(findings, checkUserDir(area, d.dir, user)...)
		case d.dir != "" && d.policy == "" && exists(d.dir):
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
	do := fmt.Sprintf("install -d -o %s -g %d %s", user, a.GID, dir)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return []Finding{fail(area, err.Error(), do)}
	case owner(info) != int(a.UID):
		return []Finding{fail(area, fmt.Sprintf("%s does not belong to user %q of --run-as", dir, user), do)}
	case info.Mode().Perm()&0o022 != 0:
		return []Finding{fail(area, fmt.Sprintf("others may write to %s (mode %04o)", dir, info.Mode().Perm()), "chmod go-w "+dir)}
	}
	if closed, mode := closedAbove(filepath.Dir(dir)); closed != "" {
		return []Finding{fail(area, fmt.Sprintf("user %q cannot pass through %s (mode %04o)", user, closed, mode), "chmod o+x "+closed)}
	}
	return []Finding{ok(area, fmt.Sprintf("%s belongs to user %q", dir, user))}
}

// checkTimeouts checks the times that the runner gives to the stages.
func checkTimeouts(area string, shutdown int, c custom) []Finding {
	var findings []Finding
	for _, t := range []struct {
		key             string
		value           *int
		standard, least int
		want            int
	}{
		{"config_exec_timeout", c.ConfigExecTimeout, defaultStage, leastOther, 30},
		{"prepare_exec_timeout", c.PrepareExecTimeout, defaultStage, leastPrepare, 120},
		{"cleanup_exec_timeout", c.CleanupExecTimeout, defaultStage, leastOther, 60},
		{"graceful_kill_timeout", c.GracefulKillTimeout, defaultGrace, leastGrace, 15},
		{"force_kill_timeout", c.ForceKillTimeout, defaultForce, 1, 5},
	} {
		do := fmt.Sprintf("set %s = %d", t.key, t.want)
		switch {
		case t.value == nil:
			findings = append(findings, warn(area, fmt.Sprintf("%s is not set: the runner waits %d s", t.key, t.standard), do))
		case *t.value < t.least:
			findings = append(findings, fail(area, fmt.Sprintf("%s is %d s, the driver may need %d", t.key, *t.value, t.least), do))
		}
	}
	if shutdown <= 0 {
		shutdown = defaultShutdown
	}
	if need := max(leastShutdown, or(c.GracefulKillTimeout, defaultGrace)+or(c.ForceKillTimeout, defaultForce)); shutdown < need {
		findings = append(findings, fail(area, fmt.Sprintf("shutdown_timeout is %d s: a runner that stops exits before cleanup, and credentials stay", shutdown),
			fmt.Sprintf("set shutdown_timeout to at least %d, as graceful_kill_timeout and force_kill_timeout require", need)))
	}
	if findings == nil {
		return []Finding{ok(area, "its timeouts leave enough time to the driver")}
	}
	return findings
}

// or returns a setting, or the runner's default.
func or(value *int, standard int) int {
	if value == nil {
		return standard
	}
	return *value
}
