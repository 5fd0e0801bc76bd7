package podman

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestCreate: if the container of a job cannot be made, nothing says that there is one, and
// podman is asked again for the image by the next job.
func TestCreate(t *testing.T) {
	const created = "echo " + idTwo
	for name, test := range map[string]struct {
		says says
		user string
		code fault.Code
		want string
	}{
		"podman fails":         {says: says{create: "echo why >&2; exit 125"}, code: fault.Engine, want: "podman cannot create the container of the job"},
		"the user is not seen": {says: says{create: created, init: "echo no user >&2; exit 126"}, user: "app", code: fault.ImageFails, want: "the image cannot run as its user"},
		"podman is killed":     {says: says{create: created, init: "kill -9 $$"}, user: "app", code: fault.Engine, want: "podman cannot look into the image"},
		"podman's own error":   {says: says{create: created, init: "exit 1"}, user: "app", code: fault.Engine, want: "podman cannot look into the image"},
		"no look":              {says: says{create: "exit 125"}, user: "app", code: fault.Engine, want: "podman cannot look into the image"},
		"no configuration":     {says: says{create: created}, user: "app", want: "config.json: no such file"},
		"no id":                {says: says{create: "echo ../../x"}, user: "app", want: "podman has created a container without an id"},
	} {
		f := newFaked(t, test.says.podman())
		f.startTime = startTime
		one := image{id: idOne, digest: "sha256:x", user: test.user}
		kit.Must(t, os.MkdirAll(filepath.Join(f.place.Store, "overlay-images", idOne), 0o700))
		kit.Must(t, os.MkdirAll(filepath.Join(f.place.Dir, probeDir, "overlay-containers", idTwo, "userdata"), 0o700))
		f.place.remember(one, "r/x:1")
		err := f.create(t.Context(), orderOf(backend.Image{Name: "r/x:1"}), []image{one}, nil)
		expect(t, name, err, test.code, test.want)
		if _, err := readContainer(f.place.Dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is a container: %v", name, err)
		}
		if _, known := f.place.recall("r/x:1"); known == (name == "podman fails") {
			t.Errorf("%s: the image is known: %v", name, known)
		}
	}
}

// TestIDs: the ids of a user are read only in the folder of the container, and only in what is
// whole.
func TestIDs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	folder := filepath.Join(root, "overlay-containers", idOne, "userdata")
	kit.Must(t, os.MkdirAll(folder, 0o700))
	out := filepath.Join(t.TempDir(), "config.json")
	whole := `{"process":{"user":{"uid":1000,"gid":1001}}}`
	kit.Must(t, os.WriteFile(out, []byte(whole), 0o600))
	path := filepath.Join(folder, "config.json")
	for name, test := range map[string]struct {
		make func()
		root string
		id   string
		ok   bool
	}{
		"whole":        {func() { kit.Must(t, os.WriteFile(path, []byte(whole), 0o600)) }, root, idOne, true},
		"half":         {func() { kit.Must(t, os.WriteFile(path, []byte(whole[:30]), 0o600)) }, root, idOne, false},
		"no file":      {func() {}, root, idOne, false},
		"a pipe":       {func() { kit.Must(t, unix.Mkfifo(path, 0o600)) }, root, idOne, false}, // nobody writes to it
		"a link out":   {func() { kit.Must(t, os.Symlink(out, path)) }, root, idOne, false},
		"no folder":    {func() {}, root + "/none", idOne, false},
		"no id":        {func() {}, root, "", false},
		"a path as id": {func() {}, root, "../overlay-containers/" + idOne, false},
	} {
		_ = os.Remove(path)
		if test.make(); name == "a path as id" {
			kit.Must(t, os.WriteFile(path, []byte(whole), 0o600))
		}
		c, err := readIDs(test.root, test.id)
		if (err == nil) != test.ok || c.UID != map[bool]uint32{true: 1000}[test.ok] {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// TestSlot: a user who cannot make the folder of its work tree is the admin's to correct.
// That the tool is not there says nothing of the user.
func TestSlot(t *testing.T) {
	f := newFaked(t, nil)
	err := f.makeSlot(t.Context())
	if expect(t, "no tool", err, "", "executable file not found"); fault.CodeOf(err) == fault.BadUser {
		t.Errorf("no tool: %v", err)
	}
	f.add("mkdir", "echo denied >&2; exit 1")
	expect(t, "denied", f.makeSlot(t.Context()), fault.BadUser, "denied")
	kit.Must(t, os.WriteFile(f.place.Slot, nil, 0o600))
	expect(t, "a file in its place", f.makeSlot(t.Context()), fault.BadUser, "denied")
	kit.Must(t, os.Remove(f.place.Slot))
	kit.Must(t, os.Mkdir(f.place.Slot, 0o700))
	if err := f.makeSlot(t.Context()); err != nil {
		t.Errorf("it is there: %v", err)
	}
}

// TestService: a service that cannot start is the author's if podman says so, and else the
// engine's. One whose variables podman cannot have is not started.
func TestService(t *testing.T) {
	for name, test := range map[string]struct {
		run       string
		variables []string
		code      fault.Code
		want      string
	}{
		"its command":   {run: "exit 127", code: fault.ImageFails, want: "a service cannot be started"},
		"podman is ill": {run: "exit 1", code: fault.Engine, want: "podman cannot start a service"},
		"a line break":  {variables: []string{"A=x\nB=y"}, code: fault.BadVariable, want: "the variable A of a service has a line break"},
		"a zero":        {variables: []string{"A=x\x00"}, code: fault.BadVariable, want: "the variable A of a service has a line break"},
	} {
		f := newFaked(t, says{run: test.run}.podman())
		err := f.startService(t.Context(), 0, backend.Service{Variables: test.variables}, image{id: idOne}, nil)
		expect(t, name, err, test.code, test.want)
		if n := f.calls(" run "); (n > 0) != (test.run != "") {
			t.Errorf("%s: podman was started %d times", name, n)
		}
	}
}

// TestLimits: the containers of a job have the limits that its record has.
func TestLimits(t *testing.T) {
	data := json.RawMessage("{" + nobody + `"limits":{"open_files":7,"processes":8},"podman":{}}`)
	e, err := New(host.New()).newEngine(data)
	kit.Must(t, err)
	f := newFaked(t, says{create: "echo " + idTwo}.podman())
	f.limits, f.startTime = e.limits, startTime
	kit.Must(t, f.create(t.Context(), orderOf(backend.Image{}), []image{{id: idOne}}, nil))
	kit.Must(t, f.startService(t.Context(), 0, backend.Service{}, image{id: idOne}, nil))
	for _, command := range []string{" create ", " run "} {
		if f.calls(command) != 1 {
			t.Errorf("podman%s was called %d times", command, f.calls(command))
		}
	}
	if n := f.calls(" --ulimit=nofile=7:7 --ulimit=nproc=8:8 "); n != 2 {
		t.Errorf("%d containers have the limits of the record", n)
	}
}
