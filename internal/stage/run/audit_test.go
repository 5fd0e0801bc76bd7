package run_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/stage/run"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// audited lets the record of the job lead to an audit log, in a folder of its own.
func (c *call) audited(t *testing.T) *call {
	t.Helper()
	kit.Must(t, os.Mkdir(c.file("log"), 0o700))
	trail, err := audit.NewTrail(c.file("log/audit"), audit.Event{JobID: "7", Tenant: "alpha"})
	kit.Must(t, err)
	text, err := json.Marshal(trail)
	kit.Must(t, err)
	c.edit(t, `"data":`, `"audit":`+string(text)+`,"data":`)
	return c
}

// events returns the lines of the audit log, without what each of them has.
func (c *call) events(t *testing.T) []audit.Event {
	t.Helper()
	content, err := os.ReadFile(c.file("log/audit"))
	if os.IsNotExist(err) {
		return nil
	}
	kit.Must(t, err)
	if strings.Contains(string(content), "0123456789abcdef") {
		t.Errorf("a secret is in the audit log:\n%s", content)
	}
	auditlog.Check(t, content)
	var events []audit.Event
	for line := range strings.Lines(string(content)) {
		var e audit.Event
		kit.Must(t, json.Unmarshal([]byte(line), &e))
		if e.Program != "run" || e.Tenant != "alpha" || e.JobID != "7" {
			t.Errorf("whose line it is: %s", line)
		}
		events = append(events, audit.Event{Event: e.Event, Code: e.Code, Side: e.Side, Stage: e.Stage, Places: e.Places, More: e.More, Count: e.Count})
	}
	return events
}

// checkEvents checks the lines of the audit log.
func (c *call) checkEvents(t *testing.T, name string, want ...audit.Event) {
	t.Helper()
	if diff := cmp.Diff(want, c.events(t)); diff != "" {
		t.Errorf("%s: the audit log differs:\n%s", name, diff)
	}
}

// TestMasked: how often a stage's output was masked is told once, and nothing where it was
// not.
func TestMasked(t *testing.T) {
	t.Parallel()
	c := newCall(t, "alpha", "build_script").audited(t)
	c.write(t, "script", "0123456789abcdef and 0123456789abcdef\n")
	if got := c.with(&toy.Backend{}); got.code != 0 || strings.Count(got.out, "[MASKED]") != 3 { // one in the environment, which the toy prints
		t.Fatalf("%+v", got)
	}
	c.checkEvents(t, "twice", audit.Event{Event: audit.Masked, Stage: "build_script", Count: 3})
	c = newCall(t, "alpha", "get_sources").audited(t)
	c.write(t, "script", "nothing\n")
	c.with(&toy.Backend{})
	c.checkEvents(t, "never")
}

// TestUploadRefused: a line names what stopped an upload, at most ten places.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	const stage, bounds = "upload_artifacts_on_success", `{"max_bytes":1000000,"max_duration":60000000000}`
	const limit = "more bytes to read and unpack than the limit"
	leak := audit.Place{Upload: "artifacts", File: "out/a", Kind: "secret"}
	refused := audit.Event{Event: audit.UploadRefused, Code: fault.SecretInUpload, Side: fault.Author, Stage: stage, Places: []audit.Place{leak}}
	many := map[string]string{}
	for i := range 13 {
		many[fmt.Sprintf("a%02d", i)] = "0123456789abcdef"
	}
	c := newUpload(t, stage, bounds, many).audited(t)
	c.with(treed{&toy.Backend{}})
	if events := c.events(t); len(events) != 1 || len(events[0].Places) != 10 || events[0].More != 3 || events[0].Places[9].File != "out/a09" {
		t.Errorf("13 files: %+v", events)
	}
	for name, test := range map[string]struct {
		bounds string
		files  map[string]string
		want   []audit.Event
	}{
		"a secret": {bounds, map[string]string{"a": "x0123456789abcdef", "b": "nothing"}, []audit.Event{refused}},
		"nothing":  {bounds, map[string]string{"a": "nothing"}, nil},
		"unsearched": {`{"max_bytes":3,"max_duration":60000000000}`, map[string]string{"a": "nothing"}, []audit.Event{{
			Event: audit.UploadRefused, Code: fault.UploadUnsearched, Side: fault.Author, Stage: stage,
			Places: []audit.Place{{Upload: "artifacts", File: "out/a", Reason: limit}, {File: ".", Reason: limit}},
		}}},
		"a name": {bounds, map[string]string{"0123456789abcdef": ""}, []audit.Event{{
			Event: audit.UploadRefused, Code: fault.SecretInUpload, Side: fault.Author, Stage: stage, Places: []audit.Place{{Upload: "artifacts", File: "out/[MASKED]", Kind: "secret"}},
		}}},
	} {
		c := newUpload(t, stage, test.bounds, test.files).audited(t)
		c.with(treed{&toy.Backend{}})
		var got []audit.Event
		for _, e := range c.events(t) {
			if e.Event != audit.Masked { // the script, or the error, has printed it
				got = append(got, e)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: the audit log differs:\n%s", name, diff)
		}
	}
}

// TestNoAuditLog: a line that cannot be written is a warning, and the script runs.
func TestNoAuditLog(t *testing.T) {
	t.Parallel()
	c := newCall(t, "alpha", "build_script").audited(t)
	kit.Must(t, os.Remove(filepath.Dir(c.file("log/audit"))))
	got := c.with(&toy.Backend{})
	if got.code != 0 || !strings.Contains(got.out, "the script prints [MASKED]") || !strings.HasPrefix(got.log, "rolecall: warning: audit log "+c.file("log/audit")+": ") {
		t.Errorf("%+v", got)
	}
	c = newCall(t, "alpha", "build_script")
	if got := c.with([]run.Backend{&toy.Backend{}}...); got.code != 0 || got.log != "" {
		t.Errorf("without an audit log: %+v", got)
	}
}
