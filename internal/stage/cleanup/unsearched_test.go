package cleanup_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/stage/cleanup"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// lost is a place whose folders are not known.
type lost struct{ shut }

func (lost) Leavings(json.RawMessage, []string) ([]string, error) {
	return nil, errors.New("nobody knows")
}

// says is a place whose gate is a shell script.
type says struct {
	shut
	script string
}

func (s says) Start(_ json.RawMessage, cmd *exec.Cmd) error {
	cmd.Path, cmd.Args, cmd.Err = "/bin/sh", []string{"sh", "-c", s.script}, nil
	return cmd.Start()
}

// TestUnsearched: whatever keeps the stage from its search, that is a warning and a line of the
// audit log. The job is removed all the same.
func TestUnsearched(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a job of another user")
	removes := func(name string) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			t.Helper()
			kit.Must(t, os.Remove(filepath.Join(folder, name)))
		}
	}
	for name, test := range map[string]struct {
		place  cleanup.Searcher
		change func(t *testing.T, folder string)
		want   string // empty: there is nothing to search for
	}{
		"no folders":     {lost{}, nil, "nobody knows"},
		"the gate fails": {says{script: "echo why >&2; exit 3"}, nil, "exit status 3: why"},
		"no report":      {says{script: "echo {"}, nil, "unexpected end of JSON input"},
		"a broken copy": {shut{new(int)}, func(t *testing.T, folder string) {
			t.Helper()
			kit.Must(t, os.WriteFile(filepath.Join(folder, "issued.json"), []byte("{"), 0o600))
		}, "issued.json"},
		"nothing issued": {shut{new(int)}, removes("issued.json"), ""},
	} {
		p := newPlace(t)
		p.createFor(t, &state.Owner{UID: 65533, GID: 65533})
		if test.change != nil {
			test.change(t, filepath.Join(p.root, p.key.ID.String()))
		}
		parts := cleanup.Parts{Backends: all(&toy.Backend{}), Searchers: []cleanup.Searcher{test.place}}
		code, stderr := p.serveWith(parts, p.root, "--no-policy")
		told := strings.Contains(stderr, "were not searched for copies of its credentials: ") && strings.Contains(stderr, test.want)
		if code != 0 || told != (test.want != "") {
			t.Errorf("%s: exit code %d, want %q in\n%s", name, code, test.want, stderr)
		}
		log, err := os.ReadFile(filepath.Join(p.dir, "audit.jsonl"))
		kit.Must(t, err)
		if noted := strings.Contains(string(log), `"event":"copies_left","`) || strings.Contains(string(log), `"reason":"nothing was searched"`); noted != (test.want != "") {
			t.Errorf("%s: the audit log has\n%s", name, log)
		}
		if left := names(p.root); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
}
