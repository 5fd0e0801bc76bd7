package state

import (
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/job"
)

// SweepAt is Sweep at a later time, for jobs without a cgroup.
func SweepAt(root string, later time.Duration) ([]job.ID, error) {
	h := newHost()
	h.now = h.now.Add(later)
	return h.sweep(root, nil)
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
