package tenant

import (
	"slices"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/handover"
	"rolecall/internal/image"
)

// Policy is a compiled policy file. It never changes.
type Policy struct {
	settings Settings
	tenants  []Tenant
	hash     string
}

// NewPolicy returns a policy of these settings and tenants. The caller must not change
// them afterwards. Hash is the hash of the policy file's content.
func NewPolicy(settings Settings, tenants []Tenant, hash string) *Policy {
	return &Policy{settings, tenants, hash}
}

// Hash returns the hash of the file that the policy was compiled from. It shows that
// the file has changed; it does not protect against people who can write the file.
func (p *Policy) Hash() string { return p.hash }

// Settings are what a policy file says outside of its tenants.
type Settings struct {
	BuildsDir, CacheDir, CredentialsDir, AuditLog string

	MetricsFile string // what of the audit log is counted in; empty: no file

	RunAs      string // unix user of the jobs without a tenant; empty: none
	SharedUser bool   // several tenants may run as the same unix user
	Contact    string // whom people can ask about the runner; may be empty
	RunAsRoot  bool   // jobs without a unix user may run as root if the driver is root

	PasswdHome   bool   // scripts of a driver that is root have the HOME of their unix user
	HomeSkeleton string // folder that the HOME of a tenant and trust class is first a copy of; empty: none

	Metadata bool // scripts may use the metadata service of the host's cloud

	// UnknownNone runs a job without a tenant if its TENANT is not in the policy, although
	// it has an ID token for the audience of a tenant.
	UnknownNone bool

	RefuseServices bool // a job that has services is refused: the runner starts none
	AllowSteps     bool // a job with run:, steps of GitLab, is not refused

	Limits  Limits      // of jobs without a tenant
	Images  image.Rules // of jobs without a tenant
	GitLab  GitLab
	Gate    Gate
	Servers []Gift // how to reach the servers of providers

	Containers Containers

	Handover handover.Settings // of tenants that say nothing of it
}

// Containers says whether and how jobs run in containers. Without the name of an engine
// image: and services: are not used.
type Containers struct {
	Engine         backend.Engine
	DefaultImage   string // of jobs that name none; empty: they run on the host
	RequireImage   bool   // a job without an image is refused
	MaxServices    int64  // of a job
	ImagesMaxBytes uint64 // how big the images of a tenant and trust class may be; 0: any size
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
	Warn        bool   // upload files that could not be searched, and warn
	ForeignKeys string // what happens to keys that rolecall has not issued: "refuse", "warn" or "off"
	MaxFiles    int64
	MaxBytes    int64
	MaxDuration time.Duration
}

// Tenant is a tenant of a policy file: which jobs it serves, and what it gives them.
type Tenant struct {
	Name         Name
	IDToken      string // name of the variable that holds the ID token
	Audience     string
	Projects     []Pattern
	Refs         []Pattern // empty: any
	RefTypes     []string
	Protected    bool
	Environments []Pattern // empty: any environment, or none
	Required     bool
	MaxTokenAge  time.Duration // as in Grant
	MaxRequests  uint64        // of credentials in a minute, of all jobs of a project; 0: no limit
	RunAs        string        // unix user of its jobs; empty: the runner's user
	Limits       Limits
	Images       image.Rules

	Gifts []Gift // what it gives

	Handover handover.Settings // how its jobs hand over values to each other
}

// The defaults of [gate].
const (
	gateFiles    = 1_000_000
	gateBytes    = 10 << 30
	gateDuration = 10 * time.Minute
)

// Defaults returns the settings of a runner without a policy file.
func Defaults() Settings {
	return Settings{Gate: Gate{ForeignKeys: "warn", MaxFiles: gateFiles, MaxBytes: gateBytes, MaxDuration: gateDuration}}
}

// PodmanContainers returns the settings of containers where the policy file says no more
// than that the engine is podman.
func PodmanContainers() Containers {
	const pull, listen = 10 * time.Minute, 30 * time.Second
	return Containers{
		Engine:      backend.Engine{Name: Podman, ImagesDir: "/var/lib/rolecall/images", Network: "host", PullTime: pull, WaitForServices: listen},
		MaxServices: 5,
	}
}

// Podman is the name of the one engine.
const Podman = "podman"

// Find returns the settings of a provider among gifts, those of the tenant's own and not of a
// source, or nil.
func Find(gifts []Gift, provider string) any {
	for _, g := range gifts {
		if g.Provider == provider && g.Name == "" {
			return g.Settings
		}
	}
	return nil
}

// DefaultProcesses is the limit of processes of a unix user that scripts run as, where a
// policy file names no other: a fork bomb must not take the host's process ids from the
// jobs of other users.
const DefaultProcesses = 2000

// Limits bound the processes of a job's scripts. With 0 only the limit that the runner
// itself has applies.
type Limits struct {
	OpenFiles uint64 // of each process
	Processes uint64 // of the unix user, in all jobs together
	Memory    uint64 // address space of each process, in bytes
}

// Settings returns what the policy file says outside of its tenants.
func (p *Policy) Settings() Settings { return p.settings }

// Tenants returns a copy of the tenants, in the order of the file.
func (p *Policy) Tenants() []Tenant {
	tenants := slices.Clone(p.tenants)
	for i := range tenants {
		tenants[i].unshare()
	}
	return tenants
}

// unshare gives the tenant copies of its lists, which a caller may then change.
func (t *Tenant) unshare() {
	t.Projects, t.Refs, t.Environments = slices.Clone(t.Projects), slices.Clone(t.Refs), slices.Clone(t.Environments)
	t.RefTypes, t.Gifts, t.Images = slices.Clone(t.RefTypes), slices.Clone(t.Gifts), t.Images.Clone()
	t.Handover = t.Handover.Clone()
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
