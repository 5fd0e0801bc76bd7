package coordinator

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The only user of the server, who triggers every job.
const (
	userID    = 7
	userLogin = "alice"
	userEmail = "alice@example.com"
)

// variables returns the job's variables in GitLab's order: those of the job itself, its
// ID tokens, those of project and pipeline, and then those that users set.
func (r *Run) variables() []Variable {
	return slices.Concat(
		r.persistedVariables(),
		r.tokenVariables(),
		r.predefinedVariables(),
		r.job.Variables,
		r.dependencyVariables(),
		r.environmentVariables(),
	)
}

// persistedVariables returns the variables with the ids and tokens of job and pipeline.
func (r *Run) persistedVariables() []Variable {
	started := r.picked.UTC().Format(time.RFC3339)
	return []Variable{
		public("CI_PIPELINE_ID", strconv.FormatInt(r.job.PipelineID, 10)),
		public("CI_PIPELINE_URL", r.projectURL()+"/-/pipelines/"+strconv.FormatInt(r.job.PipelineID, 10)),
		public("CI_JOB_ID", strconv.FormatInt(r.id, 10)),
		public("CI_JOB_URL", r.projectURL()+"/-/jobs/"+strconv.FormatInt(r.id, 10)),
		secret("CI_JOB_TOKEN", r.token),
		public("CI_JOB_STARTED_AT", started),
		public("CI_REGISTRY_USER", "gitlab-ci-token"),
		secret("CI_REGISTRY_PASSWORD", r.token),
		{Key: "CI_REPOSITORY_URL", Value: r.repoURL()},
		public("CI_DEPENDENCY_PROXY_USER", "gitlab-ci-token"),
		secret("CI_DEPENDENCY_PROXY_PASSWORD", r.token),
	}
}

// tokenVariables signs the job's ID tokens and returns them.
func (r *Run) tokenVariables() []Variable {
	var variables []Variable
	for _, name := range slices.Sorted(maps.Keys(r.job.IDTokens)) {
		variables = append(variables, secret(name, r.idToken(r.job.IDTokens[name])))
	}
	return variables
}

// predefinedVariables returns the variables that GitLab sets for every job.
func (r *Run) predefinedVariables() []Variable {
	return slices.Concat(r.jobVariables(), r.projectVariables(), r.pipelineVariables(), r.runnerVariables())
}

// jobVariables returns the variables about the job and its commit.
func (r *Run) jobVariables() []Variable {
	variables := []Variable{
		public("CI_JOB_NAME", r.job.Name),
		public("CI_JOB_NAME_SLUG", slug(r.job.Name)),
		public("CI_JOB_STAGE", r.job.Stage),
		public("CI_NODE_TOTAL", "1"),
	}
	if r.job.Environment != "" {
		variables = append(variables,
			public("CI_ENVIRONMENT_NAME", r.job.Environment),
			public("CI_ENVIRONMENT_ACTION", "start"),
			public("CI_ENVIRONMENT_TIER", "other"),
		)
	}
	return variables
}

// projectVariables returns the variables about the project and the server.
func (r *Run) projectVariables() []Variable {
	project := r.job.Project
	return []Variable{
		public("GITLAB_CI", "true"),
		public("CI", "true"),
		public("CI_API_V4_URL", r.server.url+"/api/v4"),
		public("CI_SERVER", "yes"),
		public("CI_SERVER_NAME", "GitLab"),
		public("CI_SERVER_URL", r.server.url),
		public("CI_SERVER_HOST", "127.0.0.1"),
		public("CI_SERVER_PORT", r.server.url[strings.LastIndexByte(r.server.url, ':')+1:]),
		public("CI_SERVER_PROTOCOL", "http"),
		public("CI_PROJECT_ID", strconv.FormatInt(project.ID, 10)),
		public("CI_PROJECT_NAME", path.Base(project.Path)),
		public("CI_PROJECT_PATH", project.Path),
		public("CI_PROJECT_PATH_SLUG", slug(project.Path)),
		public("CI_PROJECT_NAMESPACE", path.Dir(project.Path)),
		public("CI_PROJECT_ROOT_NAMESPACE", strings.Split(project.Path, "/")[0]),
		public("CI_PROJECT_URL", r.projectURL()),
		public("CI_PROJECT_VISIBILITY", "private"),
		public("CI_DEFAULT_BRANCH", "main"),
	}
}

// pipelineVariables returns the variables about the pipeline.
func (r *Run) pipelineVariables() []Variable {
	variables := []Variable{
		public("CI_PIPELINE_SOURCE", "push"),
		public("CI_COMMIT_SHA", r.job.SHA),
		public("CI_COMMIT_SHORT_SHA", r.job.SHA[:min(8, len(r.job.SHA))]),
		public("CI_COMMIT_REF_NAME", r.job.Ref),
		public("CI_COMMIT_REF_SLUG", slug(r.job.Ref)),
		public("CI_COMMIT_REF_PROTECTED", strconv.FormatBool(r.job.Protected)),
	}
	if r.job.RefType == "tag" {
		return append(variables, public("CI_COMMIT_TAG", r.job.Ref))
	}
	return append(variables, public("CI_COMMIT_BRANCH", r.job.Ref))
}

// runnerVariables returns the variables about the runner and the user.
func (r *Run) runnerVariables() []Variable {
	return []Variable{
		public("CI_RUNNER_ID", strconv.FormatInt(r.server.RunnerID(r.runnerToken), 10)),
		public("CI_RUNNER_TAGS", "[]"),
		public("GITLAB_USER_ID", strconv.Itoa(userID)),
		public("GITLAB_USER_EMAIL", userEmail),
		public("GITLAB_USER_LOGIN", userLogin),
	}
}

// dependencyVariables returns the variables in the dotenv reports of the jobs in Needs.
func (r *Run) dependencyVariables() []Variable {
	var variables []Variable
	for _, need := range r.job.Needs {
		variables = append(variables, dotenv(need.Artifacts())...)
	}
	return variables
}

// environmentVariables returns the variables about the job's environment, if it has one.
func (r *Run) environmentVariables() []Variable {
	if r.job.Environment == "" {
		return nil
	}
	return []Variable{
		public("CI_ENVIRONMENT_ID", "1"),
		public("CI_ENVIRONMENT_SLUG", slug(r.job.Environment)),
	}
}

// projectURL returns the URL of the project's page.
func (r *Run) projectURL() string {
	return r.server.url + "/" + r.job.Project.Path
}

// public returns a variable that is shown in logs.
func public(key, value string) Variable {
	return Variable{Key: key, Value: value, Public: true}
}

// secret returns a masked variable.
func secret(key, value string) Variable {
	return Variable{Key: key, Value: value, Masked: true}
}

// slug returns GitLab's slug of a name: lower case, only letters, digits and single
// inner hyphens, at most 63 bytes.
func slug(name string) string {
	fields := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
	joined := strings.Join(fields, "-")
	return strings.Trim(joined[:min(63, len(joined))], "-")
}
