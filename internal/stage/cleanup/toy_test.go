package cleanup_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/stage/cleanup"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// names returns what is in a folder, nil where that is not there.
func names(folder string) []string {
	entries, _ := os.ReadDir(folder)
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

// TestReap: a job is reaped by the backend that its record names, and removed. Where
// it cannot be reaped, or this program does not know the backend, its secrets go, its
// record stays, and the next cleanup tries again.
func TestReap(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		backends func(*toy.Backend) []backend.Reaper
		stuck    error
		want     string // a part of standard error; empty: there is none
		reaped   []int  // how often, after each of two calls
	}{
		"reaped":     {all, nil, "", []int{1, 1}},
		"stuck":      {all, errors.New("process 9 stays"), "process 9 stays; remove what is left on the runner's host", []int{1, 2}},
		"no backend": {none, nil, `this program does not know the backend "toy"`, []int{0, 0}},
	}
	for name, test := range tests {
		p, box := newPlace(t), &toy.Backend{Stuck: test.stuck}
		p.createIn(t, "toy", json.RawMessage(toy.Data))
		folder := filepath.Join(p.root, p.key.ID.String())
		kit.Must(t, os.WriteFile(filepath.Join(folder, "issued.json"), []byte("secret"), 0o600))
		for _, reaped := range test.reaped {
			code, stderr := p.serveWith(cleanup.Parts{Backends: test.backends(box)}, p.root, "--no-policy")
			if (code == 0) != (test.want == "") || (stderr == "") != (test.want == "") || !strings.Contains(stderr, test.want) {
				t.Errorf("%s: exit code %d, want %q in\n%s", name, code, test.want, stderr)
			}
			var want []string
			if test.want != "" {
				want = []string{"removed.json"}
			}
			if left := names(folder); !slices.Equal(left, want) {
				t.Errorf("%s: left %q, want %q", name, left, want)
			}
			if wanted := slices.Repeat([]string{p.key.ID.String() + " " + toy.Data}, reaped); !slices.Equal(box.Reaped, wanted) {
				t.Errorf("%s: reaped %q, want %q", name, box.Reaped, wanted)
			}
		}
		box.Stuck = nil
		if code, stderr := p.serveWith(cleanup.Parts{Backends: all(box)}, p.root, "--no-policy"); code != 0 || stderr != "" || len(names(p.root)) > 0 {
			t.Errorf("%s, and then reaped: exit code %d, left %q:\n%s", name, code, names(p.root), stderr)
		}
	}
}

// all returns the backends of a program that knows the toy.
func all(box *toy.Backend) []backend.Reaper { return []backend.Reaper{box} }

// none returns those of one that knows no backend.
func none(*toy.Backend) []backend.Reaper { return nil }
