package metrics_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/internal/broker/metrics"
)

// TestMetrics: what is counted is shown, by the names that docs promise.
func TestMetrics(t *testing.T) {
	t.Parallel()
	m := metrics.New(func() (sessions, refused, working int) { return 3, 2, 1 })
	m.Answered(200, 3*time.Millisecond)
	m.Answered(200, 3*time.Second)
	m.Answered(503, 0)
	m.Tried("first", "ok")
	m.Tried("renewal", "RC502")
	m.Loaded(nil, time.Unix(1800000000, 0))
	m.Loaded(errors.New("broken"), time.Time{})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{
		`requests_total{status="200"} 2`, `requests_total{status="503"} 1`,
		`answer_seconds_bucket{le="0.0005"} 1`, `answer_seconds_bucket{le="0.005"} 2`, `answer_seconds_bucket{le="2.5"} 2`, `answer_seconds_count 3`,
		`sessions_total{result="ok",why="first"} 1`, `sessions_total{result="RC502",why="renewal"} 1`,
		`reloads_total{result="ok"} 1`, `reloads_total{result="failed"} 1`,
		`sessions 3`, `refused 2`, `working 1`, `certificate_expiration_timestamp_seconds 1.8e+09`, `reload_success_timestamp_seconds 1.`, `build_info{version="`,
	} {
		if !strings.Contains(w.Body.String(), "\nrolecall_broker_"+want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	if !strings.Contains(w.Body.String(), "\ngo_goroutines ") || !strings.Contains(w.Body.String(), "\nprocess_open_fds ") {
		t.Errorf("nothing about the process:\n%s", w.Body)
	}
}
