package podman_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/job"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// plan is what a child process of a test does with a job: it builds it, or ends it.
type plan struct {
	Data       json.RawMessage
	ID         job.ID
	Containers *backend.Containers
	Digest     string // of the image, as its registry has it
	Ends       bool
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
	order, err := json.Marshal(plan{p.data, p.id, p.order.Containers, digest, ends})
	kit.Must(p.t, err)
	s := &stage{Cmd: kit.Child(p.t, &syscall.SysProcAttr{}, "PLAN="+string(order))}
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
	r, err := lab.StartRegistry(t.Context(), lab.RegistryOptions{Dir: t.TempDir(), Open: true})
	kit.Must(t, err)
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

// TestCrash: whenever a stage that builds a job is killed, nothing of the job is left after
// the cleanup stage, nor after a sweep that finds no record. The store stays of use.
func TestCrash(t *testing.T) {
	if isPlan(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	r := newRegistry(t)
	exists := func(p *placed, name string) bool {
		_, err := os.Lstat(filepath.Join(podman.DirOf(p.data), name))
		return err == nil
	}
	for name, reached := range map[string]func(p *placed) bool{
		"has made the folder":       func(p *placed) bool { return exists(p, "") },
		"has written the note":      func(p *placed) bool { return exists(p, "job.json") },
		"pulls":                     func(p *placed) bool { return p.runs("podman", " pull ") },
		"has started a service":     func(p *placed) bool { return p.runs("conmon") },
		"waits for a service":       func(p *placed) bool { return p.runs("httpd") },
		"creates the container":     func(p *placed) bool { return p.runs("podman", " create ") },
		"has created the container": func(p *placed) bool { return exists(p, "container.json") },
	} {
		digest := push(t, r, "ci/"+strings.ReplaceAll(name, " ", "-")+":1", 8<<20)
		p := newJob(t, unique(4736), pulls(r.Name("ci/"+strings.ReplaceAll(name, " ", "-")+":1"), web("80", "x", "db")))
		kit.Must(t, os.Mkdir(p.dir+"/store", 0o700))
		p.crash(name, reached, digest)
		kit.Must(t, p.reap())
		p.checkNothing(name + ", cleanup")
		p.crash(name, reached, digest)
		p.agesAll()
		p.tidy(lost)
		p.checkNothing(name + ", sweep")
		p.makeOwn()
		if s := p.child(digest, false); s.Wait() != nil {
			t.Errorf("%s: the next job: %s", name, s.says.String())
		}
		kit.Must(t, p.reap())
	}
}

// crash builds a job in a process that is killed when a moment is reached. Some moments are
// short: a build that ends before its moment was seen is done again.
func (p *placed) crash(name string, reached func(*placed) bool, digest string) {
	p.t.Helper()
	const tries = 20
	for range tries {
		p.makeOwn()
		s := p.child(digest, false)
		ended := make(chan struct{})
		go func() { _ = s.Wait(); close(ended) }()
		seen := p.sees(reached, ended)
		_ = s.Process.Kill()
		<-ended
		if seen {
			return
		}
		kit.Must(p.t, p.reap())
	}
	p.t.Errorf("%s: not seen in %d builds", name, tries)
}

// sees reports whether a moment is reached before a stage has ended.
func (p *placed) sees(reached func(*placed) bool, ended <-chan struct{}) bool {
	for !reached(p) {
		select {
		case <-ended:
			return false
		case <-time.After(time.Millisecond):
		}
	}
	return true
}

// makeOwn makes the job's own folder, which a sweep removes.
func (p *placed) makeOwn() {
	p.t.Helper()
	own := p.dir + "/builds/alpha/protected.own/" + p.id.String()
	kit.Must(p.t, os.MkdirAll(own, 0o700))
	kit.Must(p.t, os.Chown(own, 65534, 65534))
}

// agesAll makes all that says how old the folder of the job is older.
func (p *placed) agesAll() {
	then := time.Now().Add(-2 * time.Minute)
	_ = os.Chtimes(p.note(), then, then)
	_ = os.Chtimes(podman.DirOf(p.data), then, then)
}

// TestCleanupCrash: a stage that is killed while it ends a job leaves the rest to the next
// sweep, with a record or without.
func TestCleanupCrash(t *testing.T) {
	if isPlan(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	p := newJob(t, unique(4737), withServices("none", web("80", "one", "db"))).withImage()
	kit.Must(t, os.Mkdir(p.dir+"/store", 0o700))
	for _, after := range []time.Duration{0, 10 * time.Millisecond, 30 * time.Millisecond, 60 * time.Millisecond} {
		p.makeOwn()
		kit.Must(t, p.build())
		s := p.child("", true)
		time.Sleep(20*time.Millisecond + after)
		kit.Must(t, s.Process.Kill())
		_ = s.Wait()
		left, _ := os.ReadDir(podman.DirOf(p.data))
		t.Logf("killed after %v: %d entries and %d processes are left", after, len(left), len(p.processes()))
		p.agesAll()
		p.tidy(lost)
		p.checkNothing("cleanup is killed")
	}
}

// stage is a process that does something with a job.
type stage struct {
	*exec.Cmd

	says bytes.Buffer
}
