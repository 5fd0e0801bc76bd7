package quota_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/quota"
)

// TestWait: credentials wait until enough of the earlier ones are a minute old.
func TestWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	ago := func(d time.Duration, n int) quota.Request { return quota.Request{At: now.Add(-d), N: n} }
	full := []quota.Request{ago(50*time.Second, 2), ago(20*time.Second, 3)}
	for name, test := range map[string]struct {
		asked []quota.Request
		n     int
		want  time.Duration
	}{
		"none before":          {nil, 5, 0},
		"there is room":        {full[:1], 3, 0},
		"one too many":         {full, 1, 10 * time.Second},
		"as the first":         {full, 2, 10 * time.Second},
		"more than the first":  {full, 3, 40 * time.Second},
		"more than the bound":  {full, 9, 40 * time.Second},
		"nothing is asked for": {full, 0, 0},
	} {
		if got := (quota.Quota{PerMinute: 5}).Wait(test.asked, test.n, now); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	for d, want := range map[time.Duration]bool{0: true, 59 * time.Second: true, time.Minute: false, -59 * time.Second: true, -time.Minute: false} {
		if ago(d, 1).Counts(now) != want {
			t.Errorf("a request %v ago: want %v", d, want)
		}
	}
}

// TestRefuse: the refusal says how many are allowed, and when to try again.
func TestRefuse(t *testing.T) {
	t.Parallel()
	err := quota.Quota{Tenant: "alpha", Project: 42, PerMinute: 5}.Refuse(300 * time.Millisecond)
	const want = `too many credentials were asked for in a minute: 5 a minute, for tenant "alpha" and project 42 on this host; `
	if fault.CodeOf(err) != fault.TooMany || !strings.HasPrefix(err.Error(), want) || fault.Rows(err)[1].Text != "in 1s" {
		t.Errorf("%v, %v", err, fault.Rows(err))
	}
}
