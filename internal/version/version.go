// Package version holds the version of the driver.
package version

import "strings"

// Version is the newest version in CHANGELOG.md, without a leading v, in the form of
// https://semver.org/. The build of a package may set it, as it sets commit and date.
var Version = "0.1.0" //nolint:gochecknoglobals // the linker can set a variable only: -X

// commit is the commit that the program is built from, and date the day of that commit.
// Both are empty unless the linker has set them: make build does not, since the same
// sources give the same bytes.
var commit, date string //nolint:gochecknoglobals // as above

// Long returns the version, and in parentheses what else is known: "0.1.0 (commit
// 1c2f8a90d3e4, 2026-11-26)".
func Long() string {
	var known []string
	if commit != "" {
		known = append(known, "commit "+commit)
	}
	if date != "" {
		known = append(known, date)
	}
	if known == nil {
		return Version
	}
	return Version + " (" + strings.Join(known, ", ") + ")"
}
