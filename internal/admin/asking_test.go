package admin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// evil is what an author can write into a ref: control bytes, HTML, and a change of direction.
const evil = "a\x1b]0;x\x07\u009b<script>&\u202eb"

// begun is when the jobs of a log have begun.
func begun() time.Time { return time.Now().Add(-30 * time.Minute).UTC().Truncate(time.Second) }

// line returns a line of an audit log about a job.
func line(t *testing.T, id string, after time.Duration, kind audit.Kind, fill func(*audit.Event)) string {
	t.Helper()
	e := audit.Event{
		Time: begun().Add(after), Event: kind, Host: "ci-1", Program: "prepare", Version: "0.1.0", Tenant: "alpha", JobID: id, PipelineID: "301",
		ProjectID: "22", ProjectPath: "acme/shop", JobProjectID: "22", JobProjectPath: "acme/shop", Ref: "main", RefType: "branch", RefProtected: "true",
		UserID: "7", UserLogin: "jane", RunnerID: "5", Issuer: "https://gitlab.example.com",
	}
	if fill != nil {
		fill(&e)
	}
	text, err := json.Marshal(e)
	kit.Must(t, err)
	return string(text) + "\n"
}

// issuedAs returns what the line of an issued session has.
func issuedAs(key, name string) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Allowed, e.Rule = new(true), "projects acme/shop; refs main"
		e.Provider, e.RoleARN, e.AccessKeyID, e.RoleSessionName, e.Expiration = "aws", "arn:aws:iam::111122223333:role/deploy-alpha", key, name, e.Time.Add(time.Hour)
	}
}

// refusedBy returns what the line of a refusal has.
func refusedBy(tenant, rule string, code fault.Code) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Allowed, e.Tenant, e.Rule, e.Code, e.Side, e.Ref = new(false), tenant, rule, code, "author", evil
		e.Reason = "tenant \"" + tenant + "\" refuses this job: rule " + rule + ": \x1b[31m" + strings.Repeat("the ref is not one of the tenant's ", 6)
	}
}

// on changes the server that a line is about.
func on(iss string, fill func(*audit.Event)) func(*audit.Event) {
	return func(e *audit.Event) {
		fill(e)
		e.Issuer = iss
	}
}

// logOf writes an audit log with a rotated file that is compressed, and returns the path of the log.
func logOf(t *testing.T, rotated, now string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f, err := os.OpenFile(path+".1.gz", os.O_CREATE|os.O_WRONLY, 0o600)
	kit.Must(t, err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(rotated))
	kit.Must(t, err)
	kit.Must(t, z.Close())
	kit.Must(t, f.Close())
	kit.Must(t, os.WriteFile(path, []byte(now), 0o600))
	return path
}

// story is an audit log: job 1042 of two servers, with a renewal, and jobs that were refused.
func story(t *testing.T) string {
	t.Helper()
	const minute = time.Minute
	other := "https://other.example.com"
	return logOf(t,
		line(t, "1046", -48*60*minute, audit.Decision, refusedBy("alpha", "projects", "RC103"))+
			line(t, "1042", 0, audit.Decision, func(e *audit.Event) { e.Allowed, e.Rule = new(true), "projects acme/shop; refs main" })+
			line(t, "1042", 0, audit.Issued, issuedAs("ASIA1", "GitLabRunner-22-301-1042"))+
			`{"time":"2026-02-03T04:05:06Z","event":"deci`+"\nnot of an audit log\n",
		line(t, "1042", minute, audit.Renewed, func(e *audit.Event) {
			issuedAs("ASIA2", "GitLabRunner-22-301-1042")(e)
			e.Program, e.Stage, e.Source = "run", "step_script", "logs"
		})+
			line(t, "1042", minute, audit.Issued, on(other, issuedAs("ASIA3", "GitLabRunner-22-301-1042")))+
			line(t, "1042", 2*minute, audit.Masked, func(e *audit.Event) { e.Stage, e.Count, e.Program = "step_script", 3, "run" })+
			line(t, "1043", 2*minute, audit.Decision, refusedBy("alpha", "refs", "RC103"))+
			line(t, "1044", 2*minute, audit.Decision, refusedBy("alpha", "refs", "RC103"))+
			line(t, "1045", 2*minute, audit.Decision, refusedBy("beta", "", "RC101"))+
			line(t, "1042", 3*minute, audit.Ended, func(e *audit.Event) { e.Program, e.RoleSessionName = "cleanup", "GitLabRunner-22-301-1042" }),
	)
}

// checkText fails the test unless a text for people fits a terminal and has no control bytes.
func checkText(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := len([]rune(line)); n > 100 {
			t.Errorf("%d columns: %q", n, line)
		}
		if strings.ContainsAny(line, "\x1b\x07\u009b\u202e\x7f") {
			t.Errorf("a control byte is in %q", line)
		}
	}
}

// ask runs a command on a log, and returns what it prints as JSON in into.
func ask(t *testing.T, path string, into any, args ...string) result {
	t.Helper()
	got := askWide(t, path, into, args...)
	checkText(t, got.out+got.errors)
	return got
}

// askWide is ask for a command whose text may be wider than a terminal.
func askWide(t *testing.T, path string, into any, args ...string) result {
	t.Helper()
	got := run("", append(args, "--log", path)...)
	if strings.ContainsAny(got.out+got.errors, "\x1b\x07\u009b\u202e\x7f") {
		t.Errorf("a control byte is in %q", got.out)
	}
	as := run("", append(args, "--log", path, "--json")...)
	if strings.ContainsAny(as.out, "\x1b\x07\u009b\u202e\x7f") {
		t.Errorf("a control byte is in %q", as.out)
	}
	if err := json.Unmarshal([]byte(as.out), into); err != nil || as.code != got.code {
		t.Errorf("%q: %v, exit codes %d and %d: %s%s", args, err, as.code, got.code, as.out, as.errors)
	}
	return got
}

// TestWho: a key, also of a renewed session in a source, a session's name and a job's id lead to
// the sessions, the newest first, and to the end of their jobs.
func TestWho(t *testing.T) {
	t.Parallel()
	path := story(t)
	for text, want := range map[string]string{
		"ASIA1": "ASIA1 ended", "ASIA2": "ASIA2 ended", "ASIA3": "ASIA3", "GitLabRunner-22-301-1042": "ASIA3, ASIA2 ended, ASIA1 ended", "1042": "ASIA3, ASIA2 ended, ASIA1 ended",
	} {
		var w struct {
			Sessions []struct {
				Key   string                  `json:"access_key_id"`
				Stage string                  `json:"source"`
				End   *struct{ Event string } `json:"end"`
			} `json:"sessions"`
			Log struct {
				Unread struct{ Cut, Foreign int } `json:"unread"`
			} `json:"log"`
		}
		got := ask(t, path, &w, "who", text)
		var all []string
		for _, s := range w.Sessions {
			one := s.Key
			if s.End != nil {
				one += " " + s.End.Event
			}
			all = append(all, one)
		}
		if have := strings.Join(all, ", "); got.code != 0 || have != want || w.Log.Unread.Cut != 1 || w.Log.Unread.Foreign != 1 {
			t.Errorf("who %s: %q, want %q: %+v\n%s", text, have, want, w.Log, got.out)
		}
	}
	got := ask(t, path, new(any), "who", "ASIA2")
	for _, want := range []string{
		"access key id   ASIA2\n", "session         GitLabRunner-22-301-1042\n", "tenant          alpha\n", "source          logs\n", "provider        aws\n", "role            arn:aws:iam::111122223333:role/deploy-alpha\n",
		"project         acme/shop (22)\n", "ref             main, branch, protected\n", "user            jane (7)\n", "pipeline        301\n", "job             1042 of https://gitlab.example.com\n",
		"renewed         20", ", by run on ci-1\n", "valid until     ", "UTC, ended by cleanup\n",
		"2 lines of it could not be read: 1 cut, 1 foreign, 0 of a newer version\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in\n%s", want, got.out)
		}
	}
}

// TestWhoNobody: what the log does not have is not found, and the answer says how far back it goes.
func TestWhoNobody(t *testing.T) {
	t.Parallel()
	path := story(t)
	for _, text := range []string{"ASIA4", "ASIA", "jane", "1043", evil} {
		got := ask(t, path, new(any), "who", text)
		if got.code != 1 || !strings.Contains(got.out, "no session has ") || !strings.Contains(got.out, "\nthe log goes back to 20") || got.errors != "" {
			t.Errorf("who %q: %+v", text, got)
		}
	}
	if got := run("", "who", "--log", path); got.code != 2 || !strings.Contains(got.errors, "say one KEY|SESSION|JOB") {
		t.Errorf("%+v", got)
	}
	if got := run("", "who", "x", "--config", path+".none"); got.code != 1 || !strings.Contains(got.errors, "--log FILE names an audit log without a policy file") {
		t.Errorf("%+v", got)
	}
	empty := filepath.Join(t.TempDir(), "audit.jsonl")
	if got := ask(t, empty, new(any), "who", "x"); got.code != 1 || !strings.Contains(got.out, "the log is empty") {
		t.Errorf("%+v", got)
	}
}

// TestAskingFails: files that cannot be read make the answer uncertain, and it says so.
func TestAskingFails(t *testing.T) {
	t.Parallel()
	path := story(t)
	kit.Must(t, os.WriteFile(path+".2.gz", []byte("?"), 0o600))
	for _, args := range [][]string{{"who", "ASIA2"}, {"refused"}, {"job", "1042"}} {
		if got := run("", append(args, "--log", path)...); got.code != 1 || !strings.Contains(got.errors, "the answer may lack lines: audit.jsonl.2.gz is not read to its end") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	kit.Must(t, os.Chmod(filepath.Dir(path), 0o777))
	if got := run("", "who", "ASIA2", "--log", path); got.code != 1 || !strings.Contains(got.errors, "audit log "+path+": ") {
		t.Errorf("%+v", got)
	}
}

// TestWhoTried: the end of a try at a job is not the end of the session of the next try.
func TestWhoTried(t *testing.T) {
	t.Parallel()
	path := logOf(t, line(t, "90", 0, audit.Issued, issuedAs("ASIA90A", "x"))+line(t, "90", time.Minute, audit.Removed, nil),
		line(t, "90", 2*time.Minute, audit.Issued, issuedAs("ASIA90B", "x")))
	var w struct {
		Sessions []struct {
			Key string    `json:"access_key_id"`
			End *struct{} `json:"end"`
		}
	}
	if got := ask(t, path, &w, "who", "90"); got.code != 0 || len(w.Sessions) != 2 || w.Sessions[0].Key != "ASIA90B" || w.Sessions[0].End != nil || w.Sessions[1].End == nil {
		t.Errorf("%+v in\n%s", w, got.out)
	}
}

// TestControlBytes: what a command prints of a name has no control bytes, whoever has chosen it.
func TestControlBytes(t *testing.T) {
	t.Parallel()
	got := run("", "check", "--config", "/none/\x1b[31m\u202e.toml", "--runner-config", "/none")
	if strings.ContainsAny(got.out, "\x1b\u202e") || !strings.Contains(got.out, `/none/\x1b[31m\u202e.toml`) {
		t.Errorf("%q", got.out)
	}
}
