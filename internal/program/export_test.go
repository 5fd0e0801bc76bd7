package program

import (
	"io"
	"strings"
)

// NewCall returns a call that prints to stdout and stderr, and what ends it.
func NewCall(stdout, stderr io.Writer) (*Call, func()) {
	call := newCall(stdout, stderr)
	return call, call.flush
}

// Paste returns the lines of config.toml that give all four stages the flags.
func Paste(f Flags) string {
	_, lines, _ := strings.Cut(paste(f), "\n")
	return lines
}
