package tenant

import (
	"slices"
	"time"
)

// Policy is a compiled policy file. It never changes.
type Policy struct {
	settings Settings
	tenants  []Tenant
	hash     string
}

// NewPolicy returns a policy of those settings and tenants, which become its own.
// The hash tells the file from another.
func NewPolicy(settings Settings, tenants []Tenant, hash string) *Policy {
	return &Policy{settings, tenants, hash}
}

// Hash returns a hash of the file that the policy was compiled from. It tells one
// state of the file from another, and is no proof against people who can write it.
func (p *Policy) Hash() string { return p.hash }

// Settings are what a policy file says beside its tenants.
type Settings struct {
	BuildsDir, CacheDir, CredentialsDir, AuditLog string

	RunAs      string // unix user of the jobs of no tenant; empty: none
	SharedUser bool   // tenants may have a unix user in common
	RunAsRoot  bool   // jobs without a unix user may run as root, where the driver is root

	GitLab  GitLab
	Gate    Gate
	Servers []Gift // how to reach the servers of providers
}

// GitLab says who signs ID tokens.
type GitLab struct {
	Issuer   string // the claim iss
	JWKSURL  string
	JWKSFile string
	CABundle string // file
}

// Gate bounds the search for secrets before an upload.
type Gate struct {
	Warn        bool // upload what could not be looked at, and say so
	MaxBytes    int64
	MaxDuration time.Duration
}

// Tenant is a tenant of a policy file: whom it serves, and what it gives them.
type Tenant struct {
	Name         Name
	IDToken      string // name of the variable that holds the ID token
	Audience     string
	Projects     []Pattern
	Refs         []Pattern // empty: any
	RefTypes     []string
	Protected    bool
	Environments []Pattern // empty: any, and none
	Required     bool
	RunAs        string // unix user of its jobs; empty: the runner's own
	Limits       Limits

	Gifts []Gift // what it gives
}

// What a policy file says by saying nothing of it.
const (
	gateBytes    = 10 << 30
	gateDuration = 10 * time.Minute
)

// Defaults returns what holds where there is no policy file.
func Defaults() Settings {
	return Settings{Gate: Gate{MaxBytes: gateBytes, MaxDuration: gateDuration}}
}

// Find returns the settings of a provider among gifts, or nil.
func Find(gifts []Gift, provider string) any {
	for _, g := range gifts {
		if g.Provider == provider {
			return g.Settings
		}
	}
	return nil
}

// Limits bound the processes of a job's scripts. 0 is no limit but the runner's own.
type Limits struct {
	OpenFiles uint64 // of each process
	Processes uint64 // of the unix user, in all jobs together
	Memory    uint64 // address space of each process, in bytes
}

// Settings returns what is said beside the tenants.
func (p *Policy) Settings() Settings { return p.settings }

// Tenants returns a copy of the tenants, in the order of the file.
func (p *Policy) Tenants() []Tenant {
	tenants := slices.Clone(p.tenants)
	for i := range tenants {
		t := &tenants[i]
		t.Projects, t.Refs, t.Environments = slices.Clone(t.Projects), slices.Clone(t.Refs), slices.Clone(t.Environments)
		t.RefTypes, t.Gifts = slices.Clone(t.RefTypes), slices.Clone(t.Gifts)
	}
	return tenants
}

// find returns the tenant of that name, or nil.
func (p *Policy) find(name Name) *Tenant {
	for i := range p.tenants {
		if p.tenants[i].Name == name {
			return &p.tenants[i]
		}
	}
	return nil
}
