package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds/oauth"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
)

// maxLife is the longest life of an ID token that Google takes.
//
// https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers#prepare
const maxLife = 24 * time.Hour

// owner acts on what Google refuses.
const owner = "the owner of the Google Cloud project %s (not the pipeline)"

// at returns an error of a server with the provider of the pool that was to be asked.
func (p probe) at(err error) error {
	if own, ok := errors.AsType[*fault.Error](err); ok {
		return own.With("provider", p.Pool)
	}
	return err
}

// refused returns the error that Google does not exchange the token. Whether its audience, its
// issuer, its signature or its time is wrong stands in a text of Google, which is not printed.
//
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
func (p probe) refused(r *oauth.Refusal) error {
	c := p.token.Claims
	switch {
	case r.Word == "server_error" || r.Word == "temporarily_unavailable":
		return p.tell(fault.NoSource, fmt.Sprintf("Google cannot exchange ID tokens now (%q)", r.Word), "look at the status of Google Cloud, if it lasts", r.Word)
	case r.Word == "invalid_grant" && !time.Unix(c.Expiry, 0).After(r.At):
		return fault.New(fault.ForeignToken, fmt.Errorf("the ID token of this job has expired (%q)", r.Word), "it is valid for the job's timeout; run the job again")
	case r.Word == "invalid_grant":
		return p.byOwner(fault.SourceRejected, fmt.Sprintf("Google does not accept the ID token of this job (%q)", r.Word), p.accept(), r.Word)
	case r.Word == "unauthorized_client" || r.Word == "access_denied":
		return p.byOwner(fault.SourceDenied, fmt.Sprintf("Google refuses this job (%q)", r.Word),
			"the attribute condition and the attribute mapping of the provider must allow the job's claims", r.Word)
	}
	return p.tell(fault.BadSource, fmt.Sprintf("Google refuses the request for the provider of the pool (%q)", r.Word), "workload_identity_provider must name a provider that exists and is not disabled, with the number of its project", r.Word)
}

// accept returns what makes Google accept the token.
func (p probe) accept() string {
	c := p.token.Claims
	if c.IssuedAt > 0 && time.Duration(c.Expiry-c.IssuedAt)*time.Second > maxLife {
		return fmt.Sprintf("it is valid for %d hours, and Google takes no token that is valid for more than %d: shorten timeout: of the job", (c.Expiry-c.IssuedAt)/3600, int(maxLife.Hours()))
	}
	if slices.Contains(c.Audience, p.TokenAudience()) {
		return "the provider's issuer must be the iss of the job, and Google must be able to read the issuer's keys"
	}
	return "the provider's issuer must be the iss of the job, and its allowed audiences must have the aud; a provider without allowed audiences takes only\n" + p.TokenAudience()
}

// notBecome returns the error that the pool's principal does not get a token of the service
// account.
func (p probe) notBecome(word string) error {
	switch word {
	case "PERMISSION_DENIED", "UNAUTHENTICATED":
		return p.byOwner(fault.SourceDenied, fmt.Sprintf("Google refuses the service account to this job (%q)", word),
			"the service account must exist, and grant roles/iam.workloadIdentityUser to the job's principal, such as\n"+p.principal(), word)
	case "NOT_FOUND":
		return p.tell(fault.BadSource, fmt.Sprintf("Google does not know the service account (%q)", word), "correct service_account of the source", word)
	}
	return p.tell(fault.BadSource, fmt.Sprintf("Google refuses the request for the service account (%q)", word), "look at service_account and lifetime of the source: more than an hour needs a policy of the organization", word)
}

// principal returns the name of the job's principal, if its subject is that of the token.
//
// https://cloud.google.com/iam/docs/principal-identifiers
func (p probe) principal() string {
	pool, _, _ := strings.Cut(p.Pool, "/providers/")
	return "principal://iam." + p.Universe + "/" + pool + "/subject/" + idtoken.Line(p.token.Claims.Subject)
}

// byOwner returns an error that the owner of the project acts on.
func (p probe) byOwner(code fault.Code, what, next, word string) error {
	project := cmp.Or(p.Project, strings.Split(p.Pool, "/")[1])
	return p.tell(code, what, next, word).With("who acts", fmt.Sprintf(owner, project))
}

// tell returns an error with what is known of the case.
func (p probe) tell(code fault.Code, what, next, word string) *fault.Error {
	e := fault.New(code, errors.New(what), next)
	e.Answer.Code = word
	return e.With("provider", p.Pool).With("account", p.Account).With("this job", p.token.Claims.Told())
}
