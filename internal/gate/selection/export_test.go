package selection

import "io"

// Expand expands a pattern, for the tests.
func Expand(v *Variables, pattern string) (string, error) { return v.expand(pattern) }

// Names is a writer that takes most names of files, each with a NUL byte behind it.
func Names(most int64) io.Writer { return &names{most: most} }
