package coordinator

import (
	"cmp"
	"time"
)

// Job is a job as its author and GitLab's settings define it. The zero value is a job
// without a script, in project group/project, on the unprotected branch main.
type Job struct {
	Name    string // default "test"
	Stage   string // default "test"
	Project Project

	PipelineID int64  // default: the job's id plus 100000
	Ref        string // default "main"
	RefType    string // "branch", the default, or "tag"
	Protected  bool
	SHA        string // default: that of the project's repository
	// RepoURL is the address that the runner clones from. By default it is the
	// repository that Host has given to the project. A project without a repository
	// gets GIT_STRATEGY none.
	RepoURL string

	Script      []string
	Steps       []Step // run after Script, as GitLab's "release" is
	AfterScript []string
	Hooks       map[string][]string // scripts by name, such as "pre_get_sources_script"
	// Variables are those of .gitlab-ci.yml, the project, its groups and the pipeline,
	// lowest precedence first.
	Variables   []Variable
	IDTokens    map[string]string // audiences by the name of the token's variable
	Environment string
	Timeout     time.Duration // default one hour
	Artifacts   []Artifact
	Cache       []Cache
	// Needs are the finished jobs whose archives and dotenv reports this job gets.
	Needs []*Run

	// Mutate changes the JSON of the job, as encoding/json decodes it, before it is
	// sent.
	Mutate func(job map[string]any)
	// MutateClaims changes the claims of each ID token before it is signed.
	MutateClaims func(claims map[string]any)
	// SignedBy is the server whose key signs the ID tokens; nil: the job's own.
	SignedBy *Server
}

// Project identifies a project.
type Project struct {
	ID   int64  // default 42
	Path string // default "group/project"
}

// Variable is a CI/CD variable as the runner receives it.
type Variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	File   bool   `json:"file"`
	Masked bool   `json:"masked"`
	Raw    bool   `json:"raw"`
}

// Step is a part of a job that runs as a separate stage.
type Step struct {
	Name   string
	Script []string
}

// Artifact is an entry of a job's artifacts: its archive, or a report.
type Artifact struct {
	Name      string
	Paths     []string
	Exclude   []string
	Untracked bool
	When      string // default "on_success", for reports "always"
	Type      string // "archive", the default, or a report such as "dotenv"
	Format    string // default "zip", for reports "gzip"
}

// Cache is an entry of a job's cache.
type Cache struct {
	Key       string // default "default"
	Paths     []string
	Untracked bool
	Policy    string // default "pull-push"
	When      string // default "on_success"
}

// projectPath returns the path of the job's project, or the default.
func (j Job) projectPath() string {
	return cmp.Or(j.Project.Path, "group/project")
}

// withDefaults returns the job with its defaults filled in.
func (j Job) withDefaults(id int64, serverURL string, repo *Repo) Job {
	j.Name = cmp.Or(j.Name, "test")
	j.Stage = cmp.Or(j.Stage, "test")
	j.Project.ID = cmp.Or(j.Project.ID, 42)
	j.Project.Path = j.projectPath()
	j.PipelineID = cmp.Or(j.PipelineID, id+100000)
	j.Ref = cmp.Or(j.Ref, "main")
	j.RefType = cmp.Or(j.RefType, "branch")
	j.Timeout = cmp.Or(j.Timeout, time.Hour)
	if repo != nil {
		j.SHA = cmp.Or(j.SHA, repo.SHA)
	} else if j.RepoURL == "" {
		j.Variables = append([]Variable{{Key: "GIT_STRATEGY", Value: "none"}}, j.Variables...)
	}
	j.SHA = cmp.Or(j.SHA, "0123456789abcdef0123456789abcdef01234567")
	j.RepoURL = cmp.Or(j.RepoURL, serverURL+"/"+j.Project.Path+".git")
	return j
}

// withDefaults returns the artifact with its defaults filled in.
func (a Artifact) withDefaults() Artifact {
	a.Type = cmp.Or(a.Type, "archive")
	if a.Type == "archive" {
		a.When = cmp.Or(a.When, "on_success")
		a.Format = cmp.Or(a.Format, "zip")
	}
	a.When = cmp.Or(a.When, "always")
	a.Format = cmp.Or(a.Format, "gzip")
	return a
}

// withDefaults returns the cache with its defaults filled in.
func (c Cache) withDefaults() Cache {
	c.Key = cmp.Or(c.Key, "default")
	c.Policy = cmp.Or(c.Policy, "pull-push")
	c.When = cmp.Or(c.When, "on_success")
	return c
}
