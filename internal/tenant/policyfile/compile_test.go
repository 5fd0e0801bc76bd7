package policyfile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
)

func TestCompileExample(t *testing.T) {
	t.Parallel()
	policy := compile(t, example(t))
	settings := tenant.Settings{
		BuildsDir:      "/var/lib/rolecall/builds",
		CacheDir:       "/var/lib/rolecall/cache",
		CredentialsDir: "/run/rolecall",
		AuditLog:       "/var/log/rolecall/audit.jsonl",
		GitLab:         tenant.GitLab{Issuer: "https://gitlab.example.com"},
		Gate:           tenant.Gate{ForeignKeys: "warn", MaxFiles: 1_000_000, MaxBytes: 10 << 30, MaxDuration: 10 * time.Minute},
		Servers:        given(grant.Server{}),
	}
	if diff := cmp.Diff(settings, policy.Settings()); diff != "" {
		t.Errorf("the settings differ:\n%s", diff)
	}
	got := policy.Tenants()
	want := []tenant.Tenant{{
		Name: "alpha", IDToken: "GITLAB_OIDC_TOKEN", Audience: "https://gitlab.example.com",
		Projects: got[0].Projects, Refs: got[0].Refs, Environments: got[0].Environments,
		RefTypes: []string{"branch"}, Protected: true,
		Gifts: given(grant.Settings{
			Role:            aws.Role{Partition: "aws", Account: "111122223333", Path: "deploy-alpha"},
			AllowedAccounts: []string{"111122223333"}, Region: "eu-central-1", Duration: time.Hour, PolicyARNs: []string{},
		}),
	}}
	if diff := cmp.Diff(want, got, byText()); diff != "" {
		t.Errorf("the tenants differ:\n%s", diff)
	}
	patterns := texts(got[0].Projects) + ", " + texts(got[0].Refs) + ", " + texts(got[0].Environments)
	if want := "acme/deploy acme/infra/*, main release/*, alpha"; patterns != want {
		t.Errorf("the patterns are %s, want %s", patterns, want)
	}
}

func TestCompileSettings(t *testing.T) {
	t.Parallel()
	got := compile(t, `gitlab.issuer = "http://127.0.0.1:8080/gitlab"
gitlab.jwks_file = "/etc/keys.json"
gitlab.ca_bundle = "/etc/gitlab.pem"
metadata = "allow"
unknown_tenant = "none"
unused_services = "refuse"
builds_dir = "/b"
home_skeleton = "/s"
[gate]
incomplete = "warn"
foreign_keys = "refuse"
max_bytes = 1_000
max_files = 2_000
max_duration = "90s"
[sts]
endpoint = "https://sts.eu-west-1.amazonaws.com"
proxy = "http://user:password@proxy.example.com:3128"
ca_bundle = "/etc/sts.pem"
`+strings.SplitAfterN(minimal, "\n", 3)[2]).Settings()
	want := tenant.Settings{
		GitLab: tenant.GitLab{Issuer: "http://127.0.0.1:8080/gitlab", JWKSFile: "/etc/keys.json", CABundle: "/etc/gitlab.pem"},
		Servers: given(grant.Server{
			Endpoint: "https://sts.eu-west-1.amazonaws.com", CABundle: "/etc/sts.pem",
			Proxy: "http://user:password@proxy.example.com:3128",
		}),
		Gate:     tenant.Gate{Warn: true, ForeignKeys: "refuse", MaxFiles: 2000, MaxBytes: 1000, MaxDuration: 90 * time.Second},
		Metadata: true, BuildsDir: "/b", HomeSkeleton: "/s", UnknownNone: true, RefuseServices: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the settings differ:\n%s", diff)
	}
}

func TestCompileDefaults(t *testing.T) {
	t.Parallel()
	got := compile(t, `shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[defaults]
role_arn = "arn:aws-cn:iam::111122223333:role/path/d"
audience = "d"
projects = ["d/**"]
refs = ["d1", "d2"]
ref_types = ["branch", "tag"]
protected = true
environments = ["d"]
id_token = "D"
region = "cn-north-1"
duration = "12h"
allowed_accounts = ["111122223333"]
session_policy_file = "/etc/d.json"
policy_arns = ["arn:aws-cn:iam::aws:policy/job-function/d"]
required = true
[[tenant]]
name = "all"
[[tenant]]
name = "own"
role_arn = "arn:aws:iam::444455556666:role/own"
audience = "own"
projects = ["own/x"]
refs = ["own"]
ref_types = ["tag"]
protected = false
environments = ["own"]
id_token = "_Own1"
region = ""
duration = ""
allowed_accounts = ["444455556666"]
session_policy_file = ""
policy_arns = []
required = false
`).Tenants()
	if len(got) != 2 || got[0].Name != "all" || got[1].Name != "own" {
		t.Fatalf("the tenants are %+v, want all and own", got)
	}
	for i, want := range []string{
		`{aws-cn 111122223333 path/d} d d/** d1 d2 [branch tag] true d D cn-north-1 12h0m0s [111122223333] /etc/d.json [arn:aws-cn:iam::aws:policy/job-function/d] true`,
		`{aws 444455556666 own} own own/x own [tag] false own _Own1  0s [444455556666]  [] false`,
	} {
		g := got[i]
		of, ok := grant.Of(g.Gifts)
		if !ok || len(g.Gifts) != 1 {
			t.Errorf("tenant %d gives %+v, want AWS alone", i, g.Gifts)
		}
		text := fmt.Sprintf("{%s %s %s} %s %s %s %v %v %s %s %s %v %v %s %v %v", of.Role.Partition, of.Role.Account, of.Role.Path, g.Audience,
			texts(g.Projects), texts(g.Refs), g.RefTypes, g.Protected, texts(g.Environments), g.IDToken, of.Region, of.Duration,
			of.AllowedAccounts, of.SessionPolicyFile, of.PolicyARNs, g.Required)
		if text != want {
			t.Errorf("tenant %d:\n got %s\nwant %s", i, text, want)
		}
	}
}
