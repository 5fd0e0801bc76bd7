// Package audit writes the audit log: one line of JSON for each decision about a job, and
// for what then happens to its credentials. The page docs/audit.md says what the lines
// promise to those who read them, and docs/audit.schema.json is their schema.
package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
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
	// maxPlaces bounds how many places a line lists.
	maxPlaces = 10
	// maxNames bounds how many values a line names, and how many jobs that they are from.
	maxNames = 20
)

// Event is a line of the audit log. Empty fields are left out. Fields about the job have
// the names of the ID token's claims, and ids are texts, as in the token. Fields about
// the session and about an answer of AWS have the names that CloudTrail uses, in snake
// case: search the log for the accessKeyId or the roleSessionName of a CloudTrail record
// to find its job.
//
// No field holds a secret. The access key id is not a secret: CloudTrail shows it. The
// jti identifies the ID token without showing it.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type Event struct {
	Time    time.Time `json:"time,omitzero"` // zero: now
	Event   Kind      `json:"event"`
	Host    string    `json:"host,omitempty"`    // empty: this host
	BootID  string    `json:"boot_id,omitempty"` // empty: of the boot of this host
	Program string    `json:"program,omitempty"` // of rolecall, which has written the line
	Version string    `json:"version,omitempty"` // of rolecall
	Policy  string    `json:"policy,omitempty"`  // hash of the policy file by which the job was decided

	Client string `json:"client,omitempty"` // the IP address that has asked, of a broker

	Allowed *bool      `json:"allowed,omitempty"` // of a Decision, and of Issued
	Code    fault.Code `json:"code,omitempty"`    // of an error
	Side    fault.Side `json:"side,omitempty"`    // who must act on the error
	Reason  string     `json:"reason,omitempty"`  // the error
	Rule    string     `json:"rule,omitempty"`    // the rules that allowed the job, or the one that refused it
	Tenant  string     `json:"tenant,omitempty"`

	Image    string   `json:"image,omitempty"`    // of the job, in full; of a Decision
	Services []string `json:"services,omitempty"` // the images of its services, in full; of a Decision

	Stage  string    `json:"stage,omitempty"`  // of the job, as the runner names it
	Places []Place   `json:"places,omitempty"` // where secrets are that were not uploaded, or were removed
	More   int       `json:"more,omitempty"`   // how many more Places or Names there are
	Count  int64     `json:"count,omitempty"`  // how many times the stage's output was masked
	Began  time.Time `json:"began,omitzero"`   // when the job was prepared

	Names []string `json:"names,omitempty"` // of values, of HandedOver and Taken
	From  []string `json:"from,omitempty"`  // names of the jobs that have handed them over, of Taken
	Store string   `json:"store,omitempty"` // of these values

	All   bool      `json:"all,omitempty"`  // all tenants, of Suspended and Resumed
	Now   bool      `json:"now,omitempty"`  // scripts that ran were ended, of Suspended
	Until time.Time `json:"until,omitzero"` // when it ends by itself, of Suspended, and when the values expire, of HandedOver
	By    string    `json:"by,omitempty"`   // the admin, of Suspended and Resumed

	ErrorCode string `json:"error_code,omitempty"` // of an answer of AWS
	RequestID string `json:"request_id,omitempty"` // of that answer

	DurationMS int64 `json:"duration_ms,omitempty"` // how long it took to get the credential, or to fail; 0: not known

	Provider        string    `json:"provider,omitempty"` // of the credential, such as aws
	Source          string    `json:"source,omitempty"`   // of the tenant that has issued the session; empty: the tenant itself
	RoleARN         string    `json:"role_arn,omitempty"`
	Chain           []string  `json:"chain,omitempty"` // the roles through which the role was assumed, the first one first
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
}

// Place is a file that would have been uploaded, or that a job has left.
type Place struct {
	Upload string `json:"upload,omitempty"` // what the runner uploads it as, such as artifacts
	File   string `json:"file"`             // relative to the work tree, or an absolute path
	Inside string `json:"inside,omitempty"` // the path through archives, such as b.tar.gz > c
	Kind   string `json:"kind,omitempty"`   // of the secrets
	Reason string `json:"reason,omitempty"` // why it cannot be searched
}

// line returns the event as a line of at most maxLine bytes. Until the line fits, it only
// counts the last of several Places, and then cuts the longest text: ids are short and stay
// whole.
func (e Event) line(now time.Time) ([]byte, error) {
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time, e.Expiration, e.Began, e.Until = jsonTime(e.Time), jsonTime(e.Expiration), jsonTime(e.Began), jsonTime(e.Until)
	if e.Host == "" {
		e.Host, _ = os.Hostname() // a host without a name is not named
	}
	e.BootID = cmp.Or(e.BootID, bootID())
	e.Places = slices.Clone(e.Places)
	texts := textsOf(reflect.ValueOf(&e).Elem())
	for _, text := range texts {
		bound(text)
	}
	for {
		line, err := encode(e)
		switch last := len(e.Places) - 1; {
		case err != nil || len(line) <= maxLine:
			return line, err
		case last > 0:
			e.Places, e.More = e.Places[:last], e.More+1
			texts = textsOf(reflect.ValueOf(&e).Elem())
		default:
			halve(longest(texts))
		}
	}
}

// bound cuts text to maxText.
func bound(text reflect.Value) {
	text.SetString(shorten(strings.ToValidUTF8(text.String(), "\uFFFD"), maxText))
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

// textsOf returns all texts of a value, in a form that can be set.
func textsOf(of reflect.Value) []reflect.Value {
	var all []reflect.Value
	switch of.Kind() {
	case reflect.String:
		return []reflect.Value{of}
	case reflect.Slice:
		for i := range of.Len() {
			all = append(all, textsOf(of.Index(i))...)
		}
	case reflect.Struct:
		for i := range of.NumField() {
			all = append(all, textsOf(of.Field(i))...)
		}
	}
	return all
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
