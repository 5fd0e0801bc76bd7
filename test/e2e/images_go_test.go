package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"rolecall/test/kit"
	"rolecall/test/lab"
)

// program runs a program of admins with the policy file of the world.
func (w *containerWorld) program(t *testing.T, name string, args ...string) string {
	t.Helper()
	programs, err := lab.Binaries()
	kit.Must(t, err)
	args = append(args, "--config", w.policy)
	out, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(programs.Run), name), args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v", name, args, err)
	}
	t.Logf("%s %q: %s", name, args, out)
	return string(out)
}

// TestImagesGo: the sweep keeps the stores within their size, and doctor prune removes what
// it prints, while a job keeps its image. The next job pulls again.
func TestImagesGo(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	w := newContainerWorld(t, "images_max_bytes = 1\n")
	w.succeed(t, sharedToken, w.in("ci/aws:2", w.alpha(w.s3("put alpha key text")), withoutEntry))
	w.settle(t)
	var goes atomic.Bool
	gate := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		if !goes.Load() {
			answer.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(gate.Close)
	job := w.alpha("echo it begins", "until wget -q -O /dev/null "+gate.URL+"; do sleep 0.2; done")
	job.AfterScript = []string{"grep -c . /etc/passwd"}
	run := w.enqueue(sharedToken, w.in("ci/tool:1", job))
	untilLog(t, run, "it begins\n")
	aws, tool := w.registry.Name("ci/aws:2"), w.registry.Name("ci/tool:1")
	contains(t, w.program(t, "doctor", "prune", "--older-than", "1h"), "removed 0 images of 0 stores")
	contains(t, w.program(t, "doctor", "prune", "--max-bytes", "1MiB", "--dry-run"), "alpha/protected  "+aws, "would remove 1 images of 1 stores")
	contains(t, w.program(t, "sweep"), "removed the image \""+aws)
	contains(t, w.program(t, "doctor", "prune", "--max-bytes", "1MiB"), "removed 0 images of 0 stores")
	goes.Store(true)
	if result := wait(t, run); result.State != "success" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	w.settle(t)
	contains(t, w.program(t, "doctor", "prune", "--older-than", "1ms"), "alpha/protected  "+tool, "removed 1 images of 1 stores")
	w.succeed(t, sharedToken, w.in("ci/tool:1", w.alpha("echo again")))
	w.checkNothingLeft(t)
}
