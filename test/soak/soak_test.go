package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// TestSoak is the short form of the soak, with jobs in containers where there is podman. It has
// too few jobs for a word on times.
func TestSoak(t *testing.T) {
	t.Parallel()
	o := options{seed: 1, jobs: 30, tenants: 6, concurrent: 12, images: kit.HasPodman()}
	if o.images && !kit.InUnified(t, "jobs in containers") {
		return
	}
	var out bytes.Buffer
	if err := soak(t.Context(), o, &out); err != nil {
		t.Error(err)
	}
	t.Log(out.String())
}

// TestLogs has logs that are not as they must be, and at last those that are.
func TestLogs(t *testing.T) {
	t.Parallel()
	gitlab, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(gitlab.Close)
	run := gitlab.Enqueue(driverToken, coordinator.Job{})
	id := fmt.Sprint(run.ID())
	r := &report{issued: map[string][]fakests.Request{
		id:  {{Issued: fakests.Credentials{SessionToken: "own"}}},
		"7": {{Issued: fakests.Credentials{SessionToken: "other"}}},
	}}
	says := func(tenant, id, token string) string {
		return fmt.Sprintf("identity tenant=%s job=%s token=%s\n", tenant, id, hash(token))
	}
	own := says("t01", id, "own")
	const leak, refusal = "secrets are in what would be uploaded\n", "rolecall: no\n  job 7 · RC103\n"
	for _, test := range []struct {
		name string
		kind kind
		log  string
		want string // a part of the problem, "" for none
	}{
		{"another job's token", plain, own + own + says("t01", id, "other"), "somebody else"},
		{"another job's token elsewhere", plain, own + own + "x " + hash("other"), "somebody else"},
		{"no token", plain, own + says("t01", id, ""), "somebody else"},
		{"another job", plain, own + own + says("t01", "7", "own"), "job=7"},
		{"another tenant", plain, own + own + says("t02", id, "own"), "tenant=t02"},
		{"a shared folder", plain, own + own + "SHARED by 7\n", "SHARED by 7"},
		{"no after_script", plain, own, "says 1 times"},
		{"nothing", files, "", "says 0 times"},
		{"a refused job that runs", refused, refusal + own, "says 1 times"},
		{"a refusal without a reason", refused, "", "RC103"},
		{"a leak that is not found", leaks, own + own, "would be uploaded"},
		{"a cancel that nobody obeys", cancelled, own + own + "ended 7\n", "not stopped"},
		{"an abort that nobody obeys", aborted, own + "ended 7\n", "not stopped"},
		{"the job itself", plain, own + "ended 7\n" + own, ""},
		{"a leak", leaks, own + own + leak, ""},
		{"a refusal", refused, refusal, ""},
		{"a cancel", cancelled, own, ""},
	} {
		got := r.lookAtLog(&task{kind: test.kind, tenant: "t01", run: run}, test.log)
		if test.want == "" && len(got) > 0 || test.want != "" && !strings.Contains(strings.Join(got, "\n"), test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestLeft plants what a job may leave, which must be found.
func TestLeft(t *testing.T) {
	t.Parallel()
	w, err := start(options{tenants: 2, concurrent: 1})
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
		for _, dir := range []string{w.dir, w.credentials} {
			if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s stays: %v", dir, err)
			}
		}
	})
	kit.Must(t, err)
	kit.Must(t, w.warmUp(t.Context()))
	if problems := w.settle(w.descriptors()); problems != nil {
		t.Error(problems)
	}
	daemon := exec.Command("sleep", w.marker)
	kit.Must(t, daemon.Start())
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	run := w.gitlab.Enqueue("glrt-nobody0001", coordinator.Job{})
	id := fmt.Sprint(run.ID())
	secret := w.sts.Requests()[0].Issued.SecretAccessKey
	link := filepath.Join(w.builds(), "t00/protected/soak00000/0/acme/soak.tmp/rolecall-"+id)
	kept := filepath.Join(w.builds(), "t00/kept.txt")
	engine := filepath.Join(w.place("images"), ".jobs/rolecall-"+id+"-0123456789abcdef")
	for _, dir := range []string{filepath.Join(w.credentials, id), link, engine} {
		kit.Must(t, os.MkdirAll(dir, 0o700))
	}
	for _, file := range []string{kept, filepath.Join(filepath.Dir(kept), "leak.txt")} {
		kit.Must(t, os.WriteFile(file, []byte(secret), 0o600))
	}
	want := []string{fmt.Sprint(daemon.Process.Pid), filepath.Join(w.credentials, id), link, engine, kept}
	if group := "/sys/fs/cgroup/freezer/rolecall-" + id + "-0123456789abcdef"; os.Mkdir(group, 0o700) == nil {
		t.Cleanup(func() { _ = os.Remove(group) })
		want = append(want, group)
	}
	got, err := w.left(t.Context(), []*task{{kind: killCleanup, killed: true, run: run}})
	kit.Must(t, err)
	got = slices.DeleteFunc(got, func(problem string) bool { return strings.HasPrefix(problem, "before the sweep: process ") })
	for _, what := range want {
		if !slices.ContainsFunc(got, func(problem string) bool { return strings.Contains(problem, what) }) {
			t.Errorf("no %s in %q", what, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("found %q, want %d", got, len(want))
	}
}

// TestTimes: a driver that takes too long is a violation, where there are enough jobs.
func TestTimes(t *testing.T) {
	t.Parallel()
	gitlab, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(gitlab.Close)
	run := gitlab.Enqueue(driverToken, coordinator.Job{})
	for _, test := range []struct {
		count  int
		took   time.Duration
		missed bool
	}{
		{leastFor, 3 * time.Second, true},
		{leastFor, 1900 * time.Millisecond, false},
		{leastFor - 1, 3 * time.Second, false},
	} {
		r := &report{}
		for range test.count {
			r.tasks = append(r.tasks,
				&task{kind: plain, run: run, result: coordinator.Result{Took: test.took}},
				&task{kind: compared, run: run, result: coordinator.Result{Took: time.Second}})
		}
		var out bytes.Buffer
		if err := r.print(&out, time.Minute); err != nil || len(r.problems) > 0 != test.missed {
			t.Errorf("%d jobs of %v: %q, %v", test.count, test.took, r.problems, err)
		}
	}
}
