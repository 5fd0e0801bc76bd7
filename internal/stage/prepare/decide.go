package prepare

import (
	"context"
	"os"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/endpoint"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/idtoken/jwks"
	"rolecall/internal/image/request"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// verifyTime bounds how long the keys of the issuer may take.
const verifyTime = 15 * time.Second

// newCase returns what the decision about a job rests on. With a policy file, the job's
// ID tokens are verified with the issuer's keys, which are kept below root. Without one,
// only the provider verifies them.
func newCase(c *program.Call, parts Parts, response job.Response, root string) (admission.Case, error) {
	policy, err := c.Policy(parts.schemas()...)
	if err != nil {
		return admission.Case{}, err
	}
	pinned, err := c.Pinned()
	if err != nil {
		return admission.Case{}, err
	}
	if err := c.CheckPolicy(policy); err != nil {
		return admission.Case{}, err
	}
	runAs, err := c.User(os.Geteuid())
	if err != nil {
		return admission.Case{}, err
	}
	return admission.Case{
		Policy:       policy,
		Pinned:       pinned,
		RunAs:        runAs,
		NoRoot:       c.NoRoot(policy, os.Geteuid()),
		NotAs:        program.NotAs(os.Geteuid()),
		Suspended:    c.Suspensions().Refuse,
		NoContainers: program.NoContainers(os.Geteuid()),
		WorkDir:      c.Env.Request.TempProjectDir(),
		Response:     response,
		Request:      c.Env.Request,
		Read:         reader(c, policy, root),
		Providers:    parts.orderers(),

		CredentialProgram: program.PathBeside(endpoint.Credential),

		ReadFile: policyfile.ReadNamed,

		ReadImages: request.Read,
	}, nil
}

// reader returns how the job's ID tokens are read.
func reader(c *program.Call, policy *tenant.Policy, root string) admission.Reader {
	if policy == nil {
		return idtoken.Parse
	}
	return verifier{c, policy.Settings().GitLab, root}.verify
}

// verifier verifies ID tokens with the keys of their issuer.
type verifier struct {
	c      *program.Call
	gitlab tenant.GitLab
	root   string // folder of the state of jobs
}

// verify is an admission.Reader.
func (v verifier) verify(raw string) (idtoken.Token, error) {
	source, err := v.keys()
	if err != nil {
		return idtoken.Token{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), verifyTime)
	defer cancel()
	return source.Verify(ctx, raw)
}

// keys returns the source of the issuer's keys.
func (v verifier) keys() (jwks.Source, error) {
	dir, err := state.KeysDir(v.root)
	if err != nil {
		return jwks.Source{}, fault.New(fault.Unexpected, err, "") // admission takes any other for the author's
	}
	source := jwks.Source{Issuer: v.gitlab.Issuer, URL: v.gitlab.JWKSURL, Dir: dir, Warn: func(text string) { v.c.Log.Warn(text) }}
	if source.File, err = policyfile.ReadNamed("gitlab.jwks_file", v.gitlab.JWKSFile); err == nil {
		source.CABundle, err = policyfile.ReadNamed("gitlab.ca_bundle", v.gitlab.CABundle)
	}
	return source, err
}
