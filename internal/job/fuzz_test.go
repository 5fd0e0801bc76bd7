package job_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/job"
	"rolecall/test/kit"
)

// canary is the value of a variable in the fuzzed responses. No error holds this text
// by chance.
const canary = "Qx7Zk9Wv3"

// FuzzReadResponse checks that no response makes the reader panic or print a variable's
// value, and that an accepted response names its job.
func FuzzReadResponse(f *testing.F) {
	for _, seed := range []string{
		whole, "", "null", "[]", "{", `{"id":1}`, `{"id":1e3,"job_info":{"project_id":1,"pipeline_id":1}}`,
		`{"id":1,"job_info":{"project_id":2,"pipeline_id":3},"variables":[{"key":"K","value":"` + canary + `"}]}`,
		`{"id":"` + canary + `"}`, `{"id":1,"variables":[{"key":"K","value":["` + canary + `"]}]}`,
		`{"id":1,"variables":{"` + canary + `":{"` + canary + `":1}}}`, `{"id":` + canary + `}`,
		`{"` + canary + `":"` + canary, `{"id":1,"job_info":{"project_id":"` + canary + `"}}`,
		`{"ID":1,"Job_Info":{"project_id":1,"pipeline_id":1}}`, `{"id":1,"id":2}`, "\xff\xfe", `{"id":-0}`,
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, "response.json")
		kit.Must(t, os.WriteFile(path, content, 0o600))
		r, err := job.ReadResponse(path)
		if err != nil {
			if strings.Contains(err.Error(), canary) {
				t.Fatalf("the error holds a value: %v", err)
			}
			return
		}
		if r.ID <= 0 || r.Project <= 0 || r.Pipeline <= 0 || !json.Valid(content) {
			t.Fatalf("accepted as job %d of project %d, pipeline %d: %s", r.ID, r.Project, r.Pipeline, content)
		}
		if key, err := job.ReadKey(path); err != nil || key != r.Key {
			t.Fatalf("ReadKey = %v, %v, ReadResponse says %v", key, err, r.Key)
		}
	})
}

// FuzzReadEnv checks that no variable of a job gets into the service's environment,
// which becomes the script's, or into a setting of the driver.
func FuzzReadEnv(f *testing.F) {
	for _, seed := range []string{
		"", "A=1\x00B=2", "CUSTOM_ENV_A=1\x00CUSTOM_ENV_A=2", "CUSTOM_ENV_JOB_RESPONSE_FILE=/x\x00JOB_RESPONSE_FILE=/y",
		"BUILD_FAILURE_EXIT_CODE=2", "BUILD_FAILURE_EXIT_CODE=7\x00SYSTEM_FAILURE_EXIT_CODE=7", "=\x00==\x00=A",
		"CUSTOM_ENV_\x00CUSTOM_ENV_=\x00CUSTOM_ENV_==", "TMPDIR=/x\x00ROLECALL_STORE=/y\x00ROLECALL_=1", "SYSTEM_FAILURE_EXIT_CODE=+3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		environ := strings.Split(text, "\x00")
		// exec(2) passes such entries too, but nothing reads a name without a value.
		environ = slices.DeleteFunc(environ, func(entry string) bool { return !strings.Contains(entry, "=") })
		env, err := job.ReadEnv(environ)
		if env.BuildFailure < 1 || env.BuildFailure > 255 || env.SystemFailure < 1 || env.SystemFailure > 255 || env.BuildFailure == env.SystemFailure {
			t.Fatalf("exit codes %d and %d, error %v", env.BuildFailure, env.SystemFailure, err)
		}
		if err != nil && (env.BuildFailure != 1 || env.SystemFailure != 2) {
			t.Fatalf("exit codes %d and %d beside the error %v, want the defaults", env.BuildFailure, env.SystemFailure, err)
		}
		for _, entry := range env.Service {
			for _, prefix := range []string{"CUSTOM_ENV_", "ROLECALL_", "JOB_RESPONSE_FILE=", "BUILD_EXIT_CODE_FILE=", "TMPDIR="} {
				if strings.HasPrefix(entry, prefix) {
					t.Fatalf("the service's environment holds %q", entry)
				}
			}
		}
		if own := job.Get(environ, "JOB_RESPONSE_FILE"); env.ResponseFile != own {
			t.Fatalf("ResponseFile is %q, the runner's own variable %q", env.ResponseFile, own)
		}
		for name, value := range env.Request {
			if !strings.Contains(name, "=") && value != job.Get(environ, "CUSTOM_ENV_"+name) {
				t.Fatalf("Request[%q] = %q", name, value)
			}
		}
	})
}
