package script

import "strings"

// Clean returns an environment without the variables that keep reports for
// dropping, by name.
func Clean(environ []string, drop func(name string) bool) []string {
	var kept []string
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !drop(name) {
			kept = append(kept, entry)
		}
	}
	return kept
}
