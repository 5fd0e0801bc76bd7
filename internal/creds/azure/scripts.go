package azure

import "rolecall/internal/creds"

// Report returns what the job log shows of a credential that has those facts.
func (Provider) Report(facts creds.Facts) creds.Report {
	_, notes := tells(facts)
	return creds.Report{Rows: []creds.Row{
		{Label: "tenant", Value: facts.Get(tenantFact)},
		{Label: "client", Value: facts.Get(clientFact)},
		{Label: "subscription", Value: facts.Get(subscriptionFact)},
	}, Notes: notes}
}

// tells returns who a script is with a credential that has those facts, and what the job's author
// must know.
func tells(facts creds.Facts) (who string, notes []string) {
	who = "client " + facts.Get(clientFact) + " of tenant " + facts.Get(tenantFact)
	if facts.Get(earlyFact) != "" {
		notes = append(notes, "the ID token ends before the timeout of the job: from then on no new access token of Azure can be had")
	}
	return who, notes
}

// Scripts is Azure as far as it concerns what scripts see.
type Scripts struct{}

// Name returns the name of the provider.
func (Scripts) Name() string { return Name }

// Hides returns the variables that say who somebody is: what the host or a startup file of a
// shell says is not the job's.
func (Scripts) Hides() []string { return identities() }

// Guards returns none: no variable turns the managed identity of the host off without a
// credential. AZURE_TOKEN_CREDENTIALS of a credential does.
func (Scripts) Guards() []string { return nil }

// Settings returns none: no endpoint asks Azure.
func (Scripts) Settings() []string { return nil }

// ToolFiles returns none.
func (Scripts) ToolFiles() []creds.ToolFile { return nil }

// Tells returns who a script is, and what its author must know.
func (Scripts) Tells(facts creds.Facts) (who string, notes []string) { return tells(facts) }
