package metrics

import (
	"strings"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
	"rolecall/internal/fault"
)

// count counts a line of the audit log.
func (c *counting) count(e audit.Event) {
	switch e.Event {
	case audit.Decision, audit.Withdrawn:
		c.decision(e)
	case audit.Issued:
		c.issued("sessions_issued_total", e)
	case audit.Renewed:
		c.issued("sessions_renewed_total", e)
	case audit.Failed:
		c.failed(e)
	case audit.UploadRefused:
		c.add("uploads_refused_total", 1, "code", codeOf(e.Code))
	case audit.Masked:
		c.add("masked_total", float64(max(e.Count, 0)))
	case audit.CopiesRemoved:
		c.add("leftovers_removed_total", 1, "what", "copies")
	case audit.Removed:
		c.add("leftovers_removed_total", 1, "what", "job")
	case audit.CopiesLeft:
		c.add("leftovers_left_total", 1, "what", "copies")
	case audit.Ended:
		c.ended(e)
	case audit.Revoked:
		c.add("revocations_total", 1, "result", "ok")
	case audit.RevokeFailed:
		c.add("revocations_total", 1, "result", "failed")
	}
}

// decision counts a decision. Only a rule that refuses has a name; those that allow a job are a
// text with their values. A tenant that refuses a job is one that the job has named.
func (c *counting) decision(e audit.Event) {
	if e.Event == audit.Decision && e.Allowed != nil && *e.Allowed {
		c.add("decisions_total", 1, "tenant", c.real(e.Tenant), "result", "allowed")
		return
	}
	result := "refused"
	if e.Event == audit.Withdrawn {
		result = "withdrawn"
	}
	c.add("decisions_total", 1, "tenant", c.label("tenant", e.Tenant), "result", result, "code", codeOf(e.Code), "rule", c.label("rule", e.Rule))
}

// issued counts a credential.
func (c *counting) issued(name string, e audit.Event) {
	c.add(name, 1, "tenant", c.real(e.Tenant), "provider", c.label("provider", e.Provider))
	c.request(e, "ok")
}

// failed counts a job that gets nothing, though it is allowed.
func (c *counting) failed(e audit.Event) {
	c.add("failures_total", 1, "tenant", c.real(e.Tenant), "code", codeOf(e.Code), "side", c.label("side", string(e.Side)))
	c.request(e, codeOf(e.Code))
}

// request counts a call of a provider, if the line is about one, and how long it took.
func (c *counting) request(e audit.Event, result string) {
	if e.Provider == "" {
		return
	}
	provider := c.label("provider", e.Provider)
	c.add("provider_requests_total", 1, "provider", provider, "code", result)
	if e.DurationMS > 0 {
		c.observe("provider_request_seconds", time.Duration(e.DurationMS)*time.Millisecond, "provider", provider)
	}
}

// ended counts the end of a job. What could not be removed then is a leftover.
func (c *counting) ended(e audit.Event) {
	c.add("jobs_ended_total", 1, "program", c.label("program", e.Program))
	if e.Code == fault.LeftBehind {
		c.add("leftovers_left_total", 1, "what", "job")
	}
}

// unread counts lines that could not be read.
func (c *counting) unread(u reading.Unread) {
	for why, n := range map[string]int{"cut": u.Cut, "foreign": u.Foreign, "newer": u.Newer} {
		if n > 0 {
			c.add("audit_unread_lines_total", float64(n), "why", why)
		}
	}
}

// codeOf returns a code as a label. A text of another form is none.
func codeOf(code fault.Code) string {
	digits, ok := strings.CutPrefix(string(code), "RC")
	if code != "" && (!ok || len(digits) != 3 || strings.Trim(digits, "0123456789") != "") {
		return other
	}
	return string(code)
}

// buckets are the upper bounds of the histogram, in seconds.
func buckets() []string { return strings.Fields("0.05 0.1 0.25 0.5 1 2.5 5 10 30 +Inf") }
