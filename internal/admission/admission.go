// Package admission puts together what a policy decides on: what GitLab sent of a
// job, what the job asks for, and what its ID tokens say.
package admission

import (
	"cmp"
	"errors"
	"fmt"

	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// Reader reads an ID token: identity.Parse, or a way that checks its signature
// too.
type Reader func(raw string) (identity.Token, error)

// Candidate is a job as a policy sees it, with its tokens by the names of their
// variables.
type Candidate struct {
	tenant.Job
	Tokens map[string]identity.Token
}

// New returns the candidate for a job on a runner of the tenant pinned, or of
// none. Every token that the policy may look at is read by read and must be of
// this very job; an error is one of those of Token.
func New(policy *tenant.Policy, pinned tenant.Name, response job.Response, request job.Request, read Reader) (Candidate, error) {
	c := Candidate{
		Job: tenant.Job{
			Pinned:    pinned,
			Requested: request["TENANT"],
			Region:    Region(request),
			Project:   response.ProjectPath,
			Protected: response.Protected,
			Tokens:    map[string]tenant.Claims{},
		},
		Tokens: map[string]identity.Token{},
	}
	for _, name := range policy.TokenNames(pinned, c.Requested) {
		if request[name] == "" {
			continue
		}
		token, err := Token(name, response, request, read)
		if err != nil {
			return Candidate{}, err
		}
		c.Tokens[name], c.Job.Tokens[name] = token, claims(token.Claims)
	}
	return c, nil
}

// Region returns the region that a job asks for, or none.
func Region(request job.Request) string {
	if region := request["AWS_REGION"]; region != "" {
		return region
	}
	return request["AWS_DEFAULT_REGION"]
}

// Token returns the ID token in the variable name, which must be of this very job.
// An error of read that says whose it is keeps its side, any other is the author's.
func Token(name string, response job.Response, request job.Request, read Reader) (identity.Token, error) {
	if len(response.Values(name)) > 1 {
		return identity.Token{}, fault.New(fault.Author, fmt.Errorf("%s has two different values", name),
			"remove the CI/CD variable of that name, which overrides the ID token")
	}
	token, err := read(request[name])
	if err == nil {
		err = token.CheckJob(int64(response.ID), response.Project)
	}
	own := &fault.Error{Side: fault.Author, What: err}
	if err == nil || errors.As(err, &own) && own.Side != fault.Author {
		return token, err
	}
	return identity.Token{}, fault.New(fault.Author, fmt.Errorf("%s is no ID token of this job: %w", name, own.What),
		cmp.Or(own.Next, "let id_tokens: set it, and no variable"))
}

// claims returns what a policy judges of a token's claims.
func claims(c identity.Claims) tenant.Claims {
	return tenant.Claims{
		Audience:    c.Audience,
		Project:     c.ProjectPath,
		JobProject:  c.JobProjectPath,
		Ref:         c.Ref,
		RefType:     c.RefType,
		Protected:   c.RefProtected,
		Environment: c.Environment,
	}
}
