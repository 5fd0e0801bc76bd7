package decisions_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"rolecall/internal/program"
	"rolecall/test/coordinator"
)

// candidate is a job, and the flags of the runner that has it.
type candidate struct {
	id        int64
	project   string
	protected bool
	flags     program.Flags
	variables []coordinator.Variable
	image     map[string]any
	services  []map[string]any
}

// set appends a variable, which wins over one of its name.
func (c *candidate) set(name, value string) {
	c.variables = append(c.variables, coordinator.Variable{Key: name, Value: value})
}

// newCandidate returns a job for one of the tenants of a policy, with some things wrong.
func (w *world) newCandidate(d dice, p policy, id int64) candidate {
	t := p.teams[d.IntN(len(p.teams))]
	c := candidate{id: id, project: t.project, protected: t.protected || d.one(2)}
	if d.one(8) {
		c.project = d.of("acme/deploy", "eve/deploy", "")
	}
	c.flags.Tenant = d.of("", "", "", t.name, t.name, t.name, d.of("beta", "unknown"))
	if !d.one(3) {
		c.set("TENANT", d.of(t.name, t.name, t.name, t.name, "alpha", "gamma", "", "none", "../x"))
	}
	for _, name := range []string{"GITLAB_OIDC_TOKEN", "OTHER_TOKEN"} {
		if name == t.token && !d.one(10) || name != t.token && d.one(8) {
			w.setToken(d, &c, t, name)
		}
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if d.one(5) {
			c.set(name, d.of("us-east-1", "eu-west-1", "", "EU", "x\ny"))
		}
	}
	if d.one(6) {
		c.set("ROLE_ARN", d.of("arn:aws:iam::111122223333:role/alpha", "x", ""))
	}
	c.containers(d)
	if d.one(8) {
		c.set(d.of("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "ROLECALL_ENV_FILE", "ROLECALL_ENDPOINT", "AWS_PAGER"), d.of("x", ""))
	}
	return c
}

// containers gives some jobs an image and services.
func (c *candidate) containers(d dice) {
	if d.one(3) {
		c.image = container(d, d.of("alpine", "alpine:3", "alpine", "r.example.com/a/b:1", "r.example.com/a@"+digest, "evil.org/x", "-v/:/x", "a b"))
	}
	if d.one(5) {
		c.services = []map[string]any{container(d, "postgres"), container(d, d.of("postgres:16", "redis", "--privileged"))}[:1+d.IntN(2)]
	}
	if d.one(8) {
		c.set("DOCKER_AUTH_CONFIG", d.of(`{"auths":{"r.example.com":{"auth":"dTpw"}}}`, "x", ""))
	}
	if d.one(8) {
		c.set("CI_JOB_IMAGE", "evil.org/x")
	}
}

// digest is a digest.
const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// container returns an image as GitLab sends it, with options.
func container(d dice, name string) map[string]any {
	c := map[string]any{"name": name}
	if d.one(5) {
		c["executor_opts"] = map[string]any{"docker": map[string]any{"user": d.of("1000", "1000", "0", "-1"), "platform": d.of("linux/arm64", "", "x")}}
	}
	if d.one(5) {
		c["pull_policy"] = []string{d.of("always", "if-not-present", "never", "sometimes")}
	}
	return c
}

// setToken gives the job a token of those that such a tenant asks for, or a wrong one.
func (w *world) setToken(d dice, c *candidate, t team, name string) {
	claims := w.claims(d, *c, t)
	token := w.gitlab.SignToken(claims)
	switch d.IntN(20) {
	case 0:
		token = w.forger.SignToken(claims) // it says that the issuer has signed it
	case 1:
		c.set(name, d.of("another", token))
	case 2:
		token = d.of("x", "x.y.z", token+"x")
	case 3:
		claims["job_id"] = "1"
		token = w.gitlab.SignToken(claims)
	case 4:
		claims["environment"] = "prod"
		signed := strings.Split(w.gitlab.SignToken(claims), ".")
		token = signed[0] + "." + signed[1] + token[strings.LastIndexByte(token, '.'):] // what was signed is another
	}
	c.set(name, token)
}

// claims returns what a token of the job says, with some of it wrong.
func (w *world) claims(d dice, c candidate, t team) map[string]any {
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": w.gitlab.Issuer(), "aud": t.audience, "iat": now, "nbf": now - 5, "exp": now + 3600, "sub": "s", "jti": "j",
		"job_id": fmt.Sprint(c.id), "project_id": "42", "job_project_id": "42", "project_path": t.project, "job_project_path": t.project,
		"ref": t.ref, "ref_type": t.refType, "ref_protected": fmt.Sprint(c.protected), "environment": t.environment,
	}
	if !d.one(3) {
		claims["user_login"] = d.of("jane", "jane.doe", "j")
	}
	for _, wrong := range []struct {
		claim string
		value any
	}{
		{"aud", []string{t.audience, "x"}},
		{"project_path", "eve/fork"},
		{"job_project_path", ""},
		{"ref", "other"},
		{"ref_type", "tag"},
		{"ref_protected", "false"},
		{"ref_protected", "False"},
		{"environment", "test"},
		{"iss", "https://eve.example.com"},
		{"job_project_id", "7"},
	} {
		if d.one(25) {
			claims[wrong.claim] = wrong.value
		}
	}
	if d.one(30) {
		claims["aud"] = "https://vault.example.com"
	}
	return claims
}

// newFree returns a job of a runner without a policy file.
func (w *world) newFree(d dice, id int64) candidate {
	t := newTeam(d, "alpha")
	c := candidate{id: id, project: t.project, protected: d.one(2), flags: program.Flags{NoPolicy: true}}
	if d.one(3) {
		c.flags.Tenant = d.of("alpha", "beta")
	}
	if os.Geteuid() == 0 && !d.one(4) {
		c.flags.RunAs = d.of(program.Root, program.Root, "rolecall-no-such")
	}
	if !d.one(5) {
		c.set("TENANT", d.of("alpha", "alpha", "alpha", "beta", "none", "../x"))
	}
	if !d.one(5) {
		c.set("ROLE_ARN", d.of("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/a", "arn", ""))
	}
	if !d.one(8) {
		w.setToken(d, &c, t, "GITLAB_OIDC_TOKEN")
	}
	c.containers(d)
	if d.one(6) {
		c.set(d.of("AWS_REGION", "AWS_PROFILE"), d.of("eu-west-1", "EU", ""))
	}
	return c
}
