package run_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/creds/aws"
	"rolecall/internal/gate"
	"rolecall/internal/job"
	"rolecall/internal/stage/run"
)

// second is a provider beside AWS.
type second struct{}

func (second) Hides(variable string) bool { return variable == "XAWS_A" }
func (second) Guards() []string           { return []string{"SECOND=off"} }

// TestEnviron: the user's own stages get credentials, and no others do.
func TestEnviron(t *testing.T) {
	t.Parallel()
	parts := run.Parts{Providers: []run.Provider{aws.Scripts{}, second{}}}
	clean := []string{"PATH=/bin", "HOME=/root"}
	full := append(slices.Clone(clean), "CLOUD_SECRET=0123456789abcdef", "AWS_EC2_METADATA_DISABLED=true", "SECOND=off", "ROLECALL_EXPIRES=2031-02-03T04:05:06Z", "ROLECALL_ENV_FILE=/e")
	for stage, want := range map[job.StageName][]string{
		"build_script": full, "after_script": full, "step_script": full, "step_release": full,
		"prepare_script": clean, "get_sources": clean, "restore_cache": clean, "download_artifacts": clean,
		"archive_cache": clean, "archive_cache_on_failure": clean, "upload_artifacts_on_success": clean, "upload_artifacts_on_failure": clean,
		"cleanup_file_variables": clean, "": clean, "steps": clean, "build_script2": clean, "Build_script": clean,
	} {
		if got := parts.Environ(stage, clean, issued(), "/e"); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", stage, got, want)
		}
		if got := parts.Environ(stage, clean, nil, ""); !slices.Equal(got, clean) {
			t.Errorf("%q of a job without credentials: %q, want %q", stage, got, clean)
		}
	}
	if len(clean) != 2 || clean[1] != "HOME=/root" {
		t.Errorf("the clean environment has changed: %q", clean)
	}
}

// TestVisible: scripts see of the service's environment what no provider hides.
func TestVisible(t *testing.T) {
	t.Parallel()
	service := []string{"PATH=/bin", "AWS_PROFILE=x", "AWS=y", "XAWS_A=z", "AWS_CA_BUNDLE=/c", "EMPTY="}
	for _, test := range []struct {
		providers []run.Provider
		want      []string
	}{
		{nil, service},
		{[]run.Provider{aws.Scripts{}}, []string{"PATH=/bin", "AWS=y", "XAWS_A=z", "EMPTY="}},
		{[]run.Provider{aws.Scripts{}, second{}}, []string{"PATH=/bin", "AWS=y", "EMPTY="}},
	} {
		if got := (run.Parts{Providers: test.providers}).Visible(service); !slices.Equal(got, test.want) || service[1] != "AWS_PROFILE=x" {
			t.Errorf("with %d providers: %q of %q, want %q", len(test.providers), got, service, test.want)
		}
	}
}

// TestList: places are named so that no name can look like another line, and not too
// many.
func TestList(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]gate.Place{{Name: "a", Says: "secret"}}, 23)
	for _, test := range []struct {
		places []gate.Place
		want   string
	}{
		{nil, ""},
		{[]gate.Place{{Name: "a\nb", Says: "session token"}}, "\n  \"a\\nb\": session token"},
		{[]gate.Place{{Upload: "cache k", Name: "x.zip", Inside: "y.gz > z", Says: "s"}}, "\n  cache k: \"x.zip\" > \"y.gz > z\": s"},
		{many, strings.Repeat("\n  \"a\": secret", 20) + "\n  and 3 more"},
	} {
		if got := run.List(test.places); got != test.want {
			t.Errorf("%s\nis %q, want %q", fmt.Sprint(test.places), got, test.want)
		}
	}
}
