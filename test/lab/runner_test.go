package lab_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

func TestRunner(t *testing.T) {
	server := startCoordinator(t)
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"docs/hello.txt": "hello\n"})
	kit.Must(t, err)
	server.Host("group/project", repo)
	runner := startRunner(t, server)
	// The jobs below run at the same time.
	t.Run("jobs", func(t *testing.T) {
		for name, token := range map[string]string{"custom": customToken, "shell": shellToken} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checkSuccess(t, server, token, runner)
			})
		}
		t.Run("failure", func(t *testing.T) {
			t.Parallel()
			checkFailure(t, server)
		})
		t.Run("cancel", func(t *testing.T) {
			t.Parallel()
			checkCancel(t, server)
		})
		t.Run("abort", func(t *testing.T) {
			t.Parallel()
			checkAbort(t, server)
		})
	})
	if err := runner.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// checkSuccess runs a job with everything that passes between GitLab and a runner: sources,
// variables, caches, artifacts, reports.
func checkSuccess(t *testing.T, server *coordinator.Server, token string, runner *lab.RunnerService) {
	run := server.Enqueue(token, coordinator.Job{
		Script: []string{
			"pwd",
			"cat docs/hello.txt > copy.txt",
			`echo "GREETING=$WHO" > report.env`,
			"mkdir cached && touch cached/file",
		},
		AfterScript: []string{"echo after the script"},
		Variables:   []coordinator.Variable{{Key: "WHO", Value: "everyone"}},
		Artifacts: []coordinator.Artifact{
			{Paths: []string{"copy.txt"}},
			{Type: "dotenv", Paths: []string{"report.env"}},
		},
		Cache: []coordinator.Cache{{Key: token, Paths: []string{"cached"}}},
	})
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("got %+v; log:\n%s", result, run.Text())
	}
	short := strings.TrimPrefix(token, "glrt-")[:9]
	buildDir := regexp.MustCompile(regexp.QuoteMeta(filepath.Join(runner.BuildsDir, short)) + `/\d+/group/project\b`)
	if !buildDir.MatchString(run.Text()) {
		t.Errorf("no %s in the log:\n%s", buildDir, run.Text())
	}
	for _, want := range []string{"after the script", "Created cache"} {
		if !strings.Contains(run.Text(), want) {
			t.Errorf("no %q in the log:\n%s", want, run.Text())
		}
	}
	want := map[string]string{"copy.txt": "hello\n", "report.env": "GREETING=everyone\n"}
	if diff := cmp.Diff(want, uploaded(t, run)); diff != "" {
		t.Errorf("uploaded files differ:\n%s", diff)
	}
	checkNeeds(t, server, token, run)
}

// uploaded is the files in all that a job uploaded.
func uploaded(t *testing.T, run *coordinator.Run) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, upload := range run.Artifacts() {
		files, err := upload.Files()
		if err != nil {
			t.Fatalf("%s: %v", upload.Name, err)
		}
		for name, content := range files {
			all[name] = string(content)
		}
	}
	return all
}

// checkNeeds runs a job that gets what an earlier one left: artifacts, variables, caches.
func checkNeeds(t *testing.T, server *coordinator.Server, token string, need *coordinator.Run) {
	run := server.Enqueue(token, coordinator.Job{
		Script: []string{"ls cached/file", `echo "$GREETING: $(cat copy.txt)"`},
		Cache:  []coordinator.Cache{{Key: token, Paths: []string{"cached"}}},
		Needs:  []*coordinator.Run{need},
	})
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("got %+v; log:\n%s", result, run.Text())
	}
	if want := "everyone: hello"; !strings.Contains(run.Text(), want) {
		t.Errorf("no %q in the log:\n%s", want, run.Text())
	}
}

func checkFailure(t *testing.T, server *coordinator.Server) {
	run := server.Enqueue(customToken, coordinator.Job{Script: []string{"exit 42"}})
	got := wait(t, run)
	want := coordinator.Result{State: "failed", FailureReason: "script_failure", ExitCode: 42}
	got.Waited, got.Took = 0, 0
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func startTicking(t *testing.T, server *coordinator.Server) *coordinator.Run {
	run := server.Enqueue(customToken, coordinator.Job{
		Script:      []string{"echo started", "while sleep 0.1; do echo tick; done"},
		AfterScript: []string{"echo after the script"},
	})
	kit.Must(t, run.WaitLog(t.Context(), "tick"))
	return run
}

func checkCancel(t *testing.T, server *coordinator.Server) {
	run := startTicking(t, server)
	run.Cancel()
	if result := wait(t, run); result.State != "canceled" {
		t.Errorf("got %+v", result)
	}
	if !strings.Contains(run.Text(), "after the script") {
		t.Errorf("after_script did not run:\n%s", run.Text())
	}
}

func checkAbort(t *testing.T, server *coordinator.Server) {
	run := startTicking(t, server)
	run.Abort()
	if result := wait(t, run); result.State != "canceled" {
		t.Errorf("got %+v", result)
	}
	if strings.Contains(run.Text(), "after the script") {
		t.Errorf("after_script ran:\n%s", run.Text())
	}
}
