package run

import (
	"rolecall/internal/creds"
	"rolecall/internal/gate"
	"rolecall/internal/job"
)

// Rules are rules.
type Rules struct {
	Policy, Metadata bool
	Own              string
}

// Identity is identity, for a job that has the set and finds its env file there.
func (p Parts) Identity(stage job.StageName, issued creds.Set, envFile string, how Rules) (unset, set []string) {
	is := p.identity(stage, given{set: issued, envFile: envFile}, rules{how.Policy, how.Metadata, how.Own})
	return is.unset, is.set
}

// Visible is visible.
func (p Parts) Visible(service []string) []string { return p.visible(service) }

// List is listPlaces.
func List(places []gate.Place) string { return listPlaces(places) }
