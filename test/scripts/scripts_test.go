// Package scripts_test runs the driver's stages as whole programs, against a
// fake STS. Each script in testdata holds one promise; the commands that the
// scripts have beside testscript's own are in commands_test.go.
package scripts_test

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/gate/inspect"
	"rolecall/internal/program"
	"rolecall/internal/registry/ask"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/stage/config"
	"rolecall/internal/stage/prepare"
	"rolecall/internal/stage/run"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/coordinator"
)

func TestMain(m *testing.M) {
	mains := map[string]func(){"gate": inspect.Main, "registry": ask.Main}
	for name, p := range stages() {
		mains[name] = p.Main
	}
	testscript.Main(m, mains)
}

// stages returns the stages by the names of their folders in cmd, with the parts that
// their mains choose.
func stages() map[string]program.Program {
	schemas, on := []policyfile.Provider{grant.AWS{}}, host.New()
	return map[string]program.Program{
		"config":  config.New(config.Parts{Backends: []config.Backend{on, podman.New(on)}, Providers: schemas}),
		"prepare": prepare.New(prepare.Parts{Backends: []prepare.Backend{on, podman.New(on)}, Providers: []prepare.Provider{sts.NewProvider()}}),
		"run":     run.New(run.Parts{Backends: []run.Backend{on, podman.New(on)}, Providers: []run.Provider{aws.Scripts{}}}),
		"cleanup": cleanup.New(cleanup.Parts{Backends: []backend.Reaper{on, podman.New(on)}, Providers: schemas, Searchers: []cleanup.Searcher{on, podman.New(on)}}),
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	gitlab, err := coordinator.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gitlab.Close)
	const want = 38
	if found, _ := filepath.Glob("testdata/*.txtar"); len(found) != want {
		t.Fatalf("%d scripts found, want %d: where one was added or removed on purpose, correct this number", len(found), want)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Deadline:            time.Now().Add(2 * time.Minute),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setUp(env, gitlab) },
		Condition:           condition,
		Cmds:                commands(),
	})
}

// setUp gives a script the environment that a runner gives to a stage, but for
// the job: the command job does that.
func setUp(env *testscript.Env, gitlab *coordinator.Server) error {
	as, err := runAs()
	if err != nil {
		return err
	}
	env.Setenv("AS", as)
	env.Values["lab"] = &lab{gitlab: gitlab, flags: []string{"--no-policy", as}}
	for _, dir := range []string{"home", "store", "builds"} {
		if err := os.Mkdir(filepath.Join(env.WorkDir, dir), 0o700); err != nil {
			return err
		}
	}
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("ROLECALL_STORE", filepath.Join(env.WorkDir, "store"))
	env.Setenv("BUILD_EXIT_CODE_FILE", filepath.Join(env.WorkDir, "exit-code"))
	env.Setenv("BUILD_FAILURE_EXIT_CODE", "1")
	env.Setenv("SYSTEM_FAILURE_EXIT_CODE", "2")
	env.Setenv("LONG", strings.Repeat("x", 20000))
	env.Setenv("NL", "\n")
	env.Setenv("ISSUER", gitlab.Issuer())
	env.Setenv("GORACE", "atexit_sleep_ms=0") // else every program takes a second to end
	env.Setenv("PROJECT", filepath.Join(env.WorkDir, "builds/short/0/acme/deploy"))
	env.Setenv("CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR", filepath.Join(env.WorkDir, "builds/short/0/acme/deploy.tmp"))
	return nil
}

// runAs returns the flag by which scripts run as the user of this process: root
// must be asked for by name.
func runAs() (string, error) {
	self, err := user.Current()
	if err != nil {
		return "", err
	}
	return "--run-as=" + self.Username, nil
}

// condition knows [root].
func condition(name string) (bool, error) {
	return name == "root" && os.Geteuid() == 0, nil
}
