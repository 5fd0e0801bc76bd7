package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// configuration returns the text of config.toml. Strings and lists are written as JSON,
// which is also valid TOML.
func (r *RunnerService) configuration(opts RunnerOptions) (string, error) {
	var toml strings.Builder
	setting(&toml, "concurrent", cmp.Or(opts.Concurrent, 4+len(opts.Runners)))
	setting(&toml, "check_interval", 1)
	toml.WriteString(opts.Settings + "\n")
	for _, runner := range opts.Runners {
		executor := cmp.Or(runner.Executor, "custom")
		toml.WriteString("\n[[runners]]\n")
		setting(&toml, "name", runner.Name)
		setting(&toml, "url", opts.Coordinator)
		setting(&toml, "token", runner.Token)
		setting(&toml, "executor", executor)
		setting(&toml, "builds_dir", r.BuildsDir)
		setting(&toml, "cache_dir", r.CacheDir)
		// The login shell of a user who is not root sets its own PATH.
		setting(&toml, "environment", append([]string{"PATH=" + r.searchPath}, runner.Environment...))
		toml.WriteString(runner.Settings + "\n")
		if executor != "custom" {
			continue
		}
		writeDriver(&toml, runner.driver(r.binDir))
		toml.WriteString(runner.CustomSettings + "\n")
	}
	return toml.String(), nil
}

// setting writes a line of the configuration. It panics if value cannot be written as
// JSON.
func setting(toml *strings.Builder, name string, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(toml, "%s = %s\n", name, encoded)
}

// writeDriver writes the command lines of the custom executor's stages.
func writeDriver(toml *strings.Builder, driver Driver) {
	toml.WriteString("[runners.custom]\n")
	for _, stage := range []struct {
		name string
		argv []string
	}{
		{"config", driver.Config},
		{"prepare", driver.Prepare},
		{"run", driver.Run},
		{"cleanup", driver.Cleanup},
	} {
		setting(toml, stage.name+"_exec", stage.argv[0])
		setting(toml, stage.name+"_args", nonNil(stage.argv[1:]))
	}
}

// driver returns the runner's driver. An empty command line becomes that of rolecall's
// binary in the folder binaries.
func (r Runner) driver(binaries string) Driver {
	d := r.Driver
	d.Config = cmpArgv(d.Config, filepath.Join(binaries, "config"))
	d.Prepare = cmpArgv(d.Prepare, filepath.Join(binaries, "prepare"))
	d.Run = cmpArgv(d.Run, filepath.Join(binaries, "run"))
	d.Cleanup = cmpArgv(d.Cleanup, filepath.Join(binaries, "cleanup"))
	for _, argv := range []*[]string{&d.Config, &d.Prepare, &d.Run, &d.Cleanup} {
		*argv = slices.Concat(*argv, r.Args)
	}
	return d
}

func cmpArgv(argv []string, program string) []string {
	if argv == nil {
		return []string{program}
	}
	return argv
}

// nonNil returns list, and an empty list for nil: JSON writes that as [] and not as
// null.
func nonNil(list []string) []string {
	return append([]string{}, list...)
}
