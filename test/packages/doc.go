// Package packages has tests alone, of what make packages has made: they install, upgrade and
// remove it on fresh hosts, and look at what is in it. make check-packages runs them.
package packages
