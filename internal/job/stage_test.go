package job_test

import (
	"testing"

	"rolecall/internal/job"
)

// kinds has the answers of all methods of a StageName.
type kinds struct{ script, userScript, sources, mayUpload, caches, artifacts, afterFailure, first, usesCaches bool }

func TestStageName(t *testing.T) {
	t.Parallel()
	for stage, want := range map[job.StageName]kinds{
		"build_script":                {script: true, userScript: true},
		"after_script":                {userScript: true},
		"step_script":                 {script: true, userScript: true},
		"step_release":                {userScript: true},
		"step_upload_":                {userScript: true},
		"archive_cache":               {mayUpload: true, caches: true, usesCaches: true},
		"archive_cache_on_failure":    {mayUpload: true, caches: true, afterFailure: true, usesCaches: true},
		"upload_artifacts_on_success": {mayUpload: true, artifacts: true},
		"upload_artifacts_on_failure": {mayUpload: true, artifacts: true, afterFailure: true},
		"upload_what_comes_next":      {mayUpload: true},
		"archive_what_comes_next":     {mayUpload: true},
		"prepare_script":              {first: true},
		"get_sources":                 {sources: true},
		"restore_cache":               {usesCaches: true},
		"download_artifacts":          {},
		"cleanup_file_variables":      {},
		"build_script2":               {},
		"before_after_script":         {},
		"step":                        {},
		"upload":                      {},
		"STEP_script":                 {},
		"":                            {},
	} {
		got := kinds{stage.IsScript(), stage.IsUserScript(), stage.GetsSources(), stage.MayUpload(), stage.ArchivesCaches(), stage.UploadsArtifacts(), stage.IsAfterFailure(), stage.IsFirst(), stage.UsesCaches()}
		if got != want {
			t.Errorf("%q: %+v, want %+v", stage, got, want)
		}
	}
}
