package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// sample is an event whose texts are short enough to stay whole.
func sample() audit.Event {
	return audit.Event{
		Time: time.Date(2026, 2, 3, 4, 5, 6, 789000000, time.UTC), Event: audit.Issued, Allowed: new(true), Rule: `projects "acme/*"`, Tenant: "alpha",
		RoleARN: "arn:aws:iam::111122223333:role/deploy-alpha", RoleSessionName: "GitLabRunner-22-301-1042", AccessKeyID: "ASIAIOSFODNN7EXAMPLE",
		Expiration: time.Date(2026, 2, 3, 5, 5, 6, 0, time.UTC), JobID: "1042", PipelineID: "301", ProjectID: "22", ProjectPath: "acme/deploy",
		JobProjectID: "22", JobProjectPath: "acme/deploy", Ref: "feature/<a>&b", RefType: "branch", RefProtected: "true", Environment: "alpha",
		UserID: "7", UserLogin: "jane", RunnerID: "5", Issuer: "https://gitlab.example.com", TokenID: "f1d2", Host: "ci-1", BootID: boot, Program: "prepare", Version: "0.1.0",
		Policy: "d41d8cd98f00b204e9800998ecf8427e",
	}
}

// boot is the id of a boot.
const boot = "8f5b2f0e-6f0c-4b8e-9d5a-2f1f6a1d7c3b"

// TestNames pins the names of the fields: people and tools search for them.
func TestNames(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	kit.Must(t, log.Write(sample()))
	kit.Must(t, log.Write(audit.Event{
		Event: audit.Failed, Time: sample().Time, Host: "ci-1", BootID: boot, Program: "prepare", Allowed: new(false), Code: fault.AccessDenied,
		Side: fault.Account, Reason: "AWS refuses", ErrorCode: "AccessDenied", RequestID: "4d7d", JobID: "1",
	}))
	kit.Must(t, log.Write(audit.Event{
		Event: audit.UploadRefused, Time: sample().Time, Host: "ci-1", BootID: boot, Stage: "archive_cache", More: 3, Count: 5, Began: sample().Time,
		Places: []audit.Place{{Upload: "artifacts", File: "a.zip", Inside: "b > c", Kind: "secret key", Reason: "unreadable"}, {File: "d"}},
	}))
	want := `{"time":"2026-02-03T04:05:06.789Z","event":"issued","host":"ci-1","boot_id":"` + boot + `","program":"prepare","version":"0.1.0","policy":"d41d8cd98f00b204e9800998ecf8427e","allowed":true,` +
		`"rule":"projects \"acme/*\"","tenant":"alpha",` +
		`"role_arn":"arn:aws:iam::111122223333:role/deploy-alpha","role_session_name":"GitLabRunner-22-301-1042","access_key_id":"ASIAIOSFODNN7EXAMPLE",` +
		`"expiration":"2026-02-03T05:05:06Z","job_id":"1042","pipeline_id":"301","project_id":"22","project_path":"acme/deploy","job_project_id":"22",` +
		`"job_project_path":"acme/deploy","ref":"feature/<a>&b","ref_type":"branch","ref_protected":"true","environment":"alpha","user_id":"7",` +
		`"user_login":"jane","runner_id":"5","iss":"https://gitlab.example.com","jti":"f1d2"}` + "\n" +
		`{"time":"2026-02-03T04:05:06.789Z","event":"failed","host":"ci-1","boot_id":"` + boot + `","program":"prepare","allowed":false,"code":"RC203","side":"aws-account",` +
		`"reason":"AWS refuses","error_code":"AccessDenied","request_id":"4d7d","job_id":"1"}` + "\n" +
		`{"time":"2026-02-03T04:05:06.789Z","event":"upload_refused","host":"ci-1","boot_id":"` + boot + `","stage":"archive_cache",` +
		`"places":[{"upload":"artifacts","file":"a.zip","inside":"b > c","kind":"secret key","reason":"unreadable"},{"file":"d"}],"more":3,"count":5,` +
		`"began":"2026-02-03T04:05:06.789Z"}` + "\n"
	if diff := cmp.Diff(want, content(t, log)); diff != "" {
		t.Error(diff)
	}
}

// TestHost: a line names the host that writes it, and its boot.
func TestHost(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	kit.Must(t, log.Write(audit.Event{}))
	want, err := os.Hostname()
	id, bootErr := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if got := decode(t, content(t, log))[0]; err != nil || bootErr != nil || got.Host != want || got.BootID != strings.TrimSpace(string(id)) || len(got.BootID) != len(boot) {
		t.Errorf("host %q in boot %q, want %q and %q, %v", got.Host, got.BootID, want, id, errors.Join(err, bootErr))
	}
}

// TestFail: an event says of an error what package fault knows of it.
func TestFail(t *testing.T) {
	t.Parallel()
	denied := fault.New(fault.AccessDenied, errors.New("no"), "ask")
	denied.Answer = fault.Answer{Code: "AccessDenied", Request: "4d7d"}
	for name, test := range map[string]struct {
		err  error
		want audit.Event
	}{
		"none":    {nil, audit.Event{}},
		"plain":   {errors.New("no"), audit.Event{Code: fault.Unexpected, Side: fault.Infrastructure, Reason: "no"}},
		"wrapped": {fmt.Errorf("a: %w", denied), audit.Event{Code: fault.AccessDenied, Side: fault.Account, Reason: "a: no; ask", ErrorCode: "AccessDenied", RequestID: "4d7d"}},
	} {
		var got audit.Event
		got.Fail(test.err)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// TestTime: an event without a time gets the current time in UTC, to the millisecond.
func TestTime(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	before := time.Now().Truncate(time.Millisecond)
	kit.Must(t, log.Write(audit.Event{}))
	kit.Must(t, log.Write(audit.Event{Time: time.Date(2026, 1, 1, 1, 0, 0, 1, time.FixedZone("", 3600)), Expiration: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 1, 1, 1, 0, 0, 1, time.FixedZone("", 3600))}))
	events := decode(t, content(t, log))
	if got := events[0].Time; got.Before(before) || time.Since(got) > time.Minute {
		t.Errorf("time %v, want now", got)
	}
	if got := events[1]; got.Time.Format(time.RFC3339Nano) != "2026-01-01T00:00:00Z" || got.Until.Format(time.RFC3339Nano) != "2026-01-01T00:00:00Z" || !got.Expiration.IsZero() {
		t.Errorf("times %v and %v", got.Time, got.Expiration)
	}
}

// TestHostileTexts: whatever texts a job has, its event is one line with whole ids.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a line":        "main\n{\"event\":\"issued\"}\r\n",
		"not UTF-8":     strings.Repeat("a\xff\xfe", 1000),
		"1 MB":          strings.Repeat("x", 1<<20),
		"1 MB of zeros": strings.Repeat("\x00", 1<<20),
		"quotes":        strings.Repeat(`"\`, 500),
		"wide":          strings.Repeat("\u2028😀", 500),
		"tags":          strings.Repeat("<>&", 500),
		"128 bytes":     strings.Repeat("y", 128),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, e := newLog(t), sample()
			fill(&e, text)
			e.BootID, e.Policy, e.Image, e.Services, e.Store = boot, "5f3759df9e3779b97f4a7c15bb67ae85", "", nil, ""                                          // a decision alone has images
			e.Event, e.Host, e.Program, e.Version, e.Code, e.Side = audit.UploadRefused, "ci-1", "run", "0.1.0", "RC108", fault.Author                        // no job sets them
			e.Stage, e.Provider, e.ErrorCode, e.RequestID, e.Client, e.By = "step_script", "", "AccessDenied", "4d7d0b9a-0000-4000-8000-000000000000", "", "" // what has places is about no credential, of no broker and of no admin
			e.AccessKeyID, e.RoleSessionName, e.JobID = strings.Repeat("K", 128), strings.Repeat("s", 64), "1042"
			kit.Must(t, log.Write(e))
			line := content(t, log)
			wantLine(t, line)
			got := decode(t, line)[0]
			if len(got.Places)+got.More != len(e.Places) || len(got.Places) == 0 {
				t.Errorf("%d places and %d more, want %d", len(got.Places), got.More, len(e.Places))
			}
			if got.AccessKeyID != e.AccessKeyID || got.RoleSessionName != e.RoleSessionName || got.JobID != e.JobID {
				t.Errorf("ids are cut: %s", line)
			}
			beginning := strings.TrimSuffix(got.Ref, "…")
			if !strings.HasPrefix(strings.ToValidUTF8(text, "\uFFFD"), beginning) || len(beginning) < 10 || len(got.Ref) > 256 {
				t.Errorf("ref is %q", got.Ref)
			}
			if cutOff := beginning != got.Ref; cutOff != (len(text) > 200) {
				t.Errorf("cut: %v: %q", cutOff, got.Ref)
			}
		})
	}
}

// fill sets every text of an event.
func fill(e *audit.Event, text string) {
	fields := reflect.ValueOf(e).Elem()
	for i := range fields.NumField() {
		if fields.Field(i).Kind() == reflect.String {
			fields.Field(i).SetString(text)
		}
	}
	for range 10 {
		e.Places = append(e.Places, audit.Place{Upload: text, File: text, Inside: text, Kind: text, Reason: text})
	}
}

// wantLine checks that text is one line of printable JSON that is not too long.
func wantLine(t *testing.T, text string) {
	t.Helper()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || len(text) > 4096 || !utf8.ValidString(text) || !json.Valid([]byte(text)) ||
		strings.ContainsAny(text, "\r\x00\x1b") {
		t.Errorf("not one line of JSON, %d bytes: %q", len(text), text)
	}
}

// decode returns the events of a log.
func decode(t *testing.T, text string) []audit.Event {
	t.Helper()
	var events []audit.Event
	for line := range strings.Lines(text) {
		var e audit.Event
		decoder := json.NewDecoder(bytes.NewReader([]byte(line)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		events = append(events, e)
	}
	return events
}

// FuzzWrite checks that each event is one line, and is read back unchanged unless it
// was cut.
func FuzzWrite(f *testing.F) {
	f.Add("main", "ASIAIOSFODNN7EXAMPLE", int64(1790000000), true)
	f.Add("a\nb\xff\u2028", strings.Repeat("\x01", 300), int64(-1<<62), false)
	f.Add(strings.Repeat(`"`, 5000), "…", int64(1<<62), false)
	log := audit.Log{Path: f.TempDir() + "/audit.jsonl"}
	f.Fuzz(func(t *testing.T, text, other string, seconds int64, allowed bool) {
		var e audit.Event
		fill(&e, text)
		e.AccessKeyID, e.Reason, e.Allowed, e.Time, e.Expiration = other, other, &allowed, time.Unix(seconds, 0), time.Unix(seconds/2, 0)
		kit.Must(t, os.RemoveAll(log.Path))
		kit.Must(t, log.Write(e))
		line := content(t, log)
		wantLine(t, line)
		got := decode(t, line)[0]
		if *got.Allowed != allowed {
			t.Errorf("allowed is %v", *got.Allowed)
		}
		if want := strings.ToValidUTF8(other, "\uFFFD"); len(want) < 20 && got.AccessKeyID != want {
			t.Errorf("access key id %q, want %q", got.AccessKeyID, want)
		}
	})
}
