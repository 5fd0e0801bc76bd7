package e2e_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/test/kit"
)

// awayTime is how long STS and GitLab's keys are away.
const awayTime = 20 * time.Second

// TestBrokerServersAway: while STS and GitLab's keys are away, tokens with a session are answered
// as ever, and a new one gets 503, for which SDKs ask again. It succeeds when they are back.
func TestBrokerServersAway(t *testing.T) {
	t.Parallel()
	b := newBrokerWorld(t)
	kept, _ := b.tokenOf(t, b.alpha())
	first := ask(t, b.broker, "/v1/aws/alpha", kept)
	before := ask(t, b.broker, "/v1/aws/often", kept)
	if first.status != 200 || before.status != 200 {
		t.Fatalf("%+v\n%+v", first, before)
	}
	b.recorder.Cut(true)
	b.gitlab.RotateKey() // or the keys that are on disk would do
	b.gitlab.FailKeys(503)
	unknown, run := b.tokenOf(t, b.alpha())
	for deadline := time.Now().Add(awayTime); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if got := ask(t, b.broker, "/v1/aws/alpha", kept); got.body != first.body {
			t.Fatalf("a token with a session gets %+v", got)
		}
		if got := ask(t, b.broker, "/v1/aws/often", kept); got.status != 200 {
			t.Fatalf("a token whose session cannot be renewed gets %+v", got)
		}
		if got := ask(t, b.broker, "/v1/aws/alpha", unknown); got.status != 503 {
			t.Fatalf("a new token gets %+v", got)
		}
	}
	metrics, err := b.broker.Ask(t.Context(), "/metrics")
	kit.Must(t, err)
	if !strings.Contains(metrics, `sessions_total{result="RC5`) || !strings.Contains(metrics, `why="renewal"} `) {
		t.Errorf("no renewal has failed:\n%s", metrics)
	}
	b.recorder.Cut(false)
	b.gitlab.FailKeys(0)
	until(t, time.Minute, "a new token succeeds", func() bool { return ask(t, b.broker, "/v1/aws/alpha", unknown).status == 200 })
	until(t, time.Minute, "the session is renewed", func() bool { return ask(t, b.broker, "/v1/aws/often", kept).body != before.body })
	if n := b.calls(t)[unknown]; n != 1 {
		t.Errorf("STS was called %d times for the new token of job %d", n, run.ID())
	}
}

// TestBrokerServersGone: when STS and GitLab never come back, tokens with a session are answered
// as long as it lasts, and what is not known is not answered.
func TestBrokerServersGone(t *testing.T) {
	t.Parallel()
	b := newBrokerWorld(t)
	kept, _ := b.tokenOf(t, b.alpha())
	first := ask(t, b.broker, "/v1/aws/alpha", kept)
	if first.status != 200 {
		t.Fatalf("%+v", first)
	}
	unknown, _ := b.tokenOf(t, b.alpha())
	b.minio.Close()
	b.gitlab.Close()
	for range 5 {
		if got := settled(t, b.broker, "/v1/aws/alpha", unknown); got.status != 503 || !strings.HasPrefix(got.code(), "RC5") {
			t.Fatalf("a new token gets %+v", got)
		}
		if got := ask(t, b.broker, "/v1/aws/alpha", kept); got.body != first.body {
			t.Fatalf("a token with a session gets %+v", got)
		}
	}
	if _, err := b.broker.Ask(t.Context(), "/healthz"); err != nil {
		t.Error(err)
	}
}
