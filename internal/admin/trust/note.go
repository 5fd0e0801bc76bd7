package trust

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"rolecall/internal/tenant"
)

// maxTrustPolicy is IAM's default quota of characters for a trust policy.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maxTrustPolicy = 2048

// Note names a difference between the trust policy and the tenant's rules.
type Note struct {
	Rule string // the key of the policy file, or a word for a part of AWS or GitLab
	Text string
}

// String returns the note for one line.
func (n Note) String() string { return n.Rule + ": " + n.Text }

// notes returns every difference, beginning with those about the tenant's rules.
func (t Trust) notes(server *url.URL) []Note {
	var notes []Note
	add := func(apply bool, rule, text string, args ...any) {
		if apply {
			notes = append(notes, Note{rule, fmt.Sprintf(text, args...)})
		}
	}
	const wider = "in IAM * also matches /, so the trust policy is wider than %s; list them one by one, or use ** if any depth is meant"
	if single := singles(t.tenant.Projects); single != "" {
		add(true, "projects", wider, single)
	}
	if single := singles(t.tenant.Refs); single != "" {
		add(true, "refs", wider, single)
	}
	add(len(t.tenant.Refs) == 0, "refs", "the tenant names none, so the trust policy lets any ref in, whoever may push to it")
	add(t.tenant.Protected, "protected", "IAM cannot ask whether a ref is protected: the trust policy lets unprotected refs of these names in")
	add(len(t.tenant.Environments) > 0, "environments", "IAM cannot see the environment: the trust policy lets jobs of any environment in, and jobs without one")
	add(true, "forks", "in a merge request from a fork, sub names the fork and not the project that runs the job (job_project_path): the trust policy cannot tell them apart")
	add(true, "sub", "the trust policy fits GitLab's default sub; STS refuses jobs of a project with other ci_id_token_sub_claim_components")
	t.limits(server, add)
	return notes
}

// limits adds notes about what IAM does not accept.
func (t Trust) limits(server *url.URL, add func(apply bool, rule, text string, args ...any)) {
	add(server.Scheme != "https" || isLoopback(server.Hostname()), "issuer",
		"AWS reaches an issuer only by https over the internet, and cannot reach %s", t.issuer)
	add(server.Port() != "", "issuer", "the URL of an identity provider in IAM must not have a port")
	add(strings.ContainsFunc(string(t.JSON()), func(r rune) bool { return r > 0xFF }), "document",
		"IAM accepts no characters beyond U+00FF, and refuses this trust policy")
	add(t.length() > maxTrustPolicy, "document",
		"the trust policy has %d characters, IAM's quota is %d: use ** or fewer patterns, split the tenant, or ask AWS for more", t.length(), maxTrustPolicy)
	add(t.seconds() > int64(time.Hour/time.Second), "duration",
		"sessions of %v need a role that allows them: --max-session-duration %d", t.given.Duration, t.seconds())
	if len(t.given.Chain) > 0 {
		add(true, "chain", "the sessions of this role are only to assume the next role of the chain, %s: allow it nothing else but %s on that role",
			t.given.Chain[0].Role, strings.Join(actions(t.given.Chain[0]), ", "))
	}
}

// seconds returns the maximum session duration that the role needs, in seconds. It is at
// least one hour, IAM's minimum. The first session of a chain is short.
func (t Trust) seconds() int64 {
	if len(t.given.Chain) > 0 {
		return int64(time.Hour / time.Second)
	}
	return int64(max(t.given.Duration, time.Hour) / time.Second)
}

// singles lists the patterns with a * that is not part of a **, or returns an empty
// text. A ** means the same to IAM, since no path has an empty segment.
func singles(patterns []tenant.Pattern) string {
	var found []string
	for _, text := range texts(patterns) {
		if strings.Contains(strings.ReplaceAll(text, "**", ""), "*") {
			found = append(found, fmt.Sprintf("%q", text))
		}
	}
	return strings.Join(found, ", ")
}

// isLoopback reports whether host is this host, by its name or its address.
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
