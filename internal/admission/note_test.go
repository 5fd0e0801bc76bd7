package admission_test

import (
	"slices"
	"strings"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestNotes: what the author of a job is told that is not refused. What the job has chosen
// is quoted and cut.
func TestNotes(t *testing.T) {
	t.Parallel()
	const containers = "this runner has no containers and does not use "
	const host = ": scripts run on its host"
	long, evil := strings.Repeat("x", 300), "a\x1b[31m\nb"
	for name, test := range map[string]struct {
		request  job.Request
		image    string
		services []string
		want     []admission.Note
	}{
		"nothing": {job.Request{"TENANT": "alpha"}, "", nil, nil},
		"another role": {
			job.Request{"ROLE_ARN": "arn:aws:iam::111122223333:role/b"},
			"", nil,
			[]admission.Note{{Text: `ROLE_ARN is not used: the runner's policy file names the role "a"`, Warn: true}},
		},
		"no tenant": {
			job.Request{"GITLAB_OIDC_TOKEN": "feature/x"},
			"", nil,
			[]admission.Note{{Text: `this job has no tenant and no credentials: no tenant of this runner allows this job (project "acme/deploy", ref "feature/x" (branch, protected))`}},
		},
		"no tenant, and an image": {
			job.Request{"TENANT": ""},
			evil, nil,
			[]admission.Note{{Text: "this job has no tenant and no credentials: the job's variable TENANT is empty"}, {containers + `image: "a\x1b[31m\nb"` + host, true}},
		},
		"services": {nil, "", []string{"postgres:16", long}, []admission.Note{{containers + `services: "postgres:16", "` + long[:80] + `"…` + host, true}}},
		"both": {
			nil, "alpine", slices.Repeat([]string{"b"}, 7),
			[]admission.Note{{containers + `image: "alpine" and services: "b", "b", "b", "b", "b" and 2 more` + host, true}},
		},
	} {
		c := newCase(t, test.request)
		c.Response.Image, c.Response.Services = job.Container{Name: test.image}, servicesOf(test.services)
		if test.want != nil && !test.want[0].Warn {
			c.WorkDir = "/b/none/protected/x"
		}
		d, err := admission.Decide(c)
		kit.Must(t, err)
		if !slices.Equal(d.Notes, test.want) {
			t.Errorf("%s: the author is told %+v, want %+v", name, d.Notes, test.want)
		}
	}
}

// servicesOf returns services of those images.
func servicesOf(names []string) []job.Container {
	var all []job.Container
	for _, name := range names {
		all = append(all, job.Container{Name: name})
	}
	return all
}

// TestServicesRefused: with unused_services = "refuse" a job with services is refused, also
// one of no tenant; a job with an image alone is not.
func TestServicesRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request  job.Request
		services []string
		want     string
	}{
		"a tenant's": {job.Request{"TENANT": "alpha"}, []string{"b"}, "this runner starts no services"},
		"of none":    {job.Request{"GITLAB_OIDC_TOKEN": ""}, []string{"b"}, "this runner starts no services"},
		"an image":   {job.Request{"TENANT": "alpha"}, nil, ""},
	} {
		c := newCase(t, test.request)
		c.Policy, c.Response.Services, c.WorkDir = compile(t, "unused_services = \"refuse\"\n"+policy), servicesOf(test.services), ""
		c.Response.Image.Name = "a"
		d, err := admission.Decide(c)
		if (err == nil) != (test.want == "") || err != nil && (!strings.HasPrefix(err.Error(), test.want) || d.Notes != nil) {
			t.Errorf("%s: %+v, %v, want %q", name, d.Notes, err, test.want)
		}
	}
}

// TestSteps: a job with run: is refused, with a tenant, without one and without a policy file.
// Where steps are allowed, its author learns which program GitLab Runner starts.
func TestSteps(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]job.Request{"a tenant's": {"TENANT": "alpha"}, "of none": {"TENANT": "", "GITLAB_OIDC_TOKEN": ""}} {
		c := newCase(t, request)
		c.Response.Steps = true
		if name == "of none" {
			c.Policy = nil
		}
		if d, err := admission.Decide(c); fault.CodeOf(err) != fault.Steps || d.Notes != nil {
			t.Errorf("%s: %+v, error %v", name, d.Notes, err)
		}
	}
	c := newCase(t, nil)
	c.Policy, c.WorkDir, c.Response.Steps = compile(t, "steps = \"allow\"\n"+policy), "", true
	d, err := admission.Decide(c)
	kit.Must(t, err)
	if len(d.Notes) != 1 || !d.Notes[0].Warn || !strings.HasPrefix(d.Notes[0].Text, "this job has run: and no script:, so GitLab Runner starts the program step-runner") {
		t.Errorf("the author is told %+v", d.Notes)
	}
}
