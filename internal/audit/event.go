// Package audit writes the audit log: a line of JSON for each decision and for
// each issuance of credentials.
package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"rolecall/internal/fault"
)

// Bounds of a line, in bytes of JSON. What is longer is cut and ends with an ellipsis.
const (
	maxLine = 4 << 10
	maxText = 256
)

// Kind says what an Event tells of.
type Kind string

// The kinds of events. Both hold the job; an issuance holds the session, too.
const (
	Decision Kind = "decision"
	Issued   Kind = "issued"
)

// Event is a line of the audit log. What is empty is left out. What GitLab says of a
// job has the name of the claim, and ids are texts as they are there; what AWS says of
// a session has the name that CloudTrail knows it by, in small letters: a search for
// the accessKeyId or the roleSessionName of a record there finds the job here.
//
// The access key id is no secret, CloudTrail shows it; there is no field for a
// secret, and none for the token, of which jti is the name.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type Event struct {
	Time    time.Time `json:"time,omitzero"` // zero: now
	Event   Kind      `json:"event"`
	Allowed bool      `json:"allowed"`

	Side   fault.Side `json:"side,omitempty"`   // who must act on a refusal
	Reason string     `json:"reason,omitempty"` // what a refusal rests on
	Rule   string     `json:"rule,omitempty"`   // the rules that allowed it
	Tenant string     `json:"tenant,omitempty"`

	RoleARN         string    `json:"role_arn,omitempty"`
	RoleSessionName string    `json:"role_session_name,omitempty"`
	AccessKeyID     string    `json:"access_key_id,omitempty"`
	Expiration      time.Time `json:"expiration,omitzero"`

	JobID          string `json:"job_id,omitempty"`
	PipelineID     string `json:"pipeline_id,omitempty"`
	ProjectID      string `json:"project_id,omitempty"`
	ProjectPath    string `json:"project_path,omitempty"`
	JobProjectID   string `json:"job_project_id,omitempty"` // the project that runs the job
	JobProjectPath string `json:"job_project_path,omitempty"`
	Ref            string `json:"ref,omitempty"`
	RefType        string `json:"ref_type,omitempty"`
	RefProtected   string `json:"ref_protected,omitempty"` // "true" or "false"
	Environment    string `json:"environment,omitempty"`
	UserID         string `json:"user_id,omitempty"`
	UserLogin      string `json:"user_login,omitempty"`
	RunnerID       string `json:"runner_id,omitempty"`
	Issuer         string `json:"iss,omitempty"`
	TokenID        string `json:"jti,omitempty"`
	Version        string `json:"version,omitempty"` // of rolecall
}

// line returns the event as a line of at most maxLine bytes. Where that takes it,
// the longest texts are cut, so that ids, which are short, stay whole.
func (e Event) line(now time.Time) ([]byte, error) {
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time, e.Expiration = clean(e.Time), clean(e.Expiration)
	texts := e.texts()
	for _, text := range texts {
		text.SetString(cut(strings.ToValidUTF8(text.String(), "\uFFFD"), maxText))
	}
	for {
		line, err := encode(e)
		if err != nil || len(line) <= maxLine {
			return line, err
		}
		longest := texts[0]
		for _, text := range texts {
			if size(text.String()) > size(longest.String()) {
				longest = text
			}
		}
		longest.SetString(cut(longest.String(), size(longest.String())/2))
	}
}

// clean returns a time that JSON can hold, else none.
func clean(t time.Time) time.Time {
	if t = t.UTC().Truncate(time.Millisecond); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// texts returns all fields of the event that are texts.
func (e *Event) texts() []reflect.Value {
	var texts []reflect.Value
	fields := reflect.ValueOf(e).Elem()
	for i := range fields.NumField() {
		if fields.Field(i).Kind() == reflect.String {
			texts = append(texts, fields.Field(i))
		}
	}
	return texts
}

// cut returns the beginning of text that takes at most limit bytes of JSON.
func cut(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit && size(text) <= limit {
		return text
	}
	end, taken := 0, len(ellipsis)
	for _, r := range text {
		if taken += size(string(r)); taken > limit {
			break
		}
		end += utf8.RuneLen(r)
	}
	return text[:end] + ellipsis
}

// size returns how many bytes of JSON a text takes between its quotes.
func size(text string) int {
	encoded, err := encode(text)
	if err != nil {
		return 0 // no text is an error
	}
	return len(encoded) - len(`""`+"\n")
}

// encode returns v as a line of JSON, in which &, < and > stand as they are.
func encode(v any) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return line.Bytes(), err
}
