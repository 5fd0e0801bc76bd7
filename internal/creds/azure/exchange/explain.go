package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"rolecall/internal/creds/oauth"
	"rolecall/internal/fault"
)

// at returns an error of the server with the client that asked.
func (p probe) at(err error) error {
	if own, ok := errors.AsType[*fault.Error](err); ok {
		return own.With("client", p.Client)
	}
	return err
}

// refused returns the error that Entra ID does not exchange the token.
func (p probe) refused(r *oauth.Refusal) error {
	word := wordOf(r)
	switch p.classify(r) {
	case fault.NoSource:
		return p.tell(fault.NoSource, fmt.Sprintf("Entra ID cannot exchange ID tokens now (%q)", word), "look whether Entra ID can reach the issuer of the ID token, if it lasts", r)
	case fault.ForeignToken:
		return p.tell(fault.ForeignToken, fmt.Sprintf("the ID token of this job is not valid now, says Entra ID (%q)", word), "it is valid for the job's timeout: run the job again; if that fails too, look at the clock of GitLab's server", r)
	case fault.SourceRejected:
		return p.byOwner(fault.SourceRejected, fmt.Sprintf("Entra ID does not accept the ID token of this job (%q)", word), p.accept(r.Number), r)
	case fault.SourceDenied:
		return p.byOwner(fault.SourceDenied, fmt.Sprintf("Entra ID refuses this job (%q)", word), "the application must be enabled, and policies of Conditional Access must allow it", r)
	}
	return p.tell(fault.BadSource, fmt.Sprintf("Entra ID refuses the request for the client (%q)", word), "tenant_id, client_id and authority_host of the source must name a client that exists in that tenant", r)
}

// classify returns the code of a refusal. A number that is not known leaves the decision to the
// word: Microsoft adds numbers.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func (p probe) classify(r *oauth.Refusal) fault.Code {
	switch r.Number {
	case 700024:
		return fault.ForeignToken
	case 70021, 700211, 700212, 700213, 700027, 50027: // no federated credential; signature; form
		return fault.SourceRejected
	case 7000112, 53003, 501051: // disabled; Conditional Access; not assigned
		return fault.SourceDenied
	case 90002, 900023, 700016, 500011: // no such tenant, client or API
		return fault.BadSource
	case 90033, 50166: // Entra ID fails for a while; so does the issuer
		return fault.NoSource
	}
	return p.classOf(r)
}

// classOf returns the code of a refusal of which the word alone is known.
func (p probe) classOf(r *oauth.Refusal) fault.Code {
	switch r.Word {
	case "server_error", "temporarily_unavailable":
		return fault.NoSource
	case "invalid_client", "invalid_grant":
		if !time.Unix(p.token.Claims.Expiry, 0).After(r.At) {
			return fault.ForeignToken
		}
		return fault.SourceRejected
	case "unauthorized_client", "access_denied":
		return fault.SourceDenied
	}
	return fault.BadSource
}

// wordOf returns the code of a refusal as Microsoft's pages have it.
func wordOf(r *oauth.Refusal) string {
	if r.Number > 0 {
		return fmt.Sprintf("AADSTS%d", r.Number)
	}
	return r.Word
}

// federated is a federated identity credential of an application.
//
// https://learn.microsoft.com/graph/api/resources/federatedidentitycredential
type federated struct {
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
}

// accept returns what makes Entra ID accept the token. A text with other characters than those of
// GitLab's claims is escaped, as JSON does it.
func (p probe) accept(number int64) string {
	c := p.token.Claims
	if number == 700027 || number == 50027 {
		return "Entra ID must be able to read the issuer's keys, at " + fmt.Sprintf("%.200q", strings.TrimSuffix(c.Issuer, "/")+"/.well-known/openid-configuration")
	}
	text, err := json.MarshalIndent(federated{"rolecall", c.Issuer, c.Subject, c.Audience}, "", "  ")
	if err != nil || len(text) > 1000 {
		return "the client needs a federated credential with the iss, sub and aud of the job"
	}
	return "the client needs a federated credential of the issuer, such as\n" + string(text)
}

// byOwner returns an error that the owner of the tenant acts on.
func (p probe) byOwner(code fault.Code, what, next string, r *oauth.Refusal) error {
	return p.tell(code, what, next, r).With("who acts", "the owner of the client in Entra ID (not the pipeline)")
}

// tell returns an error with what is known of the case.
func (p probe) tell(code fault.Code, what, next string, r *oauth.Refusal) *fault.Error {
	e := fault.New(code, errors.New(what), next)
	e.Answer = fault.Answer{Code: wordOf(r), Request: r.Request}
	if r.Request != "" {
		e.Trace = "Entra correlation id " + r.Request
	}
	return e.With("client", p.Client).With("tenant", p.Tenant).With("this job", p.token.Claims.Told())
}
