package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// The limit on what the driver adds at the 95th percentile, and how many jobs that takes.
const (
	limit    = time.Second
	leastFor = 20
)

// quantile is the time that a share q of the times does not exceed.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// print writes the table, and adds to the problems where the driver takes too long: what it adds
// to a job is the difference to the median of the shell executor, with the same script under the
// same load. Beside containers, which are not at work all the time, the load is not the same.
func (r *report) print(out io.Writer, took time.Duration) error {
	count, killed := make(map[kind]int), make(map[kind]int)
	times := make(map[kind][]time.Duration)
	var boxed []time.Duration // of plain jobs in containers
	for _, t := range r.tasks {
		count[t.kind]++
		if !t.boxed {
			times[t.kind] = append(times[t.kind], t.overhead())
		} else if t.kind == plain {
			boxed = append(boxed, t.overhead())
		}
		if t.killed {
			killed[t.kind]++
		}
	}
	rows := new(strings.Builder)
	rows.WriteString("jobs\tof them\tbeside the script: p50\tp95\t\n")
	for _, k := range []kind{plain, files, fails, leaks, refused, cancelled, aborted, killPrepare, killRun, killCleanup, compared} {
		p50, p95 := "-", "-"
		if k == plain || k == compared {
			p50, p95 = seconds(quantile(times[k], 0.5)), seconds(quantile(times[k], 0.95))
		}
		note := ""
		if k.victim() != "" {
			note = fmt.Sprintf(", %d in time", killed[k])
		}
		fmt.Fprintf(rows, "%s\t%d%s\t%s\t%s\t\n", k, count[k], note, p50, p95)
	}
	if n := countBoxed(r.tasks); n > 0 {
		fmt.Fprintf(rows, "of all in containers\t%d\t%s\t%s\t\n", n, seconds(quantile(boxed, 0.5)), seconds(quantile(boxed, 0.95)))
	}
	added := func(q float64) time.Duration { return quantile(times[plain], q) - quantile(times[compared], 0.5) }
	fmt.Fprintf(rows, "the driver adds\t\t%s\t%s\t\n", seconds(added(0.5)), seconds(added(0.95)))
	if len(times[compared]) >= leastFor && added(0.95) > limit && countBoxed(r.tasks) == 0 {
		r.problems = append(r.problems, fmt.Sprintf("the driver adds %s at p95, more than %s", seconds(added(0.95)), seconds(limit)))
	}
	fmt.Fprintf(rows, "%d violations, %.0f s\n", len(r.problems), took.Seconds())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, err := table.Write([]byte(rows.String()))
	return errors.Join(err, table.Flush())
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
