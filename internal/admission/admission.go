// Package admission decides which tenant a job is and what is ordered for it: by what
// GitLab sent of the job, what the job asks for, and what its ID tokens say.
package admission

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
)

// Reader reads an ID token: idtoken.Parse, or a way that checks its signature
// too.
type Reader func(raw string) (idtoken.Token, error)

// readTokens puts the job into a decision as the policy sees it, and returns its
// tokens by the names of their variables. Every token that the policy may look at must
// be of this very job.
func (c Case) readTokens(d *Decision) (map[string]idtoken.Token, error) {
	d.Job = tenant.Job{
		Pinned:    c.Pinned,
		Requested: c.Request["TENANT"],
		Project:   c.Response.ProjectPath,
		Protected: c.Response.Protected,
		Tokens:    map[string]tenant.Claims{},
	}
	tokens := map[string]idtoken.Token{}
	for _, name := range c.Policy.TokenNames(c.Pinned, d.Job.Requested) {
		if c.Request[name] == "" {
			continue
		}
		token, err := c.token(name, &d.Claims)
		if err != nil {
			return nil, err
		}
		tokens[name], d.Job.Tokens[name] = token, claimsOf(token)
	}
	return tokens, nil
}

// token returns the ID token in the variable name, which must be of this very job, and
// sets claims to what it says. An error of Read on the side of the admin or of
// infrastructure stays as it is; any other is the author's.
func (c Case) token(name string, claims *idtoken.Claims) (idtoken.Token, error) {
	if len(c.Response.Values(name)) > 1 {
		return idtoken.Token{}, fault.New(fault.Author, fmt.Errorf("%s has two different values", name),
			"remove the CI/CD variable of that name, which overrides the ID token")
	}
	token, err := c.Read(c.Request[name])
	*claims = token.Claims
	if err == nil {
		err = token.CheckJob(int64(c.Response.ID), c.Response.Project)
	}
	if err == nil {
		return token, nil
	}
	what, next := err, "let id_tokens: set it, and no variable"
	var classed *fault.Error
	if errors.As(err, &classed) {
		if classed.Side != fault.Author {
			return idtoken.Token{}, err
		}
		what, next = classed.What, cmp.Or(classed.Next, next)
	}
	return idtoken.Token{}, fault.New(fault.Author, fmt.Errorf("%s is not an ID token of this job: %w", name, what), next)
}

// claimsOf returns what a policy judges of a token's claims.
func claimsOf(t idtoken.Token) tenant.Claims {
	c := t.Claims
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

// checkOverrides refuses a job whose variables would win over its credentials inside
// its script. A variable may be in what GitLab sent, in what the runner passes, or in
// both.
func (c Case) checkOverrides() error {
	var names []string
	for _, v := range c.Response.Variables {
		names = append(names, v.Key)
	}
	for name := range c.Request {
		names = append(names, name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !c.overrides(name) })
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fault.New(fault.Author,
		fmt.Errorf("variables of the job would override its tenant's credentials: %s", strings.Join(slices.Compact(names), ", ")),
		"remove them from .gitlab-ci.yml and from Settings > CI/CD > Variables of the project and its groups, or export them in the script where they are meant")
}
