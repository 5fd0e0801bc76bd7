package admin

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/check"
	"rolecall/internal/tenant/policyfile"
)

// errLook says that there are findings that an admin has to look at, and none to fix.
var errLook = errors.New("there is something to look at")

// hashBytes is the length of the hash of a policy file.
const hashBytes = 16

// check looks for mistakes in the set-up of this host.
func (d call) check() *cobra.Command {
	var policy, runner, expected *string
	var asJSON, verbose *bool
	c := newCommand("check", "look for mistakes in this host, its policy files and its runners", func() error {
		host := d.hostOf(*policy, *runner)
		host.Expected = strings.ToLower(*expected)
		if err := checkExpected(host.Expected); err != nil {
			return err
		}
		return d.printFindings(host.Check(context.Background()), *asJSON, *verbose)
	})
	c.Long = `check looks for mistakes in this host, in its policy files and in its runners. It reads each policy
file that the runners of config.toml name. The exit code is 0 if all is fine, 1 if there is
something to fix, 2 if the command line is wrong, and 3 if there is only something to look at.
docs/errors.md explains the ids of findings, such as CK12.`
	policy, asJSON, runner = policyFlag(c), jsonFlag(c), runnerFlag(c)
	c.Flags().Lookup("config").Usage = "check this policy `FILE` alone (default: those that the runners name)"
	verbose = c.Flags().BoolP("verbose", "v", false, "print what is fine, too")
	expected = c.Flags().String("expect-policy", "", "the `HASH` that the policy file must have; check --verbose prints it")
	return c
}

// runnerFlag defines the flag of the runner's configuration.
func runnerFlag(c *cobra.Command) *string {
	return c.Flags().String("runner-config", "/etc/gitlab-runner/config.toml", "the runner's `FILE` config.toml")
}

// hostOf returns this host, to check it. With an empty policy the policy files are those of the
// runners.
func (d call) hostOf(policy, runner string) check.Host {
	host := check.Here()
	host.Policy, host.ByDefault = cmp.Or(policy, policyfile.Default), policy == ""
	host.Providers = d.schemas()
	host.RunnerConfig, host.Temp = runner, os.TempDir()
	return host
}

// checkExpected refuses what is no hash of a policy file.
func checkExpected(hash string) error {
	if sum, err := hex.DecodeString(hash); err != nil || hash != "" && len(sum) != hashBytes {
		return usageError{errors.New("--expect-policy: want the 32 hex digits that rolecall check --verbose prints of the policy file")}
	}
	return nil
}

// printFindings prints the findings of a check.
func (d call) printFindings(findings []check.Finding, asJSON, verbose bool) error {
	p := blocks{colours: d.colours(), verbose: verbose}
	if err := d.printBlocks(p, findings, asJSON); err != nil {
		return err
	}
	switch {
	case check.Bad(findings):
		return errSick
	case check.Count(findings, check.Look) > 0:
		return errLook
	}
	return nil
}

// printBlocks prints findings. Their texts have no control bytes, but blocks may have colours.
func (d call) printBlocks(b blocks, findings []check.Finding, asJSON bool) error {
	if asJSON {
		return d.printJSON(findings)
	}
	_, err := io.WriteString(d.stdout, b.text(findings))
	return err
}
