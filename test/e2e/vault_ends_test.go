package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// program runs a program that looks after all jobs, once, and returns what it prints.
func (w *vaultWorld) program(t *testing.T, name string, code int) string {
	t.Helper()
	programs, err := lab.Binaries()
	kit.Must(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(programs.Run), name), "--config", w.policy)
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Errorf("%s: %v, want exit code %d: %s", name, cmd.ProcessState, code, out)
	}
	return string(out)
}

// connected enqueues a job that goes on after it has connected, and waits for that.
func (w *vaultWorld) connected(t *testing.T, token string, more ...string) *coordinator.Run {
	t.Helper()
	run := w.enqueue(token, w.client(append([]string{psql}, more...)...))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := run.WaitLog(ctx, "connected as v-jwt-"); err != nil {
		t.Fatalf("%v; log:\n%s", err, run.Text())
	}
	return run
}

// waiting returns a line of a script that waits until the test goes on.
func (w *vaultWorld) waiting() (line string, goOn func(t *testing.T)) {
	path := filepath.Join(w.dir, fmt.Sprintf("go-on-%d", time.Now().UnixNano()))
	return "until [ -e " + path + " ]; do sleep 0.1; done", func(t *testing.T) {
		t.Helper()
		kit.Must(t, os.WriteFile(path, nil, 0o600))
	}
}

// fails runs a job to its end, which is a failure of that reason, and returns its log.
func (w *vaultWorld) fails(t *testing.T, job coordinator.Job, reason string) string {
	t.Helper()
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "failed" || result.FailureReason != reason {
		t.Fatalf("%+v, want %s; log:\n%s", result, reason, run.Text())
	}
	if strings.Contains(run.Text(), "the script runs") {
		t.Errorf("the script ran:\n%s", run.Text())
	}
	return run.Text()
}

// TestVaultRefuses: what Vault refuses is the failure of who can change it, and is not tried again; a
// Vault that is away is tried again, and nothing is given that another source of the job lacks. No
// user is left.
func TestVaultRefuses(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t, away)
	first := w.client("echo the script runs")
	contains(t, w.fails(t, first, "runner_system_failure"), "RC541", `source "late"`, "connection refused")
	w.checkRevoked(t)
	w.settle(t)
	w.rewrite(t, w.policy, away, "")
	other := w.client("echo the script runs")
	other.Ref = "release/1"
	log := w.fails(t, other, "script_failure")
	contains(t, log, "RC213", "the role must allow this ref", "ref  release/1")
	if n := strings.Count(log, "RC213"); n != 1 {
		t.Errorf("it was tried %d times:\n%s", n, log)
	}
	w.settle(t)
	kit.Must(t, w.vault.Seal(t.Context()))
	contains(t, w.fails(t, first, "runner_system_failure"), "RC541", "Vault is sealed")
	w.settle(t)
	kit.Must(t, w.vault.Unseal(t.Context()))
	w.vault.Stop()
	contains(t, w.fails(t, first, "runner_system_failure"), "RC541", "connection refused")
	w.settle(t)
	kit.Must(t, w.vault.Start(t.Context()))
	w.users.Stop()
	contains(t, w.fails(t, first, "runner_system_failure"), "RC541")
	w.settle(t)
	kit.Must(t, w.users.Start(t.Context()))
	w.checkRevoked(t)
}

// away is a source whose server is away.
const away = `[[tenant.source]]
name = "late"
provider = "vault"
address = "https://127.0.0.1:1"
role = "x"
id_token = "VAULT_ID_TOKEN"
audience = "` + vaultAudience + `"
[[tenant.source.read]]
path = "one/app"
env = { LATE_PORT = "{port}" }
`

// TestVaultEnds: however a job ends, its user of the database is gone: after a cancel, and after one
// sweep and one revocation where the runner was killed.
func TestVaultEnds(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t, "")
	run := w.connected(t, sharedToken, "sleep 1000")
	run.Cancel()
	if result := wait(t, run); result.State != "canceled" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	w.checkRevoked(t)
	w.settle(t)
	const token = "glrt-vaultkilled"
	doomed := startRunner(t, lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: w.gitlab.URL(), Env: w.env, Runners: []lab.Runner{{Name: "doomed", Token: token, Args: w.args}},
	})
	run = w.connected(t, token, "trap '' TERM", "sleep 1000")
	kit.Must(t, doomed.Signal(syscall.SIGSTOP))
	kill(t, doomed)
	if users, err := w.users.Users(t.Context(), "v-%"); err != nil || len(users) != 1 {
		t.Errorf("before the sweep: users %q, %v", users, err)
	}
	w.program(t, "sweep", 0)
	contains(t, w.program(t, "revoke", 0), fmt.Sprintf("revoked the credential vault db of job %d", run.ID()))
	w.checkRevoked(t)
}

// kill kills a runner that is stopped, and its stages before it.
func kill(t *testing.T, runner *lab.RunnerService) {
	t.Helper()
	for _, pid := range runner.Leftovers() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	runner.Kill()
}

// TestVaultAway: where Vault or its database is away when a job ends, the job's result stays, the
// audit log says when the user expires, and the user is gone once they are back.
func TestVaultAway(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t, "")
	waits, goOn := w.waiting()
	run := w.connected(t, sharedToken, waits, "exit 7")
	w.vault.Stop()
	goOn(t)
	if result := wait(t, run); result.State != "failed" || result.ExitCode != 7 {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	w.settle(t)
	w.awaitKinds(t, run, "decision issued revoke_failed ended")
	for _, e := range w.events(t, run) {
		if e["event"] == "revoke_failed" && (e["code"] != "RC541" || e["expiration"] == nil) {
			t.Errorf("the audit log has %v", e)
		}
	}
	w.program(t, "revoke", 1)
	kit.Must(t, w.vault.Start(t.Context()))
	if users, err := w.users.Users(t.Context(), "v-%"); err != nil || len(users) != 1 {
		t.Errorf("before Vault is back: users %q, %v", users, err)
	}
	contains(t, w.program(t, "revoke", 0), "revoked the credential vault db of job ")
	w.checkRevoked(t)
	w.awaitKinds(t, run, "decision issued revoke_failed ended revoked")

	waits, goOn = w.waiting()
	run = w.connected(t, sharedToken, waits)
	w.users.Stop()
	goOn(t)
	if result := wait(t, run); result.State != "success" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	w.settle(t)
	kit.Must(t, w.users.Start(t.Context()))
	w.checkRevoked(t)
}
