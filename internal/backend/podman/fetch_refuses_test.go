package podman

import (
	"context"
	"errors"
	"os/exec"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/script"
)

const (
	absent  = "exit 125"
	isThere = `echo "` + idOne + ` sha256:x \"\" {}"`
)

// TestFetch: a store that cannot be read is not an empty one, and what a registry does not
// name is not pulled. An error of one pull policy leaves the next one its turn.
func TestFetch(t *testing.T) {
	const always, never, missing = backend.Always, backend.Never, backend.IfNotPresent
	refuses := func(context.Context, backend.Image) (string, error) { return "", errors.New("no such name") }
	for name, test := range map[string]struct {
		says     says
		policies []backend.PullPolicy
		resolve  func(context.Context, backend.Image) (string, error)
		code     fault.Code
		want     string // empty: there is an image
		pulls    int
	}{
		"never, absent":              {says{inspect: absent, exists: "exit 1"}, []backend.PullPolicy{never}, nil, fault.ImageAbsent, "pulls none", 0},
		"never, a broken store":      {says{inspect: absent, exists: "exit 125"}, []backend.PullPolicy{never}, nil, fault.Engine, "podman cannot look for the image", 0},
		"never, a killed podman":     {says{inspect: absent, exists: "kill -9 $$"}, []backend.PullPolicy{never}, nil, fault.Engine, "podman cannot look for the image", 0},
		"missing, a broken store":    {says{inspect: absent, exists: "exit 125"}, []backend.PullPolicy{missing}, nil, fault.Engine, "podman cannot look for the image", 0},
		"always, a broken store":     {says{inspect: absent, exists: "exit 125"}, []backend.PullPolicy{always}, nil, fault.Engine, "podman cannot look for the image", 0},
		"a user that cannot be read": {says{inspect: "echo x y z"}, []backend.PullPolicy{never}, nil, fault.Engine, "podman cannot tell the user of the image", 0},
		"no answer":                  {says{inspect: ""}, []backend.PullPolicy{never}, nil, fault.Engine, "podman cannot tell the user of the image", 0},
		"a registry that refuses":    {says{inspect: absent, exists: "exit 1"}, []backend.PullPolicy{always}, refuses, "", "no such name", 0},
		"a full disk":                {says{inspect: absent, exists: "exit 1", pull: "echo no space left on device >&2; exit 125"}, []backend.PullPolicy{always}, nil, fault.Engine, "the image cannot be pulled: podman ended with 125: no space left", 1},
		"pulled and not there":       {says{inspect: absent, exists: "exit 1", pull: "echo " + idOne}, []backend.PullPolicy{always}, nil, fault.Engine, "podman has pulled the image and does not find it", 1},
		"three tries":                {says{inspect: absent, exists: "exit 1", pull: "echo reset >&2; exit 125"}, []backend.PullPolicy{always}, nil, fault.Engine, "the image cannot be pulled: podman ended with 125: reset", 3},
		"two policies":               {says{inspect: isThere, exists: "exit 1"}, []backend.PullPolicy{always, missing}, refuses, "", "", 0},
	} {
		f := newFaked(t, test.says.podman())
		o := orderOf(backend.Image{Name: "r/x:1", Policies: test.policies})
		if o.Resolve = test.resolve; test.resolve == nil {
			o.Resolve = func(context.Context, backend.Image) (string, error) { return "sha256:x", nil }
		}
		found, err := f.fetch(t.Context(), o.Containers.Image, o)
		if test.want == "" && (err != nil || found.id != idOne) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
		if test.want != "" {
			expect(t, name, err, test.code, test.want)
		}
		if n := f.calls(" pull "); n != test.pulls {
			t.Errorf("%s: %d pulls, want %d", name, n, test.pulls)
		}
		if known := f.place.readKnown(); len(known) > 0 && test.want != "" {
			t.Errorf("%s: known are %+v", name, known)
		}
	}
}

// TestPullEnds: a pull ends with its time, and one whose name cannot be given is no pull.
func TestPullEnds(t *testing.T) {
	f := newFaked(t, says{pull: "echo " + idOne, tag: "echo why >&2; exit 125"}.podman())
	o := orderOf(backend.Image{Name: "r/x:1"})
	err := f.pull(t.Context(), o.Containers.Image, "r/x@sha256:x", o)
	expect(t, "no name", err, "", "podman ended with 125: why")
	if err := f.pull(t.Context(), backend.Image{Name: "r/x@sha256:x"}, "r/x@sha256:x", o); err != nil || f.calls(" tag ") != 1 {
		t.Errorf("by digest: %v, %d tags", err, f.calls(" tag "))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.pullPatiently(ctx, o.Containers.Image, "r/x@sha256:x", o)
	expect(t, "its time is over", err, fault.Engine, "not done after 1m0s")
}

// TestMemory: podman collects garbage seldom, but not while it pulls, which needs memory.
func TestMemory(t *testing.T) {
	f := newFaked(t, says{pull: "echo $GOGC >&2; exit 125", create: "echo $GOGC >&2; exit 125"}.podman())
	o := orderOf(backend.Image{Name: "r/x:1"})
	expect(t, "a pull", f.pull(t.Context(), o.Containers.Image, "r/x@sha256:x", o), "", "podman ended with 125: 100")
	f.startTime = startTime
	err := f.create(t.Context(), o, []image{{id: idOne}}, nil)
	expect(t, "a container", errors.Unwrap(errors.Unwrap(err)), "", "podman ended with 125: 400")
}

// TestAll: no job starts with fewer images than it has asked for.
func TestAll(t *testing.T) {
	f := newFaked(t, says{inspect: `case "$*" in *r/x:1) ` + isThere + `;; *) exit 125;; esac`, exists: "exit 1"}.podman())
	policies := []backend.PullPolicy{backend.Never}
	o := orderOf(backend.Image{Name: "r/x:1", Policies: policies})
	o.Containers.Services = []backend.Service{{Image: backend.Image{Name: "r/db:1", Policies: policies}}}
	images, err := f.fetchAll(t.Context(), o)
	expect(t, "the image of a service", err, fault.ImageAbsent, "pulls none")
	if len(images) > 0 {
		t.Errorf("images %+v", images)
	}
}

// TestNoPodman: a podman that cannot start says nothing of the store.
func TestNoPodman(t *testing.T) {
	f := newFaked(t, nil)
	found, err := f.look(t.Context(), "r/x:1")
	expect(t, "it is not installed", err, "", "executable file not found")
	f.add("podman", absent)
	f.start = func(*exec.Cmd, *script.Namespace) error { return errors.New("no namespace") }
	again, err := f.look(t.Context(), "r/x:1")
	expect(t, "it does not start", err, "", "start podman: no namespace")
	if found.id != "" || again.id != "" {
		t.Errorf("found %+v, %+v", found, again)
	}
}
