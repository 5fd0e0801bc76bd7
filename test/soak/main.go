// Command soak runs many jobs of many tenants at once on a real GitLab Runner: some fail, some
// are cancelled, some leak, some are refused, and some have a stage of the driver killed under
// them. It exits with 1 unless each job was itself alone, and nothing of any is left.
//
// GitLab Runner and the driver are real; package coordinator stands in for GitLab and package
// fakests for STS. The seed, which is printed, decides what the jobs are.
//
// With -images two of three jobs of tenants that have a unix user run in containers of podman,
// beside those on the host. That needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"rolecall/test/kit"
)

// patience bounds the whole soak.
const patience = 8 * time.Minute

// options are how large a soak is.
type options struct {
	seed                      uint64
	jobs, tenants, concurrent int
	images                    bool
}

func main() {
	o := options{}
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1e6), "what decides the `number` of everything random")
	flag.IntVar(&o.jobs, "jobs", 200, "how many jobs have a tenant")
	flag.IntVar(&o.tenants, "tenants", 20, "how many tenants there are")
	flag.IntVar(&o.concurrent, "concurrent", 16, "how many jobs the runner runs at once")
	flag.BoolVar(&o.images, "images", false, "let jobs run in containers")
	flag.Parse()
	if o.images {
		unify()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // A second interrupt ends the soak at once.
	if err := soak(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

// unify goes on if this is a host on which containers can run, or looks like one. Else it runs
// the program again on one, and ends the process.
func unify() {
	code, ended, err := kit.Unified(os.Args[1:]...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		code, ended = 1, true
	}
	if ended {
		os.Exit(code)
	}
}

// soak runs the jobs, looks at each and at what is left, and writes a table to out. The error
// names everything that is not as it must be, and the seed.
func soak(ctx context.Context, o options, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	w, err := start(o)
	if err != nil {
		return errors.Join(err, w.close())
	}
	defer func() { err = errors.Join(err, w.close()) }()
	tasks := w.plan(o)
	_, err = fmt.Fprintf(out, "soak: %d jobs of %d tenants, %d with a unix user, %d in containers, %d at once, seed %d\n",
		o.jobs, o.tenants, len(w.users), countBoxed(tasks), o.concurrent, o.seed)
	if err = errors.Join(err, w.warmUp(ctx)); err != nil {
		return err
	}
	descriptors := w.descriptors()
	seen, err := w.drive(ctx, tasks)
	if err != nil {
		return fmt.Errorf("seed %d: %w", o.seed, err)
	}
	r := &report{tasks: tasks, issued: w.issued(), problems: w.settle(descriptors)}
	r.check(seen)
	left, err := w.left(ctx, tasks)
	if err != nil {
		return err
	}
	r.problems = append(r.problems, left...)
	if err := r.print(out, time.Since(began)); err != nil {
		return err
	}
	if len(r.problems) > 0 {
		return fmt.Errorf("seed %d: %d violations:\n  %s", o.seed, len(r.problems), strings.Join(r.problems, "\n  "))
	}
	return nil
}
