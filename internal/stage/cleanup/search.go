package cleanup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/gate"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/program"
	"rolecall/internal/state"
)

// Bounds of the search for what a job has left.
const (
	searchTime  = 5 * time.Second
	searchBytes = 10 << 30
)

// Searcher is a place that scripts run in, as far as they may leave files there. Data is
// the Data of the job's record.
type Searcher interface {
	Name() string
	// Leavings returns the folders in which scripts may leave files that other jobs can
	// find. Service is the environment of the runner's service.
	Leavings(data json.RawMessage, service []string) ([]string, error)
	// Start starts cmd, a program of this host, with the rights of a script.
	Start(data json.RawMessage, cmd *exec.Cmd) error
}

// search is the search for copies of a job's secrets, in files that outlive the job.
type search struct {
	c       *program.Call
	place   Searcher
	data    json.RawMessage
	secrets []mask.Named
	began   time.Time
	trail   audit.Trail
	unread  error // why it is not known what was issued; nil: it is known
}

// newSearch reads what was issued to a job, before that is removed. It returns nil if there
// is nothing to search for: the job has no tenant, no state in root, or got nothing. Files of the
// driver's own user are not searched: the audit log and the state of other jobs are among
// them.
func newSearch(c *program.Call, parts Parts, root string, key job.Key) *search {
	folder, err := state.Open(root, key)
	if err != nil {
		return nil // Finish reports what it cannot remove
	}
	defer folder.Close()
	place, err := backend.Named(parts.Searchers, folder.Record().Backend)
	if err != nil || folder.Tenant() == "" || folder.Record().Owner == nil {
		return nil
	}
	s := &search{c: c, place: place, data: folder.Record().Data, trail: folder.Record().Audit}
	if s.secrets, err = folder.Secrets(); err == nil {
		s.began, s.unread = folder.Began()
	} else if !errors.Is(err, fs.ErrNotExist) {
		s.unread = err
	}
	if s.unread == nil && len(s.secrets) == 0 {
		return nil
	}
	return s
}

// after returns a function that reaps the job and then, with its processes dead, searches
// what they have left. What the search finds, or an error of it, is a warning.
func (s *search) after(reap state.Reap) state.Reap {
	if s == nil {
		return reap
	}
	return func(ctx context.Context, name string, data json.RawMessage, id job.ID) error {
		err := reap(ctx, name, data, id)
		if err == nil {
			s.run(ctx)
		}
		return err
	}
}

// run searches and says what was found.
func (s *search) run(ctx context.Context) {
	report, err := s.ask(ctx)
	if err != nil {
		s.c.Log.Warnf("the job's HOME, TMPDIR and /tmp were not searched for copies of its credentials: %v", err)
		report.Refused = []gate.Place{{Name: "/", Says: "nothing was searched"}} // the error is for the runner's admin
	} else {
		s.warn(report)
	}
	s.tell(report)
}

// warn names what was found in the log of the runner.
func (s *search) warn(report gate.Report) {
	for _, p := range report.Found {
		s.c.Log.Warnf("the job left a copy of its credentials, which is removed: %q (%s)", p.Name, p.Says)
	}
	for _, p := range report.Refused {
		s.c.Log.Warnf("copies of the job's credentials may be left: %q: %s", p.Name, p.Says)
	}
}

// tell writes what was found to the audit log. Names in a report are masked.
func (s *search) tell(report gate.Report) {
	var removed, left []audit.Place
	for _, p := range report.Found {
		removed = append(removed, audit.Place{File: p.Name, Inside: p.Inside, Kind: p.Says})
	}
	for _, p := range report.Refused {
		left = append(left, audit.Place{File: p.Name, Inside: p.Inside, Reason: p.Says})
	}
	s.tellOf(audit.CopiesRemoved, removed)
	s.tellOf(audit.CopiesLeft, left)
}

// tellOf writes a line about places, if there are any.
func (s *search) tellOf(kind audit.Kind, places []audit.Place) {
	if len(places) > 0 {
		s.c.Warn(s.trail.Tell(kind, name, func(e *audit.Event) { e.Locate(places) }))
	}
}

// ask lets the program gate search, as the job's user, and returns its report.
func (s *search) ask(ctx context.Context) (report gate.Report, err error) {
	if s.unread != nil {
		return report, s.unread
	}
	dirs, err := s.place.Leavings(s.data, s.c.Env.Service)
	if err != nil {
		return report, err
	}
	question, err := json.Marshal(gate.Order{
		Secrets: s.secrets, Leavings: gate.Leavings{Dirs: dirs, Since: s.began}, MaxBytes: searchBytes, MaxDuration: searchTime,
	})
	if err != nil {
		return report, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*searchTime)
	defer cancel()
	cmd, err := program.Beside(ctx, gate.Program, gate.Left)
	if err != nil {
		return report, err
	}
	var answer, said bytes.Buffer
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), &answer, &said
	if err := s.place.Start(s.data, cmd); err != nil {
		return report, err
	}
	if err := cmd.Wait(); err != nil {
		return report, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	err = json.Unmarshal(answer.Bytes(), &report)
	return report, err
}
