package run

import "rolecall/internal/program"

// New returns the stage as a program.
func New() program.Program {
	return program.Program{
		Name: "run",
		Does: "runs a script of the job: the runner appends its path and its stage's name",
		Run:  Run,
	}
}
