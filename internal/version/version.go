// Package version holds the version of the driver.
package version

// Version is the newest version of CHANGELOG.md, in the form of
// https://semver.org/, without a v.
const Version = "0.1.0"
