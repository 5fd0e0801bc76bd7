package gcp

import (
	"strings"

	"rolecall/internal/creds"
)

// Report returns what the job log shows of a credential that has those facts.
func (Provider) Report(facts creds.Facts) creds.Report {
	_, notes := tells(facts)
	return creds.Report{Rows: []creds.Row{
		{Label: "provider", Value: facts.Get(poolFact)},
		{Label: "account", Value: facts.Get(accountFact)},
		{Label: "project", Value: facts.Get(projectFact)},
	}, Notes: notes}
}

// tells returns who a script is with a credential that has those facts, and what the job's author
// must know.
func tells(facts creds.Facts) (who string, notes []string) {
	parts := []string{"service account " + facts.Get(accountFact)}
	if facts.Get(accountFact) == "" {
		_, pool, _ := strings.Cut(facts.Get(poolFact), "/workloadIdentityPools/")
		parts = []string{"pool " + strings.Replace(pool, "/providers/", ", provider ", 1)}
	}
	if project := facts.Get(projectFact); project != "" {
		parts = append(parts, "project "+project)
	}
	if facts.Get(earlyFact) != "" {
		notes = append(notes, "the ID token ends before the timeout of the job: from then on no new access token of Google Cloud can be had")
	}
	return strings.Join(parts, ", "), notes
}

// Scripts is Google Cloud as far as it concerns what scripts see.
type Scripts struct{}

// Name returns the name of the provider.
func (Scripts) Name() string { return Name }

// Hides returns the variables that say who somebody is: what the host or a startup file of a
// shell says is not the job's.
func (Scripts) Hides() []string { return identities() }

// Guards returns the variables that keep libraries and tools from using the service account of
// the host, as far as they have one. Google's libraries for Go and Python have none.
//
// https://cloud.google.com/java/docs/reference/google-auth-library/latest/com.google.auth.oauth2.GoogleCredentials
// https://github.com/googleapis/gcp-metadata#environment-variables
func (Scripts) Guards() []string { return []string{metadataOff, metadataOffJava, metadataOffNode} }

// Settings returns none: no endpoint asks Google.
func (Scripts) Settings() []string { return nil }

// ToolFiles returns none.
func (Scripts) ToolFiles() []creds.ToolFile { return nil }

// Tells returns who a script is, and what its author must know.
func (Scripts) Tells(facts creds.Facts) (who string, notes []string) { return tells(facts) }
