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
	limit         float64 // of the ratio
	aim           float64 // what the ratio should be; 0: the limit
	floor         sample  // the least that a Go program would take; none: not known
	inverse       bool    // the ratio is how many times faster, and the limit the least
	busy          bool    // others used the machine: a limit that is missed says nothing
	note          string  // instead of a measurement that could not be made
}

// ratio compares the medians.
func (r result) ratio() float64 { return r.relate(r.times) }

// relate compares the median of a sample with that of the base.
func (r result) relate(times sample) float64 {
	ratio := float64(times.quantile(0.5)) / float64(cmp.Or(r.base.quantile(0.5), 1))
	if r.inverse {
		return 1 / ratio
	}
	return ratio
}

// verdict is how the ratio stands to its limit: ok, MISSED, busy, or not judged.
func (r result) verdict() string {
	switch {
	case r.note != "" || r.limit == 0:
		return notJudged
	case r.inverse && r.ratio() >= r.limit, !r.inverse && r.ratio() <= r.limit:
		return ok
	case r.busy:
		return busyThen
	}
	return missed
}

// The verdicts.
const (
	ok        = "ok"
	missed    = "MISSED"
	busyThen  = "busy"
	notJudged = "not judged"
)

// header names the columns of row.
const header = "what\tms (p25-p75)\tagainst\tms (p25-p75)\trounds\tratio\tfloor\taim\tlimit\t"

// row is the result as a line of the table.
func (r result) row() string {
	if r.note != "" {
		return fmt.Sprintf("%s\t-\t%s\t-\t-\t-\t-\t-\t-\t%s: %s", r.what, r.against, notJudged, r.note)
	}
	floor := 0.0
	if len(r.floor) > 0 {
		floor = r.relate(r.floor)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d/%d\t%s\t%s\t%s\t%s\t%s",
		r.what, r.times, r.against, r.base, len(r.times), len(r.base), r.text(r.ratio()), r.text(floor), r.text(cmp.Or(r.aim, r.limit)), r.text(r.limit), r.verdict())
}

// text is a ratio as text, and - for none.
func (r result) text(ratio float64) string {
	switch {
	case ratio == 0:
		return "-"
	case r.inverse:
		return fmt.Sprintf("%.0fx faster", ratio)
	}
	return fmt.Sprintf("%.2fx", ratio)
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
