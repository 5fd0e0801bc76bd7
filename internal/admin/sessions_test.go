package admin_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// folder makes the folder of a job that the runner pid has begun before the lines of a log.
func (w *world) folder(t *testing.T, id job.ID, tenant string, pid int, line string) {
	t.Helper()
	lease, err := state.NewLease(pid, time.Hour)
	kit.Must(t, err)
	record := state.Record{Tenant: tenant, Lease: lease, Audit: audit.Trail{Path: "/none", Began: begun().Add(-time.Minute), Job: json.RawMessage(line)}}
	f, err := state.Create(w.dir+"/state", job.Key{ID: id}, record, filepath.Join(w.dir, "builds.tmp"))
	kit.Must(t, err)
	f.Close()
}

// dead makes the folder of a job whose runner has died.
func (w *world) dead(t *testing.T, id job.ID) {
	t.Helper()
	runner := exec.CommandContext(t.Context(), "sleep", "600")
	kit.Must(t, runner.Start())
	w.folder(t, id, "alpha", runner.Process.Pid, line(t, id.String(), 0, "", nil))
	kit.Must(t, runner.Process.Kill())
	_ = runner.Wait() // it was killed
}

// asked writes the policy file of a world whose log is at path, and returns the flags for it.
func (w *world) asked(t *testing.T, path string) []string {
	t.Helper()
	top := fmt.Sprintf("credentials_dir = %q\n", w.dir+"/state")
	if path != "" {
		top += fmt.Sprintf("audit_log = %q\n", path)
	}
	return []string{"--config", w.write(t, "rolecall.toml", []byte(top+w.policy))}
}

// issuedOf returns what the line of a session has, with some fields of another line.
func issuedOf(key string, of *audit.Event) func(*audit.Event) {
	return func(e *audit.Event) {
		issuedAs(key, "GitLabRunner-22-301-"+e.JobID)(e)
		if of != nil {
			e.Source, e.Program, e.Issuer, e.Expiration = of.Source, of.Program, of.Issuer, of.Expiration
		}
	}
}

// valid is an audit log: what is valid now is of jobs that run, of jobs that have ended, of another
// server and of a broker, or was revoked.
func valid(t *testing.T) string {
	t.Helper()
	const minute = time.Minute
	return logOf(t,
		line(t, "50", -5*time.Hour, audit.Issued, issuedOf("ASIAOLD", nil))+
			line(t, "51", 0, audit.Issued, issuedOf("ASIA51", nil))+
			line(t, "51", 0, audit.Issued, issuedOf("ASIA51B", &audit.Event{Source: "logs", Program: "prepare", Issuer: "https://gitlab.example.com", Expiration: begun().Add(40 * time.Minute)}))+
			line(t, "53", 0, audit.Issued, issuedOf("ASIA53", nil)),
		line(t, "51", minute, audit.Renewed, issuedOf("ASIA51C", nil))+
			line(t, "52", minute, audit.Issued, issuedOf("ASIA52", &audit.Event{Program: "broker", Issuer: "https://gitlab.example.com", Expiration: begun().Add(2 * time.Hour)}))+
			line(t, "51", minute, audit.Issued, issuedOf("ASIAOTHER", &audit.Event{Issuer: "https://other.example.com", Expiration: begun().Add(2 * time.Hour)}))+
			line(t, "54", minute, audit.Issued, func(e *audit.Event) {
				e.Provider, e.Source, e.Expiration = "vault", "db", begun().Add(2*time.Hour)
			})+
			line(t, "53", 2*minute, audit.Ended, nil)+
			line(t, "54", 2*minute, audit.Ended, nil)+
			line(t, "54", 2*minute, audit.Revoked, func(e *audit.Event) { e.Provider, e.Source = "vault", "db" }),
	)
}

// TestSessions: jobs that run are listed, with the newest session of each credential, and with
// --all the sessions that outlive their jobs.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := valid(t)
	flags := w.asked(t, path)
	if got := run("", append([]string{"sessions"}, flags...)...); got.code != 0 || got.out != "no job runs now\n" {
		t.Errorf("%+v", got)
	}
	w.folder(t, 51, "alpha", os.Getpid(), line(t, "51", 0, "", func(e *audit.Event) { e.Ref = evil }))
	w.dead(t, 56)
	w.folder(t, 55, "", os.Getpid(), line(t, "55", 0, "", nil))
	var p struct {
		Jobs []struct {
			ID    string   `json:"job_id"`
			Keys  []string `json:"access_key_ids"`
			Until time.Time
		}
		After []struct {
			Key string `json:"access_key_id"`
		} `json:"valid_without_job"`
	}
	got := ask(t, path, &p, append([]string{"sessions", "--all"}, flags...)...)
	if want := fmt.Sprint("[{51 [ASIA51C ASIA51B] ", begun().Add(40*time.Minute), "} {55 [] 0001-01-01 00:00:00 +0000 UTC}]"); !strings.HasPrefix(fmt.Sprint(p.Jobs), "[{51 [ASIA51C ASIA51B] ") || len(p.Jobs) != 2 || p.Jobs[0].Until.Sub(begun().Add(40*time.Minute)).Abs() > time.Minute {
		t.Errorf("%+v, want %s", p.Jobs, want)
	}
	if fmt.Sprint(p.After) != "[{ASIAOTHER} {ASIA52} {ASIA53}]" {
		t.Errorf("%+v", p.After)
	}
	for _, want := range []string{"51   alpha   acme/shop  a\\x1b]0;x\\a\\u…  ", "55   -       acme/shop  main", "2 jobs run now", "\nSTS honours these 3 sessions until then", "GitLabRunner-22-301-52  not known"} {
		if got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s%s", want, got.out, got.errors)
		}
	}
	kit.Must(t, state.Remove(w.dir+"/state", job.Key{ID: 51}))
	if got := run("", append([]string{"sessions"}, flags...)...); got.code != 0 || strings.Contains(got.out, "alpha") || !strings.Contains(got.out, "1 jobs run now") {
		t.Errorf("%+v", got)
	}
	if got := run("", append([]string{"sessions"}, w.asked(t, "")...)...); got.code != 0 || !strings.Contains(got.out, "the policy file names no audit_log: until when credentials are valid is not known\n") {
		t.Errorf("%+v", got)
	}
}

// TestSessionsUnread: jobs that cannot be looked at are an error, and not nobody.
func TestSessionsUnread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	flags := w.asked(t, "")
	kit.Must(t, os.WriteFile(w.dir+"/state", nil, 0o600))
	if got := run("", append([]string{"sessions"}, flags...)...); got.code != 1 || !strings.Contains(got.errors, "/state: not a folder but a link or a file") || got.out == "" {
		t.Errorf("%+v", got)
	}
}
