package session_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/image"
	"rolecall/internal/job"
	"rolecall/internal/session"
	"rolecall/internal/tenant"
)

// TestOpenContainers: the line of a decision has the image and the services, and the rule
// that refuses one of them, also of a job without a tenant.
func TestOpenContainers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		token    bool
		services int
		want     audit.Event
	}{
		"allowed": {true, 1, audit.Event{Event: audit.Decision, Allowed: new(true), Tenant: "alpha", Rule: "projects acme/deploy; ref_types branch"}},
		"refused": {true, 12, audit.Event{
			Event: audit.Decision, Allowed: new(false), Code: fault.ImageRefused, Side: fault.Author, Tenant: "alpha", Rule: "max_services",
			Reason: `tenant "alpha" refuses the services of this job: rule max_services: there are 12, and at most 5 are allowed`,
		}},
		"of no tenant": {false, 12, audit.Event{
			Event: audit.Decision, Allowed: new(false), Code: fault.ImageRefused, Side: fault.Author, Rule: "images",
			Reason: "this runner refuses the image of this job: rule images: r.example.com/a:1 is not among the images",
		}},
	} {
		path := newLog(t)
		c := newCase(t, path)
		if !test.token {
			delete(c.Request, "TOKEN")
		}
		of := c.Policy.Tenants()
		of[0].Images, of[0].RunAs = image.Rules{Images: []image.Pattern{"**"}, Services: []image.Pattern{"**"}}, "ci"
		settings := c.Policy.Settings()
		settings.Containers, settings.RunAs = tenant.PodmanContainers(), "ci-none"
		c.Policy = tenant.NewPolicy(settings, of, "5f37")
		c.ReadImages = func(job.Response, job.Request) (image.Request, error) {
			q := image.Request{Image: backend.Image{Name: "r.example.com/a:1"}}
			for range test.services {
				q.Services = append(q.Services, backend.Service{Image: backend.Image{Name: "r.example.com/s:1"}})
			}
			return q, nil
		}
		s, err := session.Open(c, voice(t))
		if (err == nil) != *test.want.Allowed || err == nil && s.Containers == nil {
			t.Errorf("%s: %+v, %v", name, s.Decision, err)
		}
		got := lines(t, path)
		test.want.Image = "r.example.com/a:1"
		for range min(test.services, 10) {
			test.want.Services = append(test.want.Services, "r.example.com/s:1")
		}
		if len(got) != 1 {
			t.Errorf("%s: %d lines, want one", name, len(got))
			continue
		}
		if diff := cmp.Diff(decision(test.want), decision(got[0])); diff != "" {
			t.Errorf("%s: the audit log differs:\n%s", name, diff)
		}
	}
}

// decision returns what an event says of a decision, without the job.
func decision(e audit.Event) audit.Event {
	return audit.Event{Event: e.Event, Allowed: e.Allowed, Code: e.Code, Side: e.Side, Tenant: e.Tenant, Rule: e.Rule, Reason: e.Reason, Image: e.Image, Services: e.Services}
}
