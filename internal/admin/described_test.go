package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// describe calls rolecall explain for a job that flags describe, with the world's policy.
func (w *world) describe(t *testing.T, flags string) result {
	t.Helper()
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	return run("", append([]string{"explain", "--config", policy}, strings.Fields(flags)...)...)
}

// unsaid is how explain says that it has verified nothing.
const unsaid = "signature: no token was verified: flags describe the job, and the claims are those that GitLab would sign for it\n"

func TestDescribed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for flags, want := range map[string]struct {
		code int
		says []string
	}{
		"--project acme/deploy --ref main":                                            {0, []string{"allowed: tenant alpha, role arn:aws:iam::111122223333:role/deploy-alpha", unsaid, `sub: "project_path:acme/deploy:ref_type:branch:ref:main"`}},
		"--project acme/deploy --ref main --tenant alpha":                             {0, []string{"allowed: tenant alpha"}},
		"--project acme/deploy --ref dev --tenant alpha":                              {1, []string{"refused [author]: tenant \"alpha\" refuses this job: rule refs", unsaid}},
		"--project acme/deploy --ref dev":                                             {0, []string{"allowed: no tenant", "no tenant of this runner allows this job"}},
		"--project acme/deploy --ref main --ref-type tag --tenant alpha":              {1, []string{"rule ref_types", `ref_type:tag:ref:main`}},
		"--project acme/deploy --ref main --runner-tenant alpha --tenant beta":        {1, []string{`this runner serves tenant "alpha" only`}},
		"--project acme/deploy --ref main --runner-tenant gamma":                      {1, []string{`--tenant "gamma" is not in the policy file`}},
		"--project acme/deploy --ref main --no-id-token":                              {0, []string{"allowed: no tenant", unsaid}},
		"--project acme/deploy --ref main --aud vault --tenant alpha":                 {1, []string{"rule audience"}},
		"--project acme/deploy --ref main --fork x/deploy --tenant alpha":             {1, []string{"rule projects", "sub: \"project_path:x/deploy:"}},
		"--project acme/deploy --ref main --tenant=":                                  {0, []string{"the job's variable TENANT is empty"}},
		"--project acme/deploy --ref main --claim sub=repo:x":                         {0, []string{`sub: "repo:x"`, "--claim sets one"}},
		"--project acme/deploy --ref main --claim job_id=77 --claim job_project_id=5": {0, []string{"allowed: tenant alpha"}},

		"--project acme/deploy":                                                {2, []string{"--ref: it is missing"}},
		"--ref main":                                                           {2, []string{"--project: it is missing"}},
		"--project deploy --ref main":                                          {2, []string{`--project: "deploy": want the path of one project`}},
		"--project acme/* --ref main":                                          {2, []string{`--project: "acme/*"`}},
		"--project acme/deploy --ref release/*":                                {2, []string{"--ref: \"release/*\": want the name of one ref"}},
		"--project acme/deploy --ref refs/heads/main":                          {2, []string{"want the name alone"}},
		"--project acme/deploy --ref main --ref-type merge_request":            {2, []string{"--ref-type: \"merge_request\": want branch or tag"}},
		"--project acme/deploy --ref main --fork acme/deploy":                  {2, []string{"--fork: it is the project itself"}},
		"--project acme/deploy --ref main --no-id-token --aud x":               {2, []string{"--aud: a job without an ID token has no audience"}},
		"--project acme/deploy --ref main --claim ref=dev":                     {2, []string{"--claim ref: it is said by ref"}},
		"--project acme/deploy --ref main --claim ref_protected=true":          {2, []string{"it is said by protected"}},
		"--project acme/deploy --ref main --claim nose=x":                      {2, []string{"no decision rests on it; known are sub, deployment_tier"}},
		"--project acme/deploy --ref main --claim x":                           {2, []string{"want NAME=VALUE"}},
		"--project acme/deploy --ref main --claim user_id=1 --claim user_id=2": {2, []string{"each name once"}},
		"--project acme/deploy --ref main --claim user_id=ada":                 {2, []string{"want a number above 0"}},
		"--project acme/deploy --ref main --claim deployment_tier=x":           {2, []string{"only a job with an environment has it"}},
		"--project acme/deploy --ref main --job x":                             {2, []string{"--job and --project contradict each other: one belongs to --job, the other to --project"}},
		"--job x --environment y":                                              {2, []string{"--job and --environment contradict each other"}},
		"--job x --tenant y":                                                   {2, []string{"--job and --tenant contradict each other"}},
		"--token x --ref main":                                                 {2, []string{"--token and --ref contradict each other: one belongs to --job, the other to --project"}},
	} {
		got := w.describe(t, flags)
		if got.code != want.code {
			t.Errorf("%s: exit code %d, want %d:\n%s%s", flags, got.code, want.code, got.out, got.errors)
		}
		for _, says := range want.says {
			if !strings.Contains(got.out+got.errors, says) {
				t.Errorf("%s: %q is not in\n%s%s", flags, says, got.out, got.errors)
			}
		}
	}
	if got := run("", "explain", "--no-policy", "--project", "a/b", "--ref", "main"); got.code != 2 || !strings.Contains(got.errors, "--project and --no-policy contradict each other") {
		t.Errorf("%+v", got)
	}
}

// TestDescribedRules: environment, protection and image count, and so do claims that become tags.
func TestDescribedRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = strings.Replace(w.policy, "duration = \"2h\"\n", "environments = [\"prod\"]\nprotected = true\n"+
		"[[tenant.chain]]\nrole_arn = \"arn:aws:iam::111122223333:role/far\"\ntags = { who = \"claim:user_login\", tier = \"claim:deployment_tier\" }\n", 1)
	const base = "--project acme/deploy --ref main --tenant alpha "
	for flags, says := range map[string]string{
		"":                               "rule protected",
		"--protected":                    "rule environments",
		"--protected --environment dev":  "rule environments",
		"--protected --environment prod": `tag tier="other", source`,
		"--protected --environment prod --user-login ada --claim deployment_tier=production": `tag tier="production"`,
	} {
		got := w.describe(t, base+flags)
		if says = strings.TrimSuffix(says, ", source"); !strings.Contains(got.out, says) {
			t.Errorf("%q: %q is not in\n%s%s", flags, says, got.out, got.errors)
		}
		if strings.Contains(flags, "ada") && (!strings.Contains(got.out, `who="ada"`) || strings.Contains(got.out, "user_login;")) {
			t.Errorf("%q: the login is not in\n%s", flags, got.out)
		}
	}
}

// TestDescribedUnsigned: keys on disk judge no token of a description, and a project that a tenant
// requires is known without a token.
func TestDescribedUnsigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withKeys(t)
	w.policy = strings.Replace(w.policy, `name = "beta"`, "name = \"beta\"\nrequired = true", 1)
	if got := w.describe(t, "--project acme/deploy --ref main"); got.code != 0 || !strings.Contains(got.out, unsaid) {
		t.Errorf("exit code %d:\n%s", got.code, got.out)
	}
	if got := w.describe(t, "--project acme/other --ref main --no-id-token"); got.code != 1 || !strings.Contains(got.out, `tenant "beta": the job has no ID token`) {
		t.Errorf("exit code %d:\n%s", got.code, got.out)
	}
}

// TestDescribedAudience: with two audiences in one variable, somebody must say which token the job has.
func TestDescribedAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = strings.Replace(w.policy, `name = "beta"`, "name = \"beta\"\naudience = \"https://other\"", 1)
	w.policy += "[[tenant.source]]\nname = \"x\"\nprovider = \"aws\"\nrole_arn = \"arn:aws:iam::444455556666:role/x\"\nid_token = \"X_TOKEN\"\naudience = \"https://x\"\n"
	for flags, says := range map[string]string{
		"--project acme/deploy --ref main":                                  "--aud: it is missing: the tenants want https://gitlab.example.com or https://other of GITLAB_OIDC_TOKEN",
		"--project acme/deploy --ref main --tenant alpha":                   "allowed: tenant alpha",
		"--project acme/other --ref main --runner-tenant beta":              "source x: role arn:aws:iam::444455556666:role/x",
		"--project acme/other --ref main --aud https://other":               "allowed: tenant beta",
		"--project acme/deploy --ref main --aud https://gitlab.example.com": "allowed: tenant alpha",
	} {
		if got := w.describe(t, flags); !strings.Contains(got.out+got.errors, says) {
			t.Errorf("%s: %q is not in\n%s%s", flags, says, got.out, got.errors)
		}
	}
}

// TestDescribedAgrees: a job that flags describe gets what a job of a GitLab gets whose token says
// the same.
func TestDescribedAgrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, project := range []string{"acme/deploy", "acme/other", "acme/none"} {
		for _, ref := range []string{"main", "release/1", "release/1/2"} {
			for _, kind := range []string{"branch", "tag"} {
				for _, tenant := range []string{"", "alpha", "beta"} {
					w.with(map[string]any{"project_path": project, "job_project_path": project, "ref": ref, "ref_type": kind, "sub": "project_path:" + project + ":ref_type:" + kind + ":ref:" + ref})
					w.sent = map[string]any{"job_info": map[string]any{"project_id": 42, "pipeline_id": 9, "project_full_path": project}}
					w.more = nil
					flags := fmt.Sprintf("--json --protected --project %s --ref %s --ref-type %s", project, ref, kind)
					if tenant != "" {
						w.set("TENANT", tenant)
						flags += " --tenant " + tenant
					}
					real, described := w.explain(t, w.token(), "--json"), w.describe(t, flags)
					if diff := cmp.Diff(decided(t, real.out), decided(t, described.out)); diff != "" || real.code != described.code {
						t.Errorf("%s: exit code %d (- of GitLab, + described):\n%s", flags, described.code, diff)
					}
				}
			}
		}
	}
}

// decided returns what explain has printed as JSON, but for how the claims are known.
func decided(t *testing.T, text string) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, name := range []string{"signature", "sub", "notes"} {
		delete(e, name)
	}
	return e
}
