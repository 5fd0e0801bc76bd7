package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// runnerConfig is the part of GitLab Runner's config.toml that are checked.
//
// https://docs.gitlab.com/runner/configuration/advanced-configuration/
type runnerConfig struct {
	ShutdownTimeout int      `toml:"shutdown_timeout"` // seconds; 0: the runner's default, 30
	Runners         []runner `toml:"runners"`
}

// runner is one of the runners of a config.toml.
type runner struct {
	Name           string `toml:"name"`
	URL            string `toml:"url"`
	CAFile         string `toml:"tls-ca-file"`
	Executor       string `toml:"executor"`
	BuildsDir      string `toml:"builds_dir"`
	CacheDir       string `toml:"cache_dir"`
	CleanGitConfig *bool  `toml:"clean_git_config"`
	Custom         custom `toml:"custom"`
}

// custom are the settings of the custom executor. Times are in seconds; nil means the
// runner's default.
type custom struct {
	ConfigExec  string   `toml:"config_exec"`
	ConfigArgs  []string `toml:"config_args"`
	PrepareExec string   `toml:"prepare_exec"`
	PrepareArgs []string `toml:"prepare_args"`
	RunExec     string   `toml:"run_exec"`
	RunArgs     []string `toml:"run_args"`
	CleanupExec string   `toml:"cleanup_exec"`
	CleanupArgs []string `toml:"cleanup_args"`

	ConfigExecTimeout   *int `toml:"config_exec_timeout"`
	PrepareExecTimeout  *int `toml:"prepare_exec_timeout"`
	CleanupExecTimeout  *int `toml:"cleanup_exec_timeout"`
	GracefulKillTimeout *int `toml:"graceful_kill_timeout"`
	ForceKillTimeout    *int `toml:"force_kill_timeout"`
}

// executable is the program of a stage, with its arguments.
type executable struct {
	stage string
	path  string
	args  []string
}

// programs returns the programs of the four stages.
func (c custom) programs() []executable {
	return []executable{
		{"config", c.ConfigExec, c.ConfigArgs},
		{"prepare", c.PrepareExec, c.PrepareArgs},
		{"run", c.RunExec, c.RunArgs},
		{"cleanup", c.CleanupExec, c.CleanupArgs},
	}
}

// ours reports whether a runner's driver is rolecall: a path contains that name, or
// several programs are named like their stages.
func (r runner) ours() bool {
	if r.Executor != "custom" {
		return false
	}
	programs := r.Custom.programs()
	byFolder := func(p executable) bool { return strings.Contains(p.path, "rolecall") }
	return slices.ContainsFunc(programs, byFolder) || alike(programs) > 1
}

// alike returns how many programs are named like their stages.
func alike(programs []executable) int {
	n := 0
	for _, p := range programs {
		if filepath.Base(p.path) == p.stage {
			n++
		}
	}
	return n
}

// readRunnerConfig reads the runner's config.toml. Its tokens are not read.
func (h *host) readRunnerConfig() []Finding {
	const area = "runner's config"
	info, err := os.Stat(h.RunnerConfig)
	content, readErr := os.ReadFile(h.RunnerConfig)
	if err := cmp.Or(err, readErr); err != nil {
		return []Finding{fix(idNoRunnerConfig, area, err.Error(), "name the runner's config.toml by --runner-config")}
	}
	var findings []Finding
	if info.Mode().Perm()&0o077 != 0 {
		findings = append(findings, fix(idOpenRunnerConfig, area, fmt.Sprintf("%s has mode %04o, and holds the runners' tokens", h.RunnerConfig, info.Mode().Perm()), run("chmod", "0600", h.RunnerConfig)))
	}
	if err := toml.Unmarshal(content, &h.config); err != nil {
		h.config = runnerConfig{}
		line := 0
		var broken *toml.DecodeError
		if errors.As(err, &broken) {
			line, _ = broken.Position() // the message may quote a token
		}
		return append(findings, fix(idNoRunnerConfig, area, fmt.Sprintf("%s:%d: GitLab Runner cannot read this TOML", h.RunnerConfig, line), "correct it"))
	}
	n := 0
	for _, r := range h.config.Runners {
		if r.ours() {
			n++
		}
	}
	if n == 0 {
		return append(findings, fix(idNoRunner, area, h.RunnerConfig+" has no runner with rolecall", "see runner-config.toml.example"))
	}
	return append(findings, ok(area, fmt.Sprintf("%s has %d runners with rolecall", h.RunnerConfig, n)))
}

// checkRunners checks each runner whose driver is rolecall, and then how the runners
// share tenants.
func (h *host) checkRunners(context.Context) []Finding {
	var findings []Finding
	pinned := map[string][]string{} // runners by their tenant
	for _, r := range h.config.Runners {
		if !r.ours() {
			continue
		}
		findings = append(findings, h.checkRunner(r)...)
		if flags, err := readFlags(r.Custom.ConfigArgs); err == nil {
			pinned[flags.Tenant] = append(pinned[flags.Tenant], fmt.Sprintf("%q", r.Name))
		}
	}
	for _, tenant := range slices.Sorted(maps.Keys(pinned)) {
		names := strings.Join(pinned[tenant], ", ")
		switch {
		case tenant != "" && len(pinned[tenant]) > 1:
			findings = append(findings, look(idSeveralRunners, "runners", fmt.Sprintf("tenant %s has several runners: %s", tenant, names), "keep one runner for each tenant, so that its tag chooses the tenant"))
		case tenant == "" && len(pinned) > 1:
			shared := ok("runners", names+" take jobs of every tenant; other runners serve one tenant")
			shared.Do = "run them as services of different users, or their jobs reach each other's files"
			findings = append(findings, shared)
		}
	}
	return findings
}
