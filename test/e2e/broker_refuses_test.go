package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"rolecall/test/coordinator"
)

// TestBrokerRefuses: a broker refuses the ID tokens that the driver refuses, by the same rule and
// with the same code, and STS is not asked.
func TestBrokerRefuses(t *testing.T) {
	t.Parallel()
	b := newBrokerWorld(t)
	for name, r := range tokenRefusals(t) {
		job := b.alpha()
		r.change(&job)
		token, run := b.tokenOf(t, job)
		got := settled(t, b.broker, "/v1/aws/alpha", token)
		status := http.StatusForbidden
		if r.code == "RC102" {
			status = http.StatusUnauthorized
		}
		if got.code() != r.code || got.status != status {
			t.Errorf("%s: %+v, want %d %s", name, got, status, r.code)
		}
		for _, text := range append(r.log, r.rule) {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: no %q in %s", name, text, got.body)
			}
		}
		b.checkRefusal(t, name, run, r.rule)
	}
	if n := len(b.recorder.Issued()); n > 0 {
		t.Errorf("STS was asked %d times", n)
	}
}

// checkRefusal fails the test unless the audit log has one refusal of a job by a rule. Of a token
// that is not of GitLab it has nothing.
func (b *brokerWorld) checkRefusal(t *testing.T, name string, run *coordinator.Run, rule string) {
	t.Helper()
	events := b.events(t, run)
	if rule == "" {
		if len(events) > 0 {
			t.Errorf("%s: the audit log has %v", name, events)
		}
		return
	}
	if len(events) != 1 || events[0]["allowed"] != false || events[0]["rule"] != rule {
		t.Errorf("%s: audit log: %v, want one refusal by rule %q", name, events, rule)
	}
}
