package run

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"rolecall/internal/gate"
	"rolecall/internal/idtoken"
)

// defaultToken is the variable of the ID token in GitLab's guide.
const defaultToken = "GITLAB_OIDC_TOKEN" //nolint:gosec // the name of a variable

// advice returns what else to do about places with secrets.
func (r running) advice(places []gate.Place) string {
	return r.adviseOnEnvFiles(places) + r.adviseOnLeftovers(places)
}

// adviseOnLeftovers returns why files of earlier jobs are in the clone, if the job has
// asked for that.
func (r running) adviseOnLeftovers(places []gate.Place) string {
	ofOthers := slices.ContainsFunc(places, func(p gate.Place) bool { return strings.Contains(p.Says, " of job ") })
	if !ofOthers || r.Env.Request["GIT_STRATEGY"] != "none" {
		return ""
	}
	return "\nGIT_STRATEGY is \"none\", so files of earlier jobs stay in the clone: with fetch or clone they go."
}

// adviseOnEnvFiles returns what to do about files of credentials that a job passes to later
// jobs, or nothing if no place is one.
func (r running) adviseOnEnvFiles(places []gate.Place) string {
	names := envFiles(places)
	if len(names) == 0 {
		return ""
	}
	name := cmp.Or(r.folder.IDToken(), defaultToken)
	return fmt.Sprintf(`
No job needs to pass credentials to another: rolecall gives each job its own. Remove the job that writes
%s, the artifact, and the lines of other jobs that read it. These lines stay in each job that needs AWS:
  variables: {TENANT: %s}   # and ROLE_ARN as it is, where the job has it
  id_tokens: {%s: {aud: %s}}
  script: [aws sts get-caller-identity]   # what the job does with the credentials`,
		strings.Join(names, ", "), quote(cmp.Or(r.Env.Request["TENANT"], "NAME")), name, audience(r.Env.Request[name], r.Env.Request["CI_SERVER_URL"]))
}

// envFiles returns the names of the files in places that have the name of an env file,
// each once.
func envFiles(places []gate.Place) []string {
	var names []string
	for _, p := range places {
		inside := strings.Split(p.Inside, " > ")
		name := path.Base(cmp.Or(inside[len(inside)-1], p.Name))
		if gate.IsEnvFile(name) {
			names = append(names, fmt.Sprintf("%q", name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// audience returns the audience of the job's ID token as YAML: that of the token raw, or
// the server's URL for a job without a token.
func audience(raw, server string) string {
	token, err := idtoken.Parse(raw)
	switch {
	case err != nil || len(token.Claims.Audience) == 0:
		return quote(cmp.Or(server, "https://gitlab.example.com"))
	case len(token.Claims.Audience) == 1:
		return quote(token.Claims.Audience[0])
	}
	list, _ := json.Marshal(token.Claims.Audience) // a list in JSON is one in YAML too
	return string(list)
}

// quote returns a text as YAML.
func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}
