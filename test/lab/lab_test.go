package lab_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// The runners of these tests, by their tokens.
const (
	customToken = "glrt-custom0001"
	shellToken  = "glrt-shell00001"
)

// runStage is a custom executor's run stage that only runs the script.
const runStage = `#!/bin/bash
bash -l "$1" && exit 0
echo "$?" > "$BUILD_EXIT_CODE_FILE"
exit "$BUILD_FAILURE_EXIT_CODE"
`

func startCoordinator(t *testing.T) *coordinator.Server {
	t.Helper()
	server, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return server
}

// bashDriver is the least custom executor there can be.
func bashDriver(t *testing.T) lab.Driver {
	t.Helper()
	script := filepath.Join(t.TempDir(), "run")
	kit.Must(t, os.WriteFile(script, []byte(runStage), 0o755))
	return lab.Driver{
		Config:  []string{"/bin/echo", `{"builds_dir_is_shared":true}`},
		Prepare: []string{"/bin/true"},
		Run:     []string{script},
		Cleanup: []string{"/bin/true"},
	}
}

func startRunner(t *testing.T, server *coordinator.Server) *lab.RunnerService {
	t.Helper()
	runner, err := lab.StartRunner(t.Context(), lab.RunnerOptions{
		Dir:         t.TempDir(),
		Coordinator: server.URL(),
		Runners: []lab.Runner{
			{Name: "custom", Token: customToken, Driver: bashDriver(t)},
			{Name: "shell", Token: shellToken, Executor: "shell"},
		},
	})
	kit.Must(t, err)
	t.Cleanup(func() {
		if err := runner.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(runner.Log())
		}
	})
	return runner
}

func wait(t *testing.T, run *coordinator.Run) coordinator.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result, err := run.Wait(ctx)
	kit.Must(t, err)
	t.Logf("job %d waited %v and took %v", run.ID(), result.Waited, result.Took)
	return result
}

// TestConcurrentJobs runs jobs that end only when all of them are running.
func TestConcurrentJobs(t *testing.T) {
	const jobs = 4
	server := startCoordinator(t)
	startRunner(t, server)
	meeting := t.TempDir()
	var runs []*coordinator.Run
	for range jobs {
		runs = append(runs, server.Enqueue(customToken, coordinator.Job{Script: []string{
			"touch " + meeting + "/$CI_JOB_ID",
			fmt.Sprintf("until [ $(ls %s | wc -l) = %d ]; do sleep 0.05; done", meeting, jobs),
		}}))
	}
	for _, run := range runs {
		if result := wait(t, run); result.State != "success" {
			t.Errorf("got %+v; log:\n%s", result, run.Text())
		}
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	server := startCoordinator(t)
	runner := startRunner(t, server)
	pidFile := filepath.Join(t.TempDir(), "pid")
	run := server.Enqueue(customToken, coordinator.Job{
		Script: []string{"setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > " + pidFile},
	})
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("got %+v; log:\n%s", result, run.Text())
	}
	if len(runner.Leftovers()) == 0 {
		t.Error("the process that the job left is not found")
	}
	kit.Must(t, runner.Close())
	pid, err := os.ReadFile(pidFile)
	kit.Must(t, err)
	if _, err := os.Stat(filepath.Join("/proc", strings.TrimSpace(string(pid)), "exe")); err == nil {
		t.Error("the process that the job left is still there")
	}
}
