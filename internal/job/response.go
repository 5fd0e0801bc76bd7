package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// maxTimeout bounds how long a job may run, in seconds: a year, GitLab allows a month.
const maxTimeout = 365 * 24 * 60 * 60

// Variable is a variable of the job as GitLab sent it, not expanded.
type Variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"` // it may be shown
	File   bool   `json:"file"`   // a script sees the path of a file
	Raw    bool   `json:"raw"`    // the value has no other variables in it
}

// Response is what GitLab sent about a job. If a variable occurs several times and
// GitLab sets it, GitLab's own value is the first. A script sees the last.
type Response struct {
	Key
	Name        string // of the job in its pipeline, such as "deploy: [alpha]"
	Project     int64
	ProjectPath string // empty on old servers
	Protected   bool   // whether the ref is protected; false on servers before 18.3
	Pipeline    int64
	Timeout     time.Duration // how long the job may run
	Variables   []Variable
	Image       Container // without a name: the job names none
	Services    []Container
	Logins      []Login
	Steps       bool // the job has run: in the place of a script, steps of GitLab
}

// wire is the part of the job response that the driver reads. The format is that of
// common/spec.Job in GitLab Runner.
type wire struct {
	JobInfo struct {
		Name        string `json:"name"`
		ProjectID   int64  `json:"project_id"`
		ProjectPath string `json:"project_full_path"`
		PipelineID  int64  `json:"pipeline_id"`
	} `json:"job_info"`
	GitInfo struct {
		Protected bool `json:"protected"`
	} `json:"git_info"`
	RunnerInfo struct {
		Timeout int64 `json:"timeout"` // seconds
	} `json:"runner_info"`
	Variables   []Variable      `json:"variables"`
	Image       wireContainer   `json:"image"`
	Services    []wireContainer `json:"services"`
	Credentials []wireLogin     `json:"credentials"`
	Run         json.RawMessage `json:"run"` // a text with JSON
}

// ReadResponse reads the job response at path, the value of JOB_RESPONSE_FILE.
// A response without a job id, project id or pipeline id is an error. No error holds
// a variable's value.
func ReadResponse(path string) (Response, error) {
	data, err := read(path)
	if err != nil {
		return Response{}, err
	}
	var w wire
	if err := unmarshal(path, data, &w); err != nil {
		return Response{}, err
	}
	key, err := decodeKey(path, bytes.NewReader(data))
	if err != nil {
		return Response{}, err
	}
	if w.JobInfo.ProjectID <= 0 || w.JobInfo.PipelineID <= 0 {
		return Response{}, fmt.Errorf("%s %q: job_info.project_id and job_info.pipeline_id must be positive numbers", responseFile, path)
	}
	return Response{
		Key:         key,
		Name:        w.JobInfo.Name,
		Project:     w.JobInfo.ProjectID,
		ProjectPath: w.JobInfo.ProjectPath,
		Protected:   w.GitInfo.Protected,
		Pipeline:    w.JobInfo.PipelineID,
		Timeout:     time.Duration(min(max(w.RunnerInfo.Timeout, 0), maxTimeout)) * time.Second,
		Variables:   w.Variables,
		Image:       w.Image.container(),
		Services:    containers(w.Services),
		Logins:      logins(w.Credentials),
		Steps:       hasSteps(w.Run),
	}, nil
}

// hasSteps reports whether run, a part of the job response, has steps.
func hasSteps(run json.RawMessage) bool {
	return !slices.Contains([]string{"", "null", `""`, `"[]"`, `"null"`, "[]"}, string(run))
}

// Values returns the values that GitLab sent under name, in order, each once.
func (r Response) Values(name string) []string {
	var values []string
	for _, v := range r.Variables {
		if v.Key == name && !slices.Contains(values, v.Value) {
			values = append(values, v.Value)
		}
	}
	return values
}
