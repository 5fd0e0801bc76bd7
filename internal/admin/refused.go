package admin

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rolecall/internal/admin/history"
)

// refused lists the jobs that got nothing.
func (d call) refused() *cobra.Command {
	var a asking
	var tenant *string
	since := 24 * time.Hour
	c := newCommand("refused", "list the jobs that were refused, and count them by rule", func() error { return d.runRefused(a, since, *tenant) })
	c.Long = `refused lists the decisions by which jobs got no credentials, the newest first, and counts them
by tenant, rule and code. A job that asks for no tenant runs without credentials: the audit log does
not tell it from one that was refused.`
	c.Example = "  rolecall refused --since 7d --tenant alpha"
	a = askingFlags(c)
	sinceFlag(c.Flags(), &since)
	tenant = c.Flags().String("tenant", "", "only jobs that this tenant refuses, by its `NAME`")
	return c
}

// sinceFlag defines the flag that says how far an answer goes back.
func sinceFlag(set *pflag.FlagSet, since *time.Duration) {
	set.Func("since", fmt.Sprintf("how far to look back: `DURATION`, such as 24h or 7d (default %s)", daysText(*since)), func(text string) (err error) {
		*since, err = parseAge(text)
		return err
	})
}

// daysText returns a duration in days, if it has several.
func daysText(age time.Duration) string {
	const day = 24 * time.Hour
	if age > day && age%day == 0 {
		return fmt.Sprintf("%dd", age/day)
	}
	return fmt.Sprintf("%dh", age/time.Hour)
}

// parseAge reads a duration, which may be in days.
func parseAge(text string) (time.Duration, error) {
	errAge := errors.New("want a duration above 0, such as 24h or 7d")
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n == 0 || n > 36500 {
			return 0, errAge
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	age, err := time.ParseDuration(text)
	if err != nil || age <= 0 {
		return 0, errAge
	}
	return age, nil
}

// rejected is the answer of refused.
type rejected struct {
	history.Refused

	Since time.Time `json:"since"`
	Log   source    `json:"log"`
}

// runRefused prints which jobs got nothing.
func (d call) runRefused(a asking, since time.Duration, tenant string) error {
	log, err := d.open(a)
	if err != nil {
		return err
	}
	defer log.Close()
	r := rejected{Since: time.Now().Add(-since).UTC().Truncate(time.Second)}
	r.Refused = history.RefusedSince(log, r.Since, tenant)
	r.Log = sourceOf(log)
	if err := d.print(r, r.String(), *a.json); err != nil {
		return err
	}
	return d.done(log, true)
}

// String returns the answer for people.
func (r rejected) String() string {
	var text strings.Builder
	const form = "%-11s  %-11s  %-24s  %-16s  %-11s  %s\n"
	if len(r.Refusals) > 0 {
		fmt.Fprintf(&text, form, "TIME", "JOB", "PROJECT", "REF", "TENANT", "RULE OR CODE")
	}
	for _, one := range r.Refusals {
		fmt.Fprintf(&text, form, short(one.Time), fit(one.ID, 11), fit(one.Project, 24), fit(one.Ref, 16), fit(one.Tenant, 11), fit(cmp.Or(one.Rule, one.Code), 13))
		text.WriteString(wrap(one.Reason, "    "))
	}
	if r.More > 0 {
		fmt.Fprintf(&text, "%d older ones are not shown\n", r.More)
	}
	text.WriteString(r.counts())
	return text.String() + r.Log.String() + "\n"
}

// counts returns how many jobs got nothing, by the reason.
func (r rejected) counts() string {
	total := len(r.Refusals) + r.More
	if total == 0 {
		return "no job was refused since " + clock(r.Since) + "\n"
	}
	return "\n" + countTable(r.Counts) + fmt.Sprintf("\n%d decisions since %s\n", total, clock(r.Since))
}

// countTable returns counts as a table.
func countTable(counts []history.Count) string {
	rows := [][]string{{"COUNT", "TENANT", "RULE", "CODE"}}
	for _, c := range counts {
		rows = append(rows, []string{strconv.Itoa(c.Jobs), fit(c.Tenant, 40), fit(c.Rule, 24), fit(c.Code, 6)})
	}
	return table(rows)
}
