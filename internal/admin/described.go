package admin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"rolecall/internal/admin/sketch"
	"rolecall/internal/admission"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
)

// way is a way to say which job is meant, with the flags that belong to it alone. The first of
// them begins it.
type way []string

// ways are the ways to name a job to explain.
func ways() []way {
	return []way{
		{"job", "token"},
		{"job-id", "log"},
		append(way{"project"}, describing()...),
	}
}

// describing are the flags that say more of a job than its project.
func describing() []string {
	return []string{"ref", "ref-type", "protected", "environment", "fork", "user-login", "image", "tenant", "aud", "no-id-token", "claim"}
}

// chosen returns the way that a command line has chosen, by the name of its first flag. Flags of
// several ways contradict each other.
func chosen(set *pflag.FlagSet) (string, error) {
	begun, flag := "", ""
	for _, w := range ways() {
		for _, name := range w {
			switch {
			case !set.Changed(name):
			case begun != "" && begun != w[0]:
				return "", usageError{fmt.Errorf("--%s and --%s contradict each other: one belongs to --%s, the other to --%s", flag, name, begun, w[0])}
			default:
				begun, flag = w[0], name
			}
		}
	}
	return begun, nil
}

// description is what flags say of a job.
type description struct {
	sketch.Job

	tenant string
	claims []string // NAME=VALUE
}

// register defines the flags.
func (s *description) register(set *pflag.FlagSet) {
	set.StringVar(&s.Project, "project", "", "explain a job that flags describe: the `PATH` of the project that runs it")
	set.StringVar(&s.Ref, "ref", "", "`NAME` of the job's branch or tag")
	set.StringVar(&s.RefType, "ref-type", "branch", "`TYPE` of the ref: branch or tag")
	set.BoolVar(&s.Protected, "protected", false, "the ref is protected")
	set.StringVar(&s.Environment, "environment", "", "`NAME` of the job's environment")
	set.StringVar(&s.Fork, "fork", "", "`PATH` of the fork, for a merge request from one that runs in the project")
	set.StringVar(&s.UserLogin, "user-login", "", "`LOGIN` of the user who has started the job")
	set.StringVar(&s.Image, "image", "", "`NAME` of the job's image")
	set.StringVar(&s.tenant, "tenant", "", "`NAME` that the job asks for, its variable TENANT")
	set.StringVar(&s.Audience, "aud", "", "`AUDIENCE` of the job's ID token (default: the one that the policy file wants)")
	set.BoolVar(&s.NoToken, "no-id-token", false, "the job has no ID token")
	set.StringArrayVar(&s.claims, "claim", nil, "another claim of the ID token, `NAME=VALUE`; can be repeated")
}

// read returns the job that flags describe, on a runner with the flags told.
func (s *description) read(set *pflag.FlagSet, told program.Flags) (sketch.Job, error) {
	j := s.Job
	if set.Changed("tenant") {
		j.Tenant = &s.tenant
	}
	j.Claims = map[string]string{}
	for _, text := range s.claims {
		name, value, found := strings.Cut(text, "=")
		if _, twice := j.Claims[name]; !found || twice {
			return j, usageError{fmt.Errorf("--claim %.80q: want NAME=VALUE, and each name once", text)}
		}
		j.Claims[name] = value
	}
	var err error
	if j.Runner, err = told.Pinned(); err == nil {
		err = j.Check()
	}
	return j, asFlag(err)
}

// asFlag returns an error about a description as one about a flag.
func asFlag(err error) error {
	problem, ok := errors.AsType[*sketch.Problem](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return usageError{err}
	}
	return usageError{fmt.Errorf("--%s: %s", strings.ReplaceAll(problem.Of, "_", "-"), problem.What)}
}

// explainDescribed prints the decision about a job that flags describe.
func (d call) explainDescribed(set *pflag.FlagSet, s *description, told program.Flags, asJSON bool) error {
	if told.NoPolicy {
		return usageError{errors.New("--project and --no-policy contradict each other: without a policy file the role's trust policy decides")}
	}
	j, err := s.read(set, told)
	if err != nil {
		return err
	}
	policy, err := d.readPolicy(told)
	if err != nil {
		return err
	}
	c, err := j.Case(policy)
	if err != nil {
		return asFlag(err)
	}
	if err := d.place(&c, told); err != nil {
		return err
	}
	return d.printExplained(explainedOf(j, c), asJSON)
}

// unverified says how the claims of a description are known.
const unverified = "no token was verified: flags describe the job, and the claims are those that GitLab would sign for it"

// explainedOf returns the explanation of a job that somebody has described.
func explainedOf(j sketch.Job, c admission.Case) explanation {
	e := explain(c)
	e.Signature, e.Subject = unverified, tenant.Quote(j.Subject())
	if !j.NoToken {
		e.Notes = append(e.Notes, "claims that no flag names have stand-ins: "+strings.Join(j.StandIns(), ", ")+"; --claim sets one")
	}
	return e
}
