package doctor

import (
	"cmp"
	"context"
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
	if err := d.print(findings, table(rows), *asJSON); err != nil {
		return err
	}
	if check.Bad(findings) {
		return errSick
	}
	return nil
}
