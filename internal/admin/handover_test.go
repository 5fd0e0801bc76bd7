package admin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/handover"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// keepHere lets a job hand over a secret and a plain value on the host of a world.
func (w *world) keepHere(t *testing.T, job string, id int64, until time.Time) {
	t.Helper()
	p := handover.Parcel{
		Scope: handover.Scope{Issuer: "https://gitlab.example.com", Tenant: "alpha", Project: "22", Pipeline: "301", Class: "protected"},
		Job:   job, JobID: id, At: until.Add(-time.Hour), Until: until,
		Values: []handover.Value{{Name: "DB_URL", Value: mask.NewSecret("hunter2hunter2"), Secret: true}, {Name: "VERSION", Value: mask.NewSecret("one-point-seven")}},
	}
	kit.Must(t, os.MkdirAll(w.dir+"/state", 0o700))
	kit.Must(t, state.Local{}.Put(t.Context(), handover.Way{Root: w.dir + "/state"}, p))
}

// handed is a line about values of a job.
func handed(store string, until time.Time) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Program, e.Store, e.Names, e.More, e.Until = "run", store, []string{"DB_URL", "VERSION"}, 3, until
	}
}

// TestHandover: what lies on the host is listed as it is, and what lies elsewhere as the log has it;
// never a value.
func TestHandover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	path := logOf(t, line(t, "40", 0, audit.HandedOver, handed("s3", now.Add(time.Hour))),
		line(t, "41", 0, audit.HandedOver, handed("vault", now.Add(-time.Minute)))+
			line(t, "42", 0, audit.HandedOver, handed("local", now.Add(time.Hour)))+
			line(t, "43", 0, audit.Taken, handed("s3", now.Add(time.Hour))))
	flags := w.asked(t, path)
	w.keepHere(t, "make: "+evil, 51, now.Add(time.Hour))
	w.keepHere(t, "old", 50, now.Add(-time.Minute))
	var answer struct {
		Handed []struct {
			Store, Tenant, Job string
			JobID              string `json:"job_id"`
			Names, Secrets     []string
			Bytes              int64
		} `json:"handed_over"`
	}
	got := ask(t, path, &answer, append([]string{"handover"}, flags...)...)
	if len(answer.Handed) != 3 || answer.Handed[0].JobID != "50" || answer.Handed[1].Secrets[0] != "DB_URL" || answer.Handed[1].Bytes < 100 || answer.Handed[2].JobID != "40" || answer.Handed[2].Store != "s3" {
		t.Errorf("%+v", answer.Handed)
	}
	for _, want := range []string{"old 50 of pipeline 301 of project 22", "expired  ", "DB_URL (secret), VERSION\n", "40 of pipeline 301 of project acme/shop", "DB_URL, VERSION, and 3 more", "tenant alpha, protected refs", "local, 3", "ago\n"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s%s", want, got.out, got.errors)
		}
	}
	all := got.out + run("", append([]string{"handover", "--json"}, flags...)...).out
	if strings.Contains(all, "hunter2") || strings.Contains(all, "one-point") || strings.Contains(all, "\x1b") {
		t.Errorf("it shows a value or a control character:\n%s", all)
	}
}

// TestHandoverNothing: a host on which nothing is handed over, or what is there cannot be read.
func TestHandoverNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	flags := append([]string{"handover"}, w.asked(t, "")...)
	if got := run("", flags...); got.code != 0 || !strings.HasPrefix(got.out, "no job has handed over anything that is still kept\nthe policy file names no audit_log") {
		t.Errorf("%+v", got)
	}
	w.keepHere(t, "make", 51, time.Now().Add(time.Hour))
	files, err := filepath.Glob(w.dir + "/state/handover/alpha/*/*")
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(files[0], []byte(`{"values":"hunter2hunter2"}`), 0o600))
	w.keepHere(t, "other", 52, time.Now().Add(time.Hour))
	if got := run("", flags...); got.code != 1 || !strings.Contains(got.out, "other 52") || !strings.Contains(got.errors, "not what this version of rolecall hands over") || strings.Contains(got.errors, "hunter2") {
		t.Errorf("%+v", got)
	}
}
