package host_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/job"
)

// inChild runs the test in a process of its own, since a script makes its process a
// reaper of all children, and reports whether this process is that child.
func inChild(t *testing.T) bool {
	t.Helper()
	const child = "HOST_CHILD_TEST"
	if os.Getenv(child) == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), child+"="+t.Name(), "GORACE=atexit_sleep_ms=0")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("in a child process: %v\n%s", err, out)
	}
	return false
}

// TestRun: a script runs from beginning to end of a job's stage: in the group that
// was begun, in its HOME, and with nothing left but its exit code.
func TestRun(t *testing.T) {
	if !inChild(t) {
		return
	}
	b, id := host.New(), job.ID(1<<41+int64(os.Getpid()))
	b.Ready()
	state, _, err := b.Place(t.Context(), backend.Spec{AsRoot: true})
	if err != nil {
		t.Fatal(err)
	}
	var data struct{ Cgroup string }
	if err := json.Unmarshal(state.Data, &data); err != nil {
		t.Fatal(err)
	}
	end, err := b.Begin(state.Data, id)
	if err != nil {
		t.Fatal(err)
	}
	home, path := t.TempDir(), filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("pwd; cat /proc/self/cgroup; setsid sleep 1000 & exit 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := b.Environ(state.Data, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")})
	if err != nil {
		t.Fatal(err)
	}
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
	group := "rolecall-" + id.String()
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
	if err != nil {
		t.Fatal(err)
	}
	id := job.ID(1<<42 + int64(os.Getpid()))
	end, err := b.Begin(state.Data, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	var data struct{ Cgroup string }
	if err := json.Unmarshal(state.Data, &data); err != nil || data.Cgroup == "" {
		t.Skipf("NOT TESTED: this host has no cgroup for jobs (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(data.Cgroup, "rolecall-"+id.String())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the group: %v", err)
	}
}
