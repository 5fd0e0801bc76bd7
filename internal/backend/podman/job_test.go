package podman_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// placed is a job that has its place.
type placed struct {
	t     *testing.T
	dir   string // of the test
	data  json.RawMessage
	id    job.ID
	order backend.Order

	warned []string
	start  time.Duration // bounds how long podman may take; 0: as always
}

const image = "localhost/busybox:1"

// newJob places a job on a host of its own. Its image is not there yet.
func newJob(t *testing.T, id job.ID, change func(*backend.Spec)) *placed {
	t.Helper()
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o755))
	return newJobIn(t, dir, id, change)
}

// newJobIn places a job on the host whose folders are in dir.
func newJobIn(t *testing.T, dir string, id job.ID, change func(*backend.Spec)) *placed {
	t.Helper()
	spec := specOf(dir, id)
	if change != nil {
		change(&spec)
	}
	state, owner, err := podman.New(host.New()).Place(t.Context(), spec)
	kit.Must(t, err)
	own := filepath.Join(state.OwnDirs, id.String())
	kit.Must(t, os.Mkdir(own, 0o700))
	kit.Must(t, os.Chown(own, int(owner.UID), int(owner.GID)))
	p := &placed{t: t, dir: dir, data: state.Data, id: id}
	p.order = backend.Order{
		Containers: spec.Containers, Secrets: dir + "/secret",
		Say: func(string) {}, Warn: func(text string) { p.warned = append(p.warned, text) },
	}
	return p
}

// withImage imports the image of the job, changed as a Dockerfile would change it.
func (p *placed) withImage(changes ...string) *placed {
	p.t.Helper()
	path := filepath.Join(p.dir, "image.tar")
	files, err := lab.BusyboxFiles()
	kit.Must(p.t, err)
	packed, err := lab.PackImage(files...)
	kit.Must(p.t, err)
	kit.Must(p.t, os.WriteFile(path, packed, 0o600))
	kit.Must(p.t, os.Chmod(path, 0o644))
	var args []string
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	kit.Must(p.t, apart(func() error {
		return podman.New(host.New()).Import(p.t.Context(), p.data, p.id, append(args, path, image)...)
	}))
	return p
}

// specOf returns a job whose folders are in dir.
func specOf(dir string, id job.ID) backend.Spec {
	return backend.Spec{
		Job: job.Response{Key: job.Key{ID: id, Proof: dir}}, Store: dir + "/store", Folder: "alpha/protected",
		BuildsDir: dir + "/builds", CacheDir: dir + "/cache", TempProject: dir + "/builds/alpha/protected/r/0/group/project.tmp",
		RunAs: "nobody", OwnHome: true,
		Containers: &backend.Containers{
			Image:  backend.Image{Name: image, Policies: []backend.PullPolicy{backend.Never}},
			Engine: backend.Engine{Name: "podman", ImagesDir: dir + "/images", Network: "host", PullTime: time.Minute},
		},
	}
}

// build builds the place.
func (p *placed) build() error {
	return apart(func() error {
		return podman.New(host.New()).Within(p.start).Build(p.t.Context(), p.data, p.id, p.order)
	})
}

// apart calls does in a thread that ends afterwards: what starts a program for a job takes
// rights from its thread.
func apart(does func() error) error {
	done := make(chan error)
	go func() { done <- does() }()
	return <-done
}

// built is a job that is ready to run scripts.
func built(t *testing.T, id job.ID, change func(*backend.Spec), changes ...string) *placed {
	t.Helper()
	p := newJob(t, id, change).withImage(changes...)
	kit.Must(t, p.build())
	t.Cleanup(func() { _ = p.reap() })
	return p
}

// reap ends the job.
func (p *placed) reap() error {
	return apart(func() error { return podman.New(host.New()).Reap(context.Background(), p.data, p.id) })
}

// outcome is how a script ended.
type outcome struct {
	Code      int
	Err       string
	FaultCode string
	stdout    string
	stderr    string
}

// step is what a child process of a test does.
type step struct {
	Data   json.RawMessage
	ID     job.ID
	Path   string // of the script
	Stage  string
	Unset  []string
	Set    []string
	Files  []string
	After  time.Duration // the stage is stopped then; 0: never
	Start  time.Duration // bounds the start of the container; 0: as always
	Result string        // path of the file for the outcome
}

// run runs a script of a stage in a process of its own, as the run stage does.
func (p *placed) run(stage, text string, change func(*step)) outcome {
	p.t.Helper()
	s, child := p.command(stage, text, change)
	var stdout, stderr bytes.Buffer
	child.Stdout, child.Stderr = &stdout, &stderr
	if err := child.Run(); err != nil {
		p.t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	var o outcome
	content, err := os.ReadFile(s.Result)
	kit.Must(p.t, err)
	kit.Must(p.t, json.Unmarshal(content, &o))
	o.stdout, o.stderr = stdout.String(), stderr.String()
	return o
}

// command returns the process that runs a script of a stage.
func (p *placed) command(stage, text string, change func(*step)) (step, *exec.Cmd) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "script")
	kit.Must(p.t, os.WriteFile(path, []byte(text), 0o600))
	s := step{Data: p.data, ID: p.id, Path: path, Stage: stage, Result: path + ".json"}
	if change != nil {
		change(&s)
	}
	order, err := json.Marshal(s)
	kit.Must(p.t, err)
	kit.Must(p.t, os.WriteFile(path+".step", order, 0o600)) // it can have secrets
	child := kit.Child(p.t, &syscall.SysProcAttr{}, "STEP="+path+".step")
	child.Args = append(child.Args[:2], child.Args[3:]...) // without -test.v
	return s, child
}

// isStep runs the step of a child process, and reports whether this is one.
func isStep(t *testing.T) bool {
	t.Helper()
	path := os.Getenv("STEP")
	if path == "" {
		return false
	}
	order, err := os.ReadFile(path)
	kit.Must(t, err)
	var s step
	kit.Must(t, json.Unmarshal(order, &s))
	ctx := t.Context()
	if s.After > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.After)
		defer cancel()
	}
	b := podman.New(host.New()).Within(s.Start)
	end, err := b.Begin(s.Data, s.ID)
	kit.Must(t, err)
	result, err := b.Run(ctx, s.Data, backend.Script{
		Path: s.Path, Stage: s.Stage, Unset: s.Unset, Set: s.Set, Files: s.Files,
		Env: []string{"PATH=/usr/bin:/bin", "HOME=/tmp"}, Grace: time.Second, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	kit.Must(t, end())
	o := outcome{Code: result.Code}
	if err != nil {
		o.Err, o.FaultCode = err.Error(), string(fault.CodeOf(err))
	}
	content, err := json.Marshal(o)
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(s.Result, content, 0o600))
	return true
}

// TestScripts: the user's scripts run in the container, whose files stay from one to the
// next; all others run on the host.
func TestScripts(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "scripts in containers") {
		return
	}
	p := built(t, 4711, nil)
	secret := filepath.Join(p.order.Secrets, ".aws.alpha.env")
	kit.Must(t, os.MkdirAll(p.order.Secrets, 0o711))
	kit.Must(t, os.WriteFile(secret, []byte("AWS_SECRET_ACCESS_KEY=it's\n"), 0o600))
	o := p.run("build_script", `id -u; pwd; echo "$A $AWS_PROFILE"; cat `+secret+`; echo kept > /root/kept; echo mine > `+p.dir+`/builds/alpha/protected/r/0/group/file; echo err >&2; (sleep 1000 &); exit 37`,
		func(s *step) {
			s.Unset, s.Set, s.Files = []string{"AWS_*"}, []string{"A=it's"}, []string{secret}
		})
	if want := "0\n/\nit's \nAWS_SECRET_ACCESS_KEY=it's\n"; o.Code != 37 || !strings.HasPrefix(o.stdout, want) || !strings.HasPrefix(o.stderr, "err\n") {
		t.Errorf("%+v, want code 37 and %q", o, want)
	}
	if o := p.run("after_script", "cat /root/kept; ps", nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "kept\n") || strings.Contains(o.stdout, "1000") {
		t.Errorf("%+v, want the file of the script before, and none of its processes", o)
	}
	if o := p.run("archive_cache", "id -un; exit 0\n", nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "nobody\n") {
		t.Errorf("%+v, want a script on the host", o)
	}
	kit.Must(t, p.reap())
	if _, err := os.Stat(podman.DirOf(p.data)); !os.IsNotExist(err) {
		t.Errorf("the folder of the containers: %v, want none", err)
	}
}
