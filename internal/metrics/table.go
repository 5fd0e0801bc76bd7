package metrics

// Types of metrics.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// Metric is what the file may have.
type Metric struct {
	Name, Type, Help string
	Labels           []string

	// First are the values of its only label that are there from the beginning, with 0: Prometheus
	// sees no increase in a series that begins with 1.
	First []string
}

// Metrics returns all metrics, in the order of the file.
func Metrics() []Metric {
	return []Metric{
		{prefix + "build_info", gauge, "The version of rolecall that has written the file.", []string{"version"}, nil},
		{prefix + "decisions_total", counter, "Decisions about jobs.", []string{"tenant", "result", "code", "rule"}, nil},
		{prefix + "sessions_issued_total", counter, "Credentials issued to jobs.", []string{"tenant", "provider"}, nil},
		{prefix + "sessions_renewed_total", counter, "Credentials renewed while scripts ran.", []string{"tenant", "provider"}, nil},
		{prefix + "failures_total", counter, "Jobs that were allowed and got nothing.", []string{"tenant", "code", "side"}, nil},
		{prefix + "provider_requests_total", counter, "Calls of the servers of providers, by the code of the error, or ok.", []string{"provider", "code"}, nil},
		{prefix + "provider_request_seconds", histogram, "How long calls of the servers of providers took.", []string{"provider"}, nil},
		{prefix + "uploads_refused_total", counter, "Stages that would have uploaded a secret.", []string{"code"}, []string{"RC108", "RC109"}},
		{prefix + "masked_total", counter, "Marks [MASKED] in job logs.", nil, nil},
		{prefix + "jobs_ended_total", counter, "Jobs with credentials that have ended, by the program that has ended them.", []string{"program"}, []string{"cleanup", "run"}},
		{prefix + "leftovers_removed_total", counter, "Dead jobs, and jobs with copies of credentials outside of their work tree, whose leftovers were removed.", []string{"what"}, []string{"copies", "job"}},
		{prefix + "leftovers_left_total", counter, "The same, whose leftovers may still be there.", []string{"what"}, []string{"copies", "job"}},
		{prefix + "revocations_total", counter, "Credentials that were revoked, or could not be, at the end of their job.", []string{"result"}, []string{"failed", "ok"}},
		{prefix + "live_sessions", gauge, "Jobs on this host that have credentials now.", nil, nil},
		{prefix + "suspended_timestamp_seconds", gauge, "Since when a tenant is suspended, or all are.", []string{"tenant", "all"}, nil},
		{prefix + "keys_fetched_timestamp_seconds", gauge, "When the keys of the issuer of ID tokens were fetched.", nil, nil},
		{prefix + "last_sweep_timestamp_seconds", gauge, "When the last sweep has ended.", nil, nil},
		{prefix + "audit_unread_lines_total", counter, "Lines of the audit log that could not be read.", []string{"why"}, []string{"cut", "foreign", "newer"}},
		{prefix + "metrics_resets_total", counter, "How often the counts or their place in the audit log were lost, and counting went on at its end.", nil, nil},
	}
}
