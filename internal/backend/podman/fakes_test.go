package podman

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/fault"
	"rolecall/internal/script"
	"rolecall/test/kit"
)

// faked is an engine whose programs are shell scripts: they say what podman, or a tool, can
// say, but only seldom does. The scripts run as the user of the test, in no namespace.
type faked struct {
	engine

	t   *testing.T
	log string // of the command lines
}

// newFaked returns an engine with those programs and no others, by their names.
func newFaked(t *testing.T, programs map[string]string) faked {
	t.Helper()
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o755))
	f := faked{t: t, log: filepath.Join(dir, "log")}
	kit.Must(t, os.Mkdir(dir+"/bin", 0o700))
	kit.Must(t, os.Chmod(dir+"/bin", 0o755)) // whatever the umask
	t.Setenv("PATH", dir+"/bin")
	for name, text := range programs {
		f.add(name, text)
	}
	p := place{
		Dir: dir + "/images/.jobs/x", Store: dir + "/images/alpha/protected", Network: "none",
		Root: dir + "/state", Slot: dir + "/slot", Own: dir + "/own",
	}
	for _, folder := range []string{p.Dir, p.Store + "/overlay-images", p.Own} {
		kit.Must(t, os.MkdirAll(folder, 0o755))
	}
	start := func(cmd *exec.Cmd, _ *script.Namespace) error { return cmd.Start() }
	f.engine = engine{
		Backend: New(host.New()), place: p, data: json.RawMessage("{" + nobody + `"podman":{}}`), start: start,
		as: script.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())},
	}
	return f
}

// nobody is the user of a job, in its record.
const nobody = `"user":{"name":"nobody","uid":65534,"gid":65534},`

// add adds a program.
func (f faked) add(name, text string) {
	f.t.Helper()
	path := filepath.Join(os.Getenv("PATH"), name)
	kit.Must(f.t, os.WriteFile(path, []byte("#!/bin/sh\necho \""+name+" $*\" >>"+f.log+"\n"+text+"\n"), 0o600))
	kit.Must(f.t, os.Chmod(path, 0o755))
}

// calls returns how many command lines hold a text.
func (f faked) calls(text string) int {
	content, _ := os.ReadFile(f.log)
	n := 0
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// Ids of images and containers.
const idOne, idTwo = "1111111111111111111111111111111111111111111111111111111111111111", "2222222222222222222222222222222222222222222222222222222222222222"

// says is what a fake podman does for each of its commands.
type says struct{ inspect, exists, pull, tag, create, init, run, images, rmi string }

// podman returns the program. What is not said ends well, and prints nothing.
func (s says) podman() map[string]string {
	text := "case \" $* \" in\n"
	for _, one := range [][2]string{
		{"image inspect", s.inspect},
		{"image exists", s.exists},
		{"pull", s.pull},
		{"tag", s.tag},
		{"create", s.create},
		{"init", s.init},
		{"run", s.run},
		{"images", s.images},
		{"rmi", s.rmi},
	} {
		text += "*' " + one[0] + " '*) :\n" + one[1] + ";;\n"
	}
	return map[string]string{"podman": text + "esac"}
}

// expect checks an error.
func expect(t *testing.T, name string, err error, code fault.Code, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || code != "" && fault.CodeOf(err) != code {
		t.Errorf("%s: %v (%s), want %s %q", name, err, fault.CodeOf(err), code, want)
	}
}

// orderOf returns the order of a job in an image.
func orderOf(i backend.Image) backend.Order {
	return backend.Order{
		Containers: &backend.Containers{Image: i, Engine: backend.Engine{PullTime: time.Minute}},
		Say:        func(string) {}, Warn: func(string) {},
	}
}
