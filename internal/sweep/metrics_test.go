package sweep_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/suspension"
	"rolecall/internal/sweep"
	"rolecall/test/kit"
)

// TestMetrics: after a sweep the file of metrics has what was counted, and when that was. What keeps
// it from being written is an error, and without a file there is none.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := filepath.Join(dir, "store")
	kit.Must(t, os.Mkdir(root, 0o700))
	p := sweep.Places{Roots: []string{root}, Log: filepath.Join(dir, "audit.jsonl"), Metrics: filepath.Join(dir, "rolecall.prom")}
	p.Suspensions = suspension.Beside(filepath.Join(dir, "rolecall.toml"))
	kit.Must(t, os.WriteFile(p.Suspensions.Path, []byte(`{"format": 1, "suspended": [{"tenant": "alpha", "since": "2026-02-03T04:05:06Z"}]}`), 0o600))
	kit.Must(t, audit.Log{Path: p.Log}.Write(audit.Event{Event: audit.Masked, Count: 3}))
	kit.Must(t, os.MkdirAll(filepath.Join(root, "keys"), 0o700))
	kit.Must(t, os.WriteFile(filepath.Join(root, "keys", "keys-0.json"), []byte(`{"fetched":"2026-02-03T04:05:06Z"}`), 0o600))
	kit.Must(t, os.MkdirAll(filepath.Join(root, "7"), 0o700))
	kit.Must(t, os.WriteFile(filepath.Join(root, "7", "issued.json"), nil, 0o600))
	kit.Must(t, p.Count())
	text, err := os.ReadFile(p.Metrics)
	kit.Must(t, err)
	for _, want := range []string{"masked_total 3\n", "live_sessions 1\n", "keys_fetched_timestamp_seconds 1770091506\n", "suspended_timestamp_seconds{tenant=\"alpha\"} 1770091506\n", "last_sweep_timestamp_seconds 1"} {
		if !strings.Contains(string(text), "\nrolecall_"+want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	kit.Must(t, os.WriteFile(p.Suspensions.Path, []byte("{"), 0o600))
	if err := p.Count(); err == nil || !strings.HasPrefix(err.Error(), "it is not known which tenants are suspended") {
		t.Errorf("a broken file of suspensions: %v", err)
	}
	kit.Must(t, os.Remove(p.Suspensions.Path))
	p.Metrics = filepath.Join(dir, "none", "rolecall.prom")
	if err := p.Count(); err == nil || !strings.HasPrefix(err.Error(), "metrics_file "+p.Metrics+" is not up to date: ") {
		t.Errorf("no folder: %v", err)
	}
	p.Metrics = ""
	kit.Must(t, p.Count())
}
