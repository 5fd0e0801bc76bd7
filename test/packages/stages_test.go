package packages_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// heldRepo is the repository whose jobs are held while they fetch it.
const heldRepo = "acme/held"

// held is a job that stands still in one of its stages.
type held struct {
	stage string
	run   *coordinator.Run
	hold  *kit.Hold // nil: it waits for something else
}

// request returns what a hold needs to know a request: its method, and a part of its URL.
func request(method, part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.String(), part) }
}

// waits returns a command that waits until the file /tmp/NAME is there.
func waits(stage, name string) string {
	return fmt.Sprintf("echo %[1]s begins; until [ -e /tmp/%[2]s ]; do sleep 0.1; done; echo %[1]s ends", stage, name)
}

// job returns a job that uses its credentials in its script and after it, and keeps a cache and an
// artifact.
func job(tenant, cache string) coordinator.Job {
	put := func(what string) string {
		return fmt.Sprintf(`s3job -endpoint "$S3_URL" put %s %s-$CI_JOB_ID hello || exit 1`, tenant, what)
	}
	return coordinator.Job{
		Script:      []string{"id -un", put("script"), "echo a > a.txt; echo c > c.txt; echo '<testsuites/>' > r.xml"},
		AfterScript: []string{put("after")},
		Artifacts:   []coordinator.Artifact{{Paths: []string{"a.txt"}}},
		Cache:       []coordinator.Cache{{Key: cache, Paths: []string{"c.txt"}}},
	}
}

// holdAll holds a job in each stage but config, which waits for nobody. Name is that of the file
// that lets scripts go on; first is a job whose artifacts and cache are there.
func (h host) holdAll(t *testing.T, name string, first *coordinator.Run) []held {
	t.Helper()
	var all []held
	put := func(stage string, hold *kit.Hold, change func(*coordinator.Job)) {
		j := job("alpha", name+"-"+stage)
		change(&j)
		all = append(all, held{stage, h.enqueue(j), hold})
	}
	put("get_sources", h.gitlab.Hold(request(http.MethodGet, heldRepo+".git")), func(j *coordinator.Job) {
		j.RepoURL = h.gitlab.URL() + "/" + heldRepo + ".git"
	})
	put("restore_cache", h.recorder.Hold(request(http.MethodHead, "/first")), func(j *coordinator.Job) {
		j.Cache = []coordinator.Cache{{Key: "first", Paths: []string{"c.txt"}, Policy: "pull"}}
		j.Script = append([]string{"cat c.txt"}, j.Script...)
	})
	put("download_artifacts", h.gitlab.Hold(request(http.MethodGet, fmt.Sprintf("/jobs/%d/artifacts", first.ID()))), func(j *coordinator.Job) {
		j.Needs = []*coordinator.Run{first}
		j.Script = append([]string{"cat a.txt"}, j.Script...)
	})
	put("step_script", nil, func(j *coordinator.Job) { j.Script = append([]string{waits("step_script", name)}, j.Script...) })
	put("after_script", nil, func(j *coordinator.Job) {
		j.AfterScript = append([]string{waits("after_script", name)}, j.AfterScript...)
	})
	put("archive_cache", h.recorder.Hold(request(http.MethodPut, name+"-archive_cache")), func(*coordinator.Job) {})
	put("upload_artifacts_on_success", h.gitlab.Hold(request(http.MethodPost, "artifact_type=junit")), func(j *coordinator.Job) {
		j.Artifacts = append(j.Artifacts, coordinator.Artifact{Name: "r.xml", Paths: []string{"r.xml"}, Type: "junit"})
	})
	site := h.of("beta", ofBeta, coordinator.Project{ID: 43, Path: "acme/site"}, job("beta", name+"-cleanup"))
	all = append(all, held{"cleanup", h.gitlab.Enqueue(token, site), nil})
	for _, one := range all {
		h.awaitHeld(t, one)
	}
	sts := h.recorder.Hold(func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/" })
	prepare := held{"prepare", h.enqueue(job("alpha", name+"-prepare")), sts}
	h.awaitHeld(t, prepare)
	return append(all, prepare)
}

// awaitHeld waits until a job is in its stage.
func (h host) awaitHeld(t *testing.T, one held) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	switch {
	case one.hold != nil:
		err = one.hold.Came(ctx)
	case one.stage == "cleanup":
		kit.Await(t, "the job of beta is in its cleanup", func() bool { return h.heldCleanup(t) != "" })
	default:
		err = one.run.WaitLog(ctx, "\n"+one.stage+" begins")
	}
	if err != nil {
		t.Fatalf("no job is in %s: %v; log:\n%s", one.stage, err, one.run.Text())
	}
}

// heldCleanup returns the process that helper has stopped, or nothing.
func (h host) heldCleanup(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(h.sh(t, "cat /run/held-cleanup 2> /dev/null || true"))
}

// release lets the jobs go on.
func (h host) release(t *testing.T, name string, all []held) {
	t.Helper()
	for _, one := range all {
		if one.hold != nil {
			one.hold.Release()
		}
	}
	h.write(t, "/tmp/"+name, "", 0o644)
	h.sh(t, "kill -CONT "+h.heldCleanup(t)+"; rm /run/held-cleanup")
}

// upgrade installs a later version while a job is in each stage, and others come and go. All must
// succeed, each with its own credentials, and leave nothing. It returns the version.
func (h host) upgrade(t *testing.T, deb string) string {
	t.Helper()
	first := h.enqueue(job("alpha", "first"))
	succeeds(t, first)
	all := h.holdAll(t, "up", first)
	stop, others := make(chan struct{}), make(chan []*coordinator.Run)
	go func() { others <- h.stream(stop) }()
	h.install(t, deb)
	h.release(t, "up", all)
	close(stop)
	for _, run := range <-others {
		succeeds(t, run)
	}
	for _, one := range all {
		if state := ends(t, one.run).State; state != "success" {
			t.Errorf("a job in %s during the upgrade: %s; log:\n%s", one.stage, state, one.run.Text())
		}
		h.checkUse(t, one)
		h.checkUploads(t, one)
		h.checkEnd(t, one)
	}
	h.checkNothingLeft(t)
	return h.sh(t, "/usr/libexec/rolecall/run --version; dpkg-query -W rolecall")
}

// downgrade is upgrade with a version that is older: a job may end as a system failure, since the older
// programs need not know what the later ones have written. It is nobody's mistake, and nothing is left.
func (h host) downgrade(t *testing.T, deb string) {
	t.Helper()
	first := h.enqueue(job("alpha", "first"))
	succeeds(t, first)
	all := h.holdAll(t, "down", first)
	h.install(t, deb)
	h.release(t, "down", all)
	for _, one := range all {
		result := ends(t, one.run)
		if result.State != "success" && result.FailureReason != "runner_system_failure" {
			t.Errorf("a job in %s during the downgrade: %+v; log:\n%s", one.stage, result, one.run.Text())
		}
		h.used(t, one)
		h.checkEnd(t, one)
	}
	h.checkNothingLeft(t)
}

// checkUploads fails the test unless a job has uploaded what it must.
func (h host) checkUploads(t *testing.T, one held) {
	t.Helper()
	var names []string
	for _, upload := range one.run.Artifacts() {
		names = append(names, upload.Type)
	}
	want := []string{"archive"}
	if one.stage == "upload_artifacts_on_success" {
		want = append(want, "junit")
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("the job in %s has uploaded %q; log:\n%s", one.stage, names, one.run.Text())
	}
}

// stream enqueues jobs without a tenant, one after another, until stop is closed: they need no
// answer of STS, and so all of their stages happen meanwhile.
func (h host) stream(stop chan struct{}) []*coordinator.Run {
	var runs []*coordinator.Run
	for {
		run := h.gitlab.Enqueue(token, coordinator.Job{
			Project: coordinator.Project{ID: 42, Path: "acme/shop"}, Script: []string{"echo b > b.txt"}, Artifacts: []coordinator.Artifact{{Paths: []string{"b.txt"}}},
		})
		runs = append(runs, run)
		select {
		case <-stop:
			return runs
		case <-time.After(500 * time.Millisecond):
		}
	}
}
