// Package prepare is the stage that gets a job its credentials.
package prepare

import (
	"context"
	"errors"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/image"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/process"
	"rolecall/internal/program"
	"rolecall/internal/revocation"
	"rolecall/internal/session"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
)

// name is the name of the stage, and of its program.
const name = "prepare"

// New returns the stage as a program. It decides which tenant the job is, gets that
// tenant's credentials and writes the env file. A job without a tenant gets only the
// record that the run stage needs. If the stage fails, it leaves nothing behind. A
// signal ends it at once: it writes the credentials last, and the runner starts cleanup.
func New(parts Parts) program.Program {
	return program.Program{
		Name: name,
		Does: "decides which tenant the job is, and gets it credentials of that tenant",
		Run: func(c *program.Call) error {
			// Only errors can quote text that is not ours, and building a mask is slow.
			masked := sync.OnceValue(func() error { return maskTokens(c) })
			err := run(c, parts, masked)
			if err == nil {
				return nil
			}
			return errors.Join(err, masked())
		},
		Tried: true,
	}
}

// maskTokens masks the ID tokens of the job, and its passwords for registries, in the error
// that the stage ends with.
func maskTokens(c *program.Call) error {
	response, err := job.ReadResponse(c.Env.ResponseFile)
	if err != nil {
		return nil //nolint:nilerr // the stage has failed before it read a token
	}
	var tokens []mask.Named
	for _, token := range tokensOf(c, response) {
		tokens = append(tokens, mask.Named{Kind: tokenKind, Value: token.Raw})
	}
	for _, login := range response.Logins {
		tokens = append(tokens, image.LoginSecrets(login.Username, login.Password)...)
	}
	return c.Mask(append(tokens, image.ConfigSecrets(c.Env.Request[image.AuthConfig])...)...)
}

// voiceOf returns how errors are spoken of. Masked masks the tokens of the job.
func voiceOf(c *program.Call, masked func() error) session.Voice {
	return session.Voice{Program: "prepare", Warn: c.Warn, Mask: func(text string) string {
		if masked() != nil {
			return "" // the stage ends with that error, too
		}
		return c.Masked(text)
	}}
}

// run decides about the job, and gives an admitted job its place and its credentials.
func run(c *program.Call, parts Parts, masked func() error) error {
	signal.Ignore(syscall.SIGPIPE) // a write that nobody reads is then an error, and does not end the process
	parts.Backends[0].Ready()
	response, err := job.ReadResponse(c.Env.ResponseFile)
	if err != nil {
		return err
	}
	root, err := state.Root(c.Env.Store, c.Warn)
	if err != nil {
		return err
	}
	decided, err := newCase(c, parts, response, root)
	if err != nil {
		return err
	}
	s, err := session.Open(decided, voiceOf(c, masked))
	if err != nil {
		return err
	}
	c.For(string(s.Grant.Tenant))
	for _, note := range s.Notes { // folded here; the script stage shows them again
		c.Log.Info(note.Text)
	}
	a := admitted{Call: c, parts: parts, s: s, key: response.Key, masked: masked}
	if err := a.admit(response, root); err != nil {
		if told := s.Failed(err); fault.CodeOf(told) != fault.CodeOf(err) {
			c.Warn(told)
		}
		return err
	}
	return nil
}

// admitted is a job that gets a place and a folder.
type admitted struct {
	*program.Call
	parts  Parts
	s      *session.Session
	key    job.Key
	masked func() error // masks the tokens and passwords of the job

	place      Backend       // nil until admit
	noHandover string        // why the job hands over no values; empty: it does
	folder     *state.Folder // nil until admit
}

// admit gives the job its folder below root, and its credentials.
func (a admitted) admit(response job.Response, root string) error {
	hasOwn := a.s.Grant.Tenant != tenant.None || !a.NoPolicy
	spec := newSpec(response, a.s, root, a.Env.Request.TempProjectDir())
	var err error
	if a.place, err = a.parts.backendFor(spec); err != nil {
		return err
	}
	record, err := newRecord(a.s, a.place, spec, hasOwn)
	if err != nil {
		return err
	}
	if err = state.Clear(root, a.key, a.tellRemoved); err != nil {
		return err
	}
	record.Handover, a.noHandover = handoverOf(a.s, response.Name, a.parts.Providers)
	if a.folder, err = state.Create(root, a.key, record, spec.TempProject); err != nil {
		return err
	}
	defer a.folder.Close()
	return a.serve(spec, newKeeper(a.Call, a.s.Token, a.s.Orders, a.folder, response))
}

// tellRemoved tells of an earlier try at the job that was dead.
func (a admitted) tellRemoved(dead state.Ended, _ error) {
	a.Warn(dead.Tell(audit.Removed, name, nil))
}

// serve furnishes the job's own folder, builds its place, and gets the credentials of a job
// with a tenant. If that fails, it removes all of the job.
func (a admitted) serve(spec backend.Spec, k keeper) error {
	err := a.furnish()
	if err == nil {
		err = a.build(spec)
	}
	switch {
	case err == nil && a.s.Grant.Tenant != tenant.None:
		err = a.issue(k)
	case err == nil:
		a.Warn(k.enter(nil)) // nothing is given to the job
		_, _, err = a.take(nil)
	}
	if err == nil {
		return nil
	}
	a.Warn(revocation.Ask(context.Background(), a.folder.Root(), a.key, a.Env.Service))
	_, left := state.Finish(context.Background(), a.folder.Root(), a.key, backend.Reap([]Backend{a.place}), nil)
	return errors.Join(err, left)
}

// furnish hands the job's own folder over, if the job has one.
func (a admitted) furnish() error {
	if a.folder.OwnDir() == "" {
		return nil
	}
	return a.place.Furnish(a.folder.Record().Data, a.folder.OwnDir(), a.parts.toolFiles(a.s.Grant.Tenant, a.s.Orders), a.Env.Service)
}

// issue gets the job's credentials, writes them to its folder and reports them in the
// job log.
func (a admitted) issue(k keeper) error {
	if err := a.Suspensions().Refuse(string(a.s.Grant.Tenant)); err != nil { // since it was decided, images were pulled
		return err
	}
	if err := process.Unset(a.Env.Service, a.parts.ignore); err != nil {
		return err
	}
	if err := a.folder.Quota().Take(a.folder.Root(), len(a.s.Orders)); err != nil {
		return err
	}
	a.s.Hold, a.s.Service = a.folder.Hold, a.Env.Service
	issued, err := a.s.Issue(context.Background(), a.parts.issuers(), func(set creds.Set) error { return a.keep(k, set) })
	if err != nil {
		return err
	}
	return a.parts.report(a.Stdout, a.folder, issued, state.OnTmpfs(a.folder.Root()))
}

// keep gives the job what was issued, and what earlier jobs have handed over to it.
func (a admitted) keep(k keeper, set creds.Set) error {
	taken, has, err := a.take(set)
	switch {
	case err != nil:
		return err
	case !has:
		return k.keep(set, set)
	}
	return k.keep(set, append(slices.Clone(set), taken))
}
