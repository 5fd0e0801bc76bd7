package shelf_test

import (
	"strings"
	"testing"

	"rolecall/internal/handover"
	"rolecall/internal/handover/shelf"
)

// scope returns the scope of the jobs of these tests.
func scope() handover.Scope {
	return handover.Scope{Issuer: "https://gitlab.example.com", Tenant: "alpha", Project: "7", Pipeline: "70", Class: "protected"}
}

// TestPath: each scope of an issuer has a folder of its own, or none.
func TestPath(t *testing.T) {
	t.Parallel()
	if got, err := shelf.Path(scope()); err != nil || got != "alpha/7/70/protected" {
		t.Errorf("%q, %v", got, err)
	}
	for name, change := range map[string]func(*handover.Scope){
		"no project":     func(s *handover.Scope) { s.Project = "" },
		"no pipeline":    func(s *handover.Scope) { s.Pipeline = "" },
		"a path":         func(s *handover.Scope) { s.Project = "7/70" },
		"up":             func(s *handover.Scope) { s.Pipeline = ".." },
		"no tenant":      func(s *handover.Scope) { s.Tenant = "" },
		"tenant is path": func(s *handover.Scope) { s.Tenant = "alpha/7" },
		"tenant is up":   func(s *handover.Scope) { s.Tenant = ".." },
		"escaped":        func(s *handover.Scope) { s.Tenant = "alpha%2f7" },
		"no class":       func(s *handover.Scope) { s.Class = "" },
		"another class":  func(s *handover.Scope) { s.Class = "x" },
	} {
		s := scope()
		change(&s)
		if got, err := shelf.Path(s); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestName: names tell issuers and jobs apart, and only names that were made are read.
func TestName(t *testing.T) {
	t.Parallel()
	p := handover.Parcel{Scope: scope(), Job: "make: [alpha]", JobID: 700}
	name := shelf.NameOf(p)
	if got, ok := shelf.ParseName(name.String()); !ok || got != name || name.ID != 700 {
		t.Errorf("%v, %v, want %v", got, ok, name)
	}
	seen := map[string]bool{name.Job: true}
	for _, pair := range [][2]string{{"https://gitlab.example.com", "make"}, {"https://gitlab.example.com ", "make: [alpha]"}, {"https://gitlab.example.com m", "ake: [alpha]"}, {"", ""}} {
		if job := shelf.JobOf(pair[0], pair[1]); seen[job] {
			t.Errorf("%q has the name of another", pair)
		} else {
			seen[job] = true
		}
	}
	hash := strings.Repeat("a", 32)
	for _, text := range []string{"", "-", "-1", hash, hash + "-", hash + "-0", hash + "--1", hash + "-01", hash + "-+1", hash + "-1x", hash + "-1/", hash + "-99999999999999999999", "x" + hash[1:] + "-1", "A" + hash[1:] + "-1", hash + "a-1", hash[1:] + "-1"} {
		if _, ok := shelf.ParseName(text); ok {
			t.Errorf("%q is a name", text)
		}
	}
}
