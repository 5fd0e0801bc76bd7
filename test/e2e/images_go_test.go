package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

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

// TestImagesGo: the sweep keeps the stores within their size, and rolecall prune removes what
// it prints, while a job keeps its image. The next job pulls again.
func TestImagesGo(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	w := newContainerWorld(t, "images_max_bytes = 1\n")
	w.succeed(t, sharedToken, w.in("ci/aws:2", w.alpha(w.s3("put alpha key text")), withoutEntry))
	w.settle(t)
	goOn := w.waits(t)
	aws, tool := w.registry.Name("ci/aws:2"), w.registry.Name("ci/tool:1")
	contains(t, w.program(t, "rolecall", "prune", "--older-than", "1h"), "removed 0 images of 0 stores")
	contains(t, w.program(t, "rolecall", "prune", "--max-bytes", "1MiB", "--dry-run"), "alpha/protected  "+aws, "would remove 1 images of 1 stores")
	contains(t, w.program(t, "sweep"), "removed the image \""+aws)
	contains(t, w.program(t, "rolecall", "prune", "--max-bytes", "1MiB"), "removed 0 images of 0 stores")
	goOn()
	contains(t, w.program(t, "rolecall", "prune", "--older-than", "1ms"), "alpha/protected  "+tool, "removed 1 images of 1 stores")
	w.succeed(t, sharedToken, w.in("ci/tool:1", w.alpha("echo again")))
	w.checkNothingLeft(t)
}

// waits is a job in ci/tool:1 whose script has begun. It ends well when goOn is called.
func (w *containerWorld) waits(t *testing.T) (goOn func()) {
	t.Helper()
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
	return func() {
		goes.Store(true)
		if result := wait(t, run); result.State != "success" {
			t.Errorf("%+v; log:\n%s", result, run.Text())
		}
		w.settle(t)
	}
}

// TestBrokenPullsGo: the layers that a broken pull has left go with the next sweep, also
// without images_max_bytes, while a job of the store runs. Another image of the store stays.
func TestBrokenPullsGo(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	w := newContainerWorld(t, "pull_time = \"20s\"\n")
	w.allowFronts(t)
	w.succeed(t, sharedToken, w.in("ci/aws:2", w.alpha(w.s3("put alpha key text")), withoutEntry))
	w.settle(t)
	top := w.pushMany(t, "ci/many:1")
	front := w.registry.StartFront(func(answer http.ResponseWriter, request *http.Request) bool {
		return strings.Contains(request.URL.Path, top) && gone(answer, request)
	})
	t.Cleanup(front.Close)
	broken := w.enqueue(sharedToken, w.at(front, "ci/many:1", w.alpha("echo NEVER")))
	checkPull(t, broken, "runner_system_failure", pull{code: "RC531", log: []string{"the image cannot be pulled"}})
	w.settle(t)
	goOn := w.waits(t)
	contains(t, w.program(t, "rolecall", "prune", "--older-than", "1000h", "--dry-run"), "alpha/protected  2 layers of broken pulls", "would remove 0 images of 1 stores")
	contains(t, w.program(t, "sweep"), "removed 2 layers of broken pulls of alpha/protected: ")
	contains(t, w.program(t, "rolecall", "prune", "--older-than", "1000h"), "removed 0 images of 0 stores, 0 B")
	goOn()
	w.succeed(t, sharedToken, w.in("ci/aws:2", w.alpha(w.s3("get alpha key")), withoutEntry))
	w.settle(t)
	w.succeed(t, sharedToken, w.in("ci/many:1", w.alpha("cat /one /two")))
	w.checkNothingLeft(t)
}

// pushMany pushes an image of three layers, and returns the digest of the topmost one.
func (w *containerWorld) pushMany(t *testing.T, name string) string {
	t.Helper()
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	image, err := lab.NewLayers(v1.Config{}, files, []lab.ImageFile{{Path: "one", Content: "1"}}, []lab.ImageFile{{Path: "two", Content: "2"}})
	kit.Must(t, err)
	_, err = w.registry.Push(t.Context(), name, image)
	kit.Must(t, err)
	layers, err := image.Layers()
	kit.Must(t, err)
	digest, err := layers[2].Digest()
	kit.Must(t, err)
	return digest.String()
}
