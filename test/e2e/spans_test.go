package e2e_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rolecall/test/document"
	"rolecall/test/kit"
)

// checkSpans types each command of rolecall that a text of a page has, with and without what is in brackets.
// A name of a command alone is asked for its help.
func (r reader) checkSpans(t *testing.T) {
	t.Helper()
	r.prepareSpans(t)
	hash := regexp.MustCompile(`[0-9a-f]{32}`).FindString(r.sh(t, "rolecall check --verbose || [ $? = 3 ]"))
	done := map[string]bool{}
	for _, page := range document.Pages(t) {
		for _, s := range document.Sections(t, page) {
			for _, span := range s.Spans {
				if !strings.HasPrefix(span, "rolecall ") || strings.HasPrefix(span, "rolecall was ") {
					continue
				}
				for _, spelling := range spellings(span) {
					command := strings.ReplaceAll(r.names.Replace(spelling), " HASH", " "+hash)
					if !done[command] {
						r.checkSpan(t, page, command)
					}
					done[command] = true
				}
			}
		}
	}
	const fewest = 30
	if len(done) < fewest {
		t.Errorf("the pages have only %d commands", len(done))
	}
}

// prepareSpans writes the files that the commands in the texts of the pages name, and the policy file of
// docs/install.md, with the page's roles.
func (r reader) prepareSpans(t *testing.T) {
	t.Helper()
	run := r.enqueue(nobodyToken, r.shop("alpha", "true"))
	token, err := run.SignIDToken("GITLAB_OIDC_TOKEN")
	kit.Must(t, err)
	response, err := json.Marshal(map[string]any{
		"id": run.ID(), "token": "glcbt-x", "job_info": map[string]any{"project_id": 42, "pipeline_id": 9, "project_full_path": "acme/shop"},
		"git_info": map[string]any{"protected": true}, "variables": []map[string]any{{"key": "CI_JOB_ID", "value": fmt.Sprint(run.ID())}, {"key": "GITLAB_OIDC_TOKEN", "value": token}},
	})
	kit.Must(t, err)
	r.write(t, "/root/pages/response.json", string(response), 0o600)
	for _, s := range append(document.Part(t, "docs/policy.md", "Test it in its own CI").Steps, document.Part(t, "docs/install.md", "By hand").Steps...) {
		switch s.File {
		case "cases.toml":
			r.write(t, "/root/pages/cases.toml", s.Content, 0o600)
		case policyFile:
			r.write(t, policyFile, strings.Replace(s.Content, `issuer = "https://gitlab.example.com"`, fmt.Sprintf("issuer = %q", r.gitlab.Issuer()), 1), 0o600)
		}
	}
	r.sh(t, "cp "+policyFile+" plain.toml; printf '\\n[containers]\\nengine = \"podman\"\\ndefault_image = \"docker.io/library/alpine:3\"\\n' | cat plain.toml - > containers.toml")
}

// spellings returns a command without what its text has in brackets, and with each flag in brackets that is
// whole. A name of a command that another host has, such as NAME, is not.
func spellings(span string) []string {
	optional := regexp.MustCompile(` \[([^]]*)\]`)
	all := []string{optional.ReplaceAllString(span, "")}
	for _, one := range optional.FindAllStringSubmatch(span, -1) {
		if strings.ToLower(one[1]) == one[1] && !strings.Contains(one[1], "|") {
			all = append(all, all[0]+" "+one[1])
		}
	}
	return all
}

// answers are the exit codes of commands that do not end with 0 here, by their beginnings.
var answers = map[string]string{
	"rolecall check": "3", // there is something to look at
	"rolecall init":  "1", // there is a policy file
}

// checkSpan types a command. The name of a command that needs more words says so.
func (r reader) checkSpan(t *testing.T, page, command string) {
	t.Helper()
	before := "rm -f /etc/rolecall/suspended.json; cp plain.toml " + policyFile
	switch {
	case strings.HasPrefix(command, "rolecall prune"):
		before = "cp containers.toml " + policyFile
	case strings.HasPrefix(command, "rolecall resume "):
		before = "rolecall suspend alpha > /dev/null"
	}
	out := r.sh(t, before+"; cd /root/pages; set +e; "+command+" < /dev/null > out 2>&1; code=$?; tail -n 20 out; rm -f out; echo; echo exit $code")
	want := "0"
	for beginning, code := range answers {
		if strings.HasPrefix(command, r.names.Replace(beginning)) {
			want = code
		}
	}
	if len(strings.Fields(command)) == 2 && strings.HasSuffix(out, "\nexit 2\n") {
		want = "2"
	}
	if !strings.HasSuffix(out, "\nexit "+want+"\n") {
		t.Errorf("%s: %s does not end with %s:\n%s", page, command, want, out)
	}
}
