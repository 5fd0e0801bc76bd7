package cases

import (
	"errors"
	"fmt"

	"rolecall/internal/creds/aws"
	"rolecall/internal/tenant"
)

// fields returns the keys that a case may have, with what sets them.
func (c *Case) fields() map[string]func(any) error {
	j := &c.Job
	return map[string]func(any) error{
		"name": text(&c.Name), "expect": text(&c.Expect), "rule": text(&c.Rule), "role": text(&c.Role),
		"project": text(&j.Project), "fork": text(&j.Fork), "ref": text(&j.Ref), "ref_type": text(&j.RefType),
		"environment": text(&j.Environment), "user_login": text(&j.UserLogin), "image": text(&j.Image), "aud": text(&j.Audience),
		"protected": truth(&j.Protected, true),
		"id_token":  truth(&j.NoToken, false),
		"tenant": func(value any) error {
			j.Tenant = new(string)
			return text(j.Tenant)(value)
		},
		"runner_tenant": func(value any) error { return c.setRunner(value) },
		"claims":        func(value any) error { return c.setClaims(value) },
	}
}

// text returns what sets a text.
func text(to *string) func(any) error {
	return func(value any) (err error) {
		*to, err = of[string](value, "a text in quotes")
		return err
	}
}

// of returns a value of a type. Kind says what is wanted.
func of[T any](value any, kind string) (T, error) {
	given, ok := value.(T)
	if !ok {
		return given, errors.New("want " + kind)
	}
	return given, nil
}

// truth returns what sets a value that is true if the key is as.
func truth(to *bool, as bool) func(any) error {
	return func(value any) error {
		given, err := of[bool](value, "true or false, without quotes")
		*to = given == as
		return err
	}
}

// setRunner sets the tenant of the runner.
func (c *Case) setRunner(value any) (err error) {
	var name string
	if err = text(&name)(value); err == nil {
		c.Job.Runner, err = tenant.ParseName(name)
	}
	return err
}

// setClaims sets the claims that have no key of their own.
func (c *Case) setClaims(value any) error {
	c.Job.Claims = map[string]string{}
	table, ok := value.(map[string]any)
	for name, given := range table {
		var claim string
		if text(&claim)(given) != nil {
			return fmt.Errorf("%s: want a text in quotes", name)
		}
		c.Job.Claims[name] = claim
	}
	if !ok {
		return errors.New(`want a table of texts in one line, such as { deployment_tier = "production" }`)
	}
	return nil
}

// check reports what a case lacks, and what of it contradicts the rest or the policy file.
func (r *reader) check(c Case, at map[string]int) {
	line := func(key string) int { return max(at[key], c.Line) }
	_, badRole := aws.ParseRole(c.Role)
	isTenant := r.has(c.Expect)
	switch {
	case c.Name == "":
		r.fail(line("name"), "name: it is missing")
	case c.Expect == "":
		r.fail(line("expect"), "expect: it is missing; name the tenant, %q or %q", Nobody, Refused)
	case c.Expect == Refused && isTenant:
		r.fail(line("expect"), "expect: the policy file has a tenant of that name, so this can mean two things; rename the tenant")
	case c.Expect != Nobody && c.Expect != Refused && !isTenant:
		r.fail(line("expect"), "expect: the policy file has no tenant %s; want a tenant, %q or %q", tenant.Quote(c.Expect), Nobody, Refused)
	case c.Rule != "" && isTenant:
		r.fail(line("rule"), "rule: it names what refuses the job, and goes with expect = %q or %q", Nobody, Refused)
	case c.Role != "" && !isTenant:
		r.fail(line("role"), "role: a job without a tenant has none; it goes with a tenant as expect")
	case c.Role != "" && badRole != nil:
		r.fail(line("role"), "role: %v", badRole)
	case c.Job.Runner != tenant.None && !r.has(string(c.Job.Runner)):
		r.fail(line("runner_tenant"), "runner_tenant: the policy file has no tenant %s", tenant.Quote(string(c.Job.Runner)))
	}
}

// has reports whether the policy file has a tenant of that name.
func (r *reader) has(name string) bool {
	for _, t := range r.policy.Tenants() {
		if string(t.Name) == name {
			return true
		}
	}
	return false
}

// compare reports cases of one name, and cases that expect different things of one job.
func (r *reader) compare(all []Case) {
	names, jobs := map[string]Case{}, map[string]Case{}
	for _, c := range all {
		if other, twice := names[c.Name]; twice {
			r.fail(c.Line, "name: the case in line %d has the name %s too", other.Line, tenant.Quote(c.Name))
		}
		names[c.Name] = c
		other, twice := jobs[c.Job.Key()]
		if twice && c.contradicts(other) {
			r.fail(c.Line, "%s contradicts %s in line %d: the same job, and another expectation", tenant.Quote(c.Name), tenant.Quote(other.Name), other.Line)
		}
		if !twice {
			jobs[c.Job.Key()] = c
		}
	}
}

// contradicts reports whether two cases of one job cannot both be right.
func (c Case) contradicts(other Case) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return c.Expect != other.Expect || differ(c.Rule, other.Rule) || differ(c.Role, other.Role)
}
