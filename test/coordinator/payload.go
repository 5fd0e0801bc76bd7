package coordinator

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// render returns the JSON of a job for its runner. It signs the job's tokens, so it
// must be called only once for a job.
func (r *Run) render() ([]byte, error) {
	variables := r.variables()
	payload, err := json.Marshal(r.document(variables))
	if err != nil {
		return nil, fmt.Errorf("job %d: %w", r.id, err)
	}
	if r.job.Mutate != nil {
		if payload, err = mutate(payload, r.job.Mutate); err != nil {
			return nil, fmt.Errorf("job %d, mutated: %w", r.id, err)
		}
	}
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.payload = payload
	for _, v := range variables {
		// The first variable of a name is the server's own.
		if _, ok := r.job.IDTokens[v.Key]; ok && r.idTokens[v.Key] == "" {
			r.idTokens[v.Key] = v.Value
		}
	}
	return payload, nil
}

// mutate returns the JSON in payload after change has changed it.
func mutate(payload []byte, change func(map[string]any)) ([]byte, error) {
	var decoded map[string]any
	if err := json.Unmarshal(payload, &decoded); err != nil {
		return nil, err
	}
	change(decoded)
	return json.Marshal(decoded)
}

// document returns the job in the format of common/spec.Job in GitLab Runner.
func (r *Run) document(variables []Variable) object {
	return object{
		"id":              r.id,
		"token":           r.token,
		"allow_git_fetch": true,
		"job_info":        r.jobInfo(),
		"git_info":        r.gitInfo(),
		"runner_info":     object{"timeout": int64(r.job.Timeout / time.Second), "runner_session_url": nil},
		"variables":       variables,
		"steps":           r.steps(),
		"hooks":           r.hooks(),
		"image":           nil,
		"services":        []any{},
		"artifacts":       r.artifacts(),
		"cache":           r.caches(),
		"credentials":     []any{},
		"dependencies":    r.dependencies(),
		"features": object{
			"trace_sections":      true,
			"token_mask_prefixes": []string{"glpat-"},
			"failure_reasons":     failureReasons(),
		},
	}
}

// jobInfo returns the part about the job, its project and its pipeline.
func (r *Run) jobInfo() object {
	project := r.job.Project
	return object{
		"name":                  r.job.Name,
		"stage":                 r.job.Stage,
		"pipeline_id":           r.job.PipelineID,
		"project_id":            project.ID,
		"project_name":          path.Base(project.Path),
		"project_full_path":     project.Path,
		"namespace_id":          namespaceID(path.Dir(project.Path)),
		"root_namespace_id":     namespaceID(strings.Split(project.Path, "/")[0]),
		"organization_id":       1,
		"user_id":               userID,
		"time_in_queue_seconds": r.picked.Sub(r.queued).Seconds(),
		"project_jobs_running_on_instance_runners_count": "0",
	}
}

// namespaceID returns the id of a group. It depends only on the path.
func namespaceID(group string) int64 {
	return 1 + int64(crc32.ChecksumIEEE([]byte(group))%1_000_000)
}

// gitInfo returns the git part of the job. The runner fetches the commit by its hash,
// as with GitLab, so a branch with the name of the ref need not exist.
func (r *Run) gitInfo() object {
	return object{
		"repo_url":           r.repoURL(),
		"repo_object_format": "sha1",
		"ref":                r.job.Ref,
		"sha":                r.job.SHA,
		"before_sha":         strings.Repeat("0", 40),
		"ref_type":           r.job.RefType,
		"refspecs":           []string{fmt.Sprintf("+%s:refs/pipelines/%d", r.job.SHA, r.job.PipelineID)},
		"depth":              20,
		"protected":          r.job.Protected,
	}
}

// repoURL returns the URL of the job's repository, with the job's token, as GitLab
// sends it.
func (r *Run) repoURL() string {
	if rest, ok := strings.CutPrefix(r.job.RepoURL, "http://"); ok {
		return "http://gitlab-ci-token:" + r.token + "@" + rest
	}
	return r.job.RepoURL
}

// steps returns the job's script, its other steps and its after_script.
func (r *Run) steps() []object {
	steps := []object{r.step("script", r.job.Script, "on_success")}
	for _, s := range r.job.Steps {
		steps = append(steps, r.step(s.Name, s.Script, "on_success"))
	}
	if len(r.job.AfterScript) > 0 {
		after := r.step("after_script", r.job.AfterScript, "always")
		after["allow_failure"] = true
		steps = append(steps, after)
	}
	return steps
}

// step returns one step of the job.
func (r *Run) step(name string, script []string, when string) object {
	return object{
		"name":          name,
		"script":        append([]string{}, script...),
		"timeout":       int64(r.job.Timeout / time.Second),
		"when":          when,
		"allow_failure": false,
	}
}

// hooks returns the job's hooks.
func (r *Run) hooks() []object {
	hooks := []object{}
	for _, name := range slices.Sorted(maps.Keys(r.job.Hooks)) {
		hooks = append(hooks, object{"name": name, "script": r.job.Hooks[name]})
	}
	return hooks
}

// artifacts returns the artifacts that the runner must upload.
func (r *Run) artifacts() []object {
	artifacts := []object{}
	for _, a := range r.job.Artifacts {
		a = a.withDefaults()
		artifacts = append(artifacts, object{
			"name":            a.Name,
			"untracked":       a.Untracked,
			"paths":           a.Paths,
			"exclude":         a.Exclude,
			"when":            a.When,
			"expire_in":       "1 week",
			"artifact_type":   a.Type,
			"artifact_format": a.Format,
		})
	}
	return artifacts
}

// caches returns the caches that the runner must restore and archive.
func (r *Run) caches() []object {
	caches := []object{}
	for _, c := range r.job.Cache {
		c = c.withDefaults()
		caches = append(caches, object{
			"key":           c.Key,
			"untracked":     c.Untracked,
			"paths":         c.Paths,
			"policy":        c.Policy,
			"when":          c.When,
			"fallback_keys": []string{},
		})
	}
	return caches
}

// dependencies returns the jobs whose archives the runner must download.
func (r *Run) dependencies() []object {
	dependencies := []object{}
	for _, need := range r.job.Needs {
		for _, upload := range need.Artifacts() {
			if upload.Type != "archive" {
				continue
			}
			dependencies = append(dependencies, object{
				"id":             need.id,
				"name":           need.job.Name,
				"token":          need.token,
				"artifacts_file": object{"filename": upload.Name, "size": len(upload.Data)},
			})
		}
	}
	return dependencies
}

// failureReasons returns the reasons that the runner may report. It maps all others to
// one of these.
func failureReasons() []string {
	return []string{
		"unknown_failure", "script_failure", "api_failure", "stuck_or_timeout_failure",
		"runner_system_failure", "missing_dependency_failure", "runner_unsupported",
		"stale_schedule", "job_execution_timeout", "archived_failure", "unmet_prerequisites",
		"scheduler_failure", "data_integrity_failure", "forward_deployment_failure",
		"user_blocked", "project_deleted", "no_matching_runner", "trace_size_exceeded",
	}
}
