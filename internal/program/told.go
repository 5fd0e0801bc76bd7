package program

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// told is what the config stage passes to the later stages in job_env, which no job can
// set: the flags of the config stage, and what it read in the policy file.
type told struct {
	Flags

	Hash    string `json:"policy_hash,omitempty"`
	Contact string `json:"contact,omitempty"` // whom people can ask about the runner
}

// Tell returns what the config stage passes to the later stages. Policy is the one that
// it read; nil means none.
func (c *Call) Tell(policy *tenant.Policy) (string, error) {
	text, err := json.Marshal(told{c.Flags, hashOf(policy), contactOf(policy)})
	return string(text), err
}

// CheckTold returns a fault.Admin if the config stage was started with other flags, or
// passed no flags to this stage.
func (c *Call) CheckTold() error {
	_, err := c.readTold()
	return err
}

// CheckPolicy does what CheckTold does. It also returns an error if the config stage
// read another policy; the runner then tries again, beginning with the config stage.
func (c *Call) CheckPolicy(policy *tenant.Policy) error {
	t, err := c.readTold()
	if err != nil || t.Hash == hashOf(policy) {
		return err
	}
	return fault.New(fault.Unexpected, errors.New("the policy file changed after the config stage had read it"), "nothing: the runner tries again with the new file").
		Detail("file", c.file())
}

// readTold returns what the config stage passed to this stage. Different flags are an
// error.
func (c *Call) readTold() (told, error) {
	t, err := parseTold(c.Env.Told)
	if err == nil && t.Flags != c.Flags {
		return t, fault.New(fault.StagesDiffer, errors.New("the config stage was started with other flags than this stage"),
			"give all four stages the same flags: "+paste(t.Flags)).
			Detail("flags", fmt.Sprintf("config has %s, this stage has %s", t.Flags, c.Flags))
	}
	return t, err
}

// parseTold reads what the config stage passed on.
func parseTold(text string) (told, error) {
	var t told
	if text == "" {
		return t, fault.New(fault.StagesDiffer, errors.New("the config stage has not said how it was started"),
			"set config_exec in the runner's config.toml to the program config that lies beside this one").
			Detail("why", "it did not run, or it has another version")
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return t, fmt.Errorf("the text that the config stage passed on: %w", err)
	}
	return t, nil
}

// hashOf returns the hash of the file of a policy, or an empty text without a policy.
func hashOf(policy *tenant.Policy) string {
	if policy == nil {
		return ""
	}
	return policy.Hash()
}

// contactOf returns whom a policy names as the contact of the runner's admin.
func contactOf(policy *tenant.Policy) string {
	if policy == nil {
		return ""
	}
	return policy.Settings().Contact
}

// args returns the command line of the flags.
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

// paste returns lines for config.toml that give the flags to all four stages.
func paste(f Flags) string {
	args, _ := json.Marshal(f.args()) // a list in JSON is one in TOML too
	text := "set in [runners.custom] of the runner's config.toml:"
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		text += fmt.Sprintf("\n    %s_args = %s", stage, strings.ReplaceAll(string(args), `","`, `", "`))
	}
	return text
}

// NoRoot returns the fault.Admin that refuses a job without a unix user, or nil if such
// a job may run. A driver with the effective uid 0 would run the job's scripts as root;
// the admin must have allowed that by the flags or the policy file.
func (f Flags) NoRoot(policy *tenant.Policy, euid int) error {
	if euid != 0 || policy == nil && f.RunAs == Root || policy != nil && policy.Settings().RunAsRoot {
		return nil
	}
	return fault.New(fault.RootScripts, errors.New("the runner's service is root, and the scripts of this job would be root's"), f.makeUser(policy)).
		Detail("why", "no unix user is named for them")
}

// makeUser returns how an admin gives a unix user to jobs that have none.
func (f Flags) makeUser(policy *tenant.Policy) string {
	const useradd = "make a user (useradd --system --create-home --skel /dev/null --shell /usr/sbin/nologin NAME)"
	if policy != nil {
		return useradd + " and set run_as to it in the policy file, for each tenant and at the top for jobs without a tenant"
	}
	f.RunAs = "NAME"
	return useradd + ", let builds_dir and cache_dir belong to it, and " + paste(f)
}
