package broker_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestCredentials: a token gets the credential of its tenant, and of its sources, by one call of
// STS each, however many ask. The audit log has them.
func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() { w.ask("/v1/aws/alpha", token).keyOf(t) })
	}
	asking.Wait()
	own := w.ask("/v1/aws/alpha", token).keyOf(t)
	if n := len(w.sts.Requests()); n != 1 {
		t.Errorf("STS was asked %d times, want once", n)
	}
	if source := w.ask("/v1/aws/alpha/audit", token).keyOf(t); source == own {
		t.Errorf("a source has the key of the tenant itself")
	}
	w.ask("/v1/aws", token).keyOf(t)
	w.ask("/v1/aws/alpha", w.token(8, nil)).keyOf(t)
	w.ask("/v1/aws/beta", w.token(9, map[string]any{"project_path": "acme/other", "job_project_path": "acme/other"})).keyOf(t)
	var roles []string
	for _, r := range w.sts.Requests() {
		roles = append(roles, r.Form.Get("RoleArn")+" "+r.Form.Get("RoleSessionName"))
	}
	const deploy, reader = "arn:aws:iam::111122223333:role/deploy-", "arn:aws:iam::444455556666:role/reader "
	want := []string{deploy + "alpha GitLabRunner-42-9-7", reader + "GitLabRunner-42-9-7", deploy + "alpha GitLabRunner-42-9-7", deploy + "alpha GitLabRunner-42-9-8", deploy + "beta GitLabRunner-42-9-9"}
	if !slices.Equal(roles, want) {
		t.Errorf("STS was asked for %q", roles)
	}
	events := w.audited()
	want = []string{"decision alpha", "issued alpha", "decision alpha", "issued alpha audit", "decision alpha", "issued alpha", "decision alpha", "issued alpha", "decision beta", "issued beta"}
	if !slices.Equal(events, want) {
		t.Errorf("the audit log has %q", events)
	}
}

// TestAdminsError: what the admin has set up wrongly is not the job's fault: SDKs try again.
func TestAdminsError(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(strings.Replace(tenants, "refs =", "session_policy_file = \"/none/policy.json\"\nrefs =", 1))
	r := w.ask("/v1/aws/alpha", w.token(7, nil))
	r.refused(t, "no session policy", 500, "RC303", "session_policy_file: ")
	if r.header.Get("Retry-After") != "1" {
		t.Errorf("%v", r.header)
	}
}
