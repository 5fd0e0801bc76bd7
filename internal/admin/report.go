package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/history"
	"rolecall/internal/admin/page"
	"rolecall/internal/audit/reading"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// reporting is what the command line of report says.
type reporting struct {
	asking

	runner      *string
	since       time.Duration
	html, force *bool
}

// report makes a page about the host.
func (d call) report() *cobra.Command {
	const week = 7 * 24 * time.Hour
	r := reporting{since: week}
	c := &cobra.Command{Use: "report --html [FILE]", Short: "write a report of this host: versions, rules, sessions, refusals, findings"}
	c.Long = `report writes one file of HTML, which needs no other file and has no script, to FILE or to
standard output. The file has mode 0600. With --json it prints the same as JSON. The report has no
secret, but names of projects, refs, users and roles.`
	c.Example = "  rolecall report --html host.html"
	r.asking = askingFlags(c)
	r.runner = runnerFlag(c)
	sinceFlag(c.Flags(), &r.since)
	r.html = c.Flags().Bool("html", false, "write HTML")
	r.force = c.Flags().Bool("force", false, "replace FILE if it exists")
	c.Args = func(_ *cobra.Command, args []string) error {
		if *r.html == *r.json || len(args) > 1 || len(args) == 1 && *r.json {
			return usageError{errors.New("say --html [FILE] or --json")}
		}
		return nil
	}
	c.RunE = func(_ *cobra.Command, args []string) error { return d.runReport(r, args) }
	return c
}

// runReport writes the report to the file of args, or to standard output.
func (d call) runReport(r reporting, args []string) error {
	policy, err := d.readPolicy(program.Flags{Config: *r.config})
	if err != nil {
		return err
	}
	made := d.newReport(r, policy)
	if *r.json {
		return d.printJSON(made)
	}
	html, err := made.HTML()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		_, err = d.stdout.Write(html)
		return err
	}
	return writeFile(args[0], *r.force, func(w io.Writer) error {
		_, err := w.Write(html)
		return err
	})
}

// newReport returns what there is to say of the host. What cannot be read is in its Problems.
func (d call) newReport(r reporting, policy *tenant.Policy) page.Report {
	now := time.Now().UTC().Truncate(time.Second)
	made := page.Report{
		Made: now, Since: now.Add(-r.since), Version: version.Long(), System: systemFacts(),
		PolicyFile: cmp.Or(*r.config, policyfile.Default), PolicyHash: policy.Hash(), Tenants: tenantsOf(policy), Problems: []string{},
	}
	made.Host, _ = os.Hostname() // a host without a name is not named
	made.Findings = d.hostOf(*r.config, *r.runner).Check(context.Background())
	log, err := d.logOf(policy, r.asking)
	made.Note(err)
	if log != nil {
		defer log.Close()
		made.Totals = history.Total(log, made.Since)
		made.Note(unreadError(log))
	}
	present, err := presentOf(policy, log, false)
	made.Note(err)
	made.Live = present.Jobs
	return made
}

// unreadError returns what could not be read of a log by the last answer.
func unreadError(log *reading.Log) error {
	err := log.Err()
	if n := log.Unread().Lines(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d lines of the audit log could not be read", n))
	}
	return err
}

// systemFacts returns which system this is.
func systemFacts() []page.Fact {
	return []page.Fact{{Name: "system", Value: distribution()}, {Name: "kernel", Value: kernel()}}
}

// tenantsOf returns the tenants of a policy, with their rules.
func tenantsOf(policy *tenant.Policy) []page.Tenant {
	var all []page.Tenant
	for _, t := range policy.Tenants() {
		all = append(all, page.Tenant{Name: string(t.Name), RunAs: t.RunAs, Rules: rulesOf(t), Gives: givesOf(t)})
	}
	return all
}

// rulesOf returns the rules of a tenant.
func rulesOf(t tenant.Tenant) []page.Fact {
	return []page.Fact{
		{Name: "audience", Value: t.Audience},
		{Name: "ID token", Value: t.IDToken},
		{Name: "projects", Value: patterns(t.Projects, "none")},
		{Name: "refs", Value: patterns(t.Refs, "any")},
		{Name: "ref types", Value: strings.Join(t.RefTypes, ", ")},
		{Name: "protected", Value: strconv.FormatBool(t.Protected)},
		{Name: "environments", Value: patterns(t.Environments, "any, and none")},
		{Name: "required", Value: strconv.FormatBool(t.Required)},
	}
}

// patterns returns patterns as a text.
func patterns(all []tenant.Pattern, none string) string {
	var texts []string
	for _, p := range all {
		texts = append(texts, p.String())
	}
	return cmp.Or(strings.Join(texts, ", "), none)
}

// givesOf returns what a tenant gives its jobs: the role of AWS, else only which provider it is.
func givesOf(t tenant.Tenant) []page.Fact {
	var all []page.Fact
	roles := map[string]string{}
	for _, g := range grant.All(t.Gifts) {
		roles[g.Name] = g.Role.String()
	}
	for _, g := range t.Gifts {
		all = append(all, page.Fact{Name: cmp.Or(g.Name, "its jobs"), Value: join(" ", g.Provider, roles[g.Name])})
	}
	return all
}
