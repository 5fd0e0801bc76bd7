package host_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// groupsOf returns the data of a job and the folder that its cgroup has.
func groupsOf(t *testing.T, id job.ID) (json.RawMessage, string) {
	t.Helper()
	return groupIn(t, backend.Spec{AsRoot: true}, id)
}

// groupIn is groupsOf for a job with that Spec.
func groupIn(t *testing.T, spec backend.Spec, id job.ID) (json.RawMessage, string) {
	t.Helper()
	kit.NeedRoot(t, "cgroups")
	state, _, err := host.New().Place(t.Context(), spec)
	kit.Must(t, err)
	var data struct{ Cgroup, Mark string }
	kit.Must(t, json.Unmarshal(state.Data, &data))
	if data.Cgroup == "" {
		t.Skip("NOT TESTED: this host has no cgroup for jobs")
	}
	return state.Data, filepath.Join(data.Cgroup, "rolecall-"+id.String()+"-"+data.Mark)
}

// nest makes groups in a group until they are too deep to be removed. The end of the test
// removes them.
func nest(t *testing.T, group string) {
	t.Helper()
	for range 201 {
		path := group
		t.Cleanup(func() { kit.Must(t, os.Remove(path)) })
		group += "/x"
		kit.Must(t, os.Mkdir(group, 0o755))
	}
	t.Cleanup(func() { kit.Must(t, os.Remove(group)) })
}

// TestGroupStays: a group that cannot be removed is reported at the end of the script, and
// the next script of the job does not start in it.
func TestGroupStays(t *testing.T) {
	t.Parallel()
	id := job.ID(1<<43 + int64(os.Getpid()))
	data, group := groupsOf(t, id)
	b := host.New()
	end, err := b.Begin(data, id)
	kit.Must(t, err)
	kit.Await(t, "the group is there", func() bool { _, err := os.Stat(group); return err == nil })
	nest(t, group)
	if err := end(); err == nil || !strings.HasPrefix(err.Error(), "the cgroup of the job stays until the cleanup stage: "+group) {
		t.Errorf("the end: %v", err)
	}
	next := host.New()
	end, err = next.Begin(data, id)
	kit.Must(t, err)
	var out strings.Builder
	result, err := next.Run(t.Context(), data, backend.Script{Path: "/etc/hostname", Stdout: &out, Stderr: io.Discard})
	if err == nil || !strings.HasPrefix(err.Error(), group) || out.Len() > 0 || result.Code != 0 {
		t.Errorf("the next script: %+v, %v, %s", result, err, &out)
	}
	if err := next.Start(data, exec.Command("true")); err == nil || !strings.HasPrefix(err.Error(), group) {
		t.Errorf("a program of the driver: %v", err)
	}
	if err := end(); err != nil {
		t.Errorf("the end of a script that did not start: %v", err)
	}
}

// TestGroupOfAnother: where the record names another parent than the process's own cgroup,
// or the job can have no group, the script runs in none, and no group is touched.
func TestGroupOfAnother(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) { // a script makes its process a reaper of all children
		return
	}
	id := job.ID(1<<44 + int64(os.Getpid()))
	data, group := groupsOf(t, id)
	kit.Must(t, os.Mkdir(group, 0o755))
	t.Cleanup(func() { kit.Must(t, os.Remove(group)) })
	path := filepath.Join(t.TempDir(), "script")
	kit.Must(t, os.WriteFile(path, []byte("cat /proc/self/cgroup\n"), 0o600))
	for name, test := range map[string]struct {
		data string
		id   job.ID
	}{
		"no parent": {`{"as_root":true}`, id}, "nothing there": {`{"as_root":true,"cgroup":"/none/such"}`, id},
		"the group itself": {fmt.Sprintf(`{"as_root":true,"cgroup":%q}`, group), id}, "no job": {string(data), 0},
	} {
		b := host.New()
		end, err := b.Begin(json.RawMessage(test.data), test.id)
		kit.Must(t, err)
		var out strings.Builder
		result, err := b.Run(t.Context(), json.RawMessage(test.data), backend.Script{Path: path, Env: []string{"PATH=" + os.Getenv("PATH")}, Stdout: &out, Stderr: io.Discard})
		if err != nil || result.Code != 0 || !strings.Contains(out.String(), ":/") || strings.Contains(out.String(), "rolecall-") {
			t.Errorf("%s: %+v, %v\n%s", name, result, err, &out)
		}
		if err := end(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if made, _ := filepath.Glob(filepath.Dir(group) + "/rolecall-0"); len(made) > 0 {
			t.Errorf("%s: it made %q", name, made)
		}
	}
	if left, err := os.ReadDir(group); err != nil {
		t.Errorf("the group of another stage: %v, %v", left, err)
	}
}

// TestSameID: jobs of one id, in two stores or of two GitLab servers, live in one cgroup
// beside each other. What a stage or a cleanup of one job kills is its own.
func TestSameID(t *testing.T) {
	t.Parallel()
	id := job.ID(1<<45 + int64(os.Getpid()))
	proof := func(proof string) job.Response { return job.Response{Key: job.Key{ID: id, Proof: proof}} }
	own := backend.Spec{AsRoot: true, Store: "/run/a", Job: proof("x")}
	data, group := groupIn(t, own, id)
	if _, again := groupIn(t, own, id); again != group {
		t.Errorf("a second attempt of the job has the group %s, want %s", again, group)
	}
	_, err := host.New().Begin(data, id)
	kit.Must(t, err)
	kit.Await(t, "the group is there", func() bool { _, err := os.Stat(group); return err == nil })
	process := exec.Command("sleep", "1000")
	kit.Must(t, process.Start())
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	kit.Must(t, os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(process.Process.Pid)), 0))
	for _, other := range []backend.Spec{{AsRoot: true, Store: "/run/b", Job: proof("x")}, {AsRoot: true, Store: "/run/a", Job: proof("y")}} {
		data, _ := groupIn(t, other, id)
		end, err := host.New().Begin(data, id)
		kit.Must(t, err)
		kit.Must(t, end())
		kit.Must(t, host.New().Reap(t.Context(), data, id))
	}
	select {
	case err := <-ended:
		t.Fatalf("the process of another service's job was killed: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	kit.Must(t, host.New().Reap(t.Context(), data, id))
	if err := <-ended; process.ProcessState.String() != "signal: killed" {
		t.Errorf("the job's own process ended with %v", err)
	}
}
