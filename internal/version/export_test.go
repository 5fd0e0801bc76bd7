package version

// Set sets what the linker may set.
func Set(c, d string) { commit, date = c, d }
