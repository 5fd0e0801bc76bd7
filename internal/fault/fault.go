// Package fault says who must act on an error: the job's author, the runner's admin, or
// nobody because infrastructure failed.
//
// GitLab Runner has two kinds of failure. A build failure is final; after a system
// failure the runner prepares the job again, up to three times. Errors of the author
// and the admin become build failures, errors of infrastructure become system failures.
// An error without an [Error] of this package counts as infrastructure.
//
// https://docs.gitlab.com/runner/executors/custom/#prepare
package fault

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
)

// Side names who must act on an error.
type Side string

// The three sides, as the job log prints them.
const (
	Author         Side = "author"
	Admin          Side = "runner-admin"
	Infrastructure Side = "infrastructure"
)

// Error is an error with the side that must act, and what this side should do next.
type Error struct {
	Side Side
	What error
	Next string
}

// New returns an Error. The argument what says what is wrong; next says what to do, and
// may be empty or have several lines.
func New(side Side, what error, next string) error {
	return &Error{Side: side, What: what, Next: next}
}

// Error returns what is wrong and what to do next, in one text.
func (e *Error) Error() string {
	if e.Next == "" {
		return e.What.Error()
	}
	return fmt.Sprintf("%v; %s", e.What, e.Next)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.What }

// SideOf returns the side of the outermost Error in err, or Infrastructure if err has
// none. An Admin error that was caused by a full or read-only disk, or by exhausted
// descriptors or memory, counts as Infrastructure, so the runner tries again.
func SideOf(err error) Side {
	var e *Error
	if !errors.As(err, &e) || e.Side == Admin && isShortage(e) {
		return Infrastructure
	}
	return e.Side
}

// isShortage reports whether the cause of err is that the host lacks disk space, inodes,
// descriptors or memory, or that its disk cannot be written.
func isShortage(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO,
	}, func(errno error) bool { return errors.Is(err, errno) })
}
