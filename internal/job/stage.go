package job

import "strings"

// StageName is the runner's name of the script that run is started for, such as
// "build_script" or "upload_artifacts_on_success". The runner may pass names that
// this version does not know.
//
// https://docs.gitlab.com/runner/executors/custom/#run
type StageName string

// Names of the stages that move caches or upload files.
const (
	restoreCache             StageName = "restore_cache"
	archiveCache             StageName = "archive_cache"
	archiveCacheOnFailure    StageName = "archive_cache_on_failure"
	uploadArtifactsOnSuccess StageName = "upload_artifacts_on_success"
	uploadArtifactsOnFailure StageName = "upload_artifacts_on_failure"
)

// IsUserScript reports whether the script was written by the user. The runner calls
// step_script build_script. An unknown name is not a user's script.
func (s StageName) IsUserScript() bool {
	return s == "build_script" || s == "after_script" || strings.HasPrefix(string(s), "step_")
}

// IsFirst reports whether the stage runs the first script of each job.
func (s StageName) IsFirst() bool { return s == "prepare_script" }

// GetsSources reports whether the stage clones the repository into the work tree.
func (s StageName) GetsSources() bool { return s == "get_sources" }

// UsesCaches reports whether the stage reads or writes the runner's local caches.
func (s StageName) UsesCaches() bool { return s == restoreCache || s.ArchivesCaches() }

// IsScript reports whether the script is the job's own, from script: in .gitlab-ci.yml. A
// job has one such stage.
func (s StageName) IsScript() bool { return s == "build_script" || s == "step_script" }

// MayUpload reports whether the stage may upload files. An unknown name counts as
// an upload if it begins as the names of uploads do.
func (s StageName) MayUpload() bool {
	return strings.HasPrefix(string(s), "archive_") || strings.HasPrefix(string(s), "upload_")
}

// ArchivesCaches reports whether the stage is known to upload caches.
func (s StageName) ArchivesCaches() bool { return s == archiveCache || s == archiveCacheOnFailure }

// UploadsArtifacts reports whether the stage is known to upload artifacts and reports.
func (s StageName) UploadsArtifacts() bool {
	return s == uploadArtifactsOnSuccess || s == uploadArtifactsOnFailure
}

// IsAfterFailure reports whether the stage is the upload of a job that has failed.
func (s StageName) IsAfterFailure() bool {
	return s == archiveCacheOnFailure || s == uploadArtifactsOnFailure
}
