package program_test

import (
	"strings"
	"testing"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// compile returns the policy of a file with that text.
func compile(t *testing.T, text string) *tenant.Policy {
	t.Helper()
	policy, err := policyfile.Compile("rolecall.toml", []byte(text), grant.AWS{})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// tell returns what the config stage hands on.
func tell(t *testing.T, f program.Flags, policy *tenant.Policy) string {
	t.Helper()
	c := program.Call{Flags: f}
	told, err := c.Tell(policy)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// TestTold: a later stage refuses a job where the config stage was started with
// other flags, or read another policy file.
func TestTold(t *testing.T) {
	t.Parallel()
	policy, changed := compile(t, policyText), compile(t, policyText+"refs = [\"main\"]\n")
	file, none := program.Flags{Config: "/c"}, program.Flags{NoPolicy: true}
	const others = "the config stage was started with other flags than this stage: config has "
	for name, test := range map[string]struct {
		told       string
		flags      program.Flags
		policy     *tenant.Policy
		flagsSay   string // the error of CheckTold, and of CheckPolicy too
		policySays string // the error of CheckPolicy alone
		side       fault.Side
	}{
		"same":            {told: tell(t, file, policy), flags: file, policy: policy},
		"same, no policy": {told: tell(t, none, nil), flags: none},
		"nothing": {
			flags: file, policy: policy, side: fault.Admin,
			flagsSay: "the config stage has not said how it was started: it did not run, or it has another version; set config_exec in the runner's config.toml to the program config that lies beside this one",
		},
		"no JSON": {told: "{", flags: file, policy: policy, side: fault.Infrastructure, flagsSay: "the text that the config stage passed on: unexpected end of JSON input"},
		"a tenant": {
			told: tell(t, program.Flags{Config: "/c", Tenant: "alpha"}, policy), flags: file, policy: policy, side: fault.Admin,
			flagsSay: others + "--config /c --tenant alpha, this stage has --config /c; give all four stages the same flags: set in [runners.custom] of the runner's config.toml:\n    config_args = [\"--config\", \"/c\", \"--tenant\", \"alpha\"]\n    prepare_args = ",
		},
		"a file":         {told: tell(t, program.Flags{}, policy), flags: file, policy: policy, side: fault.Admin, flagsSay: others + "none, this stage has --config /c"},
		"a user":         {told: tell(t, program.Flags{NoPolicy: true, RunAs: "root"}, nil), flags: none, side: fault.Admin, flagsSay: others + "--no-policy --run-as root, this stage"},
		"no policy":      {told: tell(t, none, nil), flags: file, policy: policy, side: fault.Admin, flagsSay: others + "--no-policy, this stage"},
		"a new policy":   {told: tell(t, file, policy), flags: file, policy: changed, side: fault.Infrastructure, policySays: "the policy file changed after the config stage had read it: /c; nothing: the runner tries again"},
		"a default file": {told: tell(t, program.Flags{}, policy), policy: changed, side: fault.Infrastructure, policySays: "the policy file changed after the config stage had read it: " + policyfile.Default + "; "},
	} {
		c := program.Call{Flags: test.flags, Env: job.Env{Told: test.told}}
		checkError(t, name+": CheckTold", c.CheckTold(), test.side, test.flagsSay)
		checkError(t, name+": CheckPolicy", c.CheckPolicy(test.policy), test.side, test.flagsSay+test.policySays)
	}
}

// TestNoRoot: the error has the lines that the admin pastes into config.toml.
func TestNoRoot(t *testing.T) {
	t.Parallel()
	const what = "the runner's service is root, and the scripts of this job would be root's"
	err := program.Flags{NoPolicy: true, Tenant: "alpha"}.NoRoot(nil, 0)
	checkError(t, "without a policy", err, fault.Admin, what)
	lines := `
    config_args = ["--no-policy", "--run-as", "NAME", "--tenant", "alpha"]
    prepare_args = ["--no-policy", "--run-as", "NAME", "--tenant", "alpha"]
    run_args = ["--no-policy", "--run-as", "NAME", "--tenant", "alpha"]
    cleanup_args = ["--no-policy", "--run-as", "NAME", "--tenant", "alpha"]`
	checkError(t, "without a policy", err, fault.Admin, lines)
	err = program.Flags{}.NoRoot(compile(t, policyText), 0)
	checkError(t, "with a policy", err, fault.Admin, what)
	checkError(t, "with a policy", err, fault.Admin, "set run_as to it in the policy file")
	if strings.Contains(err.Error(), "_args") {
		t.Errorf("with a policy: %v names flags", err)
	}
	unsafe := compile(t, "run_as_root = \"unsafe\"\n"+policyText)
	for name, err := range map[string]error{
		"a service that is not root": program.Flags{NoPolicy: true}.NoRoot(nil, 1000),
		"the word in the flags":      program.Flags{NoPolicy: true, RunAs: program.Root}.NoRoot(nil, 0),
		"the word in the file":       program.Flags{}.NoRoot(unsafe, 0),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (program.Flags{RunAs: program.Root}).NoRoot(compile(t, policyText), 0); err == nil {
		t.Error("the flags open what the policy file does not")
	}
}

// TestUser: scripts run as root only where root runs them.
func TestUser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		runAs string
		euid  int
		want  string
		says  string
	}{
		{"", 0, "", ""},
		{"ci", 0, "ci", ""},
		{"ci", 1000, "ci", ""},
		{"root", 0, "", ""},
		{"root", 1000, "", "--run-as root: the runner's service is not root, its uid is 1000"},
	} {
		got, err := program.Flags{RunAs: test.runAs}.User(test.euid)
		if got != test.want || test.says == "" && err != nil {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
		if test.says != "" {
			checkError(t, test.runAs, err, fault.Admin, test.says)
		}
	}
}
