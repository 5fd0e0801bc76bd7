package e2e_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// handOver lets the jobs of all hosts hand over values as the lines say. The key of seals is the
// same on all hosts.
func (f fleet) handOver(t *testing.T, lines string) {
	t.Helper()
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))
	for _, h := range f {
		path := filepath.Join(h.Root, "etc/rolecall/rolecall.toml")
		content, err := os.ReadFile(path)
		kit.Must(t, err)
		before, _, _ := strings.Cut(string(content), "\n[handover]\n")
		h.write(t, "/etc/rolecall/rolecall.toml", before+"\n[handover]\n"+lines, 0o600)
		h.write(t, "/etc/rolecall/handover.key", key+"\n", 0o600)
	}
}

// only lets one host of the fleet take jobs.
func (f fleet) only(t *testing.T, i int) {
	t.Helper()
	for at, h := range f {
		if at != i {
			h.sh(t, "systemctl stop gitlab-runner")
		}
	}
	f[i].sh(t, "systemctl start gitlab-runner")
}

// shopOf is a job of alpha in a pipeline.
func (f fleet) shopOf(name string, pipeline int64, script ...string) coordinator.Job {
	job := f[0].shop("alpha", script...)
	job.Name, job.PipelineID, job.Artifacts, job.AfterScript = name, pipeline, nil, nil
	return job
}

// TestHandoverFleet: values that lie in a host's memory are for jobs of that host, and are gone when
// it loses its power: a job that needs them is told so. Values in a bucket are for jobs of all hosts,
// and stay.
func TestHandoverFleet(t *testing.T) {
	t.Parallel()
	hosts := newFleet(t, 2)
	makes := func(pipeline int64) coordinator.Job {
		return hosts.shopOf("make", pipeline, `printf 'DB_URL=%s-%s\n' hunter2 hunter2 >> "$ROLECALL_SECRET_OUT"`, `echo "made on $(hostname)"`)
	}
	uses := func(pipeline int64) coordinator.Job {
		job := hosts.shopOf("use", pipeline, `test "$DB_URL" = "$(printf '%s-%s' hunter2 hunter2)"`, `echo "used <$DB_URL> on $(hostname)"`)
		job.Variables = append(job.Variables, coordinator.Variable{Key: "ROLECALL_EXPECT", Value: "DB_URL"})
		return job
	}
	lacks := func(on int, texts ...string) {
		hosts.only(t, on)
		run := hosts[0].enqueue(sharedToken, uses(70))
		if result := wait(t, run); result.State != "failed" || result.FailureReason != "script_failure" {
			t.Errorf("on host %d: %+v\n%s", on, result, run.Text())
		}
		contains(t, run.Text(), append(texts, "RC114", "DB_URL: no job that has ended has handed it over")...)
	}

	hosts.handOver(t, "store = \"local\"\n")
	hosts.only(t, 0)
	contains(t, hosts[0].succeed(t, sharedToken, makes(70)), "made on ci-0", "Jobs on other hosts do not get it")
	contains(t, hosts[0].succeed(t, sharedToken, uses(70)), "used <[MASKED]> on ci-0")
	lacks(1, "what jobs on other hosts hand over is not seen here")
	hosts[0].losePower(t)
	lacks(0, "on this host")

	hosts.handOver(t, fmt.Sprintf("store = \"s3\"\nbucket = \"alpha\"\nendpoint = %q\nseal_key_files = [\"/etc/rolecall/handover.key\"]\n", hosts[0].recorder.URL()))
	hosts.only(t, 0)
	contains(t, hosts[0].succeed(t, sharedToken, makes(71)), "made on ci-0")
	hosts[0].losePower(t)
	hosts.only(t, 1)
	contains(t, hosts[0].succeed(t, sharedToken, uses(71)), "used <[MASKED]> on ci-1")
	hosts.only(t, 0)
	contains(t, hosts[0].succeed(t, sharedToken, uses(71)), "used <[MASKED]> on ci-0")
	for i, h := range hosts {
		if left := h.left(t); left != "" {
			t.Errorf("on host %d there is left:\n%s", i, left)
		}
	}
}
