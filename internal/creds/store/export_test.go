package store

import (
	"time"

	"rolecall/internal/job"
)

// SweepAt is Sweep at a later time, for jobs without a cgroup.
func SweepAt(root string, later time.Duration) ([]job.ID, error) {
	h := newHost()
	h.now = h.now.Add(later)
	return h.sweep(root, nil)
}
