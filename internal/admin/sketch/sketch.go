// Package sketch makes jobs from what people say of them: the claims that GitLab would sign for
// such a job, and all that a decision about it rests on. Nobody has signed these claims.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload
package sketch

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"path"
	"strconv"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// Job is what is said of a job.
type Job struct {
	Project     string // path of the project that runs the job
	Fork        string // path of the fork, in a pipeline of a merge request from one
	Ref         string
	RefType     string // branch or tag; empty: branch
	Protected   bool   // whether the ref is protected
	Environment string
	UserLogin   string
	Image       string
	Tenant      *string     // the variable TENANT; nil: the job has none
	Runner      tenant.Name // the tenant of the runner; None if it has none
	Audience    string      // of the ID token; empty: the one that the policy file wants
	NoToken     bool        // the job has no ID token

	Claims map[string]string // others than those above, by name
}

// id is the id of whatever has one, unless somebody says another.
const id = "1"

// timeout is how long the job may run: GitLab's default.
const timeout = time.Hour

// Case returns what a decision about the job rests on. Job.Check must have found nothing wrong.
// The caller says how files and images are read, and which providers there are.
func (j Job) Case(policy *tenant.Policy) (admission.Case, error) {
	c := admission.Case{Policy: policy, Pinned: j.Runner, Request: job.Request{}, Read: idtoken.Parse}
	claims := j.claims(policy.Settings().GitLab.Issuer)
	c.Response = job.Response{
		Key:         job.Key{ID: job.ID(number(claims["job_id"]))},
		Project:     number(claims["job_project_id"]),
		ProjectPath: j.Project,
		Protected:   j.Protected,
		Pipeline:    number(claims["pipeline_id"]),
		Timeout:     timeout,
		Image:       job.Container{Name: j.Image},
	}
	if j.Tenant != nil {
		c.Request[tenant.Variable] = *j.Tenant
	}
	if j.NoToken {
		return c, nil
	}
	audiences, err := j.audiences(policy)
	for variable, aud := range audiences {
		claims["aud"] = aud
		c.Request[variable] = unsigned(claims)
	}
	return c, err
}

// Subject returns the claim sub of the job.
func (j Job) Subject() string {
	if sub, said := j.Claims["sub"]; said {
		return sub
	}
	return "project_path:" + j.source() + ":ref_type:" + j.refType() + ":ref:" + j.Ref
}

// source returns the path of the project that the job's commit is of.
func (j Job) source() string {
	if j.Fork != "" {
		return j.Fork
	}
	return j.Project
}

// refType returns the type of the job's ref.
func (j Job) refType() string {
	if j.RefType != "" {
		return j.RefType
	}
	return "branch"
}

// claims returns the claims that GitLab would sign, but for the audience.
func (j Job) claims(issuer string) map[string]any {
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": issuer, "sub": j.Subject(), "iat": now, "nbf": now, "exp": now + int64(timeout/time.Second),
		"project_path": j.source(), "namespace_path": path.Dir(j.source()), "job_project_path": j.Project,
		"ref": j.Ref, "ref_type": j.refType(), "ref_protected": strconv.FormatBool(j.Protected),
		"user_login": j.UserLogin,
	}
	if j.Environment != "" {
		claims["environment"] = j.Environment
	}
	for name, value := range j.standIns() {
		claims[name] = value
	}
	for name, value := range j.Claims {
		claims[name] = value
	}
	return claims
}

// standIns returns values for the claims that each token has, and of which nothing is said.
func (j Job) standIns() map[string]string {
	values := map[string]string{
		"job_id": id, "project_id": id, "job_project_id": id, "namespace_id": id, "pipeline_id": id, "runner_id": id, "user_id": id,
		"pipeline_source": "push", "user_login": "somebody",
	}
	if j.UserLogin != "" {
		delete(values, "user_login")
	}
	if j.Environment != "" {
		values["environment_protected"], values["deployment_tier"] = "false", "other"
	}
	maps.DeleteFunc(values, func(name, _ string) bool { _, said := j.Claims[name]; return said })
	return values
}

// unsigned returns an ID token that nobody has signed.
func unsigned(claims map[string]any) string {
	payload, _ := json.Marshal(claims) // cannot fail: texts and numbers can always be encoded
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(payload) + "." + part([]byte("nobody has signed this"))
}

// number returns the number of an id.
func number(claim any) int64 {
	text, _ := claim.(string)
	n, _ := strconv.ParseInt(text, 10, 64) // Check has looked at it
	return n
}

// Key returns a text that two jobs share only if the same is said of both.
func (j Job) Key() string {
	j.RefType = j.refType()
	text, _ := json.Marshal(j) // cannot fail: texts can always be encoded
	return string(text)
}
