// Package creds holds the credentials of a job: what any provider gives, and how it
// is written to an env file.
package creds

import (
	"encoding/json"
	"fmt"
	"time"

	"rolecall/internal/mask"
)

// Credential is what a provider has issued to a job. It never prints what is in it.
type Credential struct {
	Provider string          // such as aws
	Name     string          // tells two of one provider apart; may be empty
	Env      []Variable      // what a script gets, in this order
	Files    []File          // what a script gets beside the env file
	Secrets  []mask.Named    // what is masked, and never uploaded
	Facts    Facts           // what logs may show
	Expires  time.Time       // zero: never
	Revoke   json.RawMessage `json:"-"` // what the provider needs to take it back; a secret; empty: it only expires
}

// Variable is an environment variable of scripts. Its value never prints itself,
// whether it is confidential or not: Credential.Secrets says what must be masked.
type Variable struct {
	Name  string
	Value mask.Secret
}

// File is a file of scripts, and the variable that holds its path.
type File struct {
	Name     string // without a folder; the driver may put more before it
	Variable string
	Content  mask.Secret // UTF-8
}

// Fact is something about a credential that is no secret.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Facts are all that logs may show of a credential.
type Facts []Fact

// Get returns the value of the fact of that name, empty if there is none.
func (f Facts) Get(name string) string {
	for _, fact := range f {
		if fact.Name == name {
			return fact.Value
		}
	}
	return ""
}

// Format prints the provider and the name under every verb.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// String returns the provider and the name.
func (c Credential) String() string {
	if c.Name == "" {
		return c.Provider
	}
	return c.Provider + " " + c.Name
}

// same reports whether other is of the same provider and name, so that one of the
// two takes the place of the other.
func (c Credential) same(other Credential) bool {
	return c.Provider == other.Provider && c.Name == other.Name
}
