package coordinator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The states of a job, which are also the words of GitLab's Job-Status header.
const (
	statusPending   = "pending"
	statusRunning   = "running"
	statusCanceling = "canceling"
	statusCanceled  = "canceled"
	statusSuccess   = "success"
	statusFailed    = "failed"
)

// Run is an enqueued job and what the runner reported of it.
type Run struct {
	server      *Server
	id          int64
	runnerToken string
	token       string
	job         Job

	// The server's lock guards what follows.
	status         string
	queued, picked time.Time
	idTokens       map[string]string
	payload        []byte
	log            []byte
	uploads        []Upload
	ended          bool
	result         Result
}

// Result is how a job ended.
type Result struct {
	State         string // "success", "failed" or "canceled"
	FailureReason string // the runner's own, such as "script_failure"
	ExitCode      int
	Waited        time.Duration // from Enqueue until a runner took the job
	Took          time.Duration // from then until the runner reported the end
}

// ID is the job's id.
func (r *Run) ID() int64 { return r.id }

// JobToken is the job's CI_JOB_TOKEN.
func (r *Run) JobToken() string { return r.token }

// IDToken is the token that was signed for a variable of the job's IDTokens, or "" when no
// runner has taken the job yet.
func (r *Run) IDToken(variable string) string {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return r.idTokens[variable]
}

// Payload is the JSON that the runner got, or nil when none has taken the job yet.
func (r *Run) Payload() []byte {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return r.payload
}

// Log is what has arrived of the job's log, as the runner sent it.
func (r *Run) Log() string {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return string(r.log)
}

// Artifacts are the files that the runner has uploaded, in order.
func (r *Run) Artifacts() []Upload {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return slices.Clone(r.uploads)
}

// Wait waits until the runner reports the job's end, also of a canceled job. The runner
// reports it after its clean-up stage.
func (r *Run) Wait(ctx context.Context) (Result, error) {
	if err := r.server.wait(ctx, func() bool { return r.ended }); err != nil {
		return Result{}, fmt.Errorf("waiting for job %d, which is %s: %w", r.id, r.state(), err)
	}
	return r.result, nil
}

// WaitLog waits until the log, as Text is, contains what. A runner sends the first part of a log three
// seconds after it took the job, then every second.
func (r *Run) WaitLog(ctx context.Context, what string) error {
	var found bool
	err := r.server.wait(ctx, func() bool {
		found = strings.Contains(text(string(r.log)), what)
		return found || r.ended
	})
	if err == nil && !found {
		err = fmt.Errorf("the job ended as %s", r.state())
	}
	if err != nil {
		return fmt.Errorf("waiting for %q in the log of job %d: %w", what, r.id, err)
	}
	return nil
}

// WaitPicked waits until a runner has taken the job.
func (r *Run) WaitPicked(ctx context.Context) error {
	return r.server.wait(ctx, func() bool { return r.status != statusPending })
}

// Cancel cancels the job as the button in GitLab does: the runner stops the script, and still
// runs after_script. The runner learns of it when it next sends a piece of the log, so a
// script that prints nothing goes on for half a minute.
func (r *Run) Cancel() { r.stop(statusCanceling) }

// Abort cancels the job as the button "force cancel" does: no further stage runs but the
// executor's own clean-up. The runner learns of it as with Cancel.
func (r *Run) Abort() { r.stop(statusCanceled) }

func (r *Run) stop(status string) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if r.ended {
		return
	}
	if r.status == statusPending {
		r.server.queue = slices.DeleteFunc(r.server.queue, func(q *Run) bool { return q == r })
		r.picked = time.Now()
		r.finish(Result{State: statusCanceled})
		return
	}
	r.status = status
	r.server.broadcast()
}

func (r *Run) state() string {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return r.status
}

// finish needs the lock.
func (r *Run) finish(result Result) {
	if r.status == statusCanceling || r.status == statusCanceled {
		result.State = statusCanceled
	}
	result.Waited = r.picked.Sub(r.queued)
	result.Took = time.Since(r.picked)
	r.status, r.result, r.ended = result.State, result, true
	r.server.broadcast()
}
