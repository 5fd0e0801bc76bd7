package lab_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

const dockerToken = "glrt-docker0001"

// startDocker starts an engine with an image that has the S3 client.
func startDocker(t *testing.T, dir string) *lab.Docker {
	t.Helper()
	docker, err := lab.StartDocker(t.Context(), dir)
	kit.Must(t, err)
	t.Cleanup(func() { kit.Must(t, docker.Close()) })
	programs, err := lab.Parts()
	kit.Must(t, err)
	client, err := os.ReadFile(programs.S3Job)
	kit.Must(t, err)
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	kit.Must(t, docker.Import(t.Context(), "lab/tool:1", append(files, lab.ImageFile{Path: "usr/bin/s3job", Content: string(client)})...))
	return docker
}

// TestDocker: a job of the docker executor gets credentials from the link-local address of its
// host by an ID token and two variables alone. Nothing of the engine is left.
func TestDocker(t *testing.T) {
	t.Parallel()
	kit.NeedProgram(t, lab.DockerProgram, lab.DockerPackage)
	kit.NeedProgram(t, "busybox", "busybox-static")
	if !kit.InNetwork(t, "jobs of the docker executor", kit.AddressEKS) {
		return
	}
	kit.Must(t, kit.Unify(kit.OpenDir(t)))
	dir := t.TempDir()
	docker := startDocker(t, dir)
	server := startCoordinator(t)
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"hello.txt": "hello\n"})
	kit.Must(t, err)
	server.Host("group/project", repo)
	gitlab := kit.Relay(t, kit.AddressEKS, server.URL())
	minio := startAlpha(t, server)
	startExchange(t, minio, "172.31.0.", kit.AddressEKS)
	runner, err := lab.StartRunner(t.Context(), lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: gitlab, Runners: []lab.Runner{docker.Runner(dockerToken, "lab/tool:1", gitlab)},
	})
	kit.Must(t, err)
	t.Cleanup(func() { kit.Must(t, runner.Close()) })
	job := useAlpha("s3job use", kit.AddressEKS, kit.Relay(t, kit.AddressEKS, minio.URL))
	job.Artifacts = []coordinator.Artifact{{Paths: []string{"hello.txt"}}}
	run := server.Enqueue(dockerToken, job)
	checkUse(t, run, "root")
	if got := uploaded(t, run); got["hello.txt"] != "hello\n" {
		t.Errorf("uploaded %q", got)
	}
	closeBusy(t, docker, server, dir)
	if t.Failed() {
		t.Log(runner.Log(), docker.Log())
	}
}

// closeBusy closes an engine while a job runs in it. Of neither anything may be left.
func closeBusy(t *testing.T, docker *lab.Docker, server *coordinator.Server, dir string) {
	t.Helper()
	run := server.Enqueue(dockerToken, coordinator.Job{Script: []string{"echo begun", "sleep 1000"}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kit.Must(t, run.WaitLog(ctx, "\nbegun"))
	groups := fmt.Sprintf("/sys/fs/cgroup/rolecall-lab-%d", os.Getpid())
	if _, err := os.Stat(groups); err != nil {
		t.Error(err)
	}
	for _, mark := range []string{"HOME=" + dir, fmt.Sprintf("CI_JOB_ID=%d", run.ID())} {
		if len(kit.Marked(mark)) == 0 {
			t.Errorf("no process has %s", mark)
		}
		defer func() {
			if left := kit.Marked(mark); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		}()
	}
	kit.Must(t, docker.Close())
	if _, err := os.Stat(groups); err == nil {
		t.Errorf("%s is left", groups)
	}
}
