package run_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/handover"
	"rolecall/internal/mask"
	"rolecall/internal/stage/run"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// TestHandOverRefuses: what is wrong in the files is the author's to change, and nothing is kept. No
// log has a value.
func TestHandOverRefuses(t *testing.T) {
	t.Parallel()
	const begin = "rolecall: error [RC115]: nothing is handed over to later jobs: "
	for name, test := range map[string]struct {
		does func(t *testing.T, out, secret string)
		want string
	}{
		"a link":   {func(t *testing.T, out, _ string) { t.Helper(); kit.Must(t, os.Symlink("/etc/passwd", out)) }, begin + "the file of ROLECALL_OUT is not a regular file"},
		"a loop":   {func(t *testing.T, out, _ string) { t.Helper(); kit.Must(t, os.Symlink(out, out)) }, begin + "the file of ROLECALL_OUT is not a regular file"},
		"a FIFO":   {func(t *testing.T, _, secret string) { t.Helper(); kit.Must(t, unix.Mkfifo(secret, 0o600)) }, begin + "the file of ROLECALL_SECRET_OUT is not a regular file"},
		"a folder": {func(t *testing.T, out, _ string) { t.Helper(); kit.Must(t, os.Mkdir(out, 0o700)) }, begin + "the file of ROLECALL_OUT is not a regular file"},
		"a second name": {func(t *testing.T, out, _ string) {
			t.Helper()
			writes(t, "A=hunter2hunter2", "")(out, "")
			kit.Must(t, os.Link(out, out+"2"))
		}, begin + "the file of ROLECALL_OUT has a second name"},
		"1 GB": {func(t *testing.T, out, _ string) {
			t.Helper()
			writes(t, "A=1", "")(out, "")
			kit.Must(t, os.Truncate(out, 1<<30))
		}, begin + "the file of ROLECALL_OUT has 1073741824 bytes, and may have 65536"},
		"70 KiB": {func(t *testing.T, out, _ string) {
			t.Helper()
			writes(t, "A="+strings.Repeat("x", 70<<10), "")(out, "")
		}, begin + "the file of ROLECALL_OUT has 71682 bytes"},
		"binary":         {func(t *testing.T, out, _ string) { t.Helper(); writes(t, "A=\x00\xff", "")(out, "") }, begin + "the file of ROLECALL_OUT is not text in UTF-8"},
		"a name":         {func(t *testing.T, out, _ string) { t.Helper(); writes(t, "A=1\nPATH=hunter2hunter2\n", "")(out, "") }, begin + "line 2 of the file of ROLECALL_OUT: variable PATH has a meaning"},
		"the provider's": {func(t *testing.T, out, _ string) { t.Helper(); writes(t, "CLOUD_SECRET=hunter2hunter2\n", "")(out, "") }, begin + "line 1 of the file of ROLECALL_OUT: variable CLOUD_SECRET belongs to the credentials"},
		"a short secret": {func(t *testing.T, _, secret string) { t.Helper(); writes(t, "", "A=hunter2\n")("", secret) }, begin + "line 1 of the file of ROLECALL_SECRET_OUT: the value of A has 7 bytes"},
		"two values": {func(t *testing.T, out, secret string) {
			t.Helper()
			writes(t, "A=hunter22\n", "A=hunter23\n")(out, secret)
		}, begin + "A comes twice, with two values"},
		"one is wrong": {func(t *testing.T, out, secret string) {
			t.Helper()
			writes(t, "A=1\n", "hunter2hunter2\n")(out, secret)
		}, begin + "line 1 of the file of ROLECALL_SECRET_OUT: want NAME=value"},
	} {
		c := newAuthor(t, "build_script")
		got := c.author(author{does: func(out, secret string) { test.does(t, out, secret) }})
		if got.code != 1 || !strings.HasPrefix(got.log, test.want) || strings.Contains(got.log, "hunter") {
			t.Errorf("%s: %+v\nwant %s", name, got, test.want)
		}
		if kept := c.kept(t); len(kept) > 0 {
			t.Errorf("%s: kept %q", name, kept)
		}
	}
}

// TestHandOverAgain: a job that is tried again replaces what it had handed over, also by nothing. One
// that never handed over anything keeps nothing.
func TestHandOverAgain(t *testing.T) {
	t.Parallel()
	c := newAuthor(t, "build_script", handover.Earlier)
	old := handover.Parcel{Scope: scope(), Job: "make: [alpha]", JobID: 5, At: time.Now(), Until: time.Now().Add(time.Hour), Values: []handover.Value{{Name: "OLD", Value: mask.NewSecret("oldvalue")}}}
	kit.Must(t, state.Local{}.Put(t.Context(), handover.Way{Root: c.root}, old))
	if got := c.author(author{does: writes(t, "A=1\n", "")}); got.code != 0 || !slices.Equal(c.kept(t), []string{"A=1"}) {
		t.Errorf("%+v, kept %q", got, c.kept(t))
	}
	if got := c.author(author{}); got.code != 0 || len(c.kept(t)) > 0 || !strings.Contains(got.log, "taken back: what an earlier try of this job had handed over to later jobs\n") {
		t.Errorf("%+v, kept %q", got, c.kept(t))
	}
	none := newAuthor(t, "build_script")
	if got := none.author(author{}); got.code != 0 || got.log != "" {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(none.root, "handover")); !os.IsNotExist(err) {
		t.Errorf("a job that hands over nothing has made a folder: %v", err)
	}
}

// TestAnnounceTaken: before its script a job says what it has of earlier jobs.
func TestAnnounceTaken(t *testing.T) {
	t.Parallel()
	set := append(issued(), creds.Credential{
		Provider: handover.Provider, Beside: true, Facts: creds.Facts{{Name: "A", Value: "make: [\x1b]"}, {Name: "earlier try", Value: "yes"}},
		Env: []creds.Variable{{Name: "A", Value: mask.NewSecret("value")}},
	})
	c := newCallWith(t, "alpha", "build_script", set)
	got := c.author(author{})
	if want := "rolecall: handed over by earlier jobs of this pipeline: A from \"make: [\\x1b]\"\n"; got.log != want {
		t.Errorf("%q, want %q", got.log, want)
	}
}

// broken is a store that does not answer.
type broken struct{}

func (broken) Name() string { return "local" }

func (broken) Put(context.Context, handover.Way, handover.Parcel) error {
	return errors.New("no answer")
}

// TestHandOverFails: a store that fails is no fault of the script. Its secrets are masked all the same.
func TestHandOverFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stores []run.Store
		change func(t *testing.T, c *call)
		code   int
		want   string
	}{
		"no answer":     {[]run.Store{broken{}}, nil, 2, "what the script hands over cannot be kept, and later jobs get nothing of it: no answer"},
		"unknown":       {nil, nil, 1, `[RC311]: what the script hands over cannot be kept, and later jobs get nothing of it: this program does not know the store "local"`},
		"the audit log": {[]run.Store{state.Local{}}, func(t *testing.T, c *call) { t.Helper(); kit.Must(t, os.Mkdir(c.file("audit"), 0o700)) }, 1, "[RC308]: audit log "},
	} {
		c := newAuthor(t, "build_script")
		if test.change != nil {
			test.change(t, c)
		}
		var out, log strings.Builder
		a := author{Backend: &toy.Backend{}, does: writes(t, "", "DB_URL=postgres://u:p@h/d\n")}
		code := run.New(run.Parts{Backends: []run.Backend{a}, Providers: []run.Provider{aws.Scripts{}}, Stores: test.stores}).Serve(c.args, c.environ, nil, &out, &log)
		if code != test.code || !strings.Contains(kit.Flat(log.String()), test.want) || len(c.kept(t)) > 0 {
			t.Errorf("%s: %d, %s", name, code, kit.Flat(log.String()))
		}
		c.args[1] = "after_script"
		c.write(t, "script", "again postgres://u:p@h/d\n")
		if after := c.author(author{}); !strings.Contains(after.out, "again [MASKED]") {
			t.Errorf("%s: after_script prints %q", name, after.out)
		}
	}
}
