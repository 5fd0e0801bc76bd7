package cleanup_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/job"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// createCounted makes the folder of a job whose record has a file of metrics.
func (p *place) createCounted(t *testing.T) {
	t.Helper()
	var err error
	p.key, err = job.ReadKey(p.response)
	kit.Must(t, err)
	trail, err := audit.NewTrail(filepath.Join(p.dir, "audit.jsonl"), audit.Event{JobID: "7", Tenant: "alpha"})
	kit.Must(t, err)
	trail.Metrics = filepath.Join(p.dir, "rolecall.prom")
	f, err := state.Create(p.root, p.key, state.Record{Tenant: "alpha", Backend: "toy", Data: json.RawMessage(toy.Data), Audit: trail}, "")
	kit.Must(t, err)
	f.Close()
}

// TestMetrics: the end of a job is counted. That the file of metrics cannot be written is a
// warning, and the job is removed.
func TestMetrics(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createCounted(t)
	p.write(t, "suspended.json", `{"format": 1, "suspended": [{"tenant": "beta", "since": "2026-02-03T04:05:06Z"}]}`)
	code, stderr := p.serveWith(cleanup.Parts{Backends: all(&toy.Backend{})}, p.root, "--config", filepath.Join(p.dir, "rolecall.toml"))
	text, err := os.ReadFile(filepath.Join(p.dir, "rolecall.prom"))
	if code != 0 || err != nil || !strings.Contains(string(text), "\nrolecall_jobs_ended_total{program=\"cleanup\"} 1\n") || !strings.Contains(string(text), "\nrolecall_live_sessions ") ||
		!strings.Contains(string(text), "\nrolecall_suspended_timestamp_seconds{tenant=\"beta\"} 1770091506\n") {
		t.Errorf("exit code %d, %v:\n%s\n%s", code, err, stderr, text)
	}
	p = newPlace(t)
	p.createCounted(t)
	kit.Must(t, os.Mkdir(filepath.Join(p.dir, "rolecall.prom"), 0o700))
	code, stderr = p.serveWith(cleanup.Parts{Backends: all(&toy.Backend{})}, p.root, "--no-policy")
	if code != 0 || !strings.Contains(stderr, "rolecall: warning: metrics_file "+filepath.Join(p.dir, "rolecall.prom")+" is not up to date: ") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	p.check(t, "no metrics", false)
}
