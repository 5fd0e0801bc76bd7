package decisions_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// dice chooses at random, the same for the same seed.
type dice struct{ *rand.Rand }

// newDice returns the dice of a case.
func newDice(seed, number uint64) dice { return dice{rand.New(rand.NewPCG(seed, number))} }

// of returns one of the texts.
func (d dice) of(texts ...string) string { return texts[d.IntN(len(texts))] }

// one reports true once in n times.
func (d dice) one(n int) bool { return d.IntN(n) == 0 }

// team is a tenant of a policy file, as the jobs of a test are made for it.
type team struct {
	name, token, audience, project, ref, refType, environment string
	protected                                                 bool
}

// policy is a policy file and its tenants.
type policy struct {
	text   string
	teams  []team
	builds string // builds_dir; empty: none
}

// newPolicy returns a policy file of one to three tenants, whose files lie in dir.
func newPolicy(d dice, dir, issuer string) policy {
	var p policy
	top := "shared_user = \"unsafe\"\n" + fmt.Sprintf("credentials_dir = %q\naudit_log = %q\n", dir+"/run", dir+"/audit")
	isolated := d.one(2)
	if isolated || !d.one(3) {
		p.builds = dir + "/builds"
		top += fmt.Sprintf("builds_dir = %q\ncache_dir = %q\n", p.builds, dir+"/cache")
	}
	if !d.one(3) {
		top += "run_as_root = \"unsafe\"\n"
	}
	if d.one(4) {
		top += fmt.Sprintf("unknown_tenant = %q\n", d.of("refuse", "none", "none"))
	}
	boxes := isolated && !d.one(6)
	if !boxes && d.one(4) {
		top += fmt.Sprintf("unused_services = %q\n", d.of("refuse", "refuse", "warn"))
	}
	if isolated && !d.one(3) {
		top += "run_as = \"rolecall-no-such\"\n"
	}
	top += fmt.Sprintf("[gitlab]\nissuer = %q\njwks_file = %q\n", issuer, dir+"/keys.json")
	if d.one(4) {
		top += fmt.Sprintf("[sts]\nproxy = \"http://u:p@proxy\"\nca_bundle = %q\n", dir+d.of("/ca.pem", "/ca.pem", "/none"))
	}
	if boxes {
		top += containers(d) + "[defaults]\n" + images(d)
	}
	for _, name := range []string{"alpha", "beta", "gamma"}[:1+d.IntN(3)] {
		t := newTeam(d, name)
		p.teams = append(p.teams, t)
		top += "[[tenant]]\n" + t.lines(d)
		if isolated {
			top += "run_as = \"rolecall-no-" + name + "\"\n"
		}
		if boxes && !d.one(3) {
			top += images(d)
		}
		if d.one(5) {
			top += fmt.Sprintf("session_policy_file = %q\n", dir+d.of("/session.json", "/session.json", "/none"))
		}
		top += sources(d)
	}
	p.text = top
	return p
}

// containers returns the table [containers].
func containers(d dice) string {
	text := "[containers]\nengine = \"podman\"\n"
	if d.one(3) {
		text += d.of("require_image = true\n", "default_image = \"r.example.com/base:1\"\n")
	}
	if d.one(3) {
		text += "max_services = 1\n"
	}
	return text
}

// images returns the keys about images of a table.
func images(d dice) string {
	text := ""
	for _, key := range []string{
		`images = ["docker.io/library/*:*", "r.example.com/**"]`, `services = ["docker.io/library/postgres:*"]`,
		`image_users = ["", "1000"]`, `pull_policies = ["if-not-present", "always"]`,
	} {
		if !d.one(4) {
			text += key + "\n"
		}
	}
	if d.one(10) {
		text += "digest_only = true\n"
	}
	return text + fmt.Sprintf("docker_auth_config = %v\n", d.one(2))
}

// newTeam returns a tenant and a job that its rules are for.
func newTeam(d dice, name string) team {
	return team{
		name: name, token: d.of("GITLAB_OIDC_TOKEN", "GITLAB_OIDC_TOKEN", "OTHER_TOKEN"), audience: d.of("https://gitlab.example.com", "aud"),
		project: d.of("acme/deploy", "acme/"+name, "other/deploy"), ref: d.of("main", "release/1", "v1"), refType: d.of("branch", "branch", "tag"),
		environment: d.of("", "", "prod"), protected: d.one(2),
	}
}

// lines returns the keys of the tenant, whose rules allow its own job.
func (t team) lines(d dice) string {
	group, _, _ := strings.Cut(t.project, "/")
	text := fmt.Sprintf("name = %q\nrole_arn = \"arn:aws:iam::111122223333:role/%s\"\naudience = %q\nid_token = %q\n", t.name, t.name, t.audience, t.token)
	text += fmt.Sprintf("projects = [%q]\nref_types = %s\n", d.of(t.project, group+"/*", "**"), d.of(fmt.Sprintf("[%q]", t.refType), `["branch", "tag"]`))
	if d.one(2) {
		text += fmt.Sprintf("refs = [%q, \"only\"]\n", d.of(t.ref, "**"))
	}
	if t.environment != "" {
		text += fmt.Sprintf("environments = [%q]\n", t.environment)
	}
	text += fmt.Sprintf("protected = %v\nrequired = %v\nregion = %q\nduration = %q\n", t.protected, d.one(4), d.of("", "eu-central-1"), d.of("", "1h"))
	if d.one(3) {
		text += d.of("delivery = \"endpoint\"\n", "delivery = \"env\"\n")
	}
	return text
}

// sources returns the sources of a tenant; many have none.
func sources(d dice) string {
	text := ""
	for _, name := range []string{"one", "two"} {
		if !d.one(4) {
			continue
		}
		text += fmt.Sprintf("[[tenant.source]]\nname = %q\nprovider = \"aws\"\nrole_arn = \"arn:aws:iam::444455556666:role/%[1]s\"\n", name)
		if !d.one(3) {
			text += "[[tenant.source.chain]]\nrole_arn = \"arn:aws:iam::777788889999:role/x\"\n" +
				fmt.Sprintf("tags = { a = %q, b = \"x\" }\nsource_identity = %q\n", d.of("claim:ref", "claim:environment", "claim:project_path"), d.of("claim:job_id", "claim:user_login", "ci"))
		}
	}
	return text
}
