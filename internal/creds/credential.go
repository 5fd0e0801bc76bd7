// Package creds holds the credentials of a job, in a form that suits every provider, and
// writes them as an env file.
package creds

import (
	"encoding/json"
	"fmt"
	"time"

	"rolecall/internal/mask"
)

// Credential is what a provider has issued to a job. It never prints its secrets.
type Credential struct {
	Provider string          // such as aws
	Name     string          // distinguishes two credentials of one provider; may be empty
	Env      []Variable      // variables of scripts, in this order
	Files    []File          // files that lie beside the env file
	Secrets  []mask.Named    // texts to mask, and to keep out of uploads
	Facts    Facts           // texts that logs may show
	Expires  time.Time       // zero: never
	Served   *Served         // how an endpoint gives the credential to scripts; nil: none does
	Revoke   json.RawMessage `json:"-"` // a secret that the provider needs to revoke the credential; empty: it cannot be revoked
}

// Variable is an environment variable of scripts. Its value is never printed, even if it
// is not confidential. Credential.Secrets says which texts must be masked.
type Variable struct {
	Name  string
	Value mask.Secret
}

// File is a file for scripts.
type File struct {
	Name     string      // without a folder; the driver may add a prefix
	Variable string      // name of the variable that holds the file's path
	Content  mask.Secret // UTF-8
}

// Fact is a text about a credential that is not secret.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Facts are the only texts of a credential that logs may show.
type Facts []Fact

// Get returns the value of the fact with that name, and "" if there is none.
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

// sameName reports whether other has the same provider and name. A set may have only one
// of the two.
func (c Credential) sameName(other Credential) bool {
	return c.Provider == other.Provider && c.Name == other.Name
}
