package program_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/program"
	"rolecall/test/kit"
)

// ends returns a stage that ends with err.
func ends(err error) func(*program.Call) error {
	return func(*program.Call) error { return err }
}

// TestExitCodes: whose an error is decides which code of the runner's the stage
// ends with, and who is named in the job log.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		run  func(*program.Call) error
		code int
		says string // all of standard error
	}{
		"success":        {ends(nil), 0, ""},
		"author":         {ends(fault.New(fault.Refused, broken, "")), 71, "rolecall: error [RC103]: broken\n"},
		"admin":          {ends(fault.New(fault.BadPolicy, broken, "repair it")), 71, "rolecall: error [RC303]: broken; repair it\n"},
		"infrastructure": {ends(fault.New(fault.NoKeys, broken, "")), 72, "rolecall: error [RC503]: broken\n"},
		"plain":          {ends(broken), 72, "rolecall: error [RC500]: broken\n"},
		"wrapped":        {ends(fmt.Errorf("x: %w", fault.New(fault.Refused, broken, ""))), 71, "rolecall: error [RC103]: x: broken\n"},
		"full disk":      {ends(fault.New(fault.BadPolicy, syscall.ENOSPC, "")), 72, "rolecall: error [RC501]: no space left on device\n"},
		"panic":          {func(*program.Call) error { panic("ouch") }, 72, "rolecall: error [RC500]: panic in stage: ouch\n"},
		"script":         {ends(program.ScriptError(3)), 71, ""},
		"wrapped script": {ends(errors.Join(program.ScriptError(3))), 71, ""},
	} {
		got := serve(test.run, []string{"BUILD_FAILURE_EXIT_CODE=71", "SYSTEM_FAILURE_EXIT_CODE=72"})
		if want := (result{test.code, "", test.says}); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		standard := map[int]int{71: 1, 72: 2}[test.code]
		if got := serve(test.run, nil); got.code != standard {
			t.Errorf("%s: exit code %d, want %d where the runner names none", name, got.code, standard)
		}
	}
}

// TestNothingToSay: a stage that has nothing to say does not read the job response, which
// can be large, also when its script fails.
func TestNothingToSay(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "response")
	kit.Must(t, syscall.Mkfifo(fifo, 0o600)) // whoever reads it waits for ever
	for code, run := range map[int]func(*program.Call) error{0: ends(nil), 1: ends(program.ScriptError(3))} {
		ended := make(chan result, 1)
		go func() { ended <- serve(run, []string{"JOB_RESPONSE_FILE=" + fifo}) }()
		select {
		case got := <-ended:
			if got != (result{code: code}) {
				t.Errorf("%+v, want exit code %d", got, code)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the stage that ends with %d reads the job response", code)
		}
	}
}

// TestCall: a stage gets flags, arguments, environment and streams.
func TestCall(t *testing.T) {
	t.Parallel()
	got := serve(func(c *program.Call) error {
		_, err := fmt.Fprintln(c.Stdout, c.Flags, c.Args, c.Env.ResponseFile, c.Env.Request)
		_, _ = fmt.Fprintln(c.Stderr, "stderr")
		c.Log.Warn("look")
		return err
	}, []string{"JOB_RESPONSE_FILE=/r", "CUSTOM_ENV_A=1"}, "--tenant", "alpha", "--config=/c", "script", "--flag")
	if want := (result{0, "--config /c --tenant alpha [script --flag] /r map[A:1]\n", "stderr\nrolecall: warning: look\n"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestWrongCall: a stage does not run where flags or environment are wrong, but for
// one that runs always, with as many of the flags and of the environment as are good.
func TestWrongCall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		args    []string
		code    int
		kind    string
		says    string
	}{
		"flag":         {nil, []string{"--nose"}, 1, "RC301", "flag provided but not defined: -nose; correct stage_args in the runner's config.toml; stage --help lists the flags\n"},
		"value":        {nil, []string{"--tenant"}, 1, "RC301", "flag needs an argument: -tenant; "},
		"two policies": {nil, []string{"--no-policy", "--config=/c"}, 1, "RC301", "--no-policy and --config contradict each other; remove one of them in the runner's config.toml\n"},
		"user":         {nil, []string{"--run-as", "ci"}, 1, "RC301", "--run-as is for --no-policy only; set run_as in the policy file, and remove --run-as in the runner's config.toml\n"},
		"exit code":    {[]string{"BUILD_FAILURE_EXIT_CODE=x"}, nil, 2, "RC500", "BUILD_FAILURE_EXIT_CODE is \"x\", want a number from 1 to 255\n"},
	} {
		ran := false
		p := program.Program{Name: "stage", Run: func(*program.Call) error { ran = true; return nil }}
		got := serveProgram(p, test.environ, test.args...)
		if ran || got.code != test.code || got.out != "" || !strings.HasPrefix(got.stderr, "rolecall: error ["+test.kind+"]: "+test.says) {
			t.Errorf("%s: %+v, ran: %t; want exit code %d and %q of %s", name, got, ran, test.code, test.says, test.kind)
		}
		p.Always = true
		got = serveProgram(p, test.environ, test.args...)
		if !ran || got.code != 0 || !strings.HasPrefix(got.stderr, "rolecall: warning: "+test.says) {
			t.Errorf("%s: %+v, ran: %t; want a run with the warning %q", name, got, ran, test.says)
		}
	}
}

// TestAlways: what is good of flags and environment counts where the other is wrong.
func TestAlways(t *testing.T) {
	t.Parallel()
	p := program.Program{Name: "stage", Always: true, Run: func(c *program.Call) error {
		return fmt.Errorf("config %s, store %s", c.Config, c.Env.Store)
	}}
	for _, test := range []struct{ code, flag, warning string }{
		{"0", "--tenant=a", "BUILD_FAILURE_EXIT_CODE is \"0\", want a number from 1 to 255\n"},
		{"1", "--nose", "flag provided but not defined: -nose; "},
		{"0", "--nose", "BUILD_FAILURE_EXIT_CODE is \"0\", want a number from 1 to 255\nflag provided but not defined: -nose; "},
	} {
		got := serveProgram(p, []string{"ROLECALL_STORE=/s", "BUILD_FAILURE_EXIT_CODE=" + test.code}, "--config=/c", test.flag)
		if got.code != 2 || !strings.HasPrefix(got.stderr, "rolecall: warning: "+test.warning) || !strings.HasSuffix(got.stderr, "rolecall: error [RC500]: config /c, store /s\n") {
			t.Errorf("%+v: %+v", test, got)
		}
	}
}

// TestScriptError: the runner is told the exit code of a script in its file.
func TestScriptError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "code")
	if got := serve(ends(program.ScriptError(137)), []string{"BUILD_EXIT_CODE_FILE=" + file}); got != (result{1, "", ""}) {
		t.Errorf("%+v, want exit code 1 and no more", got)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "137\n" {
		t.Errorf("the file has %q, %v, want 137", content, err)
	}
	if got := program.ScriptError(137).Error(); got != "exit status 137" {
		t.Errorf("the error is %q", got)
	}
	got := serve(ends(program.ScriptError(137)), []string{"BUILD_EXIT_CODE_FILE=/none/such"})
	want := "rolecall: warning: the exit code 137 of the script cannot be passed to the runner: open /none/such: no such file or directory\n"
	if got != (result{1, "", want}) {
		t.Errorf("%+v, want exit code 1 and %q", got, want)
	}
	if got := serve(ends(errors.New("x")), []string{"BUILD_EXIT_CODE_FILE=" + file + "2"}); got.code != 2 {
		t.Errorf("%+v, want exit code 2", got)
	}
	if _, err := os.Stat(file + "2"); !os.IsNotExist(err) {
		t.Errorf("a stage without a script wrote an exit code: %v", err)
	}
}

// TestMask: nothing that a stage writes holds a secret from then on, its error
// included, and nothing is lost that the masks hold back.
func TestMask(t *testing.T) {
	t.Parallel()
	const first, second = "secret-of-the-job", "another-secret"
	got := serve(func(c *program.Call) error {
		if err := errors.Join(c.Mask(key(first)), c.Mask(key(second))); err != nil {
			return err
		}
		_, _ = fmt.Fprint(c.Stdout, first, second, " secret-of-the-jo another-secre")
		_, _ = fmt.Fprint(c.Stderr, first, "\n")
		c.Log.Warn(second)
		return errors.New(first + " is wrong")
	}, nil)
	want := result{2, "[MASKED] secret-of-the-jo another-secre", "[MASKED]\nrolecall: warning: [MASKED]\nrolecall: error [RC500]: [MASKED] is wrong\n"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = serve(func(c *program.Call) error {
		if err := c.Mask(key(first)); err != nil {
			return err
		}
		panic(first)
	}, nil)
	if want := (result{2, "", "rolecall: error [RC500]: panic in stage: [MASKED]\n"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestTexts: a text that is asked for is all of standard output, whatever the
// environment is, and the stage does not run.
func TestTexts(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{false, true} {
		p := program.Program{Name: "stage", Does: "does it", Always: always, Run: ends(errors.New("it ran"))}
		for _, environ := range [][]string{nil, {"BUILD_FAILURE_EXIT_CODE=x"}} {
			for _, args := range [][]string{{"--version"}, {"-version", "more"}, {"--help"}, {"-h"}, {"--tenant", "a", "-help"}} {
				begins := "rolecall stage "
				if slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "-h") }) {
					begins = "usage: stage [FLAGS]\n\nstage does it.\n"
				}
				if got := serveProgram(p, environ, args...); got.code != 0 || got.stderr != "" || !strings.HasPrefix(got.out, begins) {
					t.Errorf("%q: %+v, want standard output that begins with %q", args, got, begins)
				}
			}
		}
	}
	var stderr strings.Builder
	p := program.Program{Name: "stage", Run: ends(nil)}
	if code := p.Serve([]string{"--version"}, nil, nil, closed{}, &stderr); code != 2 || !strings.Contains(stderr.String(), "nobody reads") {
		t.Errorf("standard output is closed: exit code %d, %s", code, &stderr)
	}
}

// closed is a stream that nobody reads.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }
