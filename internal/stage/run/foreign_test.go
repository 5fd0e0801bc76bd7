package run_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"rolecall/test/toy"
)

// TestUploadForeign: what happens to keys that rolecall has not issued, and to files that
// could not be searched for them.
func TestUploadForeign(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	const keys = "AKIA" + "Q3XYZ7ABCDEFGHIJ abcdefghijklmnopqrst" + "ABCDEFGHIJKLMNOPQRST\n"
	const refused, place = "rolecall: error [RC108]: secrets are in what would be uploaded, and nothing is; ", "\n  artifacts: \"out/a\": AWS access key, line 1"
	const warned = "rolecall: warning: AWS keys that rolecall has not issued are in what is uploaded; whoever can read the upload can use them:" + place
	const unsearched = "not all that would be uploaded can be searched for secrets"
	plain, small := map[string]string{"a": keys}, `"max_bytes":3`
	for name, test := range map[string]struct {
		tenant, foreign, bounds string
		files                   map[string]string
		code                    int
		want                    string // in the log; empty: the log is
	}{
		"the default":               {"alpha", "", "", plain, 0, warned},
		"without a tenant":          {"", "", "", plain, 0, warned},
		"warn":                      {"", "warn", "", plain, 0, warned},
		"refuse":                    {"alpha", "refuse", "", plain, 1, refused},
		"refuse, without a tenant":  {"", "refuse", "", plain, 1, place},
		"off":                       {"alpha", "off", "", plain, 0, ""},
		"off, without a tenant":     {"", "off", small, plain, 0, ""},
		"an env file":               {"alpha", "off", "", map[string]string{".aws.beta.env": keys}, 1, refused},
		"an env file of no tenant":  {"", "warn", "", map[string]string{".aws.beta.env": keys}, 1, refused},
		"too large":                 {"alpha", "warn", small, plain, 1, unsearched},
		"too large, of no tenant":   {"", "warn", small, plain, 0, "rolecall: warning: not all that is uploaded could be searched"},
		"too large, where refused":  {"", "refuse", small, map[string]string{"a": "nothing"}, 1, unsearched},
		"an env file without a key": {"", "refuse", "", map[string]string{".aws.beta.env": "AWS_REGION=eu-central-1\n"}, 0, ""},
	} {
		bounds := `{"foreign_keys":"` + test.foreign + `","max_duration":60000000000,` + cmp.Or(test.bounds, `"max_bytes":1000000`) + `}`
		c := newUploadOf(t, test.tenant, "upload_artifacts_on_success", bounds, test.files)
		got := c.with(treed{&toy.Backend{}})
		if ran := strings.Contains(got.out, "the script prints"); got.code != test.code || ran != (test.code == 0) || !strings.Contains(got.log, test.want) || test.want == "" && got.log != "" {
			t.Errorf("%s: exit code %d, want %d; output %q, log\n%s", name, got.code, test.code, got.out, got.log)
		}
	}
}

// TestUploadAdvice: who passes credentials in a file is shown what to write instead.
func TestUploadAdvice(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	const keys = "AWS_ACCESS_KEY_ID=AKIA" + "Q3XYZ7ABCDEFGHIJ\nAWS_SECRET_ACCESS_KEY=abcdefghijklmnopqrst" + "ABCDEFGHIJKLMNOPQRST\n"
	const want = `
No job needs to pass credentials to another: rolecall gives each job its own. Remove the job that writes
".aws.alpha.env", the artifact, and the lines of other jobs that read it. These lines stay in each job that needs AWS:
  variables: {TENANT: %s}   # and ROLE_ARN as it is, where the job has it
  id_tokens: {%s}
  script: [aws sts get-caller-identity]   # what the job does with the credentials
`
	one, several := token(7, 42, `"aud":"https://aud.example"`), token(7, 42, `"aud":["a","b"]`)
	for name, test := range map[string]struct {
		tenant  string
		environ []string
		content string
		want    string
	}{
		"of a tenant": {
			"alpha",
			[]string{"CUSTOM_ENV_TENANT=alpha", "CUSTOM_ENV_TOKEN=" + one},
			keys,
			fmt.Sprintf(want, `"alpha"`, `TOKEN: {aud: "https://aud.example"}`),
		},
		"own credentials":   {"alpha", []string{"CUSTOM_ENV_TOKEN=" + several}, "0123456789abcdef", fmt.Sprintf(want, `"NAME"`, `TOKEN: {aud: ["a","b"]}`)},
		"of no tenant":      {"", []string{"CUSTOM_ENV_CI_SERVER_URL=https://git.example"}, keys, fmt.Sprintf(want, `"NAME"`, `GITLAB_OIDC_TOKEN: {aud: "https://git.example"}`)},
		"of nobody's token": {"", []string{"CUSTOM_ENV_GITLAB_OIDC_TOKEN=x"}, keys, fmt.Sprintf(want, `"NAME"`, `GITLAB_OIDC_TOKEN: {aud: "https://gitlab.example.com"}`)},
	} {
		c := newUploadOf(t, test.tenant, "upload_artifacts_on_success", `{"max_bytes":1000000,"max_duration":60000000000}`, map[string]string{".aws.alpha.env": test.content, ".aws.beta.env": "", "x": test.content})
		c.environ = append(c.environ, test.environ...)
		if got := c.with(treed{&toy.Backend{}}); got.code != 1 || !strings.HasSuffix(got.log, test.want) {
			t.Errorf("%s: exit code %d, log\n%s\nwant at its end\n%s", name, got.code, got.log, test.want)
		}
	}
}
