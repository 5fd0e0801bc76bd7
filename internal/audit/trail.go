package audit

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"rolecall/internal/version"
)

// Trail is what the record of a job says about the audit log, so that programs that read
// no policy file can write to it. It holds no secret. The zero Trail leads to no log.
type Trail struct {
	Path  string          `json:"path,omitempty"` // of the log; empty: there is none
	Began time.Time       `json:"began,omitzero"` // when the job was prepared
	Job   json.RawMessage `json:"job,omitempty"`  // an Event; read only if a line is written

	Metrics string `json:"metrics,omitempty"` // path of the file of counts of the log; empty: there is none
}

// NewTrail returns the trail of a job that is prepared now. Of the event only the fields
// that describe the job may be set.
func NewTrail(path string, job Event) (Trail, error) {
	if path == "" {
		return Trail{}, nil
	}
	for _, text := range textsOf(reflect.ValueOf(&job).Elem()) {
		bound(text)
	}
	text, err := json.Marshal(job)
	return Trail{Path: path, Began: jsonTime(time.Now()), Job: text}, err
}

// Tell writes an event about the job, as Log.Write does. Program is the one that writes,
// and fill sets the fields of the kind.
func (t Trail) Tell(kind Kind, program string, fill func(*Event)) error {
	if t.Path == "" {
		return nil
	}
	var e Event
	if err := json.Unmarshal(t.Job, &e); err != nil {
		return fmt.Errorf("audit log %s: no line about %s of this job, since its record is broken: %w", t.Path, kind, err)
	}
	e.Event, e.Program, e.Version = kind, program, version.Version
	fill(&e)
	return Log{t.Path, tellTime}.Write(e)
}
