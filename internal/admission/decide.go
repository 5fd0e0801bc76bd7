package admission

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/image"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// Case is what a decision rests on.
type Case struct {
	Policy       *tenant.Policy            // nil: the job names its tenant, and what it requests of providers
	Pinned       tenant.Name               // the tenant of the runner; None if the runner has none
	RunAs        string                    // without a policy: the unix user of all jobs; empty: the driver's user
	NoRoot       error                     // refuses a job without a unix user; nil: such a job may run as the driver's user
	NotAs        func(user string) error   // refuses a job whose unix user the driver cannot become; nil: it can become all
	Suspended    func(tenant string) error // refuses a job of a tenant that is suspended; nil: none is
	NoContainers error                     // refuses a job with an image if the driver cannot run containers; nil: it can
	WorkDir      string                    // the folder beside the job's work tree; empty: unknown, and not checked
	Response     job.Response
	Request      job.Request
	Read         Reader

	Providers []Provider // none: Decide only says which tenant the job is, and orders nothing
	ReadFile  FileReader

	ReadImages ImageReader // nil: Decide does not say what the job gets of containers

	// Bearer says that the job is known by its ID token alone; nil: it is a job of a runner.
	Bearer *Bearer

	// CredentialProgram is the absolute path of the program that prints a credential of the
	// job for the tools of a cloud; empty: it is not known, and no tool is told of it.
	CredentialProgram string
}

// Bearer is a client that shows the ID token of a job, of which nothing else is known. Response
// and Request must be what the token says.
type Bearer struct {
	Provider string    // of the credential that it asks for
	Source   string    // the source whose credential it asks for, and no other; empty: the tenant's own
	Now      time.Time // when it asks
}

// FileReader reads the file at path, which a policy file names under key. It returns
// nothing if path is empty.
type FileReader func(key, path string) ([]byte, error)

// Decision is what a job gets.
type Decision struct {
	Grant    tenant.Grant
	Settings tenant.Settings // of the policy file; the defaults without a policy file
	Token    idtoken.Token   // empty for a job without a tenant
	Tokens   idtoken.ByName  // of sources that have one of their own
	Orders   []creds.Order   // empty for a job without a tenant
	Notes    []Note          // what the author must know; empty for a job that is refused

	Containers *backend.Containers // nil: scripts run on the host
	Logins     []image.Login       // to registries, those that the images need

	Asked  image.Request // what the job asks for of containers, without logins
	Checks []image.Check // what the rules say of that

	Subject tenant.Subject // the job as the rules saw it; empty without a policy file
	Claims  idtoken.Claims // of the last token that was read, even if it was refused
}

// Decide decides which tenant a job is and what is ordered for it. With a policy file
// it checks in this order: the ID tokens belong to this very job, the policy allows the
// job, its tenant is not suspended, the job works in its folder and has a unix user, its image and its services are
// allowed, the token of a Bearer is young enough, an order can be made for it, no variable of
// the job would win over what the job gets, and the job has a script. No other code knows that order. Errors are of package fault. Beside an error, the Decision holds what is known
// so far.
func Decide(c Case) (Decision, error) {
	decide := c.byPolicy
	if c.Policy == nil {
		decide = c.byJob
	}
	d, err := decide()
	if err == nil {
		err = c.checkSteps(d.Settings)
	}
	if err == nil {
		d.Notes = c.notes(d)
	}
	return d, err
}

// byPolicy decides by the policy file.
func (c Case) byPolicy() (Decision, error) {
	d := Decision{Settings: c.Policy.Settings()}
	tokens, err := c.readTokens(&d)
	if err != nil {
		return d, err
	}
	if d.Grant, err = c.Policy.Decide(d.Subject); err != nil {
		return d, err
	}
	if err := c.checkSuspended(d.Grant); err != nil {
		return d, err
	}
	if err := errors.Join(c.checkFolder(d), c.checkUser(d.Grant)); err != nil {
		return d, err
	}
	if err := c.decideContainers(&d); err != nil || d.Grant.Tenant == tenant.None {
		return d, err
	}
	d.Token = tokens[d.Grant.IDToken]
	if err := c.checkAge(d); err != nil {
		return d, err
	}
	gifts, err := c.asked(d.Grant)
	if err != nil {
		return d, err
	}
	if d.Tokens, err = c.sourceTokens(d, gifts); err != nil {
		return d, err
	}
	if d.Orders, err = c.orders(d, gifts); err != nil {
		return d, err
	}
	return d, c.checkOverrides(d)
}

// byJob decides without a policy file.
func (c Case) byJob() (Decision, error) {
	d := Decision{Settings: tenant.Defaults()}
	var err error
	requested, named := c.Request[tenant.Variable]
	rules := tenant.ZeroConfig{Pinned: c.Pinned, Token: c.Request[tenant.IDToken] != ""}
	if d.Grant, err = rules.Decide(requested, named); err != nil {
		return d, err
	}
	d.Grant.RunAs = c.RunAs
	if err := c.checkSuspended(d.Grant); err != nil {
		return d, err
	}
	if err := c.checkUser(d.Grant); err != nil || d.Grant.Tenant == tenant.None {
		return d, err
	}
	err = c.orderByJob(&d)
	return d, err
}

// orderByJob puts into a decision what the job requests, and the token that pays for it.
func (c Case) orderByJob(d *Decision) error {
	err := c.checkOverrides(*d)
	if err != nil {
		return err
	}
	if err := c.giveByJob(&d.Grant); err != nil {
		return err
	}
	if d.Orders, err = c.orders(*d, d.Grant.Gifts); err != nil {
		return err
	}
	if c.Request[d.Grant.IDToken] == "" {
		return tenant.NoToken(d.Grant.Tenant, d.Grant.IDToken, "")
	}
	d.Token, err = c.token(d.Grant.IDToken, &d.Claims)
	return err
}

// checkSuspended refuses a job whose tenant is suspended. A job without a tenant gets nothing that
// could be suspended.
func (c Case) checkSuspended(g tenant.Grant) error {
	if c.Suspended == nil || g.Tenant == tenant.None {
		return nil
	}
	return c.Suspended(string(g.Tenant))
}

// checkFolder returns an error unless the job works in the folder of its tenant and
// trust class. The config stage chose the folder by unverified claims.
func (c Case) checkFolder(d Decision) error {
	builds := d.Settings.BuildsDir
	if builds == "" || c.WorkDir == "" {
		return nil
	}
	if want := builds + "/" + d.Grant.Folder() + "/"; !strings.HasPrefix(c.WorkDir, want) {
		return fault.New(fault.Unexpected, errors.New("the job works in another folder than that of its tenant"), "").
			Detail("folder", fmt.Sprintf("%q, and not in %s", c.WorkDir, want)).
			Detail("why", "the config stage read another ID token or another policy file")
	}
	return nil
}

// checkUser refuses a job without a unix user if it must not run as the driver's user,
// and a job whose user the driver cannot become.
func (c Case) checkUser(g tenant.Grant) error {
	switch {
	case g.RunAs == "":
		return c.NoRoot
	case c.NotAs != nil:
		return c.NotAs(g.RunAs)
	}
	return nil
}

// checkAge refuses the token of a Bearer that was issued longer ago than its tenant allows.
func (c Case) checkAge(d Decision) error {
	most := d.Grant.MaxTokenAge
	if c.Bearer == nil || most == 0 || c.Bearer.Now.Sub(time.Unix(d.Token.Claims.IssuedAt, 0)) < most {
		return nil
	}
	issued := "has no claim iat"
	if iat := d.Token.Claims.IssuedAt; iat > 0 {
		issued = "was issued at " + time.Unix(iat, 0).UTC().Format(time.RFC3339)
	}
	what := fmt.Sprintf("tenant %q refuses this job: rule max_token_age: the ID token %s, and is good for %v", d.Grant.Tenant, issued, most)
	return fault.New(fault.Refused, &tenant.Refusal{Tenant: d.Grant.Tenant, Rule: "max_token_age", What: what},
		"run the job again; if its work takes longer, ask the admin to raise max_token_age")
}
