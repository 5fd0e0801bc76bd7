// Package tenant decides which tenant a job is.
//
// There are two sets of rules. Those of a Policy are the admin's, in a file, and are
// held against what GitLab has signed. Without a file there is ZeroConfig: the job
// names its role and AWS's trust policy is the judge.
package tenant

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"rolecall/internal/fault"
)

// Name is the name of a tenant: 1 to 63 of a-z, 0-9, - and _, not starting with -.
// It stands in file names and on log lines.
type Name string

// None is the tenant of a job that asks for no credentials.
const None Name = ""

// nobody names the folder of the jobs of None; no tenant of a policy file has it.
const nobody Name = "none"

// ParseName checks the name of a tenant.
func ParseName(text string) (Name, error) {
	if len(text) < 1 || len(text) > 63 || text[0] == '-' || !madeOf(text, "_") {
		return None, fmt.Errorf("tenant name %s: want 1 to 63 of a-z, 0-9, - and _, not starting with -", quote(text))
	}
	return Name(text), nil
}

// madeOf reports whether text holds nothing but a-z, 0-9, - and the letters more.
func madeOf(text, more string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-"+more) == ""
}

// quote returns text in quotes, cut to what a log line can bear.
func quote(text string) string {
	if len(text) > 80 {
		return fmt.Sprintf("%q…", text[:80])
	}
	return fmt.Sprintf("%q", text)
}

// IDToken is the variable that holds a job's ID token.
const IDToken = "GITLAB_OIDC_TOKEN" //nolint:gosec // the name of a variable

// Request is what a job asks for. Each field may be empty.
type Request struct {
	Tenant  string // TENANT
	RoleARN string // ROLE_ARN
	Region  string // AWS_REGION, else AWS_DEFAULT_REGION
}

// Grant is a decision: the tenant of a job and what goes with it.
type Grant struct {
	Tenant    Name
	RoleARN   string
	IDToken   string // name of the variable that holds the ID token
	Region    string // region for the script; empty: the driver's own
	Protected bool   // the trust class of the job: whether its ref is protected
	RunAs     string // unix user of the job; empty: the runner's own
	Limits    Limits
	Why       string // the rules that allowed it, for the audit log; of a policy file only

	STSRegion         string        // region of STS; empty: the driver's own
	Duration          time.Duration // the longest session; 0: as long as the job may run
	SessionPolicyFile string
	PolicyARNs        []string
}

// Folder returns the folder, below the builds_dir and cache_dir of a policy file,
// that the jobs of a tenant and trust class have for themselves: what a job of an
// unprotected ref leaves there must not meet one of a protected ref.
func (g Grant) Folder() string {
	class := "unprotected"
	if g.Protected {
		class = "protected"
	}
	return string(cmp.Or(g.Tenant, nobody)) + "/" + class
}

// ZeroConfig are the rules without a policy file. Pinned is the tenant of the
// runner, None where the job names it.
type ZeroConfig struct{ Pinned Name }

// Decide returns the grant for a job. A job that names no tenant, on a runner
// that has none pinned, gets a Grant of tenant None. Errors are a fault.Author.
func (z ZeroConfig) Decide(r Request) (Grant, error) {
	name, err := z.name(r.Tenant)
	if err != nil || name == None {
		return Grant{}, err
	}
	if r.RoleARN == "" {
		return Grant{}, fault.New(fault.Author,
			fmt.Errorf("tenant %q: the job has no variable ROLE_ARN", name),
			"set ROLE_ARN to the ARN of the IAM role that the job assumes, in the job or under Settings > CI/CD > Variables")
	}
	if !isRegion(r.Region) {
		return Grant{}, fault.New(fault.Author,
			fmt.Errorf("tenant %q: %s is no AWS region", name, quote(r.Region)),
			"set AWS_REGION to a region such as eu-central-1, or to none")
	}
	return Grant{Tenant: name, RoleARN: r.RoleARN, IDToken: IDToken, Region: r.Region}, nil
}

// name returns the tenant of a job that asks for requested.
func (z ZeroConfig) name(requested string) (Name, error) {
	if requested == "" || requested == string(z.Pinned) {
		return z.Pinned, nil
	}
	if z.Pinned != None {
		return None, fault.New(fault.Author,
			fmt.Errorf("the job asks for tenant %s, this runner serves tenant %q only", quote(requested), z.Pinned),
			"choose a runner of that tenant by its tags")
	}
	name, err := ParseName(requested)
	if err != nil {
		return None, fault.New(fault.Author, fmt.Errorf("variable TENANT: %w", err), "correct TENANT in .gitlab-ci.yml")
	}
	return name, nil
}
