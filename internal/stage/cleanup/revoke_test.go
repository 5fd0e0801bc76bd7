package cleanup_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// TestRevoke: cleanup asks once, before it removes the job's files, for what must be revoked: also
// of a job that cannot be killed, and of one whose folder is gone. That it cannot be revoked is a
// warning, and what revokes it is kept.
func TestRevoke(t *testing.T) {
	t.Parallel()
	const want = "the credentials of job ID are not revoked: the program revoke: "
	for name, test := range map[string]struct {
		held, gone bool
		stuck      error
		code       bool // the exit code is 0
	}{
		"held":            {held: true, code: true},
		"nothing is held": {code: true},
		"stuck":           {held: true, stuck: errors.New("process 9 stays")},
		"no folder":       {held: true, gone: true, code: true},
	} {
		p := newPlace(t)
		var err error
		p.key, err = job.ReadKey(p.response)
		kit.Must(t, err)
		f, err := state.Create(p.root, p.key, state.Record{Tenant: "alpha", Backend: "toy", Data: json.RawMessage(toy.Data)}, "")
		kit.Must(t, err)
		if test.held {
			kit.Must(t, f.Hold(creds.Handle{Provider: "toy", Terms: mask.NewSecret("{}"), Until: time.Now().Add(time.Hour)}))
		}
		f.Close()
		if test.gone {
			kit.Must(t, state.Remove(p.root, p.key))
		}
		code, stderr := p.serveWith(cleanup.Parts{Backends: all(&toy.Backend{Stuck: test.stuck})}, p.root, "--no-policy")
		said := strings.Count(stderr, strings.ReplaceAll(want, "ID", p.key.ID.String()))
		if (code == 0) != test.code || said == 1 != test.held || said > 1 {
			t.Errorf("%s: exit code %d:\n%s", name, code, stderr)
		}
		if state.Holds(p.root, p.key) != test.held {
			t.Errorf("%s: what revokes it is not kept", name)
		}
		if left := names(filepath.Join(p.root, p.key.ID.String())); (len(left) == 0) != (test.stuck == nil) {
			t.Errorf("%s: left %q", name, left)
		}
	}
}
