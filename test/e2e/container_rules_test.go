package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"golang.org/x/sys/unix"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// rule changes the policy file: an old text, its new one, and so on.
func (w *containerWorld) rule(t *testing.T, texts ...string) {
	t.Helper()
	w.settle(t)
	w.rewrite(t, w.policy, texts...)
}

// refused runs a job that is refused.
func (w *containerWorld) refused(t *testing.T, job coordinator.Job, rule, code string, log ...string) {
	t.Helper()
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.FailureReason != "script_failure" || strings.Contains(run.Text(), "\nNEVER") {
		t.Errorf("%+v, want a refusal by rule %s; log:\n%s", result, rule, run.Text())
	}
	contains(t, run.Text(), append(log, "· "+code)...)
	if rule == "" {
		return
	}
	if events := w.events(t, run); len(events) != 1 || events[0]["allowed"] != false || events[0]["rule"] != rule {
		t.Errorf("audit log: %v, want one refusal by rule %q", events, rule)
	}
}

// TestRulesOfImages: the rules of the policy file that are not about names, one after the
// other.
func TestRulesOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "network = \"none\"\n")
	none := coordinator.Job{Project: coordinator.Project{ID: 43, Path: "other/project"}, Script: []string{`echo "keys of <${AWS_ACCESS_KEY_ID:-nobody}> in $(cat /proc/1/comm)"`}}
	contains(t, w.succeed(t, sharedToken, w.in("ci/tool:1", none)), "keys of <nobody> in podman-init")
	limited := w.alpha(`echo "files $(ulimit -n), memory $(ulimit -v)"`, "! head -c 400000000 /dev/zero | tail -c 390000000 > /dev/null && echo not so much")
	w.rule(t, "max_open_files = 777", "max_open_files = 777\nmax_memory = 314572800")
	contains(t, w.succeed(t, sharedToken, w.in("ci/tool:1", limited)), "files 777, memory 307200", "not so much")

	// GitLab Runner drops an image whose name is a variable that has no value.
	nameless := func(script string) coordinator.Job {
		return w.in("", w.alpha(script), func(image map[string]any) { image["name"] = "$NO_SUCH_IMAGE" })
	}
	contains(t, w.succeed(t, sharedToken, nameless("echo in $(cat /proc/$PPID/comm)")), "\nin run\n")
	w.rule(t, "network = \"none\"", "network = \"none\"\nrequire_image = true")
	w.refused(t, nameless("echo NEVER"), "require_image", "RC112", "refuses this job without an image: rule require_image")
	w.refused(t, w.alpha("echo NEVER"), "require_image", "RC112", "refuses this job without an image: rule require_image")
	w.succeed(t, sharedToken, w.in("ci/tool:1", w.alpha("true")))

	w.rule(t, "require_image = true", "", "image_users =", "digest_only = true\nimage_users =")
	w.refused(t, w.in("ci/tool:1", w.alpha("echo NEVER")), "digest_only", "RC112", "refuses an image of this job without a digest: rule digest_only")
	w.succeed(t, sharedToken, w.in("ci/tool@"+w.digest(t, "ci/tool:1"), w.alpha("true")))
	w.settle(t)
	w.checkNothingLeft(t)
}

// TestOptionsOfImages: entrypoints and platforms that jobs name.
func TestOptionsOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	images := map[string]v1.Image{}
	for _, platform := range []string{"linux/amd64", "linux/s390x"} { // what is in both runs on this host
		image, err := lab.NewImage(v1.Config{}, append(files, lab.ImageFile{Path: "platform", Content: platform})...)
		kit.Must(t, err)
		config, err := image.ConfigFile()
		kit.Must(t, err)
		config.Architecture = filepath.Base(platform)
		images[platform], err = mutate.ConfigFile(image, config)
		kit.Must(t, err)
	}
	index, err := lab.NewIndex(images)
	kit.Must(t, err)
	_, err = w.registry.Push(t.Context(), "ci/many:1", index)
	kit.Must(t, err)
	w.push(t, "ci/greets:1", v1.Config{Entrypoint: []string{"/bin/env", "GREETING=of the image"}})
	set := func(key string, value any) func(map[string]any) {
		return func(image map[string]any) { image[key] = value }
	}
	platform := func(name string) func(map[string]any) {
		return set("executor_opts", map[string]any{"docker": map[string]any{"platform": name}})
	}
	const script = `echo "greeting <$GREETING>, platform <$(cat /platform 2>/dev/null)>, in $(cat /proc/1/comm)"`
	for _, test := range []struct {
		image  string
		change func(map[string]any)
		want   string
	}{
		{"ci/greets:1", set("entrypoint", []any{""}), "greeting <>"},
		{"ci/greets:1", set("entrypoint", []any{}), "greeting <of the image>"}, // as GitLab's docker executor
		{"ci/greets:1", set("entrypoint", []any{"/bin/env", "GREETING=of the job"}), "greeting <of the job>"},
		{"ci/many:1", platform("linux/s390x"), "platform <linux/s390x>"},
		{"ci/many:1", platform("linux/amd64"), "platform <linux/amd64>"},
	} {
		contains(t, w.succeed(t, sharedToken, w.in(test.image, w.alpha(script), test.change)), test.want, "in podman-init")
		w.settle(t)
	}
	w.checkNothingLeft(t)
}

// TestLoginsOfImages: a service from a registry of others is pulled with a login in the job's
// variable DOCKER_AUTH_CONFIG, where the policy file allows that. The log does not show it.
func TestLoginsOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	other, err := lab.StartRegistry(t.Context(), lab.RegistryOptions{Dir: t.TempDir()})
	kit.Must(t, err)
	t.Cleanup(other.Close)
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	image, err := lab.NewImage(v1.Config{}, files...)
	kit.Must(t, err)
	_, err = other.Push(t.Context(), "private/db:1", image)
	kit.Must(t, err)
	service := w.serving("ci/tool:1", "80", "db", variable("TEXT", "the private one"))
	service["name"] = other.Name("private/db:1")
	login := base64.StdEncoding.EncodeToString([]byte(lab.RegistryUser + ":" + lab.RegistryPassword))
	job := w.alpha("wget -q -O - http://db", `echo "the login: $DOCKER_AUTH_CONFIG"`)
	job.Variables = append(job.Variables, coordinator.Variable{Key: "DOCKER_AUTH_CONFIG", Value: fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, other.Address, login), Raw: true})
	job = with(w.in("ci/tool:1", job), service)

	w.refused(t, job, "services", "RC112", other.Name("private/db:1")+" is not among the services")
	w.rule(t, "services = [", fmt.Sprintf("services = [%q, ", other.Address+"/private/*:*"))
	w.refused(t, job, "", "RC121", "does not give this job the image", "DOCKER_AUTH_CONFIG is not used")
	w.rule(t, "image_users =", "docker_auth_config = true\nimage_users =")
	log := w.succeed(t, sharedToken, job)
	contains(t, log, "the private one of 80", "\nthe login: ", "[MASKED]")
	if strings.Contains(log, login) || strings.Contains(log, lab.RegistryPassword) {
		t.Errorf("the log has the login:\n%s", log)
	}
	w.settle(t)
	w.checkNothingLeft(t)
}

// TestRegistryAway: a registry that does not answer ends a job soon, as a system failure, and
// leaves nothing. One that comes back while the runner tries again does not end it.
func TestRegistryAway(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "pull_time = \"4s\"\n")
	w.allowFronts(t)
	w.pushOdd(t)
	silent := func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	until := func(n int32, does lab.Does) lab.Does { // for the first requests
		var asked atomic.Int32
		return func(w http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/manifests/") && asked.Add(1) <= n && does(w, r)
		}
	}
	runs := map[string]*coordinator.Run{}
	tests := map[string]struct {
		does   lab.Does
		image  string
		reason string
		log    []string
	}{
		"silent":               {silent, "ci/tool:1", "runner_system_failure", []string{"does not answer: no answer in time", "RC521"}},
		"silent in the middle": {layer(silent), "ci/gone:1", "runner_system_failure", []string{"the image cannot be pulled: not done after 4s", "RC531"}},
		"back for the runner":  {until(3, lab.Answer("", 503, "")), "ci/tool:1", "", []string{"answers with HTTP status 503", "the script runs"}},
		"back after a wait":    {until(1, lab.Answer("", 429, "", "Retry-After", "2")), "ci/tool:1", "", []string{"has had too many requests of this host or login; try 2 of 3 in 2s", "the script runs"}},
	}
	for name, test := range tests {
		front := w.registry.StartFront(test.does)
		t.Cleanup(front.Close)
		runs[name] = w.enqueue(sharedToken, w.at(front, test.image, w.alpha("echo the script runs")))
	}
	for name, test := range tests {
		result := wait(t, runs[name])
		if result.FailureReason != test.reason || result.Took > time.Minute {
			t.Errorf("%s: %+v, want %q; log:\n%s", name, result, test.reason, runs[name].Text())
		}
		contains(t, runs[name].Text(), test.log...)
	}
	w.settle(t)
	w.checkNoContainer(t, "a registry that does not answer")
	w.checkNothingLeft(t)
}

// TestHostWithoutEngine: a host on which the engine is missing or its disk is full says so to
// a job with an image. A job without one runs.
func TestHostWithoutEngine(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	program := kit.OpenDir(t) + "/podman" // in place of podman, in the mounts of this process
	kit.Must(t, os.WriteFile(program, nil, 0o644))
	kit.Must(t, unix.Mount(program, "/usr/bin/podman", "", unix.MS_BIND, ""))
	w.refused(t, w.in("ci/tool:1", w.alpha("echo NEVER")), "", "RC331", "this host cannot run containers: it lacks podman", "apt-get install podman")
	w.settle(t)
	w.succeed(t, sharedToken, w.alpha("true"))
	w.settle(t)
	kit.Must(t, unix.Unmount("/usr/bin/podman", 0))

	kit.Must(t, os.MkdirAll(w.images(), 0o711))
	mountTmpfs(t, w.images()+".small", "mode=0711,size=2m", 0)
	w.rule(t, fmt.Sprintf("images_dir = %q", w.images()), fmt.Sprintf("images_dir = %q", w.images()+".small"))
	run := w.enqueue(sharedToken, w.in("ci/tool:1", w.alpha("echo NEVER")))
	if result := wait(t, run); result.FailureReason != "runner_system_failure" || strings.Contains(run.Text(), "\nNEVER") {
		t.Errorf("a full disk: %+v", result)
	}
	contains(t, run.Text(), "the disk of the images is full", "RC501")
	w.settle(t)
	if left := glob(filepath.Join(w.images()+".small", ".jobs/*")); len(left) > 0 {
		t.Errorf("a full disk: %v is left", left)
	}
	kit.Must(t, unix.Unmount(w.images()+".small", 0))
	w.checkNoContainer(t, "a host without an engine")
	w.checkNothingLeft(t)
}

// TestNoSessionOfImages: a job whose role AWS refuses, when its container is there, and one
// whose prepare fails after that and is tried again.
func TestNoSessionOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	dir := t.TempDir()
	programs, err := lab.Binaries()
	kit.Must(t, err)
	wrapper := filepath.Join(dir, "prepare.sh") // its first attempt cannot print what it has done
	kit.Must(t, os.WriteFile(wrapper, fmt.Appendf(nil, "#!/bin/sh\nmkdir %s/tried 2>/dev/null || exec %s \"$@\"\nexec %[2]s \"$@\" > /dev/full\n", dir, programs.Prepare), 0o700))
	const token = "glrt-again00001"
	startRunner(t, lab.RunnerOptions{
		Dir: filepath.Join(dir, "runner"), Coordinator: w.gitlab.URL(), Env: w.env,
		Runners: []lab.Runner{{Name: "again", Token: token, Args: w.args, Driver: lab.Driver{Prepare: []string{wrapper}}}},
	})
	contains(t, w.succeed(t, token, w.in("ci/tool:1", w.alpha("echo the script runs"))), "the script runs")
	if issued := len(w.recorder.Issued()); issued != 2 {
		t.Errorf("STS has given %d sessions, want one for each attempt", issued)
	}
	w.checkNoContainer(t, "a prepare that was tried again")
	w.rewrite(t, w.policy, w.minio.RoleARN("alpha"), "arn:aws:iam::111122223333:role/none")
	run := w.enqueue(sharedToken, w.in("ci/tool:1", w.alpha("echo NEVER")))
	if result := wait(t, run); result.State != "failed" || strings.Contains(run.Text(), "\nNEVER") {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	w.settle(t)
	w.checkNoContainer(t, "a job that AWS refuses")
	w.checkNothingLeft(t)
}
