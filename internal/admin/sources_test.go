package admin_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
)

// sources are the sources of the tenant beta, which is made the job's.
const sources = `delivery = "endpoint"
max_requests_per_minute = 9
renew_before = "20m"
[[tenant.source]]
name = "reader"
provider = "aws"
role_arn = "arn:aws:iam::444455556666:role/reader"
region = "us-east-1"
profile = false
[[tenant.source]]
name = "far"
provider = "aws"
role_arn = "arn:aws:iam::444455556666:role/bridge"
[[tenant.source.chain]]
role_arn = "arn:aws:iam::777788889999:role/far"
external_id = "x:1"
tags = { project = "claim:project_path", team = "a b" }
transitive = ["team"]
source_identity = "claim:user_login"
`

// withSources returns a world whose job is of a tenant with sources.
func withSources(t *testing.T) *world {
	t.Helper()
	w := newWorld(t).with(map[string]any{"project_path": "acme/other", "job_project_path": "acme/other", "user_login": "jane"})
	w.sent = map[string]any{"job_info": map[string]any{"project_id": 42, "pipeline_id": 9, "project_full_path": "acme/other"}}
	w.policy += sources
	return w
}

// TestExplainSources: explain shows each credential, how it is given, and the chain with what
// the job's claims make of it.
func TestExplainSources(t *testing.T) {
	t.Parallel()
	w := withSources(t)
	const want = `allowed: tenant beta, role arn:aws:iam::444455556666:role/deploy-beta, region eu-central-1, sessions of the job's timeout
  delivery: endpoint; renewed before its end by 20m0s
source reader: role arn:aws:iam::444455556666:role/reader, region us-east-1, sessions of the job's timeout
  delivery: endpoint; renewed before its end by 20m0s
source far: role arn:aws:iam::777788889999:role/far, region eu-central-1, sessions of 1h0m0s
  delivery: endpoint, as profile far; renewed before its end by 20m0s
  chain 1: arn:aws:iam::444455556666:role/bridge
  chain 2: arn:aws:iam::777788889999:role/far, external id x:1, tag project="acme/other", tag team="a b" (transitive), source identity jane
limit: 9 credentials a minute, for the jobs of this tenant and project on a host; explain does not count
`
	got := w.explain(t, w.token())
	if !strings.HasPrefix(got.out, want) || got.code != 0 {
		t.Errorf("exit code %d, the answer differs:\n%s", got.code, cmp.Diff(want, got.out))
	}
	var answer struct {
		Role  string
		Given []struct {
			Source, Role, Delivery, Profile string
			Renew                           string `json:"renew_before"`
			Chain                           []struct {
				Role string
				Tags []aws.Tag
			}
		}
	}
	got = w.explain(t, w.token(), "--json")
	if err := json.Unmarshal([]byte(got.out), &answer); err != nil || len(answer.Given) != 3 || !strings.HasSuffix(answer.Role, "deploy-beta") {
		t.Fatalf("%v in\n%s", err, got.out)
	}
	far := answer.Given[2]
	if far.Source != "far" || far.Profile != "far" || far.Delivery != "endpoint" || far.Renew != "20m0s" || len(far.Chain) != 2 ||
		!cmp.Equal(far.Chain[1].Tags, []aws.Tag{{Key: "project", Value: "acme/other"}, {Key: "team", Value: "a b", Transitive: true}}) {
		t.Errorf("%+v", far)
	}
}

// TestExplainChainRefused: a claim that the job lacks refuses it, as prepare does.
func TestExplainChainRefused(t *testing.T) {
	t.Parallel()
	w := withSources(t)
	w.set("TENANT", "beta")
	delete(w.claims, "user_login")
	got := w.explain(t, w.token())
	for _, says := range []string{`refused [author]: tenant "beta" refuses this job: rule chain; ask the runner's admin`, "the source identity of role far is the claim user_login of the ID token, which this job's token does not have"} {
		if got.code != 1 || !strings.Contains(got.out, says) {
			t.Errorf("exit code %d, want %q in\n%s", got.code, says, got.out)
		}
	}
}

// TestTrustPolicyOfHops: the trust policy of each role is printed alone, and the first says
// how the others are printed.
func TestTrustPolicyOfHops(t *testing.T) {
	t.Parallel()
	w := withSources(t)
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	for _, test := range []struct {
		args      []string
		code      int
		out, says string
	}{
		{[]string{"--source", "far"}, 0, "sts:AssumeRoleWithWebIdentity", "# role 2 of the chain, arn:aws:iam::777788889999:role/far: rolecall trust-policy --tenant beta --source far --hop 2\n"},
		{[]string{"--source", "far", "--hop", "2"}, 0, `"sts:ExternalId": "x:1"`, "# warning: chain: arn:aws:iam::444455556666:role/bridge must be allowed sts:AssumeRole, sts:TagSession, sts:SetSourceIdentity"},
		{[]string{"--source", "far", "--hop", "2", "--terraform"}, 0, `resource "aws_iam_role" "rolecall_beta_far_2"`, ""},
		{[]string{"--source", "reader"}, 0, "sts:AssumeRoleWithWebIdentity", "# the role of source reader of tenant beta:"},
		{[]string{"--source", "none"}, 1, "", `tenant "beta" has no source "none" of AWS`},
		{[]string{"--source", "far", "--hop", "3"}, 1, "", "no role is at place 3"},
	} {
		got := run("", append([]string{"trust-policy", "--config", policy, "--tenant", "beta"}, test.args...)...)
		if got.code != test.code || !strings.Contains(got.out, test.out) || !strings.Contains(got.errors, test.says) {
			t.Errorf("%q: exit code %d\n%s%s", test.args, got.code, got.out, got.errors)
		}
		var one any
		if err := json.Unmarshal([]byte(got.out), &one); err != nil && got.code == 0 && !strings.HasPrefix(got.out, "#") {
			t.Errorf("%q: not one document: %v in\n%s", test.args, err, got.out)
		}
	}
}

// TestExplainValues: explain names the variables of a source of values, and no value.
func TestExplainValues(t *testing.T) {
	t.Parallel()
	w := withSources(t)
	const values = "[[tenant.source]]\nname = \"config\"\nprovider = \"static\"\nenv = { APP_URL = \"https://x\", APP = \"hunter2\" }\n"
	w.policy += values
	got := w.explain(t, w.token())
	if !strings.Contains(got.out, "\nsource config: static, sets APP, APP_URL\n") && !strings.Contains(got.out, "\nsource config: static, sets APP_URL, APP\n") || strings.Contains(got.out, "hunter2") {
		t.Errorf("%+v", got)
	}
	w = withSources(t)
	_, own, _ := strings.Cut(sources, "[[tenant.source]]")
	w.policy = strings.Replace(strings.Replace(w.policy, "[[tenant.source]]"+own, values, 1), "delivery = \"endpoint\"\nmax_requests_per_minute = 9\nrenew_before = \"20m\"\n", "", 1)
	w.policy = strings.Replace(w.policy, "role_arn = \"arn:aws:iam::444455556666:role/deploy-beta\"\n", "", 1)
	if got := w.explain(t, w.token()); !strings.HasPrefix(got.out, "allowed: tenant beta, no credentials of its own\nsource config: static, sets ") {
		t.Errorf("%+v", got)
	}
}

// TestExplainHelper: explain names the variables that a helper may give, and refuses as prepare does
// where the helper cannot be used. It does not start the helper.
func TestExplainHelper(t *testing.T) {
	t.Parallel()
	w := withSources(t)
	path := w.write(t, "helper", []byte("#!/bin/sh\ntouch \"$0.started\"\n"))
	w.policy += "[[tenant.source]]\nname = \"db\"\nprovider = \"exec\"\ncommand = [\"" + path + "\"]\nsets = [\"DB_USER\", \"DB_PASSWORD\"]\n"
	got := w.explain(t, w.token())
	if got.code != 1 || !strings.Contains(got.out, "refused [runner-admin]: ") || !strings.Contains(got.out, path+" is not executable") {
		t.Errorf("no program: %+v", got)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := w.explain(t, w.token()); got.code != 0 || !strings.Contains(got.out, "\nsource db: exec, sets DB_USER, DB_PASSWORD\n") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(path + ".started"); err == nil {
		t.Error("the helper was started")
	}
}

// TestExplainClouds: explain names the variables of sources of other clouds, and asks nobody.
func TestExplainClouds(t *testing.T) {
	t.Parallel()
	w := withSources(t)
	w.policy += "[[tenant.source]]\nname = \"google\"\nprovider = \"gcp\"\ntoken_url = \"http://127.0.0.1:1/token\"\n" +
		"workload_identity_provider = \"projects/1/locations/global/workloadIdentityPools/pool/providers/prov\"\n" +
		"[[tenant.source]]\nname = \"ms\"\nprovider = \"azure\"\ntenant_id = \"contoso.com\"\nclient_id = \"22222222-2222-2222-2222-222222222222\"\nauthority_host = \"http://127.0.0.1:1\"\n"
	got := w.explain(t, w.token())
	for _, want := range []string{"\nsource google: gcp, sets GOOGLE_APPLICATION_CREDENTIALS, CLOUDSDK_AUTH", "\nsource ms: azure, sets AZURE_FEDERATED_TOKEN_FILE, ARM_OIDC_TOKEN_FILE_PATH, "} {
		if got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("%q is not in %+v", want, got)
		}
	}
}

// TestExplainVault: explain shows which role of which Vault a job would log in to, what it gets and what
// only who has a token can look at. It asks nobody.
func TestExplainVault(t *testing.T) {
	t.Parallel()
	w := withSources(t)
	w.policy += "[[tenant.source]]\nname = \"db\"\nprovider = \"vault\"\naddress = \"http://127.0.0.1:1\"\nnamespace = \"team\"\nauth_path = \"ci\"\nrole = \"deploy\"\n" +
		"[[tenant.source.read]]\npath = \"database/creds/x\"\nenv = { PGUSER = \"{username}\", PGPASSWORD = \"{password}\" }\nplain = [\"PGUSER\"]\n"
	const source = "\nsource db: vault, sets PGPASSWORD, PGUSER\n  server: http://127.0.0.1:1\n  namespace: team\n  vault role: deploy of auth/ci\nlimit: "
	const note = "\nnote: source db: rolecall cannot see the role deploy: with a user_claim that jobs share, templated policies let one job read what another may; " +
		"look by: vault read auth/ci/role/deploy; user_claim should be job_id, and token_type service\n"
	got := w.explain(t, w.token())
	if got.code != 0 || !strings.Contains(got.out, source) || strings.Count(got.out, note) != 1 || strings.Count(got.out, "note: source") != 1 {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	var answer struct {
		Given []struct {
			Source string
			Facts  []struct{ Name, Value string }
		}
	}
	got = w.explain(t, w.token(), "--json")
	if err := json.Unmarshal([]byte(got.out), &answer); err != nil || len(answer.Given) != 4 || len(answer.Given[3].Facts) != 3 || answer.Given[3].Facts[2].Value != "deploy of auth/ci" {
		t.Errorf("%v in\n%s", err, got.out)
	}
	w.policy = strings.Replace(w.policy, "namespace = \"team\"\n", "", 1)
	if got := w.explain(t, w.token()); !strings.Contains(got.out, "  server: http://127.0.0.1:1\n  vault role: deploy") {
		t.Errorf("without a namespace:\n%s", got.out)
	}
}
