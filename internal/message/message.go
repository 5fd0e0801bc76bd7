// Package message writes errors for people who read a job log. It is the only place that
// knows their form:
//
//	rolecall: AWS refuses the role to this job (AccessDenied)
//	  who acts   the owner of the AWS account 777788889999 (not the pipeline)
//	  role       arn:aws:iam::777788889999:role/deploy
//	  fix        the role's trust policy must allow that sub; add to its Condition:
//	               "StringEquals": {...}
//	  AWS request id 4d7d0b9a · job 1015 · rolecall 0.2.0 · RC203
//
// The rules of the form:
//
//   - The head is bold and red, is one short line, and says in the author's words what is
//     wrong. Why it is so, as errors of the system have it, is a row where the line would
//     be too long.
//   - Then come rows: who must act, what is known of the case, and what to do. A row has
//     one thing. What can be pasted stands on lines of its own.
//   - The last line is dim. It has what a support team asks for, and the code of the
//     error, which docs/errors.md explains.
//   - What a try of the runner has said is not repeated by the next try.
//
// Colours are those that GitLab shows.
//
// https://docs.gitlab.com/ci/jobs/job_logs/
package message

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"rolecall/internal/fault"
	"rolecall/internal/version"
)

// Tries is how often GitLab Runner starts config and prepare of a job that fails there.
//
// https://docs.gitlab.com/runner/executors/custom/#prepare
const Tries = 3

// WhoActs is the label of the row that says who must act. An error that has such a row
// knows better than its code.
const WhoActs = "who acts"

// Longest is how many characters the head of a message may have. A head that is longer is
// cut at a colon, but not so early that only the name of something is left.
const (
	Longest = 90
	fewest  = 3 // words
)

// The escape sequences of a message.
const (
	red    = "\x1b[31;1m"
	yellow = "\x1b[33m"
	dim    = "\x1b[2m"
	reset  = "\x1b[0m"
)

// Case is what a message says beside its error.
type Case struct {
	Job     string // id of the job; empty: not known
	Contact string // whom to ask, of the runner's admin; may be empty
	Try     int    // which try of the runner it is, from 1 on; 0: the runner does not try again
	Colours bool   // whether the reader sees colours
}

// Error returns the message about err, which ends with a newline. Joined errors are
// messages of their own.
func (c Case) Error(err error) string {
	var text strings.Builder
	for _, one := range parts(err) {
		text.WriteString(c.one(one))
	}
	return text.String()
}

// Again returns the message that a try has failed with that error as the try before, and
// it ends with a newline.
func (c Case) Again(err error) string {
	text := fmt.Sprintf("rolecall: try %d of %d has failed like the one before (%s)", c.Try, Tries, fault.CodeOf(err))
	if c.Try >= Tries {
		text += ": " + c.who(fault.Infrastructure)
	}
	return c.paint(red, text) + "\n"
}

// Warning returns a warning, which is one line.
func (c Case) Warning(text string) string {
	return c.paint(yellow, "rolecall: warning: "+text) + "\n"
}

// Note returns a line that tells how things are.
func Note(text string) string { return "rolecall: " + text + "\n" }

// parts returns the errors that were joined to err.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || strings.Count(err.Error(), "\n") < len(joined.Unwrap())-1 {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, parts(one)...)
	}
	return all
}

// one returns the message about an error that is not joined.
func (c Case) one(err error) string {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		e = &fault.Error{What: err}
	}
	head, more, _ := strings.Cut(headOf(err, e), "\n")
	head, next := advice(head, e.Next)
	head, why := cut(head)
	text := c.paint(red, "rolecall: "+head) + "\n"
	for _, row := range slices.Concat(c.rows(err, e, why), []fault.Row{{Label: "more", Text: strings.TrimSpace(more)}, {Label: "fix", Text: next}}) {
		text += format(row)
	}
	return text + c.paint(dim, "  "+strings.Join(c.foot(err, e), " · ")) + "\n"
}

// advice returns a head without the advice that errors of lower rooms have after a semicolon,
// and what to do next: next, or else that advice.
func advice(head, next string) (short, fix string) {
	at := strings.LastIndex(head, "; ")
	if next != "" || at < 0 || strings.Count(head[at:], `"`)%2 != 0 { // it may be in quotes
		return head, next
	}
	return head[:at], head[at+2:]
}

// cut cuts a head that is too long at its last colon that leaves it short enough, or else
// at the first one that leaves enough of it.
func cut(head string) (short, why string) {
	const colon = ": "
	parts := strings.Split(head, colon)
	for i, part := range parts {
		next := short + colon + part
		if i == 0 {
			next = part
		}
		if utf8.RuneCountInString(next) > Longest && len(strings.Fields(short)) >= fewest {
			return short, strings.Join(parts[i:], colon)
		}
		short = next
	}
	return short, ""
}

// rows returns the rows of a message that say who must act and what is known of the case.
func (c Case) rows(err error, e *fault.Error, why string) []fault.Row {
	all := []fault.Row{{Label: WhoActs, Text: c.who(fault.SideOf(err))}, {Label: "why", Text: why}}
	for _, row := range e.Rows {
		if row.Label == WhoActs {
			all[0] = row
			continue
		}
		all = append(all, row)
	}
	return all
}

// headOf returns what is wrong, without the next step, which has a row.
func headOf(err error, e *fault.Error) string {
	text, own := err.Error(), e.Error()
	if at := strings.LastIndex(text, own); at >= 0 {
		return text[:at] + e.What.Error() + text[at+len(own):]
	}
	return text
}

// who returns who must act on errors of a side.
func (c Case) who(side fault.Side) string {
	switch side {
	case fault.Author:
		return "the author of the pipeline"
	case fault.Account:
		return "the owner of the AWS account (not the pipeline)"
	case fault.Admin:
		return c.admin() + " (not the pipeline)"
	}
	switch {
	case c.Try >= Tries:
		return c.admin() + ": all " + fmt.Sprint(Tries) + " tries have failed"
	case c.Try > 0:
		return fmt.Sprintf("nobody: the runner tries again (try %d of %d)", c.Try, Tries)
	}
	return "nobody yet: run the job again; if that fails too, " + c.admin()
}

// admin names the runner's admin.
func (c Case) admin() string {
	if c.Contact == "" {
		return "the runner's admin"
	}
	return "the runner's admin, " + c.Contact
}

// foot returns what a support team asks for.
func (c Case) foot(err error, e *fault.Error) []string {
	job := ""
	if c.Job != "" {
		job = "job " + c.Job
	}
	parts := []string{e.Trace, job, "rolecall " + version.Version, string(cmp.Or(fault.CodeOf(err), fault.Unexpected))}
	return slices.DeleteFunc(parts, func(part string) bool { return part == "" })
}

// format returns a row, of which further lines are indented. It returns nothing for a row
// without a text.
func format(row fault.Row) string {
	if row.Text == "" {
		return ""
	}
	indent := "\n" + strings.Repeat(" ", 13)
	if row.Label == "fix" {
		indent += "  "
	}
	return fmt.Sprintf("  %-9s  %s\n", row.Label, strings.ReplaceAll(strings.TrimRight(row.Text, "\n"), "\n", indent))
}

// paint returns a line in a colour, where the reader sees colours.
func (c Case) paint(colour, line string) string {
	if !c.Colours {
		return line
	}
	return colour + line + reset
}
