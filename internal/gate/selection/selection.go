// Package selection finds the files of a job that GitLab Runner would take into
// artifacts, reports and caches.
//
// It does what the runner's commands cache-archiver and artifacts-uploader do,
// odd cases too, so that what is looked at is what is uploaded. The rules are of
// GitLab Runner 19.4: shells/abstract.go says which archives a stage makes,
// commands/helpers/file_archiver.go which files go into one, and
// commands/helpers/archive how they are read. Tests compare it with that runner.
package selection

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"rolecall/internal/job"
)

// Upload is one archive that the runner makes.
type Upload struct {
	What      string   // for messages: "artifacts", "report dotenv", "cache KEY"
	Format    string   // "raw", "gzip"; all others keep links as links
	Paths     []string // patterns, not expanded
	Exclude   []string // the same
	Untracked bool
}

// ForStage returns the archives that the runner makes in a stage, in its order.
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

// when reports whether an entry with that "when" is uploaded.
func when(when string, success bool) bool {
	if success {
		return when == "" || when == "on_success" || when == "always"
	}
	return when == "on_failure" || when == "always"
}

// expandOld expands what the runner itself expands, and not a command that it starts.
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

// File is a file or a link whose content the runner uploads.
type File struct {
	Path   string // relative to the project; any bytes but NUL
	What   string // the first upload that takes it
	Follow bool   // a link, or may be one, that the runner follows, out of the project too; it uploads other links as links
}

// Problem is a place that could not be looked into.
type Problem struct {
	Path   string // relative to the project; any bytes
	Err    error
	Missed bool // the runner may take more than was found; else it fails here alike and takes nothing
}

// String describes the problem in one line.
func (p Problem) String() string { return fmt.Sprintf("%q: %v", p.Path, p.Err) }

// Set is what the runner takes.
type Set struct {
	Files    []File // by path; one path is twice here if it is taken both as a link and through it
	Problems []Problem
}

// Select returns what the runner takes for uploads. A file that vanishes meanwhile
// is none; an error is that of ctx.
func (p *Project) Select(ctx context.Context, uploads []Upload, vars Variables) (Set, error) {
	var set Set
	for _, u := range uploads {
		s := &search{Project: p, ctx: ctx, vars: vars, taken: map[string]entry{}, walked: map[string]bool{}}
		s.upload(u)
		if err := ctx.Err(); err != nil {
			return Set{}, err
		}
		for _, f := range s.read(u.Format) {
			f.What = u.What
			set.Files = append(set.Files, f)
		}
		set.Problems = append(set.Problems, s.problems...)
	}
	slices.SortStableFunc(set.Files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(order(a), order(b)))
	})
	set.Files = slices.CompactFunc(set.Files, func(a, b File) bool { return a.Path == b.Path && a.Follow == b.Follow })
	return set, nil
}

// order puts a link before what it leads to.
func order(f File) int {
	if f.Follow {
		return 1
	}
	return 0
}
