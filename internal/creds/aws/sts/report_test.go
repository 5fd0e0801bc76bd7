package sts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/sts"
)

// TestReport: the job log shows role, session and region, and that a session is shorter
// than it was wanted.
func TestReport(t *testing.T) {
	t.Parallel()
	const note = "the role does not allow sessions of 2h0m0s: raise its maximum session duration if the job needs longer"
	facts := creds.Facts{{Name: "access_key_id", Value: "AKIA"}, {Name: "region", Value: "eu-west-1"}, {Name: "role_session_name", Value: "GitLabRunner-1-2-3"}, {Name: "role_arn", Value: role}}
	for name, test := range map[string]struct {
		facts creds.Facts
		want  creds.Report
	}{
		"all":       {facts, creds.Report{Rows: []creds.Row{{Label: "role", Value: role}, {Label: "session", Value: "GitLabRunner-1-2-3"}, {Label: "region", Value: "eu-west-1"}}}},
		"no region": {facts[2:], creds.Report{Rows: []creds.Row{{Label: "role", Value: role}, {Label: "session", Value: "GitLabRunner-1-2-3"}, {Label: "region"}}}},
		"shortened": {creds.Facts{{Name: "shortened_duration", Value: "2h0m0s"}}, creds.Report{Rows: []creds.Row{{Label: "role"}, {Label: "session"}, {Label: "region"}}, Notes: []string{note}}},
	} {
		if diff := cmp.Diff(test.want, sts.NewProvider().Report(test.facts)); diff != "" {
			t.Errorf("%s: the report differs (- wanted, + got):\n%s", name, diff)
		}
	}
}
