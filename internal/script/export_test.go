package script

import (
	"errors"
	"io"
)

// For tests of kernels and hosts that cannot be had.
var (
	CloseEachOnExec = closeEachOnExec
	Unprotected     = unprotected
)

// Carry carries output from a script that prints it, and ends, to a writer.
func Carry(to io.Writer, output string) error {
	s := newStream(to)
	script, err := s.pipe()
	if err != nil {
		return err
	}
	_, err = io.WriteString(script, output)
	return errors.Join(err, script.Close(), s.drain())
}
