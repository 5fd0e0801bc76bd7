// Package revocation revokes what servers have given to jobs that have ended. It is a program of
// its own: the stages that end jobs speak to no network.
package revocation

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/journal"
	"rolecall/internal/process"
	"rolecall/internal/program"
	"rolecall/internal/state"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// allTime bounds how long the program may take for all jobs that have ended. What is left by then
// is for the next time.
const allTime = 4 * time.Minute

// Revoker is a provider whose credentials can be revoked.
type Revoker interface {
	// Name returns the provider's name, such as vault.
	Name() string
	// Revoke revokes what was issued, by the terms of its creds.Handle. That it is revoked
	// already is no error. Errors contain no secret and quote no server.
	Revoke(ctx context.Context, terms []byte) error
}

// Parts are the providers that the program works with.
type Parts struct {
	Revokers  []Revoker
	Providers []policyfile.Provider // their keys may be in a policy file

	// Journal gets the errors too; the zero Log gets none. Main sets it.
	Journal journal.Log
}

// Main runs the program as the main function of the process and exits.
func (p Parts) Main() {
	p.Journal = journal.OfHost()
	process.Exit(p.Serve)
}

// Serve revokes what is held: with the argument OfJob that of the job that the Order on in names,
// else that of all jobs which have ended. With --version as the only argument it prints its
// version instead. The environment names proxies and CAs only. It returns the exit code: 1 if a
// credential of an ended job could not be revoked; what an Answer says is no error.
func (p Parts) Serve(args, _ []string, in io.Reader, out, stderr io.Writer) (code int) {
	var err error
	switch {
	case slices.Equal(args, []string{"--version"}):
		_, err = fmt.Fprintf(out, "rolecall revoke %s\n", version.Long())
	case slices.Equal(args, []string{OfJob}):
		err = p.serveJob(in, out)
	default:
		err = p.serveAll(args, out, stderr)
	}
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "rolecall: error: %v\n", err) // there is nobody else to tell
	p.Journal.Write(journal.Line{Priority: journal.Error, Message: err.Error(), Code: string(fault.CodeOf(err))})
	return 1
}

// serveJob revokes what is held of the job of an order, and answers what is left.
func (p Parts) serveJob(in io.Reader, out io.Writer) error {
	var o Order
	if err := json.NewDecoder(in).Decode(&o); err != nil || o.ID == 0 {
		return errors.New("the standard input is no order of a stage of rolecall")
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime-time.Second)
	defer cancel()
	var answer Answer
	err := state.Revoke(ctx, o.Root, job.Key{ID: o.ID, Proof: o.Proof}, func(ctx context.Context, h state.Held) error {
		err := p.revoke(ctx, h)
		if err != nil {
			answer.Left = append(answer.Left, Left{nameOf(h), h.Handle.Until, err.Error()})
		}
		return err
	})
	if err != nil {
		answer.Problem = err.Error()
	}
	return json.NewEncoder(out).Encode(answer)
}

// serveAll revokes what is held of all jobs that have ended, and writes a line to out for each.
func (p Parts) serveAll(args []string, out, help io.Writer) error {
	all, problems := program.ForAllJobs(Program, args, help, p.Providers...)
	ctx, cancel := context.WithTimeout(context.Background(), allTime)
	defer cancel()
	for _, root := range all.Roots {
		problems = errors.Join(problems, state.Revoke(ctx, root, job.Key{}, func(ctx context.Context, h state.Held) error {
			err := p.revoke(ctx, h)
			if err == nil {
				_, err := fmt.Fprintf(out, "revoked the credential %s of job %s\n", nameOf(h), h.ID)
				problems = errors.Join(problems, err)
				return nil
			}
			problems = errors.Join(problems, Answer{Left: []Left{{nameOf(h), h.Handle.Until, err.Error()}}}.err(h.ID))
			return err
		}))
	}
	return problems
}

// revokeTime bounds how long one server may take.
const revokeTime = 8 * time.Second

// revoke revokes a credential, and tells the audit log of that: of a failure only the first time.
func (p Parts) revoke(ctx context.Context, h state.Held) error {
	ctx, cancel := context.WithTimeout(ctx, revokeTime)
	defer cancel()
	err := p.ask(ctx, h)
	kind := audit.Revoked
	if err != nil {
		kind = audit.RevokeFailed
	}
	if err != nil && h.Failed {
		return err
	}
	told := h.Trail.Tell(kind, Program, func(e *audit.Event) {
		e.Provider, e.Source, e.Expiration = h.Handle.Provider, h.Handle.Name, h.Handle.Until
		e.Fail(err)
	})
	if told != nil {
		p.Journal.Write(journal.Line{Priority: journal.Warning, Message: told.Error(), Code: string(fault.CodeOf(told))})
	}
	return err
}

// ask asks the provider of a credential to revoke it.
func (p Parts) ask(ctx context.Context, h state.Held) error {
	for _, r := range p.Revokers {
		if r.Name() == h.Handle.Provider {
			return r.Revoke(ctx, []byte(h.Handle.Terms.Reveal()))
		}
	}
	return fault.New(fault.Programs, errors.New("this program does not know the provider "+h.Handle.Provider), "install all programs of one version of rolecall")
}

// nameOf names a credential in messages.
func nameOf(h state.Held) string {
	return creds.Credential{Provider: h.Handle.Provider, Name: h.Handle.Name}.String()
}
