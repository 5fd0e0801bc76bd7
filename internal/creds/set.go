package creds

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"rolecall/internal/mask"
)

// Set has all credentials of a job. No two have the same provider and name.
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

// EnvFile returns the content of the env file: one line for each entry of Environ, except
// those of Apart and of credentials that are Beside. If the set passes Check, a shell's ". FILE", xargs and "docker run
// --env-file FILE" read the same values from it.
func (s Set) EnvFile() []byte {
	var content strings.Builder
	for _, c := range s {
		if !c.Beside {
			content.WriteString(EnvLines(c.Env))
		}
	}
	return []byte(content.String())
}

// EnvLines returns the lines of an env file for variables, except those of Apart.
func EnvLines(variables []Variable) string {
	var content strings.Builder
	for _, v := range variables {
		if !v.Apart() {
			content.WriteString(v.Name + "=" + v.Value.Reveal() + "\n")
		}
	}
	return content.String()
}

// Apart returns the names of the variables of a credential that are not in the env file.
func (c Credential) Apart() []string {
	var names []string
	for _, v := range c.Env {
		if v.Apart() {
			names = append(names, v.Name)
		}
	}
	return names
}

// Secrets returns the texts to mask, and to keep out of uploads, each with its kind.
func (s Set) Secrets() []mask.Named {
	var secrets []mask.Named
	for _, c := range s {
		secrets = append(secrets, c.Secrets...)
	}
	return secrets
}

// Expires returns when the first credential expires, and the zero time if none does.
func (s Set) Expires() time.Time {
	var first time.Time
	for _, c := range s {
		if !c.Expires.IsZero() && (first.IsZero() || c.Expires.Before(first)) {
			first = c.Expires
		}
	}
	return first
}

// In returns a copy of the set for a job that finds the file name at path(name). The copy
// has variables with this path for each file.
func (s Set) In(path func(name string) string) Set {
	placed := slices.Clone(s)
	for i, c := range placed {
		placed[i] = c.in(path)
	}
	return placed
}

// in is In for one credential.
func (c Credential) in(path func(name string) string) Credential {
	c.Env, c.Files = slices.Clone(c.Env), slices.Clone(c.Files)
	for i, f := range c.Files {
		for _, name := range f.Variables {
			c.Env = append(c.Env, Variable{name, mask.NewSecret(path(f.Name))})
		}
		c.Files[i] = f.in(path)
	}
	return c
}

// in is In for one file.
func (f File) in(path func(name string) string) File {
	for _, name := range f.Names {
		quoted, _ := json.Marshal(path(name)) // cannot fail: texts can always be encoded
		f.Content = mask.NewSecret(strings.ReplaceAll(f.Content.Reveal(), PathOf(name), string(quoted[1:len(quoted)-1])))
	}
	f.Names = nil
	return f
}

// Replace returns a copy of the set in which c replaces the credential with the same
// provider and name, and the old credential. If there is no such credential, ok is false.
func (s Set) Replace(c Credential) (replaced Set, old Credential, ok bool) {
	i := slices.IndexFunc(s, c.sameName)
	if i < 0 {
		return s, Credential{}, false
	}
	replaced = slices.Clone(s)
	replaced[i] = c
	return replaced, s[i], true
}
