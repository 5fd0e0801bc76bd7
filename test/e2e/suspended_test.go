package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/suspension"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// suspend suspends tenants, and no others.
func (p *policyWorld) suspend(t *testing.T, list ...suspension.Suspension) {
	t.Helper()
	kit.Must(t, suspension.Beside(p.policy).Change(func(suspension.List) (suspension.List, error) { return list, nil }))
}

// alphaLeaks is a suspension of alpha.
func alphaLeaks() suspension.Suspension {
	return suspension.Suspension{Tenant: "alpha", Since: time.Now(), Reason: "a key in a paste"}
}

// refuses runs a job that is refused with a code, once, and returns its log.
func (p *policyWorld) refuses(t *testing.T, job coordinator.Job, code string) string {
	t.Helper()
	run := p.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "failed" || result.FailureReason != "script_failure" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), "· "+code)
	p.awaitKinds(t, run, "decision")
	if events := p.events(t, run); len(events) != 1 || events[0]["code"] != code || events[0]["tenant"] != "alpha" {
		t.Errorf("the audit log has %v", events)
	}
	return run.Text()
}

// holding is a job whose script waits for a file go beside a file started, with its credentials.
func (p *policyWorld) holding(dir string, then ...string) coordinator.Job {
	job := p.alpha(append([]string{p.s3("put alpha key text"), "touch " + dir + "/started; while [ ! -e " + dir + "/go ]; do sleep 0.1; done"}, then...)...)
	job.AfterScript = []string{"echo after " + p.s3("ls alpha")}
	return job
}

// TestSuspended: while a tenant is suspended its jobs are refused, and one that runs goes on without
// what its endpoint gives, and without its after_script. Other jobs know nothing of it. When the
// suspension has ended all is as before.
func TestSuspended(t *testing.T) { //nolint:tparallel // one job after another, as the file changes
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serve(t, "")
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o777))
	run := p.enqueue(sharedToken, p.holding(dir, p.s3("get alpha key")+" || echo no credentials"))
	until(t, time.Minute, "the script", func() bool { return exists(dir + "/started") })
	p.suspend(t, alphaLeaks())
	untilLog(t, run, "the job's credentials are not given to its script any more: tenant \"alpha\" is suspended since ")
	log := p.refuses(t, p.alpha("echo never"), "RC351")
	contains(t, log, `rolecall: tenant "alpha" is suspended since `, "  who acts   the runner's admin", "  reason     a key in a paste", "  until      the runner's admin ends it")
	p.succeed(t, sharedToken, p.beta(p.s3("ls beta")))
	kit.Must(t, os.WriteFile(dir+"/go", nil, 0o600))
	if result := wait(t, run); result.State != "success" || strings.Contains(run.Text(), "after s3job") {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), "\nno credentials\n", "· RC351")
	p.settle(t)
	p.awaitKinds(t, run, "decision issued ended")
	t.Run("its time is over", func(t *testing.T) {
		s := alphaLeaks()
		s.Until = time.Now().Add(4 * time.Second)
		p.suspend(t, s)
		until(t, time.Minute, "the end", func() bool { return !time.Now().Before(s.Until) })
		p.succeed(t, sharedToken, p.alpha(p.s3("ls alpha")))
		p.settle(t)
	})
	t.Run("all tenants", func(t *testing.T) {
		p.suspend(t, suspension.Suspension{All: true, Since: time.Now()})
		contains(t, p.refuses(t, p.alpha("echo never"), "RC351"), "rolecall: all tenants are suspended since ")
		p.settle(t)
		other := coordinator.Job{Project: coordinator.Project{ID: 43, Path: "other/project"}, Script: []string{"echo done without"}}
		contains(t, p.succeed(t, sharedToken, other), "done without")
		p.settle(t)
	})
	t.Run("a file that is broken, or of others", func(t *testing.T) {
		path := suspension.Beside(p.policy).Path
		for _, mode := range []os.FileMode{0o600, 0o666} {
			content := map[os.FileMode]string{0o600: `{"format": 1, "suspended": [`, 0o666: `{"format": 1, "suspended": []}`}[mode]
			kit.Must(t, os.WriteFile(path, []byte(content), 0o600))
			kit.Must(t, os.Chmod(path, mode))
			contains(t, p.refuses(t, p.alpha("echo never"), "RC352"), "rolecall: it is not known which tenants are suspended", path)
			p.settle(t)
		}
		kit.Must(t, os.Remove(path))
		p.succeed(t, sharedToken, p.alpha(p.s3("ls alpha")))
		p.settle(t)
	})
	p.checkNothingLeft(t)
}

// exists reports whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkEnded suspends alpha with now while a script of it storms, and checks that nothing of it runs
// some seconds later.
func (p *policyWorld) checkEnded(t *testing.T, change func(coordinator.Job) coordinator.Job) {
	t.Helper()
	marker := fmt.Sprintf("1%09d", rand.IntN(1e9))
	job := change(p.alpha(fmt.Sprintf(storm, marker)))
	job.AfterScript = []string{"echo after"}
	run := p.enqueue(sharedToken, job)
	untilLog(t, run, "tick")
	contains(t, p.rolecall(t, "suspend", "alpha", "--now", "--reason", "a key in a paste"), `suspended: tenant "alpha"`, "are ended")
	begin := time.Now()
	until(t, endTime, "the end of all processes", func() bool { return len(sleeping(marker)) == 0 })
	t.Logf("all processes ended after %v", time.Since(begin).Round(time.Millisecond))
	if result := wait(t, run); result.State != "failed" || result.FailureReason != "script_failure" || strings.Contains(run.Text(), "\nafter\n") {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), `rolecall: tenant "alpha" is suspended since `, "  reason     a key in a paste", "· RC351")
	p.settle(t)
	p.awaitKinds(t, run, "decision issued withdrawn ended")
	contains(t, p.rolecall(t, "job", fmt.Sprint(run.ID())), "its script was ended, in build_script [RC351 runner-admin]:")
	contains(t, p.rolecall(t, "refused", "--json"), fmt.Sprint(run.ID()), "RC351")
	contains(t, p.rolecall(t, "resume", "alpha"), `the suspension of tenant "alpha" has ended`)
}

// rolecall runs a command of rolecall, with the policy file of the world, and returns what it prints.
func (p *policyWorld) rolecall(t *testing.T, command string, args ...string) string {
	t.Helper()
	programs, err := lab.Binaries()
	kit.Must(t, err)
	out, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(programs.Run), "rolecall"), append([]string{command, "--config", p.policy}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("rolecall %s %q: %v\n%s", command, args, err, out)
	}
	return string(out)
}

// TestSuspendedNow: with now a script that runs is ended within seconds, whatever it does, and
// nothing of it is left.
func TestSuspendedNow(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.checkEnded(t, func(job coordinator.Job) coordinator.Job { return job })
	p.succeed(t, sharedToken, p.alpha(p.s3("ls alpha")))
	p.settle(t)
	p.checkNothingLeft(t)
}

// TestSuspendedNowInImages is TestSuspendedNow for jobs with an image.
func TestSuspendedNowInImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	w.checkEnded(t, func(job coordinator.Job) coordinator.Job { return w.in("ci/tool:1", job) })
	w.checkNoContainer(t, "suspended")
	w.checkNothingLeft(t)
}

// TestSuspendedBroker: a broker gives a suspended tenant nothing from the next request on, though it
// holds a session, and to others what it has given before.
func TestSuspendedBroker(t *testing.T) {
	t.Parallel()
	b := newBrokerWorld(t)
	token, _ := b.tokenOf(t, b.alpha())
	kept, other := ask(t, b.broker, "/v1/aws/alpha", token), ask(t, b.broker, "/v1/aws/often", token)
	if kept.status != 200 || other.status != 200 {
		t.Fatalf("%+v\n%+v", kept, other)
	}
	b.suspend(t, alphaLeaks())
	if got := ask(t, b.broker, "/v1/aws/alpha", token); got.status == 200 {
		t.Errorf("the next request gets %+v", got)
	}
	if got := settled(t, b.broker, "/v1/aws/alpha", token); got.status != 403 || got.code() != "RC351" {
		t.Errorf("%+v", got)
	}
	if got := settled(t, b.broker, "/v1/aws/often", token); got.status != 200 {
		t.Errorf("another tenant gets %+v", got)
	}
	b.suspend(t)
	if got := settled(t, b.broker, "/v1/aws/alpha", token); got.status != 200 || got.body == kept.body {
		t.Errorf("later it gets %+v", got)
	}
}
