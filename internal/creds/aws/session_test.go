package aws_test

import (
	"testing"
	"time"

	"rolecall/internal/creds/aws"
)

func TestSessionDuration(t *testing.T) {
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
		if got := aws.SessionDuration(lifetime, 0); got != want {
			t.Errorf("SessionDuration(%v) = %v, want %v", lifetime, got, want)
		}
	}
}

func TestSessionDurationWithLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ lifetime, limit, want time.Duration }{
		{0, 30 * time.Minute, 30 * time.Minute},
		{0, 2 * time.Hour, time.Hour},
		{20 * time.Minute, time.Hour, 20 * time.Minute},
		{6 * time.Hour, time.Hour, time.Hour},
		{6 * time.Hour, time.Minute, 15 * time.Minute},
		{48 * time.Hour, 24 * time.Hour, 12 * time.Hour},
	} {
		if got := aws.SessionDuration(test.lifetime, test.limit); got != test.want {
			t.Errorf("SessionDuration(%v, %v) = %v, want %v", test.lifetime, test.limit, got, test.want)
		}
	}
}

func TestSessionName(t *testing.T) {
	t.Parallel()
	const most = 1<<63 - 1
	for _, test := range []struct {
		project, pipeline, job int64
		want                   string
	}{
		{12, 345, 4711, "GitLabRunner-12-345-4711"},
		{1, 1, 1, "GitLabRunner-1-1-1"},
		{most, most, most, "nner-9223372036854775807-9223372036854775807-9223372036854775807"},
		{123456789012345, 1234567890123456, 12345678901234567, "GitLabRunner-123456789012345-1234567890123456-12345678901234567"},
		{1234567890123456, 1234567890123456, 123456789012345678, "itLabRunner-1234567890123456-1234567890123456-123456789012345678"},
	} {
		got := aws.SessionName(test.project, test.pipeline, test.job)
		if got != test.want || len(got) > 64 {
			t.Errorf("SessionName = %q of %d letters, want %q", got, len(got), test.want)
		}
	}
}
