package rules_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// providersOf returns the folders below internal/creds that a program imports from.
func providersOf(p goPackage) []string {
	var all []string
	for _, path := range p.Imports {
		if room, ok := strings.CutPrefix(path, "rolecall/internal/creds/"); ok {
			name, _, _ := strings.Cut(room, "/")
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestProviders: every program that reads the policy file knows the keys of all providers: a
// source of one that it does not know would make the file an error for it.
func TestProviders(t *testing.T) {
	t.Parallel()
	all := map[string][]string{}
	for _, p := range list(t, "./cmd/...") {
		all[filepath.Base(p.ImportPath)] = providersOf(p)
	}
	want := all["prepare"]
	if len(want) < 5 {
		t.Errorf("prepare knows %q", want)
	}
	for _, name := range []string{"config", "cleanup", "sweep", "revoke", "rolecall", "rolecall-broker"} {
		if !slices.Equal(all[name], want) {
			t.Errorf("%s knows the providers %q, want those of prepare, %q", name, all[name], want)
		}
	}
}
