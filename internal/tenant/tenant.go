// Package tenant decides which tenant a job is.
//
// There are two sets of rules. Those of a Policy are the admin's, in a file, and are
// held against what GitLab has signed. Without a file there is ZeroConfig: the job
// names its tenant, and what it asks of a provider of credentials only that provider
// judges.
package tenant

import (
	"cmp"
	"fmt"
	"strings"

	"rolecall/internal/fault"
)

// Name is the name of a tenant: 1 to 63 of a-z, 0-9, - and _, not starting with -.
// It stands in file names and on log lines.
type Name string

// None is the tenant of a job that asks for no credentials.
const None Name = ""

// Nobody names the folder of the jobs of None; no tenant of a policy file has it.
const Nobody Name = "none"

// ParseName checks the name of a tenant.
func ParseName(text string) (Name, error) {
	if len(text) < 1 || len(text) > 63 || text[0] == '-' || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return None, fmt.Errorf("tenant name %s: want 1 to 63 of a-z, 0-9, - and _, not starting with -", Quote(text))
	}
	return Name(text), nil
}

// Quote returns text in quotes, cut to the 80 bytes that a log line can bear.
func Quote(text string) string {
	if len(text) > 80 {
		return fmt.Sprintf("%q…", text[:80])
	}
	return fmt.Sprintf("%q", text)
}

// IDToken is the variable that holds a job's ID token.
const IDToken = "GITLAB_OIDC_TOKEN" //nolint:gosec // the name of a variable

// Grant is a decision: the tenant of a job and what goes with it.
type Grant struct {
	Tenant    Name
	IDToken   string // name of the variable that holds the ID token
	Protected bool   // the trust class of the job: whether its ref is protected
	RunAs     string // unix user of the job; empty: the runner's own
	Limits    Limits
	Gifts     []Gift // what the tenant gives the job; with a policy file only
	Why       string // the rules that allowed it, for the audit log; with a policy file only
}

// Gift is what a tenant gives its jobs of one provider of credentials.
type Gift struct {
	Provider string // the name of the provider, such as aws
	Settings any    // the provider's own; it never changes
}

// Folder returns the folder, below the builds_dir and cache_dir of a policy file,
// that the jobs of a tenant and trust class have for themselves: what a job of an
// unprotected ref leaves there must not meet one of a protected ref.
func (g Grant) Folder() string {
	class := "unprotected"
	if g.Protected {
		class = "protected"
	}
	return string(cmp.Or(g.Tenant, Nobody)) + "/" + class
}

// ZeroConfig are the rules without a policy file. Pinned is the tenant of the
// runner, None where the job names it.
type ZeroConfig struct{ Pinned Name }

// Decide returns the grant for a job that requests a tenant by its variable TENANT,
// which may be empty. A job that names no tenant, on a runner that has none pinned,
// gets a Grant of tenant None. Errors are a fault.Author.
func (z ZeroConfig) Decide(requested string) (Grant, error) {
	name, err := z.name(requested)
	if err != nil || name == None {
		return Grant{}, err
	}
	return Grant{Tenant: name, IDToken: IDToken}, nil
}

// name returns the tenant of a job that asks for requested.
func (z ZeroConfig) name(requested string) (Name, error) {
	if requested == "" || requested == string(z.Pinned) {
		return z.Pinned, nil
	}
	if z.Pinned != None {
		return None, fault.New(fault.Author,
			fmt.Errorf("the job asks for tenant %s, this runner serves tenant %q only", Quote(requested), z.Pinned),
			"choose a runner of that tenant by its tags")
	}
	name, err := ParseName(requested)
	if err != nil {
		return None, fault.New(fault.Author, fmt.Errorf("variable TENANT: %w", err), "correct TENANT in .gitlab-ci.yml")
	}
	return name, nil
}
