package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/backend"
	"rolecall/internal/stage/config"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// withToy returns the stage's own parts with another backend before the host.
func withToy(box *toy.Backend) config.Parts {
	p := parts()
	p.Backends = append([]config.Backend{box}, p.Backends...)
	return p
}

// TestFirstBackend: the runner is told what the first backend says of itself.
func TestFirstBackend(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	code, out, stderr := p.serveWith(withToy(&toy.Backend{}), nil)
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %v, %s", code, err, stderr)
	}
	delete(got, "driver")
	delete(got, "job_env")
	want := map[string]any{"shell": "toy", "builds_dir_is_shared": false, "builds_dir": p.dir + "/builds/none/unprotected", "cache_dir": p.dir + "/cache/none/unprotected"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the runner is told (- wanted, + got):\n%s", diff)
	}
}

// placeless is a toy that cannot say where jobs work.
type placeless struct{ *toy.Backend }

func (placeless) Describe(backend.Spec) (backend.Description, error) {
	return backend.Description{Shell: "toy"}, errors.New("the toy has no place")
}

// TestNoPlace: the runner is told nothing if the backend cannot describe the place.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	p := parts()
	p.Backends = []config.Backend{placeless{&toy.Backend{}}}
	code, out, stderr := newPlace(t).serveWith(p, nil)
	if code != 2 || out != "" || !strings.Contains(stderr, "[RC500]: the toy has no place") {
		t.Errorf("exit code %d, output %q, %s", code, out, stderr)
	}
}

// TestSweepReaps: a dead job is reaped by the backend that its record names. That it
// cannot be is a warning: this job can begin all the same.
func TestSweepReaps(t *testing.T) {
	t.Parallel()
	p, box := newPlace(t), &toy.Backend{Stuck: errors.New("process 9 stays")}
	root := filepath.Join(p.dir, "store")
	kit.Must(t, os.Mkdir(root, 0o700))
	dead(t, root, 7, "toy", json.RawMessage(toy.Data))
	dead(t, root, 8, "host", inCgroup(t, ""))
	for i, want := range []string{"rolecall: warning: the state of dead jobs on this host cannot be removed: ", ""} {
		code, out, stderr := p.serveWith(withToy(box), nil)
		if code != 0 || !strings.HasPrefix(out, "{") || !strings.HasPrefix(stderr, want) || (stderr == "") != (want == "") {
			t.Errorf("exit code %d, want 0 with %q in\n%s%s", code, want, out, stderr)
		}
		if wanted := slices.Repeat([]string{"7 " + toy.Data}, i+1); !slices.Equal(box.Reaped, wanted) {
			t.Errorf("reaped %q, want %q", box.Reaped, wanted)
		}
		box.Stuck = nil
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
