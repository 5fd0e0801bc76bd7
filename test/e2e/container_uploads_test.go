package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// writer is a job whose files are written by a user of its image.
type writer struct {
	image  string
	user   string // docker:user
	script string // writes out/f and out/sub/g
}

// writers are the users that an image has: its root, a user of its own, one that the job
// names, and one to whom a script of root gives files.
func writers() map[string]writer {
	const write = `umask 027; mkdir -p out/sub; echo "of $(id -u)" > out/f; echo deep > out/sub/g; ln -sf f out/link; chmod 700 out/sub`
	return map[string]writer{
		"root":        {"ci/tool:1", "", write},
		"of image":    {"ci/app:1", "", write},
		"docker:user": {"ci/tool:1", "1000", write},
		"third user":  {"ci/tool:1", "", write + `; chown -R 4321:4321 out`},
	}
}

// TestFilesOfImages: whoever in a container has written them, the files of a job are its
// user's: they are searched, kept and uploaded, and the next job clones over them.
func TestFilesOfImages(t *testing.T) { //nolint:tparallel // one job after another: they share the folder
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	w.push(t, "ci/app:1", v1.Config{User: "app"})
	for name, of := range writers() {
		t.Run(name, func(t *testing.T) { w.testWriter(t, name, of) })
	}
	w.settle(t)
	w.checkNothingLeft(t)
}

// testWriter runs a job that writes, one that leaks, one that needs the first, and one that
// has no image.
func (w *containerWorld) testWriter(t *testing.T, key string, of writer) {
	t.Helper()
	as := func(image map[string]any) {
		if of.user != "" {
			image["executor_opts"] = map[string]any{"docker": map[string]any{"user": of.user}}
		}
	}
	archive := []coordinator.Artifact{{Paths: []string{"out/"}}, {Type: "dotenv", Paths: []string{"build.env"}}}
	first := w.alpha(of.script, `echo "BUILT=by-the-first" > build.env`)
	first.Artifacts, first.Cache = archive, []coordinator.Cache{{Key: key, Paths: []string{"out/"}}}
	w.settle(t)
	built := w.enqueue(sharedToken, w.in(of.image, first, as))
	if result := wait(t, built); result.State != "success" || len(built.Artifacts()) != 2 {
		t.Fatalf("%+v with %d uploads; log:\n%s", result, len(built.Artifacts()), built.Text())
	}
	files, err := built.Artifacts()[0].Files()
	if err != nil || string(files["out/sub/g"]) != "deep\n" {
		t.Errorf("uploaded %q, %v", files, err)
	}
	w.settle(t)
	w.checkOwners(t)

	leak := w.alpha(of.script, `echo "$AWS_SECRET_ACCESS_KEY" > out/f`)
	leak.Artifacts = archive[:1]
	run := w.enqueue(sharedToken, w.in(of.image, leak, as))
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("the leak: %+v with %d uploads", result, len(run.Artifacts()))
	}
	contains(t, run.Text(), `artifacts: "out/f": secret access key`)
	w.settle(t)

	second := w.alpha(`test "$BUILT" = by-the-first`, "cat out/sub/g README.md", "echo more >> out/f", "rm -rf out")
	second.Needs, second.Cache = []*coordinator.Run{built}, []coordinator.Cache{{Key: key, Paths: []string{"out/"}, Policy: "pull"}}
	contains(t, w.succeed(t, sharedToken, w.in(of.image, second, as)), "deep", "hello", "Successfully extracted cache")
	w.settle(t)
	for _, strategy := range []string{"clone", "fetch"} {
		plain := w.alpha("ls", "test ! -e out")
		plain.Variables = append(plain.Variables, coordinator.Variable{Key: "GIT_STRATEGY", Value: strategy})
		w.succeed(t, sharedToken, plain)
		w.settle(t)
	}
}

// checkOwners fails the test for each file of the job that is not its user's.
func (w *containerWorld) checkOwners(t *testing.T) {
	t.Helper()
	n := 0
	slot := filepath.Join(w.dir, "builds/alpha/protected")
	kit.Must(t, filepath.WalkDir(slot, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == slot {
			return err
		}
		info, err := os.Lstat(path)
		if n++; err == nil && info.Sys().(*syscall.Stat_t).Uid != 33 {
			t.Errorf("%s belongs to %d", path, info.Sys().(*syscall.Stat_t).Uid)
		}
		return err
	}))
	if n < 5 {
		t.Errorf("only %d files are there", n)
	}
}

// TestScriptsOfImages: what GitLab Runner does around a script is on the host and works the
// same: hooks, the exit codes that a job may fail with, and a job without image.
func TestScriptsOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	hooked := w.alpha("echo in $(cat /proc/1/comm)")
	hooked.Hooks = map[string][]string{
		"pre_get_sources_script":  {`echo "before sources: $(id -un), ${AWS_ACCESS_KEY_ID:-no keys}"`},
		"post_get_sources_script": {`echo "after sources: $(id -un), $(cat README.md)"`},
	}
	log := w.succeed(t, sharedToken, w.in("ci/tool:1", hooked))
	contains(t, log, "before sources: "+alphaUser+", no keys", "after sources: "+alphaUser+", hello", "in podman-init")
	codes := map[int]*coordinator.Run{} // GitLab compares them with allow_failure:exit_codes
	for _, code := range []int{0, 1, 2, 124, 125, 126, 127, 128, 137, 253, 254, 255} {
		codes[code] = w.enqueue(sharedToken, w.in("ci/tool:1", w.alpha("exit "+strconv.Itoa(code))))
	}
	for code, run := range codes {
		if result := wait(t, run); result.ExitCode != code || code > 0 && result.FailureReason != "script_failure" {
			t.Errorf("exit %d: %+v", code, result)
		}
	}
	w.settle(t)
	contains(t, w.succeed(t, sharedToken, w.alpha("id -un", "cat README.md")), alphaUser, "hello")
	w.settle(t)
	w.checkNothingLeft(t)
}
