// Package creds holds the credentials of a job, in a form that suits every provider, and
// writes them as an env file.
package creds

import (
	"fmt"
	"time"

	"rolecall/internal/mask"
)

// Credential is what a provider has issued to a job. It never prints its secrets.
type Credential struct {
	Provider string       // such as aws
	Name     string       // distinguishes two credentials of one provider; may be empty
	Env      []Variable   // variables of scripts, in this order
	Files    []File       // files that lie beside the env file
	Folders  []Folder     // folders that tools of scripts may write to
	Secrets  []mask.Named // texts to mask, and to keep out of uploads
	Facts    Facts        // texts that logs may show
	Expires  time.Time    // zero: never
	Beside   bool         // its variables are not in the env file, but in a file of its own
	Served   *Served      // how an endpoint gives the credential to scripts; nil: none does
}

// Variable is an environment variable of scripts. Its value is never printed, even if it
// is not confidential. Credential.Secrets says which texts must be masked.
type Variable struct {
	Name  string
	Value mask.Secret
}

// File is a file for scripts.
type File struct {
	Name      string      // without a folder; the driver may add a prefix
	Variables []string    // names of the variables that hold the file's path
	Content   mask.Secret // UTF-8
	Names     []string    // files of the credential whose paths Content has, where PathOf stands

	// As is the name by which the file lies in a folder of its own, whose path the variables then
	// hold: a tool such as docker wants a folder. Empty: the file lies beside the others.
	As string
}

// PathOf returns what stands in the Content of a file for the path of another, in a string of
// JSON: a provider does not know where files will lie.
func PathOf(file string) string { return "{path of " + file + "}" }

// Folder is a place in the job's own folder that a tool may write to, such as for what it has got
// by a credential. The tool makes it.
type Folder struct {
	Variable string `json:"variable"` // name of the variable that holds the folder's path
	Path     string `json:"path"`     // below the job's own folder
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
