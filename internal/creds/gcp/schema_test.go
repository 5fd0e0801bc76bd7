package gcp_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/gcp"
)

// TestRefused: what is wrong in a source is told with its line.
func TestRefused(t *testing.T) {
	t.Parallel()
	const of = `tenant "alpha": source "google": `
	for name, test := range map[string]struct{ keys, want string }{
		"nothing":             {"", "/p:7: " + of + "workload_identity_provider is missing; set it to projects/NUMBER/"},
		"a project's id":      {strings.Replace(pool, "123456", "my-project", 1), "/p:10: " + of + "workload_identity_provider: \"projects/my-project/"},
		"an audience":         {strings.Replace(pool, "projects", "//iam.googleapis.com/projects", 1), "/p:10: " + of + "workload_identity_provider: "},
		"a pool alone":        {strings.Replace(pool, "/providers/gitlab-com", "", 1), "workload_identity_provider: \"projects/"},
		"a short name":        {strings.Replace(pool, "gitlab-com", "abc", 1), "workload_identity_provider: \"projects/"},
		"another place":       {strings.Replace(pool, "global", "eu", 1), "workload_identity_provider: \"projects/"},
		"no account":          {pool + "service_account = \"deploy\"\n", "/p:11: " + of + "service_account: \"deploy\": want the address of a service account"},
		"an account's path":   {pool + "service_account = \"a/b@p.iam.gserviceaccount.com\"\n", "service_account: "},
		"too short":           {pool + "service_account = \"a@p.iam\"\nlifetime = \"5m\"\n", `/p:12: ` + of + `lifetime: "5m": want a duration from "10m" to "12h"`},
		"too long":            {pool + "service_account = \"a@p.iam\"\nlifetime = \"13h\"\n", `lifetime: "13h": want`},
		"a lifetime alone":    {pool + "lifetime = \"1h\"\n", "/p:11: " + of + "lifetime: without service_account it has no effect"},
		"a server alone":      {pool + "iam_url = \"https://x.example.com\"\n", "iam_url: without service_account it has no effect"},
		"a project's name":    {pool + "project = \"My Project\"\n", `project: "My Project": want the id of a project`},
		"a universe":          {pool + "universe_domain = \"x/y.com\"\n", "universe_domain: "},
		"plain http":          {pool + "token_url = \"http://sts.example.com/v1/token\"\n", "token_url: want an https:// URL; http:// is for this host only"},
		"another path":        {pool + "token_url = \"https://sts.example.com/v1\"\n", "token_url: want a URL that ends with /token"},
		"plain http of IAM":   {pool + "service_account = \"a@p.iam\"\niam_url = \"http://x.example.com\"\n", "iam_url: want an https:// URL"},
		"a bundle for none":   {pool + "ca_bundle = \"/ca.pem\"\nprobe = false\n", "/p:11: " + of + "ca_bundle: it is for the probe only"},
		"a relative bundle":   {pool + "ca_bundle = \"ca.pem\"\n", "ca_bundle: \"ca.pem\": want an absolute path"},
		"another's key":       {pool + "role_arn = \"x\"\n", "/p:11: unknown key \"role_arn\" in [[tenant.source]]"},
		"a token alone":       {pool + "id_token = \"X\"\n", of + "id_token and audience go together"},
		"twice one variable":  {pool + strings.Replace(base[strings.Index(base, "[[tenant.source]]"):], "google", "two", 1) + pool, `source "two": it sets GOOGLE_APPLICATION_CREDENTIALS, and so does source "google"`},
		"a list of the other": {pool + "[[tenant.source.chain]]\nrole_arn = \"x\"\n", "a source of the provider gcp has no such table"},
	} {
		if _, err := compile(test.keys); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestScripts: scripts have nothing of the host's identity in Google Cloud, and are kept from the
// service account of the host.
func TestScripts(t *testing.T) {
	t.Parallel()
	s := gcp.Scripts{}
	if !slices.Contains(s.Hides(), "GOOGLE_APPLICATION_CREDENTIALS") || slices.Contains(s.Hides(), "GOOGLE_*") {
		t.Errorf("hides %v", s.Hides())
	}
	if got := strings.Join(s.Guards(), " "); got != "CLOUDSDK_CORE_CHECK_GCE_METADATA=false NO_GCE_CHECK=true METADATA_SERVER_DETECTION=none" {
		t.Errorf("guards %s", got)
	}
	if s.Name() != "gcp" || s.Settings() != nil || s.ToolFiles() != nil {
		t.Errorf("%+v", s)
	}
}

// TestWins: a job's variables that say who it is elsewhere would win, and its region and its project
// would not, unless the source has a project.
func TestWins(t *testing.T) {
	t.Parallel()
	wins := func(keys, name string) bool {
		o, _ := give(t, keys, time.Hour)
		return slices.ContainsFunc(o.Wins, func(pattern string) bool { return creds.Covers(pattern, name) })
	}
	for _, name := range []string{
		"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", "GOOGLE_BACKEND_CREDENTIALS",
		"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT", "CLOUDSDK_CORE_ACCOUNT", "CLOUDSDK_ACTIVE_CONFIG_NAME",
		"GCLOUD_KEYFILE_JSON", "GOOGLE_CLOUD_KEYFILE_JSON", "GCE_METADATA_HOST", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
	} {
		if !wins(pool, name) {
			t.Errorf("%s does not win", name)
		}
	}
	for _, name := range []string{"GOOGLE_REGION", "GOOGLE_API_KEY", "CLOUDSDK_COMPUTE_REGION", "GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT"} {
		if wins(pool, name) {
			t.Errorf("%s wins", name)
		}
	}
	if !wins(pool+"project = \"p\"\n", "GOOGLE_PROJECT") {
		t.Error("Terraform's project does not win over the source's")
	}
}
