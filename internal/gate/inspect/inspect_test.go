package inspect_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rolecall/internal/gate"
	"rolecall/internal/gate/inspect"
	"rolecall/internal/job"
	"rolecall/internal/mask"
)

const secret = "IQoJb3JpZ2luX2VjEXAMPLEtokenEXAMPLEtoken"

// newOrder returns an order to search all files of a new project.
func newOrder(t *testing.T) gate.Order {
	t.Helper()
	return gate.Order{
		Stage:       "upload_artifacts_on_success",
		Project:     t.TempDir(),
		Uploads:     job.Uploads{Artifacts: []job.Artifact{{Type: "archive", Paths: []string{"."}}}, Caches: []job.Cache{{Key: "k", Paths: []string{"cache"}}}},
		Secrets:     []mask.Named{{Kind: "session token", Value: mask.NewSecret(secret)}},
		MaxBytes:    1 << 30,
		MaxDuration: time.Minute,
	}
}

// write writes a file in the project, and creates its folders.
func write(t *testing.T, o gate.Order, name, content string) {
	t.Helper()
	path := filepath.Join(o.Project, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// zipped returns a zip of one file.
func zipped(t *testing.T, name, content string) string {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	w, err := archive.Create(name)
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err := errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// serve runs the program with an order, which must succeed, and returns the report.
func serve(t *testing.T, o gate.Order) gate.Report {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if code := inspect.Serve(nil, nil, bytes.NewReader(text), &out, &progress); code != 0 || progress.Len() > 0 {
		t.Fatalf("exit code %d:\n%s", code, &progress)
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("a secret is in the report:\n%s", &out)
	}
	var report gate.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// check checks the places of a report.
func check(t *testing.T, got, want gate.Report) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (- wanted, + got):\n%s", diff)
	}
}

// TestReport: each place is in the right list, with the name of its upload.
func TestReport(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	write(t, o, "clean", "nothing")
	write(t, o, "leak", "x"+secret)
	write(t, o, "a.zip", zipped(t, "in", strings.Repeat(secret, 100)))
	whole := zipped(t, "in", strings.Repeat("nothing", 1000))
	write(t, o, "damaged.zip", whole[:len(whole)-30])
	if err := unix.Mkfifo(filepath.Join(o.Project, "fifo"), 0o600); err != nil { // the runner does not take it
		t.Fatal(err)
	}
	check(t, serve(t, o), gate.Report{
		Found: []gate.Place{
			{Upload: "artifacts", Name: "a.zip", Inside: "in", Says: "session token", Removed: true},
			{Upload: "artifacts", Name: "leak", Says: "session token", Removed: true},
		},
		Noted: []gate.Place{{Upload: "artifacts", Name: "damaged.zip", Says: "a damaged archive"}},
		Files: 4,
	})
}

// TestStage: only the uploads of the order's stage are searched.
func TestStage(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	o.Stage = "archive_cache"
	write(t, o, "leak", secret)
	check(t, serve(t, o), gate.Report{})
	write(t, o, "cache/leak", secret)
	check(t, serve(t, o), gate.Report{Found: []gate.Place{{Upload: "cache k", Name: "cache/leak", Says: "session token", Removed: true}}, Files: 1})
}

// TestForeign: keys that rolecall has not issued are refused in env files, and elsewhere
// as the order says.
func TestForeign(t *testing.T) {
	t.Parallel()
	const keys = "AKIA" + "Q3XYZ7ABCDEFGHIJ abcdefghijklmnopqrst" + "ABCDEFGHIJKLMNOPQRST\n"
	o := newOrder(t)
	fill := func() {
		write(t, o, "notes", "\n\n"+keys)
		write(t, o, "d/.aws.alpha.env", keys)
		write(t, o, "b.zip", zipped(t, "e/.aws.beta.env", keys))
	}
	notes := gate.Place{Upload: "artifacts", Name: "notes", Says: "AWS access key, line 3"}
	strict := []gate.Place{
		{Upload: "artifacts", Name: "b.zip", Inside: "e/.aws.beta.env", Says: "AWS access key, line 1", Removed: true},
		{Upload: "artifacts", Name: "d/.aws.alpha.env", Says: "AWS access key, line 1", Removed: true},
	}
	refused := notes
	refused.Removed = true
	for foreign, want := range map[string]gate.Report{
		gate.Refuse: {Found: append(slices.Clone(strict), refused), Files: 3},
		gate.Warn:   {Found: strict, Foreign: []gate.Place{notes}, Files: 3},
		gate.Off:    {Found: strict, Files: 3},
	} {
		o.Foreign = foreign
		fill()
		check(t, serve(t, o), want)
		o.Secrets = nil
		fill()
		check(t, serve(t, o), want)
	}
}

// TestRefused: a file that the runner may upload but that was not searched is refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	const more = "more bytes to read and unpack than the limit"
	for name, test := range map[string]struct {
		change func(*gate.Order)
		want   []gate.Place
	}{
		"too much": {
			func(o *gate.Order) { o.MaxBytes = 100 },
			[]gate.Place{{Upload: "artifacts", Name: "big", Says: more}, {Name: ".", Says: more}},
		},
		"too many": {
			func(o *gate.Order) { write(t, *o, "bigger", ""); o.MaxFiles = 2 },
			[]gate.Place{{Name: ".", Says: "more files than the limit"}},
		},
		"too long": {
			func(o *gate.Order) { o.MaxDuration = 1 },
			[]gate.Place{{Name: ".", Says: "the search takes longer than the limit"}},
		},
		"variables that nobody can read": {
			func(o *gate.Order) {
				write(t, *o, "temp/gitlab_runner_env", strings.Repeat("x", 1<<20+1))
				o.Request = job.Request{"RUNNER_TEMP_PROJECT_DIR": o.Project + "/temp"}
			},
			[]gate.Place{{Name: ".", Says: "the file of GITLAB_ENV is larger than 1 MiB"}},
		},
	} {
		o := newOrder(t)
		write(t, o, "big", strings.Repeat("x", 1000))
		test.change(&o)
		if diff := cmp.Diff(test.want, serve(t, o).Refused); diff != "" {
			t.Errorf("%s: refused are (- wanted, + got):\n%s", name, diff)
		}
	}
}

// TestNoProject: without a work tree the runner has nothing to upload.
func TestNoProject(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	o.Project += "/none"
	check(t, serve(t, o), gate.Report{})
}

// TestNoReport: if the uploaded files cannot be determined, there is no report, and the
// exit code is 1.
func TestNoReport(t *testing.T) {
	t.Parallel()
	text := func(change func(*gate.Order)) string {
		o := newOrder(t)
		change(&o)
		out, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for says, order := range map[string]string{
		"gate: unexpected end of JSON input\n":        "",
		"gate: unexpected end of JSON input":          "{",
		"gate: json: cannot unmarshal":                `{"Stage": 1}`,
		`gate: the stage "upload_x" is not known`:     text(func(o *gate.Order) { o.Stage = "upload_x" }),
		`gate: the stage "build_script" is not known`: text(func(o *gate.Order) { o.Stage = "build_script" }),
		"gate: secret 1 of 1 has 5 bytes":             text(func(o *gate.Order) { o.Secrets[0].Value = mask.NewSecret("short") }),
		"gate: open /dev/null: not a directory":       text(func(o *gate.Order) { o.Project = "/dev/null" }),
	} {
		var out, progress bytes.Buffer
		code := inspect.Serve(nil, nil, strings.NewReader(order), &out, &progress)
		if code != 1 || out.Len() > 0 || !strings.HasPrefix(progress.String(), says) {
			t.Errorf("order %.20q: exit code %d, want 1 for %q in\n%s%s", order, code, says, &out, &progress)
		}
	}
}

// TestStopped: who asks for a report and stops waiting for it gets none.
func TestStopped(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	write(t, o, "a", "nothing")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if got, err := inspect.Inspect(stopped, o, io.Discard); !errors.Is(err, context.Canceled) || got.Files != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
