package host_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestRun: a script runs from beginning to end of a job's stage: in the group that
// was begun, in its HOME, and with nothing left but its exit code. It runs in a child,
// since a script makes its process a reaper of all children.
func TestRun(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	b, id := host.New(), job.ID(1<<41+int64(os.Getpid()))
	b.Ready()
	state, _, err := b.Place(t.Context(), backend.Spec{AsRoot: true})
	kit.Must(t, err)
	var data struct{ Cgroup, Mark string }
	kit.Must(t, json.Unmarshal(state.Data, &data))
	end, err := b.Begin(state.Data, id)
	kit.Must(t, err)
	home, path := t.TempDir(), filepath.Join(t.TempDir(), "script")
	kit.Must(t, os.WriteFile(path, []byte("pwd; cat /proc/self/cgroup; setsid sleep 1000 & exit 5\n"), 0o600))
	env, err := b.Environ(state.Data, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")})
	kit.Must(t, err)
	var stdout, stderr strings.Builder
	result, err := b.Run(t.Context(), state.Data, backend.Script{Path: path, Stage: "build_script", Env: env, Stdout: &stdout, Stderr: &stderr, Grace: time.Second})
	if err != nil || result.Code != 5 || len(result.Left) > 0 || result.Startup != nil {
		t.Errorf("Run = %+v, %v\n%s", result, err, &stderr)
	}
	where, _, _ := strings.Cut(stdout.String(), "\n")
	if where != home {
		t.Errorf("the script ran in %s, want %s", where, home)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if data.Cgroup == "" {
		t.Skip("NOT TESTED: this host has no cgroup for jobs")
	}
	group := "rolecall-" + id.String() + "-" + data.Mark
	if !strings.Contains(stdout.String(), group) {
		t.Errorf("the script was in no group %s:\n%s", group, &stdout)
	}
	if _, err := os.Stat(filepath.Join(data.Cgroup, group)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the group: %v", err)
	}
}

// TestEndWithoutRun: a group that was begun for a script that does not run goes too.
func TestEndWithoutRun(t *testing.T) {
	t.Parallel()
	b := host.New()
	state, _, err := b.Place(t.Context(), backend.Spec{AsRoot: true})
	kit.Must(t, err)
	id := job.ID(1<<42 + int64(os.Getpid()))
	end, err := b.Begin(state.Data, id)
	kit.Must(t, err)
	if err := end(); err != nil {
		t.Error(err)
	}
	var data struct{ Cgroup, Mark string }
	kit.Must(t, json.Unmarshal(state.Data, &data))
	if data.Cgroup == "" {
		t.Skip("NOT TESTED: this host has no cgroup for jobs")
	}
	if _, err := os.Stat(filepath.Join(data.Cgroup, "rolecall-"+id.String()+"-"+data.Mark)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the group: %v", err)
	}
}
