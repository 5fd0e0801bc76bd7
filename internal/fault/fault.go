// Package fault says what kind an error is, and who must act on it: the job's author,
// the owner of a cloud account, the runner's admin, or nobody because infrastructure
// failed.
//
// GitLab Runner has two kinds of failure. A build failure is final; after a system
// failure the runner prepares the job again, up to three times. Errors of people become
// build failures, errors of infrastructure become system failures. An error without an
// [Error] of this package counts as infrastructure.
//
// https://docs.gitlab.com/runner/executors/custom/#prepare
package fault

import (
	"errors"
	"slices"
	"syscall"
)

// Side names who must act on an error.
type Side string

// The sides, as the audit log has them.
const (
	Author         Side = "author"
	Account        Side = "aws-account"
	Admin          Side = "runner-admin"
	Infrastructure Side = "infrastructure"
)

// Error is an error with the kind that it is of, what is known of the case, and what the
// side that must act should do next.
type Error struct {
	Code  Code
	What  error  // what is wrong: one line in the author's words
	Rows  []Row  // what is known of the case
	Next  string // what to do next; may be empty. Lines after the first can be pasted
	Trace string // what a support team asks for, such as the id of a request

	Answer Answer // what a server has answered; empty: it is not about one
}

// Answer is what may be known of an answer of a server.
type Answer struct {
	Code    string // the server's own code of an error
	Request string // the server's id of the request
}

// Row is something that is known of a case. A text may have several lines.
type Row struct {
	Label  string // such as role
	Text   string
	Detail bool // it is a part of what is wrong
}

// New returns an Error. The argument what says what is wrong; next says what to do.
func New(code Code, what error, next string) *Error {
	return &Error{Code: code, What: what, Next: next}
}

// With adds a row to the error, and returns the error. A row without a text is not added.
func (e *Error) With(label, text string) *Error {
	return e.add(Row{Label: label, Text: text})
}

// Detail does what With does. The row is a part of what is wrong, so it stands in the text
// of Error too: logs without rows need it.
func (e *Error) Detail(label, text string) *Error {
	return e.add(Row{label, text, true})
}

// add adds a row that has a text.
func (e *Error) add(row Row) *Error {
	if row.Text != "" {
		e.Rows = append(e.Rows, row)
	}
	return e
}

// Rows returns what is known of the case of the outermost Error in err.
func Rows(err error) []Row {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Rows
	}
	return nil
}

// Error returns what is wrong, its details, and what to do next, in one text.
func (e *Error) Error() string {
	text := e.What.Error()
	for _, row := range e.Rows {
		if row.Detail {
			text += ": " + row.Text
		}
	}
	if e.Next == "" {
		return text
	}
	return text + "; " + e.Next
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.What }

// CodeOf returns the code of the outermost Error in err, or Unexpected if err has none.
// If an Admin error was caused by a full or read-only disk, or by exhausted descriptors
// or memory, the code is Shortage, so the runner tries again.
func CodeOf(err error) Code {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok && isShortage(err), ok && e.Code.Side() == Admin && isShortage(e):
		return Shortage
	case !ok:
		return Unexpected
	}
	return e.Code
}

// SideOf returns the side of CodeOf(err).
func SideOf(err error) Side { return CodeOf(err).Side() }

// isShortage reports whether the cause of err is that the host lacks disk space, inodes,
// descriptors or memory, or that its disk cannot be written.
func isShortage(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO,
	}, func(errno error) bool { return errors.Is(err, errno) })
}
