package admission

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// Case is what a decision rests on.
type Case struct {
	Policy   *tenant.Policy // nil: a job names its tenant, and what it asks of providers
	Pinned   tenant.Name    // the tenant of the runner; None where it has none
	RunAs    string         // without a policy: the unix user of all jobs; empty: the driver's
	NoRoot   error          // what a job without a unix user is refused with; nil: it may run as the driver's user
	WorkDir  string         // the folder beside the job's work tree; empty: not known, and not checked
	Response job.Response
	Request  job.Request
	Read     Reader

	Providers []Provider // of what may be ordered; none: nothing is ordered, and who the job is counts alone
	ReadFile  FileReader
}

// FileReader reads a file that a policy file names under key, nothing where the path
// is empty.
type FileReader func(key, path string) ([]byte, error)

// Provider knows what can be ordered of one provider of credentials. It asks no
// server.
type Provider interface {
	// Name returns the provider's name, such as aws.
	Name() string
	// Overrides reports whether a job variable of that name would win over the
	// provider's credentials inside the job's script.
	Overrides(variable string) bool
	// ByJob returns the settings that a job without a policy file asks for.
	ByJob(a Asker) (settings any, err error)
	// Order returns what to order for a job.
	Order(a Asker) (creds.Order, error)
}

// Asker is a job of a tenant that something is ordered for.
type Asker struct {
	Tenant   tenant.Name
	Settings any // the provider's, of the tenant
	Server   any // the provider's, of the policy file; nil without one
	Response job.Response
	Request  job.Request
	ReadFile FileReader
}

// Decision is what a job gets.
type Decision struct {
	Grant    tenant.Grant
	Settings tenant.Settings // of the policy file; its defaults where there is none
	Token    idtoken.Token   // of a job with a tenant
	Orders   []creds.Order   // of a job with a tenant

	Job    tenant.Job     // the job as the rules saw it; with a policy file only
	Claims idtoken.Claims // of the last token that was read, also of one that was refused
}

// Decide decides which tenant a job is and what is ordered for it, in this order: the
// tokens are of this very job, the policy allows it, it works in its folder and has a
// unix user, its terms can be told, and no variable of its own would win over what it
// gets. It is the only
// place that knows that order. An error says whose it is, by package fault; the
// Decision beside it holds what is known by then.
func Decide(c Case) (Decision, error) {
	if c.Policy == nil {
		return c.byJob()
	}
	return c.byPolicy()
}

// byPolicy decides by the policy file.
func (c Case) byPolicy() (Decision, error) {
	d := Decision{Settings: c.Policy.Settings()}
	tokens, err := c.readTokens(&d)
	if err != nil {
		return d, err
	}
	if d.Grant, err = c.Policy.Decide(d.Job); err != nil {
		return d, err
	}
	if err := errors.Join(c.checkFolder(d), c.checkUser(d.Grant)); err != nil || d.Grant.Tenant == tenant.None {
		return d, err
	}
	d.Token = tokens[d.Grant.IDToken]
	if d.Orders, err = c.orders(d.Grant, d.Settings.Servers); err != nil {
		return d, err
	}
	return d, c.checkOverrides()
}

// byJob decides without a policy file.
func (c Case) byJob() (Decision, error) {
	d := Decision{Settings: tenant.Defaults()}
	var err error
	if d.Grant, err = (tenant.ZeroConfig{Pinned: c.Pinned}).Decide(c.Request["TENANT"]); err != nil {
		return d, err
	}
	d.Grant.RunAs = c.RunAs
	if err := c.checkUser(d.Grant); err != nil || d.Grant.Tenant == tenant.None {
		return d, err
	}
	if err := c.checkOverrides(); err != nil {
		return d, err
	}
	if err := c.giveByJob(&d.Grant); err != nil {
		return d, err
	}
	if d.Orders, err = c.orders(d.Grant, nil); err != nil {
		return d, err
	}
	if c.Request[d.Grant.IDToken] == "" {
		return d, tenant.NoToken(d.Grant.Tenant, d.Grant.IDToken, "")
	}
	d.Token, err = c.token(d.Grant.IDToken, &d.Claims)
	return d, err
}

// checkFolder reports an error unless the job works in the folder of its tenant and
// trust class. The config stage gave that out by what the job claimed to be.
func (c Case) checkFolder(d Decision) error {
	builds := d.Settings.BuildsDir
	if builds == "" || c.WorkDir == "" {
		return nil
	}
	if want := builds + "/" + d.Grant.Folder() + "/"; !strings.HasPrefix(c.WorkDir, want) {
		return fmt.Errorf("the job works in %q and not in %s: its ID token is not what it seemed to the config stage, or the config stage read another policy file", c.WorkDir, want)
	}
	return nil
}

// checkUser refuses a job that would run as a driver's user who must not be it.
func (c Case) checkUser(g tenant.Grant) error {
	if g.RunAs == "" {
		return c.NoRoot
	}
	return nil
}

// giveByJob puts into a grant what the job asks of each provider.
func (c Case) giveByJob(g *tenant.Grant) error {
	for _, p := range c.Providers {
		settings, err := p.ByJob(c.asker(*g, nil, nil))
		if err != nil {
			return err
		}
		if settings != nil {
			g.Gifts = append(g.Gifts, tenant.Gift{Provider: p.Name(), Settings: settings})
		}
	}
	return nil
}

// orders returns the orders of a grant.
func (c Case) orders(g tenant.Grant, servers []tenant.Gift) ([]creds.Order, error) {
	if len(c.Providers) == 0 {
		return nil, nil
	}
	orders := make([]creds.Order, 0, len(g.Gifts))
	for _, gift := range g.Gifts {
		p := c.provider(gift.Provider)
		if p == nil {
			return nil, fault.New(fault.Admin, fmt.Errorf("tenant %q: this program knows no provider %q", g.Tenant, gift.Provider),
				"install all programs of one version of rolecall")
		}
		order, err := p.Order(c.asker(g, gift.Settings, tenant.Find(servers, gift.Provider)))
		if err != nil {
			return nil, err
		}
		orders = append(orders, order)
	}
	return orders, nil
}

// overrides reports whether a job variable of that name would win over what the job
// gets. Where nothing is ordered there is nothing to win over.
func (c Case) overrides(name string) bool {
	return len(c.Providers) > 0 && name == job.EnvFileVariable || slices.ContainsFunc(c.Providers, func(p Provider) bool { return p.Overrides(name) })
}

// asker returns the job as a provider is shown it.
func (c Case) asker(g tenant.Grant, settings, server any) Asker {
	return Asker{Tenant: g.Tenant, Settings: settings, Server: server, Response: c.Response, Request: c.Request, ReadFile: c.ReadFile}
}

// provider returns the provider of that name, or nil.
func (c Case) provider(name string) Provider {
	for _, p := range c.Providers {
		if p.Name() == name {
			return p
		}
	}
	return nil
}
