package podman_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend/podman"
	"rolecall/test/kit"
)

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
