package vault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/creds"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// maxReads bounds how many paths a source reads: a job waits for all of them.
const maxReads = 20

// maxPairs bounds how many variables one read sets.
const maxPairs = 50

// Read is a path that is read, and what scripts get of the answer.
type Read struct {
	Path  string   `json:"path"`
	Env   []Pair   `json:"env,omitempty"`
	Files []Pair   `json:"files,omitempty"` // the variables have the paths of files
	Plain []string `json:"plain,omitempty"` // names of variables and of fields that are not secret
}

// Pair is a variable, and the template of its value or of the content of its file.
type Pair struct {
	Name     string `json:"name"`
	Template string `json:"template"`
}

// All returns the variables and then those of files.
func (r Read) All() []Pair { return append(slices.Clone(r.Env), r.Files...) }

// compileRead compiles a table of reads.
func compileRead(t policyfile.Table) Read {
	var r Read
	policyfile.Set(t, "path", readPath, &r.Path)
	policyfile.SetPairs(t, "env", func(name, text string) error { return r.add(&r.Env, name, text) })
	policyfile.SetPairs(t, "files", func(name, text string) error { return r.add(&r.Files, name, text) })
	policyfile.SetAny(t, "plain", func(name string) (string, error) { return name, nil }, &r.Plain)
	r.check(t)
	return r
}

// add adds a variable to those of the read.
func (r *Read) add(to *[]Pair, name, text string) error {
	_, err := ParseTemplate(text)
	if err = cmp.Or(creds.CheckFree(name), creds.CheckVariable(name, "x"), err); err != nil {
		return fmt.Errorf("%s: %w", tenant.Quote(name), err)
	}
	*to = append(*to, Pair{name, text})
	return nil
}

// check reports what is wrong in a read as a whole.
func (r Read) check(t policyfile.Table) {
	switch all := r.All(); {
	case t.Text("path") == "":
		t.FailTable(errors.New("path is missing"))
	case !t.Own("env") && !t.Own("files"):
		t.FailTable(errors.New("it gives nothing; set env or files"))
	case len(all) > maxPairs:
		t.FailTable(fmt.Errorf("it sets %d variables, and can set at most %d", len(all), maxPairs))
	}
	fields := map[string]bool{}
	for _, p := range r.All() {
		template, _ := ParseTemplate(p.Template)
		names := template.Fields()
		for _, name := range names {
			fields[name] = true
		}
		if len(names) == 0 && !slices.Contains(r.Plain, p.Name) {
			t.FailTable(fmt.Errorf("the template of %s has no field, such as {password}; a text that is meant so belongs into plain", p.Name))
		}
	}
	for i, name := range r.Plain {
		if !fields[name] && !slices.ContainsFunc(r.All(), func(p Pair) bool { return p.Name == name }) {
			t.FailAt("plain", i, fmt.Errorf("%s is neither a variable nor a field of this read", tenant.Quote(name)))
		}
	}
}
