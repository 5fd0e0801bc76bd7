package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"rolecall/internal/adminfile"
	"rolecall/internal/admission"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/creds/store"
	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/identity/jwks"
	"rolecall/internal/job"
	"rolecall/internal/stage"
	"rolecall/internal/tenant"
)

// maxAdminFile bounds the size of the files that a policy file names, in bytes.
const maxAdminFile = 1 << 20

// verifyTime bounds how long the keys of the issuer may take.
const verifyTime = 15 * time.Second

// order is what a job gets: its grant, and what to ask of STS.
type order struct {
	grant    tenant.Grant
	settings tenant.Settings // of the policy file; its defaults where there is none
	ask      sts.Request
	server   sts.Server
	log      log
}

// decide decides which tenant the job is and checks everything that can be
// checked before STS is asked. The order of a job of no tenant asks for nothing.
func decide(c *stage.Call, response job.Response, root string) (order, error) {
	policy, err := c.Policy()
	if err != nil {
		return order{}, err
	}
	pinned, err := c.Pinned()
	if err != nil {
		return order{}, err
	}
	if err := c.CheckPolicy(policy); err != nil {
		return order{}, err
	}
	if policy == nil {
		return byJob(c, pinned, response)
	}
	p := applicant{c, policy, pinned, response, newLog(policy.Settings().AuditLog, response)}
	return p.decide(root)
}

// byJob decides without a policy file.
func byJob(c *stage.Call, pinned tenant.Name, response job.Response) (order, error) {
	o := order{settings: tenant.Defaults()}
	o.settings.RunAsRoot = c.RunAs == stage.Root
	grant, token, err := admission.ByJob(pinned, response, c.Env.Request, identity.Parse)
	if err != nil {
		return o, err
	}
	if o.grant = grant; !o.settings.RunAsRoot {
		o.grant.RunAs = c.RunAs
	}
	if err := o.checkUser(c, nil); err != nil || grant.Tenant == tenant.None {
		return o, err
	}
	role, err := aws.ParseRole(grant.RoleARN)
	o.ask = newAsk(response, grant, role, token)
	return o, err
}

// checkUser reports an error where the scripts of the job would be root's, and the
// admin has not asked for that by name.
func (o order) checkUser(c *stage.Call, policy *tenant.Policy) error {
	if o.grant.RunAs == "" && os.Geteuid() == 0 && !o.settings.RunAsRoot {
		return c.RefuseRoot(policy)
	}
	if c.RunAs == stage.Root && os.Geteuid() != 0 {
		return fault.New(fault.Admin, fmt.Errorf("--run-as root: the runner's service is not root, its uid is %d", os.Geteuid()),
			"remove --run-as in the runner's config.toml: scripts run as the service's user")
	}
	return nil
}

// newAsk returns what to ask of STS for a job.
func newAsk(response job.Response, grant tenant.Grant, role aws.Role, token identity.Token) sts.Request {
	return sts.Request{
		Role:       role,
		Session:    aws.SessionName(response.Project, response.Pipeline, int64(response.ID)),
		Token:      token,
		Lifetime:   response.Timeout,
		Limit:      grant.Duration,
		PolicyARNs: grant.PolicyARNs,
		Region:     grant.Region,
	}
}

// applicant is a job that a policy file decides on.
type applicant struct {
	*stage.Call
	policy   *tenant.Policy
	pinned   tenant.Name
	response job.Response
	log      log
}

// decide decides and tells the audit log. What is allowed but cannot be told is
// not given; what is refused is refused in any case.
func (p applicant) decide(root string) (order, error) {
	o, err := p.order(root)
	if err == nil && o.grant.Tenant == tenant.None {
		return o, nil
	}
	told := o.log.decided(o, err)
	if err != nil && told != nil {
		p.Log.Warn(told)
		told = nil
	}
	return o, errors.Join(err, told)
}

// order returns what the job gets. Beside an error it holds what is known of it.
func (p applicant) order(root string) (o order, err error) {
	o.log, o.settings = p.log, p.policy.Settings()
	ctx, cancel := context.WithTimeout(context.Background(), verifyTime)
	defer cancel()
	candidate, err := admission.New(p.policy, p.pinned, p.response, p.Env.Request, func(raw string) (identity.Token, error) {
		source, err := p.keys(root)
		if err != nil {
			return identity.Token{}, err
		}
		token, err := source.Verify(ctx, raw)
		o.log.saw(token.Claims)
		return token, err
	})
	if err != nil {
		return o, err
	}
	o.grant, err = p.policy.Decide(candidate.Job)
	if err != nil {
		return o, err
	}
	if err := errors.Join(p.checkFolder(o.grant), o.checkUser(p.Call, p.policy)); err != nil || o.grant.Tenant == tenant.None {
		return o, err
	}
	err = p.fill(&o, candidate.Tokens[o.grant.IDToken])
	return o, err
}

// keys returns where the keys of the issuer are.
func (p applicant) keys(root string) (jwks.Source, error) {
	settings := p.policy.Settings().GitLab
	dir, err := store.KeysDir(root)
	if err != nil {
		return jwks.Source{}, err
	}
	source := jwks.Source{Issuer: settings.Issuer, URL: settings.JWKSURL, Dir: dir, Warn: func(text string) { p.Log.Warn(text) }}
	if source.File, err = readFile("gitlab.jwks_file", settings.JWKSFile); err == nil {
		source.CABundle, err = readFile("gitlab.ca_bundle", settings.CABundle)
	}
	return source, err
}

// readFile reads a file that the policy file names under key, nil where it names
// none.
func readFile(key, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	content, err := adminfile.Read(path, maxAdminFile)
	if err != nil {
		return nil, fault.New(fault.Admin, fmt.Errorf("%s: %w", key, err), "")
	}
	return content, nil
}

// checkFolder reports an error unless the job works in the folder of its tenant
// and trust class. The config stage gave that out by what the job claimed to be.
func (p applicant) checkFolder(grant tenant.Grant) error {
	builds := p.policy.Settings().BuildsDir
	if builds == "" {
		return nil
	}
	want := builds + "/" + grant.Folder() + "/"
	if got := p.Env.Request.TempProjectDir(); !strings.HasPrefix(got, want) {
		return fmt.Errorf("the job works in %q and not in %s: the policy file has changed since the job began, or the config stage had another", got, want)
	}
	return nil
}

// fill fills in what to ask of STS.
func (p applicant) fill(o *order, token identity.Token) error {
	if err := admission.CheckOverrides(p.response, p.Env.Request); err != nil {
		return err
	}
	role, err := aws.ParseRole(o.grant.RoleARN)
	if err != nil {
		return err
	}
	o.ask = newAsk(p.response, o.grant, role, token)
	session, err := readFile("session_policy_file", o.grant.SessionPolicyFile)
	if err != nil {
		return err
	}
	o.ask.Policy = strings.TrimSpace(string(session))
	settings := p.policy.Settings().STS
	o.server = sts.Server{Region: o.grant.STSRegion, Endpoint: settings.Endpoint, Proxy: settings.Proxy}
	o.server.CABundle, err = readFile("sts.ca_bundle", settings.CABundle)
	return err
}
