package job

// Uploads is what a job response says about artifacts and caches. Nothing in it
// is expanded. The rules are those of GitLab Runner's common/spec.Job.
type Uploads struct {
	Artifacts []Artifact
	Caches    []Cache
	Files     []string // names of the variables whose script value is a file's path
}

// Artifact is an archive or a report that the runner may upload.
type Artifact struct {
	Type      string   `json:"artifact_type"`   // "archive", or the kind of a report
	Format    string   `json:"artifact_format"` // "zip", "gzip", "raw"; empty is zip
	When      string   `json:"when"`            // "on_success", "on_failure", "always"; empty is on_success
	Paths     []string `json:"paths"`           // patterns, relative to the project
	Exclude   []string `json:"exclude"`
	Untracked bool     `json:"untracked"`
}

// Cache is a cache that the runner may archive.
type Cache struct {
	Key       string   `json:"key"`
	Policy    string   `json:"policy"` // "pull", "push", "pull-push"; empty is pull-push
	When      string   `json:"when"`   // as for an artifact
	Paths     []string `json:"paths"`
	Untracked bool     `json:"untracked"`
}

// ReadUploads reads what the job response at path, the value of JOB_RESPONSE_FILE,
// says about artifacts and caches. A job that has none is no error.
func ReadUploads(path string) (Uploads, error) {
	var w struct {
		Artifacts []Artifact `json:"artifacts"`
		Cache     []Cache    `json:"cache"`
		Variables []struct {
			Key  string `json:"key"`
			File bool   `json:"file"`
		} `json:"variables"`
	}
	if err := read(path, &w); err != nil {
		return Uploads{}, err
	}
	uploads := Uploads{Artifacts: w.Artifacts, Caches: w.Cache}
	last := map[string]bool{} // of duplicate variables the script has the last
	for _, v := range w.Variables {
		last[v.Key] = v.File
	}
	for _, v := range w.Variables {
		if v.File && last[v.Key] {
			uploads.Files = append(uploads.Files, v.Key)
			delete(last, v.Key)
		}
	}
	return uploads, nil
}
