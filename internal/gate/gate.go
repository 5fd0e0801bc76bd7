// Package gate holds the messages between the run stage and the program gate, which
// searches uploads for secrets: the order and the report.
//
// The search is a separate program because it links decoders of archives, and run must
// start fast: the runner starts it for every script of a job.
package gate

import (
	"path"
	"strings"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/mask"
)

// Program is the file name of the program gate. It lies in the same folder as run.
const Program = "gate"

// OpenTree is the program's first argument if it is not to search: it then gives its user
// back the rights to the folders of the work tree that the second argument names, and removes
// FIFOs, which git and the runner would wait at.
const OpenTree = "open-tree"

// OpenCaches is as OpenTree, for the folder of local caches.
const OpenCaches = "open-caches"

// ClearWay is the program's first argument if it makes way for the first script of a job,
// where earlier jobs have put something in the place of the folder that the second argument
// names, or of the temporary folder beside it.
const ClearWay = "clear-way"

// Left is the program's first argument if it searches what a job has left outside of its
// work tree. It then removes the files that hold one of the secrets.
const Left = "left"

// Leavings say where a job may have left files.
type Leavings struct {
	Dirs  []string // absolute paths, searched in this order
	Since time.Time
}

// Order says what the program searches, as JSON on its standard input. Only this JSON
// holds the secrets unmasked, for the pipe between the two programs; fmt prints none.
type Order struct {
	Stage   job.StageName
	Project string // the work tree of the job, an absolute path
	Uploads job.Uploads
	Request job.Request // the variables with which the runner's commands expand patterns
	Service []string    // the environment of scripts
	Secrets []mask.Named
	Issued  ledger.Ledger // what was issued to other jobs: only hashes of it
	Foreign string        // what happens to keys that rolecall has not issued: Refuse, Warn or Off

	Leavings Leavings // with Left, what is searched instead of uploads

	MaxFiles    int64 // bound of the files that are selected
	MaxBytes    int64 // bound of the bytes that are read and unpacked
	MaxDuration time.Duration
	Limits      backend.Limits // that the program sets on itself and on git
}

// What happens to keys of a provider's form in an upload that rolecall has not issued. In a
// file for which IsEnvFile is true they are always refused.
const (
	Refuse = "refuse" // as a secret of the job
	Warn   = "warn"   // the upload goes on, and the job log says so
	Off    = "off"    // nothing
)

// IsEnvFile reports whether a file has the name of a file with credentials, .aws.*.env, in
// any folder: env files are named so, by rolecall and by pipelines that pass credentials
// from job to job.
func IsEnvFile(name string) bool {
	base := path.Base(name)
	return len(base) >= len(".aws..env") && strings.HasPrefix(base, ".aws.") && strings.HasSuffix(base, ".env")
}

// Report is the program's answer, as JSON on its standard output. Names in it are masked.
type Report struct {
	Found   []Place // hold what must not be uploaded; the files are removed
	Foreign []Place // hold keys that rolecall has not issued, and may be uploaded
	More    int     // how many more places with such keys there are
	Refused []Place // could not be searched
	Noted   []Place // archives that could not be unpacked; their own bytes were searched
	Files   int64   // how many files were searched
}

// Place is a file that the runner would upload, and the result of its search.
type Place struct {
	Upload string // the upload that would contain it: "artifacts", "report dotenv", "cache KEY"
	Name   string // relative to the project
	Inside string // the path through archives, such as "b.tar.gz > c"
	Says   string // the kinds of secrets, or the reason

	Removed bool   // the file was overwritten and removed
	Stays   string // why a file that should be removed was not
}
