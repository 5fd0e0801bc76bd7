package host_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// groupsOf returns the data of a job and the folder that its cgroup has.
func groupsOf(t *testing.T, id job.ID) (json.RawMessage, string) {
	t.Helper()
	kit.NeedRoot(t, "cgroups")
	state, _, err := host.New().Place(t.Context(), backend.Spec{AsRoot: true})
	kit.Must(t, err)
	var data struct{ Cgroup string }
	kit.Must(t, json.Unmarshal(state.Data, &data))
	if data.Cgroup == "" {
		t.Skip("NOT TESTED: this host has no cgroup for jobs")
	}
	return state.Data, filepath.Join(data.Cgroup, "rolecall-"+id.String())
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
	result, err := next.Run(t.Context(), data, backend.Script{Path: "/etc/hostname", Stdout: &out, Stderr: &out})
	if err == nil || !strings.HasPrefix(err.Error(), group) || out.Len() > 0 || result.Code != 0 {
		t.Errorf("the next script: %+v, %v, %s", result, err, &out)
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
		result, err := b.Run(t.Context(), json.RawMessage(test.data), backend.Script{Path: path, Env: []string{"PATH=" + os.Getenv("PATH")}, Stdout: &out, Stderr: &out})
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
