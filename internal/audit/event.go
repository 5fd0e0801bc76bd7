// Package audit writes the audit log: one line of JSON for each decision and for each
// time that credentials are issued.
package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rolecall/internal/fault"
)

// Bounds of a line and of each text in it, in bytes of JSON. A longer text is cut and
// ends with an ellipsis.
const (
	maxLine = 4 << 10
	maxText = 256
)

// Kind says what an Event is about.
type Kind string

// The kinds of events. Both describe the job; Issued also describes the session.
const (
	Decision Kind = "decision"
	Issued   Kind = "issued"
)

// Event is a line of the audit log. Empty fields are left out. Fields about the job have
// the names of the ID token's claims, and ids are texts, as in the token. Fields about
// the session have the names that CloudTrail uses, in snake case: search the log for the
// accessKeyId or the roleSessionName of a CloudTrail record to find its job.
//
// No field holds a secret. The access key id is not a secret: CloudTrail shows it. The
// jti identifies the ID token without showing it.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type Event struct {
	Time    time.Time `json:"time,omitzero"` // zero: now
	Event   Kind      `json:"event"`
	Allowed bool      `json:"allowed"`

	Side   fault.Side `json:"side,omitempty"`   // who must act on a refusal
	Reason string     `json:"reason,omitempty"` // why a job was refused
	Rule   string     `json:"rule,omitempty"`   // the rules that allowed the job
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

// line returns the event as a line of at most maxLine bytes. Until the line fits, it
// cuts the longest text: ids are short and stay whole.
func (e Event) line(now time.Time) ([]byte, error) {
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time, e.Expiration = jsonTime(e.Time), jsonTime(e.Expiration)
	texts := e.texts()
	for _, text := range texts {
		text.SetString(shorten(strings.ToValidUTF8(text.String(), "\uFFFD"), maxText))
	}
	for {
		line, err := encode(e)
		if err != nil || len(line) <= maxLine {
			return line, err
		}
		halve(longest(texts))
	}
}

// longest returns the text that takes the most bytes of JSON.
func longest(texts []reflect.Value) reflect.Value {
	return slices.MaxFunc(texts, func(a, b reflect.Value) int {
		return cmp.Compare(jsonSize(a.String()), jsonSize(b.String()))
	})
}

// halve cuts text to half of its bytes of JSON.
func halve(text reflect.Value) {
	text.SetString(shorten(text.String(), jsonSize(text.String())/2))
}

// jsonTime returns t in UTC, to the millisecond. It returns the zero time if JSON cannot
// hold t: RFC 3339 has years of four digits.
func jsonTime(t time.Time) time.Time {
	if t = t.UTC().Truncate(time.Millisecond); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// texts returns all text fields of the event, in a form that can be set.
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

// shorten returns text, cut so that it takes at most limit bytes of JSON.
func shorten(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit && jsonSize(text) <= limit {
		return text
	}
	end, taken := 0, len(ellipsis)
	for _, r := range text {
		if taken += jsonSize(string(r)); taken > limit {
			break
		}
		end += utf8.RuneLen(r)
	}
	return text[:end] + ellipsis
}

// jsonSize returns how many bytes of JSON a text takes, without the quotes.
func jsonSize(text string) int {
	encoded, err := encode(text)
	if err != nil {
		return 0 // every text can be encoded
	}
	return len(encoded) - len(`""`+"\n")
}

// encode returns v as a line of JSON. It does not escape &, < and >.
func encode(v any) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return line.Bytes(), err
}
