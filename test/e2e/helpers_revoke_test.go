package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// leaseState is what ownHelper must get back.
const leaseState = `,"state":"lease-of-the-helper"`

// revoked returns the lines that ownHelper has written of what it was asked to revoke for a job.
func (p *policyWorld) revoked(run *coordinator.Run) (lines []string) {
	content, _ := os.ReadFile(filepath.Join(p.dir, "revoked"))
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, fmt.Sprintf(`"id":"%d"`, run.ID())) {
			lines = append(lines, line)
		}
	}
	return lines
}

// checkRevoked checks that what a job had was revoked once, with its state and without its token.
func (p *policyWorld) checkRevoked(t *testing.T, name string, run *coordinator.Run) {
	t.Helper()
	until(t, 20*time.Second, name+": what the helper gave is revoked", func() bool { return len(p.revoked(run)) > 0 })
	lines := p.revoked(run)
	if len(lines) != 1 || !strings.Contains(lines[0], `"state":"lease-of-the-helper"`) || !strings.Contains(lines[0], `"source":"db"`) || strings.Contains(lines[0], "token") {
		t.Errorf("%s: the helper was asked %q; log:\n%s", name, lines, run.Text())
	}
}

// revokeAll runs the program that revokes what ended jobs had.
func (p *policyWorld) revokeAll(t *testing.T) {
	t.Helper()
	programs, err := lab.Binaries()
	kit.Must(t, err)
	if out, err := exec.CommandContext(t.Context(), programs.Revoke, "--config", p.policy).CombinedOutput(); err != nil {
		t.Errorf("revoke: %v: %s", err, out)
	}
}

// TestHelperRevokes: what a helper gave is revoked once, however the job ends: when it has succeeded,
// when it was cancelled, when a later source has failed, when the helper has failed before, and when
// the runner was killed.
// The jobs run one after another, as the helpers change.
func TestHelperRevokes(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serveAs(t, "", p.helpers(t, leaseState))
	run := p.enqueue(sharedToken, p.alpha(`echo "$PGPASSWORD"`))
	if result := wait(t, run); result.State != "success" || len(p.revoked(run)) > 1 {
		t.Fatalf("%+v, log:\n%s", result, run.Text())
	}
	p.checkRevoked(t, "a success", run)
	p.awaitKinds(t, run, "decision issued masked revoked ended")
	p.settle(t)

	run = p.enqueue(sharedToken, p.alpha("echo st''arted", "sleep 300"))
	until(t, 20*time.Second, "the script runs", func() bool { return strings.Contains(run.Text(), "\nstarted") })
	run.Cancel()
	wait(t, run)
	p.checkRevoked(t, "cancelled", run)
	p.settle(t)

	images, err := os.ReadFile(filepath.Join(p.dir, "images"))
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, "images"), []byte("#!/bin/sh\necho none; exit 1\n"), 0o755))
	run = p.enqueue(sharedToken, p.alpha("echo st''arted"))
	wait(t, run)
	contains(t, run.Text(), "the helper has failed (exit code 1)", "none", "RC341")
	p.checkRevoked(t, "a later source fails", run)
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, "images"), images, 0o755))
	p.settle(t)

	db, err := os.ReadFile(filepath.Join(p.dir, "db"))
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, "db"), []byte(strings.Replace(string(db), `"revoke"'*)`, `"revoke"'*) exit 2;`, 1)), 0o755))
	run = p.enqueue(sharedToken, p.alpha("echo fine"))
	if result := wait(t, run); result.State != "success" {
		t.Errorf("%+v, log:\n%s", result, run.Text())
	}
	p.awaitKinds(t, run, "decision issued revoke_failed ended")
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, "db"), db, 0o755))
	p.revokeAll(t)
	p.checkRevoked(t, "the helper had failed", run)
	p.settle(t)

	run = p.enqueue(sharedToken, p.alpha("echo st''arted", "sleep 300"))
	until(t, 20*time.Second, "the script runs", func() bool { return strings.Contains(run.Text(), "\nstarted") })
	p.runner.Kill()
	folder := filepath.Join(p.credentials(), fmt.Sprint(run.ID()))
	until(t, 20*time.Second, "the job ends itself", func() bool {
		_, err := os.Lstat(folder)
		return os.IsNotExist(err)
	})
	p.revokeAll(t)
	p.checkRevoked(t, "the runner was killed", run)
	p.revokeAll(t)
	p.checkRevoked(t, "again", run)
}
