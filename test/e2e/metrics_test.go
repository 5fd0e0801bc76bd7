package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/metrics"
	"rolecall/test/coordinator"
)

// TestMetrics: the stages of real jobs write the file of metrics, and after jobs of each kind it has
// the right counts.
func TestMetrics(t *testing.T) {
	t.Parallel()
	p := newPolicyWorld(t)
	file := filepath.Join(p.dir, "rolecall.prom")
	p.write(t, "metrics_file = \""+file+"\"\n"+p.policyText())
	has := func(line string) bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), "\nrolecall_"+line+"\n")
	}
	wait(t, p.enqueue(sharedToken, p.alpha("true")))
	until(t, 20*time.Second, "cleanup has counted the job", func() bool { return has(`jobs_ended_total{program="cleanup"} 1`) })

	leaking := p.alpha(`echo "$AWS_SECRET_ACCESS_KEY"`, `echo "$AWS_SECRET_ACCESS_KEY" > key`)
	leaking.Artifacts = []coordinator.Artifact{{Paths: []string{"key"}}}
	run := p.enqueue(sharedToken, leaking)
	wait(t, run)
	p.awaitKinds(t, run, "decision issued masked upload_refused ended")
	refused := p.alpha("true")
	refused.Ref = "feature/x"
	run = p.enqueue(sharedToken, refused)
	wait(t, run)
	p.awaitKinds(t, run, "decision")
	if err := (metrics.Update{Log: p.audit(), File: file, Full: true}).Do(); err != nil {
		t.Error(err)
	}
	for _, line := range []string{
		`decisions_total{tenant="alpha",result="allowed"} 2`, `sessions_issued_total{tenant="alpha",provider="aws"} 2`,
		`decisions_total{tenant="alpha",result="refused",code="RC103",rule="refs"} 1`,
		`provider_requests_total{provider="aws",code="ok"} 2`, `provider_request_seconds_count{provider="aws"} 2`,
		`uploads_refused_total{code="RC108"} 1`, `masked_total 1`, `jobs_ended_total{program="cleanup"} 2`,
		`metrics_resets_total 0`, `audit_unread_lines_total{why="foreign"} 0`,
	} {
		if !has(line) {
			text, _ := os.ReadFile(file)
			t.Errorf("no %s in\n%s", line, text)
		}
	}
}
