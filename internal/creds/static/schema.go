package static

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/creds"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Settings are what a source says.
type Settings struct {
	Env          []Pair // values that logs may show
	Files        []Pair // of secrets: names of variables, with the paths of the files that hold their values
	Refs         []tenant.Pattern
	Environments []tenant.Pattern
	Protected    bool
}

// Pair is a variable.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Sets returns the names of the variables that scripts get, and whether each job of the tenant
// gets them.
func (s Settings) Sets() (names []string, always bool) {
	for _, p := range append(slices.Clone(s.Env), s.Files...) {
		names = append(names, p.Name)
	}
	return names, !s.Protected && len(s.Refs)+len(s.Environments) == 0
}

// SourceKeys returns the keys of a source.
func (Provider) SourceKeys() policyfile.Keys {
	return policyfile.Keys{
		"env": policyfile.Pairs, "secret_files": policyfile.Pairs,
		"refs": policyfile.List, "environments": policyfile.List, "protected": policyfile.Switch,
	}
}

// Source compiles a source.
func (Provider) Source(t policyfile.Table, _ any) any {
	var s Settings
	policyfile.SetPairs(t, "env", func(name, value string) error {
		s.Env = append(s.Env, Pair{name, value})
		return cmp.Or(creds.CheckFree(name), creds.CheckVariable(name, value))
	})
	policyfile.SetPairs(t, "secret_files", func(name, path string) error {
		s.Files = append(s.Files, Pair{name, path})
		if path == "" {
			return fmt.Errorf("%s: want the path of a file", name)
		}
		_, err := policyfile.ReadPath(path)
		return cmp.Or(creds.CheckFree(name), creds.CheckVariable(name, "x"), err)
	})
	policyfile.SetList(t, "refs", tenant.ParseRef, &s.Refs)
	policyfile.SetList(t, "environments", tenant.ParseEnvironment, &s.Environments)
	policyfile.SetSwitch(t, "protected", &s.Protected)
	s.check(t)
	return s
}

// check reports a source that gives nothing, or one variable twice.
func (s Settings) check(t policyfile.Table) {
	if len(s.Env)+len(s.Files) == 0 {
		t.FailTable(errors.New("it gives nothing; set env or secret_files"))
	}
	for _, file := range s.Files {
		if slices.ContainsFunc(s.Env, func(p Pair) bool { return p.Name == file.Name }) {
			t.Fail("secret_files", fmt.Errorf("%s is in env too", file.Name))
		}
	}
}
