package admin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/test/coordinator"
)

func TestExplainAllowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(t *testing.T, w *world)
		args []string
		says string
	}{
		"by rules":   {func(*testing.T, *world) {}, nil, "signature: not checked"},
		"pinned":     {func(*testing.T, *world) {}, []string{"--runner-tenant", "alpha"}, "allowed: tenant alpha"},
		"requested":  {func(_ *testing.T, w *world) { w.set("TENANT", "beta", "TENANT", "alpha") }, nil, "allowed: tenant alpha"},
		"with keys":  {func(t *testing.T, w *world) { t.Helper(); w.withKeys(t) }, nil, "signature: checked with the keys of "},
		"region":     {func(_ *testing.T, w *world) { w.set("AWS_REGION", "us-west-2") }, nil, "region us-west-2"},
		"an old job": {func(t *testing.T, w *world) { t.Helper(); w.withKeys(t); w.with(old()) }, nil, "as of when the token was issued"},
		"by default": {func(_ *testing.T, w *world) { w.set("AWS_DEFAULT_REGION", "") }, nil, "role arn:aws:iam::111122223333:role/deploy-alpha, region eu-central-1, sessions of 2h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.set(t, w)
			got := w.explain(t, w.token(), c.args...)
			if got.code != 0 || got.errors != "" || !strings.Contains(got.out, c.says) || !strings.HasPrefix(got.out, "allowed: tenant alpha") {
				t.Errorf("exit code %d, want %q in\n%s%s", got.code, c.says, got.out, got.errors)
			}
			if strings.Contains(got.out, "  NO\n") && len(c.args) > 0 {
				t.Errorf("a rule is against a job that is allowed:\n%s", got.out)
			}
		})
	}
}

// old are the claims of a token that is over.
func old() map[string]any {
	then := time.Now().Add(-48 * time.Hour).Unix()
	return map[string]any{"iat": then, "nbf": then, "exp": then + 3600}
}

// set appends variables of the author, by name and value.
func (w *world) set(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		w.more = append(w.more, coordinator.Variable{Key: pairs[i], Value: pairs[i+1]})
	}
}

func TestExplainRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(t *testing.T, w *world)
		args []string
		says []string
	}{
		"ref": {
			func(_ *testing.T, w *world) { w.with(map[string]any{"ref": "main/x"}); w.set("TENANT", "alpha") },
			nil,
			[]string{`refused [author]: tenant "alpha" refuses this job: rule refs`, `  this job   project "acme/deploy", ref "main/x" (branch, `, "alpha   refs "},
		},
		"pinned to another":  {func(_ *testing.T, w *world) { w.set("TENANT", "beta") }, []string{"--runner-tenant", "beta"}, []string{"rule projects"}},
		"not in the file":    {func(*testing.T, *world) {}, []string{"--runner-tenant", "gamma"}, []string{"refused [runner-admin]: --tenant "}},
		"last TENANT counts": {func(_ *testing.T, w *world) { w.set("TENANT", "alpha", "TENANT", "beta") }, nil, []string{`tenant "beta" refuses`}},
		"another job":        {func(_ *testing.T, w *world) { w.with(map[string]any{"job_id": "8"}) }, nil, []string{"refused [author]: GITLAB_OIDC_TOKEN is not an ID token of this job: its claim job_id"}},
		"two tokens":         {func(_ *testing.T, w *world) { w.set("GITLAB_OIDC_TOKEN", "another") }, nil, []string{"GITLAB_OIDC_TOKEN has two different values"}},
		"overrides":          {func(_ *testing.T, w *world) { w.set("AWS_PROFILE", "x", "AWS_ACCESS_KEY_ID", "SECRET") }, nil, []string{"override its tenant's credentials; remove them", "  variables  AWS_ACCESS_KEY_ID, AWS_PROFILE\n"}},
		"another issuer": {func(t *testing.T, w *world) {
			t.Helper()
			w.withKeys(t)
			w.with(map[string]any{"iss": "https://other"})
		}, nil, []string{"iss"}},
		"not expanded": {func(_ *testing.T, w *world) { w.set("TENANT", "$OTHER") }, nil, []string{"note: TENANT refers to another variable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.set(t, w)
			got := w.explain(t, w.token(), c.args...)
			if got.code != 1 || !strings.HasPrefix(got.out, "refused ") {
				t.Errorf("exit code %d, want 1:\n%s%s", got.code, got.out, got.errors)
			}
			for _, says := range c.says {
				if !strings.Contains(got.out, says) {
					t.Errorf("%q is not in\n%s", says, got.out)
				}
			}
		})
	}
}

// TestExplainUnserved: a job that no tenant serves runs, and the answer says why it has
// none.
func TestExplainUnserved(t *testing.T) {
	t.Parallel()
	const note = "allowed: no tenant, the job runs without credentials\nsignature: not checked: the policy file names no jwks_file, and explain asks no server\n" +
		"note: this job has no tenant and no credentials: "
	for name, c := range map[string]struct {
		set  func(w *world)
		args []string
		says []string
	}{
		"nobody takes it": {func(w *world) { w.with(map[string]any{"project_path": "x/y", "job_project_path": "x/y"}) }, nil, []string{note + "no tenant of this runner allows this job (project", "alpha ", "beta "}},
		"pinned":          {func(w *world) { w.with(map[string]any{"ref": "main/x"}) }, []string{"--runner-tenant", "alpha"}, []string{note + `tenant "alpha" refuses this job: rule refs (the ref is not`}},
		"another meaning": {func(w *world) { w.with(map[string]any{"aud": "vault"}); w.set("TENANT", "dev01") }, nil, []string{note + `this runner has no tenant "dev01"`}},
	} {
		w := newWorld(t)
		c.set(w)
		got := w.explain(t, w.token(), c.args...)
		for _, says := range c.says {
			if got.code != 0 || !strings.Contains(got.out, says) {
				t.Errorf("%s: exit code %d, want %q in\n%s", name, got.code, says, got.out)
			}
		}
	}
}

// TestExplainForged: with keys on disk, a token that another key has signed is
// refused; without, the answer says that nobody looked.
func TestExplainForged(t *testing.T) {
	t.Parallel()
	w, forger := newWorld(t), newWorld(t)
	forger.claims = w.claims
	if got := w.explain(t, forger.token()); got.code != 0 || !strings.Contains(got.out, "signature: not checked") {
		t.Errorf("exit code %d:\n%s", got.code, got.out)
	}
	w.withKeys(t)
	if got := w.explain(t, forger.token()); got.code != 1 || !strings.Contains(got.out, "has signed this token") {
		t.Errorf("exit code %d:\n%s", got.code, got.out)
	}
}

func TestExplainToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy, response, token := w.write(t, "rolecall.toml", []byte(w.policy)), w.job(t, ""), w.token()
	args := []string{"explain", "--config", policy, "--job", response, "--runner-tenant", "alpha"}
	for name, c := range map[string]struct {
		args  []string
		stdin string
		code  int
		says  string
	}{
		"none":           {nil, "", 0, "allowed: no tenant"},
		"standard input": {[]string{"--token", "-"}, token + "\n", 0, "allowed: tenant alpha"},
		"a file":         {[]string{"--token", w.write(t, "token", []byte(token))}, "", 0, "allowed: tenant alpha"},
		"no file":        {[]string{"--token", "/none"}, "", 1, "the token: open /none"},
		"garbage":        {[]string{"--token", "-"}, "garbage", 1, "not a JSON Web Token"},
		"endless":        {[]string{"--token", "-"}, strings.Repeat("x", 1<<20), 1, "at most 16384"},
	} {
		got := run(c.stdin, append(args, c.args...)...)
		if got.code != c.code || !strings.Contains(got.out+got.errors, c.says) || strings.Contains(got.out+got.errors, token) {
			t.Errorf("%s: exit code %d, want %d with %q in\n%s%s", name, got.code, c.code, c.says, got.out, got.errors)
		}
	}
}

func TestExplainJSON(t *testing.T) {
	t.Parallel()
	type rule struct {
		Tenant, Rule, Policy, Job string
		OK                        bool
	}
	var got struct {
		Allowed                                                  bool
		Side, Refusal, Tenant, Role, Region, Duration, Signature string
		Rules                                                    []rule
	}
	w := newWorld(t)
	w.with(map[string]any{"ref": "release/1"})
	result := w.explain(t, w.token(), "--json", "--runner-tenant", "alpha")
	if err := json.Unmarshal([]byte(result.out), &got); err != nil || result.code != 0 {
		t.Fatalf("exit code %d, %v:\n%s", result.code, err, result.out)
	}
	if !got.Allowed || got.Tenant != "alpha" || got.Role != "arn:aws:iam::111122223333:role/deploy-alpha" || got.Region != "eu-central-1" || got.Duration != "2h0m0s" {
		t.Errorf("%+v", got)
	}
	var refs rule
	for _, r := range got.Rules {
		if r.Rule == "refs" {
			refs = r
		}
	}
	if diff := cmp.Diff(rule{"alpha", "refs", "main, release/*", `"release/1"`, true}, refs); diff != "" {
		t.Error(diff)
	}
	w.with(map[string]any{"ref": "other"})
	w.set("TENANT", "alpha")
	result = w.explain(t, w.token(), "--json", "--runner-tenant", "alpha")
	if err := json.Unmarshal([]byte(result.out), &got); err != nil || result.code != 1 || got.Allowed || got.Side != "author" || got.Refusal == "" {
		t.Errorf("exit code %d, %v:\n%s", result.code, err, result.out)
	}
}

// TestExplainWithoutPolicy is about a host without a policy file.
func TestExplainWithoutPolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  []string
		code int
		says string
	}{
		"nothing asked": {nil, 0, "allowed: no tenant"},
		"no role":       {[]string{"TENANT", "x"}, 1, "no variable ROLE_ARN"},
		"bad role":      {[]string{"TENANT", "x", "ROLE_ARN", "y"}, 1, `tenant "x": ROLE_ARN: "y"`},
		"overrides":     {[]string{"TENANT", "x", "ROLE_ARN", "y", "AWS_PROFILE", "z"}, 1, "AWS_PROFILE"},
		"allowed":       {[]string{"TENANT", "x", "ROLE_ARN", "arn:aws:iam::111122223333:role/deploy"}, 0, "allowed: tenant x, role arn:aws:iam::111122223333:role/deploy"},
	} {
		w := newWorld(t)
		w.set(c.set...)
		got := run("", append(withoutPolicy(), "--job", w.job(t, w.token()))...)
		if got.code != c.code || !strings.Contains(got.out, c.says) {
			t.Errorf("%s: exit code %d, want %d with %q in\n%s%s", name, got.code, c.code, c.says, got.out, got.errors)
		}
	}
	w := newWorld(t)
	w.set("TENANT", "x", "ROLE_ARN", "arn:aws:iam::111122223333:role/deploy")
	if got := run("", append(withoutPolicy(), "--job", w.job(t, ""))...); got.code != 1 || !strings.Contains(got.out, "no ID token in GITLAB_OIDC_TOKEN") {
		t.Errorf("exit code %d:\n%s", got.code, got.out)
	}
}
