package admission_test

import (
	"errors"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// TestSuspended: whoever names the tenant, the policy file or the job, a suspended one is refused
// before anything else about the job is looked at. A job without a tenant is not asked for.
func TestSuspended(t *testing.T) {
	t.Parallel()
	none := newCase(t, job.Request{"GITLAB_OIDC_TOKEN": ""})
	none.WorkDir = "/b/none/protected/acme/deploy.tmp"
	astray := newCase(t, nil)
	astray.WorkDir = "/elsewhere"
	byJob := newCase(t, job.Request{"TENANT": "alpha"})
	byJob.Policy, byJob.NoRoot = nil, errors.New("root")
	noneByJob := newCase(t, job.Request{"GITLAB_OIDC_TOKEN": ""})
	noneByJob.Policy = nil
	for name, test := range map[string]struct {
		c    admission.Case
		asks bool
	}{
		"by policy": {newCase(t, nil), true}, "by policy, astray": {astray, true}, "by policy, none": {none, false},
		"by the job": {byJob, true}, "by the job, none": {noneByJob, false},
	} {
		asked := false
		test.c.Suspended = func(tenant string) error {
			asked = tenant == "alpha"
			return fault.New(fault.Suspended, errors.New("no"), "")
		}
		d, err := admission.Decide(test.c)
		if refused := fault.CodeOf(err) == fault.Suspended; asked != test.asks || refused != test.asks || err != nil && !refused || len(d.Orders) > 0 {
			t.Errorf("%s: asked %v, %v, orders %v", name, asked, err, d.Orders)
		}
	}
}
