package client

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/vault"
	"rolecall/internal/mask"
)

// giver makes a credential of what was read.
type giver struct {
	credential *creds.Credential
	first      time.Time       // the end of the first lease; zero: there is none
	seen       map[string]bool // texts that are masked
}

// add gives what a read says of the fields of an answer.
func (g *giver) add(r vault.Read, fields map[string]any) error {
	for _, p := range r.Env {
		value, err := render(p, fields)
		if err == nil {
			err = creds.CheckVariable(p.Name, value)
		}
		if err != nil {
			return err
		}
		g.variable(p.Name, value)
		if isSecret(r, p) {
			if err := g.value(p, value); err != nil {
				return err
			}
		}
	}
	for _, p := range r.Files {
		content, err := render(p, fields)
		if err == nil && len(content) > creds.MaxFile {
			err = fmt.Errorf("the file of %s has more than %d bytes", p.Name, creds.MaxFile)
		}
		if err != nil {
			return err
		}
		g.file(p.Name, p.Name, content)
	}
	return g.parts(r, fields)
}

// render returns the text of a variable or a file.
func render(p vault.Pair, fields map[string]any) (string, error) {
	template, err := vault.ParseTemplate(p.Template)
	if err != nil {
		return "", err
	}
	return template.Render(fields)
}

// isSecret reports whether a variable is one: neither it is plain, nor are all of its fields.
func isSecret(r vault.Read, p vault.Pair) bool {
	template, _ := vault.ParseTemplate(p.Template) // Source has parsed it
	open := slices.ContainsFunc(template.Fields(), func(field string) bool { return !slices.Contains(r.Plain, field) })
	return open && !slices.Contains(r.Plain, p.Name)
}

// value masks the whole value of a secret variable.
func (g *giver) value(p vault.Pair, value string) error {
	if len(value) < mask.MinLen {
		return short(p.Name, value)
	}
	g.secret("value of "+p.Name, value)
	return nil
}

// parts masks the fields that secret variables and files have, by themselves: a script may take a
// value apart. A field that a plain variable shows is none of them.
func (g *giver) parts(r vault.Read, fields map[string]any) error {
	shown := map[string]bool{}
	for _, name := range r.Plain {
		shown[name] = true
	}
	for _, p := range r.All() {
		if slices.Contains(r.Plain, p.Name) {
			template, _ := vault.ParseTemplate(p.Template)
			for _, field := range template.Fields() {
				shown[field] = true
			}
		}
	}
	for _, p := range r.All() {
		template, _ := vault.ParseTemplate(p.Template)
		for _, field := range template.Fields() {
			if shown[field] || !isSecret(r, p) {
				continue
			}
			if err := g.field(p.Name, field, fields[field]); err != nil {
				return err
			}
		}
	}
	return nil
}

// field masks a field. Of an object or a list it masks each text that is long enough: a short one
// in it is not known to be secret.
func (g *giver) field(variable, name string, value any) error {
	text, ok := vault.Text(value)
	switch {
	case !ok:
		g.leaves(variable, value)
	case len(text) < mask.MinLen:
		return short(name, text)
	default:
		g.secret("part of "+variable, text)
	}
	return nil
}

// leaves masks the texts and numbers within a value.
func (g *giver) leaves(variable string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			g.leaves(variable, v[name])
		}
	case []any:
		for _, one := range v {
			g.leaves(variable, one)
		}
	case string, json.Number:
		if text, _ := vault.Text(v); len(text) >= mask.MinLen {
			g.secret("part of "+variable, text)
		}
	}
}

// short returns the error about a secret that is too short to be masked.
func short(name, text string) error {
	return &vault.FieldError{Field: name, Why: fmt.Sprintf("it has %d bytes, and a secret of less than %d cannot be masked; if it is none, put %[3]s into plain", len(text), mask.MinLen, name)}
}

// variable gives a variable.
func (g *giver) variable(name, value string) {
	g.credential.Env = append(g.credential.Env, creds.Variable{Name: name, Value: mask.NewSecret(value)})
}

// file gives a file, whose path a variable has.
func (g *giver) file(name, variable, content string) {
	g.credential.Files = append(g.credential.Files, creds.File{Name: name, Variables: []string{variable}, Content: mask.NewSecret(content)})
}

// secret masks a text, once.
func (g *giver) secret(kind, text string) {
	if g.seen[text] {
		return
	}
	g.seen[text] = true
	g.credential.Secrets = append(g.credential.Secrets, mask.Named{Kind: creds.Kind(kind), Value: mask.NewSecret(text)})
}
