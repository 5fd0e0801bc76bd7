package grant

import (
	"fmt"

	"rolecall/internal/admission"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// fill returns the chain of a tenant or a source for a job: with the claims of its ID token.
func (s Settings) fill(a admission.Asker) ([]aws.Hop, error) {
	var chain []aws.Hop
	for _, h := range s.Chain {
		hop := aws.Hop{Role: h.Role, ExternalID: h.ExternalID}
		for _, tag := range h.Tags {
			what := fmt.Sprintf("the tag %s of role %s", tenant.Quote(tag.Key), h.Role.Name())
			value, err := tag.Value.of(a, what, aws.CheckTagValue)
			if err != nil {
				return nil, err
			}
			hop.Tags = append(hop.Tags, aws.Tag{Key: tag.Key, Value: value, Transitive: tag.Transitive})
		}
		var err error
		hop.SourceIdentity, err = h.SourceIdentity.of(a, "the source identity of role "+h.Role.Name(), aws.CheckSourceIdentity)
		if err != nil {
			return nil, err
		}
		chain = append(chain, hop)
	}
	return chain, nil
}

// of returns the value for a job. A claim that the job's token does not have, or that AWS does
// not take, is refused: it is never cut or left out, since the account's owner may rely on it.
func (v Value) of(a admission.Asker, what string, check func(string) error) (string, error) {
	if v.Claim == "" {
		return v.Text, nil
	}
	text, _ := a.Claims.Get(v.Claim)
	what += " is the claim " + v.Claim + " of the ID token, "
	if text == "" {
		return "", refuseClaim(a.Tenant, v.Claim, what+"which this job's token does not have")
	}
	if err := check(text); err != nil {
		return "", refuseClaim(a.Tenant, v.Claim, fmt.Sprintf("%swhich is %s: %v", what, tenant.Quote(text), err))
	}
	return text, nil
}

// refuseClaim refuses a job one of whose claims cannot be passed on to AWS.
func refuseClaim(name tenant.Name, claim, why string) error {
	next := "ask the runner's admin"
	if claim == "environment" || claim == "deployment_tier" || claim == "environment_protected" {
		next = "set or correct environment: in the job, or " + next
	}
	what := fmt.Sprintf("tenant %q refuses this job: rule chain", name)
	return fault.New(fault.Refused, &tenant.Refusal{Tenant: name, Rule: "chain", What: what}, next).With("rule", why)
}
