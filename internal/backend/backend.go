// Package backend holds the types of the seam between the stages of a job and the
// place that its scripts run in. What a stage wants of a backend it says itself, as
// an interface; which backends a program has stands in its main.go.
package backend

import (
	"encoding/json"
	"io"
	"time"

	"rolecall/internal/job"
)

// Spec is what a job needs of a place to run in. It comes from GitLab's answer and
// from what the admin has decided, never from variables of the job alone.
type Spec struct {
	Job         job.Response
	Folder      string // relative, of the tenant and trust class, such as alpha/protected
	BuildsDir   string // where the work trees of all jobs lie; empty: the runner's config.toml says it
	CacheDir    string // the same of caches
	TempProject string // the folder beside the work tree that the runner keeps for the job
	RunAs       string // unix user of the scripts; empty: the driver's own
	AsRoot      bool   // the admin lets scripts run as root where the driver is root
	Limits      Limits
}

// Limits bound the processes of a job's scripts. 0 is none.
type Limits struct {
	OpenFiles uint64 `json:"open_files"` // of each process
	Processes uint64 `json:"processes"`  // of the user, in all jobs together
	Memory    uint64 `json:"memory"`     // address space of each process, in bytes
}

// Description is what GitLab Runner is told of the place.
//
// https://docs.gitlab.com/runner/executors/custom/#config
type Description struct {
	Shell     string // such as bash
	Shared    bool   // several jobs may work in BuildsDir at once
	BuildsDir string // absolute; empty: that of the runner's config.toml
	CacheDir  string // the same of caches
}

// State is what a backend must know of a job in later stages. It is kept in the job's
// record, so no secret is in it.
type State struct {
	Backend string          // the name of the backend
	Data    json.RawMessage // the backend's own
}

// Owner is whom the files of a job must belong to, so that its scripts can read them.
type Owner struct {
	UID uint32
	GID uint32
}

// Script is a script of a stage.
type Script struct {
	Path   string   // of this host
	Stage  string   // GitLab Runner's name of the stage, such as build_script
	Env    []string // the whole environment, as NAME=value
	Stdout io.Writer
	Stderr io.Writer
	Grace  time.Duration // from the end of the context to the script's death
}

// Result is how a script ended.
type Result struct {
	Code    int   // exit code, 0 to 255
	Left    []int // processes of the script that could not be killed
	Startup error // a startup file of the shell has ended it, and not the script: which one; nil: none
}
