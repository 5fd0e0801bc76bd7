package cleanup_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/gate"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/state"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// shut is a place in which no program can be started.
type shut struct{ started *int }

func (shut) Name() string { return "toy" }

func (shut) Leavings(json.RawMessage, []string) ([]string, error) { return []string{"/none"}, nil }

func (s shut) Start(_ json.RawMessage, cmd *exec.Cmd) error {
	if *s.started++; filepath.Base(cmd.Path) != "gate" || len(cmd.Args) != 2 || cmd.Args[1] != "left" {
		return errors.New("another program: " + cmd.String())
	}
	return errors.New("it is shut")
}

// answers is a place whose gate answers with a report.
type answers struct {
	shut
	report gate.Report
}

func (a answers) Start(_ json.RawMessage, cmd *exec.Cmd) error {
	text, err := json.Marshal(a.report)
	cmd.Path, cmd.Args, cmd.Err = "/bin/sh", []string{"sh", "-c", `printf %s "$0"`, string(text)}, nil
	return errors.Join(err, cmd.Start())
}

// TestCopiesInAuditLog: what a search has found, has not removed or has not seen is in the
// audit log before the end of the job.
func TestCopiesInAuditLog(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a job of another user")
	copied, stuck := gate.Place{Name: "/home/x", Inside: "a.zip > b", Says: "secret"}, gate.Place{Name: "/tmp/x", Says: "secret: busy"}
	const removed, left = `"event":"copies_removed"`, `"event":"copies_left"`
	for name, test := range map[string]struct {
		place cleanup.Searcher
		want  []string // each in a line of its own
	}{
		"nothing": {answers{}, nil},
		"removed": {answers{report: gate.Report{Found: slices.Repeat([]gate.Place{copied}, 12)}}, []string{
			removed, `"places":[{"file":"/home/x","inside":"a.zip > b","kind":"secret"},`, `],"more":2,`,
		}},
		"left":         {answers{report: gate.Report{Refused: []gate.Place{stuck}}}, []string{left, `"places":[{"file":"/tmp/x","reason":"secret: busy"}]`}},
		"both":         {answers{report: gate.Report{Found: []gate.Place{copied}, Refused: []gate.Place{stuck}}}, []string{removed, left}},
		"not searched": {shut{new(int)}, []string{left, `"places":[{"file":"/","reason":"nothing was searched"}]`}},
	} {
		p := newPlace(t)
		p.createFor(t, &state.Owner{UID: 65533, GID: 65533})
		parts := cleanup.Parts{Backends: all(&toy.Backend{}), Searchers: []cleanup.Searcher{test.place}}
		if code, stderr := p.serveWith(parts, p.root, "--no-policy"); code != 0 {
			t.Errorf("%s: exit code %d:\n%s", name, code, stderr)
		}
		log, err := os.ReadFile(filepath.Join(p.dir, "audit.jsonl"))
		kit.Must(t, err)
		auditlog.Check(t, log)
		lines, _, ok := strings.Cut(string(log), `"event":"ended"`)
		for _, want := range test.want {
			ok = ok && strings.Count(lines, want) == 1
		}
		if got := strings.Count(lines, `"event":"copies_`); !ok || got != strings.Count(strings.Join(test.want, ""), `"event":`) {
			t.Errorf("%s: want %q in\n%s", name, test.want, log)
		}
	}
}

// createFor makes the folder of a job of a user, with a secret and a trail to the audit log.
func (p *place) createFor(t *testing.T, owner *state.Owner) {
	t.Helper()
	var err error
	p.key, err = job.ReadKey(p.response)
	kit.Must(t, err)
	trail, err := audit.NewTrail(filepath.Join(p.dir, "audit.jsonl"), audit.Event{JobID: "7", Tenant: "alpha"})
	kit.Must(t, err)
	f, err := state.Create(p.root, p.key, state.Record{Tenant: "alpha", Owner: owner, Backend: "toy", Data: json.RawMessage(toy.Data), Audit: trail}, "")
	kit.Must(t, err)
	kit.Must(t, f.Write(creds.Set{{Provider: "cloud", Secrets: []mask.Named{{Kind: "secret", Value: mask.NewSecret("0123456789abcdef")}}}}))
	f.Close()
}

// TestSearchOnlyOfUsers: files of a job's user are searched once, and if they cannot be, one
// line says so and the job is removed all the same. Files of the driver's user, and of jobs
// that got nothing, are not searched.
func TestSearchOnlyOfUsers(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a job of another user")
	secret := mask.NewSecret("0123456789abcdef")
	issued := creds.Set{{Provider: "cloud", Secrets: []mask.Named{{Kind: "secret", Value: secret}}}}
	for name, test := range map[string]struct {
		tenant string
		owner  *state.Owner
		want   int
	}{
		"of a user":     {"alpha", &state.Owner{UID: 65533, GID: 65533}, 1},
		"of the driver": {"alpha", nil, 0},
		"of no tenant":  {"", &state.Owner{UID: 65533, GID: 65533}, 0},
	} {
		p, started := newPlace(t), 0
		var err error
		p.key, err = job.ReadKey(p.response)
		kit.Must(t, err)
		f, err := state.Create(p.root, p.key, state.Record{Tenant: test.tenant, Owner: test.owner, Backend: "toy", Data: json.RawMessage(toy.Data)}, "")
		kit.Must(t, err)
		if test.tenant != "" {
			kit.Must(t, f.Write(issued))
		}
		f.Close()
		parts := cleanup.Parts{Backends: all(&toy.Backend{}), Searchers: []cleanup.Searcher{shut{&started}}}
		code, stderr := p.serveWith(parts, p.root, "--no-policy")
		said := strings.Contains(stderr, "the job's HOME, TMPDIR and /tmp were not searched for copies of its credentials: it is shut")
		if code != 0 || started != test.want || said != (test.want > 0) || strings.Count(stderr, "\n") != test.want {
			t.Errorf("%s: exit code %d, %d searches, want %d:\n%s", name, code, started, test.want, stderr)
		}
		if _, err := os.Lstat(filepath.Join(p.root, p.key.ID.String())); !os.IsNotExist(err) {
			t.Errorf("%s: the job is left: %v", name, err)
		}
	}
}
