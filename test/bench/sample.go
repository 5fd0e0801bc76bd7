package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// sample is the times of one contender.
type sample []time.Duration

// quantile is the time that a share q of the rounds does not exceed.
func (s sample) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// String is the median and the spread, in milliseconds.
func (s sample) String() string {
	return fmt.Sprintf("%s (%s-%s)", ms(s.quantile(0.5)), ms(s.quantile(0.25)), ms(s.quantile(0.75)))
}

// ms is a time in milliseconds, with three digits.
func ms(d time.Duration) string {
	t := float64(d) / float64(time.Millisecond)
	digits := 2
	if t >= 10 {
		digits = 1
	}
	if t >= 100 {
		digits = 0
	}
	return fmt.Sprintf("%.*f", digits, t)
}

// result is a comparison. Limit 0 means that it is for information.
type result struct {
	what, against string
	times, base   sample
	limit         float64
	inverse       bool          // the ratio is how many times faster, and the limit the least
	extra         time.Duration // the limit is on the difference of the medians
	note          string        // instead of a measurement that could not be made
}

// difference compares the medians, too.
func (r result) difference() time.Duration { return r.times.quantile(0.5) - r.base.quantile(0.5) }

// ratio compares the medians.
func (r result) ratio() float64 {
	ratio := float64(r.times.quantile(0.5)) / float64(cmp.Or(r.base.quantile(0.5), 1))
	if r.inverse {
		return 1 / ratio
	}
	return ratio
}

// missed reports whether the ratio is beyond its limit.
func (r result) missed() bool {
	switch {
	case r.note == "" && r.extra > 0:
		return r.difference() > r.extra
	case r.note != "" || r.limit == 0:
		return false
	case r.inverse:
		return r.ratio() < r.limit
	}
	return r.ratio() > r.limit
}

// row is the result as a line of the table.
func (r result) row() string {
	if r.note != "" {
		return fmt.Sprintf("%s\t-\t%s\t-\t-\t-\t-\tnot measured: %s", r.what, r.against, r.note)
	}
	limit, verdict, ratio := "-", "", fmt.Sprintf("%.2fx", r.ratio())
	if r.limit > 0 {
		limit, verdict = fmt.Sprintf("%.2fx", r.limit), "ok"
	}
	if r.inverse {
		limit, ratio = fmt.Sprintf("%.0fx faster", r.limit), fmt.Sprintf("%.0fx faster", r.ratio())
	}
	if r.extra > 0 {
		limit, ratio, verdict = "+"+ms(r.extra)+" ms", "+"+ms(r.difference())+" ms", "ok"
	}
	if r.missed() {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d/%d\t%s\t%s\t%s",
		r.what, r.times, r.against, r.base, len(r.times), len(r.base), ratio, limit, verdict)
}

// contender does once what is measured, and returns how long that took. What it has to prepare
// and to clean up is not counted.
type contender func(ctx context.Context) (time.Duration, error)

// compare lets contenders take turns. The first turn of each warms up and does not count.
func compare(ctx context.Context, rounds int, contenders ...contender) ([]sample, error) {
	samples := make([]sample, len(contenders))
	for round := range rounds + 1 {
		for i := range contenders {
			// Each round begins with another one, as the first may find the caches colder.
			at := (i + round) % len(contenders)
			took, err := contenders[at](ctx)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				samples[at] = append(samples[at], took)
			}
		}
	}
	return samples, nil
}
