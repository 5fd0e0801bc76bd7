// Package gate is what the run stage and the program gate tell each other: which
// upload to look into for which secrets, and what was found.
//
// Looking is a program of its own since it links what unpacks archives, and run is
// started for every script of a job.
package gate

import (
	"time"

	"rolecall/internal/job"
	"rolecall/internal/mask"
)

// Program is the name of the program that looks, in the folder of the others.
const Program = "gate"

// Order is what the program is asked, as JSON on its standard input. Its JSON alone
// holds the secrets in the clear, for the pipe between the two; fmt prints none.
type Order struct {
	Stage   job.StageName
	Project string // the work tree of the job, an absolute path
	Uploads job.Uploads
	Request job.Request // in which the runner's commands expand patterns
	Service []string    // the environment of scripts
	Secrets []mask.Named

	MaxBytes    int64 // to read and to unpack
	MaxDuration time.Duration
}

// Report is what the program answers, as JSON on its standard output. What it
// holds of names is masked.
type Report struct {
	Found   []Place // with secrets
	Refused []Place // that could not be looked at
	Noted   []Place // files whose bytes were searched, but which could not be unpacked
	Files   int64   // how many were looked at
}

// Place is a file that the runner would upload, and what is to be said of it.
type Place struct {
	Upload string // what it would be uploaded as: "artifacts", "report dotenv", "cache KEY"
	Name   string // relative to the project
	Inside string // the way in archives, such as "b.tar.gz > c"
	Says   string // the kinds of secrets, or the reason
}
