package admission_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// tenantName is a name that is right.
func tenantName(text string) tenant.Name { return tenant.Name(text) }

// toy is a provider whose orders are texts, or fail.
type toy struct {
	name, winning string // the variable that would win
	byJob         any
	err           error // of ByJob
	order         error
}

func (p toy) Name() string                   { return p.name }
func (p toy) Overrides(variable string) bool { return variable == p.winning }

func (p toy) ByJob(admission.Asker) (any, error) { return p.byJob, p.err }

func (p toy) Order(a admission.Asker) (creds.Order, error) {
	return creds.Order{Provider: p.name, Session: fmt.Sprintf("%s %v %v", a.Tenant, a.Settings, a.Server)}, p.order
}

// step is a step of a decision: what breaks it, and what the error then says.
type step struct {
	name   string
	spoil  func(*admission.Case)
	side   fault.Side
	want   string
	tenant tenant.Name // what is known of the job's tenant by then
	ref    string      // and of its token's claims
}

// checkOrder breaks each step alone, then with all that come after it: the error is
// that of the first.
func checkOrder(t *testing.T, newCase func() admission.Case, steps []step) {
	t.Helper()
	if d, err := admission.Decide(newCase()); err != nil || d.Grant.Tenant != "alpha" || len(d.Orders) != 1 || d.Token.Claims.Ref != "one" {
		t.Fatalf("the job that nothing is wrong with: %+v, %v", d, err)
	}
	for i, s := range steps {
		for _, broken := range [][]step{steps[i : i+1], steps[i:]} {
			c := newCase()
			for j := len(broken) - 1; j >= 0; j-- {
				broken[j].spoil(&c)
			}
			name := fmt.Sprintf("%s, with %d steps broken", s.name, len(broken))
			d, err := refused(t, name, c)
			joined := len(broken) > 1 && s.name == "the folder" // with that about the user
			if err.Code.Side() != s.side && !joined || !strings.HasPrefix(err.Error(), s.want) {
				t.Errorf("%s: %v: %v, want %v: %q", name, err.Code.Side(), err, s.side, s.want)
			}
			if d.Grant.Tenant != s.tenant || d.Claims.Ref != s.ref {
				t.Errorf("%s: beside the error are tenant %q and ref %q, want %q and %q", name, d.Grant.Tenant, d.Claims.Ref, s.tenant, s.ref)
			}
		}
	}
}

// TestOrderByPolicy: the steps of a decision by a policy file, each of which refuses.
func TestOrderByPolicy(t *testing.T) {
	t.Parallel()
	checkOrder(t, func() admission.Case { return newCase(t, job.Request{"TENANT": "alpha"}) }, []step{
		{"two values of the token", func(c *admission.Case) {
			vary(c, "GITLAB_OIDC_TOKEN", "one", c.Request["GITLAB_OIDC_TOKEN"])
			vary(c, "GITLAB_OIDC_TOKEN", "two", c.Request["GITLAB_OIDC_TOKEN"])
		}, fault.Author, "GITLAB_OIDC_TOKEN has two different values", "", ""},
		{"another job's token", func(c *admission.Case) { c.Request["GITLAB_OIDC_TOKEN"] = "another job's" }, fault.Author, "GITLAB_OIDC_TOKEN is not an ID token of this job", "", "another job's"},
		{"the policy", func(c *admission.Case) { c.Request["GITLAB_OIDC_TOKEN"] = "three" }, fault.Author, `tenant "alpha" refuses this job: rule refs`, "", "three"},
		{"the folder", func(c *admission.Case) { c.WorkDir = "/b/alpha/unprotected/x" }, fault.Infrastructure, `the job works in another folder than that of its tenant: "/b/alpha/unprotected/x", and not in /b/alpha/protected/: the config stage`, "alpha", "one"},
		{"no unix user", func(c *admission.Case) { c.NoRoot = noRoot() }, fault.Admin, "no root", "alpha", "one"},
		{"services", func(c *admission.Case) {
			c.Policy, c.Response.Services = compile(t, "unused_services = \"refuse\"\n"+policy), servicesOf([]string{"postgres"})
		}, fault.Author, "this runner starts no services, and the job has some", "alpha", "one"},
		{"the order", func(c *admission.Case) { c.Request["AWS_REGION"] = "EU" }, fault.Author, `tenant "alpha": "EU" is not an AWS region`, "alpha", "one"},
		{"an override", func(c *admission.Case) { c.Request["AWS_PROFILE"] = "x" }, fault.Author, "variables of the job would override its tenant's credentials: AWS_PROFILE", "alpha", "one"},
	})
}

// TestOrderByJob: the steps of a decision without a policy file.
func TestOrderByJob(t *testing.T) {
	t.Parallel()
	checkOrder(t, func() admission.Case {
		c := newCase(t, job.Request{"TENANT": "alpha", "ROLE_ARN": "arn:aws:iam::111122223333:role/a"})
		c.Policy = nil
		return c
	}, []step{
		{"the tenant", func(c *admission.Case) { c.Request["TENANT"], c.Request["GITLAB_OIDC_TOKEN"] = "../x", "one" }, fault.Author, `TENANT is no name of a tenant: "../x"`, "", ""},
		{"no unix user", func(c *admission.Case) { c.NoRoot = noRoot() }, fault.Admin, "no root", "alpha", ""},
		{"an override", func(c *admission.Case) { c.Request["AWS_PROFILE"] = "x" }, fault.Author, "variables of the job would override", "alpha", ""},
		{"the role", func(c *admission.Case) { c.Request["ROLE_ARN"] = "x" }, fault.Author, `tenant "alpha": ROLE_ARN: "x" is not the ARN`, "alpha", ""},
		{"the order", func(c *admission.Case) { c.Request["AWS_REGION"] = "EU" }, fault.Author, `tenant "alpha": "EU" is not an AWS region`, "alpha", ""},
		{"no token", func(c *admission.Case) { c.Request["GITLAB_OIDC_TOKEN"] = "" }, fault.Author, `tenant "alpha": the job has no ID token in GITLAB_OIDC_TOKEN`, "alpha", ""},
	})
	c := newCase(t, job.Request{"TENANT": "alpha", "ROLE_ARN": "arn:aws:iam::111122223333:role/a", "GITLAB_OIDC_TOKEN": "another job's"})
	c.Policy = nil
	if d, err := refused(t, "another job's", c); !strings.HasPrefix(err.Error(), "GITLAB_OIDC_TOKEN is not an ID token of this job") || d.Claims.Ref != "another job's" {
		t.Errorf("another job's token: %v beside %+v", err, d.Claims)
	}
}

// noRoot is what a job without a unix user is refused with.
func noRoot() error { return fault.New(fault.BadPolicy, errors.New("no root"), "") }

// TestUser: only a job without a unix user is refused as root.
func TestUser(t *testing.T) {
	t.Parallel()
	c := newCase(t, job.Request{"TENANT": "alpha", "ROLE_ARN": "arn:aws:iam::111122223333:role/a"})
	c.Policy, c.NoRoot, c.RunAs = nil, noRoot(), "ci"
	if d, err := admission.Decide(c); err != nil || d.Grant.RunAs != "ci" {
		t.Errorf("a job of the user of --run-as: %+v, %v", d.Grant, err)
	}
	c.Policy = compile(t, strings.Replace(policy, "name = \"alpha\"", "name = \"alpha\"\nrun_as = \"ci-a\"", 1))
	if d, err := admission.Decide(c); err != nil || d.Grant.RunAs != "ci-a" {
		t.Errorf("a job of a tenant with a user: %+v, %v", d.Grant, err)
	}
	c.NotAs = func(user string) error { return fault.New(fault.BadUser, errors.New("not "+user), "") }
	if _, err := refused(t, "a user that the driver cannot become", c); err.Code.Side() != fault.Admin || err.Error() != "not ci-a" {
		t.Errorf("a job of a tenant with a user that the driver cannot become: %v", err)
	}
	c.Policy = nil
	if _, err := refused(t, "a user that the driver cannot become", c); err.Code.Side() != fault.Admin || err.Error() != "not ci" {
		t.Errorf("a job of a user of --run-as that the driver cannot become: %v", err)
	}
	for name, p := range map[string]*tenant.Policy{"by policy": compile(t, policy), "by job": nil} {
		c := newCase(t, job.Request{"GITLAB_OIDC_TOKEN": ""})
		c.Policy, c.NoRoot, c.WorkDir = p, noRoot(), ""
		if _, err := refused(t, name, c); err.Code.Side() != fault.Admin || err.Error() != "no root" {
			t.Errorf("%s, a job of no tenant: %v", name, err)
		}
	}
}

// TestNobody: a job that names no tenant gets nothing, whatever else it asks for.
func TestNobody(t *testing.T) {
	t.Parallel()
	c := newCase(t, job.Request{"ROLE_ARN": "x", "AWS_REGION": "EU", "AWS_PROFILE": "x", "GITLAB_OIDC_TOKEN": "another job's"})
	c.Policy = nil
	d, err := admission.Decide(c)
	if err != nil || d.Grant.Tenant != tenant.None || d.Grant.Gifts != nil || d.Orders != nil || d.Settings.Gate != tenant.Defaults().Gate {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestFolder: the folder counts where the policy file has one and the runner says
// where the job works.
func TestFolder(t *testing.T) {
	t.Parallel()
	for dir, ok := range map[string]bool{
		"": true, "/b/alpha/protected/x": true, "/b/alpha/protected/": true, "/b/alpha/protected": false, "/b/alpha/protected.tmp/x": false,
		"/b/alphabet/protected/x": false, "/b/beta/protected/x": false, "/b/none/protected/x": false, "/c/alpha/protected/x": false, "b/alpha/protected/x": false,
	} {
		c := newCase(t, job.Request{"TENANT": "alpha"})
		c.WorkDir = dir
		if d, err := admission.Decide(c); (err == nil) != ok {
			t.Errorf("a job in %q: %+v, %v", dir, d.Grant, err)
		}
	}
	c := newCase(t, job.Request{"TENANT": "alpha"})
	c.Policy, c.WorkDir = compile(t, strings.NewReplacer("builds_dir", "#", "cache_dir", "#").Replace(policy)), "/x"
	if _, err := admission.Decide(c); err != nil {
		t.Errorf("without builds_dir: %v", err)
	}
}

// TestOrders: a job gets an order of each provider that its tenant has, from that
// provider.
func TestOrders(t *testing.T) {
	t.Parallel()
	given := tenant.NewPolicy(
		tenant.Settings{Servers: []tenant.Gift{{Provider: "b", Settings: "server"}}},
		[]tenant.Tenant{{
			Name: "alpha", IDToken: "GITLAB_OIDC_TOKEN", Audience: "https://gitlab.example.com", RefTypes: []string{"branch"},
			Projects: compile(t, policy).Tenants()[0].Projects, Gifts: []tenant.Gift{{Provider: "b", Settings: 1}, {Provider: "a", Settings: 2}},
		}}, "")
	byPolicy := newCase(t, nil)
	byPolicy.Policy = given
	byJob := newCase(t, job.Request{"TENANT": "alpha"})
	byJob.Policy = nil
	a, b := toy{name: "a", byJob: 3}, toy{name: "b"}
	for name, test := range map[string]struct {
		c         admission.Case
		providers []admission.Provider
		want      []creds.Order
		err       string
	}{
		"two":                   {byPolicy, []admission.Provider{a, b}, []creds.Order{{Provider: "b", Session: "alpha 1 server"}, {Provider: "a", Session: "alpha 2 <nil>"}}, ""},
		"one is unknown":        {byPolicy, []admission.Provider{b}, nil, `tenant "alpha": this program does not know the provider "a"; install all programs of one version`},
		"one fails":             {byPolicy, []admission.Provider{toy{name: "a", order: errors.New("x")}, b}, nil, "x"},
		"one overrides":         {byPolicy, []admission.Provider{toy{name: "a", winning: "TENANT"}, toy{name: "b", winning: "GITLAB_OIDC_TOKEN"}}, nil, "variables of the job would override its tenant's credentials: GITLAB_OIDC_TOKEN"},
		"none":                  {byPolicy, nil, nil, ""},
		"by the job":            {byJob, []admission.Provider{a, b}, []creds.Order{{Provider: "a", Session: "alpha 3 <nil>"}}, ""},
		"by the job, a refusal": {byJob, []admission.Provider{b, toy{name: "a", err: errors.New("y")}}, nil, "y"},
		"by the job, none":      {byJob, nil, nil, ""},
	} {
		test.c.Providers = test.providers
		d, err := admission.Decide(test.c)
		if text := fmt.Sprint(err); err == nil && test.err != "" || err != nil && (test.err == "" || !strings.HasPrefix(text, test.err)) {
			t.Errorf("%s: error %v, want %q", name, err, test.err)
		}
		if diff := cmp.Diff(test.want, d.Orders); test.err == "" && diff != "" {
			t.Errorf("%s: the orders differ:\n%s", name, diff)
		}
		if d.Grant.Tenant != "alpha" {
			t.Errorf("%s: the grant is %+v", name, d.Grant)
		}
		if test.err != "" && strings.Contains(test.err, "knows no provider") && fault.SideOf(err) != fault.Admin {
			t.Errorf("%s: the error is one of %s", name, fault.SideOf(err))
		}
	}
}
