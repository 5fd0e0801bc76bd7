package admission_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

func TestToken(t *testing.T) {
	t.Parallel()
	unreachable := fault.New(fault.NoKeys, errors.New("no answer"), "wait")
	unset := fault.New(fault.BadPolicy, errors.New("no issuer"), "set it")
	expired := fault.New(fault.Refused, errors.New("it expired"), "run the job again")
	for name, test := range map[string]struct {
		raw  string
		read error
		side fault.Side
		want string
	}{
		"another job's":         {"another job's", nil, fault.Author, `BETA is not an ID token of this job: its claim job_id is "8"`},
		"no token":              {"x", errors.New("it is none"), fault.Author, "BETA is not an ID token of this job: it is none; let id_tokens: set the token, and set no CI/CD variable of that name"},
		"a reason of its own":   {"x", expired, fault.Author, "BETA is not an ID token of this job: it expired; run the job again"},
		"nobody's mistake":      {"x", unreachable, fault.Infrastructure, "no answer; wait"},
		"the admin's":           {"x", unset, fault.Admin, "no issuer; set it"},
		"another job's, unread": {"another job's", unreachable, fault.Infrastructure, "no answer; wait"},
	} {
		c := newCase(t, job.Request{"TENANT": "beta", "BETA": test.raw})
		if test.read != nil {
			c.Read = failing(test.read)
		}
		d, err := refused(t, name, c)
		if err.Code.Side() != test.side || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v: %v, want %v: %q", name, err.Code.Side(), err, test.side, test.want)
		}
		if d.Claims.Ref != test.raw {
			t.Errorf("%s: the claims are of %q, want those of the token", name, d.Claims.Ref)
		}
	}
	c := newCase(t, job.Request{"TENANT": "beta"})
	vary(&c, "BETA", "a", "b")
	vary(&c, "BETA", "b", "b")
	if _, err := refused(t, "two values", c); err.Code.Side() != fault.Author || !strings.HasPrefix(err.Error(), "BETA has two different values; remove the CI/CD variable") {
		t.Errorf("two values: %v: %v", err.Code.Side(), err)
	}
}

// TestTokensThatCount: the tokens of the tenants that may be meant are read, and no
// other.
func TestTokensThatCount(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pinned  string
		request job.Request
		want    string // the variables of the tokens that are seen; empty: it is refused
	}{
		"both":                    {"", job.Request{"BETA": "two", "OTHER": "another job's"}, "BETA GITLAB_OIDC_TOKEN"},
		"requested":               {"", job.Request{"BETA": "two", "TENANT": "beta"}, "BETA"},
		"of another job":          {"", job.Request{"BETA": "another job's", "TENANT": "beta"}, ""},
		"of another job, unasked": {"", job.Request{"BETA": "another job's"}, ""},
		"pinned to alpha":         {"alpha", job.Request{"BETA": "another job's"}, "GITLAB_OIDC_TOKEN"},
		"pinned to beta":          {"beta", job.Request{"BETA": "two", "GITLAB_OIDC_TOKEN": "another job's"}, "BETA"},
		"none":                    {"alpha", job.Request{"GITLAB_OIDC_TOKEN": ""}, "none"},
	} {
		c := newCase(t, test.request)
		c.Pinned, c.WorkDir = tenantName(test.pinned), ""
		d, err := admission.Decide(c)
		var seen []string
		for name, claims := range d.Subject.Tokens {
			seen = append(seen, name)
			if claims.Ref != c.Request[name] {
				t.Errorf("%s: the claims of %s are those of %q", name, name, claims.Ref)
			}
		}
		slices.Sort(seen)
		switch got := strings.Join(seen, " "); {
		case test.want == "" && (err == nil || !strings.Contains(err.Error(), "is not an ID token of this job")):
			t.Errorf("%s: %v, want an error about a token", name, err)
		case test.want == "none" && (got != "" || err != nil):
			t.Errorf("%s: %s, %v, want no token", name, got, err)
		case test.want != "" && test.want != "none" && got != test.want:
			t.Errorf("%s: the tokens of %s, %v, want %s", name, got, err, test.want)
		}
		if d.Subject.Project != "acme/deploy" || !d.Subject.Protected || d.Subject.Requested != c.Request["TENANT"] || string(d.Subject.Pinned) != test.pinned {
			t.Errorf("%s: the rules saw %+v", name, d.Subject)
		}
	}
}

// TestOverridesAreSeenInBoth: a variable may be in what GitLab sent, in what the
// runner passes, or both.
func TestOverridesAreSeenInBoth(t *testing.T) {
	t.Parallel()
	c := newCase(t, job.Request{"AWS_ACCESS_KEY_ID": "x", "AWS_PROFILE": "y", "ROLECALL_ENV_FILE": "z", "ROLECALL_EXPIRES": "z", "ROLECALL_ENDPOINT": "", "ROLECALL_ENDPOINT_TOKEN": "z", "TENANT": "alpha"})
	c.Response.Variables = []job.Variable{{Key: "AWS_PROFILE"}, {Key: "AWS_REGION"}, {Key: "AWS_CONFIG_FILE"}}
	_, err := refused(t, "overrides", c)
	const want = "credentials: AWS_ACCESS_KEY_ID, AWS_CONFIG_FILE, AWS_PROFILE, ROLECALL_ENDPOINT, ROLECALL_ENDPOINT_TOKEN, ROLECALL_ENV_FILE, ROLECALL_EXPIRES; remove"
	if err.Code.Side() != fault.Author || !strings.Contains(err.Error(), want) {
		t.Errorf("%v: %v, want %q", err.Code.Side(), err, want)
	}
	c = newCase(t, job.Request{"AWS_REGION": "eu-west-1", "TENANT": "alpha"})
	if _, err := admission.Decide(c); err != nil {
		t.Error(err)
	}
	// What a provider does not know, and the job does not get, overrides nothing.
	c = newCase(t, job.Request{"AWS_PROFILE": "y", "ROLECALL_ENV_FILE": "z", "TENANT": "alpha"})
	c.Providers = nil
	if d, err := admission.Decide(c); err != nil || d.Orders != nil {
		t.Errorf("without providers: %+v, %v", d.Orders, err)
	}
	c = newCase(t, job.Request{"AWS_PROFILE": "y", "GITLAB_OIDC_TOKEN": ""})
	c.WorkDir = "/b/none/protected/x"
	if d, err := admission.Decide(c); err != nil || d.Grant.Tenant != "" {
		t.Errorf("a job of no tenant: %+v, %v", d.Grant, err)
	}
}
