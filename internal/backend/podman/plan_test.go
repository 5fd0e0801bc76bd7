package podman_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/job"
	"rolecall/internal/retention"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// plan is what a child process of a test does with a job: it builds it, ends it, prunes the
// stores, or removes what dead jobs have left.
type plan struct {
	Data       json.RawMessage
	ID         job.ID
	Containers *backend.Containers
	Digest     string // of the image, as its registry has it
	Ends       bool
	Prunes     *retention.Order
	Tidies     string // folder of the stores
}

// isPlan follows the plan of a child process, and reports whether this is one.
func isPlan(t *testing.T) bool {
	t.Helper()
	order := os.Getenv("PLAN")
	if order == "" {
		return false
	}
	var p plan
	kit.Must(t, json.Unmarshal([]byte(order), &p))
	b := podman.New(host.New())
	if p.Ends {
		kit.Must(t, apart(func() error { return b.Reap(t.Context(), p.Data, p.ID) }))
		return true
	}
	if p.Prunes != nil {
		kit.Must(t, apart(func() error { _, err := b.Prune(t.Context(), *p.Prunes); return err }))
		return true
	}
	if p.Tidies != "" {
		kit.Must(t, apart(func() error { _, err := b.Tidy(t.Context(), p.Tidies, lost); return err }))
		return true
	}
	kit.Must(t, apart(func() error {
		return b.Build(t.Context(), p.Data, p.ID, backend.Order{
			Containers: p.Containers, Say: func(text string) { t.Log(text) }, Warn: func(text string) { t.Log(text) },
			Resolve: func(context.Context, backend.Image) (string, error) { return p.Digest, nil },
		})
	}))
	return true
}

// child returns what a stage of the job is in a process of its own.
func (p *placed) child(digest string, ends bool) *stage {
	p.t.Helper()
	return p.does(plan{Data: p.data, ID: p.id, Containers: p.order.Containers, Digest: digest, Ends: ends})
}

// does starts a child process that follows a plan, and that is started by a command.
func (p *placed) does(what plan, by ...string) *stage {
	p.t.Helper()
	order, err := json.Marshal(what)
	kit.Must(p.t, err)
	s := &stage{Cmd: kit.Child(p.t, &syscall.SysProcAttr{}, "PLAN="+string(order))}
	if len(by) > 0 {
		args := append(by, s.Path)
		s.Path, err = exec.LookPath(by[0])
		kit.Must(p.t, err)
		s.Args = append(args, s.Args[1:]...)
	}
	s.Stdout, s.Stderr = &s.says, &s.says
	kit.Must(p.t, s.Start())
	return s
}

// push makes an image of so many bytes that cannot be packed, and pushes it.
func push(t *testing.T, r *lab.Registry, name string, sizes ...int) (digest string) {
	t.Helper()
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	for i, size := range sizes {
		content := make([]byte, size)
		_, _ = rand.Read(content)
		files = append(files, lab.ImageFile{Path: "big" + string(rune('a'+i)), Content: string(content)})
	}
	image, err := lab.NewImage(v1.Config{}, files...)
	kit.Must(t, err)
	digest, err = r.Push(t.Context(), name, image)
	kit.Must(t, err)
	return digest
}

// newRegistry starts a registry that everybody may use.
func newRegistry(t *testing.T) *lab.Registry {
	t.Helper()
	started := make(chan error)
	var r *lab.Registry
	dir := t.TempDir()
	go func() {
		runtime.LockOSThread() // the registry dies with the thread that has started it, and apart ends threads
		var err error
		r, err = lab.StartRegistry(t.Context(), lab.RegistryOptions{Dir: dir, Open: true})
		started <- err
		<-t.Context().Done()
	}()
	kit.Must(t, <-started)
	t.Cleanup(r.Close)
	return r
}

// pulls lets the image and the services of a job come from a registry.
func pulls(name string, services ...backend.Service) func(*backend.Spec) {
	change := withServices("none", services...)
	return func(s *backend.Spec) {
		change(s)
		all := []*backend.Image{&s.Containers.Image}
		for i := range s.Containers.Services {
			all = append(all, &s.Containers.Services[i].Image)
		}
		for _, i := range all {
			i.Name, i.Policies = name, []backend.PullPolicy{backend.Always}
		}
	}
}

// runs reports whether a process of the job has all of words in its command line.
func (p *placed) runs(words ...string) bool {
	for _, line := range p.processes() {
		if has := func(word string) bool { return strings.Contains(line, word) }; all(words, has) {
			return true
		}
	}
	return false
}

// all reports whether a property is that of all words.
func all(words []string, is func(string) bool) bool {
	for _, word := range words {
		if !is(word) {
			return false
		}
	}
	return true
}

// stage is a process that does something with a job.
type stage struct {
	*exec.Cmd

	says bytes.Buffer
}
