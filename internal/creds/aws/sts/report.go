package sts

import (
	"strings"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
)

// Report returns what the job log shows of a session that has those facts.
func (Provider) Report(facts creds.Facts) creds.Report {
	r := creds.Report{Rows: []creds.Row{{Label: "role", Value: facts.Get(aws.RoleFact)}}}
	for _, role := range strings.Fields(facts.Get(aws.ChainFact)) {
		r.Rows = append(r.Rows, creds.Row{Label: "through", Value: role})
	}
	r.Rows = append(r.Rows,
		creds.Row{Label: "session", Value: facts.Get(aws.SessionFact)},
		creds.Row{Label: "region", Value: facts.Get(aws.RegionFact)})
	_, r.Notes = aws.Tells(facts)
	return r
}
