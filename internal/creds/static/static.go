// Package static is the provider of values that stand in the policy file, or in files that only
// an admin can change: configuration of a tenant's jobs by environment, ref and trust class.
package static

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/source"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/internal/tenant"
)

// Name is the name of the provider.
const Name = "static"

// Provider gives values. It asks no server.
type Provider struct{ source.Only }

// Name returns the provider's name.
func (Provider) Name() string { return Name }

// Order returns the order of a source, and an empty one if its rules do not take the job. A file
// that cannot be read, and a secret that cannot be masked, is a fault.Admin.
func (Provider) Order(a admission.Asker) (creds.Order, error) {
	s, ok := a.Settings.(Settings)
	if !ok {
		return creds.Order{}, errors.New("the settings of the source are not those of static values")
	}
	if !s.takes(a.Claims) {
		return creds.Order{}, nil
	}
	all := terms{Plain: s.Env}
	for _, file := range s.Files {
		value, err := readSecret(a, file)
		if err != nil {
			return creds.Order{}, err
		}
		all.Secret = append(all.Secret, Pair{file.Name, value})
	}
	content, _ := json.Marshal(all) // cannot fail: texts can always be encoded
	names, _ := s.Sets()
	return creds.Order{Provider: Name, Terms: content, Sets: names}, nil
}

// takes reports whether a job with those claims gets the values.
func (s Settings) takes(c idtoken.Claims) bool {
	return (!s.Protected || c.RefProtected == "true") && fits(s.Refs, c.Ref) && fits(s.Environments, c.Environment)
}

// fits reports whether one of the patterns matches a value. If there are none, every value fits.
func fits(patterns []tenant.Pattern, value string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p tenant.Pattern) bool { return p.Match(value) })
}

// readSecret reads the value of a secret from its file. A newline at its end is not a part of it.
func readSecret(a admission.Asker, file Pair) (string, error) {
	content, err := a.ReadFile("secret_files: "+file.Name, file.Value)
	if err != nil {
		return "", err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	wrong := creds.CheckVariable(file.Name, value)
	if wrong == nil && len(value) < mask.MinLen {
		wrong = fmt.Errorf("the value of %s has %d bytes; a secret of less than %d cannot be masked", file.Name, len(value), mask.MinLen)
	}
	if wrong != nil {
		return "", fault.New(fault.BadPolicy, fmt.Errorf("source %q: %s: %w", a.Source, file.Value, wrong), "correct the file")
	}
	return value, nil
}

// terms are the terms of an order.
type terms struct {
	Plain  []Pair `json:"plain,omitempty"`
	Secret []Pair `json:"secret,omitempty"`
}

// Issue returns the values of an order.
func (Provider) Issue(_ context.Context, o creds.Order, _ idtoken.Token) (creds.Credential, error) {
	var all terms
	if err := json.Unmarshal(o.Terms, &all); err != nil {
		return creds.Credential{}, errors.New("the terms of the order are not those of static values")
	}
	c := creds.Credential{Provider: Name, Name: o.Name}
	for _, p := range append(all.Plain, all.Secret...) {
		c.Env = append(c.Env, creds.Variable{Name: p.Name, Value: mask.NewSecret(p.Value)})
	}
	for _, p := range all.Secret {
		c.Secrets = append(c.Secrets, mask.Named{Kind: creds.Kind("value of " + p.Name), Value: mask.NewSecret(p.Value)})
	}
	c.Facts = creds.Facts{{Name: variablesFact, Value: strings.Join(o.Sets, " ")}}
	return c, nil
}

// variablesFact is the fact that names the variables.
const variablesFact = "variables"

// Report returns which variables there are.
func (Provider) Report(facts creds.Facts) creds.Report {
	return creds.Report{Rows: []creds.Row{{Label: "sets", Value: facts.Get(variablesFact)}}}
}
