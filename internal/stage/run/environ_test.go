package run_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/gate"
	"rolecall/internal/job"
	"rolecall/internal/stage/run"
)

// second is a provider beside AWS.
type second struct{}

func (second) Hides() []string  { return []string{"XAWS_A"} }
func (second) Guards() []string { return []string{"SECOND=off"} }

// TestIdentity: the user's own stages get credentials, and no others do. No startup file
// has a say, except in a job that has no tenant and no policy file.
func TestIdentity(t *testing.T) {
	t.Parallel()
	parts := run.Parts{Providers: []run.Provider{aws.Scripts{}, second{}}}
	full := []string{"CLOUD_SECRET=0123456789abcdef", "AWS_EC2_METADATA_DISABLED=true", "SECOND=off", "ROLECALL_ENV_FILE=/e", "ROLECALL_EXPIRES=2031-02-03T04:05:06Z"}
	hidden := []string{"AWS_*", "XAWS_A", "ROLECALL_*"}
	for stage, want := range map[job.StageName][]string{
		"build_script": full, "after_script": full, "step_script": full, "step_release": full,
		"prepare_script": nil, "get_sources": nil, "restore_cache": nil, "download_artifacts": nil,
		"archive_cache": nil, "archive_cache_on_failure": nil, "upload_artifacts_on_success": nil, "upload_artifacts_on_failure": nil,
		"cleanup_file_variables": nil, "": nil, "steps": nil, "build_script2": nil, "Build_script": nil,
	} {
		for _, test := range []struct {
			issued     creds.Set
			envFile    string
			policy     bool
			unset, set []string
		}{
			{issued(), "/e", true, hidden, want},
			{issued(), "/e", false, hidden, want},
			{nil, "", true, hidden, nil},
			{nil, "", false, nil, nil},
		} {
			unset, set := parts.Identity(stage, test.issued, test.envFile, test.policy)
			if !slices.Equal(unset, test.unset) || !slices.Equal(set, test.set) {
				t.Errorf("%q with %d credentials and policy %v: unset %q, set %q, want %q and %q", stage, len(test.issued), test.policy, unset, set, test.unset, test.set)
			}
		}
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
