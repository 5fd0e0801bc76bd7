package state

import (
	"context"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/job"
)

// SweepAt is Sweep at a later time, for jobs that no backend has run.
func SweepAt(root string, later time.Duration) ([]job.ID, error) {
	h := newHost()
	h.now = h.now.Add(later)
	return h.sweep(context.Background(), root, nil)
}

// Reencode reads the driver's own copy, and writes what it has read.
func Reencode(content []byte) ([]byte, creds.Set, error) {
	i, err := parseIssued(content)
	if err != nil {
		return nil, i.set, err
	}
	again, err := i.encode()
	return again, i.set, err
}

// Readable is readable.
func Readable(version, own int) bool { return readable(version, own) }
