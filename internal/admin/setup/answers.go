// Package setup writes the first files of a host: its policy file, its runner and the
// drop-in of the runner's service, from what an admin answers.
package setup

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"

	"rolecall/internal/tenant"
)

// Answers is what an admin says of a host.
type Answers struct {
	Issuer   string   // the URL of GitLab, as in the claim iss of ID tokens
	Audience string   // the aud of id_tokens:; empty: the issuer
	Tenants  []Tenant // at least one
	Runner   string   // the runner's name
	Token    string   // the runner's authentication token, glrt-...; empty: none yet
	Config   string   // the policy file, if it is not at its default path
}

// Tenant is what an admin says of a tenant.
type Tenant struct {
	Name         string   `toml:"name"`
	RunAs        string   `toml:"run_as"`
	RoleARN      string   `toml:"role_arn"`
	Audience     string   `toml:"audience"`
	Projects     []string `toml:"projects"`
	Refs         []string `toml:"refs,omitempty"`
	Environments []string `toml:"environments,omitempty"`
	Protected    bool     `toml:"protected,omitempty"`
}

// userPrefix is what the names of unix users for jobs begin with.
const userPrefix = "ci-"

// maxUser is how many characters the name of a unix user has at most: useradd makes no longer one.
const maxUser = 32

// ParseTenant reads a tenant of a command line, such as
// name=alpha,role=arn:aws:iam::111122223333:role/deploy,project=acme/shop,ref=main,protected.
// The keys are name, role, project, ref, environment, user and protected; project, ref and
// environment may come more than once. name, role and project must be there. The user is
// ci-NAME unless it is named.
func ParseTenant(text string) (Tenant, error) {
	var t Tenant
	for _, part := range strings.Split(text, ",") {
		key, value, hasValue := strings.Cut(part, "=")
		if err := t.set(key, value, hasValue); err != nil {
			return t, err
		}
	}
	return t, t.complete()
}

// set sets what a key of a command line says.
func (t *Tenant) set(key, value string, hasValue bool) error {
	texts := map[string]*string{"name": &t.Name, "role": &t.RoleARN, "user": &t.RunAs}
	lists := map[string]*[]string{"project": &t.Projects, "ref": &t.Refs, "environment": &t.Environments}
	text, list := texts[key], lists[key]
	switch {
	case key == "protected" && !hasValue:
		t.Protected = true
	case text == nil && list == nil:
		return fmt.Errorf("unknown key %.40q: want name, role, project, ref, environment, user or protected", key)
	case value == "":
		return fmt.Errorf("%s has no value: want %s=VALUE", key, key)
	case text != nil && *text != "":
		return fmt.Errorf("%s is there twice", key)
	case text != nil:
		*text = value
	default:
		*list = append(*list, value)
	}
	return nil
}

// complete fails if something is missing, and names the unix user.
func (t *Tenant) complete() error {
	switch {
	case t.Name == "":
		return errors.New("the tenant has no name: name=NAME")
	case t.RoleARN == "":
		return fmt.Errorf("tenant %.80q has no role: role=ARN", t.Name)
	case t.Projects == nil:
		return fmt.Errorf("tenant %.80q has no project: project=GROUP/PROJECT", t.Name)
	}
	if t.RunAs == "" && len(userPrefix+t.Name) > maxUser {
		return fmt.Errorf("the unix user %.80q of tenant %.80q has more than %d characters: choose a shorter name, or name a user by user=NAME", userPrefix+t.Name, t.Name, maxUser)
	}
	t.RunAs = cmp.Or(t.RunAs, userPrefix+t.Name)
	_, err := tenant.ParseName(t.Name)
	return err
}

// Check fails if something is missing or contradictory. Rules, roles and users are judged
// by who reads the policy file.
func (a Answers) Check() error {
	u, err := url.Parse(a.Issuer)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("the URL of GitLab is %.80q: want one such as https://gitlab.example.com", a.Issuer)
	case max(len(a.Issuer), len(a.Audience), len(a.Runner)) > maxText:
		return fmt.Errorf("the URL of GitLab, the audience or the runner's name is longer than %d characters", maxText)
	case len(a.Tenants) == 0:
		return errors.New("there is no tenant: name at least one")
	case len(a.Token) > maxToken || strings.ContainsFunc(a.Token, foreign):
		return errors.New("the runner's token has blanks, more than one line, or characters that no token has: want glrt-... alone")
	case a.Runner == "" || strings.ContainsFunc(a.Runner, unprintable):
		return fmt.Errorf("the runner's name is %.80q: want a name that can be printed, by --runner", a.Runner)
	}
	for i, t := range a.Tenants {
		if slices.ContainsFunc(a.Tenants[:i], func(other Tenant) bool { return other.Name == t.Name }) {
			return fmt.Errorf("tenant %q is there twice", t.Name)
		}
	}
	return nil
}

// maxText bounds the length of an answer, in bytes.
const maxText = 1000

// maxToken bounds the length of a runner's token, in bytes.
const maxToken = 1000

// foreign reports whether tokens of runners do not have a character.
func foreign(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'\\`", r) }

// unprintable reports whether a character cannot be printed.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// Server returns the URL of GitLab as the claim iss of ID tokens has it: without a slash at its
// end, which browsers add.
func Server(url string) string { return strings.TrimRight(url, "/") }

// policyHead is the beginning of a policy file.
const policyHead = `# rolecall's policy file: which jobs get the credentials of which tenant. What it does not
# allow is denied. /usr/share/rolecall/rolecall.toml.example explains every key.
# After a change: sudo rolecall check

`

// policy is a policy file.
type policy struct {
	BuildsDir string   `toml:"builds_dir"`
	CacheDir  string   `toml:"cache_dir"`
	AuditLog  string   `toml:"audit_log"`
	RunAs     string   `toml:"run_as" comment:"of jobs without a tenant"`
	GitLab    gitlab   `toml:"gitlab"`
	Tenants   []Tenant `toml:"tenant"`
}

// gitlab is the server of a policy file.
type gitlab struct {
	Issuer string `toml:"issuer"`
}

// Policy returns the policy file of a host whose state is in the folder dir.
func (a Answers) Policy(dir string) ([]byte, error) {
	p := policy{dir + "/builds", dir + "/cache", dir + "/audit.jsonl", userPrefix + "none", gitlab{a.Issuer}, slices.Clone(a.Tenants)}
	for i := range p.Tenants {
		p.Tenants[i].Audience = cmp.Or(p.Tenants[i].Audience, a.Audience, a.Issuer)
	}
	content, err := toml.Marshal(p)
	return append([]byte(policyHead), content...), err
}
