package job

// Uploads is what a job response says about artifacts and caches. No variable in it
// is expanded. The format is that of common/spec.Job in GitLab Runner.
type Uploads struct {
	Artifacts []Artifact
	Caches    []Cache
	Files     []string // names of the variables of type file: a script sees the path of a file
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
// says about artifacts and caches. It is not an error if a job has none.
func ReadUploads(path string) (Uploads, error) {
	var w struct {
		Artifacts []Artifact `json:"artifacts"`
		Cache     []Cache    `json:"cache"`
		Variables []struct {
			Key  string `json:"key"`
			File bool   `json:"file"`
		} `json:"variables"`
	}
	data, err := read(path)
	if err != nil {
		return Uploads{}, err
	}
	if err := unmarshal(path, data, &w); err != nil {
		return Uploads{}, err
	}
	uploads := Uploads{Artifacts: w.Artifacts, Caches: w.Cache}
	last := map[string]bool{} // a script sees the last of several variables with the same name
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
