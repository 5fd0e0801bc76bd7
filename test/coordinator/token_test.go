package coordinator_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// verify checks a token by the keys that the server publishes, and returns its claims.
func verify(t *testing.T, server *coordinator.Server, token string) map[string]any {
	t.Helper()
	var discovery struct {
		Issuer  string
		JWKSURI string `json:"jwks_uri"`
	}
	body := call(t, question{url: server.URL() + "/.well-known/openid-configuration"}).body
	kit.Must(t, json.Unmarshal(body, &discovery))
	if discovery.Issuer != server.Issuer() {
		t.Errorf("issuer is %s", discovery.Issuer)
	}
	var keys jose.JSONWebKeySet
	body = call(t, question{url: discovery.JWKSURI}).body
	kit.Must(t, json.Unmarshal(body, &keys))
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	kit.Must(t, err)
	payload, err := signed.Verify(keys) // takes the key with the token's kid
	kit.Must(t, err)
	var claims map[string]any
	kit.Must(t, json.Unmarshal(payload, &claims))
	return claims
}

func TestIDToken(t *testing.T) {
	server := start(t)
	run := server.Enqueue(runner, coordinator.Job{
		Project:     coordinator.Project{ID: 12, Path: "acme/web/shop"},
		PipelineID:  34,
		Ref:         "v1",
		RefType:     "tag",
		Protected:   true,
		Environment: "production",
		Timeout:     10 * time.Minute,
		IDTokens:    map[string]string{"TOKEN": "https://aws.example"},
	})
	if run.IDToken("TOKEN") != "" {
		t.Error("the token was signed before a runner took the job")
	}
	pick(t, server)
	claims := verify(t, server, run.IDToken("TOKEN"))
	issued, _ := claims["iat"].(float64)
	if age := time.Since(time.Unix(int64(issued), 0)); age < 0 || age > time.Minute {
		t.Errorf("issued %v ago", age)
	}
	want := map[string]any{
		"iss": server.Issuer(), "aud": "https://aws.example",
		"sub": "project_path:acme/web/shop:ref_type:tag:ref:v1",
		"nbf": issued - 5, "exp": issued + 600,
		"namespace_path": "acme/web", "project_path": "acme/web/shop", "project_id": "12",
		"job_namespace_path": "acme/web", "job_project_path": "acme/web/shop", "job_project_id": "12",
		"pipeline_id": "34", "job_id": strconv.FormatInt(run.ID(), 10),
		"ref": "v1", "ref_type": "tag", "ref_path": "refs/tags/v1", "ref_protected": "true",
		"environment": "production", "environment_protected": "false",
		"runner_id": 1.0, "runner_environment": "self-hosted",
	}
	for name, value := range want {
		if diff := cmp.Diff(value, claims[name]); diff != "" {
			t.Errorf("claim %s:\n%s", name, diff)
		}
	}
}

// TestClaimNames holds the names of all claims, of which the environment's are optional.
func TestClaimNames(t *testing.T) {
	server := start(t)
	names := func(job coordinator.Job) []string {
		return slices.Sorted(maps.Keys(server.Enqueue(runner, job).Claims("aud")))
	}
	always := []string{
		"aud", "ci_config_ref_uri", "ci_config_sha", "exp", "iat", "iss", "job_id",
		"job_namespace_id", "job_namespace_path", "job_project_id", "job_project_path",
		"jti", "namespace_id", "namespace_path", "nbf", "pipeline_id", "pipeline_source",
		"project_id", "project_path", "project_visibility", "ref", "ref_path",
		"ref_protected", "ref_type", "runner_environment", "runner_id", "sha", "sub",
		"user_access_level", "user_email", "user_id", "user_login",
	}
	if diff := cmp.Diff(always, names(coordinator.Job{})); diff != "" {
		t.Error(diff)
	}
	withEnvironment := slices.Sorted(slices.Values(append(always,
		"deployment_tier", "environment", "environment_action", "environment_protected")))
	if diff := cmp.Diff(withEnvironment, names(coordinator.Job{Environment: "production"})); diff != "" {
		t.Error(diff)
	}
}

func TestMutateClaims(t *testing.T) {
	server := start(t)
	run := server.Enqueue(runner, coordinator.Job{
		IDTokens:     map[string]string{"TOKEN": "aud"},
		MutateClaims: func(claims map[string]any) { claims["job_id"] = "1" },
	})
	pick(t, server)
	if id := verify(t, server, run.IDToken("TOKEN"))["job_id"]; id != "1" {
		t.Errorf("job_id is %v", id)
	}
}

func TestForeignKey(t *testing.T) {
	ours, theirs := start(t), start(t)
	claims := map[string]any{"sub": "x"}
	if verify(t, ours, ours.SignToken(claims))["sub"] != "x" {
		t.Error("the claims are not as given")
	}
	if ours.SignToken(claims) == theirs.SignToken(claims) {
		t.Error("two servers share a key")
	}
}
