package admission_test

import (
	"strings"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// setter is a provider whose orders bring the variables that its settings name.
type setter struct{ toy }

func (p setter) Order(a admission.Asker) (creds.Order, error) {
	names := strings.Fields(a.Settings.(string))
	if len(names) == 0 {
		return creds.Order{}, nil
	}
	o := creds.Order{Provider: p.name, Sets: names}
	if names[0] == "FOR_B" {
		o.For, o.Sets = "b", names[1:]
	}
	for _, name := range names {
		o.Wins = append(o.Wins, "WINS_OVER_"+name, "WIN_"+name+"_*")
	}
	return o, nil
}

// newSetCase returns a case whose tenant has sources that bring these variables.
func newSetCase(t *testing.T, request job.Request, sources ...string) admission.Case {
	t.Helper()
	c := newCase(t, request)
	of := tenant.Tenant{Name: "alpha", IDToken: "GITLAB_OIDC_TOKEN", Audience: "https://gitlab.example.com", RefTypes: []string{"branch"}, Projects: compile(t, policy).Tenants()[0].Projects}
	for i, names := range sources {
		of.Gifts = append(of.Gifts, tenant.Gift{Provider: "a", Name: "s" + string(rune('0'+i)), Settings: names})
	}
	c.Policy = tenant.NewPolicy(tenant.Settings{}, []tenant.Tenant{of}, "")
	c.Providers = []admission.Provider{setter{toy{name: "a"}}}
	return c
}

// TestSets: what sources bring is brought once, and no variable of the job wins over it. A source
// that gives a job nothing is passed over.
func TestSets(t *testing.T) {
	t.Parallel()
	if d, err := admission.Decide(newSetCase(t, job.Request{"OTHER": "x", "WINS_OVER_D": "", "WIN_C": ""}, "A B", "", "C")); err != nil || len(d.Orders) != 2 || d.Orders[1].Name != "s2" {
		t.Errorf("%+v, %v", d.Orders, err)
	}
	for name, test := range map[string]struct {
		c    admission.Case
		code fault.Code
		want string
	}{
		"twice":              {newSetCase(t, nil, "A B", "C B"), fault.BadPolicy, `tenant "alpha": the sources "s0" and "s1" both set B for this job; correct the sources`},
		"the driver's own":   {newSetCase(t, nil, "A", "ROLECALL_ENV_FILE"), fault.BadPolicy, `tenant "alpha": source "s1" sets ROLECALL_ENV_FILE, which would win over other credentials`},
		"it wins":            {newSetCase(t, nil, "A", "WIN_A_X"), fault.BadPolicy, `tenant "alpha": source "s1" sets WIN_A_X, which would win over other credentials`},
		"of a first source":  {newSetCase(t, nil, "WIN_B_X", "B"), fault.BadPolicy, `tenant "alpha": source "s0" sets WIN_B_X, which would win over other credentials`},
		"the job's wins":     {newSetCase(t, job.Request{"WINS_OVER_A": "", "WIN_A_Y": ""}, "A"), fault.Override, "variables of the job would override its tenant's credentials: WINS_OVER_A, WIN_A_Y; remove"},
		"one of the job's":   {newSetCase(t, job.Request{"B": ""}, "A B"), fault.Override, "variables of the job would override its tenant's credentials: B; remove"},
		"one that was added": {newSetCase(t, job.Request{"A": "", "B": ""}, "A B"), fault.Override, "variables of the job would override its tenant's credentials: A, B; remove"},
	} {
		if _, err := refused(t, name, test.c); err.Code != test.code || !strings.HasPrefix(err.What.Error(), test.want) {
			t.Errorf("%s: %s %v, want %s %q", name, err.Code, err.What, test.code, test.want)
		}
	}
}

// TestStandsIn: what stands in the place of another provider brings that provider's variables, unless
// something is ordered of that one too. The job's own variables do not win over them either.
func TestStandsIn(t *testing.T) {
	t.Parallel()
	both := func(c admission.Case) admission.Case {
		c.Providers = append(c.Providers, setter{toy{name: "b", winning: "OVERRIDES_b"}})
		return c
	}
	if d, err := admission.Decide(both(newSetCase(t, nil, "FOR_B OVERRIDES_b"))); err != nil || len(d.Orders) != 1 {
		t.Errorf("%+v, %v", d.Orders, err)
	}
	of := both(newSetCase(t, nil, "FOR_B OVERRIDES_b", "X"))
	ofBoth := both(newSetCase(t, nil, "FOR_B OVERRIDES_b", "X"))
	gifts := ofBoth.Policy.Tenants()[0]
	gifts.Gifts[1].Provider = "b"
	ofBoth.Policy = tenant.NewPolicy(tenant.Settings{}, []tenant.Tenant{gifts}, "")
	for name, test := range map[string]struct {
		c    admission.Case
		code fault.Code
		want string
	}{
		"for none":  {both(newSetCase(t, nil, "OVERRIDES_b")), fault.BadPolicy, `tenant "alpha": source "s0" sets OVERRIDES_b, which would win over other credentials`},
		"beside it": {ofBoth, fault.BadPolicy, `tenant "alpha": source "s0" sets OVERRIDES_b, which would win over other credentials`},
		"the job's": {both(newSetCase(t, job.Request{"OVERRIDES_b": ""}, "FOR_B OVERRIDES_b")), fault.Override, "variables of the job would override its tenant's credentials: OVERRIDES_b; remove"},
	} {
		if _, err := refused(t, name, test.c); err.Code != test.code || !strings.HasPrefix(err.What.Error(), test.want) {
			t.Errorf("%s: %s %v, want %s %q", name, err.Code, err.What, test.code, test.want)
		}
	}
	if _, err := admission.Decide(of); err != nil {
		t.Errorf("beside another source: %v", err)
	}
}
