package admin

import (
	"cmp"
	"strings"
	"time"

	"rolecall/internal/admin/history"
)

// width is how many columns a text for people has.
const width = 100

// clock returns a time for people.
func clock(at time.Time) string {
	if at.IsZero() {
		return "not known"
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC")
}

// short returns a time for a column of a table.
func short(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format("01-02 15:04")
}

// fit returns a text of the log for a column of a table: printable, and cut.
func fit(text string, columns int) string {
	text = printable(cmp.Or(text, "-"))
	if len(text) > columns {
		return text[:columns-1] + "…"
	}
	return text
}

// wrap returns a text of the log on lines that begin with an indent.
func wrap(text, indent string) string {
	var lines strings.Builder
	for rest := printable(text); rest != ""; {
		line := rest
		if room := width - len(indent); len(line) > room {
			line = rest[:room]
			if i := strings.LastIndexByte(line, ' '); i > 0 {
				line = rest[:i]
			}
		}
		lines.WriteString(indent + line + "\n")
		rest = strings.TrimLeft(rest[len(line):], " ")
	}
	return lines.String()
}

// labelled is a text about one thing: lines with a label each.
type labelled struct{ strings.Builder }

// labels is the room that a label takes.
const labels = 16

// add adds a line, unless its text is empty.
func (l *labelled) add(label, text string) {
	if text == "" {
		return
	}
	lines := wrap(text, strings.Repeat(" ", labels))
	_, _ = l.WriteString(label + lines[len(label):]) // a Builder takes all
}

// job adds who a job is.
func (l *labelled) job(j history.Job) {
	l.add("job", join(" of ", j.ID, j.Issuer))
	l.add("pipeline", j.PipelineID)
	l.add("project", named(j.Project, j.ProjectID))
	l.add("fork", j.Fork)
	ref := join(", ", j.Ref, j.RefType)
	if j.Ref != "" && j.RefProtected != "" {
		ref += map[bool]string{true: ", protected", false: ", not protected"}[j.RefProtected == "true"]
	}
	l.add("ref", ref)
	l.add("environment", j.Environment)
	l.add("user", named(j.UserLogin, j.UserID))
	l.add("runner", j.RunnerID)
}

// join joins those texts that are not empty.
func join(with string, texts ...string) string {
	var all []string
	for _, t := range texts {
		if t != "" {
			all = append(all, t)
		}
	}
	return strings.Join(all, with)
}

// named returns a name with its id.
func named(name, id string) string {
	if id == "" {
		return name
	}
	return join(" ", name, "("+id+")")
}
