package job_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/job"
)

func TestReadEnv(t *testing.T) {
	t.Parallel()
	got, err := job.ReadEnv([]string{
		"PATH=/bin", "TMPDIR=/tmp/custom-executor1", "JOB_RESPONSE_FILE=/tmp/custom-executor1/response.json",
		"BUILD_EXIT_CODE_FILE=/tmp/custom-executor1/code", "BUILD_FAILURE_EXIT_CODE=7", "SYSTEM_FAILURE_EXIT_CODE=9",
		"ROLECALL_STORE=/run/rolecall", "ROLECALL_ENV_FILE=/x", "AWS_REGION=eu-west-1", "A=b=c",
		"CUSTOM_ENV_TENANT=alpha", "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=/builds/x.tmp",
		"CUSTOM_ENV_ROLECALL_STORE=/etc", "CUSTOM_ENV_PATH=/evil",
	})
	want := job.Env{
		ResponseFile:  "/tmp/custom-executor1/response.json",
		ExitCodeFile:  "/tmp/custom-executor1/code",
		BuildFailure:  7,
		SystemFailure: 9,
		Store:         "/run/rolecall",
		Request: job.Request{
			"TENANT": "alpha", "RUNNER_TEMP_PROJECT_DIR": "/builds/x.tmp", "ROLECALL_STORE": "/etc", "PATH": "/evil",
		},
		Service: []string{"PATH=/bin", "AWS_REGION=eu-west-1", "A=b=c"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, environment differs:\n%s", err, diff)
	}
	if dir := got.Request.TempProjectDir(); dir != "/builds/x.tmp" {
		t.Errorf("TempProjectDir() = %q", dir)
	}
}

func TestReadEnvOdd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    job.Env
	}{
		"nothing": {nil, job.Env{Request: job.Request{}}},
		"the last duplicate counts": {
			[]string{"CUSTOM_ENV_A=1", "JOB_RESPONSE_FILE=/a", "CUSTOM_ENV_A=2", "JOB_RESPONSE_FILE=/b"},
			job.Env{ResponseFile: "/b", Request: job.Request{"A": "2"}},
		},
		"a line in a value is no variable": {
			[]string{"CUSTOM_ENV_MULTI=x\nCUSTOM_ENV_CI_JOB_ID=9\nJOB_RESPONSE_FILE=/evil"},
			job.Env{Request: job.Request{"MULTI": "x\nCUSTOM_ENV_CI_JOB_ID=9\nJOB_RESPONSE_FILE=/evil"}},
		},
		"a forged name": {
			[]string{"CUSTOM_ENV_JOB_RESPONSE_FILE=/evil", "CUSTOM_ENV_CI_JOB_TOKEN=forged=x"},
			job.Env{Request: job.Request{"JOB_RESPONSE_FILE": "/evil", "CI_JOB_TOKEN": "forged=x"}},
		},
		"an empty name":  {[]string{"CUSTOM_ENV_=x"}, job.Env{Request: job.Request{"": "x"}}},
		"no equals sign": {[]string{"CUSTOM_ENV_A", "B"}, job.Env{Request: job.Request{"A": ""}, Service: []string{"B"}}},
		"the prefix is not doubled": {
			[]string{"CUSTOM_ENV_CUSTOM_ENV_A=1", "XCUSTOM_ENV_B=1", "custom_env_C=1"},
			job.Env{Request: job.Request{"CUSTOM_ENV_A": "1"}, Service: []string{"XCUSTOM_ENV_B=1", "custom_env_C=1"}},
		},
	} {
		test.want.BuildFailure, test.want.SystemFailure = 1, 2
		got, err := job.ReadEnv(test.environ)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, environment differs:\n%s", name, err, diff)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		build, system string
		b, s          int
		want          string // a part of the error; empty: none
	}{
		{"", "", 1, 2, ""},
		{"7", "", 7, 2, ""},
		{"", "9", 1, 9, ""},
		{"255", "1", 255, 1, ""},
		{"abc", "", 1, 2, `BUILD_FAILURE_EXIT_CODE is "abc", want a number from 1 to 255`},
		{"7", "x", 1, 2, `SYSTEM_FAILURE_EXIT_CODE is "x", want a number from 1 to 255`},
		{"0", "", 1, 2, `BUILD_FAILURE_EXIT_CODE is "0"`},
		{"256", "", 1, 2, `BUILD_FAILURE_EXIT_CODE is "256"`},
		{"-1", "", 1, 2, `BUILD_FAILURE_EXIT_CODE is "-1"`},
		{"1 ", "", 1, 2, `BUILD_FAILURE_EXIT_CODE is "1 "`},
		{"99999999999999999999", "", 1, 2, "BUILD_FAILURE_EXIT_CODE"},
		{"5", "5", 1, 2, "BUILD_FAILURE_EXIT_CODE and SYSTEM_FAILURE_EXIT_CODE are both 5"},
		{"2", "", 1, 2, "are both 2"},
		{"", "1", 1, 2, "are both 1"},
	} {
		env, err := job.ReadEnv([]string{"BUILD_FAILURE_EXIT_CODE=" + test.build, "SYSTEM_FAILURE_EXIT_CODE=" + test.system})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%q and %q: error %v, want %q", test.build, test.system, err, test.want)
		}
		if env.BuildFailure != test.b || env.SystemFailure != test.s {
			t.Errorf("%q and %q: codes %d and %d, want %d and %d", test.build, test.system, env.BuildFailure, env.SystemFailure, test.b, test.s)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	environ := []string{"A=1", "AB=2", "A=3", "C=x=y", "D", "E="}
	for name, want := range map[string]string{"A": "3", "AB": "2", "B": "", "C": "x=y", "D": "", "E": "", "": ""} {
		if got := job.Get(environ, name); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
}
