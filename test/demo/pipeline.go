package main

import (
	"fmt"
	"os"
	"strings"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// pipeline is what gitlab-ci.yml says. It is read from that file, so that what is shown is what
// runs.
type pipeline struct {
	name, stage, environment string
	matrix                   []map[string]string // the variables of each job
	idTokens                 map[string]string   // audiences
	script                   []string
	untracked                bool   // artifacts
	image                    string // in the registry of the demo; empty: scripts run on the host
}

// parse reads as much of YAML and of GitLab's keywords as gitlab-ci.yml has, one entry a line,
// and refuses anything else.
func parse(text string) (pipeline, error) {
	p := pipeline{idTokens: map[string]string{}}
	var keyword, token string // the keyword of the job, and the token, that a line belongs to
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(" "+strings.TrimRight(line, "\n"), " #")
		entry := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " ")) - 1
		key, value, _ := strings.Cut(entry, ": ")
		if indent == 2 {
			keyword = strings.TrimSuffix(key, ":")
		}
		switch item, isItem := strings.CutPrefix(entry, "- "); {
		case entry == "":
		case indent == 0 && p.name == "":
			p.name = strings.TrimSuffix(entry, ":")
		case keyword == "stage":
			p.stage = value
		case keyword == "environment":
			p.environment = value
		case keyword == "image" && key == "name":
			_, p.image, _ = strings.Cut(value, "/")
		case keyword == "image" && key == "entrypoint" && value == `[""]`:
		case keyword == "parallel" && isItem:
			name, value, _ := strings.Cut(item, ": ")
			p.matrix = append(p.matrix, map[string]string{name: value})
		case keyword == "id_tokens" && key == "aud":
			p.idTokens[token] = value
		case keyword == "id_tokens":
			token = strings.TrimSuffix(entry, ":")
		case keyword == "script" && isItem:
			p.script = append(p.script, item)
		case keyword == "artifacts" && key == "untracked":
			p.untracked = value == "true"
		case strings.HasSuffix(entry, ":"):
		default:
			return p, fmt.Errorf("gitlab-ci.yml: cannot read %q", entry)
		}
	}
	return p, nil
}

// tenantJob is one job of the matrix, before and after it has run.
type tenantJob struct {
	name, tenant, role string
	run                *coordinator.Run
	result             coordinator.Result
	issued             lab.Issued
}

// jobs makes the pipeline's jobs as GitLab would, with ROLE_ARN from the project's settings.
func (p pipeline) jobs(role func(tenant string) string, s3, registry string) ([]*tenantJob, []coordinator.Job) {
	var jobs []*tenantJob
	var specs []coordinator.Job
	for _, matrix := range p.matrix {
		expand := func(text string) string {
			return os.Expand(text, func(name string) string { return matrix[name] })
		}
		tenant := matrix["TENANT"]
		job := &tenantJob{name: fmt.Sprintf("%s: [%s]", p.name, tenant), tenant: tenant, role: role(tenant)}
		spec := coordinator.Job{
			Name: job.name, Stage: p.stage, Environment: expand(p.environment),
			Project: coordinator.Project{Path: projectPath}, PipelineID: pipelineID,
			Script: p.script, IDTokens: map[string]string{},
			Variables: []coordinator.Variable{
				{Key: "TENANT", Value: tenant, Public: true},
				{Key: "ROLE_ARN", Value: job.role, Public: true},
				{Key: "S3_URL", Value: s3, Public: true},
			},
		}
		for variable, audience := range p.idTokens {
			spec.IDTokens[variable] = expand(audience)
		}
		if p.image != "" {
			spec.Mutate = func(job map[string]any) {
				job["image"] = map[string]any{"name": registry + "/" + p.image, "entrypoint": []any{""}}
			}
		}
		if p.untracked {
			spec.Artifacts = []coordinator.Artifact{{Untracked: true}}
		}
		jobs, specs = append(jobs, job), append(specs, spec)
	}
	return jobs, specs
}

// audiences returns the audience of each tenant's tokens.
func audiences(specs []coordinator.Job) map[string]string {
	all := make(map[string]string)
	for _, spec := range specs {
		for _, audience := range spec.IDTokens {
			all[spec.Environment] = audience
		}
	}
	return all
}
