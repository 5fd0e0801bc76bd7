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
	"rolecall/internal/mask"
	"rolecall/internal/stage/run"
)

// second is a provider beside AWS.
type second struct{}

func (second) Name() string       { return "second" }
func (second) Settings() []string { return nil }
func (second) Hides() []string    { return []string{"XAWS_A"} }
func (second) ToolFiles() []creds.ToolFile {
	return []creds.ToolFile{{Variable: "SECOND_DIR", Value: ".second", File: ".second/file"}}
}
func (second) Guards() []string { return []string{"SECOND=off"} }

func (second) Tells(creds.Facts) (who string, notes []string) { return "second", nil }

// TestIdentity: the user's own stages get credentials, and no others do. No startup file
// has a say, except in a job that has no tenant and no policy file. With a policy file
// each stage is kept from the metadata service, unless the file allows it.
func TestIdentity(t *testing.T) {
	t.Parallel()
	parts := run.Parts{Providers: []run.Provider{aws.Scripts{}, second{}}}
	keys, guards := []string{"CLOUD_SECRET=0123456789abcdef"}, []string{"AWS_EC2_METADATA_DISABLED=true", "SECOND=off"}
	told := []string{"ROLECALL_ENV_FILE=/e", "ROLECALL_EXPIRES=2031-02-03T04:05:06Z"}
	hidden := []string{"AWS_*", "XAWS_A", "ROLECALL_*"}
	all, allowed := slices.Concat(keys, guards, told), slices.Concat(keys, told)
	for stage, user := range map[job.StageName]bool{
		"build_script": true, "after_script": true, "step_script": true, "step_release": true,
		"prepare_script": false, "get_sources": false, "restore_cache": false, "download_artifacts": false,
		"archive_cache": false, "archive_cache_on_failure": false, "upload_artifacts_on_success": false, "upload_artifacts_on_failure": false,
		"cleanup_file_variables": false, "": false, "steps": false, "build_script2": false, "Build_script": false,
	} {
		for name, test := range map[string]struct {
			issued           creds.Set
			policy, metadata bool
			unset            []string
			user, other      []string // what is set in scripts of the user, and in all others
		}{
			"tenant":                  {issued(), true, false, hidden, all, guards},
			"tenant, allowed":         {issued(), true, true, hidden, allowed, nil},
			"tenant, and no policy":   {issued(), false, false, hidden, all, nil},
			"no tenant":               {nil, true, false, hidden, guards, guards},
			"no tenant, allowed":      {nil, true, true, hidden, nil, nil},
			"no tenant and no policy": {nil, false, false, nil, nil, nil},
		} {
			envFile, want := map[bool]string{true: "/e"}[test.issued != nil], test.other
			if user {
				want = test.user
			}
			unset, set := parts.Identity(stage, test.issued, envFile, run.Rules{Policy: test.policy, Metadata: test.metadata})
			if !slices.Equal(unset, test.unset) || !slices.Equal(set, want) {
				t.Errorf("%q, %s: unset %q, set %q, want %q and %q", stage, name, unset, set, test.unset, want)
			}
		}
	}
}

// TestIdentityInOwnFolder: tools keep credentials in the job's own folder, in each stage
// that has an identity of the driver's.
func TestIdentityInOwnFolder(t *testing.T) {
	t.Parallel()
	parts := run.Parts{Providers: []run.Provider{aws.Scripts{}, second{}}}
	own := []string{"DOCKER_CONFIG=/own/.docker", "AWS_CONFIG_FILE=/own/.aws/config", "AWS_SHARED_CREDENTIALS_FILE=/own/.aws/credentials", "SECOND_DIR=/own/.second"}
	for _, test := range []struct {
		stage   job.StageName
		envFile string
		policy  bool
		want    int
	}{
		{"get_sources", "", true, 4},
		{"build_script", "", true, 4},
		{"get_sources", "/e", true, 4},
		{"build_script", "/e", true, 4},
		{"build_script", "/e", false, 4},
		{"get_sources", "/e", false, 0},
		{"build_script", "", false, 0},
	} {
		_, set := parts.Identity(test.stage, issued(), test.envFile, run.Rules{Policy: test.policy, Metadata: true, Own: "/own"})
		set = slices.DeleteFunc(set, func(entry string) bool { return !slices.Contains(own, entry) })
		if len(set) != test.want {
			t.Errorf("%+v: %q, want %d of %q", test, set, test.want, own)
		}
	}
}

// TestFolders: what a credential's tools write is in the job's own folder, in stages of the user
// only.
func TestFolders(t *testing.T) {
	t.Parallel()
	set := creds.Set{{Provider: "cloud", Folders: []creds.Folder{{Variable: "CLOUD_DIR", Path: ".config/cloud"}}}}
	for stage, want := range map[job.StageName]bool{"build_script": true, "after_script": true, "get_sources": false} {
		_, got := run.Parts{}.Identity(stage, set, "/e", run.Rules{Policy: true, Own: "/own"})
		if slices.Contains(got, "CLOUD_DIR=/own/.config/cloud") != want {
			t.Errorf("%s: %q", stage, got)
		}
	}
	if _, got := (run.Parts{}).Identity("build_script", set, "/e", run.Rules{}); slices.ContainsFunc(got, func(entry string) bool { return strings.HasPrefix(entry, "CLOUD_DIR") }) {
		t.Errorf("without a folder of its own: %q", got)
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

// TestVisibleIdentity: what says who the host is in a cloud or a store is not a script's.
func TestVisibleIdentity(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"VAULT_TOKEN", "BAO_ADDR", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "AZURE_CLIENT_ID", "ARM_USE_MSI", "KUBECONFIG", "DOCKER_CONFIG"} {
		if got := (run.Parts{}).Visible([]string{name + "=x", "PATH=/bin", name + "S=y"}); len(got) > 2 || slices.Contains(got, name+"=x") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if kept := []string{"VAULT=x", "ARMS=y", "KUBECONFIGS=z", "DOCKER_HOST=w"}; !slices.Equal((run.Parts{}).Visible(kept), kept) {
		t.Errorf("%q", (run.Parts{}).Visible(kept))
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

// TestToolOfCredential: where a credential is a file of a tool, the tool finds that one in scripts of
// the user, and its place in the job's own folder in the others.
func TestToolOfCredential(t *testing.T) {
	t.Parallel()
	set := creds.Set{{Provider: "cloud", Env: []creds.Variable{{Name: "DOCKER_CONFIG", Value: mask.NewSecret("/secret/.rolecall.x")}}}}
	for stage, want := range map[job.StageName]string{"build_script": "DOCKER_CONFIG=/secret/.rolecall.x", "get_sources": "DOCKER_CONFIG=/own/.docker"} {
		_, got := run.Parts{}.Identity(stage, set, "/e", run.Rules{Policy: true, Own: "/own"})
		got = slices.DeleteFunc(got, func(entry string) bool { return !strings.HasPrefix(entry, "DOCKER_CONFIG=") })
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", stage, got, want)
		}
	}
}
