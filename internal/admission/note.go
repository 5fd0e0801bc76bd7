package admission

import (
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// Note is something that the author of a job must know, although the job is not refused.
type Note struct {
	Text string // one line; what the job has chosen is in quotes
	Warn bool   // the job may not do what its author expects
}

// notes returns what the author of a job that is not refused must know.
func (c Case) notes(d Decision) []Note {
	var notes []Note
	if d.Grant.Unserved != nil {
		notes = append(notes, Note{Text: "this job has no tenant and no credentials: " + oneLine(d.Grant.Unserved)})
	}
	if unused := c.containers(); unused != "" && d.Settings.Containers.Engine.Name == "" {
		notes = append(notes, Note{"this runner has no containers and does not use " + unused + ": scripts run on its host", true})
	}
	if c.Response.Steps {
		notes = append(notes, Note{"this job has run: and no script:, so GitLab Runner starts the program step-runner; where it is not installed, use script:", true})
	}
	for _, text := range d.Asked.Warnings {
		notes = append(notes, Note{text, true})
	}
	for _, o := range d.Orders {
		for _, text := range o.Notes {
			notes = append(notes, Note{text, true})
		}
	}
	return notes
}

// oneLine returns a refusal with what is known of the case.
func oneLine(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*fault.Error](err); ok {
		text = e.What.Error()
	}
	var known []string
	for _, row := range fault.Rows(err) {
		known = append(known, row.Text)
	}
	if len(known) > 0 {
		text += " (" + strings.Join(known, "; ") + ")"
	}
	return text
}

// containers names what of .gitlab-ci.yml needs containers, or returns nothing.
func (c Case) containers() string {
	var parts []string
	if c.Response.Image.Name != "" {
		parts = append(parts, "image: "+tenant.Quote(c.Response.Image.Name))
	}
	if len(c.Response.Services) > 0 {
		parts = append(parts, "services: "+c.services())
	}
	return strings.Join(parts, " and ")
}

// maxServices bounds how many services a message names.
const maxServices = 5

// services names the services of the job.
func (c Case) services() string {
	all := c.Response.Services
	text := ""
	for i, one := range all[:min(len(all), maxServices)] {
		if i > 0 {
			text += ", "
		}
		text += tenant.Quote(one.Name)
	}
	if more := len(all) - maxServices; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// checkSteps refuses a job with steps of GitLab, unless the policy file allows them: the
// runner makes them one script, which starts a program that few hosts have.
//
// https://docs.gitlab.com/ci/steps/
func (c Case) checkSteps(s tenant.Settings) error {
	if !c.Response.Steps || s.AllowSteps {
		return nil
	}
	return fault.New(fault.Steps, errors.New("this runner does not run steps, and the job has run: in the place of script:"), //nolint:staticcheck // the name of a key of .gitlab-ci.yml ends with a colon
		"write script: in the place of run:, or choose another runner by its tags")
}

// checkServices refuses a job with services if the policy file says so.
func (c Case) checkServices(s tenant.Settings) error {
	if !s.RefuseServices || len(c.Response.Services) == 0 {
		return nil
	}
	return fault.New(fault.UnusedServices, errors.New("this runner starts no services, and the job has some"),
		"remove services: from the job, or choose a runner with containers by its tags").With("services", c.services())
}
