// Package admission decides which tenant a job is and what is ordered for it. The
// decision rests on what GitLab sent, what the job requests, and what its ID tokens say.
package admission

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
)

// Reader reads an ID token: idtoken.Parse, or a function that also checks the
// signature.
type Reader func(raw string) (idtoken.Token, error)

// readTokens fills in the Subject of a decision, and returns the job's tokens by the
// names of their variables. Each token that the policy may look at must belong to this
// very job.
func (c Case) readTokens(d *Decision) (map[string]idtoken.Token, error) {
	requested, named := c.Request[tenant.Variable]
	d.Subject = tenant.Subject{
		Pinned:    c.Pinned,
		Requested: requested,
		Named:     named,
		Project:   c.Response.ProjectPath,
		Protected: c.Response.Protected,
		Tokens:    map[string]tenant.Claims{},
		Bearer:    c.Bearer != nil,
	}
	tokens := map[string]idtoken.Token{}
	for _, name := range c.Policy.TokenNames(c.Pinned, d.Subject.Requested) {
		if c.Request[name] == "" {
			continue
		}
		token, err := c.token(name, &d.Claims)
		if err != nil {
			return nil, err
		}
		tokens[name], d.Subject.Tokens[name] = token, claimsOf(token)
	}
	return tokens, nil
}

// token returns the ID token in the variable name, which must belong to this very job,
// and sets claims to the token's. Errors of Read on the admin's or infrastructure's
// side are returned unchanged; all others become the author's, with advice.
func (c Case) token(name string, claims *idtoken.Claims) (idtoken.Token, error) {
	if len(c.Response.Values(name)) > 1 {
		return idtoken.Token{}, fault.New(fault.ForeignToken, fmt.Errorf("%s has two different values", name),
			"remove the CI/CD variable of that name, which overrides the ID token")
	}
	token, err := c.Read(c.Request[name])
	*claims = token.Claims
	if err == nil {
		err = token.CheckJob(int64(c.Response.ID), c.Response.Project)
	}
	if err != nil {
		return idtoken.Token{}, refuseToken(c.called(name), err)
	}
	return token, nil
}

// called returns what messages call the ID token in the variable name. The variable of a Bearer is
// not known.
func (c Case) called(name string) string {
	if c.Bearer != nil {
		return "this"
	}
	return name
}

// refuseToken returns the error about the token in the variable name, which err says is
// not this job's.
func refuseToken(name string, err error) error {
	what, next := err, "let id_tokens: set the token, and set no CI/CD variable of that name"
	if classed, ok := errors.AsType[*fault.Error](err); ok {
		if classed.Code.Side() != fault.Author {
			return err
		}
		what, next = classed.What, cmp.Or(classed.Next, next)
	}
	return fault.New(fault.ForeignToken, fmt.Errorf("%s is not an ID token of this job: %w", name, what), next)
}

// claimsOf returns the claims of a token that a policy judges.
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
// its script.
func (c Case) checkOverrides(d Decision) error {
	if c.Bearer != nil {
		return nil // its variables are not known
	}
	names := slices.DeleteFunc(c.variables(), func(name string) bool {
		return (!c.overrides(name) || c.isSent(name)) && !isSet(d.Orders, name)
	})
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fault.New(fault.Override, errors.New("variables of the job would override its tenant's credentials"),
		"remove them where they are set: .gitlab-ci.yml, CI/CD settings of project or group, secrets:, a dotenv report of an earlier job; RC106 in docs/errors.md says more").
		Detail("variables", strings.Join(slices.Compact(names), ", "))
}

// isSet reports whether what is ordered brings a variable of that name, or would be overridden by
// one.
func isSet(orders []creds.Order, name string) bool {
	return slices.ContainsFunc(orders, func(o creds.Order) bool { return slices.Contains(o.Sets, name) || wins(o, name) })
}

// wins reports whether a variable of that name would win over what is ordered.
func wins(o creds.Order, name string) bool {
	return slices.ContainsFunc(o.Wins, func(pattern string) bool { return creds.Covers(pattern, name) })
}

// variables returns the names of the job's variables: those that GitLab sent and those
// that the runner passes. A name may come twice.
func (c Case) variables() []string {
	var names []string
	for _, v := range c.Response.Variables {
		names = append(names, v.Key)
	}
	for name := range c.Request {
		names = append(names, name)
	}
	return names
}
