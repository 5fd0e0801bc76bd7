package e2e_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/internal/cgroup"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// storm starts processes that ignore SIGTERM, faster than they can be killed one by one. It
// sleeps as long as the job's marker says.
const storm = `trap "" TERM; (while :; do (sleep %[1]s &); sleep 0.05; done) & echo started; while :; do echo tick; sleep 0.5; done`

// ending is how a job with an image is stopped, and what is to come of it.
type ending struct {
	name   string
	change func(j *coordinator.Job)
	stop   func(t *testing.T, run *coordinator.Run) // once its script has started
	state  string
	reason string
	log    []string
}

// killing is an ending by SIGKILL of one of the programs that run the job.
func (w *containerWorld) killing(victim, reason string, log ...string) ending {
	return ending{"KILL of " + victim, nil, func(t *testing.T, run *coordinator.Run) {
		t.Helper()
		if !w.kill(run, victim) {
			t.Errorf("no %s is found", victim)
		}
	}, "failed", reason, log}
}

// endings are those of TestContainerEnds.
func (w *containerWorld) endings() []ending {
	cancel := func(_ *testing.T, run *coordinator.Run) { run.Cancel() }
	return []ending{
		{"cancel", nil, cancel, "canceled", "", []string{"after kept alpha"}},
		{"abort", nil, func(_ *testing.T, run *coordinator.Run) { run.Abort() }, "canceled", "", nil},
		{"timeout", func(j *coordinator.Job) { j.Timeout = 12 * time.Second }, nil, "failed", "job_execution_timeout", nil},
		w.killing("run", "runner_system_failure", "rolecall was killed while it ran the script before this one, and the container ended with it"),
		w.killing("podman", "runner_system_failure", "podman was killed before the script ended"),
		w.killing("conmon", "runner_system_failure", "the container engine ended before the script"),
		w.killing("init", "script_failure", "after kept alpha"), // with it the container ends, and says 137
	}
}

// TestContainerEnds: however a job with an image ends, during a storm of processes that ignore
// SIGTERM, nothing of it runs ten seconds later, and nothing is left after the cleanup. No
// exit code is made up.
func TestContainerEnds(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	for _, e := range w.endings() {
		marker := fmt.Sprintf("1%09d", rand.IntN(1e9))
		job := w.alpha("echo kept $TENANT > /root/kept", fmt.Sprintf(storm, marker))
		job.AfterScript = []string{`echo "after $(cat /root/kept)"`}
		if e.change != nil {
			e.change(&job)
		}
		run := w.enqueue(sharedToken, w.in("ci/tool:1", job))
		untilLog(t, run, "tick")
		if e.stop != nil {
			e.stop(t, run)
		}
		result := waitStopped(t, run, e, marker)
		if result.State != e.state || e.state == "failed" && result.FailureReason != e.reason || e.reason == "script_failure" && result.ExitCode != 137 {
			t.Errorf("%s: %+v, want %s %s; log:\n%s", e.name, result, e.state, e.reason, run.Text())
		}
		contains(t, run.Text(), e.log...)
		w.settle(t)
		w.checkNoContainer(t, e.name)
	}
	w.checkNothingLeft(t)
}

// waitStopped waits until nothing of a job runs that sleeps as the marker says, and then for
// the job's result.
func waitStopped(t *testing.T, run *coordinator.Run, e ending, marker string) coordinator.Result {
	t.Helper()
	limit := endTime
	if e.stop == nil {
		limit += 12 * time.Second // of the timeout
	}
	begin := time.Now()
	until(t, limit, e.name+": the end of all processes", func() bool { return len(sleeping(marker)) == 0 })
	t.Logf("%s: all processes ended after %v", e.name, time.Since(begin).Round(time.Millisecond))
	return wait(t, run)
}

// sleeping are the files of processes that have the marker as an argument.
func sleeping(marker string) []string {
	return processFiles("cmdline", func(content []byte) bool { return bytes.Contains(content, []byte(marker)) })
}

// TestContainerRunnerKilled is TestRunnerKilled for jobs with an image.
func TestContainerRunnerKilled(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	for _, how := range []string{byKill, byTerm, withStages} {
		c := newCrash(t, w.policyWorld, true, how)
		c.change = func(job coordinator.Job) coordinator.Job { return w.in("ci/tool:1", job) }
		c.start(t)
		c.hold(t)
		c.die(t)
		c.checkAlone(t)
		c.sweep(t)
		c.waitEnd(t)
		for _, v := range c.victims {
			c.checkGone(t, v)
		}
		w.checkNoContainer(t, how)
	}
}

// TestContainerPreparedAgain: a job whose prepare stage or engine dies while the image is
// pulled or the container created is prepared again, and succeeds.
func TestContainerPreparedAgain(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	for i, verb := range []string{"pull", "create"} {
		for k, victim := range []string{"prepare", "podman"} {
			image := fmt.Sprintf("ci/again:%d%d", i, k)
			w.push(t, image, v1.Config{}, lab.ImageFile{Path: "which", Content: image})
			run := w.enqueue(sharedToken, w.in(image, w.alpha("cat /which")))
			until(t, time.Minute, "podman "+verb, func() bool { return w.process(run, "podman", verb) > 0 })
			if !w.kill(run, victim) {
				t.Errorf("%s of %s: it has ended before", victim, verb)
			}
			if result := wait(t, run); result.State != "success" {
				t.Errorf("KILL of %s in %s: %+v; log:\n%s", victim, verb, result, run.Text())
			}
			contains(t, run.Text(), image)
			w.settle(t)
			w.checkNoContainer(t, victim+" in "+verb)
		}
	}
	w.checkNothingLeft(t)
}

// kill kills a program that runs a job with SIGKILL, and reports whether there was one: a
// stage of the driver, a program of the engine, or the first process of the container.
func (w *containerWorld) kill(run *coordinator.Run, victim string) bool {
	pid := 0
	switch victim {
	case "prepare", "run":
		pid = stageOf(run, victim)
	default:
		pid = w.process(run, victim, "")
	}
	return pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil
}

// stageOf returns the process of a stage of a job, 0 if there is none.
func stageOf(run *coordinator.Run, stage string) int {
	entry := []byte(fmt.Sprintf("\x00CUSTOM_ENV_CI_JOB_ID=%d\x00", run.ID()))
	for _, path := range processFiles("environ", func(content []byte) bool { return bytes.Contains(content, entry) }) {
		if exe, _ := os.Readlink(filepath.Join(filepath.Dir(path), "exe")); filepath.Base(exe) == stage {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	return 0
}

// process returns a process in the cgroups of a job, 0 if there is none: one of that program
// that has the argument, which may be empty; "init" is the first process of a container.
func (w *containerWorld) process(run *coordinator.Run, program, argument string) int {
	for _, pid := range processesOf(run) {
		proc := fmt.Sprintf("/proc/%d/", pid)
		name, _ := os.ReadFile(proc + "comm")
		status, _ := os.ReadFile(proc + "status")
		args, _ := os.ReadFile(proc + "cmdline")
		first := bytes.Contains(status, []byte("\t1\nNSpgid:"))
		if (program == "init" && first || strings.TrimSpace(string(name)) == program) &&
			(argument == "" || slices.Contains(strings.Split(string(args), "\x00"), argument)) {
			return pid
		}
	}
	return 0
}

// processesOf are the processes in the cgroups of a job.
func processesOf(run *coordinator.Run) []int {
	parent, err := cgroup.Own()
	if err != nil {
		return nil
	}
	defer parent.Close()
	var pids []int
	groups, _ := filepath.Glob(filepath.Join(parent.Path(), fmt.Sprintf("rolecall-%d-*", run.ID()), "cgroup.procs"))
	for _, path := range groups {
		content, _ := os.ReadFile(path)
		for text := range strings.FieldsSeq(string(content)) {
			if pid, err := strconv.Atoi(text); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
