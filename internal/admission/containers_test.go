package admission_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/image"
	"rolecall/internal/image/request"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/tenant"
	"rolecall/test/kit"
)

// alpine is an image that boxes allows.
const alpine = "docker.io/library/alpine:3"

// boxes is a policy file with containers, in which alpha has rules of its own.
const boxes = `builds_dir = "/b"
cache_dir = "/c"
run_as = "ci-none"
[gitlab]
issuer = "https://gitlab.example.com"
[containers]
engine = "podman"
max_services = 2
[defaults]
role_arn = "arn:aws:iam::111122223333:role/a"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
images = ["docker.io/library/busybox:*"]
[[tenant]]
name = "alpha"
run_as = "ci-alpha"
images = ["docker.io/library/alpine:*", "r.example.com/**"]
services = ["docker.io/library/postgres:*"]
pull_policies = ["if-not-present", "always"]
image_users = ["", "1000"]
`

// boxed returns the case of a job of alpha with an image and services.
func boxed(t *testing.T, image string, services ...string) admission.Case {
	t.Helper()
	c := newCase(t, nil)
	c.Policy, c.ReadImages, c.WorkDir = compile(t, boxes), request.Read, ""
	c.Response.Image, c.Response.Services = job.Container{Name: image}, servicesOf(services)
	return c
}

// TestContainers: what a job gets of containers.
func TestContainers(t *testing.T) {
	t.Parallel()
	engine := backend.Engine{Name: "podman", ImagesDir: "/var/lib/rolecall/images", Network: "host", PullTime: 10 * time.Minute, WaitForServices: 30 * time.Second}
	first := []backend.PullPolicy{"if-not-present"}
	box := func(name string) *backend.Containers {
		return &backend.Containers{Image: backend.Image{Name: name, Policies: first}, Engine: engine}
	}
	c := boxed(t, "alpine:3", "postgres")
	c.Response.Image.Entrypoint, c.Response.Image.PullPolicies, c.Response.Image.User = []string{""}, []string{"always"}, "1000"
	want := box(alpine)
	want.Image.HasEntry, want.Image.Policies, want.Image.User = true, []backend.PullPolicy{"always"}, "1000"
	want.Services = []backend.Service{{Image: backend.Image{Name: "docker.io/library/postgres:latest", Policies: first}, Aliases: []string{"postgres"}}}
	overridden := boxed(t, "alpine:3")
	overridden.Request["CI_JOB_IMAGE"], overridden.Request["CI_JOB_SERVICES"] = "evil.org/x:1", `[{"name":"evil.org/x"}]`
	standard := boxed(t, "")
	standard.Policy = compile(t, strings.Replace(boxes, "max_services", "default_image = \"r.example.org/base:1\"\nmax_services", 1))
	none := boxed(t, "busybox")
	none.Request = job.Request{}
	ofNone := box("docker.io/library/busybox:latest")
	ofNone.Image.Policies = []backend.PullPolicy{"always"}
	idle := boxed(t, "evil")
	idle.ReadImages = nil
	for name, test := range map[string]struct {
		c    admission.Case
		want *backend.Containers
	}{
		"all":                      {c, want},
		"variables change nothing": {overridden, box(alpine)},
		"no image":                 {boxed(t, ""), nil},
		"that of the policy file":  {standard, box("r.example.org/base:1")},
		"of no tenant":             {none, ofNone},
		"of a program that only asks for the folder": {idle, nil},
	} {
		d, err := admission.Decide(test.c)
		kit.Must(t, err)
		if diff := cmp.Diff(test.want, d.Containers); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if d.Notes != nil {
			t.Errorf("%s: the author is told %+v", name, d.Notes)
		}
	}
}

// TestContainersRefused: each is refused on the side of who can act, by its rule, in those
// words, and gets nothing.
func TestContainersRefused(t *testing.T) {
	t.Parallel()
	for want, test := range map[string]struct {
		c    admission.Case
		code fault.Code
		rule string
	}{
		`tenant "alpha" refuses the image of this job: rule images: docker.io/library/busybox:latest is not among the images; choose one that is, or ask the runner's admin`: {boxed(t, "busybox"), fault.ImageRefused, "images"},
		`this runner refuses the image of this job: rule images: docker.io/library/alpine:latest is not among the images; `:                                                  {with(boxed(t, "alpine"), func(c *admission.Case) { c.Request = job.Request{} }), fault.ImageRefused, "images"},
		`tenant "alpha" refuses a service of this job: rule services: docker.io/library/redis:7 is not among the services; `:                                                 {boxed(t, "alpine:3", "postgres", "redis:7"), fault.ImageRefused, "services"},
		`tenant "alpha" refuses docker:user of this job: rule image_users: "0" of ` + alpine + ` is not among the image_users; correct docker:user, or ask`:                  {with(boxed(t, "alpine:3"), func(c *admission.Case) { c.Response.Image.User = "0" }), fault.ImageRefused, "image_users"},
		`tenant "alpha" refuses pull_policy of this job: rule pull_policies: "never" of ` + alpine + ` is not among the pull_policies; correct pull_policy`:                  {with(boxed(t, "alpine:3"), func(c *admission.Case) { c.Response.Image.PullPolicies = []string{"always", "never"} }), fault.ImageRefused, "pull_policies"},
		`tenant "alpha" refuses an image of this job without a digest: rule digest_only: ` + alpine + ` has none; write NAME@sha256:DIGEST, or ask`: {with(boxed(t, "alpine:3"), func(c *admission.Case) {
			c.Policy = compile(t, boxes+"digest_only = true\n")
		}), fault.ImageRefused, "digest_only"},
		`tenant "alpha" refuses the services of this job: rule max_services: there are 3, and at most 2 are allowed; remove some of services:, or ask`: {boxed(t, "alpine:3", "postgres", "postgres", "postgres"), fault.ImageRefused, "max_services"},
		`tenant "alpha" refuses this job without an image: rule require_image: the scripts of each job run in a container; set image: in the job, or ask`: {with(boxed(t, ""), func(c *admission.Case) {
			c.Policy = compile(t, strings.Replace(boxes, "max_services", "require_image = true\nmax_services", 1))
		}), fault.ImageRefused, "require_image"},
		`the job has services and no image: its scripts would run on the runner's host`: {boxed(t, "", "postgres"), fault.BadImage, ""},
		`image: this is not the name of an image: "-v/:/x": it has not the form`:        {boxed(t, "-v/:/x"), fault.BadImage, ""},
		`image: this is not the name of an image: "a b": it has not the form`:           {boxed(t, "a b"), fault.BadImage, ""},
		`services: this is not the name of an image: "--privileged": it has not`:        {boxed(t, "alpine:3", "--privileged"), fault.BadImage, ""},
		`image: kubernetes:user is of another executor; write docker:user: ` + alpine:   {with(boxed(t, "alpine:3"), func(c *admission.Case) { c.Response.Image.OtherUser = "7" }), fault.BadImage, ""},
		`image: docker:platform "x": want such as linux/arm64: ` + alpine:               {with(boxed(t, "alpine:3"), func(c *admission.Case) { c.Response.Image.Platform = "x" }), fault.BadImage, ""},
		`this job has no unix user, and the containers of a job belong to one; set run_as`: {with(boxed(t, "alpine:3"), func(c *admission.Case) {
			c.Policy = compile(t, strings.Replace(boxes, "run_as = \"ci-alpha\"\n", "", 1))
		}), fault.RootContainer, ""},
		`the runner is a user`: {with(boxed(t, "alpine:3"), func(c *admission.Case) {
			c.NoContainers = fault.New(fault.RootContainer, errors.New("the runner is a user"), "")
		}), fault.RootContainer, ""},
		`default_image: image: this is not the name of an image (`: {with(boxed(t, ""), func(c *admission.Case) {
			c.Policy = compile(t, strings.Replace(boxes, "max_services", "default_image = \"r.example.org/a..b:1\"\nmax_services", 1))
		}), fault.BadPolicy, ""},
	} {
		d, err := refused(t, want, test.c)
		refusal, _ := errors.AsType[*tenant.Refusal](err)
		switch {
		case !strings.HasPrefix(err.Error(), want) || err.Code != test.code:
			t.Errorf("%s: %v, want %s: %s", err.Code, err, test.code, want)
		case test.rule != "" && (refusal == nil || refusal.Rule != test.rule || refusal.Tenant != d.Grant.Tenant):
			t.Errorf("%s: %+v, want rule %s of %q", want, refusal, test.rule, d.Grant.Tenant)
		case d.Containers != nil || d.Orders != nil || d.Notes != nil:
			t.Errorf("%s: it gets %+v, %+v", want, d.Containers, d.Orders)
		}
		if text := fmt.Sprint(d.Asked, d.Logins); strings.Contains(text, "secret") {
			t.Errorf("%s: %s", want, text)
		}
	}
}

// with changes a case.
func with(c admission.Case, change func(*admission.Case)) admission.Case {
	change(&c)
	return c
}

// TestAllowedIsTold: the author sees what the rule would allow.
func TestAllowedIsTold(t *testing.T) {
	t.Parallel()
	_, err := admission.Decide(boxed(t, "busybox"))
	if diff := cmp.Diff([]fault.Row{{Label: "rule", Text: "docker.io/library/busybox:latest is not among the images", Detail: true}, {Label: "allowed", Text: "docker.io/library/alpine:*, r.example.com/**"}}, fault.Rows(err)); diff != "" {
		t.Error(diff)
	}
}

// TestFirstContainers: who the job is comes before its containers, and its containers come
// before what is ordered of servers for it.
func TestFirstContainers(t *testing.T) {
	t.Parallel()
	c := boxed(t, "busybox")
	c.Request["AWS_REGION"] = "EU"
	if _, err := admission.Decide(c); fault.CodeOf(err) != fault.ImageRefused {
		t.Errorf("an image and a region: %v", err)
	}
	c.NotAs = func(string) error { return noRoot() }
	if _, err := admission.Decide(c); err == nil || err.Error() != "no root" {
		t.Errorf("a user and an image: %v", err)
	}
}

// TestLogins: the job's own login is used; that of a variable only if the policy file says
// so, and then it wins.
func TestLogins(t *testing.T) {
	t.Parallel()
	const config = `{"auths":{"r.example.com":{"username":"a","password":"secret"},"evil.org":{"username":"a","password":"secret"}}}`
	for name, test := range map[string]struct {
		keys, image, config string
		want                string
		note                string
	}{
		"the job's":               {"", "r.example.com/a:1", "", "r.example.com job's, of the job", ""},
		"another registry":        {"", "alpine:3", config, "", ""},
		"of the variable, denied": {"", "r.example.com/a:1", config, "r.example.com job's, of the job", "DOCKER_AUTH_CONFIG is not used: the policy file of this runner does not allow it"},
		"of the variable":         {"docker_auth_config = true\n", "r.example.com/a:1", config, "r.example.com secret, of DOCKER_AUTH_CONFIG", ""},
		"a broken variable":       {"docker_auth_config = true\n", "r.example.com/a:1", "secret", "r.example.com job's, of the job", "DOCKER_AUTH_CONFIG is not used: it is not the JSON of docker's config.json"},
		"no image":                {"docker_auth_config = true\n", "", "secret", "", ""},
	} {
		c := boxed(t, test.image)
		c.Policy, c.Request["DOCKER_AUTH_CONFIG"] = compile(t, boxes+test.keys), test.config
		c.Response.Logins = []job.Login{{URL: "r.example.com", Username: "u", Password: mask.NewSecret("job's")}}
		d, err := admission.Decide(c)
		kit.Must(t, err)
		var got string
		for _, l := range d.Logins {
			got += l.Host + " " + l.Password.Reveal() + ", of " + l.Source
		}
		var notes string
		for _, n := range d.Notes {
			notes += n.Text
		}
		if got != test.want || notes != test.note || d.Asked.Logins != nil {
			t.Errorf("%s: %q and %q, want %q and %q", name, got, notes, test.want, test.note)
		}
	}
}

// TestWarnings: what an author must know of services is a warning.
func TestWarnings(t *testing.T) {
	t.Parallel()
	d, err := admission.Decide(boxed(t, "alpine:3", "postgres:16", "postgres:17"))
	kit.Must(t, err)
	want := []admission.Note{{Text: "service docker.io/library/postgres:17 has no alias postgres: another service has it", Warn: true}}
	if diff := cmp.Diff(want, d.Notes); diff != "" {
		t.Error(diff)
	}
}

// TestChecks: what each rule says of a job is there for explain.
func TestChecks(t *testing.T) {
	t.Parallel()
	d, _ := admission.Decide(boxed(t, "busybox"))
	want := image.Check{
		Rule: "images", Want: "docker.io/library/alpine:*, r.example.com/**", Got: "docker.io/library/busybox:latest",
		Refuses: "the image of this job", Why: "docker.io/library/busybox:latest is not among the images", Allowed: "docker.io/library/alpine:*, r.example.com/**", Next: "choose one that is",
	}
	if len(d.Checks) != 6 || !cmp.Equal(d.Checks[0], want) {
		t.Errorf("%+v", d.Checks)
	}
}
