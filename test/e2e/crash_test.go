package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/cgroup"
	"rolecall/internal/state"
	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// How a runner dies.
const (
	byKill     = "KILL"
	byTerm     = "TERM"              // with no time for what takes long
	withStages = "KILL of all of it" // as the end of a service is
)

// endTime is how long a job's processes may live once its runner is dead.
const endTime = 10 * time.Second

// crash is a runner that dies while its jobs are in each of the phases.
type crash struct {
	*policyWorld
	how     string
	policy  string // empty without one
	token   string
	roots   []string // where the jobs' state is
	cgroup  string   // that the jobs' own are in; empty where the host has none for us
	dir     string   // of the runner
	runner  *lab.RunnerService
	sts     *heldSTS
	victims []*victim
	change  func(coordinator.Job) coordinator.Job // of every job; nil: none
}

// deaf is the phase of a script that does not end when it is told to.
const deaf = "deaf build_script"

// victim is a job whose runner dies.
type victim struct {
	*coordinator.Run
	phase  string
	marker string // an argument of its processes, and of no others
}

// TestRunnerKilled kills the runner, or ends it so that it has no time to clean up,
// while it has a job in each of the phases: its stages end in 10 s with all that they
// run and leave nothing, and what no stage is left for is gone after one sweep.
func TestRunnerKilled(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	for _, isolated := range []bool{true, false} {
		for _, how := range []string{byKill, byTerm, withStages} {
			mode := map[bool]string{true: "users", false: "zero-config"}[isolated]
			t.Run(mode+", "+how, func(t *testing.T) {
				t.Parallel()
				c := newCrash(t, p, isolated, how)
				c.start(t)
				c.hold(t)
				c.die(t)
				c.checkAlone(t)
				c.sweep(t)
				if c.cgroup != "" {
					c.waitEnd(t)
				} else {
					t.Log("SKIPPED: without cgroups nothing finds the daemons of a stage that was killed")
				}
				for _, v := range c.victims {
					c.checkGone(t, v)
				}
			})
		}
	}
}

func newCrash(t *testing.T, p *policyWorld, isolated bool, how string) *crash {
	t.Helper()
	id := fmt.Sprintf("%.1s%d%v", how, len(how), isolated) // a runner's token is told by its first letters
	c := &crash{policyWorld: p, how: how, token: "glrt-" + id, roots: state.Roots(), dir: t.TempDir(), sts: holdSTS(t, p.recorder.URL())}
	if isolated {
		root := p.credentials() + "." + id
		t.Cleanup(func() { _ = os.RemoveAll(root) })
		c.roots = []string{root}
		c.policy = filepath.Join(p.dir, id+".toml")
		p.rewrite(t, c.policy, p.credentials(), root)
	}
	if parent, err := cgroup.Own(); err == nil {
		c.cgroup = parent.Path()
		parent.Close()
	}
	t.Cleanup(c.killScripts)
	return c
}

// killScripts kills what a test that has failed may have found alive.
func (c *crash) killScripts() {
	for _, v := range c.victims {
		for _, path := range v.processes() {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// start starts the runner.
func (c *crash) start(t *testing.T) {
	t.Helper()
	args := lab.AsRoot()
	if c.policy != "" {
		args = []string{"--config", c.policy}
	}
	c.runner = startRunner(t, lab.RunnerOptions{
		Dir: c.dir, Coordinator: c.gitlab.URL(), Concurrent: 10,
		Settings: "shutdown_timeout = 1",
		Env:      []string{"AWS_ENDPOINT_URL_STS=" + c.sts.url, "AWS_REGION=eu-central-1"},
		Runners:  []lab.Runner{{Name: "crash", Token: c.token, Args: args, Settings: "request_concurrency = 5"}},
	})
}

// hold starts a job for each phase and waits until it is in it. All but the first
// sleep without a word, and so does a daemon of theirs.
func (c *crash) hold(t *testing.T) {
	t.Helper()
	for phase, change := range map[string]func(j *coordinator.Job, sleep string){
		"get_sources": func(j *coordinator.Job, sleep string) {
			j.Hooks = map[string][]string{"pre_get_sources_script": {sleep}}
		},
		"build_script": func(j *coordinator.Job, sleep string) { j.Script = []string{sleep} },
		deaf:           func(j *coordinator.Job, sleep string) { j.Script = []string{"trap '' TERM", sleep} },
		"after_script": func(j *coordinator.Job, sleep string) { j.AfterScript = []string{sleep} },
	} {
		c.enqueue(phase, change)
	}
	for _, v := range c.victims {
		until(t, time.Minute, "the sleep of "+v.phase, func() bool { return len(v.processes()) >= 2 })
	}
	c.sts.held.Store(true)
	c.enqueue("prepare", func(*coordinator.Job, string) {})
	select {
	case <-c.sts.asked:
	case <-time.After(time.Minute):
		t.Fatal("STS was not asked")
	}
}

// enqueue gives a job to the runner.
func (c *crash) enqueue(phase string, change func(j *coordinator.Job, sleep string)) {
	marker := fmt.Sprintf("1%09d.%d", rand.IntN(1e9), os.Getpid()) // seconds to sleep
	job := c.alpha("true")
	change(&job, fmt.Sprintf("setsid sleep %[1]s & sleep %[1]s", marker))
	if c.change != nil {
		job = c.change(job)
	}
	c.victims = append(c.victims, &victim{c.gitlab.Enqueue(c.token, job), phase, marker})
}

// die ends the runner.
func (c *crash) die(t *testing.T) {
	t.Helper()
	signals := map[string][]syscall.Signal{byKill: {syscall.SIGKILL}, byTerm: {syscall.SIGTERM}, withStages: {syscall.SIGSTOP, syscall.SIGKILL}}
	for _, signal := range signals[c.how] {
		if err := c.runner.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if signal == syscall.SIGSTOP {
			c.killStages(t)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), endTime)
	defer cancel()
	if err := c.runner.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	close(c.sts.release)
}

// killStages kills the driver's own processes.
func (c *crash) killStages(t *testing.T) {
	t.Helper()
	killed := 0
	for _, pid := range c.runner.Leftovers() {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if name := filepath.Base(exe); name == "run" || name == "prepare" {
			killed++
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
	}
	if killed < len(c.victims) {
		t.Errorf("%d stages were killed", killed)
	}
}

// checkAlone fails the test where a stage that has outlived its runner does not end
// what it runs in time, and remove what it knows of. Where none has, sweep must.
func (c *crash) checkAlone(t *testing.T) {
	t.Helper()
	if c.how == withStages {
		return
	}
	c.waitEnd(t)
	for _, v := range c.victims {
		if left := c.folders(v); len(left) > 0 && (c.how == byKill || v.phase == deaf) {
			t.Errorf("%s: %v is left without a sweep", v.phase, left)
		}
	}
}

// waitEnd waits for the end of all that the jobs run.
func (c *crash) waitEnd(t *testing.T) {
	t.Helper()
	until(t, endTime, "the end of all processes", func() bool {
		return len(c.runner.Leftovers()) == 0 && !slices.ContainsFunc(c.victims, func(v *victim) bool { return len(v.processes()) > 0 })
	})
}

// sweep runs the program sweep once.
func (c *crash) sweep(t *testing.T) {
	t.Helper()
	programs, err := lab.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	if c.policy != "" {
		args = []string{"--config", c.policy}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(programs.Run), "sweep"), args...).CombinedOutput()
	if err != nil {
		t.Errorf("sweep: %v: %s", err, out)
	}
	t.Logf("sweep: %s", out)
}

// folders are what is left of a job's state, and of its cgroup.
func (c *crash) folders(v *victim) []string {
	var left []string
	for _, root := range c.roots {
		found, _ := filepath.Glob(filepath.Join(root, fmt.Sprint(v.ID())))
		left = append(left, found...)
	}
	name := fmt.Sprintf("rolecall-%d", v.ID())
	links, _ := filepath.Glob(filepath.Join(c.runner.BuildsDir, "*/*/*/*.tmp", name))
	groups, _ := filepath.Glob(filepath.Join(c.cgroup, name+"-*"))
	return slices.Concat(left, links, groups)
}

// checkGone fails the test where something is left of a job.
func (c *crash) checkGone(t *testing.T, v *victim) {
	t.Helper()
	if left := c.folders(v); len(left) > 0 {
		t.Errorf("%s: %v is left after a sweep", v.phase, left)
	}
	secrets := c.issued(v)
	if len(secrets) == 0 && (v.phase != "prepare" || c.how == byKill) {
		t.Fatalf("%s: nothing was issued; log:\n%s", v.phase, v.Text())
	}
	if len(secrets) == 0 {
		return
	}
	dirs := append(state.Roots(), "/dev/shm", c.dir, filepath.Join(c.policyWorld.dir, "builds"), filepath.Join(c.policyWorld.dir, "cache"))
	files, found, err := lab.Search(secrets, dirs...)
	if err != nil || files == 0 || len(found) > 0 {
		t.Errorf("%s: a search for %d secrets in %d files: found in %v, %v", v.phase, len(secrets), files, found, err)
	}
	if found := inProcesses(secrets); len(found) > 0 {
		t.Errorf("%s: secrets are in %v", v.phase, found)
	}
	checkUploads(t, v.Run, secrets)
}

// issued are the values that STS has issued to a job.
func (c *crash) issued(v *victim) []string {
	var secrets []string
	for _, i := range c.recorder.Issued() {
		if strings.HasSuffix(i.SessionName, fmt.Sprintf("-%d", v.ID())) {
			secrets = append(secrets, i.AccessKeyID, i.SecretAccessKey, i.SessionToken)
		}
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}

// processes are those that the job's script has started.
func (v *victim) processes() []string {
	return processFiles("cmdline", func(content []byte) bool { return bytes.Contains(content, []byte(v.marker)) })
}
