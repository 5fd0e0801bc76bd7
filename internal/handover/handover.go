// Package handover holds what jobs of a pipeline hand over to the jobs after them: variables,
// each with its name and value, some of them secrets.
package handover

import (
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// Bounds.
const (
	MaxFile   = 64 << 10 // of each of the two files that a script writes, in bytes
	MaxValues = 100      // that one job hands over
	MaxTaken  = 1000     // that one job takes
	MaxEnv    = 64 << 10 // of all that one job takes, as lines NAME=value, in bytes
	MaxJob    = 4 * 255  // of the name of a job, in bytes: GitLab allows 255 characters
)

// Names of the variables of scripts, and of the one by which a job says what it needs.
const (
	Out       = "ROLECALL_OUT"        // path of the file for plain values
	SecretOut = "ROLECALL_SECRET_OUT" // path of the file for secrets
	In        = "ROLECALL_IN"         // path of the env file with what the job has taken
	Expect    = "ROLECALL_EXPECT"     // names of values, without which the job must not run
)

// Kind begins the name of a value that is a secret, in logs.
const Kind = "handed-over"

// Scope says which jobs share values: those with the same Scope. All of it comes from the
// verified ID token and the decision about the job, and none of it from a variable.
type Scope struct {
	Issuer   string `json:"issuer"`
	Tenant   string `json:"tenant"`
	Project  string `json:"project_id"`
	Pipeline string `json:"pipeline_id"`
	Class    string `json:"class"` // protected or unprotected
}

// Value is a variable that a job hands over.
type Value struct {
	Name   string
	Value  mask.Secret // one line of text
	Secret bool        // it is masked, and kept out of uploads
}

// Parcel is all that one job hands over.
type Parcel struct {
	Scope  Scope
	Job    string    // name of the job in its pipeline, such as "deploy: [alpha]"
	JobID  int64     // a job that is retried has another
	At     time.Time // when its script had ended
	Until  time.Time // when it expires
	Values []Value   // sorted by name; none: the job has taken back what it had handed over before

	// Spent says that the values have no content any more: a store keeps the names of what has
	// expired for a while, so that it can be said.
	Spent bool
}

// Spend returns the parcel without the content of its values.
func (p Parcel) Spend() Parcel {
	var names []Value
	for _, v := range p.Values {
		names = append(names, Value{Name: v.Name, Secret: v.Secret})
	}
	p.Values, p.Spent = names, true
	return p
}

// Names returns the names of the values.
func (p Parcel) Names() []string {
	var names []string
	for _, v := range p.Values {
		names = append(names, v.Name)
	}
	return names
}

// Secrets returns the values that are secrets.
func Secrets(values []Value) []mask.Named {
	var secrets []mask.Named
	for _, v := range values {
		if v.Secret {
			secrets = append(secrets, mask.Named{Kind: creds.Kind(Kind + " " + v.Name), Value: v.Value})
		}
	}
	return secrets
}
