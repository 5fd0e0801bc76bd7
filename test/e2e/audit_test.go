package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/auditlog"
	"rolecall/test/coordinator"
)

// checkLines checks each line of the audit logs of the world against the schema that is
// promised. It is called when the world's runner has ended.
func (p *policyWorld) checkLines(t *testing.T) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(p.dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		lines += auditlog.Check(t, content)
	}
	if issued := len(p.recorder.Issued()); lines < issued {
		t.Errorf("%d lines are in %q, and %d credentials were issued", lines, paths, issued)
	}
}

// kinds returns what the lines of the audit log about a job are about, each once if it
// follows itself.
func (p *policyWorld) kinds(t *testing.T, run *coordinator.Run) string {
	t.Helper()
	var kinds []string
	for _, e := range p.events(t, run) {
		if kind := fmt.Sprint(e["event"]); len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, " ")
}

// awaitKinds waits until the audit log has these lines about a job: its last stage may go on
// when GitLab knows the result.
func (p *policyWorld) awaitKinds(t *testing.T, run *coordinator.Run, want string) {
	t.Helper()
	until(t, 10*time.Second, fmt.Sprintf("the audit log has %q of job %d", want, run.ID()), func() bool { return p.kinds(t, run) == want })
	if t.Failed() {
		t.Logf("it has %q; log:\n%s", p.kinds(t, run), run.Text())
	}
}

// TestAudit runs jobs that come to each end, and looks for what the audit log has of them.
func TestAudit(t *testing.T) { //nolint:tparallel // one job after another, as the policy file changes
	t.Parallel()
	p := newPolicyWorld(t)
	t.Run("a job that prints and uploads a secret", func(t *testing.T) {
		job := p.alpha(`echo "$AWS_SECRET_ACCESS_KEY"`, `echo "$AWS_SECRET_ACCESS_KEY" > key`)
		job.Artifacts = []coordinator.Artifact{{Paths: []string{"key"}}}
		run := p.enqueue(sharedToken, job)
		wait(t, run)
		p.awaitKinds(t, run, "decision issued masked upload_refused ended")
		refused := p.events(t, run)[3]
		if text := fmt.Sprint(refused["code"], refused["stage"], refused["places"]); !strings.HasPrefix(text, "RC108upload_artifacts_on_success[map[file:key kind:") {
			t.Errorf("the refusal is %v", refused)
		}
	})
	t.Run("a job without a tenant", func(t *testing.T) {
		run := p.enqueue(sharedToken, coordinator.Job{Project: coordinator.Project{ID: 43, Path: "acme/other"}, Script: []string{"true"}})
		wait(t, run)
		p.awaitKinds(t, run, "")
	})
	t.Run("a role that AWS refuses", func(t *testing.T) {
		p.write(t, strings.ReplaceAll(p.policyText(), p.minio.RoleARN("beta"), "arn:aws:iam::111122223333:role/none"))
		run := p.enqueue(sharedToken, p.beta("echo THE SCRIPT RUNS"))
		wait(t, run)
		p.awaitKinds(t, run, "decision failed")
		failed := p.events(t, run)[1]
		if !strings.HasPrefix(fmt.Sprint(failed["code"]), "RC2") || failed["error_code"] == nil || failed["request_id"] == nil || failed["role_arn"] != "arn:aws:iam::111122223333:role/none" {
			t.Errorf("the failure is %v", failed)
		}
	})
	content, err := os.ReadFile(p.audit())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range p.recorder.Secrets() {
		if strings.Contains(string(content), secret) {
			t.Error("the audit log holds a secret")
		}
	}
}
