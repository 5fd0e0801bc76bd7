package sts

import (
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
)

// Report returns what the job log shows of a session that has those facts.
func (Provider) Report(facts creds.Facts) creds.Report {
	r := creds.Report{Rows: []creds.Row{
		{Label: "role", Value: facts.Get(aws.RoleFact)},
		{Label: "session", Value: facts.Get(aws.SessionFact)},
		{Label: "region", Value: facts.Get(aws.RegionFact)},
	}}
	_, r.Notes = aws.Tells(facts)
	return r
}
