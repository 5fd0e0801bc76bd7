package stage

import "io"

// NewCall returns a call that prints to stdout and stderr, and what ends it.
func NewCall(stdout, stderr io.Writer) (*Call, func()) {
	call := newCall(stdout, stderr)
	return call, call.flush
}
