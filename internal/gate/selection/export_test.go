package selection

// Expand expands a pattern, for the tests.
func Expand(v *Variables, pattern string) (string, error) { return v.expand(pattern) }
