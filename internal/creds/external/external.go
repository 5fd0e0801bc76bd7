// Package external is the provider of credentials that an admin's own program gives, the helper of a
// source: its keys in a policy file, and what is ordered of it.
package external

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/adminfile"
	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/source"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
)

// Name is the name of the provider.
const Name = "exec"

// Exec is the provider as policy files and admission know it. It starts no program.
type Exec struct{ source.Only }

// Name returns the provider's name.
func (Exec) Name() string { return Name }

// Remote is the provider for a program that serves jobs of other hosts. It knows the keys of policy
// files, and gives nothing.
type Remote struct{ Exec }

// Issue is an error: Order refuses each such job.
func (Remote) Issue(context.Context, creds.Order, idtoken.Token) (creds.Credential, error) {
	return creds.Credential{}, errors.New("a helper is a program of a runner's host")
}

// Terms are the terms of an order.
type Terms struct {
	Command []string      `json:"command"`
	Format  Format        `json:"format"`
	Input   string        `json:"input,omitempty"`
	Servers []string      `json:"servers,omitempty"`
	Sets    []string      `json:"sets"` // what an answer may bring
	Timeout time.Duration `json:"timeout"`
	Tenant  string        `json:"tenant"`
	Source  string        `json:"source"`
	Job     Job           `json:"job"`
}

// Job is what a helper is told of a job.
type Job struct {
	ID          string `json:"id"`
	Project     string `json:"project"` // its path
	Ref         string `json:"ref"`
	Protected   bool   `json:"protected"` // the ref is
	Environment string `json:"environment"`
	Pipeline    string `json:"pipeline"` // its id
}

// Order returns the order of a source. A helper that cannot be used is a fault.Admin.
func (Exec) Order(a admission.Asker) (creds.Order, error) {
	s, ok := a.Settings.(Settings)
	if !ok {
		return creds.Order{}, errors.New("the settings of the source are not those of a helper")
	}
	if a.Served {
		what := fmt.Sprintf("tenant %q: source %q is a program of a runner's host, for jobs of the driver only", a.Tenant, a.Source)
		return creds.Order{}, fault.New(fault.Refused, &tenant.Refusal{Tenant: a.Tenant, Rule: "source", What: what}, "ask for another source")
	}
	if err := CheckHelper(s.Command[0]); err != nil {
		return creds.Order{}, fmt.Errorf("source %q: %w", a.Source, err)
	}
	terms, _ := json.Marshal(s.terms(a)) // cannot fail: texts can always be encoded
	o := creds.Order{Provider: Name, Terms: terms, Sets: s.names()}
	if s.Format == AWS {
		o.For = "aws"
	}
	return o, nil
}

// terms returns the terms for a job.
func (s Settings) terms(a admission.Asker) Terms {
	return Terms{
		Command: s.Command, Format: s.Format, Input: s.Input, Servers: s.Servers, Sets: s.names(), Timeout: s.Timeout,
		Tenant: string(a.Tenant), Source: a.Source,
		Job: Job{
			ID: a.Response.ID.String(), Project: a.Response.ProjectPath, Pipeline: strconv.FormatInt(a.Response.Pipeline, 10),
			Ref: a.Claims.Ref, Protected: a.Claims.RefProtected == "true", Environment: a.Claims.Environment,
		},
	}
}

// CheckHelper returns a fault.BadSource unless the file at path is a program that only root and the
// driver's user can have made, with all folders and links on the way. Whoever else cannot put another
// one in its place between this check and its start either.
func CheckHelper(path string) error {
	if err := adminfile.CheckProgram(path); err != nil {
		return fault.New(fault.BadSource, fmt.Errorf("the helper cannot be used: %w", err), "")
	}
	return nil
}

// Facts of a credential, beside those of the audit log.
const (
	HelperFact    = "helper"
	VariablesFact = "variables"
	SaidFact      = "said" // lines that the helper has written to its standard error, without secrets
)

// Report returns which helper has given which variables, and what it has said.
func (Exec) Report(facts creds.Facts) creds.Report {
	r := creds.Report{Rows: []creds.Row{{Label: "helper", Value: facts.Get(HelperFact)}, {Label: "sets", Value: facts.Get(VariablesFact)}}}
	for line := range strings.SplitSeq(facts.Get(SaidFact), "\n") {
		if line != "" {
			r.Notes = append(r.Notes, "The helper says: "+line)
		}
	}
	return r
}
