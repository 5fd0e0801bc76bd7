package job

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names of the variables that the runner sets for a stage, itself or because the
// config stage told it to in job_env.
const (
	requestPrefix     = "CUSTOM_ENV_"
	responseFile      = "JOB_RESPONSE_FILE"
	exitCodeFile      = "BUILD_EXIT_CODE_FILE"
	buildFailureCode  = "BUILD_FAILURE_EXIT_CODE"
	systemFailureCode = "SYSTEM_FAILURE_EXIT_CODE"
	tempDir           = "TMPDIR"

	// StoreVariable holds the path of the folder with the state of all jobs. The config
	// stage passes it to the later stages in job_env, which no job can set.
	StoreVariable = "ROLECALL_STORE"
	// ToldVariable holds what the config stage was started with. The config stage
	// passes it on in job_env, too.
	ToldVariable = "ROLECALL_FLAGS"
	// EndpointVariable and EndpointTokenVariable hold where the endpoint of a script is, such as
	// http://127.0.0.1:4711, and the token that it wants, for the program credential.
	EndpointVariable      = "ROLECALL_ENDPOINT"
	EndpointTokenVariable = "ROLECALL_ENDPOINT_TOKEN" //nolint:gosec // the name of a variable
	// EnvFileVariable holds the path of the env file, for the job's script.
	EnvFileVariable = "ROLECALL_ENV_FILE"
	// ExpiresVariable holds the time at which the first credential of the job expires, in
	// the form of RFC 3339 and in UTC, for the job's script. No AWS SDK reads it.
	ExpiresVariable = "ROLECALL_EXPIRES"
)

// Env is the environment of a stage, read once.
type Env struct {
	ResponseFile  string // path of the job response
	ExitCodeFile  string // where run writes the script's exit code; may be empty
	BuildFailure  int    // exit code of a failure that the author or the admin must cure
	SystemFailure int    // exit code of a failure after which the runner tries again
	Store         string // StoreVariable; empty before config has chosen
	Told          string // ToldVariable; empty before config has run
	Request       Request
	Service       []string // all other variables: those of the runner's own service
}

// Request holds the variables of a job by name, without CUSTOM_ENV_. A job can set
// each of them, except for the few that the runner appends last.
type Request map[string]string

// TempProjectDir returns the folder that the runner keeps beside the job's work tree.
// No job can set it: the runner appends this variable after the job's own.
func (r Request) TempProjectDir() string { return r["RUNNER_TEMP_PROJECT_DIR"] }

// ReadEnv reads an environment in the form of os.Environ. The last of several entries
// with the same name counts. It fails if an exit code is not a number from 1 to 255 or
// if both are equal; the Env then holds the runner's defaults.
func ReadEnv(environ []string) (Env, error) {
	env := Env{BuildFailure: 1, SystemFailure: 2, Request: Request{}}
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

// isOwn reports whether the variable is for the driver, and not one of the runner's
// service. TMPDIR is for the driver: the runner sets it to the folder of the job
// response.
func isOwn(name string) bool {
	own := []string{responseFile, exitCodeFile, buildFailureCode, systemFailureCode, tempDir}
	return slices.Contains(own, name) || strings.HasPrefix(name, "ROLECALL_")
}

// readExitCodes sets the exit codes from the texts in the runner's variables. An empty
// text leaves the default.
func (e *Env) readExitCodes(build, system string) error {
	b, err := exitCode(buildFailureCode, build, e.BuildFailure)
	if err != nil {
		return err
	}
	s, err := exitCode(systemFailureCode, system, e.SystemFailure)
	if err != nil {
		return err
	}
	if b == s {
		return fmt.Errorf("%s and %s are both %d", buildFailureCode, systemFailureCode, b)
	}
	e.BuildFailure, e.SystemFailure = b, s
	return nil
}

// exitCode parses text, the value of the variable name. An empty text is standard.
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

// Get returns the value of name in an environment in the form of os.Environ, the last
// one if there are several, and "" if there is none.
func Get(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
