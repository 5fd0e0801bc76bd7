package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// TestRun: the user's own stages get credentials, and what was issued is masked
// in the output of every stage.
func TestRun(t *testing.T) {
	t.Parallel()
	const off, masked, clear = "PATH=/bin\nAWS_EC2_METADATA_DISABLED=true\n", "the script prints [MASKED]\n", "the script prints 0123456789abcdef\n"
	tests := []struct {
		tenant, stage, want string
	}{
		{"alpha", "build_script", "PATH=/bin\nCLOUD_SECRET=[MASKED]\nAWS_EC2_METADATA_DISABLED=true\nROLECALL_ENV_FILE=/toyROOT/7/secret/.aws.alpha.env\nROLECALL_EXPIRES=2031-02-03T04:05:06Z\n" + masked},
		{"alpha", "get_sources", off + masked},
		{"", "build_script", off + clear},
		{"", "upload_artifacts_on_success", off + clear},
	}
	for _, test := range tests {
		c := newCall(t, test.tenant, test.stage)
		if test.tenant == "" {
			c.edit(t, `"backend":`, `"gate":{"foreign_keys":"off"},"backend":`) // there is nothing to look for in uploads
		}
		got := c.with(&toy.Backend{})
		if want := (result{out: strings.Replace(test.want, "ROOT", c.root, 1)}); got != want {
			t.Errorf("%q, %s: %+v, want %+v", test.tenant, test.stage, got, want)
		}
		if code := c.exitCode(); code != "" {
			t.Errorf("%q, %s: the runner is told of exit code %q", test.tenant, test.stage, code)
		}
	}
}

// TestToken: the ID token is masked without the newline that its variable may end
// with.
func TestToken(t *testing.T) {
	t.Parallel()
	c := newCall(t, "alpha", "get_sources")
	c.environ = append(c.environ, "CUSTOM_ENV_TOKEN=another.signed.token\n")
	c.write(t, "script", "it is another.signed.token.\n")
	if got, want := c.with(&toy.Backend{}), (result{out: "PATH=/bin\nAWS_EC2_METADATA_DISABLED=true\nit is [MASKED].\n"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestOtherTokens: every ID token of this very job is masked, in whatever variable it is,
// and of a job without a tenant too. Tokens of other jobs are not this job's secrets.
func TestOtherTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tenant, value string
		want          string
	}{
		"a second one":      {"alpha", token(7, 42), "[MASKED]"},
		"in a list":         {"alpha", "x," + token(7, 42) + ";y", "x,[MASKED];y"},
		"without a tenant":  {"", token(7, 42) + "\n", "[MASKED]\n"},
		"another job's":     {"alpha", token(8, 42), token(8, 42)},
		"another project's": {"", token(7, 43), token(7, 43)},
	} {
		c := newCall(t, test.tenant, "cleanup_file_variables")
		c.environ = append(c.environ, "CUSTOM_ENV_VAULT="+test.value)
		c.write(t, "script", test.value)
		if got, want := c.with(&toy.Backend{}), (result{out: "PATH=/bin\nAWS_EC2_METADATA_DISABLED=true\n" + test.want}); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestScriptFails: the script's exit code is for the runner, and is no error of the
// driver's. That of an earlier script is gone.
func TestScriptFails(t *testing.T) {
	t.Parallel()
	c := newCall(t, "alpha", "build_script")
	for code, want := range map[int]string{3: "3\n", 255: "255\n", 0: ""} {
		c.write(t, "code", "9\n")
		got := c.with(&toy.Backend{Code: code})
		if (got.code == 1) != (code != 0) || got.log != "" || !strings.Contains(got.out, "the script prints") || c.exitCode() != want {
			t.Errorf("exit code %d: %+v, the runner is told %q", code, got, c.exitCode())
		}
	}
}

// TestRunFails: what the backend, the command line or the state can do wrong. The
// script runs in one of these cases only, where its output was lost.
func TestRunFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		stage  string
		place  *toy.Backend
		change func(t *testing.T, c *call)
		code   int
		want   string
	}{
		"no output": {place: &toy.Backend{Broken: errors.New("no room")}, code: 2, want: "[RC500]: no room"},
		"upload":    {stage: "upload_artifacts_on_success", code: 2, want: "the toy has no work tree"},
		"cache":     {stage: "archive_cache", code: 2, want: "the toy has no work tree"},
		"arguments": {change: func(_ *testing.T, c *call) { c.args = c.args[:1] }, code: 1, want: "[RC301]: run has 1 arguments, want the script"},
		"flags":     {change: func(_ *testing.T, c *call) { c.args = append([]string{"--no-policy"}, c.args...) }, code: 1, want: "[RC302]: the config stage was started with other flags"},
		"no job":    {change: func(_ *testing.T, c *call) { c.environ = append(c.environ, "ROLECALL_STORE="+c.root+"x") }, code: 2, want: "the state of job 7 cannot be read:"},
		"no response": {
			change: func(t *testing.T, c *call) { kit.Must(t, os.Remove(c.file("response.json"))) },
			code:   2, want: "[RC500]: JOB_RESPONSE_FILE: ",
		},
		"no file for the code": {
			change: func(t *testing.T, c *call) { kit.Must(t, os.MkdirAll(c.file("code/x"), 0o700)) },
			code:   2, want: "code: directory not empty",
		},
		"no copy": {
			stage: "get_sources", change: func(t *testing.T, c *call) { kit.Must(t, os.Remove(c.state("issued.json"))) },
			code: 1, want: `[RC107]: the credentials of tenant "alpha" cannot be read`,
		},
		"no copy, of another user": {change: func(t *testing.T, c *call) {
			c.edit(t, `"data":`, `"owner":{"uid":7,"gid":7},"data":`)
			kit.Must(t, os.Remove(c.state("issued.json")))
		}, code: 2, want: `[RC500]: the credentials of tenant "alpha": `},
		"other data": {change: func(t *testing.T, c *call) { c.edit(t, `{"toy":true}`, `{"toy":null}`) }, code: 2, want: "the data are not the toy's"},
		"other backend": {
			change: func(t *testing.T, c *call) { c.edit(t, `"backend":"toy"`, `"backend":"box"`) },
			code:   1, want: `this program does not know the backend "box"`,
		},
		"version 2": {
			change: func(t *testing.T, c *call) { c.edit(t, `"version":3`, `"version":2`) },
			code:   1, want: "prepared by an older version of rolecall; let the runners finish",
		},
	}
	for name, test := range tests {
		stage, place := "build_script", &toy.Backend{}
		if test.stage != "" {
			stage = test.stage
		}
		if test.place != nil {
			place = test.place
		}
		c := newCall(t, "alpha", stage)
		if test.change != nil {
			test.change(t, c)
		}
		got := c.with(place)
		if got.code != test.code || !strings.HasPrefix(got.log, "rolecall: error [") || !strings.Contains(got.log, test.want) {
			t.Errorf("%s: exit code %d, want %d with %q in\n%s", name, got.code, test.code, test.want, got.log)
		}
		if ran := place.Broken != nil; ran != strings.Contains(got.out, "the script prints") {
			t.Errorf("%s: the output is %q", name, got.out)
		}
	}
}

// TestEnd: what was begun for a script is ended, whether the script ran or not; what
// stays is a warning.
func TestEnd(t *testing.T) {
	t.Parallel()
	for stage, code := range map[string]int{"build_script": 0, "archive_cache": 2} {
		ended, c := 0, newCall(t, "alpha", stage)
		place := &toy.Backend{Ended: func() error { ended++; return errors.New("the box stays") }}
		if got := c.with(place); ended != 1 || got.code != code || !strings.HasPrefix(got.log, "rolecall: warning: the box stays\n") {
			t.Errorf("%s: ended %d times, %+v", stage, ended, got)
		}
	}
}

// bare is a toy that has no environment for scripts.
type bare struct{ *toy.Backend }

func (bare) Environ(json.RawMessage, []string) ([]string, error) {
	return []string{"OF=bare"}, errors.New("the toy has no environment")
}

// TestNoEnvironment: a script does not start in an environment that its place cannot give.
func TestNoEnvironment(t *testing.T) {
	t.Parallel()
	c := newCall(t, "alpha", "build_script")
	want := result{code: 2, log: "rolecall: error [RC500]: the toy has no environment\n"}
	if got := c.with(bare{&toy.Backend{}}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// ends is a toy whose scripts end in that way.
type ends struct {
	*toy.Backend

	result backend.Result
}

func (e ends) Run(context.Context, json.RawMessage, backend.Script) (backend.Result, error) {
	return e.result, nil
}

// TestResult: what a backend says of the end of a script.
func TestResult(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		result backend.Result
		want   result
		code   string
	}{
		"startup file": {backend.Result{Code: 3, Startup: errors.New("/etc/profile ends the shell")}, result{2, "", "rolecall: error [RC500]: /etc/profile ends the shell\n"}, ""},
		"left":         {backend.Result{Left: []int{8, 9}}, result{0, "", "rolecall: warning: processes of the script that could not be killed: [8 9]\n"}, ""},
		"left, failed": {backend.Result{Code: 3, Left: []int{8}}, result{1, "", "rolecall: warning: processes of the script that could not be killed: [8]\n"}, "3\n"},
	} {
		c := newCall(t, "alpha", "build_script")
		if got := c.with(ends{&toy.Backend{}, test.result}); got != test.want || c.exitCode() != test.code {
			t.Errorf("%s: %+v and exit code %q, want %+v and %q", name, got, c.exitCode(), test.want, test.code)
		}
	}
}

// TestSecondBackend: the record chooses among those that the program has.
func TestSecondBackend(t *testing.T) {
	t.Parallel()
	c := newCall(t, "", "build_script")
	first, second := other{&toy.Backend{Code: 1}}, &toy.Backend{}
	if got := c.with(first, second); got.code != 0 || !strings.Contains(got.out, "the script prints") {
		t.Errorf("%+v", got)
	}
	if len(slices.Concat(first.Reaped, second.Reaped)) > 0 {
		t.Errorf("reaped %q, %q while the job goes on", first.Reaped, second.Reaped)
	}
}

// other is a toy of another name.
type other struct{ *toy.Backend }

func (other) Name() string { return "other" }
