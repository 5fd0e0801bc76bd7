package e2e_test

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// at lets a job run in an image of a front.
func (w *containerWorld) at(f *lab.Front, image string, job coordinator.Job) coordinator.Job {
	job = w.in(image, job, func(of map[string]any) { of["name"] = f.Address + "/" + image })
	before := job.Mutate
	job.Mutate = func(sent map[string]any) {
		before(sent)
		for _, login := range sent["credentials"].([]any) {
			login.(map[string]any)["url"] = f.Address
		}
	}
	return job
}

// allowFronts lets the policy file allow images of all ports of this host.
func (w *containerWorld) allowFronts(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(w.policy)
	kit.Must(t, err)
	w.write(t, strings.Replace(string(text), "images = [", "images = [\"127.0.0.1:*/ci/**\", ", 1))
}

// withoutLogin takes the logins from a job.
func withoutLogin(job coordinator.Job) coordinator.Job {
	before := job.Mutate
	job.Mutate = func(sent map[string]any) { before(sent); delete(sent, "credentials") }
	return job
}

// layer answers requests for the layers of an image, not for its configuration, which is
// small.
func layer(does lab.Does) lab.Does {
	var asked atomic.Int32
	seen := map[string]bool{}
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, blob, ok := strings.Cut(r.URL.Path, "/blobs/")
		if !ok || asked.Add(1) == 1 || seen[blob] { // the configuration comes first
			seen[blob] = ok
			return false
		}
		return does(w, r)
	}
}

// gone breaks a connection off after a part of the answer.
func gone(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Length", "1000000")
	_, _ = w.Write(make([]byte, 1000))
	panic(http.ErrAbortHandler)
}

// pull is a pull that fails, and what is told of it.
type pull struct {
	does  lab.Does
	image string
	code  string
	log   []string
}

// authors are failures that the author of a job must mend: the runner does not try again.
func authors() map[string]pull {
	const schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	return map[string]pull{
		"403":               {lab.Answer("/manifests/", 403, `{"errors":[{"code":"DENIED"}]}`), "ci/tool:1", "RC121", []string{"does not give this job the image", "HTTP status 403 DENIED"}},
		"no such tag":       {nil, "ci/tool:none", "RC122", []string{"does not have the image", "HTTP status 404 MANIFEST_UNKNOWN"}},
		"no such digest":    {nil, "ci/tool@sha256:" + strings.Repeat("0", 64), "RC122", []string{"does not have the image"}},
		"another platform":  {nil, "ci/other:1", "RC123", []string{"the image is not for the platform", "linux/s390x"}},
		"schema 1":          {lab.Answer("/manifests/", 200, `{"schemaVersion":1}`, "Content-Type", schema1), "ci/tool:1", "RC123", []string{"an old format that no engine runs any more"}},
		"sent to elsewhere": {lab.Answer("/manifests/", 307, "", "Location", "https://other.example/v2/ci/tool/manifests/1"), "ci/tool:1", "RC122", []string{"is not the registry of the image", "other.example"}},
	}
}

// passing are failures that may pass: the runner tries three times.
func passing() map[string]pull {
	return map[string]pull{
		"429":                {lab.Answer("/manifests/", 429, "", "Retry-After", "1"), "ci/tool:1", "RC521", []string{"has had too many requests", "the registry asks to wait 1s"}},
		"500":                {lab.Answer("/manifests/", 500, ""), "ci/tool:1", "RC521", []string{"answers with HTTP status 500"}},
		"changed blob":       {layer(lab.Answer("/blobs/", 200, "another content")), "ci/changed:1", "RC531", []string{"the image cannot be pulled"}},
		"gone in the middle": {layer(gone), "ci/gone:1", "RC531", []string{"the image cannot be pulled"}},
	}
}

// TestPulls: whose a pull is that fails, and what the author is told. No failed pull costs a
// session.
func TestPulls(t *testing.T) { //nolint:tparallel // STS must be counted when all are over
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "pull_time = \"20s\"\n")
	w.allowFronts(t)
	w.pushOdd(t)
	t.Run("at once", func(t *testing.T) {
		t.Run("401", func(t *testing.T) {
			t.Parallel()
			run := w.enqueue(sharedToken, withoutLogin(w.in("ci/tool:1", w.alpha("echo NEVER"))))
			checkPull(t, run, "script_failure", pull{code: "RC121", log: []string{"does not give this job the image", "HTTP status 401"}})
		})
		for reason, all := range map[string]map[string]pull{"script_failure": authors(), "runner_system_failure": passing()} {
			for _, name := range slices.Sorted(maps.Keys(all)) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w.testPull(t, reason, all[name])
				})
			}
		}
	})
	if n := len(w.recorder.Issued()); n > 0 {
		t.Errorf("STS has given %d sessions", n)
	}
}

// pushOdd pushes images with a platform and with layers of their own.
func (w *containerWorld) pushOdd(t *testing.T) {
	t.Helper()
	image, err := lab.NewImage(v1.Config{})
	kit.Must(t, err)
	index, err := lab.NewIndex(map[string]v1.Image{"linux/s390x": image})
	kit.Must(t, err)
	_, err = w.registry.Push(t.Context(), "ci/other:1", index)
	kit.Must(t, err)
	for _, name := range []string{"changed", "gone"} {
		w.push(t, "ci/"+name+":1", v1.Config{}, lab.ImageFile{Path: "own", Content: name})
	}
}

// testPull runs a job whose pull fails.
func (w *containerWorld) testPull(t *testing.T, reason string, p pull) {
	t.Helper()
	if p.does == nil {
		p.does = func(http.ResponseWriter, *http.Request) bool { return false }
	}
	front := w.registry.StartFront(p.does)
	t.Cleanup(front.Close)
	checkPull(t, w.enqueue(sharedToken, w.at(front, p.image, w.alpha("echo NEVER"))), reason, p)
}

// checkPull checks how a job ended whose pull has failed.
func checkPull(t *testing.T, run *coordinator.Run, reason string, p pull) {
	t.Helper()
	result := wait(t, run)
	if result.FailureReason != reason || strings.Contains(run.Text(), "NEVER") {
		t.Errorf("%+v, want %s", result, reason)
	}
	tries := strings.Count(run.Text(), "Using Custom executor")
	if want := map[string]int{"script_failure": 1, "runner_system_failure": 3}[reason]; tries != want {
		t.Errorf("the runner has tried %d times, want %d", tries, want)
	}
	contains(t, run.Text(), append(p.log, "· "+p.code)...)
}

// TestPullPolicies: which content a job gets when a tag moves, by its pull policies.
func TestPullPolicies(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "default_image = \"DEFAULT\"\n")
	w.allowFronts(t)
	text, err := os.ReadFile(w.policy)
	kit.Must(t, err)
	w.write(t, strings.Replace(string(text), "DEFAULT", w.registry.Name("ci/tool:1"), 1))
	push := func(content string) {
		w.push(t, "ci/moving:1", v1.Config{}, lab.ImageFile{Path: "content", Content: content})
	}
	policy := func(names ...any) func(map[string]any) {
		return func(image map[string]any) { image["pull_policy"] = names }
	}
	run := func(image, want string, more ...func(map[string]any)) {
		t.Helper()
		contains(t, w.succeed(t, sharedToken, w.in(image, w.alpha("echo is $(cat /content)"), more...)), "is "+want)
		w.settle(t)
	}
	absent := w.enqueue(sharedToken, w.in("ci/moving:1", w.alpha("echo NEVER"), policy("never")))
	checkPull(t, absent, "script_failure", pull{code: "RC132", log: []string{`the image is not on this host, and pull_policy "never" pulls none`}})
	push("first")
	run("ci/moving:1", "first", policy("never", "if-not-present"))
	push("second")
	run("ci/moving:1", "first", policy("if-not-present"))
	run("ci/moving:1", "first", policy("never"))
	run("ci/moving:1", "second", policy("always"))
	run("ci/moving:1", "second", policy("never"))
	digest := w.digest(t, "ci/moving:1")
	push("third")
	run("ci/moving@"+digest, "second")

	front := w.registry.StartFront(w.moving(t, "fourth"))
	t.Cleanup(front.Close)
	contains(t, w.succeed(t, sharedToken, w.at(front, "ci/moving:1", w.alpha("echo is $(cat /content)"))), "is third")
	w.settle(t)
	run("ci/moving:1", "fourth")
	plain := w.alpha("echo in $(cat /proc/1/comm)")
	contains(t, w.succeed(t, sharedToken, withLogin(w, plain)), "in podman-init") // default_image
	w.settle(t)
	w.checkNothingLeft(t)
}

// withLogin gives a job without an image the login of the registry.
func withLogin(w *containerWorld, job coordinator.Job) coordinator.Job {
	job = w.in("ci/tool:1", job)
	before := job.Mutate
	job.Mutate = func(sent map[string]any) { before(sent); delete(sent, "image") }
	return job
}

// digest returns the digest of an image in the registry.
func (w *containerWorld) digest(t *testing.T, image string) string {
	t.Helper()
	digest, err := w.registry.Digest(t.Context(), image)
	kit.Must(t, err)
	return digest
}

// moving moves the tag when a registry has just said what it stands for.
func (w *containerWorld) moving(t *testing.T, content string) lab.Does {
	var asked atomic.Int32
	return func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/1") && asked.Load() > 0 && asked.Add(1) == 2 {
			w.push(t, "ci/moving:1", v1.Config{}, lab.ImageFile{Path: "content", Content: content})
		} else if strings.Contains(r.URL.Path, "/manifests/1") {
			asked.CompareAndSwap(0, 1)
		}
		return false
	}
}

// TestImagesThatFail: what is wrong with an image or a job is told, and is its author's.
func TestImagesThatFail(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	static, err := os.ReadFile("/bin/busybox")
	kit.Must(t, err)
	bare, err := lab.NewImage(v1.Config{Entrypoint: []string{"/true"}}, lab.ImageFile{Path: "true", Content: string(static)})
	kit.Must(t, err)
	_, err = w.registry.Push(t.Context(), "ci/bare:1", bare)
	kit.Must(t, err)
	w.push(t, "ci/nobody:1", v1.Config{User: "nosuch"})
	user := func(name string) func(map[string]any) {
		return func(image map[string]any) {
			image["executor_opts"] = map[string]any{"docker": map[string]any{"user": name}}
		}
	}
	for name, test := range map[string]struct {
		job coordinator.Job
		log []string
	}{
		"no shell":              {w.in("ci/bare:1", w.alpha("echo NEVER"), withoutEntry), []string{"before a shell read the script", "the image must have sh", "RC131"}},
		"entrypoint that exits": {w.in("ci/bare:1", w.alpha("echo NEVER")), []string{"the container ended with 0 before a shell read the script", `set entrypoint: [""]`, "RC131"}},
		"user of the image":     {w.in("ci/nobody:1", w.alpha("echo NEVER")), []string{"the image cannot run as its user", "RC131"}},
		"root":                  {w.in("ci/tool:1", w.alpha("echo NEVER"), user("0")), []string{`"0" of `, "image_users", "RC112"}},
		"odd variable":          {odd(w.in("ci/tool:1", w.alpha("echo NEVER"))), []string{"not a valid identifier"}},
	} {
		run := w.enqueue(sharedToken, test.job)
		if result := wait(t, run); result.FailureReason != "script_failure" || strings.Contains(run.Text(), "\nNEVER") {
			t.Errorf("%s: %+v; log:\n%s", name, result, run.Text())
		}
		contains(t, run.Text(), test.log...)
		w.settle(t)
	}
	w.checkNothingLeft(t)
}

// odd gives a job a variable whose name no shell takes.
func odd(job coordinator.Job) coordinator.Job {
	job.Variables = append(job.Variables, coordinator.Variable{Key: "odd-name", Value: "x"})
	return job
}
