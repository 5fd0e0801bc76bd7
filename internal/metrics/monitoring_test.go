package metrics_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/metrics"
	"rolecall/test/kit"
)

// folder has the alerts and the dashboard.
const folder = "../../monitoring"

// promtool runs promtool in the folder.
func promtool(t *testing.T, in string, args ...string) {
	t.Helper()
	kit.NeedProgram(t, "promtool", "prometheus")
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir, cmd.Stdin = folder, strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// TestAlerts: the alerts are what Prometheus reads, and their own tests hold.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "rules", "rolecall.rules.yml")
	promtool(t, "", "test", "rules", "rolecall.rules.test.yml")
	text, err := os.ReadFile(filepath.Join(folder, "rolecall.rules.yml"))
	kit.Must(t, err)
	tests, err := os.ReadFile(filepath.Join(folder, "rolecall.rules.test.yml"))
	kit.Must(t, err)
	for _, found := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(text), -1) {
		if strings.Count(string(tests), "alertname: "+found[1]) < 2 {
			t.Errorf("%s has no test in which it fires and one in which it does not", found[1])
		}
	}
	known(t, "the alerts", string(text))
	page, err := os.ReadFile("../../docs/operations.md")
	kit.Must(t, err)
	for _, found := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(string(page), "\n| `"+found[1]+"` | ") {
			t.Errorf("docs/operations.md has no row for %s", found[1])
		}
	}
}

// TestPromtool: promtool has nothing against the file that is written.
func TestPromtool(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(t, decision("alpha", true), masked)
	kit.Must(t, p.Do())
	text, err := os.ReadFile(p.File)
	kit.Must(t, err)
	promtool(t, string(text), "check", "metrics")
}

// dashboard is the part of a dashboard of Grafana that has queries.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

// TestDashboard: each query of the dashboard is one that Prometheus reads, about metrics that exist.
func TestDashboard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(folder, "rolecall.dashboard.json"))
	kit.Must(t, err)
	var d dashboard
	kit.Must(t, json.Unmarshal(text, &d))
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	n := 0
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr)
			fmt.Fprintf(&rules, "      - {record: %q, expr: %q}\n", fmt.Sprintf("panel:%d", n), expr)
			if n++; strings.Contains(expr, "$") {
				t.Errorf("%s has an unknown variable: %s", panel.Title, expr)
			}
		}
	}
	if n < len(d.Panels) || n == 0 {
		t.Errorf("%d queries in %d panels", n, len(d.Panels))
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	kit.Must(t, os.WriteFile(file, []byte(rules.String()), 0o600))
	known(t, "the dashboard", string(text))
	promtool(t, "", "check", "rules", file)
}

// known fails the test if a text names a metric that does not exist, or none of one that does: an
// admin would not see it.
func known(t *testing.T, what, text string) {
	t.Helper()
	named := map[string]bool{}
	for _, name := range regexp.MustCompile(`\brolecall_[a-z_]+`).FindAllString(text, -1) {
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, part)
		}
		named[name] = true
	}
	for name := range named {
		if !slices.ContainsFunc(metrics.Metrics(), func(m metrics.Metric) bool { return m.Name == name }) {
			t.Errorf("%s name %s, which does not exist", what, name)
		}
	}
	if what == "the dashboard" && len(named) != len(metrics.Metrics()) {
		t.Errorf("%s shows %d of %d metrics: %v", what, len(named), len(metrics.Metrics()), named)
	}
}
