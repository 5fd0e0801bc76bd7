package program

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// told is what the config stage hands on to the later ones in job_env, which no job
// can set: what it was started with, and which policy file it read.
type told struct {
	Flags

	Hash string `json:"policy_hash,omitempty"`
}

// Tell returns what the config stage hands on, where it has read that policy; nil
// is none.
func (c *Call) Tell(policy *tenant.Policy) (string, error) {
	text, err := json.Marshal(told{c.Flags, hashOf(policy)})
	return string(text), err
}

// CheckTold reports as a fault.Admin that the config stage was started with other
// flags, or has not said with which.
func (c *Call) CheckTold() error {
	_, err := c.readTold()
	return err
}

// CheckPolicy does what CheckTold does, and reports that the config stage read
// another policy than this. The runner then tries again from the config stage on.
func (c *Call) CheckPolicy(policy *tenant.Policy) error {
	t, err := c.readTold()
	if err != nil || t.Hash == hashOf(policy) {
		return err
	}
	return fmt.Errorf("the policy file %s changed after the config stage had read it; the runner tries again with the new one", cmp.Or(c.Config, policyfile.Default))
}

// readTold returns what the config stage handed on, which agrees with the flags of
// this one.
func (c *Call) readTold() (told, error) {
	var t told
	if c.Env.Told == "" {
		return t, fault.New(fault.Admin, errors.New("the config stage has not said how it was started: it did not run, or is of another version"),
			"set config_exec in the runner's config.toml to the program config that lies beside this one")
	}
	if err := json.Unmarshal([]byte(c.Env.Told), &t); err != nil {
		return t, fmt.Errorf("what the config stage handed on: %w", err)
	}
	if t.Flags != c.Flags {
		return t, fault.New(fault.Admin, fmt.Errorf("the config stage was started with other flags (%s) than this stage (%s)", t.Flags, c.Flags),
			"give all four stages the same flags: "+paste(t.Flags))
	}
	return t, nil
}

// hashOf returns the hash of the file of a policy, or an empty text without one.
func hashOf(policy *tenant.Policy) string {
	if policy == nil {
		return ""
	}
	return policy.Hash()
}

// args returns the command line that gives the flags.
func (f Flags) args() []string {
	args := []string{}
	if f.NoPolicy {
		args = append(args, "--no-policy")
	}
	for _, flag := range []struct{ name, value string }{{"--config", f.Config}, {"--run-as", f.RunAs}, {"--tenant", f.Tenant}} {
		if flag.value != "" {
			args = append(args, flag.name, flag.value)
		}
	}
	return args
}

// String returns the flags as on a command line.
func (f Flags) String() string { return cmp.Or(strings.Join(f.args(), " "), "none") }

// paste returns the lines of config.toml that give all four stages the flags.
func paste(f Flags) string {
	args, _ := json.Marshal(f.args()) // a list in JSON is one in TOML too
	text := "set in [runners.custom] of the runner's config.toml:"
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		text += fmt.Sprintf("\n    %s_args = %s", stage, strings.ReplaceAll(string(args), `","`, `", "`))
	}
	return text
}

// NoRoot returns what a job without a unix user is refused with, a fault.Admin: a
// driver with the effective uid 0 would run its scripts as root, which the admin has not
// asked for by the flags or the policy file. It returns nil where such a job may run.
func (f Flags) NoRoot(policy *tenant.Policy, euid int) error {
	if euid != 0 || policy == nil && f.RunAs == Root || policy != nil && policy.Settings().RunAsRoot {
		return nil
	}
	what := errors.New("the runner's service is root, and the scripts of this job would be root's: no unix user is named for them")
	if policy == nil {
		f.RunAs = "NAME"
		return fault.New(fault.Admin, what, "make a user (useradd --system --create-home --skel /dev/null --shell /usr/sbin/nologin NAME), let builds_dir and cache_dir belong to it, and "+paste(f))
	}
	return fault.New(fault.Admin, what, "make a user (useradd --system --create-home --skel /dev/null --shell /usr/sbin/nologin NAME) and set run_as to it in the policy file, for each tenant and at the top for jobs of no tenant")
}
