// Package inspect is the program gate: it searches the files that the runner is about to
// upload for secrets.
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
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds/aws/keyform"
	"rolecall/internal/gate"
	"rolecall/internal/gate/scan"
	"rolecall/internal/gate/selection"
	"rolecall/internal/ledger/seal"
	"rolecall/internal/process"
	"rolecall/internal/version"
)

// maxOrder bounds the size of an order, in bytes of JSON. It is more than a job response may have.
const maxOrder = 64 << 20

// Main runs gate as the main function of the process, and exits.
func Main() { process.Exit(Serve) }

// Serve reads an order from in, writes the report to out, and prints on progress how far
// the search is. SIGTERM and SIGINT end it early. With --version as the only argument it
// writes its version instead, with gate.OpenTree it opens a work tree, with gate.OpenCaches
// the folder of caches, with gate.ClearWay it makes way for a work tree, and with gate.Left it
// searches what a job has left. It ignores environ. It returns the exit code: 0 if it has written a
// report, else 1, with the reason on progress.
func Serve(args, _ []string, in io.Reader, out, progress io.Writer) (code int) {
	if slices.Equal(args, []string{"--version"}) {
		_, _ = fmt.Fprintf(out, "rolecall gate %s\n", version.Long()) // there is nobody else to tell
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if code, done := ready(ctx, args, progress); done {
		return code
	}
	order, err := read(in)
	var report gate.Report
	if err == nil {
		err = restrain(order.Limits)
	}
	switch {
	case err != nil:
	case slices.Equal(args, []string{gate.Left}):
		report, err = RemoveLeft(ctx, order)
	default:
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

// read reads an order. A json.Decoder would go over the text three times.
func read(in io.Reader) (order gate.Order, err error) {
	text, err := io.ReadAll(io.LimitReader(in, maxOrder))
	if err == nil {
		err = order.UnmarshalJSON(text)
	}
	return order, err
}

// Inspect searches all files that the runner would upload in the order's stage, and removes
// those that must not be uploaded from the work tree, where a later job would find them. Once a
// second it prints on progress how far it is. It fails if the context ends, if the
// project's folder cannot be opened, or if a secret is too short. Problems with files of
// the job are places in the report, not errors.
func Inspect(ctx context.Context, order gate.Order, progress io.Writer) (gate.Report, error) {
	if !order.Stage.ArchivesCaches() && !order.Stage.UploadsArtifacts() {
		return gate.Report{}, fmt.Errorf("the stage %q is not known, and so are the files that it uploads", order.Stage)
	}
	project, err := selection.OpenProject(order.Project)
	if errors.Is(err, unix.ENOENT) {
		return gate.Report{}, nil // no work tree: the runner fails, too
	}
	if err != nil {
		return gate.Report{}, err
	}
	defer project.Close()
	project.MaxFiles, project.Temp = order.MaxFiles, temp(order)
	begin := time.Now()
	set, err := selectFiles(ctx, project, order)
	if err != nil {
		return gate.Report{}, err
	}
	defer set.Close()
	result, err := scan.Scan(ctx, order.Secrets, files(set), scan.Options{
		Issued:      issued(order),
		Dir:         order.Project,
		Temp:        project.Temp,
		MaxBytes:    order.MaxBytes,
		MaxDuration: remaining(order.MaxDuration, begin),
		Foreign:     func() scan.Search { return keyform.New() },
		Strict:      gate.IsEnvFile,
		OnlyStrict:  order.Foreign == gate.Off,
		Progress: func(files, bytes int64) {
			_, _ = fmt.Fprintf(progress, "rolecall: searching %d files for secrets: %d done, %d MiB\n", set.Count, files, bytes>>20)
		},
	})
	if err != nil {
		return gate.Report{}, err
	}
	out := report(set, result, order.Foreign == gate.Refuse)
	removeFound(order.Project, out.Found)
	return out, nil
}

// issued returns what makes searches for what was issued to other jobs, or nil if nothing
// was.
func issued(order gate.Order) func() scan.Search {
	index := seal.NewIndex(order.Issued, order.Secrets)
	if index == nil {
		return nil
	}
	return func() scan.Search { return index.Search() }
}

// remaining returns how much of a duration is left. 0 means no bound, and stays 0.
func remaining(most time.Duration, begin time.Time) time.Duration {
	if most <= 0 {
		return 0
	}
	return max(most-time.Since(begin), 1)
}

// selectFiles returns the files that the runner would upload. It takes as long as the
// order allows.
func selectFiles(ctx context.Context, project *selection.Project, order gate.Order) (*selection.Set, error) {
	if order.MaxDuration <= 0 {
		return selectAll(ctx, project, order)
	}
	limited, cancel := context.WithTimeout(ctx, order.MaxDuration)
	defer cancel()
	set, err := selectAll(limited, project, order)
	if err != nil && ctx.Err() == nil {
		return &selection.Set{Problems: []selection.Problem{{Path: ".", Err: scan.ErrDuration, Missed: true}}}, nil
	}
	return set, err
}

// selectAll returns the files that the runner would upload.
func selectAll(ctx context.Context, project *selection.Project, order gate.Order) (*selection.Set, error) {
	variables, err := project.Variables(order.Request, order.Uploads.Files, order.Service)
	if err != nil {
		return &selection.Set{Problems: []selection.Problem{{Path: ".", Err: err, Missed: true}}}, nil
	}
	return project.Select(ctx, selection.ForStage(order.Stage, order.Uploads, order.Request), variables)
}

// files returns the files of a set in the form that scan needs.
func files(set *selection.Set) iter.Seq[scan.File] {
	return func(yield func(scan.File) bool) {
		for f := range set.Files() {
			if !yield(scan.File{Name: f.Path, Label: f.What, Follow: f.Follow}) {
				return
			}
		}
	}
}

// temp returns a folder for temporary files that are too large for memory. It is on the
// disk of the work tree.
func temp(order gate.Order) string {
	dir := order.Request.TempProjectDir()
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return order.Project
	}
	return dir
}

// report merges the results of selection and scan. With refuse, keys that rolecall has not
// issued are as secrets.
func report(set *selection.Set, result scan.Result, refuse bool) gate.Report {
	out := gate.Report{Files: result.Files, Found: places(result.Findings, true)}
	if foreign := places(result.Foreign, refuse); refuse {
		out.Found = append(out.Found, foreign...)
	} else {
		out.Foreign, out.More = foreign, result.More
	}
	for _, p := range set.Problems {
		if p.Missed {
			out.Refused = append(out.Refused, gate.Place{Name: p.Path, Says: p.Err.Error()})
		}
	}
	for _, p := range result.Problems {
		place := gate.Place{Upload: p.Label, Name: p.Name, Inside: p.Inside, Says: p.Reason.Error()}
		switch {
		case errors.Is(p.Reason, scan.ErrIrregular) || errors.Is(p.Reason, unix.ENOENT):
			// The runner does not upload it.
		case errors.Is(p.Reason, scan.ErrDamaged), errors.Is(p.Reason, scan.ErrEncrypted), errors.Is(p.Reason, scan.ErrMethod):
			out.Noted = append(out.Noted, place)
		default:
			out.Refused = append(out.Refused, place)
		}
	}
	if result.Stopped != nil {
		out.Refused = append(out.Refused, gate.Place{Name: ".", Says: result.Stopped.Error()})
	}
	out.Refused = slices.Compact(out.Refused) // selection and scan may end for the same reason
	return out
}

// places returns findings as places. With remove their files are to be removed, and a place
// says so if its name is not known.
func places(findings []scan.Finding, remove bool) []gate.Place {
	var all []gate.Place
	for _, f := range findings {
		place := gate.Place{Upload: f.Label, Name: f.Name, Inside: f.Inside, Says: strings.Join(f.Kinds, ", ")}
		if f.Line > 0 {
			place.Says = fmt.Sprintf("%s, line %d", place.Says, f.Line)
		}
		if remove && f.Hidden {
			place.Stays = "its name holds a secret; remove it by hand"
		}
		all = append(all, place)
	}
	return all
}
