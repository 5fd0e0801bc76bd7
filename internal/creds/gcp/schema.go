package gcp

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// The shortest and the longest life of the token of a service account. More than an hour needs
// a policy of the organization.
//
// https://cloud.google.com/iam/docs/create-short-lived-credentials-direct
const (
	shortest = 10 * time.Minute
	longest  = 12 * time.Hour
)

// Settings are what a source says.
type Settings struct {
	Terms
	CABundle string // path of a file
}

// Sets returns the names of the variables that scripts get. Each job of the tenant gets them.
func (s Settings) Sets() (names []string, always bool) { return s.sets(), true }

// Servers returns the URLs of the servers that the source asks, and the path of the file with their
// authorities.
func (s Settings) Servers() (urls []string, caBundle string) {
	urls = []string{s.TokenURL}
	if s.Account != "" {
		urls = append(urls, s.IAMURL)
	}
	return urls, s.CABundle
}

// SourceKeys returns the keys of a source.
func (Provider) SourceKeys() policyfile.Keys {
	return policyfile.Keys{
		"workload_identity_provider": policyfile.Text, "service_account": policyfile.Text, "lifetime": policyfile.Text,
		"project": policyfile.Text, "universe_domain": policyfile.Text, "token_url": policyfile.Text, "iam_url": policyfile.Text,
		"ca_bundle": policyfile.Text, "probe": policyfile.Switch,
	}
}

// Source compiles a source.
func (Provider) Source(t policyfile.Table, _ any) any {
	s := Settings{Terms: Terms{Universe: defaultUniverse, Probe: true}}
	policyfile.Set(t, "workload_identity_provider", readPool, &s.Pool)
	policyfile.Set(t, "service_account", readAccount, &s.Account)
	policyfile.Set(t, "lifetime", readLifetime, &s.Lifetime)
	policyfile.Set(t, "project", readProject, &s.Project)
	policyfile.Set(t, "universe_domain", readUniverse, &s.Universe)
	policyfile.Set(t, "token_url", readTokenURL, &s.TokenURL)
	policyfile.Set(t, "iam_url", policyfile.ReadServer, &s.IAMURL)
	policyfile.Set(t, "ca_bundle", policyfile.ReadPath, &s.CABundle)
	policyfile.SetSwitch(t, "probe", &s.Probe)
	s.check(t)
	s.TokenURL = cmp.Or(s.TokenURL, "https://sts."+s.Universe+"/v1"+tokenPath)
	s.IAMURL = strings.TrimSuffix(cmp.Or(s.IAMURL, "https://iamcredentials."+s.Universe), "/")
	return s
}

// check reports a source without a provider, and keys that have no effect.
func (s Settings) check(t policyfile.Table) {
	if !t.Own("workload_identity_provider") {
		t.FailTable(errors.New("workload_identity_provider is missing; set it to projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"))
	}
	for _, key := range []string{"lifetime", "iam_url"} {
		if t.Own(key) && !t.Own("service_account") {
			t.Fail(key, errors.New("without service_account it has no effect; set service_account, or remove it"))
		}
	}
	if s.CABundle != "" && !s.Probe {
		t.Fail("ca_bundle", errors.New("it is for the probe only, and probe is false; remove one of them"))
	}
}

// readPool reads the name of a provider of a pool. Google takes the project by its number only.
//
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
func readPool(text string) (string, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 8 || !isPool(parts) {
		return "", fmt.Errorf("%s: want projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER", tenant.Quote(text))
	}
	return text, nil
}

// isPool reports whether the eight parts of a name are those of a provider of a pool.
func isPool(parts []string) bool {
	project, pool, provider := parts[1], parts[5], parts[7]
	parts = []string{parts[0], parts[2], parts[3], parts[4], parts[6]}
	return strings.Join(parts, "/") == "projects/locations/global/workloadIdentityPools/providers" &&
		project != "" && strings.Trim(project, "0123456789") == "" && isID(pool) && isID(provider)
}

// isID reports whether a text is the id of a pool or of a provider.
//
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools/create
func isID(text string) bool { return len(text) >= 4 && len(text) <= 32 && policyfile.MadeOf(text, "") }

// readAccount reads the address of a service account.
func readAccount(text string) (string, error) {
	name, domain, found := strings.Cut(text, "@")
	if !found || !isWord(name, ".") || !isWord(domain, ".") || !strings.Contains(domain, ".") {
		return "", fmt.Errorf("%s: want the address of a service account, such as deploy@my-project.iam.gserviceaccount.com", tenant.Quote(text))
	}
	return text, nil
}

// readLifetime reads how long the token of a service account is valid.
func readLifetime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < shortest || d > longest || d%time.Second != 0 {
		return 0, fmt.Errorf(`%s: want a duration from "10m" to "12h", such as "1h"`, tenant.Quote(text))
	}
	return d, nil
}

// readProject reads the id of a project. That of an old one may begin with a domain and a colon.
func readProject(text string) (string, error) {
	if !isWord(text, ".:") {
		return "", fmt.Errorf("%s: want the id of a project, such as my-project", tenant.Quote(text))
	}
	return text, nil
}

// readUniverse reads the domain of a universe.
func readUniverse(text string) (string, error) {
	if !isWord(text, ".") || !strings.Contains(text, ".") {
		return "", fmt.Errorf("%s: want the domain of a universe, such as googleapis.com", tenant.Quote(text))
	}
	return text, nil
}

// readTokenURL reads the URL of Google's Security Token Service.
func readTokenURL(text string) (string, error) {
	if !strings.HasSuffix(text, tokenPath) {
		return "", fmt.Errorf("want a URL that ends with %s, such as https://sts.googleapis.com/v1/token", tokenPath)
	}
	return policyfile.ReadServer(text)
}

// isWord reports whether a text is a word of at most 128 of a-z, 0-9, - and those in more.
func isWord(text, more string) bool {
	return text != "" && len(text) <= 128 && policyfile.MadeOf(text, more) && strings.Trim(text[:1], "-"+more) != ""
}
