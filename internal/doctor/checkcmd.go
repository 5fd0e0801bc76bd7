package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"rolecall/internal/doctor/check"
	"rolecall/internal/tenant/policyfile"
)

// check looks for mistakes in the set-up of this host.
func (d call) check(args []string) error {
	flags := d.flags("check", "")
	runner := flags.String("runner-config", "/etc/gitlab-runner/config.toml", "the runner's `FILE` config.toml")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.parse(args); err != nil {
		return err
	}
	host := check.Here()
	host.Policy, host.ByDefault = cmp.Or(*flags.policy, policyfile.Default), *flags.policy == ""
	host.Providers = d.schemas()
	host.RunnerConfig, host.Temp = *runner, os.TempDir()
	findings := host.Check(context.Background())
	rows := [][]string{{"STATE", "AREA", "WHAT", "WHAT TO DO"}}
	for _, f := range findings {
		rows = append(rows, []string{string(f.State), f.Area, f.What, f.Do})
	}
	if err := d.print(findings, table(rows)+count(findings), *asJSON); err != nil {
		return err
	}
	if check.Bad(findings) {
		return errSick
	}
	return nil
}

// count returns the last line of a check: how many findings are to be fixed, and how
// many an admin has to look at and may leave as they are.
func count(findings []check.Finding) string {
	return fmt.Sprintf("\n%d to fix, %d to look at, %d fine\n", check.Count(findings, check.Fix), check.Count(findings, check.Look), check.Count(findings, check.OK))
}
