// Package fault says whose an error is, and so who must act on it.
//
// GitLab Runner knows two kinds of failure: a build failure, which is final,
// and a system failure, which it tries three times. A mistake of the author or
// of the runner's admin is the first, infrastructure the second; an error that
// carries no Error of this package counts as infrastructure.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
)

// Side names who must act on an error.
type Side string

// The three sides of an error, as they are printed in a job log.
const (
	Author         Side = "author"
	Admin          Side = "runner-admin"
	Infrastructure Side = "infrastructure"
)

// Error is an error with the side that must act and what that side does next.
type Error struct {
	Side Side
	What error
	Next string
}

// New returns an Error. What says what is wrong, next what to do about it; next
// may hold several lines.
func New(side Side, what error, next string) error {
	return &Error{Side: side, What: what, Next: next}
}

// Error returns what is wrong and what to do next, as one text.
func (e *Error) Error() string {
	if e.Next == "" {
		return e.What.Error()
	}
	return fmt.Sprintf("%v; %s", e.What, e.Next)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.What }

// SideOf returns the side of the outermost Error that err holds, or
// Infrastructure where it holds none. What a host lacks for now is never its admin's
// mistake, whatever it was wanted for: the runner tries again.
func SideOf(err error) Side {
	var e *Error
	if !errors.As(err, &e) || e.Side == Admin && lacks(e) {
		return Infrastructure
	}
	return e.Side
}

// lacks reports whether err came about as the host has no room, inodes, open files
// or memory, or a disk that cannot be written.
func lacks(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO,
	}, func(errno error) bool { return errors.Is(err, errno) })
}
