package run

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/endpoint"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// lookTime is how often it is looked whether the tenant of a script that runs is suspended.
const lookTime = 500 * time.Millisecond

// refuse returns why a script of the user must not start, or get anything: its tenant is
// suspended. The runner's own scripts go on, and so does a job without a tenant.
func (r running) refuse() error {
	if !r.mayBeSuspended() {
		return nil
	}
	return r.Suspensions().Refuse(r.folder.Tenant())
}

// mayBeSuspended reports whether the script is one of the user, in a job with a tenant.
func (r running) mayBeSuspended() bool {
	return r.folder.Tenant() != "" && job.StageName(r.Args[1]).IsUserScript()
}

// execute runs the script in the clean environment, with an identity, and calls done when it
// has ended. If it is ended since its tenant is suspended, the error and the audit
// log say so.
func (r running) execute(clean []string, is identity, done func()) (backend.Result, error) {
	ctx, cancel := context.WithCancelCause(r.watching())
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel(nil)
	looking.Go(func() { r.endSuspended(ctx, cancel) })
	result, err := r.place.Run(ctx, r.folder.Record().Data, backend.Script{
		Path: r.Args[0], Stage: r.Args[1], Env: slices.Concat(clean, is.set), Unset: is.unset, Set: is.set, Files: is.files,
		Stdout: r.Stdout, Stderr: r.Stderr, Grace: grace, Ended: func() bool { return r.folder.Over() || suspendedBy(ctx) != nil }, Done: done,
	})
	if why := suspendedBy(ctx); why != nil {
		r.tell(audit.Withdrawn, func(e *audit.Event) {
			e.Fail(why)
			e.Stage, e.Allowed = r.Args[1], new(bool)
		})
		return result, why
	}
	return result, err
}

// endSuspended cancels a script as soon as its tenant is suspended and an admin wants scripts to
// end. It returns when ctx is done.
func (r running) endSuspended(ctx context.Context, cancel context.CancelCauseFunc) {
	if !r.mayBeSuspended() {
		return
	}
	for {
		if ends, why := r.Suspensions().Judge(r.folder.Tenant()); ends {
			cancel(why)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookTime):
		}
	}
}

// suspendedBy returns the error with which endSuspended has cancelled a context, or nil.
func suspendedBy(ctx context.Context) error {
	if why := context.Cause(ctx); fault.CodeOf(why) == fault.Suspended {
		return why
	}
	return nil
}

// suspended says why the script gets nothing now; empty: it gets what it should. The job log says
// so whenever the endpoint starts.
func (s *serving) suspended() string {
	why := s.whySuspended()
	if why != "" {
		s.Log.Warn("the job's credentials are not given to its script: " + why)
	}
	return why
}

// whySuspended does what suspended does, and says nothing in the job log.
func (s *serving) whySuspended() string {
	if err := s.refuse(); err != nil {
		return err.Error()
	}
	return ""
}

// tellSuspended tells the program whenever that changes, until ended is closed. Told is what it
// knows.
func (s *serving) tellSuspended(to io.Writer, told string, ended chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-time.After(lookTime):
		}
		why := s.whySuspended()
		if why == told {
			continue
		}
		if why == "" {
			s.Log.Info("the job's credentials are given to its script again")
		} else {
			s.Log.Warn("the job's credentials are not given to its script any more: " + why)
		}
		if send(to, endpoint.Answer{Suspended: &why}) != nil {
			return
		}
		told = why
	}
}
