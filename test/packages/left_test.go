package packages_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// keys returns the access keys that STS has given to a job, and of those the tenants.
func (h host) keys(run *coordinator.Run) map[string]string {
	keys := map[string]string{}
	for _, issued := range h.recorder.Issued() {
		if !strings.HasSuffix(issued.SessionName, fmt.Sprintf("-%d", run.ID())) || issued.AccessKeyID == "" {
			continue
		}
		for _, tenant := range []string{"alpha", "beta"} {
			if issued.RoleARN == h.minio.RoleARN(tenant) {
				keys[issued.AccessKeyID] = tenant
			}
		}
	}
	return keys
}

// used returns how often a job has written to S3, and fails the test where it did so with a key
// that is not its own, or not of its tenant.
func (h host) used(t *testing.T, one held) int {
	t.Helper()
	keys, tenant, times := h.keys(one.run), "alpha", 0
	if one.stage == "cleanup" {
		tenant = "beta"
	}
	for _, call := range h.recorder.Calls() {
		if !strings.HasSuffix(call.Path, fmt.Sprintf("-%d", one.run.ID())) || call.Method != http.MethodPut {
			continue
		}
		if times++; keys[call.AccessKeyID] != tenant || call.Status != http.StatusOK {
			t.Errorf("a job in %s has written %s as %s: %d; its keys are %v", one.stage, call.Path, call.AccessKeyID, call.Status, keys)
		}
	}
	return times
}

// checkUse fails the test unless a job has used its own credentials in its script and after it.
func (h host) checkUse(t *testing.T, one held) {
	t.Helper()
	if times := h.used(t, one); times != 2 {
		t.Errorf("a job in %s has used its credentials %d times, want 2; log:\n%s", one.stage, times, one.run.Text())
	}
}

// events returns how many lines of each kind the audit log has about a job.
func (h host) events(t *testing.T, run *coordinator.Run) map[string]int {
	t.Helper()
	f, err := os.Open(filepath.Join(h.Root, "var/lib/rolecall/audit.jsonl"))
	kit.Must(t, err)
	defer f.Close()
	count := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e struct {
			Event string `json:"event"`
			JobID string `json:"job_id"`
		}
		kit.Must(t, json.Unmarshal(lines.Bytes(), &e))
		if e.JobID == fmt.Sprint(run.ID()) {
			count[e.Event]++
		}
	}
	return count
}

// checkEnd fails the test unless the audit log has one end of a job that got credentials.
func (h host) checkEnd(t *testing.T, one held) {
	t.Helper()
	count := h.events(t, one.run)
	if count["ended"] != 1 || count["removed"] != 0 || count["issued"] < 1 {
		t.Errorf("the audit log of a job in %s: %v", one.stage, count)
	}
}

// checkNothingLeft fails the test where the state of a job is left, a file with its credentials, or a
// process of a user of jobs.
func (h host) checkNothingLeft(t *testing.T) {
	t.Helper()
	for what, script := range map[string]string{
		"state of a job": `ls /run/rolecall /run/rolecall/revocations 2> /dev/null | grep '^[0-9]' || true`,
		"files of jobs":  `find / -xdev \( -path /proc -o -path /sys \) -prune -o \( -name '.aws.*.env' -o -path '*.tmp/rolecall-*' -o -name issued.json \) -print; find /run /dev/shm -name '.aws.*.env' -o -name issued.json`,
		"processes":      `for user in ci-alpha ci-beta ci-none; do find /proc -maxdepth 1 -name '[0-9]*' -user "$user"; done`,
	} {
		left := ""
		kit.Await(t, "no "+what+" is left", func() bool { left = h.sh(t, script); return left == "" })
	}
}
