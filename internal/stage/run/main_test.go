package run_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/program"
	"rolecall/internal/stage/run"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// call is a call of the stage for job 7, which is one of the toy's.
type call struct {
	dir     string // of the files below, which a test can change
	root    string // of the state of jobs
	args    []string
	environ []string
}

// result is what a call of the stage left.
type result struct {
	code     int
	out, log string
}

// issued is what was issued to the jobs of these tests.
func issued() creds.Set {
	secret := mask.NewSecret("0123456789abcdef")
	return creds.Set{{
		Provider: "cloud",
		Env:      []creds.Variable{{Name: "CLOUD_SECRET", Value: secret}},
		Secrets:  []mask.Named{{Kind: "secret", Value: secret}},
		Expires:  time.Date(2031, 2, 3, 5, 5, 6, 0, time.FixedZone("odd", 3600)), // in scripts in UTC
	}}
}

// token returns an ID token of a job of a project, with more claims and a signature of
// nobody.
func token(job, project int, more ...string) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := "{" + strings.Join(append(more, fmt.Sprintf(`"job_id":"%d","project_id":"%d"`, job, project)), ",") + "}"
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("a signature"))
}

// newCall prepares job 7 and returns the call for one of its stages. With an empty
// tenant the job has no credentials.
func newCall(t *testing.T, tenant, stage string) *call {
	t.Helper()
	return newCallWith(t, tenant, stage, issued())
}

// newCallWith is newCall for a job to which that was issued.
func newCallWith(t *testing.T, tenant, stage string, set creds.Set, renewed ...creds.Order) *call {
	t.Helper()
	dir := t.TempDir()
	c := &call{dir: dir, root: filepath.Join(dir, "root"), args: []string{filepath.Join(dir, "script"), stage}}
	c.write(t, "response.json", `{"id":7}`)
	c.write(t, "script", "the script prints 0123456789abcdef\n")
	told, err := (&program.Call{}).Tell(nil)
	kit.Must(t, err)
	c.environ = []string{
		"PATH=/bin", "AWS_PROFILE=x", "JOB_RESPONSE_FILE=" + c.file("response.json"), "BUILD_EXIT_CODE_FILE=" + c.file("code"),
		job.StoreVariable + "=" + c.root, job.ToldVariable + "=" + told, "CUSTOM_ENV_TOKEN=header.claims.signature",
	}
	record := state.Record{Project: 42, Tenant: tenant, IDToken: "TOKEN", Backend: "toy", Data: json.RawMessage(toy.Data)}
	if tenant == "" {
		record.IDToken = ""
	}
	f, err := state.Create(c.root, job.Key{ID: 7}, record, "")
	kit.Must(t, err)
	defer f.Close()
	if tenant != "" {
		kit.Must(t, f.Write(set, renewed...))
	}
	return c
}

// file returns the path of a file of the call.
func (c *call) file(name string) string { return filepath.Join(c.dir, name) }

// write writes a file of the call.
func (c *call) write(t *testing.T, name, content string) {
	t.Helper()
	kit.Must(t, os.WriteFile(c.file(name), []byte(content), 0o600))
}

// state returns the path of a file in the folder of the job.
func (c *call) state(name string) string { return filepath.Join(c.root, "7", name) }

// edit changes the record of the job.
func (c *call) edit(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(c.state("job.json"))
	kit.Must(t, err)
	if !strings.Contains(string(content), from) {
		t.Fatalf("the record has no %s: %s", from, content)
	}
	kit.Must(t, os.WriteFile(c.state("job.json"), []byte(strings.Replace(string(content), from, to, 1)), 0o600))
}

// left returns the names in the folder of the job.
func (c *call) left() []string {
	var names []string
	entries, _ := os.ReadDir(c.state(""))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// exitCode returns what the runner is told of the script's exit code; empty: nothing.
func (c *call) exitCode() string {
	content, _ := os.ReadFile(c.file("code"))
	return string(content)
}

// with runs the stage with those backends. What it says before every script is left out.
func (c *call) with(backends ...run.Backend) result {
	r := c.whole(aws.Scripts{}, backends...)
	r.log = strings.TrimPrefix(r.log, headline.FindString(r.log))
	return r
}

// headline is what the stage says before the script of a job of alpha.
var headline = regexp.MustCompile(`^CLOUD: tenant alpha, until 04:05 UTC \(\d+ min\)\n`)

// whole runs the stage with a provider and backends.
func (c *call) whole(provider run.Provider, backends ...run.Backend) result {
	var out, log strings.Builder
	stage := run.New(run.Parts{Backends: backends, Providers: []run.Provider{provider}})
	code := stage.Serve(slices.Clone(c.args), c.environ, nil, &out, &log)
	return result{code, out.String(), kit.Flat(log.String())}
}
