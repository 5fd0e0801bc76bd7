package broker_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"rolecall/test/kit"
)

// status asks the address of --status for a path.
func (w *world) status(path string) reply {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.Status+path, nil)
	kit.Must(w.t, err)
	return w.do(request)
}

// metrics returns all metrics by their names.
func (w *world) metrics() map[string]*dto.MetricFamily {
	w.t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(w.status("/metrics").body))
	kit.Must(w.t, err)
	return all
}

// metric returns the value of a counter or gauge whose labels are these pairs.
func (w *world) metric(name string, labels ...string) float64 {
	w.t.Helper()
	for _, m := range w.metrics()[name].GetMetric() {
		var got []string
		for _, l := range m.GetLabel() {
			got = append(got, l.GetName(), l.GetValue())
		}
		if slices.Equal(got, labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return 0
}

// TestStatus: the broker says that it lives, that it is ready, and what it has done.
func TestStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	w.ask("/v1/aws/alpha", token).keyOf(t)
	w.ask("/v1/aws/alpha", token).keyOf(t)
	w.settled("/v1/aws/beta", token)
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := w.status(path); r.status != 200 || r.body != "ok\n" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := w.status("/v1/aws/alpha"); r.status != 404 {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, test := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"rolecall_broker_requests_total", []string{"status", "200"}, 2},
		{"rolecall_broker_requests_total", []string{"status", "403"}, 1},
		{"rolecall_broker_sessions_total", []string{"result", "ok", "why", "first"}, 1},
		{"rolecall_broker_sessions_total", []string{"result", "RC103", "why", "first"}, 1},
		{"rolecall_broker_reloads_total", []string{"result", "ok"}, 1},
		{"rolecall_broker_sessions", nil, 1},
		{"rolecall_broker_refused", nil, 1},
		{"rolecall_broker_working", nil, 0},
		{"rolecall_broker_certificate_expiration_timestamp_seconds", nil, 0},
	} {
		if got := w.metric(test.name, test.labels...); got != test.want {
			t.Errorf("%s %q is %v, want %v", test.name, test.labels, got, test.want)
		}
	}
	if n := w.metrics()["rolecall_broker_answer_seconds"].GetMetric()[0].GetHistogram().GetSampleCount(); n != 3 {
		t.Errorf("%d answers were timed", n)
	}
}

// TestFullAuditLog: what cannot be told is not given. What is kept is, readiness says what is
// wrong, and comes back with the room, also if nobody asks.
func TestFullAuditLog(t *testing.T) {
	if !kit.InMounts(t, "a disk that is full") {
		return
	}
	w := newWorld(t)
	disk := filepath.Join(w.dir, "disk")
	kit.Mount(t, disk, "size=32k", 0)
	w.start(tenants, "--audit-log", filepath.Join(disk, "audit.jsonl"))
	kept, other := w.token(7, nil), w.token(8, nil)
	w.settled("/v1/aws/alpha", kept).keyOf(t)
	_ = os.WriteFile(filepath.Join(disk, "x"), make([]byte, 64<<10), 0o600)
	path := filepath.Join(disk, "audit.jsonl")
	for content, _ := os.ReadFile(path); len(content)%4096 != 0; content, _ = os.ReadFile(path) { // the rest of the last block
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		kit.Must(t, err)
		_, err = f.WriteString(strings.Repeat(" ", 4095-len(content)%4096) + "\n")
		kit.Must(t, err)
		kit.Must(t, f.Close())
	}
	asked := len(w.sts.Requests())
	w.settled("/v1/aws/alpha", other).refused(t, "a full disk", 503, "RC501", "audit log "+path)
	if n := len(w.sts.Requests()); n != asked {
		t.Errorf("STS was asked %d times", n-asked)
	}
	w.ask("/v1/aws/alpha", kept).keyOf(t)
	w.Reload() // that what is kept is decided anew is no line, and no sign of room
	w.settled("/v1/aws/alpha", kept).keyOf(t)
	if r := w.status("/readyz"); r.status != 503 || !strings.Contains(r.body, "no space left on device") {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
	kit.Must(t, os.Remove(filepath.Join(disk, "x")))
	if r := w.status("/readyz"); r.status != 200 {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
	kit.Await(t, "a credential", func() bool { return w.ask("/v1/aws/alpha", other).status == 200 })
}

// TestSecretsNowhere: neither a token nor a secret is in a log or a metric.
func TestSecretsNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	good, expired := w.token(7, nil), w.token(8, map[string]any{"exp": 1700000000})
	w.ask("/v1/aws/alpha", good).keyOf(t)
	w.settled("/v1/aws/beta", good)
	w.settled("/v1/aws/alpha", expired)
	w.settled("/v1/aws/alpha", good+"A")
	w.ask("/v1/aws/alpha", "Bearer "+good)
	w.ask("/"+good, good)
	w.write("broken")
	w.Reload()
	audited, err := os.ReadFile(filepath.Join(w.dir, "audit.jsonl"))
	kit.Must(t, err)
	issued := w.sts.Requests()[0].Issued
	secrets := []string{issued.SecretAccessKey, issued.SessionToken}
	for _, token := range []string{good, expired} {
		for _, part := range strings.Split(token, ".")[1:] {
			secrets = append(secrets, part[:40])
		}
	}
	for name, text := range map[string]string{"log": w.log.String(), "metrics": w.status("/metrics").body, "audit log": string(audited)} {
		for _, secret := range secrets {
			if text == "" || strings.Contains(text, secret) {
				t.Errorf("the %s is empty, or has %.10s…:\n%s", name, secret, text)
			}
		}
	}
}
