package creds

import (
	"slices"
	"strings"
	"time"

	"rolecall/internal/mask"
)

// Set is all credentials of a job, each with a provider and name of its own.
type Set []Credential

// Environ returns the variables as NAME=value, in the order of the set.
func (s Set) Environ() []string {
	var environ []string
	for _, c := range s {
		for _, v := range c.Env {
			environ = append(environ, v.Name+"="+v.Value.Reveal())
		}
	}
	return environ
}

// EnvFile returns the content of the env file: a line of Environ each. What passes
// Check reads back the same through ". FILE", through "xargs" and through
// "docker run --env-file FILE".
func (s Set) EnvFile() []byte {
	var content strings.Builder
	for _, entry := range s.Environ() {
		content.WriteString(entry + "\n")
	}
	return []byte(content.String())
}

// Secrets returns what must be masked and never uploaded, each with its kind.
func (s Set) Secrets() []mask.Named {
	var secrets []mask.Named
	for _, c := range s {
		secrets = append(secrets, c.Secrets...)
	}
	return secrets
}

// Expires returns when the first of the credentials expires, zero if none does.
func (s Set) Expires() time.Time {
	var first time.Time
	for _, c := range s {
		if !c.Expires.IsZero() && (first.IsZero() || c.Expires.Before(first)) {
			first = c.Expires
		}
	}
	return first
}

// In returns the set for a job that finds its files at path(name): each file's
// variable is then one of the others. The set itself stays as it is.
func (s Set) In(path func(name string) string) Set {
	placed := slices.Clone(s)
	for i, c := range placed {
		placed[i].Env = slices.Clone(c.Env)
		for _, f := range c.Files {
			placed[i].Env = append(placed[i].Env, Variable{f.Variable, mask.NewSecret(path(f.Name))})
		}
	}
	return placed
}

// Replace returns the set with c in the place of the credential of its provider and
// name, and that one. Without such a one it returns false.
func (s Set) Replace(c Credential) (replaced Set, old Credential, ok bool) {
	i := slices.IndexFunc(s, c.same)
	if i < 0 {
		return s, Credential{}, false
	}
	replaced = slices.Clone(s)
	replaced[i] = c
	return replaced, s[i], true
}
