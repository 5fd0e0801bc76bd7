package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"

	"rolecall/internal/audit"
	"rolecall/internal/suspension"
	"rolecall/internal/tenant"
)

// resume ends a suspension.
func (d call) resume() *cobra.Command {
	c := d.suspendCommand("resume", "end the suspension of a tenant", new(suspending), d.runResume)
	c.Long = `resume ends the suspension of a tenant, or with --all the one of all tenants. Tenants that were
suspended by their names stay so.`
	c.Flags().Lookup("all").Usage = "end the suspension that suspend --all has begun"
	return c
}

// runResume ends a suspension. The audit log has the line before anybody gets anything.
func (d call) runResume(s suspending) error {
	policy, err := d.readPolicy(s.Flags)
	if err != nil {
		return fmt.Errorf("nothing is resumed, since the policy file names the audit log: %w", err)
	}
	var left suspension.List
	err = s.Suspensions().ChangeAfter(func(l suspension.List) (suspension.List, error) {
		if left = l.Without(s.tenant); len(left) == len(l) {
			return nil, fmt.Errorf("there is no suspension of %s", s.named())
		}
		return left, nil
	}, func() error {
		return tellSuspended(policy, audit.Resumed, suspension.Suspension{Tenant: s.tenant, All: s.all, By: d.admin()})
	})
	if err != nil {
		return fmt.Errorf("nothing is resumed: %w", err)
	}
	return d.printSuspended(s, "the suspension of "+s.named()+" has ended", left)
}

// named names what is suspended.
func (s suspending) named() string {
	if s.all {
		return "all tenants"
	}
	return fmt.Sprintf("tenant %q", s.tenant)
}

// suspended is what the commands print.
type suspended struct {
	File      string          `json:"file"`
	Suspended suspension.List `json:"suspended"`
}

// printSuspended prints what was done, and all suspensions that hold now.
func (d call) printSuspended(s suspending, done string, all suspension.List) error {
	text := done + "\n"
	if len(all) > 0 {
		text += "\n" + suspendedTable(all)
	}
	return d.print(suspended{s.Suspensions().Path, all}, text, s.asJSON)
}

// suspendedTable returns suspensions as a table.
func suspendedTable(all suspension.List) string {
	rows := [][]string{{"SUSPENDED", "SINCE", "UNTIL", "SCRIPTS", "BY", "REASON"}}
	for _, s := range all {
		until, scripts, name := "rolecall resume", "go on", s.Tenant
		if !s.Until.IsZero() {
			until = s.Until.UTC().Format(time.RFC3339)
		}
		if s.Now {
			scripts = "are ended"
		}
		if s.All {
			name = "--all"
		}
		rows = append(rows, []string{name, s.Since.UTC().Format(time.RFC3339), until, scripts, s.By, s.Reason})
	}
	return table(rows)
}

// known fails if a policy file does not have the tenant: a mistake in a name must not look like a
// suspension. It names those that may be meant.
func (s suspending) known(policy *tenant.Policy) error {
	if policy == nil || s.all || s.force {
		return nil
	}
	if _, err := find(policy, s.tenant); err == nil {
		return nil
	}
	what := fmt.Sprintf("nothing is suspended: the policy file has no tenant %q", s.tenant)
	if near := nearest(policy, s.tenant); len(near) > 0 {
		what += "; do you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(what + "; --force suspends it all the same")
}

// mostNear bounds how many names are shown.
const mostNear = 3

// nearest returns the names of tenants that are like a name, the nearest first.
func nearest(policy *tenant.Policy, name string) []string {
	var all []string
	far := func(other string) int { return levenshtein.Distance(name, other, nil) }
	for _, t := range policy.Tenants() {
		if other := string(t.Name); far(other) <= max(2, len(name)/3) || strings.Contains(other, name) {
			all = append(all, other)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return far(a) - far(b) })
	return all[:min(len(all), mostNear)]
}
