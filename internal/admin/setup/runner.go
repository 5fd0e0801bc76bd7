package setup

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"rolecall/internal/tenant/policyfile"
)

// programs is the folder of the driver.
const programs = "/usr/libexec/rolecall"

// shutdown is the shutdown_timeout of globals.
const shutdown = 60

// globals are the first lines of a config.toml: those of GitLab Runner that count for the
// driver.
const globals = `concurrent = 4
# Seconds that jobs have to end when the runner must stop at once.
shutdown_timeout = 60

`

// config is what is read of a runner's config.toml, and what is written of one.
type config struct {
	ShutdownTimeout *int     `toml:"shutdown_timeout,omitempty"`
	Runners         []runner `toml:"runners"`
}

// runner is an entry of a config.toml. Its keys are those of
// https://docs.gitlab.com/runner/configuration/advanced-configuration/
type runner struct {
	Name           string `toml:"name"`
	URL            string `toml:"url,omitempty"`
	Token          string `toml:"token,omitempty"`
	Executor       string `toml:"executor"`
	CleanGitConfig bool   `toml:"clean_git_config"`
	Custom         custom `toml:"custom"`
}

// custom is the part of the custom executor. Times are in seconds.
type custom struct {
	ConfigExec      string   `toml:"config_exec"`
	ConfigArgs      []string `toml:"config_args,omitempty"`
	PrepareExec     string   `toml:"prepare_exec"`
	PrepareArgs     []string `toml:"prepare_args,omitempty"`
	RunExec         string   `toml:"run_exec"`
	RunArgs         []string `toml:"run_args,omitempty"`
	CleanupExec     string   `toml:"cleanup_exec"`
	CleanupArgs     []string `toml:"cleanup_args,omitempty"`
	ConfigTimeout   int      `toml:"config_exec_timeout"`
	PrepareTimeout  int      `toml:"prepare_exec_timeout"`
	CleanupTimeout  int      `toml:"cleanup_exec_timeout"`
	GracefulTimeout int      `toml:"graceful_kill_timeout"`
	ForceTimeout    int      `toml:"force_kill_timeout"`
}

// runnerBlock returns the [[runners]] block of the answers. Without a token it is a template
// for gitlab-runner register, which adds URL and token.
func (a Answers) runnerBlock() ([]byte, error) {
	var args []string
	if a.Config != "" && a.Config != policyfile.Default {
		args = []string{"--config", a.Config}
	}
	path := func(name string) string { return filepath.Join(programs, name) }
	r := runner{Name: a.Runner, Executor: "custom", CleanGitConfig: true, Custom: custom{
		path("config"), args, path("prepare"), args, path("run"), args, path("cleanup"), args, 30, 120, 60, 15, 5,
	}}
	if a.Token != "" {
		r.URL, r.Token = a.Issuer, a.Token
	}
	return toml.Marshal(config{Runners: []runner{r}})
}

// addRunner returns the config.toml that has the answers' runner at its end, if that has a token, and
// what the admin must change in the rest of it. old is what it has now; empty: there is none.
func (a Answers) addRunner(old []byte) (content []byte, advice string, err error) {
	block, err := a.runnerBlock()
	if err != nil {
		return nil, "", err
	}
	if a.Token == "" {
		block = nil
	}
	if len(old) == 0 {
		return append([]byte(globals), block...), "", nil
	}
	var now config
	if err := toml.Unmarshal(old, &now); err != nil {
		return nil, "", fmt.Errorf("it is no TOML that can be read (%w): correct it first", err)
	}
	for _, r := range now.Runners {
		if a.Token != "" && (r.Name == a.Runner || r.Token == a.Token) {
			return nil, "", fmt.Errorf("it has a runner %.80q with this name or this token: choose another --runner, or remove that one", r.Name)
		}
	}
	if now.ShutdownTimeout == nil || *now.ShutdownTimeout < shutdown {
		advice = fmt.Sprintf("write shutdown_timeout = %d above the first [[runners]]: with less, the runner exits before credentials are removed", shutdown)
	}
	if a.Token == "" {
		return old, advice, nil
	}
	content = append(append(old[:len(old):len(old)], '\n'), block...)
	var then config
	if err := toml.Unmarshal(content, &then); err != nil || len(then.Runners) != len(now.Runners)+1 {
		return nil, "", errors.New("it can get no [[runners]] at its end: begin each of its runners with a line [[runners]], and remove runners = [...]")
	}
	return content, advice, nil
}
