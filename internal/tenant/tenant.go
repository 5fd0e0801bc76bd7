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
	"time"

	"rolecall/internal/handover"
	"rolecall/internal/image"
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

// Variable is the variable by which a job requests its tenant.
const Variable = "TENANT"

// IDToken is the variable that holds a job's ID token.
const IDToken = "GITLAB_OIDC_TOKEN" //nolint:gosec // the name of a variable

// Grant is a decision: the tenant of a job and what goes with it.
type Grant struct {
	Tenant    Name
	IDToken   string // name of the variable that holds the ID token
	Protected bool   // the trust class of the job: whether its ref is protected
	RunAs     string // unix user of the job; empty: the runner's user
	Limits    Limits
	Requests  uint64      // how many credentials the jobs of the project may ask for in a minute; 0: no limit
	Images    image.Rules // what the job may ask for of containers

	MaxTokenAge time.Duration // how long ago the token of a job may have been issued that is known by it alone; 0: any time

	Gifts    []Gift            // what the tenant gives the job; empty without a policy file
	Handover handover.Settings // how the jobs of the tenant hand over values; off without a tenant

	Why string // the rules that allowed the job, for the audit log; empty without a policy file

	// Unserved is why a job that could have meant to have a tenant has none: a fault.Author.
	// It is nil for a job that has a tenant, or that asks for none and has no ID token.
	Unserved error
}

// Gift is what a tenant gives its jobs from one provider of credentials.
type Gift struct {
	Provider string // the name of the provider, such as aws
	Name     string // of the source in the policy file; empty: the tenant's own
	Settings any    // of a type that only the provider knows; it never changes
	IDToken  string // name of the variable of an ID token that is for this gift alone; empty: the tenant's
	Audience string // of that token
}

// Folder returns the folder of the job's tenant and trust class, relative to the
// builds_dir and cache_dir of a policy file. Each trust class has its own folder, so
// that a job of a protected ref does not meet what a job of an unprotected ref left.
func (g Grant) Folder() string { return string(cmp.Or(g.Tenant, Nobody)) + "/" + g.Class() }

// Class returns the name of the job's trust class.
func (g Grant) Class() string {
	if g.Protected {
		return "protected"
	}
	return "unprotected"
}

// ZeroConfig are the rules without a policy file. Pinned is the tenant of the runner;
// with None the job names its tenant. Token says whether the job has an ID token.
type ZeroConfig struct {
	Pinned Name
	Token  bool
}

// Decide returns the grant of a job whose variable TENANT has the value requested. If
// neither the job nor the runner names a tenant, the Grant has tenant None. The same is so
// if TENANT is named but empty, or if it is no name of a tenant and the job has no ID
// token: then Grant.Unserved says that. Errors are a fault.Author.
func (z ZeroConfig) Decide(requested string, named bool) (Grant, error) {
	name, err := ParseName(requested)
	switch {
	case requested == "" && named:
		return Grant{Unserved: refuseEmpty()}, nil
	case requested == "":
		name = z.Pinned
	case err != nil && !z.Token:
		return Grant{Unserved: refuseName(requested)}, nil
	case z.Pinned != None && name != z.Pinned:
		return Grant{}, refuseOther(requested, z.Pinned)
	case err != nil:
		return Grant{}, refuseName(requested)
	}
	if name == None {
		return Grant{}, nil
	}
	return Grant{Tenant: name, IDToken: IDToken}, nil
}
