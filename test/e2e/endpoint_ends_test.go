package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// TestSTSAway: while STS does not answer, a job goes on with the session that it has, and the
// log says it once. When STS is back, the session is renewed.
func TestSTSAway(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serve(t, "")
	run := p.enqueue(sharedToken, p.alpha("echo begin", p.s3("put alpha key text"), p.s3("watch alpha 45")))
	until(t, time.Minute, "the script", func() bool { return strings.Contains(run.Text(), "key ") })
	p.recorder.Cut(true)
	time.Sleep(20 * time.Second)
	p.recorder.Cut(false)
	if result := wait(t, run); result.State != "success" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	if n := strings.Count(run.Text(), "could not be renewed; they are used until"); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, run.Text())
	}
	checkRenewed(t, p, 1)
	if keys := keysOf(run.Text()); len(keys) < 2 {
		t.Errorf("keys %q, want a renewal after that", keys)
	}
	p.settle(t)
	p.checkNothingLeft(t)
}

// TestKilledEndpoint: an endpoint that is killed is started again, with the newest session;
// with run, nothing listens any more.
func TestKilledEndpoint(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serve(t, "")
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o777))
	run := p.enqueue(sharedToken, p.alpha(
		p.s3("put alpha key text"),
		`printf 'URL=%s\n' "$AWS_CONTAINER_CREDENTIALS_FULL_URI" > `+dir+`/where; chmod 0644 `+dir+`/where`,
		"pkill -9 -x -P $PPID endpoint", p.s3("get alpha key"), "touch "+dir+"/again; chmod 0644 "+dir+"/again", "sleep 1000",
	))
	until(t, time.Minute, "the second endpoint", func() bool {
		_, err := os.Stat(dir + "/again")
		return err == nil
	})
	where, err := os.ReadFile(dir + "/where")
	kit.Must(t, err)
	for _, driver := range driversOf(t, run) {
		kit.Must(t, syscall.Kill(driver, syscall.SIGKILL))
	}
	time.Sleep(time.Second)
	checkRefused(t, string(where))
	if result := wait(t, run); result.State != "failed" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	p.settle(t)
	p.checkNothingLeft(t)
}

// driversOf returns the processes of the program run that serve a job.
func driversOf(t *testing.T, run *coordinator.Run) []int {
	t.Helper()
	var found []int
	entries, err := os.ReadDir("/proc")
	kit.Must(t, err)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		name, _ := os.ReadFile("/proc/" + entry.Name() + "/comm")
		environ, _ := os.ReadFile("/proc/" + entry.Name() + "/environ")
		if string(name) == "run\n" && strings.Contains(string(environ), "CUSTOM_ENV_CI_JOB_ID="+strconv.FormatInt(run.ID(), 10)+"\x00") {
			found = append(found, pid)
		}
	}
	if len(found) == 0 {
		t.Error("no process of run was found")
	}
	return found
}

// TestEndpointInImages: a script in a container reaches its endpoint, whatever network it has,
// and so do tools by the program credential.
func TestEndpointInImages(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	for _, network := range []string{"host", "none"} {
		w := newContainerWorld(t, "network = \""+network+"\"\n")
		w.serve(t, w.source("audit"))
		ask := `wget -q -O - --header "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI"`
		program := `sh -c "$(sed -n 's/^credential_process = //p' "$AWS_CONFIG_FILE")"`
		script := []string{ask, ". $ROLECALL_ENV_FILE; " + ask, program}
		if network == "host" {
			script = append(script, w.s3("put alpha key text"))
		}
		masked := `"AccessKeyId":"[MASKED]","SecretAccessKey":"[MASKED]"`
		for image, job := range map[string]coordinator.Job{
			"alone":          w.in("ci/tool:1", w.alpha(script...)),
			"with a service": with(w.in("ci/tool:1", w.alpha(script[:3]...)), w.serving("ci/tool:1", "80", "one", variable("TEXT", "t"))),
			"as another user": w.in("ci/tool:1", w.alpha(script[:3]...), func(image map[string]any) {
				image["executor_opts"] = map[string]any{"docker": map[string]any{"user": "1000"}}
			}),
		} {
			log := w.succeed(t, sharedToken, job)
			if n := strings.Count(log, masked); n != 3 {
				t.Errorf("%s, %s: %d answers, want 3:\n%s", network, image, n, log)
			}
			w.settle(t)
		}
		w.checkNothingLeft(t)
	}
}

// source is a second role of alpha, in truth the same one, with a name.
func (p *policyWorld) source(name string) string {
	return fmt.Sprintf("[[tenant.source]]\nname = %q\nprovider = \"aws\"\nrole_arn = %q\n", name, p.minio.RoleARN("alpha"))
}

// readOnly is a session policy.
const readOnly = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::*"]}]}`

// TestProfiles: tools find another role by a profile, also one that can do less. With keys in
// the environment a tool needs its name.
func TestProfiles(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	policy := p.dir + "/read.json"
	kit.Must(t, os.WriteFile(policy, []byte(readOnly), 0o600))
	p.serve(t, p.source("audit")+fmt.Sprintf("session_policy_file = %q\n", policy))
	job := p.alpha(
		p.s3("put alpha key text"),
		"AWS_PROFILE=audit "+p.s3("get alpha key"),
		"AWS_PROFILE=audit "+p.s3("put alpha key other")+" || echo refused",
		`$(sed -n 's/^credential_process = //p' "$AWS_CONFIG_FILE")`,
		`$(sed -n 's/^credential_process = //p' "$AWS_CONFIG_FILE")x || echo no such credential`,
	)
	log := p.succeed(t, sharedToken, job)
	contains(t, log, "AccessDenied", "refused", `{"Version":1,"AccessKeyId":"[MASKED]"`, "no such credential", "the endpoint has answered 404")
	p.settle(t)
	p.checkNothingLeft(t)
}
