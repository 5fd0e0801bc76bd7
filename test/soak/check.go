package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rolecall/test/fakests"
)

// report is what the jobs have shown.
type report struct {
	tasks    []*task
	issued   map[string][]fakests.Request // by job
	problems []string
}

// issued returns what STS has issued, by the job that the session is named after.
func (w *world) issued() map[string][]fakests.Request {
	all := make(map[string][]fakests.Request)
	for _, request := range w.sts.Requests() {
		session := request.Form.Get("RoleSessionName")
		id := session[strings.LastIndexByte(session, '-')+1:]
		all[id] = append(all[id], request)
	}
	return all
}

// check looks at each job.
func (r *report) check(seen int) {
	for _, t := range r.tasks {
		for _, problem := range r.look(t) {
			r.problems = append(r.problems, fmt.Sprintf("job %d (%s, %s): %s", t.run.ID(), t.kind, t.tenant, problem))
		}
	}
	if seen == 0 {
		r.problems = append(r.problems, "no process that a job leaves was ever seen: the search for them is broken")
	}
}

// look returns what is wrong with a job.
func (r *report) look(t *task) []string {
	problems := r.lookAtLog(t, t.run.Text())
	state, reason := t.want()
	if t.result.State != state || t.result.FailureReason != reason && state == "failed" || t.kind == fails && t.result.ExitCode != t.code {
		problems = append(problems, fmt.Sprintf("it ended as %+v, want %s %s %d; its log ends:\n%s", t.result, state, reason, t.code, tail(t.run.Text())))
	}
	requests := r.issued[fmt.Sprint(t.run.ID())]
	for _, request := range requests {
		if request.Form.Get("RoleArn") != roleARN(t.tenant) {
			problems = append(problems, "STS gave it "+request.Form.Get("RoleArn"))
		}
	}
	if (t.kind == refused || t.kind == compared) != (len(requests) == 0) && t.kind != cancelled && t.kind != aborted {
		problems = append(problems, fmt.Sprintf("it asked STS %d times", len(requests)))
	}
	uploads := t.run.Artifacts()
	if (t.kind == files) != (len(uploads) == 1) {
		return append(problems, fmt.Sprintf("it has %d uploads", len(uploads)))
	}
	for _, upload := range uploads {
		got, err := upload.Files()
		if want := fmt.Sprintf("%s %d\n", t.tenant, t.run.ID()); err != nil || string(got["result.txt"]) != want || len(got) != 1 {
			problems = append(problems, fmt.Sprintf("its archive holds %q, %v", got, err))
		}
	}
	return problems
}

// want is how a job must end. A prepare that is killed is tried again by the runner.
func (t *task) want() (state, reason string) {
	switch {
	case t.kind == fails, t.kind == leaks, t.kind == refused:
		return "failed", "script_failure"
	case t.kind == cancelled, t.kind == aborted:
		return "canceled", ""
	case t.kind == killRun && t.killed:
		return "failed", "runner_system_failure"
	}
	return "success", ""
}

// What jobs print of themselves.
var (
	identity = regexp.MustCompile(`(?m)^identity tenant=(\S*) job=(\S*) token=(\S*)$`)
	anyHash  = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	shared   = regexp.MustCompile(`(?m)^SHARED.*$`)
	moments  = regexp.MustCompile(`(?m)^(?:began|ended) (\d+)$`)
)

// lookAtLog returns what a log shows that it must not: another identity, or company.
func (r *report) lookAtLog(t *task, log string) (problems []string) {
	own := make(map[string]bool)
	for _, request := range r.issued[fmt.Sprint(t.run.ID())] {
		own[hash(request.Issued.SessionToken)] = true
	}
	if t.kind == compared {
		own[hash("")] = true
	}
	tokens := r.tokens()
	for _, h := range anyHash.FindAllString(log, -1) { // those of an image or a container are nobody's
		if tokens[h] && !own[h] {
			problems = append(problems, "its log shows the token of somebody else, or none, by its hash "+h[:8])
		}
	}
	said := identity.FindAllStringSubmatch(log, -1)
	for _, s := range said {
		if s[1] != t.tenant || s[2] != fmt.Sprint(t.run.ID()) || !own[s[3]] {
			problems = append(problems, fmt.Sprintf("its log says %q", s[0]))
		}
	}
	if atLeast := t.identities(); len(said) < atLeast || t.kind == refused && len(said) > 0 {
		problems = append(problems, fmt.Sprintf("its log says %d times who it is, want %d; it ends:\n%s", len(said), atLeast, tail(log)))
	}
	problems = append(problems, shared.FindAllString(log, -1)...)
	if (t.kind == cancelled || t.kind == aborted) && strings.Contains(log, "\nended ") {
		problems = append(problems, "it was not stopped")
	}
	for kind, text := range map[kind]string{leaks: "secrets are in what would be uploaded", refused: "· RC103"} {
		if t.kind == kind && !strings.Contains(log, text) {
			problems = append(problems, fmt.Sprintf("no %q in its log, which ends:\n%s", text, tail(log)))
		}
	}
	return problems
}

// tokens are the hashes of the tokens of all jobs, and of none.
func (r *report) tokens() map[string]bool {
	all := map[string]bool{hash(""): true}
	for _, requests := range r.issued {
		for _, request := range requests {
			all[hash(request.Issued.SessionToken)] = true
		}
	}
	return all
}

// identities is how many times a job says at least who it is: in the script, and after it.
func (t *task) identities() int {
	switch {
	case t.kind == refused, t.kind == cancelled, t.kind == aborted, t.kind == killRun && t.killed:
		return 0
	}
	return 2
}

// overhead is how long the job took beside its script.
func (t *task) overhead() time.Duration {
	said := moments.FindAllStringSubmatch(t.run.Text(), -1)
	if len(said) != 2 {
		return t.result.Took
	}
	began, _ := strconv.ParseInt(said[0][1], 10, 64)
	ended, _ := strconv.ParseInt(said[1][1], 10, 64)
	return t.result.Took - time.Duration(ended-began)
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// tail is the end of a log.
func tail(log string) string { return log[max(0, len(log)-1200):] }
