package script_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// order names the variable that makes the test binary a driver, with the path of its
// orders. Run makes its process the reaper of all children, so it cannot run in the
// test's own process.
const order = "SCRIPT_TEST_ORDER"

// orders is what a driver process does.
type orders struct {
	Scripts []string // paths, run one after the other
	Env     []string
	Unset   []string
	Set     []string
	Dir     string
	Grace   time.Duration
	User    *script.User
	Limits  script.Limits
	Deny    []kit.Call // system calls that fail
	Files   uint64     // how many descriptors the driver may have
	Size    uint64     // how big a file may be that the driver writes
	Cancel  bool       // the context has ended from the start
	Ended   string     // path of a file that is there when the job has ended
	Report  string     // path of the file for the reports
}

// report is how one script ended.
type report struct {
	Code  int
	Left  []int
	Read  script.Progress
	Err   string
	Alive []kit.Process // the processes with the mark, when Run returned
	Took  time.Duration
}

// mark is in the environment of each script, so that its processes can be found.
const mark = "SCRIPT_TEST_MARK"

func TestMain(m *testing.M) {
	if os.Getenv(probe) != "" {
		probeHost()
		return
	}
	path := os.Getenv(order)
	if path == "" {
		os.Exit(m.Run())
	}
	var o orders
	content, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(content, &o)
	}
	if err == nil {
		err = o.obey()
	}
	if err != nil {
		panic(err)
	}
}

// obey runs the scripts as the run stage does and writes the reports.
func (o orders) obey() error {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if o.Cancel {
		stop()
	}
	var reports []report
	if err := o.bound(); err != nil {
		return err
	}
	for _, path := range o.Scripts {
		begin := time.Now()
		result, err := script.Script{
			Path: path, Env: o.Env, Dir: o.Dir, Stdout: os.Stdout, Stderr: os.Stderr, Grace: o.Grace,
			Unset: o.Unset, Set: o.Set, User: o.User, Limits: o.Limits, Ended: func() bool { return exists(o.Ended) },
		}.Run(ctx)
		r := report{Code: result.Code, Left: result.Left, Read: result.Read, Alive: kit.Marked(o.Env[0]), Took: time.Since(begin)}
		if err != nil {
			r.Err = err.Error()
		}
		reports = append(reports, r)
	}
	content, err := json.Marshal(reports)
	if err != nil {
		return err
	}
	if o.Files > 0 {
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 100, Max: 100})
	}
	if o.Size > 0 {
		_ = limitSize(unix.RLIM_INFINITY)
	}
	return os.WriteFile(o.Report, content, 0o600)
}

// bound takes from the driver what its orders say.
func (o orders) bound() error {
	if o.Files > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: o.Files, Max: 100}); err != nil {
			return err
		}
	}
	if o.Size > 0 {
		if err := limitSize(o.Size); err != nil {
			return err
		}
	}
	if len(o.Deny) == 0 {
		return nil
	}
	return kit.Deny(unix.EIO, o.Deny...)
}

// limitSize bounds how big a file may be that the driver writes.
func limitSize(most uint64) error {
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: most, Max: unix.RLIM_INFINITY})
}

// exists reports whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// driver is a driver process of a test.
type driver struct {
	*exec.Cmd
	orders orders
	path   string // PATH of the driver itself
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// newDriver returns a driver that will run scripts of these texts.
func newDriver(t *testing.T, texts ...string) *driver {
	t.Helper()
	self, err := os.Executable()
	kit.Must(t, err)
	dir := t.TempDir()
	d := &driver{Cmd: exec.Command(self), path: os.Getenv("PATH")}
	d.orders = orders{
		Env:    []string{mark + "=" + dir, "PATH=" + os.Getenv("PATH"), "HOME=" + dir},
		Dir:    dir,
		Grace:  10 * time.Second,
		Report: filepath.Join(dir, "report"),
	}
	for i, text := range texts {
		path := filepath.Join(dir, fmt.Sprintf("script%d", i))
		kit.Must(t, os.WriteFile(path, []byte(text), 0o600))
		d.orders.Scripts = append(d.orders.Scripts, path)
	}
	d.Stdout, d.Stderr = &d.stdout, &d.stderr
	return d
}

// start starts the driver. The test's clean-up kills processes that are left.
func (d *driver) start(t *testing.T) {
	t.Helper()
	content, err := json.Marshal(d.orders)
	kit.Must(t, err)
	path := d.orders.Report + ".orders"
	kit.Must(t, os.WriteFile(path, content, 0o600))
	if d.SysProcAttr != nil && d.SysProcAttr.Credential != nil {
		kit.Must(t, os.Chown(path, int(d.SysProcAttr.Credential.Uid), -1))
	}
	// The race detector would keep each driver for a second when it exits.
	d.Env = []string{"PATH=" + d.path, "OF_THE_DRIVER=1", order + "=" + path, "GORACE=atexit_sleep_ms=0"}
	kit.Must(t, d.Start())
	t.Cleanup(func() {
		_ = d.Process.Kill()
		kit.KillMarked(d.orders.Env[0])
	})
}

// end waits for the driver and returns its reports. No process of a script may be left.
func (d *driver) end(t *testing.T) []report {
	t.Helper()
	reports := d.reports(t)
	for _, r := range reports {
		if len(r.Left)+len(r.Alive) > 0 {
			t.Errorf("after Run these still live: %v %v", r.Left, r.Alive)
		}
	}
	return reports
}

// reports waits for the driver and returns its reports.
func (d *driver) reports(t *testing.T) []report {
	t.Helper()
	if err := d.Wait(); err != nil {
		t.Fatalf("driver: %v\n%s", err, &d.stderr)
	}
	content, err := os.ReadFile(d.orders.Report)
	kit.Must(t, err)
	var reports []report
	kit.Must(t, json.Unmarshal(content, &reports))
	return reports
}

// run runs one script to its end and expects that it could be run.
func run(t *testing.T, text string) (*driver, report) {
	t.Helper()
	d := newDriver(t, text)
	d.start(t)
	r := d.end(t)[0]
	if r.Err != "" {
		t.Errorf("Run: %s", r.Err)
	}
	return d, r
}

// file returns the path of a file in the script's folder.
func (d *driver) file(name string) string { return filepath.Join(d.orders.Dir, name) }

// await waits until the script has made the file name.
func (d *driver) await(t *testing.T, name string) {
	t.Helper()
	made := func() bool { _, err := os.Stat(d.file(name)); return err == nil }
	kit.Await(t, "the script makes "+name, made)
}
