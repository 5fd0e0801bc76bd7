// Package selection finds the files of a job that GitLab Runner would upload as
// artifacts, reports and caches.
//
// It follows the runner's commands cache-archiver and artifacts-uploader, in odd cases
// too, so that exactly the uploaded files are searched. The rules are from the source of
// GitLab Runner 19.4, https://gitlab.com/gitlab-org/gitlab-runner:
// shells/abstract.go says which archives a stage makes,
// commands/helpers/file_archiver.go which files an archive has, and
// commands/helpers/archive how the files are read. Tests compare it with this runner.
package selection

import (
	"fmt"
	"os"
	"slices"

	"rolecall/internal/job"
)

// Upload is one archive that the runner makes.
type Upload struct {
	What      string   // name for messages: "artifacts", "report dotenv", "cache KEY"
	Format    string   // "raw" or "gzip"; any other format stores symbolic links as links
	Paths     []string // patterns, not expanded
	Exclude   []string // patterns, not expanded
	Untracked bool
}

// ForStage returns the archives that the runner makes in a stage, in the runner's order.
func ForStage(stage job.StageName, uploads job.Uploads, request job.Request) []Upload {
	var all []Upload
	success := !stage.IsAfterFailure()
	if stage.ArchivesCaches() {
		for _, c := range uploads.Caches {
			if when(c.When, success) && expandOld(c.Policy, request) != "pull" {
				all = append(all, Upload{What: cacheName(expandOld(c.Key, request)), Paths: c.Paths, Untracked: c.Untracked})
			}
		}
	}
	if stage.UploadsArtifacts() {
		for _, a := range uploads.Artifacts {
			if when(a.When, success) {
				all = append(all, Upload{artifactName(a.Type), a.Format, a.Paths, a.Exclude, a.Untracked})
			}
		}
	}
	return slices.DeleteFunc(all, func(u Upload) bool { return len(u.Paths) == 0 && !u.Untracked })
}

// when reports whether an entry with this "when" is uploaded after a job's success or failure.
func when(when string, success bool) bool {
	if success {
		return when == "" || when == "on_success" || when == "always"
	}
	return when == "on_failure" || when == "always"
}

// expandOld expands variables as the runner itself does. Its commands use other rules.
func expandOld(value string, request job.Request) string {
	return os.Expand(value, func(name string) string {
		if name == "$" {
			return name
		}
		return request[name]
	})
}

func cacheName(key string) string {
	if key == "" {
		return "cache"
	}
	return "cache " + key
}

func artifactName(kind string) string {
	if kind == "" || kind == "archive" {
		return "artifacts"
	}
	return "report " + kind
}

// File is a file whose content, or a symbolic link whose text or target, the runner uploads.
type File struct {
	Path   string // relative to the project; any bytes but NUL
	What   string // the first upload that contains it
	Follow bool   // if it is a symbolic link, the runner uploads its target, also outside of the project
}

// Problem is a place that could not be examined.
type Problem struct {
	Path   string // relative to the project; any bytes
	Err    error
	Missed bool // the runner may upload more than was found; false: the runner fails here, too, and uploads nothing of it
}

// String describes the problem in one line.
func (p Problem) String() string { return fmt.Sprintf("%q: %v", p.Path, p.Err) }
