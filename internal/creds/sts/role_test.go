package sts_test

import (
	"testing"
	"time"

	"rolecall/internal/creds/sts"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for lifetime, want := range map[time.Duration]time.Duration{
		0:                    time.Hour,
		-time.Second:         time.Hour,
		time.Second:          15 * time.Minute,
		15*time.Minute - 1:   15 * time.Minute,
		20 * time.Minute:     20 * time.Minute,
		time.Hour:            time.Hour,
		6 * time.Hour:        6 * time.Hour,
		12 * time.Hour:       12 * time.Hour,
		12*time.Hour + 1:     12 * time.Hour,
		1<<63 - 1:            12 * time.Hour,
		24 * 365 * time.Hour: 12 * time.Hour,
	} {
		if got := sts.Duration(lifetime, 0); got != want {
			t.Errorf("Duration(%v) = %v, want %v", lifetime, got, want)
		}
	}
}

func TestDurationWithLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ lifetime, limit, want time.Duration }{
		{0, 30 * time.Minute, 30 * time.Minute},
		{0, 2 * time.Hour, time.Hour},
		{20 * time.Minute, time.Hour, 20 * time.Minute},
		{6 * time.Hour, time.Hour, time.Hour},
		{6 * time.Hour, time.Minute, 15 * time.Minute},
		{48 * time.Hour, 24 * time.Hour, 12 * time.Hour},
	} {
		if got := sts.Duration(test.lifetime, test.limit); got != test.want {
			t.Errorf("Duration(%v, %v) = %v, want %v", test.lifetime, test.limit, got, test.want)
		}
	}
}
