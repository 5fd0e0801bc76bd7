// Package seams shows that a second backend and a second provider touch no room of
// the driver: its tests wire a toy of each beside the host and AWS, as a main.go would,
// and lead whole jobs through the programs.
package seams
