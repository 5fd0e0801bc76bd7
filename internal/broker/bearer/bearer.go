// Package bearer is a job that is known by its ID token alone: what it can ask a broker for, and
// what a decision about it rests on.
package bearer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// prefix is how the paths begin, before the provider.
const prefix = "/v1/"

// Target is what a client asks for.
type Target struct {
	Provider string      // such as aws
	Tenant   tenant.Name // None: the one tenant that allows the job
	Source   string      // of the tenant; empty: its own credential
}

// ParsePath reads the path of a request: /v1/PROVIDER, /v1/PROVIDER/TENANT or
// /v1/PROVIDER/TENANT/SOURCE, and nothing else.
func ParsePath(path string) (t Target, ok bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) > 3 {
		return Target{}, false
	}
	for _, part := range parts {
		if _, err := tenant.ParseName(part); err != nil { // providers and sources have such names too
			return Target{}, false
		}
	}
	parts = append(parts, "", "")
	return Target{parts[0], tenant.Name(parts[1]), parts[2]}, true
}

// Case returns what the decision about a job rests on that shows a verified token and asks for
// t. The caller adds the policy's providers, and how files are read. A token without the ids of
// a job is a fault.Author, and so is one that has expired: who verifies tokens lets a minute pass.
func (t Target) Case(policy *tenant.Policy, token idtoken.Token, now time.Time) (admission.Case, error) {
	response, err := responseOf(token.Claims, now)
	if err != nil {
		return admission.Case{}, fault.New(fault.ForeignToken, err, "send an ID token of GitLab")
	}
	if ends := time.Unix(token.Claims.Expiry, 0); !now.Before(ends) {
		return admission.Case{}, fault.New(fault.ForeignToken, fmt.Errorf("the ID token expired at %s", ends.UTC().Format(time.RFC3339)),
			"run the job again; GitLab gives a token the time of the job's timeout")
	}
	request := job.Request{}
	if t.Tenant != tenant.None {
		request[tenant.Variable] = string(t.Tenant)
	}
	for _, name := range policy.TokenNames(tenant.None, string(t.Tenant)) {
		request[name] = token.Raw.Reveal()
	}
	return admission.Case{
		Policy:   policy,
		Response: response,
		Request:  request,
		Read:     func(string) (idtoken.Token, error) { return token, nil },
		Bearer:   &admission.Bearer{Provider: t.Provider, Source: t.Source, Now: now},
	}, nil
}

// responseOf returns what GitLab would have sent of a job, as far as its ID token says it.
func responseOf(c idtoken.Claims, now time.Time) (job.Response, error) {
	project := c.JobProjectID
	if project == "" {
		project = c.ProjectID
	}
	var ids [3]int64
	for i, claim := range []struct {
		name  string
		value idtoken.ID
	}{{"job_id", c.JobID}, {"project_id", project}, {"pipeline_id", c.PipelineID}} {
		id, err := strconv.ParseInt(string(claim.value), 10, 64)
		if err != nil || id <= 0 {
			return job.Response{}, fmt.Errorf("the ID token has no claim %s of a job", claim.name)
		}
		ids[i] = id
	}
	if c.Expiry <= 0 {
		return job.Response{}, errors.New("the ID token has no claim exp")
	}
	return job.Response{
		Key:         job.Key{ID: job.ID(ids[0])},
		Project:     ids[1],
		ProjectPath: c.JobProjectPath,
		Protected:   c.RefProtected == "true",
		Pipeline:    ids[2],
		Timeout:     max(time.Unix(c.Expiry, 0).Sub(now), time.Second),
	}, nil
}

// Ends returns when a token ceases to serve whose job has the grant.
func Ends(c idtoken.Claims, g tenant.Grant) time.Time {
	ends := time.Unix(c.Expiry, 0)
	if g.MaxTokenAge == 0 {
		return ends
	}
	if young := time.Unix(c.IssuedAt, 0).Add(g.MaxTokenAge); young.Before(ends) {
		return young
	}
	return ends
}
