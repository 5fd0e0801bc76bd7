// Package prepare is the stage that gets a job its credentials.
package prepare

import (
	"context"
	"errors"
	"os/signal"
	"syscall"

	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/program"
	"rolecall/internal/session"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
)

// New returns the stage as a program. It decides which tenant the job is, gets that
// tenant's credentials and writes the env file. A job of no tenant gets a record only,
// which the run stage asks for. Where it fails nothing is left behind. A signal ends it
// at once: the credentials are the last thing that it writes, and the runner calls
// cleanup.
func New(parts Parts) program.Program {
	return program.Program{
		Name: "prepare",
		Does: "decides which tenant the job is, and gets it credentials of that tenant",
		Run:  func(c *program.Call) error { return run(c, parts) },
	}
}

// run runs the stage.
func run(c *program.Call, parts Parts) error {
	signal.Ignore(syscall.SIGPIPE) // a report that nobody reads is an error like any other
	place := parts.Backends[0]
	place.Ready()
	response, err := job.ReadResponse(c.Env.ResponseFile)
	if err != nil {
		return err
	}
	root, err := state.Root(c.Env.Store)
	if err != nil {
		return err
	}
	admitted, err := newCase(c, parts, response, root)
	if err != nil {
		return err
	}
	s, err := session.Open(admitted, func(err error) { c.Log.Warn(err) })
	if err != nil {
		return err
	}
	record, err := newRecord(response, s.Decision, place, c.Env.Request.TempProjectDir())
	if err != nil {
		return err
	}
	folder, err := state.Create(root, response.Key, record, c.Env.Request.TempProjectDir())
	if err != nil {
		return err
	}
	defer folder.Close()
	if s.Grant.Tenant == tenant.None {
		return nil
	}
	if err := serve(c, parts, s, folder); err != nil {
		// An error may hold words of others; the report holds none, so only this pays for a mask.
		return errors.Join(err, state.Remove(root, response.Key), c.Mask(mask.Named{Kind: "ID token", Value: s.Token.Raw}))
	}
	return nil
}

// serve gets the job its credentials and says so.
func serve(c *program.Call, parts Parts, s *session.Session, folder *state.Folder) error {
	if err := parts.unset(c.Env.Service); err != nil {
		return err
	}
	issued, err := s.Issue(context.Background(), parts.issuers(), folder.Write)
	if err != nil {
		return err
	}
	return parts.report(c.Stdout, folder, issued, state.OnTmpfs(folder.Root()))
}
