package handover

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/mask"
)

// Way is how a job reaches a store.
type Way struct {
	Settings Settings
	Root     string       // folder of the state of jobs on this host
	Set      creds.Set    // what was issued to the job
	Order    *creds.Order // of the source that Settings name; nil: the store needs none, or the job has none
	Token    mask.Secret  // the ID token that pays for Order
	Service  []string     // the environment of the runner's service
}

// Credential returns the credential of the job that reaches the store, and false if it has none.
func (w Way) Credential() (creds.Credential, bool) {
	for _, c := range w.Set {
		if w.Settings.reachedBy(c.Provider, c.Name) {
			return c, true
		}
	}
	return creds.Credential{}, false
}

// OrderOf returns the order of the source by which the store is reached, and nil if there is none.
func (s Settings) OrderOf(orders []creds.Order) *creds.Order {
	for i, o := range orders {
		if s.reachedBy(o.Provider, o.Name) {
			return &orders[i]
		}
	}
	return nil
}

// reachedBy reports whether the credentials of a source reach the store.
func (s Settings) reachedBy(provider, name string) bool {
	return s.Provider() != "" && s.Provider() == provider && s.Source == name
}

// Named returns the store of that name. If a program does not know it, the programs are of different
// versions.
func Named[S interface{ Name() string }](stores []S, name string) (S, error) {
	for _, s := range stores {
		if s.Name() == name {
			return s, nil
		}
	}
	var none S
	return none, fault.New(fault.Programs, fmt.Errorf("this program does not know the store %q", name), "install all programs of one version of rolecall")
}

// Provider is the name of the credential by which a job has what it has taken. It has a fact for each
// value, with the name of the job that has handed it over.
const Provider = "handover"

// Earlier is the name of a fact of that credential: an earlier try of the job has handed over values,
// which it must replace. No value can have that name.
const Earlier = "earlier try"

// Listing is what a store has for a scope.
type Listing struct {
	Parcels []Parcel
	// Broken says, in a line each, what cannot be used: its values are withheld.
	Broken []string
}

// ParseExpect returns the names in the value of the variable Expect: with blanks, line breaks or
// commas between them.
func ParseExpect(text string) ([]string, error) {
	names := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) })
	for _, name := range names {
		if err := creds.CheckVariable(name, "x"); err != nil {
			return nil, fmt.Errorf("%s: %w", Expect, err)
		}
	}
	if len(names) > MaxTaken {
		return nil, errors.New(Expect + " has too many names")
	}
	return once(names), nil
}

// once returns names, each once.
func once(names []string) (each []string) {
	for _, name := range names {
		if !slices.Contains(each, name) {
			each = append(each, name)
		}
	}
	return each
}
