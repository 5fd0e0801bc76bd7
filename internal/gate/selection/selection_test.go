package selection_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/gate/selection"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

func TestForStage(t *testing.T) {
	t.Parallel()
	a := []string{"a"}
	uploads := job.Uploads{
		Artifacts: []job.Artifact{
			{Type: "archive", Format: "zip", When: "on_success", Paths: a, Exclude: a, Untracked: true},
			{Type: "junit", Format: "gzip", When: "always", Paths: a},
			{Type: "dotenv", Format: "raw", When: "on_failure", Paths: a},
			{Type: "", Paths: a},
			{Type: "archive", When: "always", Exclude: a},
			{Type: "archive", When: "never", Paths: a},
		},
		Caches: []job.Cache{
			{Key: "k", Paths: a},
			{Key: "$K/$$", Policy: "push", When: "always", Untracked: true},
			{Key: "pull", Policy: "pull", When: "always", Paths: a},
			{Key: "by variable", Policy: "$POLICY", When: "always", Paths: a},
			{Key: "", Policy: "pull-push", When: "on_failure", Paths: a},
			{Key: "nothing", When: "always"},
			{Key: "odd", Policy: "$PUSH", When: "on_success", Paths: a},
		},
	}
	request := job.Request{"K": "main", "POLICY": "pull", "PUSH": "push"}
	for stage, want := range map[job.StageName][]selection.Upload{
		"archive_cache": {
			{What: "cache k", Paths: a}, {What: "cache main/$", Untracked: true}, {What: "cache odd", Paths: a},
		},
		"archive_cache_on_failure": {{What: "cache main/$", Untracked: true}, {What: "cache", Paths: a}},
		"upload_artifacts_on_success": {
			{What: "artifacts", Format: "zip", Paths: a, Exclude: a, Untracked: true},
			{What: "report junit", Format: "gzip", Paths: a},
			{What: "artifacts", Paths: a},
		},
		"upload_artifacts_on_failure": {
			{What: "report junit", Format: "gzip", Paths: a}, {What: "report dotenv", Format: "raw", Paths: a},
		},
		"build_script": nil, "after_script": nil, "get_sources": nil, "upload_artifacts": nil, "": nil, "cleanup_file_variables": nil,
	} {
		got := selection.ForStage(stage, uploads, request)
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Errorf("%s: %s", stage, diff)
		}
		if none := selection.ForStage(stage, job.Uploads{}, nil); len(none) != 0 {
			t.Errorf("%s of a job without uploads: %v", stage, none)
		}
	}
}

// TestMerged: a file in several uploads occurs once, in order, with the first upload's
// name.
func TestMerged(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"b", "a", "link -> a", "c/d", "c.x"})
	p, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer p.Close()
	vars, err := p.Variables(nil, nil, nil)
	kit.Must(t, err)
	set, err := p.Select(t.Context(), []selection.Upload{
		{What: "artifacts", Paths: []string{"b", "link", "c"}},
		{What: "report dotenv", Format: "raw", Paths: []string{"link"}},
		{What: "report junit", Format: "gzip", Paths: []string{"b", "a", "c.x"}},
		{What: "cache", Paths: []string{"*"}},
	}, vars)
	kit.Must(t, err)
	defer set.Close()
	want := []selection.File{
		{Path: "a", What: "report junit"},
		{Path: "b", What: "artifacts"},
		{Path: "c.x", What: "report junit"},
		{Path: "c/d", What: "artifacts"},
		{Path: "link", What: "artifacts"},
		{Path: "link", What: "report dotenv", Follow: true},
	}
	if diff := cmp.Diff(want, slices.Collect(set.Files())); diff != "" || set.Count != 5 || len(set.Problems) > 0 {
		t.Errorf("%d files, problems %v, differs:\n%s", set.Count, set.Problems, diff)
	}
}

func TestOpenProjectRefuses(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"file"})
	for _, path := range []string{"", "relative", dir + "/none", dir + "/file"} {
		if p, err := selection.OpenProject(path); err == nil {
			t.Errorf("OpenProject(%q) = %v, want an error", path, p)
		}
	}
}
