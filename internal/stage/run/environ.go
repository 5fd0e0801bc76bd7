package run

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
)

// given is what was issued to a job. It is empty for a job without a tenant.
type given struct {
	set     creds.Set
	secrets []mask.Named // must neither be printed nor uploaded
	envFile string       // path of the env file as scripts see it; empty: there is none
}

// openIssued reads what was issued to the job, and masks it in all that the stage
// prints, even if the script is the runner's.
func (r running) openIssued() (given, error) {
	if r.folder.Tenant() == "" {
		return given{}, nil
	}
	issued, known, err := r.folder.ReadAll()
	if err != nil {
		return given{}, r.unreadable(err)
	}
	secrets := issuedSecrets(known, r.Env.Request[r.folder.IDToken()])
	return given{issued, secrets, r.place.Visible(r.folder.Record().Data, r.folder.Path())}, r.Mask(secrets...)
}

// unreadable returns the error that the driver's own copy cannot be read. A job of the
// driver's user may have changed the copy; a job of another user cannot.
func (r running) unreadable(err error) error {
	if r.folder.Record().Owner != nil {
		return fmt.Errorf("the credentials of tenant %q: %w", r.folder.Tenant(), err)
	}
	return fault.New(fault.Author, fmt.Errorf("the credentials of tenant %q cannot be read: %w", r.folder.Tenant(), err),
		"do not remove or change their file in a script")
}

// issuedSecrets returns the secrets that were issued, and the ID token that they were
// issued for. The runner passes the same variables to each stage, so it is the token
// that prepare has verified.
func issuedSecrets(issued []mask.Named, token string) []mask.Named {
	return append(slices.Clone(issued), mask.Named{Kind: "ID token", Value: mask.NewSecret(strings.TrimSuffix(token, "\n"))})
}

// visible returns the service's environment without the variables that providers hide
// from scripts.
func (p Parts) visible(service []string) []string {
	return slices.DeleteFunc(slices.Clone(service), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(p.Providers, func(one Provider) bool { return one.Hides(name) })
	})
}

// environ returns the environment of a stage's script: the clean environment, and for a
// script of the user also the credentials.
func (p Parts) environ(stage job.StageName, clean []string, g given) []string {
	if g.envFile == "" || !stage.IsUserScript() {
		return clean
	}
	env := slices.Concat(clean, g.set.Environ())
	for _, one := range p.Providers {
		env = append(env, one.Guards()...)
	}
	if expires := g.set.Expires(); !expires.IsZero() {
		env = append(env, job.ExpiresVariable+"="+expires.UTC().Format(time.RFC3339))
	}
	return append(env, job.EnvFileVariable+"="+g.envFile)
}
