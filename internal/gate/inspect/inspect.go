// Package inspect is the program gate: it looks into what the runner is about to
// upload.
package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate"
	"rolecall/internal/gate/scan"
	"rolecall/internal/gate/selection"
	"rolecall/internal/program"
)

// maxOrder bounds the size of an order, in bytes of JSON. A job response has less.
const maxOrder = 64 << 20

// Main runs gate as the process's own main and exits.
func Main() { program.Exit(Serve) }

// Serve reads an order from in and writes the report to out; it tells how far it
// is on progress. SIGTERM and SIGINT end it early. It reads neither args nor
// environ, since the order says all. It returns an exit code: 0 for a report, 1
// where there is none, for a reason on progress.
func Serve(_, _ []string, in io.Reader, out, progress io.Writer) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var order gate.Order
	err := json.NewDecoder(io.LimitReader(in, maxOrder)).Decode(&order)
	var report gate.Report
	if err == nil {
		report, err = Inspect(ctx, order, progress)
	}
	if err == nil {
		err = json.NewEncoder(out).Encode(report)
	}
	if err != nil {
		_, _ = fmt.Fprintf(progress, "gate: %v\n", err)
		return 1
	}
	return 0
}

// Inspect looks into everything that the runner would upload in the order's stage.
// It tells once a second on progress how far it is. An error is one of the context,
// the project's folder or the secrets; whatever a job made is a place in the report.
func Inspect(ctx context.Context, order gate.Order, progress io.Writer) (gate.Report, error) {
	if !order.Stage.ArchivesCaches() && !order.Stage.UploadsArtifacts() {
		return gate.Report{}, fmt.Errorf("the stage %q is not known; which files it uploads cannot be told", order.Stage)
	}
	project, err := selection.OpenProject(order.Project)
	if errors.Is(err, unix.ENOENT) {
		return gate.Report{}, nil // no work tree: the runner fails there alike
	}
	if err != nil {
		return gate.Report{}, err
	}
	defer project.Close()
	set, err := selectFiles(ctx, project, order)
	if err != nil {
		return gate.Report{}, err
	}
	result, err := scan.Scan(ctx, order.Secrets, files(set), scan.Options{
		Dir:         order.Project,
		Temp:        temp(order),
		MaxBytes:    order.MaxBytes,
		MaxDuration: order.MaxDuration,
		Progress: func(files, bytes int64) {
			_, _ = fmt.Fprintf(progress, "rolecall: looking for secrets in %d files: %d looked at, %d MiB\n", len(set.Files), files, bytes>>20)
		},
	})
	if err != nil {
		return gate.Report{}, err
	}
	return report(set, result), nil
}

// selectFiles returns what the runner would upload.
func selectFiles(ctx context.Context, project *selection.Project, order gate.Order) (selection.Set, error) {
	variables, err := project.Variables(order.Request, order.Uploads.Files, order.Service)
	if err != nil {
		return selection.Set{Problems: []selection.Problem{{Path: ".", Err: err, Missed: true}}}, nil
	}
	return project.Select(ctx, selection.ForStage(order.Stage, order.Uploads, order.Request), variables)
}

// files returns the files of a set as the scan takes them.
func files(set selection.Set) iter.Seq[scan.File] {
	return func(yield func(scan.File) bool) {
		for _, f := range set.Files {
			if !yield(scan.File{Name: f.Path, Follow: f.Follow}) {
				return
			}
		}
	}
}

// temp returns a folder for what does not fit the memory: beside the work tree, on
// its disk.
func temp(order gate.Order) string {
	dir := order.Request.TempProjectDir()
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return order.Project
	}
	return dir
}

// report puts together what the two have found.
func report(set selection.Set, result scan.Result) gate.Report {
	out := gate.Report{Files: result.Files}
	uploads := map[string]string{}
	for _, f := range set.Files {
		uploads[f.Path] = f.What
	}
	for _, f := range result.Findings {
		out.Found = append(out.Found, gate.Place{Upload: uploads[f.Name], Name: f.Name, Inside: f.Inside, Says: strings.Join(f.Kinds, ", ")})
	}
	for _, p := range set.Problems {
		if p.Missed {
			out.Refused = append(out.Refused, gate.Place{Name: p.Path, Says: p.Err.Error()})
		}
	}
	for _, p := range result.Problems {
		place := gate.Place{Upload: uploads[p.Name], Name: p.Name, Inside: p.Inside, Says: p.Reason.Error()}
		switch {
		case errors.Is(p.Reason, scan.ErrIrregular) || errors.Is(p.Reason, unix.ENOENT):
			// The runner takes neither.
		case errors.Is(p.Reason, scan.ErrDamaged), errors.Is(p.Reason, scan.ErrEncrypted), errors.Is(p.Reason, scan.ErrMethod):
			out.Noted = append(out.Noted, place)
		default:
			out.Refused = append(out.Refused, place)
		}
	}
	if result.Stopped != nil {
		out.Refused = append(out.Refused, gate.Place{Name: ".", Says: result.Stopped.Error()})
	}
	return out
}
