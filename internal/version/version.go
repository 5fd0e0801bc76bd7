// Package version holds the version of the driver.
package version

// Version is the newest version in CHANGELOG.md, without a leading v, in the form of
// https://semver.org/.
const Version = "0.1.0"
