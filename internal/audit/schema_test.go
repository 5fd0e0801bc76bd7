package audit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// schema is a part of the schema of lines.
type schema struct {
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	Enum       []string          `json:"enum"`
}

// fieldsOf returns the names of the fields of a struct in JSON, sorted.
func fieldsOf(of reflect.Type) []string {
	var names []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// namesOf returns the names of the properties of a schema, sorted.
func namesOf(s schema) []string {
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestSchema: the schema and the page about it know the fields and events that are written,
// and no others.
func TestSchema(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(auditlog.Schema(t))
	kit.Must(t, err)
	var top schema
	kit.Must(t, json.Unmarshal(text, &top))
	if diff := cmp.Diff(fieldsOf(reflect.TypeFor[audit.Event]()), namesOf(top)); diff != "" {
		t.Errorf("fields of a line (- written, + in the schema):\n%s", diff)
	}
	if diff := cmp.Diff(fieldsOf(reflect.TypeFor[audit.Place]()), namesOf(*top.Properties["places"].Items)); diff != "" {
		t.Errorf("fields of a place (- written, + in the schema):\n%s", diff)
	}
	page, err := os.ReadFile(filepath.Join(filepath.Dir(auditlog.Schema(t)), "audit.md"))
	kit.Must(t, err)
	for _, name := range slices.Concat(namesOf(top), namesOf(*top.Properties["places"].Items)) {
		if !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("docs/audit.md has no row for the field %s", name)
		}
	}
	for _, event := range top.Properties["event"].Enum {
		if !strings.Contains(string(page), "\n### "+event+"\n") {
			t.Errorf("docs/audit.md has no part about the event %s", event)
		}
		if !audit.Kind(event).Known() {
			t.Errorf("the event %s is not known", event)
		}
	}
}

// TestPage: each line that docs/audit.md shows is one that the schema allows, and there is
// one of each event.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(filepath.Dir(auditlog.Schema(t)), "audit.md"))
	kit.Must(t, err)
	const kinds = 17 // of events
	var lines []byte
	for block := range strings.SplitSeq(string(page), "```json\n") {
		if text, _, ok := strings.Cut(block, "\n```"); ok && strings.HasPrefix(text, "{") {
			lines = append(lines, strings.Join(strings.Fields(text), " ")+"\n"...)
		}
	}
	if n := auditlog.Check(t, lines); n != kinds {
		t.Errorf("%d lines are shown, want one of each of %d events", n, kinds)
	}
	shown := map[audit.Kind]bool{}
	for _, e := range decode(t, string(lines)) {
		shown[e.Event] = true
	}
	if len(shown) != kinds {
		t.Errorf("the events shown are %v", shown)
	}
}

// TestSchemaHolds: the schema allows what is written of each event, however hostile the
// texts of a job are, and refuses a line that lacks what the event promises.
func TestSchemaHolds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x00ä", 1000)
	place := audit.Place{Upload: long, File: long, Inside: long, Kind: long, Reason: long}
	began := time.Now()
	for event, fill := range map[audit.Kind]func(*audit.Event){
		audit.Decision: func(e *audit.Event) {
			e.Allowed, e.Rule, e.Image, e.Services = new(true), long, long, []string{long, long}
		},
		audit.Issued: func(e *audit.Event) { e.Allowed, e.AccessKeyID, e.Expiration = new(true), long, began },
		audit.Failed: func(e *audit.Event) { e.Code, e.Side, e.Reason = fault.NoAnswer, fault.Infrastructure, long },
		audit.UploadRefused: func(e *audit.Event) {
			e.Code, e.Side, e.Stage, e.Places, e.More = "RC108", fault.Author, long, []audit.Place{place, place, place}, 1
		},
		audit.Masked:        func(e *audit.Event) { e.Stage, e.Count = long, 1 },
		audit.CopiesRemoved: func(e *audit.Event) { e.Locate(slices.Repeat([]audit.Place{place}, 12)) },
		audit.CopiesLeft:    func(e *audit.Event) { e.Locate([]audit.Place{{File: "/", Reason: long}}) },
		audit.Withdrawn: func(e *audit.Event) {
			e.Allowed, e.Code, e.Side, e.Reason, e.Stage = new(false), fault.Suspended, fault.Admin, long, long
		},
		audit.Ended:   func(e *audit.Event) { e.Began = began },
		audit.Removed: func(e *audit.Event) { e.Began = began },
		audit.Revoked: func(e *audit.Event) { e.Provider, e.Source, e.Expiration = long, long, began },
		audit.RevokeFailed: func(e *audit.Event) {
			e.Provider, e.Expiration, e.Code, e.Side, e.Reason = long, began, fault.NoAnswer, fault.Infrastructure, long
		},
	} {
		log := newLog(t)
		program := map[audit.Kind]string{audit.UploadRefused: "run", audit.Masked: "run", audit.Withdrawn: "run", audit.CopiesRemoved: "cleanup", audit.CopiesLeft: "cleanup", audit.Ended: "cleanup", audit.Removed: "sweep", audit.Revoked: "revoke", audit.RevokeFailed: "revoke"}[event]
		if program == "" {
			program = "prepare"
		}
		trail := newTrail(t, log.Path, audit.Event{JobID: "7", Tenant: "alpha", Ref: long})
		kit.Must(t, trail.Tell(event, program, fill))
		if n := auditlog.Check(t, []byte(content(t, log))); n != 1 {
			t.Errorf("%s: %d lines", event, n)
		}
		kit.Must(t, os.Truncate(log.Path, 0))
		kit.Must(t, trail.Tell(event, program, func(*audit.Event) {}))
		if !refusedBySchema(t, content(t, log)) {
			t.Errorf("%s: the schema allows a line without what the event promises: %s", event, content(t, log))
		}
	}
}

// recorder is a test that remembers whether it has failed.
type recorder struct {
	testing.TB

	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

// refusedBySchema reports whether the schema refuses a line.
func refusedBySchema(t *testing.T, line string) bool {
	t.Helper()
	r := &recorder{TB: t}
	auditlog.Check(r, []byte(line))
	return r.failed
}
