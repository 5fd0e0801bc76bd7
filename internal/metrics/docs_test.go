package metrics_test

import (
	"os"
	"strings"
	"testing"

	"rolecall/internal/metrics"
	"rolecall/test/kit"
)

// TestPage: docs/operations.md has a row for each metric with its labels, and for no other.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	kit.Must(t, err)
	for _, m := range metrics.Metrics() {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "` "
		}
		if !strings.Contains(string(page), "\n| `"+m.Name+"` | "+labels+"| ") {
			t.Errorf("docs/operations.md has no row for %s with %s", m.Name, labels)
		}
	}
	if rows := strings.Count(string(page), "\n| `rolecall_"); rows != len(metrics.Metrics()) {
		t.Errorf("docs/operations.md has %d rows, and there are %d metrics", rows, len(metrics.Metrics()))
	}
}
