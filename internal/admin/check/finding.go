package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rolecall/internal/admin/provision"
)

// State says how bad a finding is.
type State string

// The states of a finding.
const (
	OK   State = "ok"
	Look State = "look at" // a risk that a host may have, or a later failure
	Fix  State = "to fix"  // jobs fail, or credentials are not safe
)

// Finding is the result of one check.
type Finding struct {
	ID       string   `json:"id,omitempty"` // what is wrong, in docs/errors.md; empty: nothing
	Area     string   `json:"area"`
	What     string   `json:"what"`
	State    State    `json:"state"`
	Do       string   `json:"do,omitempty"`       // what to do about it
	Commands []string `json:"commands,omitempty"` // that do it, or begin to
}

// ok returns a finding that is fine.
func ok(area, what string) Finding { return Finding{Area: area, What: what, State: OK} }

// look returns a finding of the state Look. The lines of do after its first are commands. If
// the first is empty, they say it all.
func look(id, area, what, do string) Finding { return newFinding(id, area, what, Look, do) }

// fix returns a finding of the state Fix, as look does.
func fix(id, area, what, do string) Finding { return newFinding(id, area, what, Fix, do) }

// newFinding returns a finding that is not fine.
func newFinding(id, area, what string, state State, do string) Finding {
	prose, commands, found := strings.Cut(do, "\n")
	f := Finding{ID: id, Area: area, What: what, State: state, Do: prose}
	if found {
		f.Commands = strings.Split(commands, "\n")
	}
	if prose == "" {
		f.Do = strings.Join(f.Commands, "; ")
	}
	return f
}

// run returns the line of advice that is a command, as a shell takes it.
func run(words ...string) string { return "\n" + provision.Step{Command: words}.String() }

// advised returns an error of the room adminfile without its advice, and what to do: its own
// advice if that is a command, else do.
func advised(err error, do string) (problem, next string) {
	problem = err.Error()
	for _, program := range []string{"; chmod ", "; chown "} {
		if before, after, found := strings.Cut(problem, program); found {
			command, _, _ := strings.Cut(program[2:]+after, ", or ")
			return before, "\n" + command
		}
	}
	return problem, do
}

// unsafe returns the finding that others can change a file.
func unsafe(id, area string, err error, do string) Finding {
	problem, next := advised(err, do)
	return fix(id, area, problem, next)
}

// Count returns how many of the findings have a state.
func Count(findings []Finding, state State) int {
	n := 0
	for _, f := range findings {
		if f.State == state {
			n++
		}
	}
	return n
}

// Bad reports whether one of the findings is a Fix.
func Bad(findings []Finding) bool { return Count(findings, Fix) > 0 }

// tidy makes the texts of findings fit for a terminal, and with once drops those that are there
// twice.
func tidy(findings []Finding, once bool) []Finding {
	var tidied []Finding
	seen := map[string]bool{}
	for _, f := range findings {
		f.Area, f.What, f.Do, f.Commands = clean(f.Area), clean(f.What), clean(f.Do), slices.Clone(f.Commands)
		for i, c := range f.Commands {
			f.Commands[i] = clean(c)
		}
		if key := fmt.Sprintf("%q", f); !once || !seen[key] {
			tidied, seen[key] = append(tidied, f), true
		}
	}
	return tidied
}

// clean returns a text on one line, with the escape of what a terminal would not print.
// Others can have written it: a job's files have names that it chose.
func clean(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch _, size := utf8.DecodeRuneInString(text[i:]); {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !unicode.IsPrint(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
