package run

import (
	"rolecall/internal/creds"
	"rolecall/internal/gate"
	"rolecall/internal/job"
)

// Environ is environ, for a job that has the set and finds its env file there.
func (p Parts) Environ(stage job.StageName, clean []string, set creds.Set, envFile string) []string {
	return p.environ(stage, clean, given{set: set, envFile: envFile})
}

// Visible is visible.
func (p Parts) Visible(service []string) []string { return p.visible(service) }

// List is listPlaces.
func List(places []gate.Place) string { return listPlaces(places) }
