package run_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/endpoint"
	"rolecall/internal/gate"
	"rolecall/internal/gate/inspect"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// TestMain makes a copy of the test binary the program that it is called.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case gate.Program:
		inspect.Main()
	case endpoint.Program:
		actor()
		return
	case stageName:
		stage()
	case runnerName:
		runner()
		return
	}
	os.Exit(m.Run())
}

// treed is a toy whose scripts see the work tree of this host.
type treed struct{ *toy.Backend }

func (treed) Tree(_ json.RawMessage, project string) (string, error) { return project, nil }

// besideGate is beside for the program gate.
func besideGate(t *testing.T) bool {
	t.Helper()
	return beside(t, gate.Program)
}

// beside runs the test in a child whose program lies beside a program of that name, and
// returns true in the child.
func beside(t *testing.T, name string) bool {
	t.Helper()
	if kit.IsChild(t) {
		return true
	}
	child := kit.Child(t, nil)
	child.Path = kit.Executable(t)
	kit.Must(t, os.Symlink(child.Path, filepath.Join(filepath.Dir(child.Path), name)))
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("in a child process: %v\n%s", err, out)
	}
	return false
}

// newUpload is newUploadOf for a job of tenant alpha.
func newUpload(t *testing.T, stage, bounds string, files map[string]string) *call {
	t.Helper()
	return newUploadOf(t, "alpha", stage, bounds, files)
}

// newUploadOf is newCall for a job whose artifacts are in out/ of its work tree. Bounds are
// those of the search, as JSON.
func newUploadOf(t *testing.T, tenant, stage, bounds string, files map[string]string) *call {
	t.Helper()
	c := newCall(t, tenant, stage)
	c.environ = append(c.environ, "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+c.file("project.tmp"))
	c.write(t, "response.json", `{"id":7,"artifacts":[{"artifact_type":"archive","paths":["out/"]}]}`)
	c.edit(t, `"data":`, `"gate":`+bounds+`,"data":`)
	kit.Must(t, os.MkdirAll(c.file("project/out"), 0o700))
	for name, content := range files {
		c.write(t, "project/out/"+name, content)
	}
	return c
}

// TestUpload: the stage that uploads artifacts runs its script only if nothing speaks
// against it, and says what does.
func TestUpload(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	const bounds, found = `{"max_bytes":1000000,"max_duration":60000000000}`, "rolecall: error [RC108]: secrets are in what would be uploaded, and nothing is; remove them"
	const refused = "rolecall: error [RC109]: not all that would be uploaded can be searched for secrets, and nothing is uploaded; "
	clean, leak := map[string]string{"a": "nothing"}, map[string]string{"a": "x0123456789abcdef", "b": "PK\x03\x04"}
	for name, test := range map[string]struct {
		stage, bounds string
		files         map[string]string
		code          int
		want          []string // in the log; none: the log is empty
	}{
		"clean":          {"upload_artifacts_on_success", bounds, clean, 0, nil},
		"a secret":       {"upload_artifacts_on_success", bounds, leak, 1, []string{found, "\n  artifacts: \"out/a\": secret (removed from the work tree)\n", "rolecall: warning: files that could not be unpacked; no secret is in their bytes as they are:\n  artifacts: \"out/b\": "}},
		"only warnings":  {"upload_artifacts_on_success", bounds[:1] + `"warn":true,` + bounds[1:], leak, 1, []string{found}},
		"damaged":        {"upload_artifacts_on_success", bounds, map[string]string{"b": "PK\x03\x04"}, 0, []string{"rolecall: warning: files that could not be unpacked; "}},
		"too large":      {"upload_artifacts_on_success", `{"max_bytes":3,"max_duration":60000000000}`, clean, 1, []string{refused, "out/a"}},
		"too large, let": {"upload_artifacts_on_success", `{"warn":true,"max_bytes":3,"max_duration":60000000000}`, clean, 0, []string{"rolecall: warning: not all that is uploaded could be searched for secrets:\n", "out/a"}},
		"unknown":        {"upload_everything", bounds, clean, 2, []string{`gate: the stage "upload_everything" is not known`, "look for secrets before the upload: exit status 1"}},
		"no upload":      {"download_artifacts", bounds, leak, 0, nil},
	} {
		c := newUpload(t, test.stage, test.bounds, test.files)
		got := c.with(treed{&toy.Backend{}})
		if ran := strings.Contains(got.out, "the script prints"); got.code != test.code || ran != (test.code == 0) || len(test.want) == 0 && got.log != "" {
			t.Errorf("%s: exit code %d, want %d; output %q, log\n%s", name, got.code, test.code, got.out, got.log)
		}
		for _, want := range test.want {
			if !strings.Contains(got.log, want) {
				t.Errorf("%s: the log does not say %q:\n%s", name, want, got.log)
			}
		}
	}
}

// TestUploadTokens: the ID tokens of a job are not uploaded, of a job without a tenant
// too.
func TestUploadTokens(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	for _, tenant := range []string{"alpha", ""} {
		c := newUploadOf(t, tenant, "upload_artifacts_on_success", `{"max_bytes":1000000,"max_duration":60000000000}`, map[string]string{"all.txt": "VAULT=" + token(7, 42) + "\n"})
		c.environ = append(c.environ, "CUSTOM_ENV_VAULT="+token(7, 42))
		got := c.with(treed{&toy.Backend{}})
		if got.code != 1 || got.out != "" || !strings.HasSuffix(got.log, "\n  artifacts: \"out/all.txt\": ID token (removed from the work tree)\n") {
			t.Errorf("tenant %q: %+v", tenant, got)
		}
	}
}

// TestUploadsUnknown: if the job response cannot say what is uploaded, nothing is.
func TestUploadsUnknown(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	c := newUpload(t, "upload_artifacts_on_success", "{}", map[string]string{"a": "nothing"})
	c.write(t, "response.json", `{"id":7,"artifacts":"out/"}`)
	if got := c.with(treed{&toy.Backend{}}); got.code == 0 || got.out != "" || !strings.Contains(got.log, `"artifacts" must not be a string`) {
		t.Errorf("%+v, want an error", got)
	}
}

// TestUploadUnsearched: without a program gate, or with one that gives no answer, nothing
// is uploaded.
func TestUploadUnsearched(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	self, err := os.Executable()
	kit.Must(t, err)
	program := filepath.Join(filepath.Dir(self), gate.Program)
	kit.Must(t, os.WriteFile(filepath.Join(filepath.Dir(self), "closed"), nil, 0o600))
	const unstarted = "[RC311]: look for secrets before the upload: the job's user cannot start " // and whose it is
	for in, want := range map[string]string{                                                      // echo answers with what is no report
		"/none/such": unstarted + program + ": no such file", filepath.Join(filepath.Dir(self), "closed"): unstarted + program + ": permission denied; install all programs",
		"/bin/true": "[RC500]", "/bin/false": "[RC500]", "/bin/echo": "[RC500]",
	} {
		kit.Must(t, os.Remove(program))
		kit.Must(t, os.Symlink(in, program))
		c := newUpload(t, "upload_artifacts_on_success", "{}", map[string]string{"a": "nothing"})
		got := c.with(treed{&toy.Backend{}})
		if got.code == 0 || got.out != "" || !strings.HasPrefix(got.log, "rolecall: error "+want) || !strings.Contains(got.log, "look for secrets before the upload: ") {
			t.Errorf("%s for the gate: %+v, want an error", in, got)
		}
	}
}
