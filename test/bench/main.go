// Command bench measures the driver against programs that do the same, or nothing, on the same
// machine and in the same run, and prints ratios. It exits with 1 where one misses its limit.
//
// What is compared takes turns, so that a busy machine slows down both sides. A time is the
// median of its rounds. The variable PART, such as endpoint, chooses one part.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"rolecall/test/lab"
)

func main() {
	if len(os.Args) == 2 && slices.Contains([]string{copyMode, maskMode, manyMode}, os.Args[1]) {
		if err := copier(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == bareMode {
		fmt.Fprintln(os.Stderr, "bench:", bareServer())
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := bench
	if len(os.Args) == 2 && os.Args[1] == containerMode {
		run = containerPart
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// bencher is what the measurements share.
type bencher struct {
	programs lab.Programs
	dir      string // for files; removed at the end
}

// bench makes all measurements and prints them.
func bench(ctx context.Context) error {
	results, err := measure(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	return report(ctx, results)
}

// measure makes all measurements, and leaves no file of them.
func measure(ctx context.Context) (all []result, err error) {
	programs, err := lab.Binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rolecall-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := bencher{programs, dir}
	for _, part := range []struct {
		what string
		run  func(context.Context) ([]result, error)
	}{
		{"process start", b.processStart},
		{"credentials", b.credentials},
		{"masking", b.masking},
		{"sources", b.sources},
		{"gate", b.gate},
		{"whole jobs", b.jobs},
		{"endpoint", b.endpoint},
		{"handover", b.handover},
		{"broker", b.broker},
		{"audit log", b.auditLog},
		{"containers", b.containers},
	} {
		if !strings.Contains(part.what, os.Getenv("PART")) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", part.what)
		others := busy()
		results, err := part.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.what, err)
		}
		others = busy() || others
		for i := range results {
			results[i].busy = others
		}
		all = append(all, results...)
	}
	return all, nil
}

// report prints the results. That limits are missed is an error.
func report(ctx context.Context, results []result) error {
	var rows strings.Builder
	rows.WriteString(header + "\n")
	count := map[string]int{}
	for _, r := range results {
		rows.WriteString(r.row() + "\n")
		count[r.verdict()]++
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	if _, err := table.Write([]byte(rows.String())); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Printf("\n%d cores, %s %s/%s, load %s\n", runtime.NumCPU(), goVersion(ctx), runtime.GOOS, runtime.GOARCH, load())
	if count[busyThen] > 0 {
		fmt.Printf("busy, not judged: %d limits, since others used the machine; measure again when it is idle\n", count[busyThen])
	}
	if count[missed] > 0 {
		return fmt.Errorf("%d limits are missed", count[missed])
	}
	return nil
}

// goVersion is the version of the go command, which has built the driver.
func goVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return runtime.Version()
	}
	return strings.TrimSpace(string(out))
}

// load is the load of the machine, for a reader who wonders about the spread.
func load() string {
	text, _ := os.ReadFile(filepath.Join("/proc", "loadavg"))
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
