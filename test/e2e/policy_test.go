package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// policyWorld is a world whose runners obey a policy file.
type policyWorld struct {
	*world
	dir    string // of the admin: policy file, folders, audit log
	policy string
}

// newPolicyWorld starts a world with a shared runner and one of tenant alpha.
func newPolicyWorld(t *testing.T) *policyWorld {
	t.Helper()
	return newPolicyWorldIn(t, t.TempDir(), "")
}

// newPolicyWorldIn starts a world whose admin has that folder. The runners have more
// settings, as lines of TOML.
func newPolicyWorldIn(t *testing.T, dir, settings string) *policyWorld {
	t.Helper()
	p := &policyWorld{&world{gitlab: startGitLab(t)}, dir, filepath.Join(dir, "rolecall.toml")}
	p.places = []string{filepath.Join(dir, "builds"), filepath.Join(dir, "cache")}
	t.Cleanup(func() { p.checkLines(t) })
	p.startMinIO(t)
	p.write(t, p.policyText())
	args := []string{"--config", p.policy}
	p.start(t, p.recorder.URL(),
		lab.Runner{Name: "shared", Token: sharedToken, Args: args, Settings: settings},
		lab.Runner{Name: "alpha", Token: alphaToken, Args: append(args, "--tenant", "alpha"), Settings: settings},
	)
	return p
}

// policyText is a policy of two tenants.
func (p *policyWorld) policyText() string {
	return fmt.Sprintf(`
shared_user = "unsafe"
run_as_root = "unsafe"
builds_dir = %[1]q
cache_dir = %[2]q
audit_log = %[3]q
[gitlab]
issuer = %[4]q
[[tenant]]
name = "alpha"
role_arn = %[5]q
audience = "https://alpha.example"
projects = ["acme/deploy"]
refs = ["main", "release/*"]
protected = true
environments = ["alpha"]
required = true
[[tenant]]
name = "beta"
role_arn = %[6]q
audience = "https://beta.example"
projects = ["acme/*"]
id_token = "BETA_ID_TOKEN"
`, filepath.Join(p.dir, "builds"), filepath.Join(p.dir, "cache"), p.audit(), p.gitlab.Issuer(), p.minio.RoleARN("alpha"), p.minio.RoleARN("beta"))
}

// audit is the path of the audit log.
func (p *policyWorld) audit() string { return filepath.Join(p.dir, "audit.jsonl") }

// write writes the policy file.
func (p *policyWorld) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(p.policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// alpha is a job that the policy allows to be alpha.
func (p *policyWorld) alpha(script ...string) coordinator.Job {
	job := p.job("alpha", script...)
	job.Protected = true
	return job
}

// beta is a job that is beta without asking for it by name.
func (p *policyWorld) beta(script ...string) coordinator.Job {
	job := p.job("beta", script...)
	job.IDTokens = map[string]string{"BETA_ID_TOKEN": audience("beta")}
	job.Variables = nil
	return job
}

// events returns the lines of the audit log about a job.
func (p *policyWorld) events(t *testing.T, run *coordinator.Run) []map[string]any {
	t.Helper()
	content, err := os.ReadFile(p.audit())
	if err != nil && !os.IsNotExist(err) { // it begins with the first line
		t.Fatal(err)
	}
	var events []map[string]any
	for line := range strings.Lines(string(content)) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if fmt.Sprint(event["job_id"]) == fmt.Sprint(run.ID()) || event["job_id"] == float64(run.ID()) {
			events = append(events, event)
		}
	}
	return events
}

// TestPolicyAllows runs jobs of two tenants on a shared runner, side by side with
// jobs on a runner of one tenant and with jobs of none.
func TestPolicyAllows(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	p := newPolicyWorld(t)
	alpha := p.alpha("pwd", p.s3("put alpha key text"), "! "+p.s3("put beta key text"))
	alpha.Variables = append(alpha.Variables, coordinator.Variable{Key: "ROLE_ARN", Value: p.minio.RoleARN("beta")})
	pinned := p.alpha("pwd", p.s3("ls alpha"))
	pinned.Variables = nil
	beta := p.beta("pwd", p.s3("ls beta"), "! "+p.s3("ls alpha"), "echo $BETA_ID_TOKEN")
	other := coordinator.Job{Project: coordinator.Project{ID: 43, Path: "acme/other"}, Script: []string{"pwd", `echo "keys: <$AWS_ACCESS_KEY_ID>"`}}

	for name, test := range map[string]struct {
		token  string
		job    coordinator.Job
		folder string
		events string
	}{
		"the job asks for it, whatever ROLE_ARN says": {sharedToken, alpha, "alpha/protected", "decision issued ended"},
		"the runner is of that tenant":                {alphaToken, pinned, "alpha/protected", "decision issued ended"},
		"the only one that matches":                   {sharedToken, beta, "beta/unprotected", "decision issued masked ended"},
		"none":                                        {sharedToken, other, "none/unprotected", ""},
	} {
		t.Run(name, func(t *testing.T) {
			run := p.enqueue(test.token, test.job)
			if result := wait(t, run); result.State != "success" {
				t.Fatalf("%+v; log:\n%s", result, run.Text())
			}
			contains(t, run.Text(), filepath.Join(p.dir, "builds", test.folder)+"/")
			p.awaitKinds(t, run, test.events)
			if token := run.IDToken("BETA_ID_TOKEN"); token != "" && strings.Contains(run.Text(), token) {
				t.Error("the log holds the ID token")
			}
		})
	}
	p.checkNothingLeft(t)
	p.checkAudit(t)
}

// checkAudit checks that every access key id that was issued leads to a job, and
// that the log holds nothing that is secret.
func (p *policyWorld) checkAudit(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(p.audit())
	if err != nil {
		t.Fatal(err)
	}
	for _, issued := range p.recorder.Issued() {
		if !strings.Contains(string(content), issued.AccessKeyID) {
			t.Errorf("the audit log does not hold the access key id %s", issued.AccessKeyID)
		}
		if strings.Contains(string(content), issued.SecretAccessKey) || strings.Contains(string(content), issued.SessionToken) {
			t.Error("the audit log holds a secret")
		}
	}
}

// refusal is a job that the policy refuses.
type refusal struct {
	token  string
	change func(*coordinator.Job)
	code   string // such as RC103
	rule   string
	log    []string
}

// tokenRefusals are jobs that are refused for what their ID token says, by the driver and by a
// broker.
func tokenRefusals(t *testing.T) map[string]refusal {
	t.Helper()
	claim := func(name string, value any) func(*coordinator.Job) {
		return func(j *coordinator.Job) {
			j.MutateClaims = func(claims map[string]any) { claims[name] = value }
		}
	}
	ref := func(name string) func(*coordinator.Job) {
		return func(j *coordinator.Job) { j.Ref = name }
	}
	forger := startGitLab(t)
	return map[string]refusal{
		"a ref of another case":  {change: ref("Main"), code: "RC103", rule: "refs"},
		"a ref below":            {change: ref("main/x"), code: "RC103", rule: "refs"},
		"a ref that climbs":      {change: ref("release/../main"), code: "RC103", rule: "refs"},
		"a tag":                  {change: func(j *coordinator.Job) { j.RefType = "tag" }, code: "RC103", rule: "ref_types"},
		"not protected":          {change: func(j *coordinator.Job) { j.Protected = false }, code: "RC103", rule: "protected", log: []string{"not protected"}},
		"another environment":    {change: func(j *coordinator.Job) { j.Environment = "beta" }, code: "RC103", rule: "environments"},
		"no environment":         {change: func(j *coordinator.Job) { j.Environment = "" }, code: "RC103", rule: "environments"},
		"another project":        {change: func(j *coordinator.Job) { j.Project = coordinator.Project{ID: 43, Path: "acme/other"} }, code: "RC103", rule: "projects"},
		"a fork's merge request": {change: claim("project_path", "mallory/deploy"), code: "RC103", rule: "projects", log: []string{"mallory/deploy"}},
		"another audience":       {change: claim("aud", []string{"https://alpha.example", "https://beta.example"}), code: "RC103", rule: "audience"},
		"a token that is over":   {change: claim("exp", time.Now().Add(-2*time.Minute).Unix()), code: "RC102"},
		"another issuer":         {change: claim("iss", "https://gitlab.example.org"), code: "RC102", log: []string{"https://gitlab.example.org"}},
		"a forged token":         {change: func(j *coordinator.Job) { j.SignedBy = forger }, code: "RC102", log: []string{"has signed this token"}},
	}
}

// jobRefusals are jobs that the driver refuses, and that a broker cannot know.
func jobRefusals(t *testing.T, p *policyWorld) map[string]refusal {
	t.Helper()
	return map[string]refusal{
		"a token of another job": {
			change: func(j *coordinator.Job) { j.MutateClaims = func(claims map[string]any) { claims["job_id"] = "1" } },
			code:   "RC102", log: []string{`its claim job_id is "1"`},
		},
		"no such tenant": {
			change: func(j *coordinator.Job) { j.Variables = []coordinator.Variable{{Key: "TENANT", Value: "delta"}} },
			code:   "RC104", log: []string{`"delta"`},
		},
		"the tenant of another runner": {
			token:  alphaToken,
			change: func(j *coordinator.Job) { j.Variables = []coordinator.Variable{{Key: "TENANT", Value: "beta"}} },
			code:   "RC1", log: []string{`the job asks for tenant "beta", this runner serves tenant "alpha" only`},
		},
		"no token, and the tenant is required": {
			token:  alphaToken,
			change: func(j *coordinator.Job) { j.IDTokens, j.Variables = nil, nil },
			code:   "RC101", log: []string{"GITLAB_OIDC_TOKEN", "  id_tokens:\n", "      aud: https://alpha.example"},
		},
		"a stale key": {
			change: func(j *coordinator.Job) {
				j.Variables = append(j.Variables, coordinator.Variable{Key: "AWS_PROFILE", Value: "old"})
			},
			code: "RC1", log: []string{"variables of the job would override its tenant's credentials; ", "  variables  AWS_PROFILE"},
		},
		"a token of an earlier job": {
			change: func(j *coordinator.Job) {
				earlier := p.enqueue(alphaToken, p.alpha("true"))
				wait(t, earlier)
				j.IDTokens = nil
				j.Variables = append(j.Variables, coordinator.Variable{Key: "GITLAB_OIDC_TOKEN", Value: earlier.IDToken("GITLAB_OIDC_TOKEN")})
			},
			code: "RC102", log: []string{"its claim job_id is "},
		},
	}
}

// TestPolicyRefuses runs jobs that the policy refuses: a build failure, one line
// in the log that says why, a line in the audit log, and nothing asked of STS.
func TestPolicyRefuses(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	p := newPolicyWorld(t)
	all := tokenRefusals(t)
	maps.Copy(all, jobRefusals(t, p))
	for name, r := range all {
		t.Run(name, func(t *testing.T) { p.checkRefused(t, r) })
	}
	p.checkNothingLeft(t)
}

// checkRefused fails the test unless the driver refuses a job.
func (p *policyWorld) checkRefused(t *testing.T, r refusal) {
	t.Helper()
	job := p.alpha("echo THE SCRIPT RUNS")
	r.change(&job)
	issued := len(p.recorder.Issued())
	run := p.enqueue(cmp.Or(r.token, sharedToken), job)
	if result := wait(t, run); result.FailureReason != "script_failure" {
		t.Errorf("%+v", result)
	}
	contains(t, run.Text(), append(r.log, "· "+r.code)...)
	if strings.Contains(run.Text(), "THE SCRIPT RUNS") || len(p.recorder.Issued()) != issued {
		t.Errorf("the script ran, or STS was asked; log:\n%s", run.Text())
	}
	events := p.events(t, run)
	if len(events) != 1 || events[0]["allowed"] != false || r.rule != "" && events[0]["rule"] != r.rule {
		t.Errorf("audit log: %v, want one refusal by rule %q", events, r.rule)
	}
}

// TestPolicyFaults breaks what the policy stands on, one after another.
func TestPolicyFaults(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	p := newPolicyWorld(t)
	good := p.policyText()
	fails := func(t *testing.T, reason string, log ...string) {
		t.Helper()
		run := p.enqueue(sharedToken, p.alpha("echo THE SCRIPT RUNS"))
		if result := wait(t, run); result.FailureReason != reason {
			t.Errorf("%+v, want %s", result, reason)
		}
		contains(t, run.Text(), log...)
		if strings.Contains(run.Text(), "THE SCRIPT RUNS") {
			t.Error("the script ran")
		}
	}
	const admin = "rolecall: error [RC303]: "
	t.Run("a key that is not known", func(t *testing.T) {
		p.write(t, good+"protcted = true\n")
		fails(t, "script_failure", admin, p.policy+":", "protcted")
	})
	t.Run("open to others", func(t *testing.T) {
		p.write(t, good)
		if err := os.Chmod(p.policy, 0o664); err != nil {
			t.Fatal(err)
		}
		fails(t, "script_failure", admin, "go-w")
	})
	t.Run("missing", func(t *testing.T) {
		if err := os.Remove(p.policy); err != nil {
			t.Fatal(err)
		}
		fails(t, "script_failure", admin, "no such file")
	})
	t.Run("no audit log, no credentials", func(t *testing.T) {
		p.write(t, strings.Replace(good, "audit.jsonl", "none/audit.jsonl", 1))
		issued := len(p.recorder.Issued())
		fails(t, "script_failure", "rolecall: error [RC308]: audit log", "create its folder")
		if len(p.recorder.Issued()) != issued {
			t.Error("credentials were issued")
		}
	})
	t.Run("the issuer's keys", func(t *testing.T) {
		p.write(t, good)
		p.succeed(t, sharedToken, p.alpha("true"))
		p.gitlab.FailKeys(503)
		p.succeed(t, sharedToken, p.alpha("echo the keys are kept"))
		p.gitlab.FailKeys(0)
		p.gitlab.RotateKey()
		p.succeed(t, sharedToken, p.alpha("echo the new key is found")) // the runner may have to try twice
	})
	p.checkNothingLeft(t)
}
