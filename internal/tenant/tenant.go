// Package tenant decides which tenant a job is.
//
// There are two sets of rules. A Policy has the admin's rules, from the policy file,
// and checks them against what GitLab has signed. Without a policy file there is
// ZeroConfig: the job names its tenant, and only the provider of credentials judges
// what the job requests.
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

// None is the tenant of a job that gets no credentials.
const None Name = ""

// Nobody names the folder of jobs without a tenant; no tenant may have this name.
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
	RunAs     string // unix user of the job; empty: the runner's user
	Limits    Limits
	Gifts     []Gift // what the tenant gives the job; empty without a policy file
	Why       string // the rules that allowed the job, for the audit log; empty without a policy file
}

// Gift is what a tenant gives its jobs from one provider of credentials.
type Gift struct {
	Provider string // the name of the provider, such as aws
	Settings any    // of a type that only the provider knows; it never changes
}

// Folder returns the folder of the job's tenant and trust class, relative to the
// builds_dir and cache_dir of a policy file. Each trust class has its own folder, so
// that a job of a protected ref does not meet what a job of an unprotected ref left.
func (g Grant) Folder() string {
	class := "unprotected"
	if g.Protected {
		class = "protected"
	}
	return string(cmp.Or(g.Tenant, Nobody)) + "/" + class
}

// ZeroConfig are the rules without a policy file. Pinned is the tenant of the runner;
// with None the job names its tenant.
type ZeroConfig struct{ Pinned Name }

// Decide returns the grant of a job whose variable TENANT has the value requested,
// which may be empty. If neither the job nor the runner names a tenant, the Grant has
// tenant None. Errors are a fault.Author.
func (z ZeroConfig) Decide(requested string) (Grant, error) {
	name, err := z.name(requested)
	if err != nil || name == None {
		return Grant{}, err
	}
	return Grant{Tenant: name, IDToken: IDToken}, nil
}

// name returns the tenant of a job whose variable TENANT is requested.
func (z ZeroConfig) name(requested string) (Name, error) {
	if requested == "" || requested == string(z.Pinned) {
		return z.Pinned, nil
	}
	if z.Pinned != None {
		return None, fault.New(fault.NoTenant,
			fmt.Errorf("the job asks for tenant %s, this runner serves tenant %q only", Quote(requested), z.Pinned),
			"choose a runner of that tenant by its tags")
	}
	name, err := ParseName(requested)
	if err != nil {
		return None, fault.New(fault.BadVariable, fmt.Errorf("variable TENANT: %w", err), "correct TENANT in .gitlab-ci.yml")
	}
	return name, nil
}
