package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/live"
	"rolecall/internal/program"
)

// handover says what jobs hand over to each other.
func (d call) handover() *cobra.Command {
	var a asking
	c := newCommand("handover", "list what jobs have handed over to later jobs, without the values", func() error { return d.runHandover(a) })
	c.Long = `handover lists what jobs have handed over to later jobs of their pipelines: the names of the values,
and never a value. What lies in the memory of this host is listed as it is; what lies in a bucket or
in Vault as the audit log of this host has it. What has expired is listed while its names are kept.`
	a = askingFlags(c)
	return c
}

// handedOver is the answer of handover.
type handedOver struct {
	Handed []live.Handed `json:"handed_over"`
	Log    *source       `json:"log,omitempty"` // nil: there is none

	now time.Time
}

// runHandover prints what jobs have handed over.
func (d call) runHandover(a asking) error {
	policy, err := d.readPolicy(program.Flags{Config: *a.config})
	if err != nil {
		return err
	}
	log, err := d.logOf(policy, a)
	if err != nil {
		return err
	}
	h := handedOver{Handed: []live.Handed{}, now: time.Now()}
	here, problems := live.HandedHere(live.Roots(policy.Settings().CredentialsDir))
	h.Handed = append(h.Handed, here...)
	if log != nil {
		defer log.Close()
		h.Handed = append(h.Handed, live.HandedFar(log, h.now)...)
		s := sourceOf(log)
		h.Log, problems = &s, errors.Join(problems, d.done(log, true))
	}
	return errors.Join(d.print(h, h.String(), *a.json), problems)
}

// String returns the answer for people.
func (h handedOver) String() string {
	text := ""
	for _, one := range h.Handed {
		text += h.text(one) + "\n"
	}
	if text == "" {
		text = "no job has handed over anything that is still kept\n"
	}
	if h.Log == nil {
		text += "the policy file names no audit_log: what lies in stores on other hosts is not known\n"
	}
	return text
}

// text returns what one job has handed over for people.
func (h handedOver) text(one live.Handed) string {
	var l labelled
	l.add("values", namesOf(one))
	l.add("job", strings.TrimSpace(one.Job+" "+one.JobID)+" of pipeline "+one.Pipeline+" of project "+one.Project)
	l.add("for", "jobs of tenant "+one.Tenant+", "+one.Class+" refs")
	size := ""
	if one.Bytes > 0 {
		size = fmt.Sprintf(", %d bytes", one.Bytes)
	}
	l.add("store", one.Store+size)
	l.add("since", fmt.Sprintf("%s, %s ago", clock(one.At), h.now.Sub(one.At).Round(time.Second)))
	verb := "until"
	if one.Spent || !one.Until.After(h.now) {
		verb = "expired"
	}
	l.add(verb, clock(one.Until))
	return l.String()
}

// namesOf returns the names of values, and which are secrets.
func namesOf(one live.Handed) string {
	var all []string
	for _, name := range one.Names {
		if slices.Contains(one.Secrets, name) {
			name += " (secret)"
		}
		all = append(all, name)
	}
	if one.More > 0 {
		all = append(all, fmt.Sprintf("and %d more", one.More))
	}
	if len(all) == 0 {
		return "none: they were taken back"
	}
	return strings.Join(all, ", ")
}
