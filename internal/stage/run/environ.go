package run

import (
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
)

// given is what was issued to a job. It is empty for a job of no tenant.
type given struct {
	set     creds.Set
	secrets []mask.Named // all that must not be printed or uploaded
	envFile string       // where scripts see the env file; empty: there is none
}

// open reads what was issued to the job, and masks it in all that the stage prints,
// whosever script it is.
func (r running) open() (given, error) {
	if r.folder.Tenant() == "" {
		return given{}, nil
	}
	issued, known, err := r.folder.ReadAll()
	if err != nil && r.folder.Record().Owner == nil { // another user's job cannot have done it
		return given{}, fault.New(fault.Author, fmt.Errorf("the credentials of tenant %q cannot be read: %w", r.folder.Tenant(), err),
			"do not remove or change their file in a script")
	}
	if err != nil {
		return given{}, fmt.Errorf("the credentials of tenant %q: %w", r.folder.Tenant(), err)
	}
	secrets := issuedSecrets(known, r.Env.Request[r.folder.IDToken()])
	return given{issued, secrets, r.place.Visible(r.folder.Record().Data, r.folder.Path())}, r.Mask(secrets...)
}

// issuedSecrets returns what was issued and the ID token that it came from. It is
// the one that prepare has found to be of this job: the runner passes the same
// variables to each stage.
func issuedSecrets(issued []mask.Named, token string) []mask.Named {
	return append(slices.Clone(issued), mask.Named{Kind: "ID token", Value: mask.NewSecret(strings.TrimSuffix(token, "\n"))})
}

// visible returns the service's environment without what the providers hide from
// scripts.
func (p Parts) visible(service []string) []string {
	return slices.DeleteFunc(slices.Clone(service), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(p.Providers, func(one Provider) bool { return one.Hides(name) })
	})
}

// environ returns the environment of the script of a stage: the clean one, and for a
// script of the user what was given to the job.
func (p Parts) environ(stage job.StageName, clean []string, g given) []string {
	if g.envFile == "" || !stage.IsUserScript() {
		return clean
	}
	env := slices.Concat(clean, g.set.Environ())
	for _, one := range p.Providers {
		env = append(env, one.Guards()...)
	}
	return append(env, job.EnvFileVariable+"="+g.envFile)
}
