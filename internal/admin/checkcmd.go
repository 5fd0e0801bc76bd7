package admin

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/check"
	"rolecall/internal/tenant/policyfile"
)

// check looks for mistakes in the set-up of this host.
func (d call) check() *cobra.Command {
	var policy, runner *string
	var asJSON *bool
	c := newCommand("check", "look for mistakes in this host, its policy file and its runners", func() error {
		return d.printFindings(d.hostOf(*policy, *runner).Check(context.Background()), *asJSON)
	})
	policy, asJSON = policyFlag(c), jsonFlag(c)
	runner = runnerFlag(c)
	return c
}

// runnerFlag defines the flag of the runner's configuration.
func runnerFlag(c *cobra.Command) *string {
	return c.Flags().String("runner-config", "/etc/gitlab-runner/config.toml", "the runner's `FILE` config.toml")
}

// hostOf returns this host, to check it. An empty policy is the default one.
func (d call) hostOf(policy, runner string) check.Host {
	host := check.Here()
	host.Policy, host.ByDefault = cmp.Or(policy, policyfile.Default), policy == ""
	host.Providers = d.schemas()
	host.RunnerConfig, host.Temp = runner, os.TempDir()
	return host
}

// printFindings prints the findings of a check.
func (d call) printFindings(findings []check.Finding, asJSON bool) error {
	rows := [][]string{{"STATE", "AREA", "WHAT", "WHAT TO DO"}}
	for _, f := range findings {
		rows = append(rows, []string{string(f.State), f.Area, f.What, f.Do})
	}
	if err := d.print(findings, table(rows)+count(findings), asJSON); err != nil {
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
