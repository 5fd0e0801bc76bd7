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

// Run is an enqueued job, with the reports of its runner.
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

// ID returns the job's id.
func (r *Run) ID() int64 { return r.id }

// JobToken returns the job's CI_JOB_TOKEN.
func (r *Run) JobToken() string { return r.token }

// IDToken returns the token for a variable of the job's IDTokens, and "" if no runner
// has taken the job yet.
func (r *Run) IDToken(variable string) string {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return r.idTokens[variable]
}

// Payload returns the JSON that the runner has received, and nil if no runner has taken
// the job yet.
func (r *Run) Payload() []byte {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return r.payload
}

// Log returns the job's log so far, as the runner has sent it.
func (r *Run) Log() string {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return string(r.log)
}

// Artifacts returns the files that the runner has uploaded, in order.
func (r *Run) Artifacts() []Upload {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return slices.Clone(r.uploads)
}

// Wait waits until the runner reports the job's end. It does so after its clean-up
// stage, also for a canceled job.
func (r *Run) Wait(ctx context.Context) (Result, error) {
	if err := r.server.wait(ctx, func() bool { return r.ended }); err != nil {
		return Result{}, fmt.Errorf("waiting for job %d, which is %s: %w", r.id, r.state(), err)
	}
	return r.result, nil
}

// WaitLog waits until the log, in the form of Text, contains what. A runner sends the
// first part of a log three seconds after it has taken the job, and then one part a
// second.
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

// Cancel cancels the job as GitLab's button does: the runner stops the script, and
// still runs after_script. The runner sees it when it sends the next piece of the log,
// so a script that prints nothing continues for half a minute.
func (r *Run) Cancel() { r.stop(statusCanceling) }

// Abort cancels the job as GitLab's button "force cancel" does: only the executor's
// cleanup stage still runs. The runner sees it as with Cancel.
func (r *Run) Abort() { r.stop(statusCanceled) }

// stop sets the status that tells the runner to cancel the job. If no runner has taken
// the job, stop removes it from the queue and ends it.
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

// state returns the job's state.
func (r *Run) state() string {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return r.status
}

// finish sets the result of the job. The caller must hold the lock.
func (r *Run) finish(result Result) {
	if r.status == statusCanceling || r.status == statusCanceled {
		result.State = statusCanceled
	}
	result.Waited = r.picked.Sub(r.queued)
	result.Took = time.Since(r.picked)
	r.status, r.result, r.ended = result.State, result, true
	r.server.broadcast()
}
