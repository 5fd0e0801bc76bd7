package podman_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/retention"
	"rolecall/test/kit"
)

// TestPruneBusy: a store is waited for, and passed over where nobody wants to wait. A job
// waits until images are removed.
func TestPruneBusy(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	p := newJob(t, unique(4754), nil).withImage()
	unlock := lock(t, p.store()+".lock", false)
	if done, err := p.prune(retention.Order{Rule: unused()}); err != nil || len(done) > 0 {
		t.Errorf("without a wait: %+v, %v", done, err)
	}
	done, err := p.prune(retention.Order{Rule: unused(), Wait: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "still getting images from it after 50ms; run rolecall prune again") || len(done) > 0 {
		t.Errorf("with a wait: %+v, %v", done, err)
	}
	unlock()
	unlock = lock(t, p.store()+".lock", true)
	p.order.Containers.Engine.PullTime = 100 * time.Millisecond
	if err := p.build(); fault.CodeOf(err) != fault.Engine || !strings.Contains(err.Error(), "the store of the images cannot be locked") {
		t.Errorf("a job whose time is over: %v", err)
	}
	p.order.Containers.Engine.PullTime = time.Minute
	ended := make(chan error)
	go func() { ended <- p.build() }()
	time.Sleep(100 * time.Millisecond)
	unlock()
	if err := <-ended; err != nil {
		t.Errorf("a job that has waited: %v", err)
	}
	kit.Must(t, p.reap())
}

// TestPruneWhilePulls: jobs that get images while others are removed do not fail, and have
// their images until they end.
func TestPruneWhilePulls(t *testing.T) {
	if isStep(t) || isPlan(t) || !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	r := newRegistry(t)
	digests := []string{push(t, r, "ci/a:1", 8<<20), push(t, r, "ci/b:1", 8<<20)}
	on := newJob(t, unique(4760), nil)
	for round := range 6 {
		jobs, stages := []*placed{}, []*stage{}
		for i, digest := range digests {
			p := newJobIn(t, on.dir, unique(4761+10*round+i), pulls(r.Name([]string{"ci/a:1", "ci/b:1"}[i])))
			jobs, stages = append(jobs, p), append(stages, p.child(digest, false))
		}
		time.Sleep(time.Duration(round) * 40 * time.Millisecond)
		pruned := on.does(plan{Prunes: &retention.Order{Dir: on.images(), Rule: unused(), Wait: time.Minute}})
		for i, s := range append(stages, pruned) {
			if err := s.Wait(); err != nil {
				t.Errorf("round %d, process %d: %v\n%s", round, i, err, s.says.String())
			}
		}
		if _, err := on.prune(retention.Order{Rule: unused(), Wait: time.Minute}); err != nil {
			t.Error(err)
		}
		for _, p := range jobs {
			if o := p.run("build_script", "test -s /biga", nil); o.Code != 0 {
				t.Errorf("round %d: the script: %+v", round, o)
			}
			kit.Must(t, p.reap())
		}
	}
}

// TestPruneKilled: whenever a prune is killed, the next job gets its image, and the next prune
// removes it.
func TestPruneKilled(t *testing.T) {
	if isStep(t) || isPlan(t) || !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	r := newRegistry(t)
	push(t, r, "ci/a:1", 1<<20)
	push(t, r, "ci/b:1", 1<<20)
	keeps := pulled(t, r, nil, 4860, "ci/b:1") // so that the store is not emptied as a whole
	for i := range 8 {
		p := pulled(t, r, keeps, 4861+i, "ci/a:1")
		kit.Must(t, p.reap())
		s := p.does(plan{Prunes: &retention.Order{Dir: p.images(), Rule: unused(), Wait: time.Minute}})
		ended := make(chan struct{})
		go func() { _ = s.Wait(); close(ended) }()
		p.sees(func(p *placed) bool { return len(p.onStore()) > 0 }, ended) // a prune can end before
		time.Sleep(time.Duration(i) * 60 * time.Millisecond)
		_ = s.Process.Kill()
		<-ended
		next := pulled(t, r, keeps, 4871+i, "ci/a:1")
		if o := next.run("build_script", "test -s /biga", nil); o.Code != 0 {
			t.Errorf("killed at %d: %+v", i, o)
		}
		kit.Must(t, next.reap())
	}
	done, err := keeps.prune(retention.Order{Rule: unused(), Wait: time.Minute})
	expectNames(t, "the last one", done, err, "a:1")
	if n := keeps.layers(); n != 1 {
		t.Errorf("%d layers are left", n)
	}
	kit.Must(t, keeps.reap())
	keeps.checkNothing("prune")
}

// onStore returns the living podmans that work on the store.
func (p *placed) onStore() []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		line, _ := os.ReadFile(path)
		if strings.Contains(string(line), "/podman\x00") && strings.Contains(string(line), "\x00"+p.store()+"\x00") {
			found = append(found, path)
		}
	}
	return found
}

// lock locks a file until unlock is called.
func lock(t *testing.T, path string, alone bool) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	kit.Must(t, err)
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	kit.Must(t, unix.Flock(int(f.Fd()), how))
	return func() { _ = f.Close() }
}
