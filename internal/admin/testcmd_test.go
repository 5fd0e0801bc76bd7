package admin_test

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// rules is a policy file whose named files are nowhere.
const rules = `builds_dir = "/nowhere/builds"
cache_dir = "/nowhere/cache"
run_as = "ci-none"
[gitlab]
issuer = "https://gitlab.example.com"
jwks_file = "/nowhere/keys"
[sts]
ca_bundle = "/nowhere/ca"
[defaults]
audience = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
run_as = "ci-alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy-alpha"
session_policy_file = "/nowhere/policy.json"
projects = ["acme/shop", "acme/infra/*"]
refs = ["main", "release/*"]
protected = true
[[tenant.source]]
name = "config"
provider = "static"
secret_files = { API_KEY = "/nowhere/key" }
[[tenant]]
name = "beta"
run_as = "ci-beta"
role_arn = "arn:aws:iam::444455556666:role/deploy-beta"
projects = ["acme/shop"]
environments = ["beta"]
`

// good are cases that hold.
const good = `[[case]]
name = "release deploys alpha"
project = "acme/shop"
ref = "main"
protected = true
tenant = "alpha"
expect = "alpha"
role = "arn:aws:iam::111122223333:role/deploy-alpha"

[[case]]
name = "no feature branch"
project = "acme/shop"
ref = "feature/x"
protected = true
tenant = "alpha"
expect = "refused"
rule = "refs"

[[case]]
name = "others"
project = "acme/other"
ref = "main"
expect = "none"
`

// testCases calls rolecall test with a policy file that everybody may change.
func testCases(t *testing.T, policy, cases string, flags ...string) (got result, dir string) {
	t.Helper()
	dir = t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(dir, "rolecall.toml"), []byte(policy), 0o666))
	kit.Must(t, os.Chmod(filepath.Join(dir, "rolecall.toml"), 0o666))
	kit.Must(t, os.WriteFile(filepath.Join(dir, "cases.toml"), []byte(cases), 0o600))
	got = run("", append([]string{"test", "--config", filepath.Join(dir, "rolecall.toml"), filepath.Join(dir, "cases.toml")}, flags...)...)
	got.out, got.errors = strings.ReplaceAll(got.out, dir+"/", ""), strings.ReplaceAll(got.errors, dir+"/", "")
	return got, dir
}

func TestTest(t *testing.T) {
	t.Parallel()
	const want = `ok      release deploys alpha: alpha, arn:aws:iam::111122223333:role/deploy-alpha, projects acme/shop; ref_types branch; refs main; protected
ok      no feature branch: refused by rule refs, tenant "alpha" refuses this job: rule refs: the ref is not one of the tenant's
ok      others: none by rule tenant, no tenant of this runner allows this job
note: no case for: tenant alpha, projects acme/infra/*
note: no case for: tenant alpha, refs release/*
note: no case that only this rule refuses: tenant alpha, projects
note: no case that only this rule refuses: tenant alpha, protected
note: no case for: tenant beta
3 cases: 3 ok, 0 failed
`
	if got, _ := testCases(t, rules, good); got.code != 0 || got.out != want || got.errors != "" {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
}

// TestTestFails: each kind of difference fails the test, and is named with the line of its case.
func TestTestFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ old, fresh, says string }{
		"nobody":       {`expect = "none"`, `expect = "beta"`, `FAILED  others (cases.toml:19): want beta, got none: none by rule tenant`},
		"another":      {`expect = "alpha"`, "expect = \"beta\"", `FAILED  release deploys alpha (cases.toml:1): want beta, got alpha: alpha, arn`},
		"rule":         {`rule = "refs"`, `rule = "projects"`, `FAILED  no feature branch (cases.toml:10): want the rule projects, got refs: refused by rule refs`},
		"role":         {"role/deploy-alpha\"\n\n", "role/other\"\n\n", `FAILED  release deploys alpha (cases.toml:1): want the role arn:aws:iam::111122223333:role/other, got arn:aws:iam::111122223333:role/deploy-alpha`},
		"unprotected":  {"protected = true\ntenant = \"alpha\"\nexpect = \"alpha\"", "tenant = \"alpha\"\nexpect = \"alpha\"", `got refused: refused by rule protected`},
		"no token":     {"tenant = \"alpha\"\nexpect = \"alpha\"", "id_token = false\ntenant = \"alpha\"\nexpect = \"alpha\"", `got refused: refused by rule id_token`},
		"its runner":   {"tenant = \"alpha\"\nexpect = \"alpha\"", "runner_tenant = \"beta\"\ntenant = \"alpha\"\nexpect = \"alpha\"", `got refused: refused by rule tenant, the job asks for tenant "alpha", this runner`},
		"control byte": {`name = "others"`, `name = "a\u001bb"`, `ok      a?b: none`},
	} {
		fails := name != "control byte"
		got, dir := testCases(t, rules, strings.Replace(good, test.old, test.fresh, 1), "--junit", filepath.Join(t.TempDir(), "x.xml"))
		if fails != (got.code == 1) || !strings.Contains(got.out, test.says) || fails && !strings.Contains(got.out, "3 cases: 2 ok, 1 failed\n") {
			t.Errorf("%s: exit code %d, want %q in\n%s%s%s", name, got.code, test.says, got.out, got.errors, dir)
		}
	}
}

// TestTestReports: the results as JSON and as a report for GitLab.
func TestTestReports(t *testing.T) {
	t.Parallel()
	report := filepath.Join(t.TempDir(), "junit.xml")
	got, dir := testCases(t, rules, strings.Replace(good, `expect = "none"`, `expect = "beta"`, 1), "--json", "--junit", report)
	var told struct {
		Passed, Failed int
		Cases          []struct {
			Name, Decided, Wrong, Rule, Sub string
			OK                              bool
		}
		Missing []string
	}
	if err := json.Unmarshal([]byte(got.out), &told); err != nil || got.code != 1 || told.Passed != 2 || told.Failed != 1 || len(told.Missing) != 5 {
		t.Fatalf("exit code %d, %v:\n%s", got.code, err, got.out)
	}
	if last := told.Cases[2]; last.OK || last.Name != "others" || last.Decided != "none" || last.Wrong != "want beta, got none" || last.Sub != "project_path:acme/other:ref_type:branch:ref:main" {
		t.Errorf("%+v", last)
	}
	content, err := os.ReadFile(report)
	kit.Must(t, err)
	var suites struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Case     []struct {
				Name    string `xml:"name,attr"`
				File    string `xml:"file,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	kit.Must(t, xml.Unmarshal(content, &suites))
	s := suites.Suite
	if s.Tests != 3 || s.Failures != 1 || s.Case[0].Failure != nil || s.Case[2].Failure.Message != "want beta, got none" || s.Case[0].File != filepath.Join(dir, "cases.toml") {
		t.Errorf("%s", content)
	}
}

// TestTestMisasked: bad cases have exit code 2 and lines, a bad policy file has 1.
func TestTestMisasked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cases string
		says  string
	}{
		"none":            {"", "cases.toml has no cases; begin each by a line [[case]]"},
		"an empty list":   {"case = []", "cases.toml:1: \"case\" is in no case"},
		"not TOML":        {"[[case]]\nname = \n", "cases.toml:2: "},
		"unknown key":     {good + "[[case]]\nname = \"x\"\nprojects = \"a/b\"\n", `cases.toml:26: unknown key "projects"; did you mean "project"?`},
		"its case counts": {strings.Replace(good, "ref =", "Ref =", 1), `cases.toml:4: unknown key "Ref"`},
		"unknown table":   {good + "[[cases]]\n", `cases.toml:24: unknown table "cases"; there is only [[case]]`},
		"in no case":      {"name = \"x\"\n" + good, `cases.toml:1: "name" is in no case`},
		"kind":            {strings.Replace(good, "protected = true", `protected = "true"`, 1), "cases.toml:5: protected: want true or false"},
		"kind of text":    {strings.Replace(good, `tenant = "alpha"`, `tenant = 1`, 1), "cases.toml:6: tenant: want a text in quotes"},
		"no name":         {strings.Replace(good, `name = "others"`, "", 1), "cases.toml:19: name: it is missing"},
		"no expect":       {strings.Replace(good, `expect = "none"`, "", 1), "cases.toml:19: expect: it is missing"},
		"no ref":          {strings.Replace(good, `ref = "main"`, "", 1), "cases.toml:1: ref: it is missing"},
		"bad ref":         {strings.Replace(good, `ref = "main"`, `ref = "*"`, 1), "cases.toml:4: ref: \"*\""},
		"no such tenant":  {strings.Replace(good, `expect = "none"`, `expect = "gamma"`, 1), `cases.toml:23: expect: the policy file has no tenant "gamma"`},
		"no such runner":  {good + "runner_tenant = \"gamma\"\n", `cases.toml:24: runner_tenant: the policy file has no tenant "gamma"`},
		"rule of allowed": {strings.Replace(good, "role = \"arn:aws:iam::111122223333:role/deploy-alpha\"", "rule = \"refs\"", 1), "cases.toml:8: rule: it names what refuses the job"},
		"role of nobody":  {good + "role = \"arn:aws:iam::111122223333:role/x\"\n", "cases.toml:24: role: a job without a tenant has none"},
		"no role":         {strings.Replace(good, "arn:aws:iam::111122223333:role/deploy-alpha", "x", 1), "cases.toml:8: role: \"x\" is not the ARN"},
		"claims":          {good + "claims = \"x\"\n", "cases.toml:24: claims: want a table of texts"},
		"claim":           {good + "claims = { ref = \"x\" }\n", "cases.toml:24: claim ref: it is said by ref"},
		"same name":       {good + strings.Replace(good[:strings.Index(good, "[[case]]\nname = \"no")], "main", "release/1", 1), `cases.toml:24: name: the case in line 1 has the name "release deploys alpha" too`},
		"contradiction":   {good + "[[case]]\nname = \"x\"\nproject = \"acme/other\"\nref = \"main\"\nref_type = \"branch\"\nexpect = \"refused\"\n", `cases.toml:24: "x" contradicts "others" in line 19: the same job, and another expectation`},
		"two problems":    {strings.Replace(strings.Replace(good, "ref =", "rev =", 1), "expect = \"none\"", "expects = 1", 1), "cases.toml:4: unknown key \"rev\"; did you mean \"ref\"?\ncases.toml:23: unknown key \"expects\"; did you mean \"expect\"?\n"},
	} {
		got, _ := testCases(t, rules, test.cases)
		if got.code != 2 || got.out != "" || !strings.Contains(got.errors, test.says) {
			t.Errorf("%s: exit code %d, want 2 with %q in\n%s%s", name, got.code, test.says, got.out, got.errors)
		}
	}
	if got, _ := testCases(t, "x", good); got.code != 1 || !strings.Contains(got.errors, "policy file:\nrolecall.toml:1:") {
		t.Errorf("a bad policy file: %+v", got)
	}
	if got, _ := testCases(t, strings.ReplaceAll(rules, `"beta"`, `"refused"`), good); got.code != 2 || !strings.Contains(got.errors, "so this can mean two things") {
		t.Errorf("a tenant named refused: %+v", got)
	}
	for _, args := range []string{"test", "test a b", "test /none --config /none/policy"} {
		if got := run("", strings.Fields(args)...); got.code != 2 && !strings.Contains(got.errors, "policy file: open /none/policy") {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// TestTestBroken: what is wrong in the policy file itself is no refusal that a case can expect.
func TestTestBroken(t *testing.T) {
	t.Parallel()
	policy := strings.Replace(rules, "[[tenant]]\nname = \"beta\"", "[[tenant.source]]\nname = \"b\"\nprovider = \"static\"\nrefs = [\"main\"]\nenv = { API_KEY = \"x\" }\n[[tenant]]\nname = \"beta\"", 1)
	got, _ := testCases(t, policy, strings.Replace(strings.Replace(good, `expect = "alpha"`, `expect = "refused"`, 1), "role = \"arn:aws:iam::111122223333:role/deploy-alpha\"", "", 1))
	if got.code != 1 || !strings.Contains(got.out, "want refused, got error: error, tenant \"alpha\": the sources \"config\" and \"b\" both set API_KEY") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
}

// TestTestReach: complete cases have no notes.
func TestTestReach(t *testing.T) {
	t.Parallel()
	more := ""
	for i, job := range []string{
		`"acme/infra/a" ref="release/1" protected=true tenant="alpha" expect="alpha"`,
		`"acme/shop" ref="main" tenant="alpha" expect="refused" rule="protected"`,
		`"acme/no" ref="main" protected=true tenant="alpha" expect="refused" rule="projects"`,
		`"acme/shop" ref="x" environment="beta" expect="beta"`,
		`"acme/no" ref="x" environment="beta" tenant="beta" expect="refused"`,
		`"acme/shop" ref="x" environment="dev" tenant="beta" expect="refused" rule="environments"`,
	} {
		more += "[[case]]\nname=\"" + string(rune('a'+i)) + "\"\nproject=" + strings.ReplaceAll(job, " ", "\n") + "\n"
	}
	if got, _ := testCases(t, rules, good+more); got.code != 0 || strings.Contains(got.out, "note:") || !strings.HasSuffix(got.out, "9 cases: 9 ok, 0 failed\n") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
}
