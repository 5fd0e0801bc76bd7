package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/image"
	"rolecall/internal/job"
	"rolecall/internal/mask"
)

// tokenKind names a token in the job log.
const tokenKind = "ID token"

// given is what a job has. Of a job without a tenant, only secrets may be set.
type given struct {
	set      creds.Set
	orders   []creds.Order // of the credentials that an endpoint renews
	secrets  []mask.Named  // must neither be printed nor uploaded
	endpoint []string      // variables that say where the endpoint of the script is, as NAME=value
	envFile  string        // path of the env file as scripts see it; empty: there is none
}

// openSecrets reads what was issued to the job, and masks it in all that the stage
// prints, even if the script is the runner's. It also masks the job's ID tokens and logins
// to registries, which a job without a tenant can have as well.
func (r running) openSecrets() (given, error) {
	g, err := r.readIssued()
	if err != nil {
		return given{}, err
	}
	g.secrets = append(g.secrets, r.tokens()...)
	return g, r.Mask(slices.Concat(g.secrets, r.logins())...)
}

// logins returns the secrets of the job's logins to registries: of the one that GitLab gives
// it, and of its variable DOCKER_AUTH_CONFIG. They are not looked for in uploads: the job
// has brought them itself.
func (r running) logins() []mask.Named {
	of := r.Env.Request
	return append(image.LoginSecrets(of["CI_REGISTRY_USER"], mask.NewSecret(of["CI_REGISTRY_PASSWORD"])),
		image.ConfigSecrets(of[image.AuthConfig])...)
}

// readIssued reads what was issued to the job.
func (r running) readIssued() (given, error) {
	if r.folder.Tenant() == "" {
		return given{}, nil
	}
	all, err := r.folder.ReadAll()
	if err != nil {
		return given{}, r.unreadable(err)
	}
	return given{
		set: all.Set, orders: all.Orders, secrets: all.Secrets, envFile: r.place.Visible(r.folder.Record().Data, r.folder.Path()),
	}, nil
}

// unreadable returns the error that the driver's own copy cannot be read. A job of the
// driver's user may have changed the copy; a job of another user cannot.
func (r running) unreadable(err error) error {
	if r.folder.Record().Owner != nil {
		return fmt.Errorf("the credentials of tenant %q: %w", r.folder.Tenant(), err)
	}
	return fault.New(fault.CredentialsGone, fmt.Errorf("the credentials of tenant %q cannot be read: %w", r.folder.Tenant(), err),
		"do not remove or change their file in a script")
}

// tokens returns the ID tokens of this very job: the one that the credentials were issued
// for, and all others among the job's variables. The runner passes the same variables to
// each stage, so the first is the token that prepare has verified.
func (r running) tokens() []mask.Named {
	record, others := r.folder.Record(), maps.Clone(r.Env.Request)
	var tokens []mask.Named
	if record.Tenant != "" {
		tokens = append(tokens, mask.Named{Kind: tokenKind, Value: mask.NewSecret(strings.TrimSuffix(others[record.IDToken], "\n"))})
		delete(others, record.IDToken) // reading a token takes time
	}
	for _, token := range idtoken.OfJob(maps.Values(others), int64(r.key.ID), record.Project) {
		tokens = append(tokens, mask.Named{Kind: tokenKind, Value: token.Raw})
	}
	return tokens
}

// hidden returns the names of the variables that providers hide from scripts.
func (p Parts) hidden() []string {
	var names []string
	for _, one := range p.Providers {
		names = append(names, one.Hides()...)
	}
	return names
}

// visible returns the service's environment without the variables that providers hide
// from scripts, and those that say who the host is elsewhere.
func (p Parts) visible(service []string) []string {
	hidden := append(p.hidden(), creds.OfHost()...)
	return slices.DeleteFunc(slices.Clone(service), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(hidden, func(one string) bool { return creds.Covers(one, name) })
	})
}

// identity is what the driver, and nobody else, says about who a script is in a cloud.
type identity struct {
	unset []string // names of variables that the host must not set, as Provider.Hides has them
	set   []string // variables that the script gets, as NAME=value
	files []string // paths of the files of the credentials
}

// rules are what the admin says about the identity of scripts.
type rules struct {
	policy   bool   // there is a policy file
	metadata bool   // scripts may use the metadata service of the host's cloud
	own      string // the job's own folder as scripts see it; empty: there is none
}

// rules returns what the admin says about the identity of the job's scripts.
func (r running) rules() rules {
	own := r.folder.OwnDir()
	if own != "" {
		own = r.place.Visible(r.folder.Record().Data, own)
	}
	return rules{!r.NoPolicy, r.folder.Record().Metadata, own}
}

// identity returns who the script of a stage is. A script of the user has the credentials
// of the job. A job that has no tenant has nothing of the host either; but without a policy
// file such a job runs as on GitLab Runner's shell executor. With a policy file the job's
// own folder and the guards are for all stages, since hooks run in the others too.
func (p Parts) identity(stage job.StageName, g given, how rules) identity {
	if g.envFile == "" && !how.policy {
		return identity{}
	}
	is, has := identity{unset: append(p.hidden(), "ROLECALL_*")}, g.envFile != "" && stage.IsUserScript()
	if has {
		is.set = append(g.set.Environ(), foldersOf(g.set, how.own)...)
	}
	if has || how.policy {
		is.set = append(is.set, without(p.tools(how.own), is.set)...)
	}
	if !how.metadata && (has || how.policy) {
		is.set = append(is.set, p.guards()...)
	}
	if has {
		is.set = append(is.set, g.told()...)
	}
	return is
}

// without returns the entries whose variables are not among those that credentials set: a
// credential may be a file of a tool.
func without(entries, set []string) []string {
	return slices.DeleteFunc(entries, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(set, func(other string) bool { return strings.HasPrefix(other, name+"=") })
	})
}

// tools returns the variables by which tools keep credentials in the job's own folder.
func (p Parts) tools(own string) []string {
	if own == "" {
		return nil
	}
	files := []creds.ToolFile{creds.Docker()}
	for _, one := range p.Providers {
		files = append(files, one.ToolFiles()...)
	}
	var set []string
	for _, f := range files {
		set = append(set, f.Variable+"="+own+"/"+f.Value)
	}
	return set
}

// foldersOf returns the variables of the folders of credentials, which are in the job's own.
func foldersOf(set creds.Set, own string) []string {
	var entries []string
	for _, c := range set {
		for _, f := range c.Folders {
			if own != "" {
				entries = append(entries, f.Variable+"="+own+"/"+f.Path)
			}
		}
	}
	return entries
}

// guards returns the guards of all providers.
func (p Parts) guards() []string {
	var all []string
	for _, one := range p.Providers {
		all = append(all, one.Guards()...)
	}
	return all
}

// told returns the variables that tell a script about its credentials.
func (g given) told() []string {
	told := append([]string{job.EnvFileVariable + "=" + g.envFile}, g.endpoint...)
	fixed := slices.DeleteFunc(slices.Clone(g.set), isServed) // what is not renewed
	if expires := fixed.Expires(); !expires.IsZero() {
		told = append(told, job.ExpiresVariable+"="+expires.UTC().Format(time.RFC3339))
	}
	return told
}
