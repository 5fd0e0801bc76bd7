// Package metrics counts what a broker does, for Prometheus. No label has a value that a client
// chooses.
//
// https://prometheus.io/docs/practices/naming/
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rolecall/internal/version"
)

// prefix is how the names begin.
const prefix = "rolecall_broker_"

// Metrics are the counters of a broker.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	sessions *prometheus.CounterVec
	reloads  *prometheus.CounterVec
	reloaded prometheus.Gauge
	expires  prometheus.Gauge
}

// New returns counters, and gauges that the function count is asked for: how many sessions are
// kept, refusals remembered, and tokens worked on.
func New(count func() (sessions, refused, working int)) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: counters("requests_total", "Answers to clients, by their HTTP status.", "status"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "answer_seconds", Help: "How long answers to clients took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		sessions: counters("sessions_total", "Tries to get a session, by why (first, renewal, reload) and the code of the error, or ok.", "why", "result"),
		reloads:  counters("reloads_total", "Loads of the policy file and the certificate, by result.", "result"),
		reloaded: gauge("reload_success_timestamp_seconds", "When the policy file and the certificate in force were loaded."),
		expires:  gauge("certificate_expiration_timestamp_seconds", "When the certificate expires; 0: there is none."),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.sessions, m.reloads, m.reloaded, m.expires,
		kept("sessions", "Tokens that a session is kept for.", func() int { n, _, _ := count(); return n }),
		kept("refused", "Tokens that have no session, and are remembered.", func() int { _, n, _ := count(); return n }),
		kept("working", "Tokens that are worked on.", func() int { _, _, n := count(); return n }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: prefix + "build_info", Help: "The version of the broker.", ConstLabels: prometheus.Labels{"version": version.Version},
		}, func() float64 { return 1 }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// counters returns counters with these labels.
func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
}

// gauge returns a gauge that is set.
func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + name, Help: help})
}

// kept returns a gauge that is asked for.
func kept(name, help string, count func() int) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, func() float64 { return float64(count()) })
}

// Answered counts an answer with an HTTP status, which took that long.
func (m *Metrics) Answered(status int, took time.Duration) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	m.seconds.Observe(took.Seconds())
}

// Tried counts a try to get a session. Result is ok or the code of an error.
func (m *Metrics) Tried(why, result string) { m.sessions.WithLabelValues(why, result).Inc() }

// Loaded counts a load of policy file and certificate. Expires is when the certificate does;
// zero: there is none.
func (m *Metrics) Loaded(err error, expires time.Time) {
	if err != nil {
		m.reloads.WithLabelValues("failed").Inc()
		return
	}
	m.reloads.WithLabelValues("ok").Inc()
	m.reloaded.SetToCurrentTime()
	if !expires.IsZero() {
		m.expires.Set(float64(expires.Unix()))
	}
}

// Handler answers with all metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
