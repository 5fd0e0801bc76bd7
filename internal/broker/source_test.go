package broker

import (
	"strings"
	"testing"

	"rolecall/internal/broker/hold"
)

// TestVoice: a session speaks of the client, as the broker, and of no token.
func TestVoice(t *testing.T) {
	t.Parallel()
	s := &source{auditLog: "/log"}
	v := s.voice(hold.Ask{Token: "hunter2", Client: "10.0.0.7"})
	if v.Client != "10.0.0.7" || v.Program != "broker" || v.Log != "/log" || v.Mask("it is hunter2, hunter2") != "it is [MASKED], [MASKED]" {
		t.Errorf("%+v, %s", v, v.Mask("it is hunter2, hunter2"))
	}
}

// TestEnding: a broker that is ending is not ready.
func TestEnding(t *testing.T) {
	t.Parallel()
	s := &service{source: &source{}}
	s.force.Store(&force{})
	if err := s.ready(); err != nil {
		t.Errorf("%v", err)
	}
	s.ending.Store(true)
	if err := s.ready(); err == nil || !strings.Contains(err.Error(), "the broker is ending") {
		t.Errorf("%v", err)
	}
}
