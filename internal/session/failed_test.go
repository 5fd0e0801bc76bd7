package session_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestFailed: that an allowed job gets nothing is told with what AWS has answered, and
// without a secret; of a job without a tenant nothing is.
func TestFailed(t *testing.T) {
	t.Parallel()
	path := newLog(t)
	denied := fault.New(fault.AccessDenied, errors.New("no role for "+secret), "")
	denied.Answer = fault.Answer{Code: "AccessDenied", Request: "4d7d"}
	kit.Must(t, opened(t, newCase(t, path, aws())).Failed(denied))
	want := of(audit.Event{
		Event: audit.Failed, Code: fault.AccessDenied, Side: fault.Account, Reason: "no role for [MASKED]", Tenant: "alpha",
		ErrorCode: "AccessDenied", RequestID: "4d7d", RoleARN: "arn:role", RoleSessionName: "session-of-aws",
	}, "main", "branch")
	if diff := cmp.Diff(want, lines(t, path)[1]); diff != "" {
		t.Errorf("the audit log differs:\n%s", diff)
	}
	failing := vault()
	failing.err = denied
	path = newLog(t)
	s := opened(t, newCase(t, path, aws(), failing))
	_, err := s.Issue(t.Context(), issuers(aws(), failing), nil)
	kit.Must(t, s.Failed(err))
	if got := lines(t, path); len(got) != 3 || got[2].Provider != "vault" || got[2].DurationMS == 0 || got[2].Event != audit.Failed {
		t.Errorf("the server that has failed is not named: %+v", got)
	}
	none := newCase(t, newLog(t), aws())
	delete(none.Request, "TOKEN")
	kit.Must(t, opened(t, none).Failed(denied))
	if got := lines(t, none.Policy.Settings().AuditLog); got != nil {
		t.Errorf("without a tenant: %+v", got)
	}
}
