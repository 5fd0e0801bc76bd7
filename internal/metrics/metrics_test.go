package metrics_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/metrics"
	"rolecall/internal/suspension"
	"rolecall/internal/version"
	"rolecall/test/kit"
)

// place is a host with an audit log and a file of metrics.
type place struct{ metrics.Update }

func newPlace(t testing.TB) place {
	t.Helper()
	dir := t.TempDir()
	return place{metrics.Update{Log: filepath.Join(dir, "audit.jsonl"), File: filepath.Join(dir, "rolecall.prom"), Full: true}}
}

// write writes events to the log.
func (p place) write(t testing.TB, events ...audit.Event) {
	t.Helper()
	for _, e := range events {
		e.JobID, e.Program, e.Version = "7", "prepare", "0.1.0"
		kit.Must(t, audit.Log{Path: p.Log}.Write(e))
	}
}

// read reads the file as Prometheus does, and returns its series with their values.
func (p place) read(t testing.TB) map[string]float64 {
	t.Helper()
	content, err := os.ReadFile(p.File)
	kit.Must(t, err)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(content)))
	kit.Must(t, err)
	all := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			key := strings.TrimPrefix(name, "rolecall_") + labelsOf(t, name, m)
			all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// labelsOf returns the labels of a series, which must be those of its metric.
func labelsOf(t testing.TB, name string, m *dto.Metric) string {
	t.Helper()
	i := slices.IndexFunc(metrics.Metrics(), func(of metrics.Metric) bool { return of.Name == name })
	if i < 0 {
		t.Fatalf("an unknown metric %s", name)
	}
	var text strings.Builder
	for _, l := range m.GetLabel() {
		if !slices.Contains(metrics.Metrics()[i].Labels, l.GetName()) {
			t.Errorf("%s has the label %s", name, l.GetName())
		}
		text.WriteString(" " + l.GetValue())
	}
	return text.String()
}

// decision returns the event of a decision.
func decision(tenant string, allowed bool) audit.Event {
	e := audit.Event{Event: audit.Decision, Tenant: tenant, Allowed: &allowed, Rule: `projects "a"; refs main`}
	if !allowed {
		e.Code, e.Side, e.Rule = fault.Refused, fault.Author, "refs"
	}
	return e
}

// TestFile: each event is counted, in the form that Prometheus reads.
func TestFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	left := audit.Event{Event: audit.Ended, Code: fault.LeftBehind, Side: fault.Admin}
	p.write(t, decision("alpha", true), decision("alpha", true), decision("alpha", false),
		audit.Event{Event: audit.Withdrawn, Tenant: "alpha", Allowed: new(false), Code: fault.Refused, Side: fault.Author, Rule: "refs"},
		audit.Event{Event: audit.Issued, Tenant: "alpha", Provider: "aws", DurationMS: 120},
		audit.Event{Event: audit.Issued, Tenant: "alpha", Provider: "vault", DurationMS: 60_000},
		audit.Event{Event: audit.Renewed, Tenant: "alpha", Provider: "aws"},
		audit.Event{Event: audit.Failed, Tenant: "alpha", Provider: "aws", Code: fault.NoAnswer, Side: fault.Infrastructure, DurationMS: 9000},
		audit.Event{Event: audit.Failed, Tenant: "alpha", Code: fault.Shortage, Side: fault.Infrastructure},
		audit.Event{Event: audit.UploadRefused, Code: "RC108"}, audit.Event{Event: audit.Masked, Count: 5}, audit.Event{Event: audit.Masked, Count: 2},
		audit.Event{Event: audit.CopiesRemoved}, audit.Event{Event: audit.CopiesLeft}, audit.Event{Event: audit.Removed},
		audit.Event{Event: audit.Ended}, left, audit.Event{Event: audit.Revoked}, audit.Event{Event: audit.RevokeFailed})
	add(t, p.Log, "text\n"+`{"time":"2026-02-03T04:05:06Z","event":"melted"}`+"\n")
	p.Sessions, p.Keys, p.Swept = 3, time.Unix(1800000000, 0), time.Unix(1800000001, 0)
	kit.Must(t, p.Do())
	refused := " " + string(fault.Refused)
	p.check(t, map[string]float64{
		"build_info " + version.Version: 1,
		"decisions_total alpha allowed": 2, "decisions_total alpha refused" + refused + " refs": 1, "decisions_total alpha withdrawn" + refused + " refs": 1,
		"sessions_issued_total alpha aws": 1, "sessions_issued_total alpha vault": 1, "sessions_renewed_total alpha aws": 1,
		"failures_total alpha " + string(fault.NoAnswer) + " infrastructure": 1, "failures_total alpha " + string(fault.Shortage) + " infrastructure": 1,
		"provider_requests_total aws ok": 2, "provider_requests_total vault ok": 1, "provider_requests_total aws " + string(fault.NoAnswer): 1,
		"provider_request_seconds aws": 2, "provider_request_seconds vault": 1,
		"uploads_refused_total RC108": 1, "uploads_refused_total RC109": 0, "masked_total": 7,
		"leftovers_removed_total copies": 1, "leftovers_removed_total job": 1, "leftovers_left_total copies": 1, "leftovers_left_total job": 1,
		"jobs_ended_total prepare": 2, "jobs_ended_total cleanup": 0, "jobs_ended_total run": 0, "revocations_total ok": 1, "revocations_total failed": 1,
		"live_sessions": 3, "keys_fetched_timestamp_seconds": 1800000000, "last_sweep_timestamp_seconds": 1800000001,
		"audit_unread_lines_total cut": 0, "audit_unread_lines_total foreign": 1, "audit_unread_lines_total newer": 1, "metrics_resets_total": 0,
	})
	content, err := os.ReadFile(p.File)
	kit.Must(t, err)
	problems, err := promlint.New(strings.NewReader(string(content))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("the names: %+v, %v", problems, err)
	}
	for _, want := range []string{`provider_request_seconds_bucket{provider="aws",le="0.1"} 0`, `provider_request_seconds_bucket{provider="aws",le="0.25"} 1`, `provider_request_seconds_bucket{provider="aws",le="10"} 2`, `provider_request_seconds_bucket{provider="vault",le="30"} 0`, `provider_request_seconds_bucket{provider="vault",le="+Inf"} 1`, `provider_request_seconds_sum{provider="aws"} 9.12`} {
		if !strings.Contains(string(content), "\nrolecall_"+want+"\n") {
			t.Errorf("no %s in\n%s", want, content)
		}
	}
}

// add appends a text to a file.
func add(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	kit.Must(t, err)
	_, err = f.WriteString(text)
	kit.Must(t, err)
	kit.Must(t, f.Close())
}

// TestKept: what only sweep knows is shown by others too, and a program that is not Full leaves a
// young file as it is.
func TestKept(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.Keys, p.Swept = time.Unix(1800000000, 0), time.Unix(1800000001, 0)
	kit.Must(t, p.Do())
	p.Keys, p.Swept, p.Full = time.Time{}, time.Time{}, false
	p.write(t, decision("alpha", true))
	kit.Must(t, p.Do())
	if got := p.read(t); p.Due() || len(got) == 0 || got["decisions_total alpha allowed"] != 0 {
		t.Errorf("a young file: %v", got)
	}
	old := time.Now().Add(-16 * time.Second)
	kit.Must(t, os.Chtimes(p.Log+".metrics", old, old))
	kit.Must(t, p.Do())
	if got := p.read(t); got["decisions_total alpha allowed"] != 1 || got["keys_fetched_timestamp_seconds"] != 1800000000 || got["last_sweep_timestamp_seconds"] != 1800000001 {
		t.Errorf("an old file: %v", got)
	}
	for _, none := range []metrics.Update{{Log: p.Log, Full: true}, {File: p.File, Full: true}} {
		if none.Due() || none.Do() != nil {
			t.Errorf("%+v is due", none)
		}
	}
}

// TestSuspended: the file has the tenants that are suspended now, since the earliest time, and none
// whose suspension has ended.
func TestSuspended(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	since := time.Unix(1800000000, 0)
	p.Suspended = suspension.List{
		{Tenant: "alpha", Since: since.Add(time.Minute)},
		{Tenant: "alpha", Since: since, Now: true},
		{Tenant: "alpha", Since: since.Add(time.Hour)},
		{Tenant: "beta", Since: since, Until: time.Now().Add(-time.Second)},
		{Tenant: "gamma", Since: since, Until: time.Now().Add(time.Hour)},
		{Tenant: "a\"b", Since: since},
		{All: true, Since: since},
	}
	kit.Must(t, p.Do())
	got := p.read(t)
	for key := range got {
		if !strings.HasPrefix(key, "suspended_") {
			delete(got, key)
		}
	}
	const name = "suspended_timestamp_seconds"
	want := map[string]float64{name + " alpha": 1800000000, name + " gamma": 1800000000, name + " other": 1800000000, name + " true": 1800000000}
	if !maps.Equal(got, want) {
		t.Errorf("the file has %v, want %v", got, want)
	}
	p.Suspended = nil
	kit.Must(t, p.Do())
	if text, err := os.ReadFile(p.File); err != nil || strings.Contains(string(text), name) {
		t.Errorf("%v, after all were resumed:\n%s", err, text)
	}
}

// check compares the file with what it should have.
func (p place) check(t testing.TB, want map[string]float64) {
	t.Helper()
	got := p.read(t)
	for key, n := range want {
		if v, ok := got[key]; !ok || v != n {
			t.Errorf("%s: %v, want %v", key, v, n)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("also there: %v", got)
	}
}
