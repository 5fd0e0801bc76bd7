// Package backend holds the types of the seam between the stages of a job and the place
// that its scripts run in. Each stage declares, as an interface, what it needs from a
// backend. The main.go of a program names its backends.
package backend

import (
	"encoding/json"
	"io"
	"time"

	"rolecall/internal/job"
)

// Spec is what a job needs from the place that its scripts run in. It comes from GitLab
// and from the admin's decisions, never from variables of the job alone.
type Spec struct {
	Job         job.Response
	Store       string // folder of the state of all jobs of the service
	Folder      string // relative folder of the tenant and trust class, such as alpha/protected
	BuildsDir   string // folder of the work trees of all jobs; empty: the one in the runner's config.toml
	CacheDir    string // folder of the caches of all jobs; empty: the one in the runner's config.toml
	TempProject string // the folder beside the work tree that the runner keeps for the job
	RunAs       string // unix user of the scripts; empty: the driver's user
	AsRoot      bool   // the admin lets scripts run as root if the driver is root
	Limits      Limits

	Containers *Containers // nil: the job has no image, and runs on the host

	OwnHome  bool   // a driver that is root gives each Folder a HOME of its own below BuildsDir
	Skeleton string // folder that such a HOME is first a copy of; empty: it is empty first
}

// Limits bound the processes of a job's scripts. 0 means no limit.
type Limits struct {
	OpenFiles uint64 `json:"open_files"` // of each process
	Processes uint64 `json:"processes"`  // of the user, in all jobs together
	Memory    uint64 `json:"memory"`     // address space of each process, in bytes
}

// Description is what the config stage tells GitLab Runner about the place.
//
// https://docs.gitlab.com/runner/executors/custom/#config
type Description struct {
	Shell     string // such as bash
	Shared    bool   // several jobs may work in BuildsDir at once
	BuildsDir string // absolute; empty: the one in the runner's config.toml
	CacheDir  string // absolute; empty: the one in the runner's config.toml
}

// State is what a backend must know about a job in later stages. The job's record keeps
// it, so it must contain no secret.
type State struct {
	Backend string          // the name of the backend
	Data    json.RawMessage // in a form that only the backend knows
	OwnDirs string          // the folder for the own folders of jobs; empty: an own folder is beside the job's credentials
	Caches  string          // the folder of the local caches, on this host; empty: unknown
}

// Owner is the unix user and group that a job's files must belong to, so that its
// scripts can read them.
type Owner struct {
	UID uint32
	GID uint32
}

// ToolFile is a file of a tool of which a job has a copy of its own.
type ToolFile struct {
	Path string // below HOME, and below the job's own folder, such as .aws/config
	End  string // text that the copy ends with, even if there is no file
}

// Script is a script of a stage.
type Script struct {
	Path   string   // on this host
	Stage  string   // GitLab Runner's name of the stage, such as build_script
	Env    []string // the whole environment, as NAME=value
	Unset  []string // variables that startup files of a shell may not set; A_* is all that begin with A_
	Set    []string // entries of Env that startup files of a shell may not change
	Files  []string // of the job's credentials, on this host; scripts see them at the same paths
	Stdout io.Writer
	Stderr io.Writer
	Grace  time.Duration // time from the end of the context until the script is killed

	// Ended reports whether another process has ended the job. Such a script is not
	// started, or is killed without a grace.
	Ended func() bool

	// Done is called when the script has ended, before what it has left is killed; may be nil.
	Done func()
}

// Users are a range of uids of this host.
type Users struct {
	First uint32
	Count uint32
}

// Has reports whether a uid is in the range.
func (u Users) Has(uid uint32) bool { return uid >= u.First && uid-u.First < u.Count }

// Result is how a script ended.
type Result struct {
	Code    int   // exit code, 0 to 255
	Left    []int // processes of the script that could not be killed
	Startup error // says which startup file of the shell ended it; nil: the script ended by itself
}
