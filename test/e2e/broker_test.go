package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// use returns a script that lists the bucket of alpha with a client, with the credential of
// alpha and that of its source, and cannot list the bucket of beta.
func use(client string) []string {
	return []string{
		"id -un", client + " alpha", `env | grep -c -e AWS_ACCESS_KEY_ID -e AWS_SECRET || true`,
		"if " + client + " beta; then echo alpha is beta; fi",
		"echo; AWS_CONTAINER_CREDENTIALS_FULL_URI=$AWS_CONTAINER_CREDENTIALS_FULL_URI/audit " + client + " alpha",
	}
}

// checkUse fails the test unless a job of use ran as a user, with one key for alpha and another
// one for its source.
func checkUse(t *testing.T, client string, run *coordinator.Run, user string) {
	t.Helper()
	result, text := wait(t, run), run.Text()
	if result.State != "success" || len(keysOf(text)) != 2 || strings.Count(text, "\nobject") != 2 || strings.Contains(text, "\nalpha is beta") {
		t.Errorf("%s: %+v; log:\n%s", client, result, text)
	}
	contains(t, text, "\n"+user, "\n0\n", "AccessDenied")
}

// TestBrokerOfShell: jobs of the shell executor, in a network of their own and as a user without
// rights, work with each SDK, by an ID token and a variable. A process works with credentials
// that are renewed under it.
func TestBrokerOfShell(t *testing.T) {
	t.Parallel()
	if !kit.InNetwork(t, "jobs that ask a broker, in a network of their own", kit.AddressECS, kit.AddressEKS) {
		return
	}
	dir := kit.OpenDir(t)
	clients, err := lab.Clients(dir)
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	b := newBrokerWorld(t, "http://"+kit.AddressECS, "http://"+kit.AddressEKS)
	network := kit.NewNetwork(t)
	network.Forward(t, b.gitlab.URL())
	network.Forward(t, b.recorder.URL())
	b.runner = startRunner(t, lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: b.gitlab.URL(), User: alphaUser, Under: network.Under(), Concurrent: 8,
		Runners: []lab.Runner{{Name: "shell", Token: shellToken, Executor: "shell"}},
	})
	watching := map[string]*coordinator.Run{}
	for name, line := range map[string]string{"boto3": "/usr/bin/python3 " + dir + "/watch.py alpha 25", "go": "s3job watch alpha 25"} {
		job := b.asker(kit.AddressECS, line)
		job.Variables = append(job.Variables, coordinator.Variable{Key: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://" + kit.AddressECS + "/v1/aws/often"})
		watching[name] = b.enqueue(shellToken, job)
	}
	runs := map[string]*coordinator.Run{}
	for _, c := range clients {
		runs[c.Name] = b.enqueue(shellToken, b.asker(c.Address, use(c.Command)...))
	}
	for name, run := range runs {
		checkUse(t, name, run, alphaUser)
		b.checkEvents(t, run, "10.23.", "decision issued decision issued of audit")
		if n := b.calls(t)[run.IDToken(brokerToken)]; n != 2 {
			t.Errorf("%s: STS was called %d times, want once for alpha and once for its source", name, n)
		}
	}
	for name, run := range watching {
		result := wait(t, run)
		if keys := keysOf(run.Text()); result.State != "success" || len(keys) < 3 {
			t.Errorf("%s: %+v, %d keys; log:\n%s", name, result, len(keys), run.Text())
		}
		b.checkEvents(t, run, "10.23.", "decision issued renewed")
	}
}

// checkEvents fails the test unless the audit log has these lines about a job, each once if it
// follows itself, and each with the address of a client that begins so.
func (b *brokerWorld) checkEvents(t *testing.T, run *coordinator.Run, client, want string) {
	t.Helper()
	var kinds []string
	for _, event := range b.events(t, run) {
		kind := fmt.Sprint(event["event"])
		if source, ok := event["source"]; ok {
			kind += fmt.Sprint(" of ", source)
		}
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
		if event["program"] != "broker" || !strings.HasPrefix(fmt.Sprint(event["client"]), client) {
			t.Errorf("a line is about %v", event)
		}
	}
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("the audit log has %q of job %d, want %q", got, run.ID(), want)
	}
}

// TestBrokerOfDocker: jobs of the docker executor, in containers, work by the same ID token and
// variable.
func TestBrokerOfDocker(t *testing.T) {
	t.Parallel()
	kit.NeedProgram(t, lab.DockerProgram, lab.DockerPackage)
	kit.NeedProgram(t, "busybox", "busybox-static")
	if !kit.InNetwork(t, "jobs of the docker executor that ask a broker", kit.AddressEKS) {
		return
	}
	kit.Must(t, kit.Unify(kit.OpenDir(t)))
	b := newBrokerWorld(t, "http://"+kit.AddressEKS)
	docker := startDocker(t)
	gitlab := kit.Relay(t, kit.AddressEKS, b.gitlab.URL())
	s3 := kit.Relay(t, kit.AddressEKS, b.recorder.URL())
	b.runner = startRunner(t, lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: gitlab, Runners: []lab.Runner{docker.Runner(dockerToken, "lab/tool:1", gitlab)},
	})
	job := b.asker(kit.AddressEKS, use("s3job use")...)
	job.Variables = append(job.Variables, coordinator.Variable{Key: "AWS_ENDPOINT_URL_S3", Value: s3})
	run := b.enqueue(dockerToken, job)
	checkUse(t, "go", run, "root")
	b.checkEvents(t, run, "172.31.0.", "decision issued decision issued of audit")
	if n := b.calls(t)[run.IDToken(brokerToken)]; n != 2 {
		t.Errorf("STS was called %d times, want once for alpha and once for its source", n)
	}
	if t.Failed() {
		t.Log(docker.Log())
	}
}

// dockerToken is that of the runner of the docker executor.
const dockerToken = "glrt-docker0001"

// startDocker starts an engine with an image that has the S3 client.
func startDocker(t *testing.T) *lab.Docker {
	t.Helper()
	docker, err := lab.StartDocker(t.Context(), t.TempDir())
	kit.Must(t, err)
	t.Cleanup(func() { kit.Must(t, docker.Close()) })
	parts, err := lab.Parts()
	kit.Must(t, err)
	client, err := os.ReadFile(parts.S3Job)
	kit.Must(t, err)
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	kit.Must(t, docker.Import(t.Context(), "lab/tool:1", append(files, lab.ImageFile{Path: "usr/bin/s3job", Content: string(client)})...))
	return docker
}
