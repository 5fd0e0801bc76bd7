package job

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names of the variables by which the runner, or the config stage through
// job_env, talks to a stage.
const (
	requestPrefix     = "CUSTOM_ENV_"
	responseFile      = "JOB_RESPONSE_FILE"
	exitCodeFile      = "BUILD_EXIT_CODE_FILE"
	buildFailureCode  = "BUILD_FAILURE_EXIT_CODE"
	systemFailureCode = "SYSTEM_FAILURE_EXIT_CODE"
	tempDir           = "TMPDIR"

	// StoreVariable names the folder that holds the state of all jobs. The
	// config stage hands it to the later ones in job_env, which no job can set.
	StoreVariable = "ROLECALL_STORE"
	// ToldVariable holds what the config stage was started with. It is handed on as
	// StoreVariable is.
	ToldVariable = "ROLECALL_FLAGS"
	// EnvFileVariable names the env file to the job's script.
	EnvFileVariable = "ROLECALL_ENV_FILE"
)

// Env is the environment of a stage, read once.
type Env struct {
	ResponseFile string // path of the job response
	ExitCodeFile string // where run leaves the script's exit code; may be empty
	BuildFailure int    // exit code that ends a job as the author's or admin's
	SystemFail   int    // exit code that lets the runner try again
	Store        string // StoreVariable; empty before config has chosen
	Told         string // ToldVariable; empty before config has run
	Request      Request
	Service      []string // the rest: what the runner's own service has
}

// Request holds the variables that a job asks with, by name. A job can set each
// of them, but for the few that the runner appends last.
type Request map[string]string

// TempProjectDir returns the folder beside the job's work tree that the runner
// keeps for it. The runner appends its variable after those of the job.
func (r Request) TempProjectDir() string { return r["RUNNER_TEMP_PROJECT_DIR"] }

// ReadEnv reads an environment in the form of os.Environ. Of duplicates the last
// counts. Exit codes that the runner cannot have meant are an error; the Env
// then holds the runner's defaults.
func ReadEnv(environ []string) (Env, error) {
	env := Env{BuildFailure: 1, SystemFail: 2, Request: Request{}}
	own := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if key, ok := strings.CutPrefix(name, requestPrefix); ok {
			env.Request[key] = value
		} else if isOwn(name) {
			own[name] = value
		} else {
			env.Service = append(env.Service, entry)
		}
	}
	env.ResponseFile, env.ExitCodeFile = own[responseFile], own[exitCodeFile]
	env.Store, env.Told = own[StoreVariable], own[ToldVariable]
	err := env.readExitCodes(own[buildFailureCode], own[systemFailureCode])
	return env, err
}

// isOwn reports whether a variable is addressed to the driver and not part of
// the runner's service. TMPDIR is one: the runner points it at the folder that
// holds the job response.
func isOwn(name string) bool {
	own := []string{responseFile, exitCodeFile, buildFailureCode, systemFailureCode, tempDir}
	return slices.Contains(own, name) || strings.HasPrefix(name, "ROLECALL_")
}

// readExitCodes sets the exit codes from the runner's texts; an empty one leaves
// the default.
func (e *Env) readExitCodes(build, system string) error {
	b, err := exitCode(buildFailureCode, build, e.BuildFailure)
	if err != nil {
		return err
	}
	s, err := exitCode(systemFailureCode, system, e.SystemFail)
	if err != nil {
		return err
	}
	if b == s {
		return fmt.Errorf("%s and %s are both %d", buildFailureCode, systemFailureCode, b)
	}
	e.BuildFailure, e.SystemFail = b, s
	return nil
}

// exitCode parses the exit code text of the variable name.
func exitCode(name, text string, standard int) (int, error) {
	if text == "" {
		return standard, nil
	}
	code, err := strconv.Atoi(text)
	if err != nil || code < 1 || code > 255 {
		return 0, fmt.Errorf("%s is %q, want a number from 1 to 255", name, text)
	}
	return code, nil
}

// Get returns the value of name in an environment like os.Environ, the last one
// where there are several.
func Get(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
