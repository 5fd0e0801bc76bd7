package cleanup_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/state"
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
