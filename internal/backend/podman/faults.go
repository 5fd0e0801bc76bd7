package podman

import (
	"errors"

	"rolecall/internal/fault"
)

// short is an error that is told in few words. Its cause is a row of the message.
type short struct {
	head  string
	cause error
}

// Error returns the few words.
func (s short) Error() string { return s.head }

// Unwrap returns the cause.
func (s short) Unwrap() error { return s.cause }

// engineFault returns the error that podman cannot do something, as one of the
// infrastructure.
func engineFault(doing string, err error) *fault.Error {
	return fault.New(fault.Engine, short{"podman cannot " + doing, err}, "").Detail("why", err.Error())
}

// imageFault returns an error of podman as one of what the author has written of an image.
// If podman did not end by itself, the error is that it cannot do its work.
//
// https://docs.podman.io/en/v4.3/markdown/podman-run.1.html#exit-status
func imageFault(what, doing string, err error, next string) *fault.Error {
	if says, ok := errors.AsType[failure](err); !ok || says.code < 125 {
		hangs := engineFault(doing, err)
		hangs.Next = pipeNext
		return hangs
	}
	return fault.New(fault.ImageFails, short{what, err}, next).Detail("why", err.Error())
}
