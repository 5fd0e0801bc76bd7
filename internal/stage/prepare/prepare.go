// Package prepare is the stage that gets a job its credentials.
package prepare

import (
	"context"
	"errors"
	"os/signal"
	"sync"
	"syscall"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/program"
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

// maskTokens masks the ID tokens of the job in the error that the stage ends with.
func maskTokens(c *program.Call) error {
	response, err := job.ReadResponse(c.Env.ResponseFile)
	if err != nil {
		return nil //nolint:nilerr // the stage has failed before it read a token
	}
	var tokens []mask.Named
	for _, token := range tokensOf(c, response) {
		tokens = append(tokens, mask.Named{Kind: tokenKind, Value: token.Raw})
	}
	return c.Mask(tokens...)
}

// voiceOf returns how errors are spoken of. Masked masks the tokens of the job.
func voiceOf(c *program.Call, masked func() error) session.Voice {
	return session.Voice{Warn: c.Warn, Mask: func(text string) string {
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
	if err := admit(c, parts, s, response, root); err != nil {
		if told := s.Failed(err); fault.CodeOf(told) != fault.CodeOf(err) {
			c.Warn(told)
		}
		return err
	}
	return nil
}

// admit gives a job its folder below root, and its credentials.
func admit(c *program.Call, parts Parts, s *session.Session, response job.Response, root string) error {
	hasOwn := s.Grant.Tenant != tenant.None || !c.NoPolicy
	record, err := newRecord(response, s, parts.Backends[0], folders{root, c.Env.Request.TempProjectDir(), hasOwn})
	if err != nil {
		return err
	}
	folder, err := state.Create(root, response.Key, record, c.Env.Request.TempProjectDir())
	if err != nil {
		return err
	}
	defer folder.Close()
	c.Warn(folder.Before().Tell(audit.Removed, name, nil))
	return serve(c, parts, s, folder, response)
}

// serve furnishes the job's own folder, and gets the credentials of a job with a tenant. If
// that fails, it removes all of the job.
func serve(c *program.Call, parts Parts, s *session.Session, folder *state.Folder, response job.Response) error {
	err, k := furnish(c, parts, s.Grant.Tenant, folder), newKeeper(c, s.Token, folder, response)
	switch {
	case err == nil && s.Grant.Tenant != tenant.None:
		err = issue(c, parts, s, k)
	case err == nil:
		c.Warn(k.enter(nil)) // nothing is given to the job
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, state.Remove(folder.Root(), response.Key))
}

// furnish hands the job's own folder over, if the job has one.
func furnish(c *program.Call, parts Parts, of tenant.Name, folder *state.Folder) error {
	if folder.OwnDir() == "" {
		return nil
	}
	return parts.Backends[0].Furnish(folder.Record().Data, folder.OwnDir(), parts.toolFiles(of), c.Env.Service)
}

// issue gets the job's credentials, writes them to its folder and reports them in the
// job log.
func issue(c *program.Call, parts Parts, s *session.Session, k keeper) error {
	if err := parts.unsetIgnored(c.Env.Service); err != nil {
		return err
	}
	issued, err := s.Issue(context.Background(), parts.issuers(), k.keep)
	if err != nil {
		return err
	}
	return parts.report(c.Stdout, k.folder, issued, state.OnTmpfs(k.folder.Root()))
}
