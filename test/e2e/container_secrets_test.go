package e2e_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// TestUploadsOfImages: what is searched, refused, shown and let through on the host is so in
// images.
func TestUploadsOfImages(t *testing.T) { //nolint:tparallel // one job after another, as they share a folder
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newDressedWorld(t, "ci/bash:1")
	bash, err := lab.HostFiles("/bin/bash")
	kit.Must(t, err)
	w.push(t, "ci/bash:1", v1.Config{}, append(bash, w.s3job)...)
	testGateStops(t, w.world)
	testGateLetsThrough(t, w.world)
	testSecondToken(t, w.world)
	testOwnKeys(t, w.world)
	testArticle(t, w.world)
	testLeftCredentials(t, w.world, "alpha")
	testLeftToken(t, w.world, "alpha")
	w.settle(t)
	if _, found, err := lab.Search(w.recorder.Secrets(), w.images(), filepath.Join(w.dir, "cache")); err != nil || len(found) > 0 {
		t.Errorf("secrets are in %v, %v", found, err)
	}
}

// TestNothingIsKeptOfImages: what tools of a job write in its container and in its folders
// goes with the job. The next one in the same image has nothing of it.
func TestNothingIsKeptOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	job := w.alpha(
		`mkdir -p ~/.aws "$(dirname "$AWS_SHARED_CREDENTIALS_FILE")" "$DOCKER_CONFIG"`,
		`for file in ~/.aws/credentials /tmp/by-hand /usr/local/kept "$AWS_SHARED_CREDENTIALS_FILE" "$DOCKER_CONFIG/config.json" "$CI_PROJECT_DIR.tmp/by-hand"; do echo "$AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN" > "$file"; done`,
		"echo written")
	contains(t, w.succeed(t, sharedToken, w.in("ci/tool:1", job)), "\nwritten")
	w.settle(t)
	next := w.alpha(`(ls ~/.aws /tmp/by-hand /usr/local/kept "$AWS_SHARED_CREDENTIALS_FILE" "$DOCKER_CONFIG/config.json" "$CI_PROJECT_DIR.tmp/by-hand" 2>/dev/null || true) | wc -l`)
	contains(t, w.succeed(t, sharedToken, w.in("ci/tool:1", next)), "\n0\n")
	w.settle(t)
	w.checkNothingLeft(t)
}

// outside are the arguments and environments of the processes of this host that hold a
// secret, but those of processes in containers and of stages, to which the runner passes the
// variables of a job with its ID token.
func outside(secrets []string) []string {
	own, _ := os.Readlink("/proc/self/ns/pid")
	return slices.DeleteFunc(inProcesses(secrets), func(path string) bool {
		its, _ := os.Readlink(filepath.Join(filepath.Dir(path), "ns/pid"))
		program, _ := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		return its != own || filepath.Base(program) == "run"
	})
}

// boxedSpy is a spy in a container.
const boxedSpy = `
for p in /proc/[0-9]*; do case $(tr '\0' ' ' < "$p/cmdline" 2> /dev/null) in sleep\ 0.7531*) echo "REACHED: $p" ;; esac; done
for path in %s; do if cat "$path" 2> /dev/null || ls -d "$path" 2> /dev/null; then echo "REACHED: $path"; fi; done
echo "end of the search"
`

// TestSecretsOfImages: while a script with credentials sleeps in a container, none of them and
// no password of a registry is in an argument or an environment of another process, or in a
// file of the engine. A job of another tenant, on the host or in a container, gets at nothing.
func TestSecretsOfImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	sleeping := w.in("ci/tool:1", w.alpha(`echo "in $ROLECALL_ENV_FILE."; while true; do echo tick; sleep 0.7531; done`))
	victim := w.enqueue(sharedToken, with(sleeping, w.serving("ci/tool:1", "80", "db", variable("TEXT", "x"))))
	untilLog(t, victim, "\nin /dev/shm")
	_, rest, _ := strings.Cut(victim.Text(), "\nin ")
	envFile, _, _ := strings.Cut(rest, ".\n")
	secrets := append(w.recorder.Secrets(), victim.IDToken("GITLAB_OIDC_TOKEN"), lab.RegistryPassword, base64.StdEncoding.EncodeToString([]byte(lab.RegistryUser+":"+lab.RegistryPassword)))
	if found := outside(secrets); len(found) > 0 {
		t.Errorf("secrets are in %v", found)
	}
	if files, found, err := lab.Search(secrets, w.images(), "/run/rolecall-podman"); err != nil || files < 100 || len(found) > 0 {
		t.Errorf("of %d files secrets are in %v, %v", files, found, err)
	}
	jobs := glob(filepath.Join(w.images(), ".jobs/*"))
	paths := strings.Join(append(jobs, envFile, filepath.Join(w.dir, "builds/alpha/protected"), filepath.Join(w.images(), "alpha/protected"), w.images(), w.audit()), " ")
	host := w.succeed(t, sharedToken, w.beta(fmt.Sprintf(spy, "rolecall-podman*|*"+w.dir, paths+" "+w.credentials(), w.dir)))
	boxed := w.succeed(t, sharedToken, w.in("ci/tool:1", w.beta(fmt.Sprintf(boxedSpy, paths))))
	for where, log := range map[string]string{"on the host": host, "in a container": boxed} {
		contains(t, log, "end of the search")
		if strings.Contains(log, "\nREACHED") || strings.Contains(log, "saw  processes") || len(jobs) != 1 {
			t.Errorf("%v; the neighbour %s:\n%s", jobs, where, log)
		}
	}
	victim.Abort()
	wait(t, victim)
	w.settle(t)
	w.checkNothingLeft(t)
	w.checkNoContainer(t, "a job that was looked at")
}

// TestPlantsInImages: what a script plants in a container, where a later stage or job of root
// or of the runner comes by, stops none of them, and no process of root follows a link.
func TestPlantsInImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	seen := watch(t, filepath.Join(w.dir, "of-root"))
	places := `$(dirname $CI_PROJECT_DIR) $CI_PROJECT_DIR.tmp $(dirname $AWS_CONFIG_FILE)/..`
	plant := fmt.Sprintf(strings.Replace(planter, " -writable -not", " !", 1), "$CI_JOB_ID", seen.dir, places)
	job := w.alpha(plant, `own=$(dirname $AWS_CONFIG_FILE)/..; rm -f $own/.rolecall-began; mkfifo $own/.rolecall-began; ln -s `+seen.dir+`/file $own/lent`)
	job.AfterScript = []string{plant, "echo after is there"}
	job.Cache = []coordinator.Cache{{Paths: []string{"x", "y"}}}
	contains(t, w.succeed(t, sharedToken, w.in("ci/tool:1", job)), "\nplanted ", "after is there")
	w.check(t, seen, "links in a container")
	w.settle(t)
	closed := w.alpha("rm -rf $CI_PROJECT_DIR.tmp && ln -s "+seen.dir+"/folder $CI_PROJECT_DIR.tmp", "mkdir -p shut/in; touch shut/in/file; chmod 000 shut/in shut .git/objects", "chown -R 4321:4321 shut", "echo planted")
	run := w.enqueue(sharedToken, w.in("ci/tool:1", closed))
	wait(t, run) // it may be in its own way
	contains(t, run.Text(), "\nplanted")
	w.settle(t)
	w.check(t, seen, "a link in the place of a folder")
	next := w.alpha(`cat "$SETTINGS"`, "cat README.md", "test ! -e shut")
	next.Variables = append(next.Variables, coordinator.Variable{Key: "SETTINGS", Value: "the settings\n", File: true})
	contains(t, w.succeed(t, sharedToken, w.in("ci/tool:1", next)), "an earlier job has put something in the place of the folder ", "the settings\n", "hello\n")
	w.settle(t)
	w.succeed(t, sharedToken, w.alpha("true"))
	w.settle(t)
	w.check(t, seen, "the next job")
	if content, err := os.ReadFile(filepath.Join(seen.dir, "file")); err != nil || !bytes.Equal(content, []byte("of root\n")) {
		t.Errorf("the file of root: %q, %v", content, err)
	}
	w.checkNoContainer(t, "planted folders")
	w.checkNothingLeft(t)
}
