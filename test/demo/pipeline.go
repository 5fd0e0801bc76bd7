package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// pipeline is what gitlab-ci.yml says. It is read from that file, so that what is shown is what
// runs.
type pipeline struct {
	Stages  []string
	Default struct{ Image image }
	Jobs    map[string]definition `yaml:",inline"` // one that begins with a dot is a template
}

// image is an image in the registry of the demo.
type image struct {
	Name       string
	Entrypoint []string
}

// path returns the name of the image in the registry; empty: scripts run on the host.
func (i image) path() string {
	_, path, _ := strings.Cut(i.Name, "/")
	return path
}

// definition has as many of GitLab's keywords as gitlab-ci.yml has.
type definition struct {
	Extends     string
	Stage       string
	Environment string
	Parallel    struct{ Matrix []map[string]string }
	IDTokens    map[string]struct{ Aud string } `yaml:"id_tokens"`
	Variables   map[string]string
	Script      []string
	Artifacts   struct{ Untracked bool }
}

// parse reads a .gitlab-ci.yml, and refuses keywords that the demo does not know.
func parse(text string) (pipeline, error) {
	var p pipeline
	decoder := yaml.NewDecoder(bytes.NewBufferString(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&p); err != nil {
		return p, fmt.Errorf("gitlab-ci.yml: %w", err)
	}
	return p, nil
}

// image returns the image of the jobs; empty: scripts run on the host.
func (p pipeline) image() string { return p.Default.Image.path() }

// definition returns a job with what it has of its template.
func (p pipeline) definition(name string) definition {
	job, template := p.Jobs[name], p.Jobs[p.Jobs[name].Extends]
	job.Environment, job.Parallel, job.IDTokens, job.Artifacts = template.Environment, template.Parallel, template.IDTokens, template.Artifacts
	return job
}

// of returns the names of the jobs of a stage, sorted.
func (p pipeline) of(stage string) []string {
	var names []string
	for name, job := range p.Jobs {
		if job.Stage == stage {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// tenants returns the tenants of the jobs with the audiences of their ID tokens.
func (p pipeline) tenants() map[string]string {
	all := make(map[string]string)
	for _, stage := range p.Stages {
		for _, job := range p.jobs(stage, nil, "", "") {
			for _, audience := range job.spec.IDTokens {
				all[job.tenant] = audience
			}
		}
	}
	return all
}

// tenantJob is one job of a matrix, before and after it has run.
type tenantJob struct {
	stage, name, tenant, role string
	spec                      coordinator.Job
	run                       *coordinator.Run
	result                    coordinator.Result
	issued                    lab.Issued
}

// jobs makes the jobs of a stage as GitLab would. Roles may be nil.
func (p pipeline) jobs(stage string, roles map[string]string, s3, registry string) []*tenantJob {
	var jobs []*tenantJob
	for _, name := range p.of(stage) {
		defined := p.definition(name)
		for _, matrix := range defined.Parallel.Matrix {
			tenant := matrix["TENANT"]
			job := &tenantJob{stage: stage, name: fmt.Sprintf("%s: [%s]", name, tenant), tenant: tenant, role: roles[tenant]}
			job.spec = p.spec(defined, job, s3, registry)
			jobs = append(jobs, job)
		}
	}
	return jobs
}

// spec returns what GitLab sends of a job.
func (p pipeline) spec(defined definition, job *tenantJob, s3, registry string) coordinator.Job {
	expand := func(text string) string {
		return os.Expand(text, func(string) string { return job.tenant })
	}
	spec := coordinator.Job{
		Name: job.name, Stage: job.stage, Environment: expand(defined.Environment),
		Project: coordinator.Project{Path: projectPath}, PipelineID: pipelineID,
		Script: defined.Script, IDTokens: map[string]string{},
		Variables: []coordinator.Variable{{Key: "TENANT", Value: job.tenant, Public: true}, {Key: "S3_URL", Value: s3, Public: true}},
	}
	for name, value := range defined.Variables {
		spec.Variables = append(spec.Variables, coordinator.Variable{Key: name, Value: value, Public: true})
	}
	for name, token := range defined.IDTokens {
		spec.IDTokens[name] = expand(token.Aud)
	}
	if defined.Artifacts.Untracked {
		spec.Artifacts = []coordinator.Artifact{{Untracked: true}}
	}
	if path := p.image(); path != "" {
		spec.Mutate = func(job map[string]any) {
			job["image"] = map[string]any{"name": registry + "/" + path, "entrypoint": []any{""}}
		}
	}
	return spec
}
