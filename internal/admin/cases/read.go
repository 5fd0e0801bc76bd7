// Package cases is the table of jobs by which a policy file is tested: what must be decided for
// each, and whether it is.
package cases

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"rolecall/internal/admin/sketch"
	"rolecall/internal/tenant"
)

// Case is a job of the table, and what must be decided for it.
type Case struct {
	Name   string
	Line   int // in the file
	Job    sketch.Job
	Expect string // the name of a tenant, Nobody or Refused
	Rule   string // that refuses; empty: whichever
	Role   string // whose session the job gets; empty: whichever
}

// The words that a case may expect beside the name of a tenant.
const (
	Nobody  = string(tenant.Nobody) // no tenant, and the job runs
	Refused = "refused"
)

const (
	most    = 10 // problems of a file that are reported
	typo    = 2  // letters of a key that may be wrong in a slip of the pen
	longest = 64 // bytes of an unknown key that is compared
)

// reader reads a file of cases.
type reader struct {
	file     string
	content  []byte
	policy   *tenant.Policy
	lines    []int            // of the cases
	keys     []map[string]int // the lines of their keys
	problems []error
}

// Read returns the cases of a file in TOML, for a policy. An error has a line for each problem, at
// most ten: FILE:LINE: what is wrong.
func Read(file string, content []byte, policy *tenant.Policy) ([]Case, error) {
	r := &reader{file: file, content: content, policy: policy}
	var document map[string]any
	if err := toml.Unmarshal(content, &document); err != nil {
		r.failDecode(err)
		return nil, r.err()
	}
	r.locate()
	tables, _ := document["case"].([]any)
	if len(r.problems) == 0 && (len(tables) == 0 || len(tables) != len(r.lines)) {
		return nil, fmt.Errorf("%s has no cases; begin each by a line [[case]]", file)
	}
	var all []Case
	for i, table := range tables[:min(len(tables), len(r.lines))] {
		values, _ := table.(map[string]any)
		all = append(all, r.read(i, values))
	}
	if len(r.problems) == 0 {
		r.compare(all)
	}
	return all, r.err()
}

// err returns the problems as one error.
func (r *reader) err() error { return errors.Join(r.problems[:min(len(r.problems), most)]...) }

// fail adds a problem at a line.
func (r *reader) fail(line int, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: "+format, append([]any{r.file, line}, args...)...))
}

// failDecode adds an error of the decoder, on one line.
func (r *reader) failDecode(err error) {
	line := 1
	if found, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ = found.Position()
	}
	r.fail(line, "%s", strings.Trim(tenant.Quote(strings.TrimPrefix(err.Error(), "toml: ")), `"`))
}

// locate finds the lines of the cases and of their keys, and reports what is not of a case. It
// respects case, which the decoder does too where it decodes to a map.
func (r *reader) locate() {
	var p unstable.Parser
	p.Reset(r.content)
	inside := false
	for p.NextExpression() {
		node := p.Expression()
		name, line := r.nameOf(node)
		switch {
		case node.Kind == unstable.ArrayTable && name == "case":
			inside = true
			r.lines, r.keys = append(r.lines, line), append(r.keys, map[string]int{})
		case node.Kind != unstable.KeyValue:
			inside = false
			r.fail(line, "unknown table %s; there is only [[case]]", tenant.Quote(name))
		case !inside:
			r.fail(line, "%s is in no case; begin each by a line [[case]]", tenant.Quote(name))
		default:
			r.keys[len(r.keys)-1][strings.Split(name, ".")[0]] = line
		}
	}
}

// nameOf returns the name of a table or a key, and its line.
func (r *reader) nameOf(node *unstable.Node) (string, int) {
	var parts []string
	offset := 0
	for keys := node.Key(); keys.Next(); {
		if parts == nil {
			offset = int(keys.Node().Raw.Offset)
		}
		parts = append(parts, string(keys.Node().Data))
	}
	return strings.Join(parts, "."), 1 + bytes.Count(r.content[:offset], []byte("\n"))
}

// read returns the case at an index of the file.
func (r *reader) read(index int, values map[string]any) Case {
	c, at, before := Case{Line: r.lines[index]}, r.keys[index], len(r.problems)
	fields := c.fields()
	for _, name := range slices.SortedFunc(maps.Keys(values), func(a, b string) int { return at[a] - at[b] }) {
		if set := fields[name]; set == nil {
			r.fail(at[name], "unknown key %s%s", tenant.Quote(name), hint(name, fields))
		} else if err := set(values[name]); err != nil {
			r.fail(at[name], "%s: %v", name, err)
		}
	}
	if len(r.problems) > before {
		return c // what is missing may be what has the wrong name
	}
	if err := c.Job.Check(); err != nil {
		r.failJob(c, at, err)
	}
	r.check(c, at)
	return c
}

// failJob reports what is wrong in the description of a job.
func (r *reader) failJob(c Case, at map[string]int, err error) {
	line, name := c.Line, ""
	if problem, ok := errors.AsType[*sketch.Problem](err); ok {
		name, _, _ = strings.Cut(problem.Of, " ")
	}
	if name == "claim" {
		name = "claims"
	}
	if found := at[name]; found > 0 {
		line = found
	}
	r.fail(line, "%v", err)
}

// hint says which key an unknown one may be meant to be.
func hint(name string, fields map[string]func(any) error) string {
	for _, known := range slices.Sorted(maps.Keys(fields)) {
		if len(name) <= longest && levenshtein.Distance(name, known, nil) <= min(typo, len(name)/2) {
			return "; did you mean " + tenant.Quote(known) + "?"
		}
	}
	return "; known are " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}
