package sweep_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/cgroup"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/internal/sweep"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// newProgram returns the program as its main.go makes it.
func newProgram() sweep.Parts {
	on := host.New()
	return sweep.Parts{
		Backends: []backend.Reaper{on}, Tidiers: []backend.Tidier{podman.New(on)}, Providers: []policyfile.Provider{grant.AWS{}},
	}
}

// TestMain makes this test binary the program where the test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("ROLECALL_TEST_CHILD") == "sweep" {
		newProgram().Main()
	}
	os.Exit(m.Run())
}

// TestJournalOfHost: the program writes to the journal of the host.
func TestJournalOfHost(t *testing.T) {
	if !kit.InMounts(t, "the journal's socket") {
		return
	}
	kit.Mount(t, "/run", "", 0)
	kit.Must(t, os.MkdirAll("/run/systemd/journal", 0o755))
	next := kit.Listen(t, "/run/systemd/journal/socket")
	self, err := os.Executable()
	kit.Must(t, err)
	command := exec.CommandContext(t.Context(), self, "--rot")
	command.Env = []string{"ROLECALL_TEST_CHILD=sweep"}
	if err := command.Run(); err == nil {
		t.Error("it has not failed")
	}
	if got := next(); !strings.HasPrefix(got, "MESSAGE=flag provided but not defined: -rot\n") {
		t.Errorf("the journal has %q", got)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	policy := filepath.Join(t.TempDir(), "rolecall.toml")
	text := "credentials_dir = \"/a\"\naudit_log = \"/l\"\nmetrics_file = \"/m.prom\"\n[gitlab]\nissuer = \"https://gitlab.example.com\"\n[[tenant]]\nname = \"a\"\n" +
		"role_arn = \"arn:aws:iam::111122223333:role/a\"\naudience = \"a\"\nprojects = [\"a/b\"]\n[containers]\nengine = \"podman\"\nimages_dir = \"/i\"\nimages_max_bytes = 5\n"
	kit.Must(t, os.WriteFile(policy, []byte(text), 0o600))
	got, err := newProgram().Find([]string{"--config", policy}, io.Discard)
	if want := append(state.Roots(), "/a"); err != nil || !slices.Equal(got.Roots, want) || got.Images != "/i" || got.MaxBytes != 5 || got.Log != "/l" || got.Metrics != "/m.prom" {
		t.Errorf("Find = %+v, %v, want %q and /i", got, err, want)
	}
	for _, args := range [][]string{{"--config"}, {"x"}, {"--rot", "/a"}} {
		if got, err := newProgram().Find(args, io.Discard); err == nil || len(got.Roots) > 0 {
			t.Errorf("Find(%q) = %+v", args, got)
		}
	}
	// A policy file that is broken keeps nobody from the other folders.
	kit.Must(t, os.WriteFile(policy, nil, 0o600))
	if got, err := newProgram().Find([]string{"--config", policy}, io.Discard); err == nil || !slices.Equal(got.Roots, state.Roots()) {
		t.Errorf("a broken policy file: %+v, %v", got, err)
	}
}

// TestServe: no folder is swept for arguments that are wrong.
func TestServe(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"--help":  {0, "-config FILE"},
		"--rot":   {1, "rolecall: error: flag provided but not defined: -rot"},
		"/folder": {1, `rolecall: error: unexpected argument "/folder"`},
	} {
		var out, stderr strings.Builder
		code := newProgram().Serve([]string{args}, nil, nil, &out, &stderr)
		if code != want.code || out.Len() > 0 || !strings.Contains(stderr.String(), want.says) {
			t.Errorf("sweep %s: exit code %d, want %d with %q in\n%s%s", args, code, want.code, want.says, &out, &stderr)
		}
	}
}

// TestRun: a line for each job that is removed, in each of the roots, also where
// another one fails and where a cgroup is gone.
func TestRun(t *testing.T) {
	t.Parallel()
	first, file, last := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "c")
	kit.Must(t, os.WriteFile(file, nil, 0o600)) // somebody has planted it; no job has its state there
	dead(t, first, 7, "")
	dead(t, last, 8, "/sys/fs/cgroup/none/such")
	dead(t, last, 9, "/proc") // no cgroup
	var out strings.Builder
	err := newProgram().Run(sweep.Places{Roots: []string{first, "/none/such", file, last}}, &out)
	want := "removed what job 7 left in " + first + "\nremoved what job 8 left in " + last + "\n"
	if out.String() != want {
		t.Errorf("output\n%s, want\n%s", &out, want)
	}
	if err == nil || !strings.Contains(err.Error(), "/proc: not a cgroup") || strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one about /proc alone", err)
	}
	out.Reset()
	if err := newProgram().Run(sweep.Places{Roots: []string{first}}, &out); err != nil || out.Len() > 0 {
		t.Errorf("the second time: %v\n%s", err, &out)
	}
}

// TestImages: what containers of a job that has no record have left in the folder of images
// is gone, and named.
func TestImages(t *testing.T) {
	t.Parallel()
	images := filepath.Join(t.TempDir(), "images")
	left := filepath.Join(images, ".jobs", "rolecall-7-0123456789abcdef")
	kit.Must(t, os.MkdirAll(filepath.Join(left, "root"), 0o700))
	kit.Must(t, os.Chtimes(left, time.Time{}, time.Now().Add(-time.Hour)))
	var out strings.Builder
	err := newProgram().Run(sweep.Places{Images: images}, &out)
	if want := "removed what the containers of a dead job left in " + left + "\n"; err != nil || out.String() != want {
		t.Errorf("output %q, %v, want %q", &out, err, want)
	}
	if _, err := os.Lstat(left); !os.IsNotExist(err) {
		t.Errorf("the folder: %v", err)
	}
	kit.Must(t, os.WriteFile(filepath.Join(images, "file"), nil, 0o600))
	if err := newProgram().Run(sweep.Places{Images: filepath.Join(images, "file")}, &out); fault.CodeOf(err) != fault.LeftBehind {
		t.Errorf("a file in place of the folder: %v", err)
	}
}

// TestAudit: each job that is removed is told of in its own audit log. That this fails is
// an error, but the job is gone.
func TestAudit(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "root")
	log := filepath.Join(filepath.Dir(root), "audit.jsonl")
	dead(t, root, 7, "")
	kit.Must(t, newProgram().Run(sweep.Places{Roots: []string{root}}, io.Discard))
	content, err := os.ReadFile(log)
	kit.Must(t, err)
	if n := auditlog.Check(t, content); n != 1 || !strings.Contains(string(content), `"event":"removed"`) || !strings.Contains(string(content), `"program":"sweep"`) || !strings.Contains(string(content), `"job_id":"7"`) {
		t.Errorf("the audit log has %s", content)
	}
	kit.Must(t, os.Chmod(log, 0o622))
	dead(t, root, 8, "")
	err = newProgram().Run(sweep.Places{Roots: []string{root}}, io.Discard)
	if left, _ := os.ReadDir(root); fault.CodeOf(err) != fault.BadAuditLog || len(left) > 0 {
		t.Errorf("an audit log that others can write to: %v, left %v", err, left)
	}
}

// TestKill: the processes of a dead job go with it.
func TestKill(t *testing.T) {
	parent, err := cgroup.Own()
	if errors.Is(err, cgroup.ErrUnavailable) {
		t.Skipf("NOT TESTED: %v", err)
	}
	kit.Must(t, err)
	defer parent.Close()
	id := job.ID(1<<40 + int64(os.Getpid()))
	name := cgroup.NameOf(int64(id), "")
	group, err := parent.Create(t.Context(), name)
	kit.Must(t, err)
	defer group.Close()
	left := exec.Command("sleep", "1000")
	left.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	kit.Must(t, group.Fork(left.SysProcAttr, left.Start))
	ended := make(chan error, 1)
	go func() { ended <- left.Wait() }()
	root := filepath.Join(t.TempDir(), "root")
	dead(t, root, id, parent.Path())
	kit.Must(t, newProgram().Run(sweep.Places{Roots: []string{root}}, io.Discard))
	select {
	case err := <-ended:
		t.Logf("the process: %v", err)
	case <-time.After(5 * time.Second):
		t.Error("a process of the job lives")
		_ = left.Process.Kill()
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(parent.Path(), string(name))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the cgroup: %v", err)
	}
}

// TestJournal: the host's log gets what could not be removed, and why, with the code.
func TestJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	next := kit.Listen(t, filepath.Join(dir, "socket"))
	dead(t, filepath.Join(dir, "root"), 9, "/proc") // no cgroup
	p := newProgram()
	p.Journal.Journal = filepath.Join(dir, "socket")
	if !p.Report(p.Run(sweep.Places{Roots: []string{filepath.Join(dir, "root")}}, io.Discard), io.Discard) {
		t.Error("no error")
	}
	if got := next(); !strings.HasPrefix(got, "MESSAGE="+dir) || !strings.Contains(got, "/proc: not a cgroup") || !strings.Contains(got, "\nPRIORITY=3\n") || !strings.Contains(got, "\nCODE=RC312\n") {
		t.Errorf("%q", got)
	}
	if got := p.Serve([]string{"--rot"}, nil, nil, io.Discard, io.Discard); got != 1 {
		t.Errorf("wrong arguments: exit code %d", got)
	}
	if got := next(); !strings.Contains(got, "flag provided but not defined") {
		t.Errorf("%q", got)
	}
}
